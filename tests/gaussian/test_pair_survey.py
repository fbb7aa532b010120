"""Random pairs of functions under random laws: the true error is within the reported one."""

from __future__ import annotations

import random

import pytest

from netsor.gaussian import FixedLaw, expect
from tests.gaussian.pair_truths import Case, U, V, random_case

# What the truth's own arithmetic leaves, relative to E|…|, and what one rounding of the law's entries may do.
ROUNDING = 3e-15


def excess(case: Case) -> float:
    """How many times the reported error the true one is."""
    truth, scale = case.truth()
    found = expect(case.integrand, FixedLaw([U, V], case.covariance))
    return abs(found.value - truth) / (found.error + ROUNDING * scale + 1e-300)


def violations(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        case = random_case(rng)
        ratio = excess(case)
        if not ratio <= 1:
            out.append(f"{ratio:.3g}: {case.f.text} · {case.g.text} at {case.means}, {case.sd}, {case.beta}, {case.s}")
    return out


def test_errors_are_within_the_bounds() -> None:
    assert violations(1, 500) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_errors_are_within_the_bounds(seed: int) -> None:
    assert violations(seed, 500) == []

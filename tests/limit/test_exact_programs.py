"""Limits of random programs of polynomials and exponentials, with W and Wᵀ, scalars and ψ*, against forty digits."""

from __future__ import annotations

import mpmath as mp
import pytest
from exact_calculus import TooLarge, random_program

from netsor.api import loads


def violations(seeds: range) -> tuple[int, list[str]]:
    """(outputs compared, those whose true error is more than the reported one)."""
    compared, wrong = 0, []
    for seed in seeds:
        try:
            text, truth = random_program(seed)
        except TooLarge:
            continue
        result = loads(text).limit()
        for name, right in truth.items():
            found = result[name]
            compared += 1
            if found.value is None or found.error is None or abs(mp.mpf(found.value) - right) > found.error:
                wrong.append(f"seed {seed}, {name}: {found.value} ± {found.error}, truth {mp.nstr(right, 20)}")
    return compared, wrong


def test_limits_are_within_their_bounds_of_exact_calculus() -> None:
    compared, wrong = violations(range(60))
    assert compared > 100 and not wrong, wrong


@pytest.mark.slow
@pytest.mark.parametrize("block", range(30))
def test_many_limits_are_within_their_bounds(block: int) -> None:
    compared, wrong = violations(range(1000 + 150 * block, 1150 + 150 * block))
    assert compared > 200 and not wrong, wrong

"""Random expectations against truths found in another way: the reported error is a bound."""

from __future__ import annotations

import numpy as np
import pytest

from netsor.gaussian import Settings, expect
from tests.gaussian.cases import MAKERS

# What the truths themselves may be off by, relative to E|integrand|.
ROUNDING = 3e-14


def survey(name: str, count: int, seed: int) -> list[float]:
    """True error over reported error, for `count` random expectations."""
    ratios = []
    for k in range(count):
        e, law, truth, size = MAKERS[name](np.random.default_rng([seed, k]))
        if size < 1e-6:
            continue
        r = expect(e, law, Settings(1e-9, 20.0))
        assert np.isfinite(r.value)
        assert r.method
        ratios.append(max(0.0, abs(r.value - truth) - ROUNDING * size) / max(r.error, 1e-300))
    return ratios


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_reported_errors_bound_true_errors(name):
    count = {"one variable": 60, "exponential factor": 40, "polynomial factor": 40}.get(name, 20)
    ratios = survey(name, count, 20210721)
    assert max(ratios) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_reported_errors_bound_true_errors_at_length(name):
    ratios = survey(name, 160, 7)
    assert sum(r > 1.0 for r in ratios) <= 0.01 * len(ratios)
    assert max(ratios) <= 3.0


@pytest.mark.parametrize("name", ["one variable", "pair", "product of several", "composite"])
def test_tolerance_is_reached(name):
    for k in range(12):
        e, law, _, size = MAKERS[name](np.random.default_rng([99, k]))
        if size < 1e-6:
            continue
        r = expect(e, law, Settings(1e-8, 20.0))
        assert r.converged, (e, r)
        assert r.error <= 1e-8 * r.scale

"""Limits of generated programs: none crashes, and they agree with simulations at a finite width."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from simulation import estimate
from strategies import programs

from netsor.api import loads

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(programs(most_lines=6, jumps=True))
def test_limits_never_crash(text: str) -> None:
    result = loads(text).limit(tol=1e-3, budget=0.3)
    for value in result.outputs.values():
        if value.value is None:
            assert any(d.code.startswith("E8") for d in result.diagnostics)
        else:
            assert math.isfinite(value.value) and value.error is not None and value.error >= 0


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(programs(most_lines=6, depth=1))
def test_limits_agree_with_simulations(text: str) -> None:
    document = loads(text)
    limits = document.limit(tol=1e-3, budget=3.0)
    for name, (mean, stderr) in estimate(document.program, n=1200, seeds=8, scalars_at=1e10).items():
        limit = limits[name]
        assert limit.value is not None, text
        # A mean over seeds is off by its standard error and by a bias of order 1/n.
        slack = 6 * stderr + 10 / 1200 * (1 + abs(limit.value)) + limit.error
        assert mean == pytest.approx(limit.value, abs=slack), text

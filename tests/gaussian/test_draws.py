"""What is said of many expectations when the time is spent: means over points, and what errors of their laws do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netsor.deadline import TimeOver
from netsor.expr import Sym, call, mul
from netsor.expr.functions import dirac
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Clock
from netsor.gaussian.vectorized.draws import carried, sampled
from netsor.gaussian.vectorized.each import each
from netsor.gaussian.vectorized.laws import Laws

U, V, W = Sym("u"), Sym("v"), Sym("w")
RELUS = mul(call("relu", U), call("relu", V))


def laws(angles: np.ndarray, error: float = 0.0, budget: float | None = None) -> Laws:
    one = Bounded(np.ones((len(angles), 1)), np.full((len(angles), 1), error))
    across = Bounded(np.cos(angles)[:, None], np.full((len(angles), 1), error))
    return Laws((len(angles), 1), {(U, U): one, (V, V): one, (U, V): across}, {}, clock=Clock(budget))


ANGLES = np.linspace(0.1, 3.0, 30)
# Cho & Saul 2009.
EXACT = (np.sin(ANGLES) + (math.pi - ANGLES) * np.cos(ANGLES)) / (2 * math.pi)


def test_means_are_within_their_errors() -> None:
    found = sampled(RELUS, (U, V), laws(ANGLES))
    distance = np.abs(found.value[:, 0] - EXACT)
    assert (distance <= found.error[:, 0]).all()
    assert found.error.max() < 0.02


def test_errors_of_the_law_are_carried_by_slopes() -> None:
    """∂/∂c = (π − θ)/(2π) and ∂/∂a = ∂/∂b = sin θ/(4π), all of them positive."""
    error = 1e-9
    slopes = (math.pi - ANGLES) / (2 * math.pi) + np.sin(ANGLES) / (2 * math.pi)
    found = carried(RELUS, (U, V), laws(ANGLES, error))
    assert (found >= slopes * error).all()
    assert (found <= 1.5 * slopes * error + 0.05 * error).all()


@pytest.mark.parametrize("budget", [0.0, 1e-3])
def test_without_time_there_is_a_value_with_a_larger_bound(budget: float) -> None:
    block = mul(call("relu", U), call("relu", V), call("erf", call("max", U, V)))
    exact = each(block, (U, V))(laws(ANGLES[:4]))
    hasty = each(block, (U, V))(laws(ANGLES[:4], budget=budget))
    assert (np.abs(exact.value - hasty.value) <= exact.error + hasty.error).all()
    assert np.isfinite(hasty.error).all()


@pytest.mark.parametrize("budget", [0.0, 1e-3])
def test_without_time_a_dirac_mass_has_no_mean_over_points(budget: float) -> None:
    three = (U, V, W)
    one = Bounded(np.ones((2, 1)), np.zeros((2, 1)))
    across = Bounded(np.array([[0.3], [0.5]]), np.zeros((2, 1)))
    law = {(a, b): one if a is b else across for i, a in enumerate(three) for b in three[i:]}
    block = mul(dirac(U), call("erf", call("max", V, W)), call("relu", mul(V, W)))
    with pytest.raises(TimeOver):
        each(block, three)(Laws((2, 1), law, {}, clock=Clock(budget)))

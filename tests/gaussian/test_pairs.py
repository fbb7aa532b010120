"""Pairs at many covariances against one at a time: no disagreement beyond the sum of the bounds."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from netsor.expr import Const, call, diff, mul, sym
from netsor.gaussian import Divergent, FixedLaw, NoPointwiseMeaning, Settings, expect, expect_many
from tests.gaussian.pairs import U, V, covariances, integrand


def disagreements(seeds: range) -> list[str]:
    """Of a random integrand for every seed, at a dozen covariances of which one in three is nearly singular."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        e = integrand(rng)
        c = covariances(rng, 12, 2.0 if "exp" in str(e) else 4.0)
        try:
            values, errors = expect_many(e, [U, V], c)
        except (Divergent, NoPointwiseMeaning):
            continue
        for i, row in enumerate(c):
            one = expect(e, FixedLaw([U, V], row), Settings(1e-12, 10.0))
            # Tails of less than this have lost relative digits to the rounding of the variances.
            if not abs(one.value - values[i]) <= one.error + errors[i] + 1e-100:
                found.append(f"{seed}, {i}: {e} {row.tolist()}: {one.value} ± {one.error}, {values[i]} ± {errors[i]}")
    return found


def test_a_hundred_and_fifty_pairs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert disagreements(range(12)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_five_thousand_pairs(part):
    assert disagreements(range(1000 + 21 * part, 1021 + 21 * part)) == []


def tilted(phi, a, b, r):
    """E e^{u+v} φ(u) φ(v): e^{(a+b+2r)/2} times E φ φ at the means a + r and b + r, by a fine trapezoidal rule."""
    x = np.arange(-200, 201) * 0.05
    w = np.exp(-0.5 * x * x) * 0.05 / math.sqrt(2 * math.pi)
    u = a + r + math.sqrt(a) * x[:, None]
    v = b + r + r / math.sqrt(a) * x[:, None] + math.sqrt(b - r * r / a) * x
    return math.exp((a + b) / 2 + r) * float(w @ (phi(u) * phi(v)) @ w)


def test_what_grows_is_looked_for_beyond_the_reach():
    e = mul(call("exp", U), call("tanh", U), call("exp", V), call("tanh", V))
    rng = np.random.default_rng(2)
    drawn = rng.uniform(0.3, 0.95, (30, 3)) * [8, 8, 1]
    c = np.array([[[a, r * math.sqrt(a * b)], [r * math.sqrt(a * b), b]] for a, b, r in drawn])
    few, many = (expect_many(e, [U, V], c[:k]) for k in (2, 30))
    for k in range(30):
        truth = tilted(np.tanh, c[k, 0, 0], c[k, 1, 1], c[k, 0, 1])
        assert abs(many[0][k] - truth) <= many[1][k] + 1e-13 * truth
        assert many[1][k] <= 1e-9 * abs(truth)
    assert np.all(np.abs(few[0] - many[0][:2]) <= few[1] + many[1][:2])
    # Powers: E u^12 relu(u) relu(v)^2 has its mass at four deviations and more.
    p = np.array([[[1.0, 1.0 - k / 40], [1.0 - k / 40, 1.0]] for k in range(20)])
    values, errors = expect_many(U**22 * call("relu", U) * call("relu", V), [U, V], p)
    truth = np.prod(np.arange(1, 24, 2.0)) / 2
    assert abs(values[0] - truth) <= errors[0] <= 1e-9 * truth


def test_dirac_masses_among_many():
    e = mul(diff(call("step", U), U), call("erf", V) ** 2)
    rho = np.linspace(-0.95, 0.95, 9)
    c = np.array([[[1.5, 1.2 * r], [1.2 * r, 2.0]] for r in rho])
    values, errors = expect_many(e, [U, V], c)
    for k, r in enumerate(rho):
        # Given u = 0 the other has variance q, and E erf² = (2/π) asin(2q/(1 + 2q)) (Williams 1997).
        q = 2.0 - (1.2 * r) ** 2 / 1.5
        truth = 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) / math.sqrt(2 * math.pi * 1.5)
        assert abs(values[k] - truth) <= errors[k] + 1e-15
        assert errors[k] < 1e-12


def test_scales_at_which_squares_overflow():
    rho = np.linspace(-0.9, 1.0, 12)
    for s, t in ((1e150, 1e-150), (1e-150, 1e-150), (1e140, 1e150)):
        c = np.array([[[s * s, r * s * t], [r * s * t, t * t]] for r in rho])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values, errors = expect_many(call("relu", U) * call("relu", V), [U, V], c)
        angle = np.arccos(np.clip(c[:, 0, 1] / (s * t), -1, 1))
        truth = (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
        assert np.all(np.abs(values / (s * t) - truth) <= errors / (s * t) + 1e-13), (s, t)


def test_a_grid_does_not_take_a_wave_for_a_constant():
    w = sym("v")
    frequency = 2 * math.pi / 0.28
    e = mul(call("cos", mul(Const(frequency), U)), call("tanh", w) ** 2)
    rho = np.linspace(-0.9, 0.9, 12)
    c = np.array([[[1.0, r], [r, 1.0]] for r in rho])
    values, errors = expect_many(e, [U, V], c)
    assert np.all(np.abs(values) <= errors + 1e-12)

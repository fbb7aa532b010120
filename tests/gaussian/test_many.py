"""Many covariances at once agree with closed forms and with one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netsor.expr import Const, call, diff, sym
from netsor.gaussian import FixedLaw, Settings, expect, expect_many
from netsor.gaussian.problem import Unsettled

U, V, W = sym("u"), sym("v"), sym("w")


def covariances(p, q, rho):
    c = np.empty((len(rho), 2, 2))
    c[:, 0, 0], c[:, 1, 1] = p, q
    c[:, 0, 1] = c[:, 1, 0] = rho * np.sqrt(c[:, 0, 0] * c[:, 1, 1])
    return c


def correlations(count):
    rng = np.random.default_rng(5)
    rho = rng.uniform(-1, 1, count)
    rho[:6] = [1, -1, 0, 1 - 1e-12, 1 - 1e-6, -1 + 1e-9]
    return rho


def arc_cosine(rho):
    t = np.arccos(rho)
    return (np.sin(t) + (math.pi - t) * rho) / (2 * math.pi)


def test_one_pair_of_variances():
    rho = correlations(3000)
    values, errors = expect_many(call("relu", U) * call("relu", V), [U, V], covariances(2.0, 3.0, rho))
    truth = arc_cosine(rho) * math.sqrt(6.0)
    assert np.all(np.abs(values - truth) <= errors + 1e-14)
    assert errors.max() < 1e-10


def test_every_pair_its_own_variances():
    rho = correlations(800)
    rng = np.random.default_rng(6)
    p, q = 10 ** rng.uniform(-2, 2, 800), 10 ** rng.uniform(-2, 2, 800)
    values, errors = expect_many(call("relu", U) * call("relu", V), [U, V], covariances(p, q, rho))
    truth = arc_cosine(rho) * np.sqrt(p * q)
    assert np.all(np.abs(values - truth) <= errors + 1e-13 * np.sqrt(p * q))
    values, errors = expect_many(call("erf", U) * call("erf", V), [U, V], covariances(p, q, rho))
    truth = 2 / math.pi * np.arcsin(2 * rho * np.sqrt(p * q) / np.sqrt((1 + 2 * p) * (1 + 2 * q)))
    assert np.all(np.abs(values - truth) <= errors + 1e-13)
    assert errors.max() < 1e-8


@pytest.mark.parametrize(
    "e",
    [
        call("tanh", U) * call("tanh", V),
        diff(call("gelu", U), U) * call("step", V),
        U * V,
        call("relu", U - V),
        call("hardtanh", U) * V**2,
        call("max", U, V, Const(0.5)),
    ],
    ids=str,
)
def test_agrees_with_one_at_a_time(e):
    rho = correlations(220)
    c = covariances(1.5, 0.5, rho)
    c[10:14, 0] = c[10:14, :, 0] = 0.0
    values, errors = expect_many(e, [U, V], c)
    for i in (*range(14), 100, 200):
        r = expect(e, FixedLaw([U, V], c[i]), Settings(1e-11, 10.0))
        assert abs(r.value - values[i]) <= r.error + errors[i] + 1e-14, i


def test_other_dimensions_and_scalars():
    rng = np.random.default_rng(7)
    c = np.array([(a := rng.standard_normal((3, 4))) @ a.T for _ in range(6)])
    t = sym("t")
    scale = np.linspace(0.5, 2, 6)
    values, _ = expect_many(t * U * V * call("cos", W), [U, V, W], c, {t: scale})
    truth = scale * np.exp(-c[:, 2, 2] / 2) * (c[:, 0, 1] - c[:, 0, 2] * c[:, 1, 2])
    assert np.allclose(values, truth, rtol=1e-12, atol=1e-14)
    values, _ = expect_many(call("relu", U), [U], c[:, :1, :1])
    assert np.allclose(values, np.sqrt(c[:, 0, 0] / (2 * math.pi)), rtol=1e-13)


def test_a_covariance_beyond_floats_is_no_divergence() -> None:
    with pytest.raises(Unsettled):
        expect_many(call("tanh", U) * call("tanh", V), (U, V), [[[math.inf, 1.0], [1.0, 1.0]]])

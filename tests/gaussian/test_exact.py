"""Closed forms known from elsewhere: polynomials, exponentials, waves, arc-cosine and arcsine kernels, Dirac masses."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from netsor.expr import ONE, ZERO, Const, call, compare, cond, diff, sqrt, sym
from netsor.gaussian import Divergent, Estimate, FixedLaw, NoPointwiseMeaning, Settings, Unsettled, expect, vanishes

U, V, W = sym("u"), sym("v"), sym("w")


def relu(x):
    return call("relu", x)


def value(e, symbols, covariance, **more):
    r = expect(e, FixedLaw(symbols, covariance, **more), Settings(1e-10, 20.0))
    assert r.converged
    return r


def check(e, symbols, covariance, truth, slack=1e-15):
    r = value(e, symbols, covariance)
    assert abs(r.value - truth) <= r.error + slack * max(1.0, abs(truth)), (e, r, truth)
    return r


RHOS = [-1.0, -0.999999, -0.5, 0.0, 0.3, 0.99, 1 - 1e-6, 1 - 1e-12, 1.0]


def angle(rho):
    """arccos ρ to double precision also near ±1."""
    return float(mpmath.acos(mpmath.mpf(rho)))


@pytest.mark.parametrize("rho", RHOS)
def test_arc_cosine_kernels(rho):
    c = [[1.0, rho], [rho, 1.0]]
    t = angle(rho)
    check(relu(U) * relu(V), [U, V], c, (math.sin(t) + (math.pi - t) * rho) / (2 * math.pi))
    check(call("step", U) * call("step", V), [U, V], c, (math.pi - t) / (2 * math.pi))
    check(call("sign", U) * call("sign", V), [U, V], c, 1 - 2 * t / math.pi)
    check(call("abs", U) * call("abs", V), [U, V], c, 2 / math.pi * (math.sin(t) + (math.pi / 2 - t) * rho))


@pytest.mark.parametrize("rho", RHOS)
def test_arcsine_kernel(rho):
    p, q = 0.7, 30.0
    c = rho * math.sqrt(p * q)
    truth = 2 / math.pi * math.asin(2 * c / math.sqrt((1 + 2 * p) * (1 + 2 * q)))
    check(call("erf", U) * call("erf", V), [U, V], [[p, c], [c, q]], truth)


def test_polynomials():
    check(U**4, [U], [[2.0]], 12.0)
    check(U**2 * V**2, [U, V], [[1.0, 0.5], [0.5, 2.0]], 2.0 + 2 * 0.25)
    check((U + V) ** 6, [U, V], [[1.0, 0.5], [0.5, 2.0]], 15 * 4.0**3)
    check(U * V * W * W, [U, V, W], [[1, 0.2, 0.3], [0.2, 1, 0.4], [0.3, 0.4, 1]], 0.2 + 2 * 0.3 * 0.4)


def test_exponentials():
    check(call("exp", U + V), [U, V], [[1.0, 0.5], [0.5, 2.0]], math.exp(2.0), 1e-14)
    check(call("exp", 0.25 * U**2), [U], [[1.0]], math.sqrt(2.0))
    check(call("exp", -0.5 * (U - V) ** 2 + U), [U, V], [[1.0, 0.2], [0.2, 1.0]], _by_hand())
    check(V * call("exp", U), [U, V], [[1.0, 0.5], [0.5, 2.0]], 0.5 * math.exp(0.5))


def _by_hand():
    s = mpmath.matrix([[1, 0.2], [0.2, 1]])
    q = mpmath.matrix([[1, -1], [-1, 1]])
    m = (s**-1 + q) ** -1
    return float(mpmath.exp(m[0, 0] / 2) / mpmath.sqrt(mpmath.det(mpmath.eye(2) + s * q)))


def test_waves():
    c = [[1.0, 0.5], [0.5, 1.0]]
    check(call("sin", U) * call("sin", V), [U, V], c, math.exp(-1) * math.sinh(0.5))
    check(U * call("sin", V), [U, V], c, 0.5 * math.exp(-0.5))
    check(call("cos", U + 1) ** 2, [U], [[1.0]], 0.5 + 0.5 * math.cos(2) * math.exp(-2))
    check(call("exp", U) * call("cos", V), [U, V], c, math.exp(0.5 - 0.5) * math.cos(0.5))


def test_dirac_masses():
    c = [[1.0, 0.5], [0.5, 1.0]]
    p = 1 / math.sqrt(2 * math.pi)
    check(diff(diff(relu(U), U), U), [U], [[4.0]], p / 2)
    check(diff(diff(relu(U), U), U) * V**2, [U, V], c, 0.75 * p)
    check(call("dirac", U) * call("dirac", V), [U, V], c, 1 / (2 * math.pi * math.sqrt(0.75)))
    check(call("dirac'", U) * V, [U, V], c, -0.5 * p)
    # E δ''(u) u² / 2 = 1 · density.
    check(call("dirac''", U) * U**2, [U], [[1.0]], 2 * p)
    check(diff(diff(call("abs", U - 1), U), U), [U], [[1.0]], 2 * p * math.exp(-0.5))
    # A mass on a curve: δ(tanh u − 1/2) = δ(u − u₀) / (1 − 1/4).
    u0 = math.atanh(0.5)
    check(call("dirac", call("tanh", U) - 0.5), [U], [[1.0]], p * math.exp(-u0 * u0 / 2) / 0.75)


def test_a_mass_on_a_jump_has_no_meaning():
    with pytest.raises(NoPointwiseMeaning):
        expect(call("dirac", U) * call("step", U), FixedLaw([U], [[1.0]]))
    # A kink is no jump.
    check(call("dirac", U) * relu(U), [U], [[1.0]], 0.0)


@pytest.mark.parametrize(
    "e",
    [
        call("exp", U**2),
        call("exp", U * V),
        U**-2,
        call("abs", U) ** -1,
        call("tan", U),
        (U**2 + V**2) ** -1,
        call("exp", call("exp", U)),
        call("log", U),
        sqrt(U),
        U**-1,
    ],
    ids=str,
)
def test_divergent(e):
    with pytest.raises(Divergent):
        expect(e, FixedLaw([U, V], [[1.0, 0.0], [0.0, 1.0]]))


def test_an_indefinite_covariance_is_refused():
    with pytest.raises(Unsettled):
        expect(call("tanh", U) * call("tanh", V), FixedLaw([U, V], [[1.0, 1.5], [1.5, 1.0]]))
    with pytest.raises(Unsettled):
        expect(U**2 * V**2, FixedLaw([U, V], [[1.0, 1.5], [1.5, 1.0]]))


@pytest.mark.parametrize("e", [1 / (U * V), call("tan", U) * call("tanh", V), 1 / (call("tanh", U) + V)], ids=str)
def test_divergent_along_a_surface(e):
    with pytest.raises(Divergent):
        expect(e, FixedLaw([U, V], [[1.0, 0.5], [0.5, 1.0]]))


def test_integrable_singularities():
    check(call("abs", U) ** -0.5, [U], [[1.0]], math.gamma(0.25) * 2**-0.25 / math.sqrt(math.pi), 1e-6)
    check(call("log", call("abs", U)), [U], [[1.0]], -(float(mpmath.euler) + math.log(2)) / 2)
    check((U**2 + V**2) ** -0.5, [U, V], np.eye(2), math.sqrt(math.pi / 2))


def test_quotients_by_a_norm():
    z = [sym(f"z{i}") for i in range(4)]
    q = z[0] ** 2 + z[1] ** 2 + z[2] ** 2 + z[3] ** 2
    check(1 / q, z, np.eye(4), 0.5)
    check(z[0] ** 2 / q, z, np.eye(4), 0.25)
    check(z[0] ** 4 / q**2, z, np.eye(4), 3 / 24)
    check(sqrt(q), z, np.eye(4), math.sqrt(2) * math.gamma(2.5))
    check(relu(z[0] / sqrt(q)) * relu(z[1] / sqrt(q)), z, np.eye(4), 1 / (8 * math.pi))
    with pytest.raises(Divergent):
        expect(q**-2, FixedLaw(z, np.eye(4)))


def test_functions_of_a_direction():
    # On the sphere in three dimensions a coordinate is uniform on [−1, 1] (Archimedes).
    z = [sym(f"z{i}") for i in range(3)]
    x = z[0] / sqrt(z[0] ** 2 + z[1] ** 2 + z[2] ** 2)
    for e, f in (
        (relu(x) * call("tanh", x), lambda t: t * mpmath.tanh(t)),
        (call("step", x) * call("cos", x), mpmath.cos),
    ):
        r = expect(e, FixedLaw(z, np.eye(3)), Settings(1e-6, 20.0))
        assert abs(r.value - float(mpmath.quad(f, [0, 1])) / 2) <= r.error + 1e-14
        assert r.error < 1e-6


def test_singular_products():
    m = lambda p: 2 ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi)  # noqa: E731
    check(call("abs", U) ** 0.3 * call("abs", V) ** -0.4, [U, V], np.eye(2), m(0.3) * m(-0.4))


def test_zero_variance_and_equal_variables():
    check(call("step", U) * call("tanh", V), [U, V], [[0.0, 0.0], [0.0, 1.0]], 0.0)
    check(call("cos", U) * V**2, [U, V], [[0.0, 0.0], [0.0, 3.0]], 3.0)
    check(call("step", U) * call("step", V), [U, V], [[2.0, 2.0], [2.0, 2.0]], 0.5)
    check(call("step", U) * call("step", V), [U, V], [[2.0, -2.0], [-2.0, 2.0]], 0.0)


def test_branches_with_monotone_and_piecewise_tests():
    e = cond(compare(">", call("Phi", U), Const(0.9)), V, ZERO) ** 2
    check(e, [U, V], np.eye(2), 0.1)
    e = cond(compare(">", call("abs", U), Const(1.0)), ONE, ZERO)
    check(e, [U], [[1.0]], math.erfc(1 / math.sqrt(2)))
    e = call("max", U, V, W)
    check(e, [U, V, W], np.eye(3), 3 / (2 * math.sqrt(math.pi)))
    # Equal variables tie for the maximum.
    check(call("max", U, V, W), [U, V, W], [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0, 0, 1]], 1 / math.sqrt(math.pi))
    e = relu(V + cond(compare(">", U, Const(1.0)), W, ZERO))
    p = 0.5 * math.erfc(1 / math.sqrt(2))
    truth = (1 - p) / math.sqrt(2 * math.pi) + p * math.sqrt(2) / math.sqrt(2 * math.pi)
    check(e, [U, V, W], np.eye(3), truth)


class Refusing(FixedLaw):
    """A law that answers only for what it was told to answer."""

    def __init__(self, symbols, covariance, allowed, scalars=None):
        super().__init__(symbols, covariance, scalars=scalars)
        self.allowed = {frozenset(p) for p in allowed}

    def covariance(self, a, b):
        assert frozenset((a, b)) in self.allowed, f"asked for Cov({a}, {b})"
        return super().covariance(a, b)


def test_nothing_is_asked_for_that_is_not_needed():
    c = np.array([[1.0, 0, 0], [0, 1, 0.5], [0, 0.5, 1]])
    nothing = Refusing([U, V, W], c, [])
    assert expect(U * call("tanh", V) * relu(W), nothing).value == 0.0
    assert vanishes(U * call("tanh", V) * relu(W), nothing)
    assert vanishes(call("tanh", V), nothing)
    assert vanishes(call("tanh", V) * call("tanh", W), nothing) is None
    some = Refusing([U, V, W], c, [(U,), (V,), (W,), (V, W)])
    r = expect(U**2 * relu(V) * relu(W), some)
    assert abs(r.value - (math.sin(math.pi / 3) + (2 * math.pi / 3) * 0.5) / (2 * math.pi)) <= r.error + 1e-15
    # Stein's lemma needs no variance of a variable that occurs linearly.
    stein = Refusing([U, V, W], c, [(V, W), (V,)])
    r = expect(W * call("erf", V), stein)
    assert abs(r.value - 0.5 * 2 / math.sqrt(3 * math.pi)) <= r.error + 1e-15


def test_scalars_are_coefficients_and_parameters_with_errors():
    t = sym("t")
    law = FixedLaw([U], [[1.0]], scalars={t: Estimate(2.0, 1e-6)})
    r = expect(t * U**2, law)
    assert abs(r.value - 2.0) <= 1e-14
    assert 1e-6 <= r.error <= 1.1e-6
    r = expect(relu(t * U), law)
    assert abs(r.value - 2 / math.sqrt(2 * math.pi)) <= 1e-14
    assert 0.39e-6 <= r.error <= 0.5e-6


def test_a_nearly_perfect_correlation_that_is_uncertain_says_so():
    c, delta = [[1.0, 1 - 1e-10], [1 - 1e-10, 1.0]], [[0.0, 1e-10], [1e-10, 0.0]]
    r = expect(call("step", U) * call("step", V), FixedLaw([U, V], c, delta))
    assert abs(r.value - 0.5) <= r.error
    assert 1e-6 < r.error < 1e-4


def test_blocks_are_computed_once():
    cache: dict = {}
    trace: list = []
    law = FixedLaw([U, V], [[1.0, 0.5], [0.5, 1.0]])
    expect(relu(U) * relu(V), law, cache=cache, trace=trace)
    first = len(cache)
    expect(3 * relu(V) * relu(U), law, cache=cache, trace=trace)
    assert len(cache) == first
    assert len(trace) == 2
    assert trace[0] is trace[1]

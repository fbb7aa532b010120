"""Bounds that were once wrong: lattices that stop early, long chains of exact layers, budgets, curved kinks."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from netsor.expr import Const, call, sqrt, sym
from netsor.gaussian import Divergent, FixedLaw, Settings, expect

U, V, W = sym("u"), sym("v"), sym("w")


def quick_gelu(x):
    return x / (1 + np.exp(-1.702 * x))


def by_trapezoid(f, variance, rho):
    """E f(a) f(b): poles are a unit off the real line or more, so that this spacing is exact to rounding."""
    t = np.arange(-220, 221) * 0.05
    x, y = np.meshgrid(t, t, indexing="ij")
    weight = np.exp(-0.5 * (x * x + y * y)) * 0.05**2 / (2 * math.pi)
    sd = math.sqrt(variance)
    product = f(sd * x) * f(sd * (rho * x + math.sqrt(1 - rho * rho) * y))
    return math.fsum((product * weight).ravel())


@pytest.mark.parametrize("rho", [-0.9, -0.43, 0.1, 0.41, 0.42, 0.43, 0.44, 0.45, 0.8])
@pytest.mark.parametrize("variance", [1.9, 2.0, 2.1, 6.0])
@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_lattice_with_a_loose_tolerance(rho, variance, tol):
    def phi(u):
        return u * call("sigmoid", 1.702 * u)

    c = [[variance, rho * variance], [rho * variance, variance]]
    r = expect(phi(U) * phi(V), FixedLaw([U, V], c), Settings(tol, 20.0))
    assert abs(r.value - by_trapezoid(quick_gelu, variance, rho)) <= r.error + 1e-14 * r.scale


@pytest.mark.parametrize("error", [1e-15, 1e-12, 1e-9])
def test_errors_of_a_homogeneous_function_do_not_grow(error):
    e, size = 2 * call("relu", U) ** 2, error
    for _ in range(1000):
        r = expect(e, FixedLaw([U], [[1.0]], [[size]]))
        # The bound is that of the input, which is exactly what it does here, but for rounding.
        assert size <= r.error <= size * (1 + 1e-5) + 2e-14
        size = r.error
    assert size <= 1.01 * error + 2e-11


@pytest.mark.parametrize("error", [1e-6, 1e-3, 0.1])
def test_errors_of_a_curved_response_are_covered(error):
    e = call("tanh", 3 * U) * call("tanh", V)
    for c in ([[1.0, 0.3], [0.3, 0.5]], [[0.2, 0.1], [0.1, 2.0]]):
        law = FixedLaw([U, V], c, np.full((2, 2), error))
        r = expect(e, law)
        for k in range(8):
            signs = np.array([1 if k >> i & 1 else -1 for i in range(3)])
            moved = np.array(c) + error * np.array([[signs[0], signs[1]], [signs[1], signs[2]]]) * 0.999
            if np.linalg.eigvalsh(moved)[0] > 0:
                assert abs(expect(e, FixedLaw([U, V], moved)).value - r.value) <= r.error


def test_curved_kinks_in_three_dimensions():
    inner = call("clip", V + call("tanh", U), Const(-1), Const(1.5))
    outer = call("clip", W + 0.7 * inner + call("tanh", U), Const(-1), Const(1.5))
    r = expect(outer**2, FixedLaw([U, V, W], np.diag([1.0, 0.6, 0.8])), Settings(1e-8, 6.0))
    assert r.error < 3e-4 * r.scale
    # W is integrated by panels between its kinks, U and V on a fine grid of Legendre panels cut where `inner` is.
    assert abs(r.value - _clipped_twice()) <= r.error


def _clipped_twice():
    from scipy.special import ndtr

    x, w = np.polynomial.legendre.leggauss(24)

    def panels(edges):
        half = np.diff(edges, axis=-1)[..., None] / 2
        t = (edges[..., 1:] + edges[..., :-1])[..., None] / 2 + half * x
        return t, half * w * np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi)

    u, wu = panels(np.linspace(-9, 9, 40))
    u, wu = u.ravel(), wu.ravel()
    sv, sw = math.sqrt(0.6), math.sqrt(0.8)
    grid = np.broadcast_to(np.linspace(-9, 9, 20), (len(u), 20))
    cuts = np.stack([(t - np.tanh(u)) / sv for t in (-1, 1.5)], axis=1)
    v, wv = panels(np.sort(np.concatenate([grid, cuts], axis=1), axis=1))
    c = 0.7 * np.clip(sv * v + np.tanh(u)[:, None, None], -1, 1.5) + np.tanh(u)[:, None, None]
    # E clip(c + s z, a, b)² in closed form.
    p, q = (-1 - c) / sw, (1.5 - c) / sw

    def density(t):
        return np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi)

    middle = ndtr(q) - ndtr(p)
    first, second = density(p) - density(q), middle + p * density(p) - q * density(q)
    inside = c * c * middle + 2 * c * sw * first + sw * sw * second
    value = inside + ndtr(p) + 1.5**2 * ndtr(-q)
    return float(((value * wv).sum(axis=(1, 2)) * wu).sum())


def test_what_has_no_real_value_is_named():
    with pytest.raises(Divergent, match="no real value just below the mean"):
        expect(sqrt(U), FixedLaw([U], [[1.0]]))
    with pytest.raises(Divergent, match=r"no real value 2(\.\d)? standard deviations below"):
        expect(sqrt(U + 2), FixedLaw([U], [[1.0]]))


def test_quotients_of_what_overflows_keep_their_digits():
    # u tanh(u), written by exponentials: (m 2^e)^−1 is rounded relative to m, whatever the size of e.
    u = sym("u")
    up, down = call("exp", u), call("exp", -u)
    e = (up - down) * (up + down) ** Const(-1) * u
    for variance in (1e4, 1e6, 1e8):
        found = expect(e, FixedLaw([u], [[variance]]), Settings(1e-12, 10.0))
        with mpmath.workdps(30):
            s = mpmath.sqrt(variance)
            # E |u| less what tanh falls short of 1: ∫₀^∞ 2x (1 − tanh x) φ(x/s)/s dx.
            ends = [t / s for t in (0, 1, 3, 10, 40)]
            short = mpmath.quad(lambda z, s=s: 2 * s * z * (1 - mpmath.tanh(s * z)) * mpmath.npdf(z), ends)
            truth = s * mpmath.sqrt(2 / mpmath.pi) - short
            assert abs(found.value - truth) <= found.error <= 1e-13 * variance**0.5

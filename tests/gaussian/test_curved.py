"""Kinks off the planes, ridges, many kinked variables: closed forms, and one integral along two sets of axes."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from netsor.expr import ONE, Const, Expr, call, compare, cond, power, sym
from netsor.gaussian import Divergent, FixedLaw, NoPointwiseMeaning, Settings, expect
from tests.gaussian.trees import twice

X, Y, Z, W = (sym(s) for s in "xyzw")
IID = FixedLaw([X, Y, Z, W], np.eye(4))


def held(integrand: Expr, law: FixedLaw, truth: float, within: float, rounding: float = 0.0, tol: float = 1e-8) -> None:
    found = expect(integrand, law, Settings(tol, 60.0))
    assert abs(found.value - truth) <= found.error + rounding * found.scale, (found.value, truth, found.error)
    assert found.error <= within * found.scale, found


def square(e: Expr) -> Expr:
    return power(e, Const(2))


@pytest.mark.parametrize("radius", [0.05, 0.7, 2.5])
def test_balls(radius: float) -> None:
    inside = call("step", Const(radius**2) - square(X) - square(Y))
    held(inside, IID, -math.expm1(-(radius**2) / 2), 1e-10)


def test_products_beyond_a_level() -> None:
    # xy has the density K₀(|t|)/π.
    with mp.workdps(25):
        truth = mp.quad(lambda t: mp.besselk(0, t) / mp.pi, [0.3, 1, 4, 20, 60])
    held(call("step", X * Y - Const(0.3)), IID, float(truth), 1e-12)


def test_kinked_functions_of_sums_of_products() -> None:
    # xy + zw has the law of Laplace: its positive part has mean 1/2.
    held(call("relu", X * Y + Z * W), IID, 0.5, 1e-8)


def test_kinked_functions_of_a_quadratic_form() -> None:
    # E|q| = (2/π) ∫ (1 − Re E e^{itq})/t² dt, of q = xy + z under a full covariance.
    a = np.random.default_rng(1).standard_normal((3, 4))
    c = a @ a.T / 4
    root = np.linalg.cholesky(c)
    form = root.T @ np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]) @ root
    values, vectors = np.linalg.eigh(form)
    slope = vectors.T @ root.T @ np.array([0, 0, 1.0])

    def wave(t):
        out = mp.mpf(1)
        for v, b in zip(values, slope, strict=True):
            d = 1 - 2j * t * mp.mpf(v)
            out *= d ** (-mp.mpf(1) / 2) * mp.exp(-t * t * mp.mpf(b) ** 2 / 2 / d)
        return out

    with mp.workdps(20):
        size = mp.quad(lambda t: (1 - mp.re(wave(t))) / t**2, [1e-12, 0.25, 0.5, 1, 2, 4, 8, 16, 64, 1024, mp.inf])
        truth = (mp.mpf(float(np.trace(form))) + 2 / mp.pi * size) / 2
    held(call("relu", X * Y + Z), FixedLaw([X, Y, Z], c), float(truth), 1e-9, 1e-12)


def test_a_parabola_against_a_saturated_function() -> None:
    def given(t):
        # E|t − y²| for a standard normal y.
        if t <= 0:
            return 1 - t
        r = mp.sqrt(t)
        inside = mp.erf(r / mp.sqrt(2))
        return 1 - t + 2 * (t * inside - (inside - 2 * r * mp.npdf(r)))

    with mp.workdps(25):
        truth = mp.quad(lambda x: given(mp.tanh(x)) * mp.npdf(x), [-10, -3, -1, 0, 0.01, 0.3, 1, 3, 10])
    held(call("abs", call("tanh", X) - square(Y)), IID, float(truth), 1e-10)


@pytest.mark.parametrize("steep", [30.0, 1e3, 1e5])
def test_ridges_along_a_parabola(steep: float) -> None:
    # Given y, E exp(−a (x − y²)²) = exp(−a y⁴/(1 + 2a))/√(1 + 2a).
    with mp.workdps(25):
        a = mp.mpf(steep)
        truth = mp.quad(lambda y: mp.exp(-a * y**4 / (1 + 2 * a)) * mp.npdf(y), [-10, -3, -1, 0, 1, 3, 10])
        truth /= mp.sqrt(1 + 2 * a)
    held(call("exp", Const(-steep) * square(X - square(Y))), IID, float(truth), 1e-8)


@pytest.mark.parametrize(
    ("integrand", "f"),
    [
        (call("exp", Const(-1e8) * square(call("tanh", X) - Const(0.123))), lambda u: mp.exp(-1e8 * u * u)),
        (ONE / (Const(1e-8) + square(call("tanh", X) - Const(0.123))), lambda u: 1 / (mp.mpf(1e-8) + u * u)),
    ],
)
def test_spikes_behind_a_curved_argument(integrand: Expr, f: object) -> None:
    with mp.workdps(30):
        at = mp.atanh(mp.mpf(0.123))
        near = [at + s * mp.mpf(10) ** -k for k in (1, 2, 3, 3.5, 4, 5) for s in (-1, 1)]
        points = sorted([mp.mpf(-10), mp.mpf(10), at, *near])
        truth = mp.quad(lambda x: f(mp.tanh(x) - mp.mpf(0.123)) * mp.npdf(x), points)  # type: ignore[operator]
    held(integrand, IID, float(truth), 1e-11)


def test_steep_sigmoids_have_tails_beyond_their_edge() -> None:
    with mp.workdps(30):
        near = [mp.mpf(0.5) + s * mp.mpf(j) / 100 for j in (0, 1, 2, 4, 8, 16, 30, 50) for s in (-1, 1)]
        truth = mp.quad(
            lambda x: x**3 / (1 + mp.exp(-100 * (x - mp.mpf(0.5)))) * mp.npdf(x), sorted([-10, *set(near), 3, 10])
        )
    steep = call("sigmoid", Const(100) * (X - Const(0.5)))
    held(power(X, Const(3)) * steep, IID, float(truth), 1e-12, 2e-15)


def test_exponents_are_completed_to_squares() -> None:
    # In powers of the variables the exponent is a difference of numbers of 400, which cost three digits and were not
    # in the bound. The value is that of a 30-digit double integral.
    x0, x1 = sym("x0"), sym("x1")
    law = FixedLaw([x0, x1], [[2.1687175, -1.58609339], [-1.58609339, 1.92974435]])
    spike = call("exp", Const(-300) * square(Const(1.45) * x1 + Const(0.69) * x0 + Const(1.18)))
    rest = call("elu", Const(-1.58) * x1 - Const(0.39)) + square(Const(-0.29) * x0 + Const(0.17))
    truth = _spike_by_conditioning()
    held(rest * spike, law, truth, 1e-11)


def _spike_by_conditioning() -> float:
    """E of the integrand above: u = 1.45 x₁ + 0.69 x₀ first, then x₁ given u, in thirty digits."""
    with mp.workdps(30):
        p, q, r = mp.mpf(2.1687175), mp.mpf(-1.58609339), mp.mpf(1.92974435)
        a, b, c = mp.mpf(0.69), mp.mpf(1.45), mp.mpf(1.18)
        var = a * a * p + 2 * a * b * q + b * b * r
        # Under exp(−300 (u + c)²) the law of u is normal with this mean and variance.
        narrow = var / (1 + 600 * var)
        mean = -600 * c * narrow
        front = mp.exp(-300 * c * c / (1 + 600 * var)) / mp.sqrt(1 + 600 * var)
        slope, cross = mp.mpf(-1.58), a * q + b * r
        var0, cross0, cross01 = p, a * p + b * q, q
        # E of the square, x₀ ~ N(m₀, v₀) under the tilted law.
        m0, v0 = cross0 / var * mean, var0 - cross0**2 / var + (cross0 / var) ** 2 * narrow
        second = (mp.mpf(-0.29) * m0 + mp.mpf(0.17)) ** 2 + mp.mpf(-0.29) ** 2 * v0
        m1, v1 = cross / var * mean, r - cross**2 / var + (cross / var) ** 2 * narrow
        assert cross01 == q
        m, s = slope * m1 - mp.mpf(0.39), abs(slope) * mp.sqrt(v1)
        # E elu(m + s z) = m Φ(m/s) + s φ(m/s) + e^{m + s²/2} Φ(−m/s − s) − Φ(−m/s).
        elu = m * mp.ncdf(m / s) + s * mp.npdf(m / s) + mp.exp(m + s * s / 2) * mp.ncdf(-m / s - s) - mp.ncdf(-m / s)
        return float(front * (elu + second))


def smoothed_sum(covariance: np.ndarray, smooth, h: float) -> tuple[float, float]:
    """E Π f(u_i) for Σ = λ + BB', λ the least eigenvalue: a dense sum over the d − 1 factors of E f(b·y + √λ z)."""
    values, vectors = np.linalg.eigh(covariance)
    b = vectors[:, 1:] * np.sqrt(values[1:] - values[0])
    grid = np.arange(-9, 9, h)
    m = len(covariance) - 1
    total = 0.0
    rest = np.stack([g.ravel() for g in np.meshgrid(*[grid] * (m - 1), indexing="ij")])
    rest = rest[:, (rest * rest).sum(axis=0) < 80]
    for x in grid:
        y = np.concatenate([np.full((1, rest.shape[1]), x), rest])
        v = np.exp(-0.5 * (y * y).sum(axis=0)) * (h / math.sqrt(2 * math.pi)) ** m
        for row in b:
            v = v * smooth(row @ y, math.sqrt(values[0]))
        total += float(v.sum())
    return total, float(values[0])


def random_covariance(d: int, seed: int) -> np.ndarray:
    """Of full rank, no two eigenvalues alike."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return turn @ np.diag(np.linspace(0.5, 1.7, d)) @ turn.T


FORMS = {
    "step": lambda c, s: special.ndtr(c / s),
    "relu": lambda c, s: c * special.ndtr(c / s) + s * np.exp(-0.5 * (c / s) ** 2) / math.sqrt(2 * math.pi),
    "erf": lambda c, s: special.erf(c / math.sqrt(1 + 2 * s * s)),
}


@pytest.mark.parametrize(("name", "d"), [("step", 3), ("relu", 3), ("step", 4), ("relu", 4), ("step", 5), ("relu", 5)])
def test_many_kinked_variables_under_a_full_covariance(name: str, d: int) -> None:
    c = random_covariance(d, d)
    truth, _ = smoothed_sum(c, FORMS[name], {3: 0.2, 4: 0.25, 5: 0.36}[d])
    symbols = [sym(f"u{i}") for i in range(d)]
    product = ONE
    for u in symbols:
        product = product * call(name, u)
    held(product, FixedLaw(symbols, c), truth, 1e-8 if d < 5 else 1e-6, 1e-11 if d < 5 else 1e-9)


@pytest.mark.parametrize(("d", "rho"), [(3, 0.5), (5, 0.5), (6, 0.5), (6, 0.2)])
def test_the_largest_of_correlated_variables(d: int, rho: float) -> None:
    # With equal correlations max = √ρ z₀ + √(1−ρ) max of independent ones, whose law is Φ^d.
    symbols = [sym(f"u{i}") for i in range(d)]
    with mp.workdps(25):
        truth = mp.sqrt(1 - mp.mpf(rho)) * mp.quad(
            lambda x: d * x * mp.npdf(x) * mp.ncdf(x) ** (d - 1), [-12, -3, 0, 1, 3, 12]
        )
    c = np.full((d, d), rho) + (1 - rho) * np.eye(d)
    held(call("max", *symbols), FixedLaw(symbols, c), float(truth), 1e-8)


def test_the_largest_of_six_under_a_full_covariance() -> None:
    # E max = ½ Σ_{i≠j} of densities and orthants; here by a long average over antithetic Sobol points.
    from scipy.stats import qmc

    c = random_covariance(6, 11)
    symbols = [sym(f"u{i}") for i in range(6)]
    found = expect(call("max", *symbols), FixedLaw(symbols, c), Settings(1e-8, 60.0))
    means = []
    for seed in range(8):
        u = qmc.Sobol(6, rng=np.random.default_rng(seed)).random_base2(15)
        z = np.linalg.cholesky(c) @ special.ndtri(np.clip(u, 1e-12, 1 - 1e-12)).T
        means.append((z.max(axis=0).mean() - z.min(axis=0).mean()) / 2)
    assert abs(found.value - np.mean(means)) <= 5 * np.std(means) / math.sqrt(8) + found.error
    assert found.error <= 1e-8


def test_branches_on_curved_conditions() -> None:
    # Inside x² + y < z: integrate z first, then y | x in one variable by hand.
    inside = cond(compare(">", Z, square(X) + Y), ONE, Const(0))
    with mp.workdps(20):
        truth = mp.quad(lambda x: mp.ncdf(-x * x / mp.sqrt(2)) * mp.npdf(x), [-10, -2, -1, 0, 1, 2, 10])
    held(inside, IID, float(truth), 1e-8)


def test_what_is_not_singular_is_not_treated_as_if_it_were() -> None:
    # E relu(x)/(1 + w² + |z|) = E relu(x) · E 1/(1 + w² + |z|).
    with mp.workdps(20):
        # ∫ dw φ(w)/(a + w²) in closed form, then z.
        def given(z):
            a = 1 + z
            return mp.sqrt(mp.pi / (2 * a)) * mp.exp(a / 2) * mp.erfc(mp.sqrt(a / 2))

        truth = mp.quad(lambda z: 2 * mp.npdf(z) * given(z), [0, 1, 3, 12]) / mp.sqrt(2 * mp.pi)
    held(call("relu", X) / (ONE + square(W) + call("abs", Z)), IID, float(truth), 1e-9)


def same_along_other_axes(d: int, seed: int, budget: float) -> bool:
    """Whether two evaluations of one integral agree within their errors; one that does not exist does not count."""
    f, x, covariance, g, y = twice(d, seed)
    try:
        one = expect(f, FixedLaw(x, covariance), Settings(1e-8, budget))
        two = expect(g, FixedLaw(y, np.eye(d)), Settings(1e-8, budget))
    except (Divergent, NoPointwiseMeaning):
        return True
    # Rounded coefficients are another integral.
    return abs(one.value - two.value) <= one.error + two.error + 3e-13 * one.scale


@pytest.mark.parametrize("seed", range(2000, 2040))
def test_one_integral_along_two_sets_of_axes(seed: int) -> None:
    assert same_along_other_axes(2, seed, 10.0)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "first", "count"), [(2, 3000, 400), (3, 3000, 80)])
def test_one_integral_along_two_sets_of_axes_at_length(d: int, first: int, count: int) -> None:
    apart = [k for k in range(first, first + count) if not same_along_other_axes(d, k, 5.0)]
    assert len(apart) <= count // 100, apart


def test_rules_see_kinks_next_to_their_ends() -> None:
    """A kink between a panel's end and the first inner node shows at the end, where Gauss's rule has no node."""
    from netsor.gaussian.rules.adaptive import resolution, rule

    for near, ends in itertools.product((1e-3, 1e-5), (True, False)):
        r = rule(12, ends)
        values = np.maximum(near - (r.nodes + 1), 0)[None]
        integral, error = resolution(values, np.ones(1), 1e-17, r)
        seen = abs(integral[0] - near**2 / 2) <= error[0]
        assert seen == ends

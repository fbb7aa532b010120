"""Conditions with quadratic edges: balls, thin parabolas, cones and tails against closed forms and 1-D integrals."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from scipy.stats import chi2, ncx2

from netsor.expr import Const, Expr, add, call, compare, cond, power, sym
from netsor.gaussian import FixedLaw, Settings, expect
from netsor.gaussian.reductions.chebyshev import table
from netsor.gaussian.symbolic.structure import shape_of

VARIABLES = [sym(s) for s in "xyzwv"]
X, Y, Z, W, _ = VARIABLES


def iid(d: int) -> FixedLaw:
    return FixedLaw(VARIABLES[:d], np.eye(d))


def square(e: Expr) -> Expr:
    return power(e, Const(2))


def turned(d: int, seed: int) -> list[Expr]:
    """Independent standard normals as sums over all variables: an orthogonal matrix drawn by the seed."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return [add(*(Const(float(c)) * x for c, x in zip(row, VARIABLES))) for row in q]


def held(e: Expr, law: FixedLaw, truth: float, within: float, rounding: float = 1e-15) -> None:
    found = expect(e, law, Settings(1e-8, 60.0))
    assert abs(found.value - truth) <= found.error + rounding * found.scale, (found.value, truth, found.error)
    assert found.error <= within * found.scale, found


@pytest.mark.parametrize("d", [2, 3, 4, 5])
@pytest.mark.parametrize("radius", [0.05, 0.8])
def test_balls_off_the_mean(d: int, radius: float) -> None:
    centre = np.random.default_rng(d).standard_normal(d)
    inside = Const(radius**2) - add(*(square(x - Const(float(c))) for x, c in zip(VARIABLES, centre)))
    offset = float(centre @ centre)
    held(call("step", inside), iid(d), float(ncx2.cdf(radius**2, d, offset)), 1e-8, 1e-12)
    with mp.workdps(25):
        density = lambda r: r * mp.exp(-(r * r + offset) / 2) * (r / mp.sqrt(offset)) ** (mp.mpf(d) / 2 - 1)  # noqa: E731
        bessel = lambda r: mp.besseli(mp.mpf(d) / 2 - 1, r * mp.sqrt(offset))  # noqa: E731
        truth = mp.quad(lambda r: (radius**2 - r * r) * density(r) * bessel(r), [0, radius])
    held(call("relu", inside), iid(d), float(truth), 1e-8, 1e-13)


def test_tails_beyond_all_draws() -> None:
    outside = call("step", square(X) + square(Y) + square(Z) - Const(49))
    held(outside, iid(3), float(chi2.sf(49, 3)), 1e-8, 1e-12)
    # The tail is not lost beside what draws do see, nor takes what they do not see for a fault.
    found = expect(Const(10.0**6) * outside + call("relu", W), iid(4), Settings(1e-8, 60.0))
    truth = 1e6 * float(chi2.sf(49, 3)) + 1 / math.sqrt(2 * math.pi)
    assert abs(found.value - truth) <= found.error <= 1e-8 * found.scale


@pytest.mark.parametrize("seed", range(12))
def test_thin_parabolas_in_general_position(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = 2 + seed % 3
    u, v, *more = turned(d, seed)
    steep, height, at = 10 ** rng.uniform(1, 5), rng.uniform(-1, 4.5), rng.uniform(-1.5, 1.5)
    gap = v - Const(float(height)) - Const(float(steep)) * square(u - Const(float(at)))
    with mp.workdps(25):
        ends = [w / mp.sqrt(steep) for w in (-8, -5, -3, -2, -1, -0.3, 0, 0.3, 1, 2, 3, 5, 8)]
        inside = mp.quad(lambda s: mp.ncdf(-(height + steep * s * s)) * mp.npdf(s + at), ends)
    factor, mean = (call("relu", more[0]), 1 / math.sqrt(2 * math.pi)) if more else (Const(1), 1.0)
    held(call("step", gap) * factor, iid(d), float(inside) * mean, 1e-6, 1e-12)
    held(call("step", -gap) * factor, iid(d), float(1 - inside) * mean, 1e-6, 1e-14)


def test_polynomials_outside_a_condition() -> None:
    # x given z is linear in z: the mean that is left is E z 1[z > 0, y² + z² > 1], in polar coordinates.
    law = FixedLaw([X, Y, Z], np.array([[1.0, 0, 0.5], [0, 1, 0], [0.5, 0, 1]]))
    radial = mp.quad(lambda r: r * r * mp.exp(-r * r / 2), [1, 3, 12])
    truth = 0.5 * float(radial) * 2 / (2 * math.pi)
    held(X * call("step", Z) * call("step", square(Y) + square(Z) - Const(1)), law, truth, 1e-10)
    held(
        square(X) * call("step", X + Z) * call("step", Y * Z),
        FixedLaw([X, Y, Z], np.eye(3)),
        # Of y only the sign matters: half of E x² 1[x + z > 0].
        0.25,
        1e-9,
    )


def test_conditions_that_are_squares_or_multiples_of_each_other() -> None:
    held(call("step", square(X - Y)), iid(2), 1.0, 1e-10)
    # Of two pairs of lines that are each other's mirror images the resultant is a square.
    slow = expect(call("step", square(Y) - Const(0.75)) * call("step", square(Y) - square(X) + Const(1)), iid(2))
    with mp.workdps(25):
        low = mp.sqrt(mp.mpf(3) / 4)
        truth = 2 * mp.quad(lambda y: (1 - 2 * mp.ncdf(-mp.sqrt(y * y + 1))) * mp.npdf(y), [low, 2, 4, 12])
    assert abs(slow.value - float(truth)) <= slow.error <= 1e-10


def test_cones_have_the_measure_of_their_angles() -> None:
    held(call("step", square(Z) - square(X) - square(Y)), iid(3), 1 - math.sqrt(0.5), 1e-9)


def test_laws_next_to_degenerate_ones() -> None:
    for apart in (1e-2, 1e-4, 1e-6):
        s = math.sqrt(1 - apart)
        law = FixedLaw([X, Y], np.array([[1, s], [s, 1]]))
        truth = 0.5 + math.asin(math.sqrt((1 - s) / 2)) / math.pi
        held(call("step", square(X) - X * Y), law, truth, 1e-10, 1e-13)
    # On a line a condition of two variables is one of one.
    line = FixedLaw([X, Y], np.outer([0.6, 0.8], [0.6, 0.8]))
    held(call("hardtanh", Const(1) - square(X) + Const(2) * square(Y)), line, 1.0, 1e-9)


def test_conditions_on_variables_that_do_not_vary() -> None:
    inside = call("step", Const(1) - square(X) - square(Y))
    held(inside, FixedLaw([X, Y], np.zeros((2, 2))), 1.0, 1e-14)
    held(inside, FixedLaw([X, Y], np.diag([1.0, 0.0])), math.erf(math.sqrt(0.5)), 1e-13)


def test_curves_with_more_than_a_few_roots() -> None:
    # cos(20 x) > 0 and y > 0 change sign a hundred times on the line; by symmetry half of E 1[cos 20x > 0].
    e = cond(compare(">", call("cos", Const(20) * X) * call("tanh", Y), Const(0)), Const(1), Const(0))
    held(e, iid(2), 0.5, 1e-7)


def test_affine_terms_of_a_sum_are_one_argument() -> None:
    gaussians = frozenset(VARIABLES[:4])
    assert len(shape_of(call("relu", X * Y + Z + W), gaussians).forms) == 3
    # xy + √2 s with s standard normal: E|·| = (2/π) ∫ (1 − e^{−t²} / √(1 + t²)) / t² dt.
    with mp.workdps(25):
        truth = mp.quad(lambda t: (1 - mp.exp(-t * t) / mp.sqrt(1 + t * t)) / t**2, [0, 1, 3, 10, mp.inf]) / mp.pi
    held(call("relu", X * Y + Z + W), iid(4), float(truth), 1e-9)


@pytest.mark.parametrize("fn, f", [("atan", mp.atan), ("tanh", mp.tanh)])
@pytest.mark.parametrize("steep", [1.8, 7.0, 20.0])
def test_tables_resolve_steep_functions(fn: str, f, steep: float) -> None:  # noqa: ANN001
    u = sym("u")
    smoothed = table(call(fn, Const(steep) * u + Const(0.3)), u, 1.1, 5.0)
    assert smoothed is not None
    for c in (-1.0, 0.0, 0.4):
        turn = -(c + 0.3 / steep) / 1.1
        ends = sorted([-10, -4, 4, 10, *(turn + w / steep for w in (-30, -5, -1, 0, 1, 5, 30) if abs(w) < 10 * steep)])
        truth = mp.quad(lambda z: f(steep * (c + 1.1 * z) + 0.3) * mp.npdf(z), ends)  # noqa: B023
        assert abs(float(smoothed(np.array([c]))[0]) - float(truth)) < 2e-14

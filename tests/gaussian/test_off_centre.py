"""Integrands about points other than the mean, with values in closed form or by high-precision quadrature."""

import math

import mpmath as mp
import numpy as np
import pytest

from netsor.expr import Const, Expr, call, compare, cond, power, sym
from netsor.gaussian import Divergent, FixedLaw, expect

X, Y, Z = sym("x"), sym("y"), sym("z")
LAW = FixedLaw([X, Y, Z], np.eye(3))
SHIFTED = X + 0.3


def held(integrand: Expr, truth: float, within: float = 1e-8) -> None:
    found = expect(integrand, LAW)
    assert abs(found.value - truth) <= found.error, (found.value, truth, found.error)
    assert found.error <= within * abs(truth)


@pytest.mark.parametrize(("a", "d"), [(300.0, 2.7), (1e6, 0.3), (100.0, 2.7), (50.0, -1.0)])
def test_narrow_bells_off_the_mean(a: float, d: float) -> None:
    # E exp(−a (x − d)²) = exp(−a d² / (1 + 2a)) / √(1 + 2a); exp(−a d²) alone underflows.
    held(call("exp", -a * (X - d) ** 2), math.exp(-a * d * d / (1 + 2 * a)) / math.sqrt(1 + 2 * a))


@pytest.mark.parametrize(
    ("integrand", "f", "within"),
    [
        (call("log", call("abs", SHIFTED)), lambda u: mp.log(abs(u)), 1e-8),
        (SHIFTED * call("log", call("abs", SHIFTED)), lambda u: u * mp.log(abs(u)), 1e-8),
        (power(call("abs", SHIFTED), Const(-0.5)), lambda u: 1 / mp.sqrt(abs(u)), 1e-6),
    ],
)
def test_integrable_singularities_off_the_mean(integrand: Expr, f: object, within: float) -> None:
    near = [-12, -3, -1, -0.1, -1e-3, -1e-6, 0, 1e-6, 1e-3, 0.1, 1, 3, 12]
    with mp.workdps(25):
        truth = mp.quad(lambda u: f(u) * mp.npdf(u, 0.3, 1), near)  # type: ignore[operator]
    held(integrand, float(truth), within)


@pytest.mark.parametrize("exponent", [-1.0, -1.2])
def test_singularities_that_are_not_integrable(exponent: float) -> None:
    with pytest.raises(Divergent):
        expect(power(call("abs", SHIFTED), Const(exponent)), LAW)


def test_lengths_about_another_point() -> None:
    # |(x, y) − m| is a Rice variable: E = √(π/2) L_{1/2}(−|m|²/2), and E 1/|(x, y, z) − m| = erf(|m|/√2)/|m|.
    m = math.hypot(0.3, 0.5)
    rice = float(mp.sqrt(mp.pi / 2) * mp.laguerre(0.5, 0, -(m**2) / 2))
    square = SHIFTED**2 + (Y - 0.5) ** 2
    held(power(square, Const(0.5)), rice, 1e-8)
    held(power(square + Z**2, Const(-0.5)), math.erf(m / math.sqrt(2)) / m, 1e-8)


@pytest.mark.parametrize("radius", [0.1, 1.0])
def test_discs_are_not_missed(radius: float) -> None:
    inside = cond(compare("<", X**2 + Y**2, Const(radius**2)), Const(1), Const(0))
    truth = 1 - math.exp(-(radius**2) / 2)
    found = expect(inside, LAW)
    assert abs(found.value - truth) <= found.error


@pytest.mark.parametrize(
    ("integrand", "truth"),
    [
        # Sums over 8·10⁷ equidistant points, good to ten digits.
        (call("erf", 300.0 * (X**3 - X)) ** 2, 0.99659078691254),
        (call("erf", 300.0 * call("tanh", X - 1)) ** 2, 0.99871289600607),
        (call("tanh", 1000.0 * call("sin", 20 * X)) ** 2, 0.99936337996583),
        (call("exp", -1000.0 * (X**2 - 1) ** 2), 0.0135675287597),
    ],
)
def test_narrow_turns_of_curved_arguments(integrand: Expr, truth: float) -> None:
    found = expect(integrand, LAW)
    assert abs(found.value - truth) <= found.error + 1e-10


def test_narrow_windows_of_a_periodic_condition() -> None:
    # cos(20 x) > 0.999 on windows |x − 2πk/20| < arccos(0.999)/20.
    inside = cond(compare(">", call("cos", 20 * X), Const(0.999)), Const(10), Const(0))
    with mp.workdps(30):
        half, step = mp.acos(mp.mpf("0.999")) / 20, 2 * mp.pi / 20
        truth = 10 * mp.fsum(mp.ncdf(k * step + half) - mp.ncdf(k * step - half) for k in range(-40, 41))
    held(inside, float(truth))

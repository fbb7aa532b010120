"""Steep functions of kinked arguments, far tails, laws next to degenerate, large errors of inputs."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from netsor.expr import ONE, Const, Expr, call, compare, cond, power, sym
from netsor.gaussian import Divergent, Estimate, FixedLaw, NoPointwiseMeaning, expect

X, Y, Z, W = (sym(s) for s in "xyzw")
A, B = sym("a"), sym("b")


def held(e: Expr, law: FixedLaw, truth: float, within: float = 1e-9) -> None:
    found = expect(e, law)
    assert abs(found.value - truth) <= found.error + 2e-15 * abs(truth), (found.value, truth, found.error)
    assert found.error <= within * abs(truth) + 1e-300


def line(variance: float = 1.0) -> FixedLaw:
    return FixedLaw([X], [[variance]])


def around(at: float, width: float) -> list:
    steps = [mp.mpf(width) * 2**k for k in range(-3, 8)]
    return sorted({-mp.mpf(12), mp.mpf(12), mp.mpf(at), *(at + s * w for w in steps for s in (-1, 1))})


@pytest.mark.parametrize("steep", [50.0, 5e3, 1e6])
def test_steep_functions_of_a_kinked_argument(steep: float) -> None:
    with mp.workdps(30):
        at = mp.mpf(0.3)
        points = around(0.3, 1 / steep)
        near = mp.quad(lambda x: (1 - mp.tanh(steep * abs(x - at))) * mp.npdf(x), points)
        half = mp.quad(lambda x: mp.tanh(steep * max(x - at, 0)) * mp.npdf(x), points)
        both = mp.quad(lambda x: mp.exp(-steep * abs(x - at)) * mp.npdf(x), points)
    u = X - Const(0.3)
    # Where tanh is next to 1 its last digit is all that is left: 2e-16 on what is 5e-7 for the steepest.
    held(1 - call("tanh", steep * call("abs", u)), line(), float(near), 2e-9)
    held(call("tanh", steep * call("relu", u)), line(), float(half))
    held(call("exp", -steep * call("abs", u)), line(), float(both))


def test_steep_exponentials_of_a_difference() -> None:
    # X − Y and X + Y are independent, and the sigmoid of the sum has mean ½.
    law = FixedLaw([X, Y], np.eye(2))
    for steep in (1e2, 1e6):
        with mp.workdps(30):
            s = mp.sqrt(2)
            truth = mp.exp(mp.mpf(steep) ** 2) * mp.erfc(steep * s / mp.sqrt(2))
        held(call("exp", -steep * call("abs", X - Y)) * call("sigmoid", X + Y), law, float(truth) / 2)


@pytest.mark.parametrize("rate", [15.0, 20.0])
def test_exponentials_that_begin_far_out(rate: float) -> None:
    with mp.workdps(30):
        truth = mp.ncdf(9) + mp.exp(mp.mpf(rate) ** 2 / 2 - 9 * rate) * mp.ncdf(rate - 9)
    held(call("exp", rate * call("relu", X - 9)), line(), float(truth))
    held(cond(compare(">", X, Const(9)), call("exp", rate * (X - 9)), ONE), line(), float(truth))


def test_probabilities_far_out() -> None:
    held(call("step", X - 9), line(), float(mp.ncdf(-9)), 1e-12)


@pytest.mark.parametrize(
    "e",
    [
        call("exp", Const(1e-6) * power(X, Const(4))),
        call("exp", Const(0.01) * power(call("abs", X), Const(3))),
        call("exp", Const(0.001) * call("exp", X)),
        call("exp", Const(0.001) * power(X, Const(4)) + call("tanh", Y)),
        ONE / (power(X, Const(2)) - Const(1e-8)),
        power(power(X - Y, Const(2)), Const(-0.5)),
        call("dirac", power(X, Const(2))),
    ],
)
def test_what_does_not_exist_however_far_out_that_shows(e: Expr) -> None:
    with pytest.raises(Divergent):
        expect(e, FixedLaw([X, Y], np.eye(2)))


def test_powers_of_a_mass() -> None:
    with pytest.raises(NoPointwiseMeaning):
        expect(power(call("dirac", X), Const(2)), line())


def test_islands_of_a_quadratic_condition() -> None:
    held(call("relu", 1 - Const(1e9) * power(X - Const(0.3), Const(2))), line(), _island(), 1e-9)
    disc = call("step", Const(1e-6) - power(X - 1, Const(2)) - power(Y - 1, Const(2)))
    found = expect(disc, FixedLaw([X, Y], np.eye(2)))
    truth = float(mp.quad(lambda r: r * mp.exp(-1 - r * r / 2) * mp.besseli(0, mp.sqrt(2) * r), [0, 1e-3]))
    assert abs(found.value - truth) <= found.error
    assert abs(found.value - truth) <= 1e-6 * truth


def _island() -> float:
    with mp.workdps(30):
        r = 1 / mp.sqrt(mp.mpf(1e9))
        c = mp.mpf(0.3)
        return float(mp.quad(lambda x: (1 - mp.mpf(1e9) * (x - c) ** 2) * mp.npdf(x), [c - r, c, c + r]))


def test_fourth_powers_in_exponents_stay_as_they_are() -> None:
    with mp.workdps(30):
        truth = mp.quad(lambda x: mp.exp(-mp.mpf(1e20) * (x - mp.mpf(0.3)) ** 4) * mp.npdf(x), around(0.3, 1e-5))
    held(call("exp", Const(-1e20) * power(X - Const(0.3), Const(4))), line(), float(truth), 1e-8)


NEARLY = [
    [[8.782471632260991, 0.1608632242564699], [0.1608632242564699, 0.0029464422533170267]],
    [[157.31299448520184, -38.814479404594564], [-38.814479404594564, 9.576855468188477]],
    [[1.0, 1 - 1e-15], [1 - 1e-15, 1.0]],
]


@pytest.mark.parametrize("c", NEARLY)
def test_masses_next_to_degenerate_laws(c: list) -> None:
    # The truth is that of the matrix as it is rounded.
    p, q, r = Fraction(c[0][0]), Fraction(c[0][1]), Fraction(c[1][1])
    with mp.workdps(40):

        def number(f: Fraction) -> mp.mpf:
            return mp.mpf(f.numerator) / f.denominator

        given, second = number(p - q * q / r), number(r)
        density = 1 / mp.sqrt(2 * mp.pi * second)
        law = FixedLaw([X, Y], c)
        held(call("dirac", X) * call("dirac", Y), law, float(density / mp.sqrt(2 * mp.pi * given)), 1e-12)
        held(call("abs", X) * call("dirac", Y), law, float(density * mp.sqrt(2 * given / mp.pi)), 1e-12)
        angle = mp.acos(number(q) / mp.sqrt(number(p) * second))
        held(call("step", X) * call("step", Y), law, float((mp.pi - angle) / (2 * mp.pi)), 1e-9)


@pytest.mark.parametrize("n", [4, 5])
def test_orthants_of_nearly_equal_variables(n: int) -> None:
    rho = 0.999999
    symbols = [sym(f"u{i}") for i in range(n)]
    product = ONE
    for u in symbols:
        product = product * call("step", u)
    with mp.workdps(25):
        w = mp.sqrt((1 - mp.mpf(rho)) / mp.mpf(rho))
        points = sorted({-mp.mpf(12), mp.mpf(12), *(w * k for k in (-20, -8, -4, -2, -1, 0, 1, 2, 4, 8, 20))})
        truth = mp.quad(lambda x: mp.ncdf(x / w) ** n * mp.npdf(x), points)
    held(product, FixedLaw(symbols, np.full((n, n), rho) + (1 - rho) * np.eye(n)), float(truth), 1e-8)


def test_errors_of_inputs_act_together() -> None:
    small = FixedLaw([X], [[1.0]], scalars={A: Estimate(0.0, 1e-3), B: Estimate(0.0, 1e-3)})
    assert expect(A * B * power(X, Const(2)), small).error >= 1e-6
    wide = FixedLaw([X], [[1.0]], scalars={A: Estimate(0.0, 0.1)})
    # On the way to its ends a³ − a/100 reaches 3.8e-4, and the wave goes once round.
    assert expect(A * (A * A - Const(0.01)) * power(X, Const(2)), wide).error >= 3.8e-4
    assert expect(call("cos", Const(20 * np.pi) * A) * power(X, Const(2)), wide).error >= 1.99
    errors = np.zeros((4, 4))
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 0)):
        errors[i, j] = errors[j, i] = 1e-3
    assert expect(X * Y * Z * W, FixedLaw([X, Y, Z, W], np.eye(4), errors)).error >= 2e-6


def test_errors_of_a_variance_that_is_nothing() -> None:
    law = FixedLaw([X, Y], [[1.0, 1.0], [1.0, 1.0]], [[1e-14, 0.0], [0.0, 1e-14]])
    # Var(X − Y) may be 2e-14.
    assert expect(call("abs", X - Y), law).error >= float(np.sqrt(2e-14 * 2 / np.pi))
    assert expect(call("step", X - Y - Const(1e-8)), law).error >= float(mp.ncdf(-1e-8 / np.sqrt(2e-14)))


@pytest.mark.parametrize("part", [1e-13, 1e-9, 1e-5])
def test_errors_of_perfectly_correlated_variables(part: float) -> None:
    # Whatever the errors have made of the matrix, definite or not, the truth at ρ = 1 is within the bound.
    for signs in ((1, 1, -1), (-1, -1, 1), (-1, 1, 1), (1, -1, -1)):
        moved = part * np.array([[signs[0], signs[2]], [signs[2], signs[1]]])
        law = FixedLaw([X, Y], np.ones((2, 2)) + moved, np.full((2, 2), part))
        for e, truth in (
            (call("step", X) * call("step", Y), 0.5),
            (call("relu", X) * call("relu", Y), 0.5),
            (call("step", X - Y - Const(1e-3)), 0.0),
        ):
            found = expect(e, law)
            assert abs(found.value - truth) <= found.error + 1e-15


@pytest.mark.parametrize("base", [1.0, 1e6])
def test_conditions_are_not_decided_by_rounding(base: float) -> None:
    cubic = cond(compare("<", Const(base) + power(X, Const(3)), Const(base)), Const(1), Const(0))
    held(cubic, line(), 0.5, 1e-10)
    square = cond(compare("<", Const(base) - power(X, Const(2)), Const(base)), Const(2), Const(1))
    held(square, line(), 2.0, 1e-10)


def test_terms_that_cancel_leave_their_rounding() -> None:
    with mp.workdps(40):
        truth = mp.quad(lambda t: (1 + mp.tanh(t - 8)) * mp.npdf(t), [-12, -4, 0, 2, 4, 6, 8, 10, 16])
    found = expect(1 + call("tanh", X - 8), line())
    assert abs(found.value - float(truth)) <= found.error <= 1e-8 * found.scale

"""Divergence is said where it is proved, to the last digit of an exponent; what exists beside it has its value."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from netsor.expr import ONE, ZERO, Const, Expr, call, compare, cond, sym
from netsor.gaussian import Divergent, FixedLaw, Unsettled, expect, expect_many

X, Y = sym("x"), sym("y")
STANDARD = FixedLaw((X, Y), np.eye(2))


def exp(e: Expr) -> Expr:
    return call("exp", e)


def relu(e: Expr) -> Expr:
    return call("relu", e)


def mod(e: Expr) -> Expr:
    return call("abs", e)


def tan(e: Expr) -> Expr:
    return call("tan", e)


def tanh(e: Expr) -> Expr:
    return call("tanh", e)


def of(e: Expr, variance: float = 1.0):
    return expect(e, FixedLaw((X, Y), [[variance, 0.0], [0.0, 1.0]]))


INFINITE = [
    (exp(0.5 * X**2), 1.0),
    (exp(0.5 * relu(X) ** 2), 1.0),
    (exp(X**2), 0.5),
    (exp(5 * relu(X) ** 2), 0.1),
    (exp(0.5 * relu(X) ** 2) / (1 + mod(X)), 1.0),
    (exp(X * relu(X - 2)), 1.0),
    (exp(0.6 * X**2) * cond(compare(">", X, ONE), ZERO, ONE), 1.0),
    (call("sin", X) * exp(X**4), 1.0),
    (exp(1 + exp(X**2)), 1.0),
    (exp(X**2 * call("sigmoid", X)), 1.0),
    (1 + Const(1e-40) * exp(X**2), 1.0),
    (1 / X, 1.0),
    (tan(X), 1.0),
    (1 / call("cos", X), 1.0),
    (1 / (mod(X) - 1), 1.0),
    (exp(1 / X), 1.0),
]


@pytest.mark.parametrize(("e", "variance"), INFINITE, ids=str)
def test_what_is_infinite_is_said_to_be(e, variance):
    with pytest.raises(Divergent):
        of(e, variance)


_PLACES = (-30, -15, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96)


def _on_the_line(exponent, *places) -> float:
    return float(mp.quad(lambda t: mp.exp(exponent(t) - t * t / 2), places) / mp.sqrt(2 * mp.pi))


# E e^{c relu(x)²} = (1 + (1 − 2cv)^{−1/2}) / 2, and its like.
FINITE = [
    (exp(0.49 * relu(X) ** 2), 1.0, (1 + 1 / math.sqrt(0.02)) / 2),
    (exp(0.4999 * relu(X) ** 2), 1.0, (1 + 1 / math.sqrt(0.0002)) / 2),
    (exp(0.499 * mod(X) ** 2), 1.0, 1 / math.sqrt(0.002)),
    (exp(4.9 * X * relu(X)), 0.1, (1 + 1 / math.sqrt(0.02)) / 2),
    (X**2 * exp(0.49 * relu(X) ** 2), 1.0, (1 + 0.02**-1.5) / 2),
    (
        exp(0.49 * cond(compare(">", X, ZERO), X**2, -X)),
        1.0,
        0.5 / math.sqrt(0.02) + float(mp.exp(0.49**2 / 2) * mp.ncdf(0.49)),
    ),
    (exp(-1 / X**2), 1.0, math.exp(-math.sqrt(2))),
    (tan(X) ** 2 * call("cos", X) ** 2, 1.0, (1 - math.exp(-2)) / 2),
    (tan(X) * call("cos", X), 1.0, 0.0),
    (1 / (1 + exp(1 / X)), 1.0, 0.5),
    (1 / (1 + tan(X) ** 2), 1.0, (1 + math.exp(-2)) / 2),
    (exp(0.6 * X**2) * cond(compare("<", mod(X), ONE), ONE, ZERO), 1.0, _on_the_line(lambda t: 0.6 * t * t, -1, 0, 1)),
    (exp(0.49 * X**2 * tanh(X)), 1.0, _on_the_line(lambda t: 0.49 * t * t * mp.tanh(t), *_PLACES)),
]


@pytest.mark.parametrize(("e", "variance", "truth"), FINITE, ids=str)
def test_what_exists_has_its_value(e, variance, truth):
    found = of(e, variance)
    assert abs(found.value - truth) <= found.error + 1e-15 * abs(truth)
    assert found.error <= 1e-8 * max(abs(truth), 1)


@pytest.mark.parametrize("e", [exp(0.49999999999999 * X**2), exp(0.49999999999999 * relu(X) ** 2)], ids=str)
def test_what_is_nearly_infinite_is_not_said_to_be_infinite(e):
    try:
        found = of(e)
    except Unsettled:
        return
    assert abs(found.value - 1 / math.sqrt(2e-14)) <= found.error or abs(found.value - 0.5 / math.sqrt(2e-14)) <= 1


def test_bounded_functions_that_oscillate_beyond_end():
    # E sin²(1/x) = (1 − E cos(2/x))/2, by mpmath.quadosc in the variable 1/x.
    found = of(call("sin", 1 / X) ** 2)
    assert abs(found.value - 0.578203502777834) <= found.error


HOMOGENEOUS = [
    (X * Y, lambda x, y: x * y),
    (relu(X) * relu(Y), lambda x, y: np.maximum(x, 0) * np.maximum(y, 0)),
    (call("max", X, Y) ** 2, lambda x, y: np.maximum(x, y) ** 2),
    (call("max", X, Y, ZERO) ** 2, lambda x, y: np.maximum(np.maximum(x, y), 0) ** 2),
    (relu(X + Y) ** 2, lambda x, y: np.maximum(x + y, 0) ** 2),
    (mod(X) * Y, lambda x, y: np.abs(x) * y),
    (relu(X * Y), lambda x, y: np.maximum(x * y, 0)),
    (cond(compare(">", X, Y), X**2, X * Y), lambda x, y: np.where(x > y, x * x, x * y)),
    (relu(X) ** 2 - Y**2, lambda x, y: np.maximum(x, 0) ** 2 - y * y),
]


def _held(seed: int, count: int) -> None:
    """E e^{cψ} = ∫ dθ / (2π√|Σ| m(θ)), m = u'Σ⁻¹u − 2cψ(u) at the unit vectors u: infinite where m is negative."""
    rng = random.Random(seed)
    t, w = np.polynomial.legendre.leggauss(60)
    ends = np.pi * np.arange(-24, 25) / 24
    angle = ((ends[1:] + ends[:-1])[:, None] + np.diff(ends)[:, None] * t) / 2
    weights = np.diff(ends)[:, None] * w / 2
    x, y = np.cos(angle), np.sin(angle)
    for _ in range(count):
        psi, plain = rng.choice(HOMOGENEOUS)
        a, b = rng.choice([(1.0, 1.0), (1.0, 4.0), (2.0, 0.5)])
        r = rng.choice([0.0, 0.5, -0.5, 0.75, 0.25]) * math.sqrt(a * b)
        det = a * b - r * r
        square, form = (b * x * x - 2 * r * x * y + a * y * y) / det, plain(x, y)
        border = float((square / 2 / np.where(form > 1e-6, form, 1e-6)).min())
        c = float(f"{border * rng.choice([0.3, 0.8, 0.9, 0.97, 1.03, 1.5]):.4g}")
        m = square - 2 * c * form
        times_square = rng.random() < 0.3
        e = exp(c * psi) * (X**2 if times_square else ONE)
        law = FixedLaw((X, Y), [[a, r], [r, b]])
        if m.min() < 0:
            with pytest.raises(Divergent):
                expect(e, law)
            continue
        truth = float((weights * (2 * x * x / m**2 if times_square else 1 / m)).sum()) / (2 * math.pi * math.sqrt(det))
        found = expect(e, law)
        assert abs(found.value - truth) <= found.error + 1e-13 * truth, (e, a, b, r)
        assert found.error <= 1e-8 * truth, (e, a, b, r)


def test_exponentials_of_piecewise_forms():
    _held(7, 14)


@pytest.mark.slow
def test_many_exponentials_of_piecewise_forms():
    for seed in range(20):
        _held(1000 + seed, 40)


@pytest.mark.parametrize(
    ("a", "b", "r"),
    [(0.1, 1.484986579308493e-10, -3.8535523489523515e-06), (4.0, 468.68566646592495, -43.298298404455075)],
)
def test_jumps_times_roots_at_nearly_opposite_variables(a, b, r):
    # Given x > 0, y is −√b times a half-normal variable, but for an angle of 1e-4: E √|y| / 2.
    found = expect(call("step", X) * call("sqrt", mod(Y)), FixedLaw((X, Y), [[a, r], [r, b]]))
    half = b**0.25 * 2**0.25 * math.gamma(0.75) / math.sqrt(math.pi) / 2
    assert abs(found.value - half) <= 1e-12 * half + found.error


MANY = [
    (exp(relu(X) ** 2) * relu(Y), True),
    (relu(X) / Y, True),
    (exp(0.4 * X**2) * exp(0.4 * Y**2), True),
    (exp(0.49 * relu(X) ** 2) * relu(Y), False),
    (tanh(tan(X)) * Y, False),
    (call("sign", X) / call("sqrt", mod(Y)), False),
]


@pytest.mark.parametrize(("e", "infinite"), MANY, ids=str)
def test_many_are_asked_whether_they_exist(e, infinite):
    rows = [[[1.0, r], [r, 1.0]] for r in np.linspace(0.1, 0.6, 10)]
    if infinite:
        with pytest.raises(Divergent):
            expect_many(e, (X, Y), np.array(rows))
        return
    values, errors = expect_many(e, (X, Y), np.array(rows))
    one = expect(e, FixedLaw((X, Y), rows[3]))
    assert abs(values[3] - one.value) <= errors[3] + one.error


def test_a_border_that_floats_do_not_hold():
    # 1/(2 · 0.3) is 5/3: a number below it has an expectation, one above it none.
    below, above = (float(Fraction(5, 3) + d * Fraction(1, 10**6)) for d in (-1, 1))
    assert of(exp(below * X * relu(X)), 0.3).value > 100
    with pytest.raises(Divergent):
        of(exp(above * X * relu(X)), 0.3)

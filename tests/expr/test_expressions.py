"""Expressions: derivatives, ranges, text and growth in n, against independent numbers."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsor.check.constants import constant_value
from netsor.diagnostics import Source
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    Call,
    Const,
    Expr,
    Sym,
    add,
    call,
    canonical,
    cond,
    diff,
    evaluate,
    mul,
    power,
    to_text,
)
from netsor.expr.asymptotics import Diverges, width_limit
from netsor.expr.build import compare, wide
from netsor.expr.entry import REALS
from netsor.expr.functions import PUBLIC, is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.intervals import infer_range
from netsor.expr.quotients import find_quotients, settled
from netsor.expr.rationals import power as rational_power

X, Y = Sym("x"), Sym("y")
N = WIDTH
ROOT = power(N, Const(0.5))
ONE_VARIABLE = [f for f in PUBLIC if FUNCTIONS[f].arity[0] == 1]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> Expr:
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([X, Y, Const(2), Const(-0.5), Const(0.25)]))
    a, b = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    match draw(st.integers(0, 6)):
        case 0:
            return add(a, b)
        case 1:
            return mul(a, b)
        case 2:
            return add(a, mul(Const(-1), b))
        case 3:
            return mul(a, power(add(Const(1), power(b, Const(2))), Const(draw(st.sampled_from([-1, -0.5, 0.5])))))
        case 4:
            return call(draw(st.sampled_from(["max", "min"])), a, b)
        case 5:
            return cond(compare(draw(st.sampled_from(["<", ">="])), a, b), a, add(b, X))
        case _:
            return call(draw(st.sampled_from([f for f in ONE_VARIABLE if f not in ("log", "tan", "sqrt", "exp")])), a)


POINTS = [(0.37, -1.21), (-0.83, 0.59), (1.71, 2.13)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(expressions())
def test_canonical_forms_have_the_same_values(e: Expr) -> None:
    for x, y in POINTS:
        a, b = evaluate(e, {X: x, Y: y}), evaluate(canonical(e), {X: x, Y: y})
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9)
        assert evaluate(settled(e), {X: x, Y: y}) == pytest.approx(a, rel=1e-9, abs=1e-9)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(expressions())
def test_ranges_hold_the_values(e: Expr) -> None:
    low, high = infer_range(e, {X: (-2.0, 2.0), Y: (0.0, math.inf)})
    for x in (-2.0, -0.7, 0.0, 0.4, 2.0):
        for y in (0.0, 0.3, 5.0):
            value = evaluate(e, {X: x, Y: y})
            assert low - 1e-9 * (1 + abs(value)) <= value <= high + 1e-9 * (1 + abs(value))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-700, 700)), min_size=1, max_size=3), st.integers(1, 3))
def test_ranges_hold_numbers_that_no_float_is_near(factors: list[tuple[int, int]], k: int) -> None:
    e = mul(*(power(mul(*(wide(m, p), X)), Const(k)) for m, p in factors if m))
    low, high = infer_range(e, {X: (1.0, 2.0)})
    for x in (1, 2):
        exact = math.prod((Fraction(m) * x * Fraction(2) ** p) ** k for m, p in factors if m)
        rounding = abs(exact) / 10**12
        assert low <= exact + rounding and exact - rounding <= high
        assert not exact or (low, high) != (0.0, 0.0)


@pytest.mark.parametrize("name", ONE_VARIABLE)
def test_derivatives_against_differences(name: str) -> None:
    slope = diff(call(name, X), X)
    smooth_at = [0.31, 0.77, 1.43] + ([] if name in ("log", "sqrt") else [-0.29, -0.81, -1.37])
    for t in smooth_at:
        h = 1e-6
        wanted = (evaluate(call(name, X), {X: t + h}) - evaluate(call(name, X), {X: t - h})) / (2 * h)
        assert evaluate(slope, {X: t}) == pytest.approx(wanted, rel=1e-6, abs=1e-8), t


@pytest.mark.parametrize("name", ["step", "sign", "relu"])
def test_conventions_at_zero(name: str) -> None:
    """step, sign and relu' are 0 at 0 (the language's own convention)."""
    e = call(name, X) if name != "relu" else diff(call("relu", X), X)
    assert evaluate(e, {X: 0.0}) == 0
    assert is_singular(diff(e, X)) and not is_singular(e)


def test_every_function_has_an_entry_that_is_whole() -> None:
    for name in PUBLIC:
        entry = FUNCTIONS[name]
        assert entry.name == name
        assert entry.lipschitz or entry.obstacle is not None, "B.8 must be able to tell"
        if entry.parity and entry.arity == (1, 1):
            sign = -1 if entry.parity == "odd" else 1
            assert entry.value(-0.7) == pytest.approx(sign * entry.value(0.7))
        assert entry.image(*[REALS] * max(entry.arity[0], 1)) is not None


@pytest.mark.parametrize(
    ("e", "limit"),
    [
        (power(N, Const(-0.5)), 0),
        (add(Const(3), power(N, Const(-1))), 3),
        (add(power(add(N, Const(1)), Const(0.5)), mul(Const(-1), ROOT)), 0),
        (power(add(Const(1), power(N, Const(-1))), N), math.e),
        (mul(N, call("sin", power(N, Const(-1)))), 1),
        (mul(call("log", N), power(N, Const(-0.1))), 0),
        (call("tanh", N), 1),
        (call("exp", mul(Const(-1), N)), 0),
        (mul(ROOT, call("tanh", power(N, Const(-0.5)))), 1),
        (call("sigmoid", mul(Const(-1), N)), 0),
        (mul(call("sin", N), power(N, Const(-1))), 0),
        (mul(N, add(call("cos", power(N, Const(-0.5))), Const(-1))), -0.5),
        (call("max", power(N, Const(-1)), Const(2)), 2),
        (call("step", power(N, Const(-1))), 1),
    ],
)
def test_limits_in_n(e: Expr, limit: float) -> None:
    assert width_limit(e) == pytest.approx(limit, abs=1e-12)


@pytest.mark.parametrize(
    ("e", "rate", "grows"),
    [
        (ROOT, "√n", True),
        (N, "n", True),
        (call("log", N), "log n", True),
        (mul(N, call("log", N)), "n log n", True),
        (add(power(N, Const(2)), mul(Const(-1), N)), "n^2", True),
        (call("exp", N), "exp(n)", True),
        (call("log", mul(Const(-1), N)), "no real value", False),
        (call("sin", N), "sin of n", False),
    ],
)
def test_rates_of_divergence(e: Expr, rate: str, grows: bool) -> None:
    with pytest.raises(Diverges) as caught:
        width_limit(e)
    assert caught.value.rate == rate and caught.value.grows is grows


def test_difference_quotients_are_found_in_every_spelling() -> None:
    def f(u: Expr) -> Expr:
        return call("tanh", u)

    small = mul(Y, power(N, Const(-0.5)))
    wanted = mul(Y, add(Const(1), mul(Const(-1), power(f(X), Const(2)))))
    spellings = [
        mul(ROOT, add(f(add(X, small)), mul(Const(-1), f(X)))),
        add(mul(ROOT, f(add(X, small))), mul(Const(-1), ROOT, f(X))),
        mul(Const(-1), ROOT, add(f(X), mul(Const(-1), f(add(X, small))))),
    ]
    for e in spellings:
        found = at_infinite_width(find_quotients(e))
        for x, y in POINTS:
            assert evaluate(found, {X: x, Y: y}) == pytest.approx(evaluate(wanted, {X: x, Y: y}), rel=1e-12)
    with pytest.raises(Diverges):
        at_infinite_width(find_quotients(mul(ROOT, add(f(add(X, small)), mul(Const(-1), f(Y))))))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**18), 10**18))
def test_numbers_are_read_back_exactly(value: float) -> None:
    e = Const(value)
    read = constant_value(Source("number", to_text(e)))
    assert read == e.value or float(read) == e.value and isinstance(e.value, float)


def test_equal_expressions_are_one_object() -> None:
    assert add(X, Y) is add(X, Y) and call("tanh", X) is Call._make("tanh", (X,))
    assert add(X, X) is mul(Const(2), X) and add(X, mul(Const(-1), X)) is Const(0)
    with pytest.raises(TypeError):
        bool(X)


@pytest.mark.parametrize("a, b", [("0.1", "0.2"), ("0.2", "-0.3"), ("1.1", "2.2"), ("0.7", "0.1"), ("-0.4", "-0.2")])
def test_the_sum_of_two_decimals_is_the_decimal(a: str, b: str) -> None:
    """Else the rounding of 0.1 + 0.2 decides step(0.1 + 0.2 - 0.3)."""
    assert add(Const(float(a)), Const(float(b))) is Const(float(Fraction(a) + Fraction(b)))


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=10**4), st.integers(1, 7), st.integers(-5, 5))
@settings(max_examples=300, deadline=None)
def test_powers_that_are_rational_are_exact(root: Fraction, degree: int, times: int) -> None:
    """√9 is 3, and 9^(-1/2) is 1/3: a float next to it would make equal coefficients differ."""
    found = rational_power(root**degree, Fraction(times, degree))
    if root == 0 and times < 0:
        assert found is None
    elif found is not None:
        assert found == root**times


@given(st.integers(0, 10**40), st.integers(2, 40))
@settings(max_examples=300, deadline=None)
def test_roots_that_are_not_rational_have_no_rational_power(k: int, degree: int) -> None:
    found = rational_power(Fraction(k), Fraction(1, degree))
    near = mpmath.root(k, degree)
    exact = round(near) ** degree == k
    assert (found == round(near)) if exact else found is None

"""Expressions in n alone: their limits against closed forms, and random ones against 400 digits at n up to 10^50."""

import math
import random

import mpmath
import pytest

from netsor.check import check_source
from netsor.diagnostics import Source
from netsor.expr import Call, Expr, Sym, add, call, evaluate, mul, postorder, power
from netsor.expr.asymptotics import Diverges, series_in_width, width_limit
from netsor.expr.nodes import WIDTH, Add, Const, Mul, Pow


def limit_of(text: str) -> float:
    report = check_source(Source("text", f"scalar c = {text}\noutput c\n"))
    assert report.program is not None, [d.message for d in report.diagnostics]
    return report.program.constants[0].limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("tan(atan(n))/n", 1),
        ("n*(exp(1/n) - 1)", 1),
        ("√(n^2 + n) - n", 0.5),
        ("√n*tanh(1/√n)", 1),
        ("tanh(1/√n)*√n", 1),
        ("sin(1/n)*√n", 0),
        ("sign(sigmoid(1/n))", 1),
        ("√n*sign(1/√n) - √n", 0),
        ("log(log(n^2)) - log(log(n))", math.log(2)),
        ("log(n)/log(n + 1)", 1),
        ("log(2*n)/log(log(n))*0 + log(log(n))/log(n)", 0),
        ("exp(n)*exp(-n)", 1),
        ("exp(√(n^2 + n) - n)", math.exp(0.5)),
        ("exp(√(log(n)))/n^0.01", 0),
        ("n*(1 - tanh(log(n)))", 0),
        ("n^2*(1 - tanh(log(n)))", 2),
        ("(1 + 1/n)^n*(1 - 1/n)^n", 1),
        ("n^3*(exp(1/n) - 1 - 1/n - 1/(2 n^2))", 1 / 6),
        ("n^4*(cos(1/n) - 1 + 1/(2 n^2))", 1 / 24),
        ("n*(atan(n) - pi/2)", -1),
        ("√n*(Phi(1/√n) - 0.5)", 1 / math.sqrt(2 * math.pi)),
        ("n*(sigmoid(n) - 1)", 0),
        ("log(1 + exp(n)) - n", 0),
        ("if n > 10 then 1/n else n", 0),
        ("if n > 10 and 1/n < 1 then 2 else √n", 2),
        ("sin(n)/n + 2", 2),
        ("step(sin(n))/√n", 0),
        ("max(1/n, 1/√n)*√n", 1),
        ("abs(1/√n - 1/n)*√n", 1),
        ("gelu(n) - n", 0),
        ("erf(n)", 1),
    ],
)
def test_limits(text: str, limit: float) -> None:
    assert limit_of(text) == pytest.approx(limit, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        # Sixteen terms cancel: more than are expanded.
        ("n^16*(exp(1/n)*exp(-1/n)*0 + 1/(1 - 1/n) - " + " - ".join(f"1/n^{k}" for k in range(1, 16)) + " - 1)", False),
        ("exp(n)*log(1 + exp(-n) + exp(-2*n))*0 + sin(n)", True),
        ("sin(n)*n/√n", True),
    ],
)
def test_what_is_not_known_is_not_zero(text: str, known: bool) -> None:
    report = check_source(Source("text", f"scalar c = {text}\noutput c\n"))
    assert [d.code for d in report.diagnostics] == ["E501"]
    assert ("is not known" in report.diagnostics[0].message) is not known


def test_a_remainder_is_part_of_a_series() -> None:
    e = add(call("exp", power(WIDTH, Const(-1))), Const(-1))
    s = series_in_width(e)
    assert s.rest is not None and len(s.terms) == 11
    assert series_in_width(add(WIDTH, power(WIDTH, Const(-0.5)))).rest is None


SMOOTH = ("tanh", "erf", "sigmoid", "exp", "sin", "cos", "atan", "softplus", "relu", "abs", "step", "sign")


def random_expression(rng: random.Random, depth: int) -> Expr:
    kind = rng.random()
    if depth == 0:
        if kind < 0.6:
            return power(WIDTH, Const(rng.choice([-1, -0.5, -2, 0.5, 1, -0.25])))
        return Const(rng.choice([1, 2, -1, 0.5, 3, 0.1]))
    a = random_expression(rng, depth - 1)
    if kind < 0.1:
        f = rng.choice(["tanh", "exp", "sin", "atan", "erf", "sigmoid"])
        return mul(random_expression(rng, depth - 1), add(call(f, a), mul(Const(-1), call(f, Const(0)))))
    if kind < 0.4:
        return add(a, mul(Const(rng.choice([1, -1, 2])), random_expression(rng, depth - 1)))
    if kind < 0.7:
        return mul(a, random_expression(rng, depth - 1))
    if kind < 0.8:
        return power(a, Const(rng.choice([-1, 2, 3, -2])))
    return call(rng.choice(SMOOTH), a)


FUNCTIONS_OF_MPMATH = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "abs": abs,
    "step": lambda x: mpmath.mpf(x > 0),
    "tanh": lambda x: mpmath.tanh(x) if abs(x) < 1e5 else mpmath.sign(x),
    "erf": lambda x: mpmath.erf(x) if abs(x) < 1e5 else mpmath.sign(x),
}


def at_width(e: Expr, n: object) -> object:
    """The value at n in the working precision of mpmath; None where it has none, or none that fits."""
    value: dict[Expr, object] = {}
    for node in postorder(e):
        c = [value[x] for x in node.children]
        if any(x is None for x in c):
            return None
        match node:
            case Const():
                value[node] = mpmath.mpf(repr(node.value))
            case Sym():
                value[node] = n
            case Add():
                value[node] = mpmath.fsum(c)
            case Mul():
                value[node] = mpmath.fprod(c)
            case Pow():
                value[node] = None if c[0] == 0 else c[0] ** c[1]
            case Call():
                if node.fn in ("exp", "sigmoid", "softplus") and abs(c[0]) > 1e7:
                    return None
                value[node] = FUNCTIONS_OF_MPMATH.get(node.fn, getattr(mpmath, node.fn, None))(c[0])
    return value[e]


def compare_with_high_precision(seeds: range, depth: int) -> int:
    compared = 0
    for seed in seeds:
        e = random_expression(random.Random(seed), depth)
        try:
            limit = width_limit(e)
        except Diverges:
            continue
        with mpmath.workdps(400):
            values = [at_width(e, mpmath.mpf(10) ** k) for k in (12, 25, 50)]
            if any(v is None or isinstance(v, mpmath.mpc) for v in values):
                continue
            off = [abs(v - limit) for v in values]
            assert off[2] < 1e-9 * (1 + abs(limit)) or (off[2] <= off[1] and off[2] < 0.8 * off[0]), (seed, e, limit)
        compared += 1
    return compared


def test_random_expressions_in_n() -> None:
    assert compare_with_high_precision(range(50), 3) > 15


@pytest.mark.slow
def test_many_random_expressions_in_n() -> None:
    assert compare_with_high_precision(range(1000, 2500), 3) > 500
    assert compare_with_high_precision(range(3000, 3300), 4) > 80


def test_a_limit_is_the_value_at_large_n() -> None:
    """A second look with plain floats, at a size where they still resolve the difference."""
    for text in ("n*(exp(1/n) - 1)", "√(n^2 + n) - n", "√n*tanh(1/√n)"):
        program = check_source(Source("text", f"scalar c = {text}\noutput c\n")).program
        assert program is not None
        c = program.constants[0]
        assert evaluate(c.value, {WIDTH: 1e6}) == pytest.approx(c.limit, abs=1e-5)

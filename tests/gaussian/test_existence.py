"""Whether an expectation exists: zeros that are claimed, divergence that is, branches that are not taken, overflow."""

from __future__ import annotations

import math
import random

import mpmath
import numpy as np
import pytest

from netsor.expr import ONE, ZERO, Const, Expr, call, canonical, compare, cond, sqrt, sym
from netsor.gaussian import Divergent, FixedLaw, Settings, Unsettled, expect, vanishes
from netsor.gaussian.existence.integrability import integrable

X, Y, Z = sym("x"), sym("y"), sym("z")
ALL = (X, Y, Z)
STANDARD = FixedLaw(ALL, np.eye(3))
SETTINGS = Settings(1e-8, 20.0)


def mod(e: Expr) -> Expr:
    return call("abs", e)


def power(e: Expr, k: float) -> Expr:
    return e ** Const(k)


def exp(e: Expr) -> Expr:
    return call("exp", e)


def log(e: Expr) -> Expr:
    return call("log", e)


# Whether E|ψ| < ∞ for every law with a density, by hand: power counting at each place where something vanishes.
EXISTENCE = [
    (X / Y, False),
    (X / mod(X) ** 3, False),
    (X / mod(X) ** 2, False),
    (X / power(mod(X), 1.5), True),
    (X * Y / (X**2 + Y**2), True),
    (X * Y / (X**2 + Y**2) ** 2, False),
    (X * Y / power(X**2 + Y**2, 1.9), True),
    (X * Y / (1 + X**2 + Y**2), True),
    (X * Z * Y**2 / (X**2 + Y**2 + Z**2 + 0.1), True),
    (call("tanh", X) * call("tanh", Y) / (X**2 + Y**2), True),
    (X / call("tanh", Y), False),
    (power(mod(X) + mod(Y), -1.5), True),
    ((mod(X) + mod(Y)) ** -2, False),
    (power(mod(X), -0.5) * power(mod(Y), -0.5) * power(mod(X - Y), -0.5), True),
    (power(mod(X), -0.7) * power(mod(Y), -0.7) * power(mod(X - Y), -0.7), False),
    ((X - Y) ** 2 / (X**2 + Y**2), True),
    (1 / ((X - Y) ** 2 + (Y - Z) ** 2 + (X - Z) ** 2), False),
    (power((X - Y) ** 2 + (Y - Z) ** 2 + (X - Z) ** 2, -0.9), True),
    (X * exp(Y), True),
    (X * exp(-(X**2)), True),
    (X / (1 + exp(X)), True),
    (X * exp(X) / (exp(X) + exp(Y)), True),
    (log(mod(X) + mod(Y)) * Z, True),
    (cond(compare(">", X, ONE), sqrt(X - 1), Y), True),
    (cond(compare(">", X, ONE), 1 / X, Y), True),
    # These need the numbers of the law, or have no value somewhere.
    (X * exp(X**2), None),
    (X * exp(X * Y), None),
    (X * log(Y), None),
    (X * sqrt(Y), None),
]


@pytest.mark.parametrize(("e", "truth"), EXISTENCE, ids=str)
def test_existence_is_decided_from_the_expression(e, truth):
    assert integrable(canonical(e), frozenset(ALL)) is truth


@pytest.mark.parametrize("e", [X / Y, X * exp(X**2), X * exp(Y**2), X * log(Y), X * sqrt(Y), X / mod(X) ** 3], ids=str)
def test_no_zero_is_claimed_where_nothing_exists(e):
    assert vanishes(e, STANDARD) is None
    with pytest.raises(Divergent):
        expect(e, STANDARD, SETTINGS)


@pytest.mark.parametrize("e", [X * exp(X**2 / 4), X * exp(Y**2 / 4), X * exp(X * Y / 4)], ids=str)
def test_the_numbers_of_the_law_decide(e):
    r = expect(e, STANDARD, SETTINGS)
    assert abs(r.value) <= r.error <= 1e-12


def test_a_law_without_a_density_has_other_quotients():
    # x/y is 1/2 where y = 2x, and has no mean where the two are only correlated.
    assert expect(X / Y, FixedLaw((X, Y), [[1.0, 2.0], [2.0, 4.0]]), SETTINGS).value == pytest.approx(0.5, abs=1e-12)
    with pytest.raises(Divergent):
        expect(X / Y, FixedLaw((X, Y), [[1.0, 0.5], [0.5, 1.0]]), SETTINGS)


def monomial_over_a_norm(rng: random.Random) -> tuple[Expr, bool, float]:
    """(Π x_i^{a_i} |x|^{2c}, whether it is integrable, its mean), from polar coordinates."""
    d = rng.choice([1, 2, 2, 3])
    e: Expr = ONE
    powers, odd = [], False
    for s in ALL[:d]:
        if rng.random() < 0.6:
            k = rng.choice([1, 1, 2, 3])
            e, odd = e * s**k, odd or k % 2 == 1
            powers.append(float(k))
        else:
            a = rng.choice([-1.0, -0.5, -0.25, 0.5, 1.0, 1.5])
            e = e * power(mod(s), a)
            powers.append(a)
    c = rng.choice([-2.5, -2, -1.5, -1, -0.5, -0.25, 0.5])
    square = sum((s**2 for s in ALL[1:d]), X**2)
    e = e * power(square, c)
    degree = sum(powers) + 2 * c
    finite = degree > -d and (d == 1 or min(powers) > -1)
    if not finite or odd:
        return e, finite, 0.0
    truth = mpmath.power(2, degree / 2) * mpmath.gamma((d + degree) / 2) / mpmath.gamma(mpmath.mpf(d) / 2)
    if d > 1:
        # E Π |u_i|^{a_i} over the unit sphere.
        truth *= mpmath.gamma(d / 2) / mpmath.pi ** (d / 2) / mpmath.gamma((d + sum(powers)) / 2)
        truth *= mpmath.fprod(mpmath.gamma((a + 1) / 2) for a in powers)
    return e, True, float(truth)


def survey(seed: int, count: int) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        e, finite, truth = monomial_over_a_norm(rng)
        if not finite:
            with pytest.raises(Divergent):
                expect(e, STANDARD, SETTINGS)
            continue
        r = expect(e, STANDARD, SETTINGS)
        assert abs(r.value - truth) <= r.error + 1e-15 * abs(truth), (e, r.value, r.error, truth)


def test_monomials_over_norms():
    survey(11, 40)


# Under e^{−t(x² + y²)} the variables are independent, for each of the many t of Laplace's integral.
@pytest.mark.parametrize(
    "e, truth",
    [
        (power(mod(X), 1.5) * power(mod(Y), 1.5) / (X**2 + Y**2), 0.24655625993238658),
        (power(mod(X), 0.5) * Z**2 * power(mod(Y), -0.25) * power(X**2 + Y**2 + Z**2, -2.5), 0.921719040245825),
    ],
    ids=str,
)
def test_independent_under_the_law_that_laplace_changes(e, truth):
    r = expect(e, STANDARD, SETTINGS)
    assert abs(r.value - truth) <= r.error <= 1e-6
    assert r.method == "exact algebra + Laplace transform + quadrature 1-D"


@pytest.mark.slow
def test_many_monomials_over_norms():
    for seed in range(20):
        survey(100 + seed, 40)


ROOT_OF_HALF_LINE = 2**0.25 * math.gamma(0.75) / (2 * math.sqrt(math.pi))


def half_line(f) -> float:
    """∫_0^∞ f φ by mpmath."""
    with mpmath.workdps(25):
        return float(mpmath.quad(lambda t: f(t) * mpmath.npdf(t), [0, 1, 3, 8, 20]))


# What a branch that is not taken would be has no say.
BRANCHES = [
    (cond(compare(">", X, ZERO), sqrt(X), Y), ROOT_OF_HALF_LINE),
    (cond(compare(">", X, ZERO), sqrt(X) * Y**2, ZERO), ROOT_OF_HALF_LINE),
    (cond(compare(">", X, ZERO), log(X), Y**2), half_line(mpmath.log) + 0.5),
    (cond(compare(">", X, ONE), sqrt(X - 1), Z * Y), half_line(lambda t: mpmath.sqrt(t) * mpmath.exp(-t - 0.5))),
    (cond(compare(">", X, ZERO), power(X, -0.5), Y**2), math.gamma(0.25) * 2**-1.25 / math.sqrt(math.pi) + 0.5),
    (cond(compare("<", X, ZERO), Z**2, sqrt(X) * Y**2 * Z**2), 0.5 + ROOT_OF_HALF_LINE),
]


@pytest.mark.parametrize(("e", "truth"), BRANCHES, ids=str)
def test_the_branch_that_is_not_taken_needs_no_value(e, truth):
    r = expect(e, STANDARD, SETTINGS)
    assert abs(r.value - truth) <= r.error + 1e-15
    assert r.error < 1e-9


def relu(e: Expr) -> Expr:
    return call("relu", e)


# Seven digits, as they were reported together with these inputs; not computed anew here.
SUMS_OF_KINKS = [
    (sqrt(1 + mod(X) + mod(Y) + mod(Z)), 1.8205230),
    (log(1 + call("max", X, Y, Z, ZERO)), 0.5707974),
    (call("tanh", cond(compare("<=", Y, log(1 + mod(X))), Z, X)) ** 2, 0.3621159),
    (relu(Y - log(1 + relu(X))) * Z**2, 0.3015563),
    (sqrt(mod(X) + mod(Y)) * call("step", X + Y - Z), 0.6073877),
]


@pytest.mark.parametrize(("e", "truth"), SUMS_OF_KINKS, ids=str)
def test_roots_and_logarithms_of_sums_of_kinks(e, truth):
    r = expect(e, STANDARD, SETTINGS)
    assert abs(r.value - truth) <= 1e-7 + r.error
    assert r.error < 1e-6


def mean_at_scale(f, sd: float, cuts: tuple[float, ...]) -> float:
    """E f(sd z) by mpmath, in pieces."""
    with mpmath.workdps(30):
        whole = [-12 * sd, *cuts, 12 * sd]
        return float(mpmath.quad(lambda t: f(t) * mpmath.npdf(t, 0, sd), whole))


AROUND_ZERO = (-400.0, -100.0, -30.0, -8.0, 0.0, math.log(math.e - 1), 8.0, 30.0, 100.0, 400.0)
OVERFLOW = [
    (log(1 + exp(X)), lambda t: mpmath.log1p(mpmath.exp(t))),
    (exp(X) / (1 + exp(X)), lambda t: mpmath.exp(t) / (1 + mpmath.exp(t))),
    (call("tanh", log(1 + exp(X))), lambda t: mpmath.tanh(mpmath.log1p(mpmath.exp(t)))),
    (sqrt(1 + exp(X)) / (2 + exp(X / 2)), lambda t: mpmath.sqrt(1 + mpmath.exp(t)) / (2 + mpmath.exp(t / 2))),
    (log(exp(X) + exp(-X)), lambda t: mpmath.log(2 * mpmath.cosh(t))),
    (relu(log(1 + exp(X)) - 1), lambda t: max(mpmath.log1p(mpmath.exp(t)) - 1, 0)),
]


@pytest.mark.parametrize(("e", "f"), OVERFLOW, ids=lambda x: str(x) if isinstance(x, Expr) else "")
def test_overflow_on_the_way_is_no_divergence(e, f):
    law = FixedLaw((X, Y), [[10_000.0, 0.0], [0.0, 1.0]])
    truth = mean_at_scale(f, 100.0, AROUND_ZERO)
    r = expect(e, law, SETTINGS)
    assert abs(r.value - truth) <= r.error + 1e-14 * abs(truth)
    both = expect(e * call("tanh", Y + 1) ** 2 * Y**2, law, SETTINGS)
    side = expect(call("tanh", Y + 1) ** 2 * Y**2, law, SETTINGS)
    assert both.value == pytest.approx(truth * side.value, rel=1e-10)


def test_a_sum_of_exponentials_below_another():
    # E sigmoid(x − y) = 1/2.
    r = expect(exp(X) / (exp(X) + exp(Y)), FixedLaw((X, Y), [[10_000.0, 0.0], [0.0, 1.0]]), SETTINGS)
    assert abs(r.value - 0.5) <= r.error <= 1e-8


def test_what_is_out_of_range_is_not_said_to_diverge():
    with pytest.raises(Unsettled, match=r"exp\(5000\)"):
        expect(exp(100 * X), STANDARD, SETTINGS)


def test_what_dies_away_before_a_singular_place_is_no_singularity():
    # Given y the expectation over x of |x|^{1.5} e^{−x²y²} is below E |x|^{1.5}; a large y hides the root at 0.
    law = FixedLaw((X, Y), [[250_000.0, 250_000.0], [250_000.0, 1_250_000.0]])
    r = expect(power(mod(X + 50), 1.5) * exp(-(((X + 50) * (Y + 7)) ** 2)), law, SETTINGS)
    assert r.error <= 1e-6 * r.value


def test_wide_numbers_agree_with_mpmath():
    from netsor.gaussian.arithmetic.extended_range import values

    e = canonical(log(2 + exp(X) * exp(X) + power(exp(X), 1.5)) / (1 + mod(X)) + call("silu", X) * call("Phi", -X))
    at = np.array([-900.0, -40.0, -1.0, 0.0, 0.5, 30.0, 700.0, 4000.0])
    got = values(e, {X: at}, len(at)).floats()
    with mpmath.workdps(40):
        for t, v in zip(at.tolist(), got.tolist()):
            x = mpmath.mpf(t)
            truth = mpmath.log(2 + mpmath.exp(2 * x) + mpmath.exp(x * 1.5)) / (1 + abs(x))
            truth += x / (1 + mpmath.exp(-x)) * mpmath.ncdf(-x)
            assert v == pytest.approx(float(truth), rel=1e-12)

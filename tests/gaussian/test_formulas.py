"""Pairs with a formula in their covariances: values, slopes and bounds against integrals at 20 digits."""

from __future__ import annotations

import random
from collections.abc import Callable

import mpmath
import pytest

from netsor.expr import Expr, Sym, call, sym
from netsor.gaussian import FixedLaw, expect

U, V = sym("u"), sym("v")
Real = mpmath.mpf
# g and (c, s) ↦ E g(c + s z).
FUNCTIONS: dict[str, tuple[Callable[[Sym], Expr], Callable[[Real], Real], Callable[[Real, Real], Real]]] = {
    "relu": (
        lambda x: call("relu", x),
        lambda x: max(x, Real(0)),
        lambda c, s: c * mpmath.ncdf(c / s) + s * mpmath.npdf(c / s),
    ),
    "step": (lambda x: call("step", x), lambda x: Real(x > 0), lambda c, s: mpmath.ncdf(c / s)),
    "abs": (
        lambda x: call("abs", x), abs, lambda c, s: c * (2 * mpmath.ncdf(c / s) - 1) + 2 * s * mpmath.npdf(c / s)
    ),
    "erf": (
        lambda x: call("erf", 1.25 * x),
        lambda x: mpmath.erf(1.25 * x),
        lambda c, s: mpmath.erf(1.25 * c / mpmath.sqrt(1 + 3.125 * s * s)),
    ),
}  # fmt: skip
PAIRS = [("relu", "relu"), ("step", "step"), ("relu", "step"), ("step", "abs"), ("abs", "relu"), ("erf", "erf")]


def truth(names: tuple[str, str], a: Real, b: Real, c: Real) -> Real:
    """∫ f(√a x) E g(c x/√a + √(b − c²/a) z) φ(x) dx."""
    (_, f, _), (_, _, g) = (FUNCTIONS[n] for n in names)
    u, s = mpmath.sqrt(a), mpmath.sqrt(b - c * c / a)
    steep = min(1.0, float(s * u / abs(c)), 1 / float(u))
    ends = sorted({sign * w for sign in (-1, 1) for w in (0, 2 * steep, 8 * steep, 2, 5, 12) if w <= 12})
    return mpmath.quad(lambda x: f(u * x) * g(c * x / u, s) * mpmath.npdf(x), ends)


@pytest.mark.parametrize("names", PAIRS)
def test_pairs_answer_to_errors_as_their_bounds_say(names: tuple[str, str]) -> None:
    rng = random.Random(str(names))
    (f, _, _), (g, _, _) = (FUNCTIONS[n] for n in names)
    with mpmath.workdps(20):
        for size, doubt in ((1e-3, 1e-7), (30.0, 3e-4)):
            a, b = size * rng.uniform(0.3, 2), rng.uniform(0.3, 2)
            c = rng.choice((-1, 1)) * rng.uniform(0.1, 0.95) * (a * b) ** 0.5
            errors = [[doubt * a, doubt * (a * b) ** 0.5], [doubt * (a * b) ** 0.5, doubt * b]]
            found = expect(f(U) * g(V), FixedLaw([U, V], [[a, c], [c, b]], errors))
            plain = expect(f(U) * g(V), FixedLaw([U, V], [[a, c], [c, b]]))
            assert found.method == plain.method == "closed form"
            value = truth(names, Real(a), Real(b), Real(c))
            assert abs(plain.value - value) <= plain.error <= 1e-14 * (1 + abs(found.value))
            assert abs(found.value - value) <= found.parts[0].own
            by = [rng.choice((-1, 1)) * e for e in (errors[0][0], errors[1][1], errors[0][1])]
            moved = truth(names, *(Real(x) + Real(d) for x, d in zip((a, b, c), by)))
            slopes = found.parts[0].slopes
            pair = (U, V) if (U, V) in slopes else (V, U)
            first = sum(slopes[k] * d for k, d in zip(((U, U), (V, V), pair), by))
            assert abs(moved - found.value - first) <= found.parts[0].own
            assert abs(moved - found.value) <= found.error
            # Beyond first order there is little more than there has to be.
            assert found.parts[0].own <= 200 * doubt**2 * found.scale + 1e-14 * (1 + found.scale)


@pytest.mark.parametrize(
    ("f", "constant", "degree"),
    [
        (call("relu", U) ** 2, 0.5, 2), (call("relu", U) ** 3, (2 / mpmath.pi) ** 0.5, 3),
        (call("abs", U), (2 / mpmath.pi) ** 0.5, 1), (call("step", U), 0.5, 0),
        (call("relu", U) * call("step", U), (2 * mpmath.pi) ** -0.5, 1),
    ],
)  # fmt: skip
def test_homogeneous_functions_of_one_variable(f: Expr, constant: float, degree: int) -> None:
    """E f(σz) = σᵏ E f(z)."""
    for a in (1e-40, 0.3, 1e40):
        found = expect(f, FixedLaw([U], [[a]], [[1e-6 * a]]))
        plain = expect(f, FixedLaw([U], [[a]]))
        assert abs(plain.value - constant * Real(a) ** (degree / 2)) <= plain.error <= 3e-15 * plain.value
        assert found.error <= 1.01e-6 * degree * found.value + plain.error
        for moved in (a * (1 - 1e-6), a * (1 + 1e-6)):
            assert abs(found.value - constant * Real(moved) ** (degree / 2)) <= found.error


def test_erf_of_one_variable() -> None:
    """E erf(u) erf(2u) = (2/π) asin(4a/√((1 + 2a)(1 + 8a))) (Williams 1997)."""
    for a in (1e-3, 1.0, 40.0):
        found = expect(call("erf", U) * call("erf", 2 * U), FixedLaw([U], [[a]], [[1e-7 * a]]))
        with mpmath.workdps(30):
            for moved in (a * (1 - 1e-7), a, a * (1 + 1e-7)):
                x = 4 * Real(moved) / mpmath.sqrt((1 + 2 * Real(moved)) * (1 + 8 * Real(moved)))
                assert abs(found.value - 2 / mpmath.pi * mpmath.asin(x)) <= found.error <= 1e-7


def test_next_to_a_degenerate_law_others_are_asked() -> None:
    """There the covariances do not tell the angle."""
    found = expect(call("step", U) * call("step", V), FixedLaw([U, V], [[1, 1 - 1e-9], [1 - 1e-9, 1]]))
    assert found.method != "closed form"
    assert abs(found.value - (0.25 + mpmath.asin(1 - 1e-9) / (2 * mpmath.pi))) <= found.error

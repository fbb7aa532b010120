"""Pairs of smooth functions, in as many Gaussians as there are, by Mehler's series."""

import random

import mpmath
import pytest

from netsor.expr import call, sym
from netsor.gaussian import FixedLaw, expect

U, V, B = sym("u"), sym("v"), sym("b")


def sines(a: float, b: float, c: float) -> mpmath.mpf:
    """E sin u sin v = e^{−(a+b)/2} sinh c."""
    a, b, c = map(mpmath.mpf, (a, b, c))
    return mpmath.exp(-(a + b) / 2) * mpmath.sinh(c)


def normals(a: float, b: float, c: float) -> mpmath.mpf:
    """E Φ(u) Φ(v) = ¼ + asin(c/√((1 + a)(1 + b)))/2π (Sheppard 1899)."""
    a, b, c = map(mpmath.mpf, (a, b, c))
    return mpmath.mpf(1) / 4 + mpmath.asin(c / mpmath.sqrt((1 + a) * (1 + b))) / (2 * mpmath.pi)


def law(a: float, b: float, c: float, errors: tuple[float, float, float] | None = None) -> FixedLaw:
    e = None if errors is None else [[errors[0], errors[2]], [errors[2], errors[1]]]
    return FixedLaw([U, V], [[a, c], [c, b]], e)


@pytest.mark.parametrize(("name", "truth"), [("sin", sines), ("Phi", normals)])
def test_values_and_slopes_hold_their_bounds(name, truth):
    rng = random.Random(3)
    used = 0
    with mpmath.workdps(30):
        for _ in range(25):
            a, b = (10 ** rng.uniform(-2, 1) for _ in range(2))
            rho = rng.choice((rng.uniform(-1, 1), 1 - 10 ** rng.uniform(-7, -1), 10 ** rng.uniform(-6, -1) - 1))
            c = rho * (a * b) ** 0.5
            plain = expect(call(name, U) * call(name, V), law(a, b, c))
            assert abs(plain.value - truth(a, b, c)) <= plain.error <= 1e-12 * plain.scale
            used += plain.method == "Mehler's series"
            errors = (1e-5 * a, 1e-5 * b, 1e-5 * (1 - abs(rho)) * (a * b) ** 0.5)
            found = expect(call(name, U) * call(name, V), law(a, b, c, errors))
            da, db, dc = (rng.choice((-1, 1)) * e for e in errors)
            assert abs(truth(a + da, b + db, c + dc) - found.value) <= found.error
            assert found.error <= 3e-5 * max(1.0, a, b) * found.scale + plain.error
    assert used >= 15


def test_a_shared_bias_leaves_a_pair():
    """Φ(u + b) Φ(2v − b) depends on two forms of three Gaussians, and errors of the three are carried to it."""
    covariance = [[1.0, 0.3, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 0.2]]
    found = expect(call("Phi", U + B) * call("Phi", 2 * V - B), FixedLaw([U, V, B], covariance))
    with mpmath.workdps(30):
        value = normals(1.2, 3.0, 0.4)
    assert found.method == "Mehler's series"
    assert abs(found.value - value) <= found.error <= 1e-14
    delta = [[0.0, 1e-6, 0.0], [1e-6, 0.0, 0.0], [0.0, 0.0, 1e-6]]
    moved = expect(call("Phi", U + B) * call("Phi", 2 * V - B), FixedLaw([U, V, B], covariance, delta))
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        with mpmath.workdps(30):
            there = normals(1.2 + x * 1e-6, 3.0 + x * 1e-6, 0.4 + (2 * y - x) * 1e-6)
        assert abs(there - moved.value) <= moved.error <= 1e-6


def test_nothing_is_claimed_where_functions_turn_too_steeply():
    steep = call("tanh", 3000 * U) * call("tanh", 3000 * V)
    found = expect(steep, law(1.0, 1.0, 0.5))
    # Nearly E sign u sign v = 1/3; each side differs from the sign by about ln 2/3000 in the mean square root.
    assert abs(found.value - 1 / 3) <= 1e-3 + found.error
    assert found.method != "Mehler's series"

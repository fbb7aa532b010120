"""Wells, ridges and edges of functions of curved arguments, at every depth of composition, however narrow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from netsor.expr import Const, Expr, call, compare, cond, substitute, sym
from netsor.expr.intervals import infer_range
from netsor.gaussian import FixedLaw, expect
from tests.gaussian.compositions import composition
from tests.gaussian.truths import NODES, WEIGHTS

Array = np.ndarray
X, Y = sym("x"), sym("y")
HALF = FixedLaw([X, Y], np.eye(2) / 2)


def normal(mean: float, deviation: float, e: Expr) -> tuple[Expr, FixedLaw]:
    """The same expectation over a standard normal."""
    return substitute(e, {X: mean + deviation * X}), FixedLaw([X], [[1.0]])


def panels(edges: Array) -> tuple[Array, Array]:
    """Nodes and weights of panels with these ends."""
    ends = np.unique(edges)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half + half * NODES).ravel(), (half * WEIGHTS).ravel()


def brute(g: Callable[[Array], Array], mean: float, deviation: float, places: list[float]) -> tuple[float, float]:
    """(E g, E |g|) of one normal variable: panels that close in on the places where g turns, from 2⁴ to 2⁻⁴⁶."""
    steps = 2.0 ** -np.arange(-4, 46, 0.125)
    at = [(p - mean) / deviation for p in places]
    edges = np.concatenate([np.linspace(-26, 26, 209), *(np.array([p, *(p - steps), *(p + steps)]) for p in at)])
    x, w = panels(edges[np.abs(edges) <= 26])
    with np.errstate(all="ignore"):
        v = g(mean + deviation * x) * w * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return math.fsum(v), float(np.abs(v).sum())


def held(e: Expr, law: FixedLaw, truth: float, within: float = 1e-10) -> None:
    found = expect(e, law)
    assert abs(found.value - truth) <= found.error + 4e-15 * found.scale, (found.value, truth, found.error)
    assert found.error <= within * found.scale, found


TANH, ERF = (lambda e: call("tanh", e)), (lambda e: call("erf", e))


@pytest.mark.parametrize(
    ("e", "mean", "deviation", "truth"),
    [
        # mpmath at 30 digits; erf(x²) falls short of 1 by the density at 0 times ∫ erfc(t²) dt, nearly.
        (ERF(X**2), 50, 100, 0.99513191564692638),
        (TANH(X * X), 50, 1000, 0.9993958571027875),
        (TANH(TANH(X * X)), -100, 100, 0.7590993259398961),
        (TANH(X**2) * X**2, 50, 100, 12499.998311954106),
        (TANH(100000 * (X - 0.37) ** 2), 0, 1, 0.9982136993322507),
        (call("exp", -1e8 * (TANH(X) - 0.123) ** 2), 0, 1, 7.125033476299105e-05),
    ],
)
def test_wells_of_compositions(e: Expr, mean: float, deviation: float, truth: float) -> None:
    held(*normal(mean, deviation, e), truth)


@pytest.mark.parametrize(("name", "g"), [("silu", special.expit), ("gelu", special.ndtr)])
def test_what_turns_beside_a_kink(name: str, g: Callable[[Array], Array]) -> None:
    deviation = math.sqrt(2e8)
    truth, _ = brute(lambda x: np.abs(x) * g(np.abs(x)), 0, deviation, [0])
    held(*normal(0, deviation, call(name, call("abs", X))), truth)


@pytest.mark.parametrize("seed", range(60))
def test_random_compositions(seed: int) -> None:
    _composition(seed)


@pytest.mark.slow
def test_many_random_compositions() -> None:
    for seed in range(100, 3000):
        _composition(seed)


def _composition(seed: int) -> None:
    e, g, places, mean, deviation = composition(X, seed)
    truth, size = brute(g, mean, deviation, places)
    if abs(truth) < 1e-60:
        return
    found = expect(*normal(mean, deviation, e))
    assert abs(found.value - truth) <= found.error + 4e-15 * size, (str(e), mean, deviation, found, truth)
    # What is little beside the tolerance may be missed, if that is said.
    assert found.error <= 1e-6 * found.scale or not found.converged, (str(e), mean, deviation, found)


@pytest.mark.parametrize(
    ("e", "truth"),
    [
        (TANH(1e6 * (X**2 + 1)), 1.0),
        (call("sigmoid", 1e4 * (X**2 + 1)), 1.0),
        (call("sin", 1 + X) ** 2 + 5, None),
    ],
)
def test_no_expectation_is_beyond_the_range(e: Expr, truth: float | None) -> None:
    found = expect(e, FixedLaw([X], [[1.0]]))
    low, high = infer_range(e, {})
    assert low <= found.value <= high
    assert truth is None or found.value == truth


@pytest.mark.parametrize(("name", "g"), [("tanh", np.tanh), ("erf", special.erf)])
@pytest.mark.parametrize("variance", [1e2, 1e4, 1e8])
def test_wells_of_a_sum_of_squares(name: str, g: Callable[[Array], Array], variance: float) -> None:
    # (x² + y²)/variance is twice an exponential variable.
    s, w = panels(np.array([0, *2.0 ** -np.arange(-7, 60, 0.25)]))
    truth = math.fsum(0.5 * w * np.exp(-s / 2) * g(variance * s))
    held(call(name, X**2 + Y**2), FixedLaw([X, Y], variance * np.eye(2)), truth)


def test_a_smooth_kink_of_a_product() -> None:
    # xy/10³ has the density K₀(|t|)/π; gelu(u) = u/2 + |u| (2Φ(|u|) − 1)/2.
    t, w = panels(np.array([0, *2.0 ** -np.arange(-5, 50, 0.25)]))
    u = 1e3 * t
    truth = math.fsum(w * special.k0(t) / math.pi * u * (2 * special.ndtr(u) - 1))
    held(call("gelu", X * Y), FixedLaw([X, Y], 1e3 * np.eye(2)), truth)


def _jump(height: float, low: float, at: float) -> Expr:
    return cond(compare(">", X + Y, Const(at)), Const(height), Const(low))


@pytest.mark.parametrize("steep", [100.0, 500.0, 3000.0])
@pytest.mark.parametrize(
    ("centre", "of", "kinks"),
    [
        (call("sign", X + Y), np.sign, [0.0]),
        (call("step", X + Y), lambda t: (t > 0) * 1.0, [0.0]),
        (_jump(1.0, -1.0, 1.0), lambda t: np.where(t > 1, 1.0, -1.0), [1.0]),
        (call("step", X + Y) + (X + Y), lambda t: (t > 0) + t, [0.0, -1.0]),
        (call("abs", X + Y), np.abs, [0.0]),
    ],
)
def test_ridges_that_jump(steep: float, centre: Expr, of: Callable[[Array], Array], kinks: list[float]) -> None:
    # u − v is independent of t = u + v: given t it is E exp(−K² (z − h)²) of a standard normal z.
    steps = 2.0 ** -np.arange(0, 40, 0.5)
    edges = np.concatenate([np.linspace(-10, 10, 81), *(np.array([k, *(k - steps), *(k + steps)]) for k in kinks)])
    t, w = panels(edges)
    part = 1 + 2 * steep**2
    given = np.exp(-((steep * of(t)) ** 2) / part) / math.sqrt(part)
    truth = math.fsum(w * given * np.exp(-0.5 * t * t)) / math.sqrt(2 * math.pi)
    held(call("exp", -((steep * ((X - Y) - centre)) ** 2)), HALF, truth, 1e-9)


@pytest.mark.parametrize(
    ("curve", "of"),
    [(call("sin", 2 * Y), lambda y: np.sin(2 * y)), (Y**3, lambda y: y**3), (Y**2, lambda y: y**2)],
)
def test_ridges_along_curves(curve: Expr, of: Callable[[Array], Array]) -> None:
    # 1 − ∫ erfc(10⁴ t²) E φ(c(y) + t) dt
    t, w = panels(np.linspace(-1, 1, 25) ** 3 * 0.06)
    y, v = panels(np.linspace(-9, 9, 361))
    v = v * np.exp(-0.5 * y * y) / (2 * math.pi)
    given = np.array([float(v @ np.exp(-0.5 * (of(y) + s) ** 2)) for s in t])
    truth = 1 - math.fsum(w * special.erfc(1e4 * t * t) * given)
    held(ERF(10000 * (X - curve) ** 2), FixedLaw([X, Y], np.eye(2)), truth, 1e-9)

"""Coordinates of a finite run compared with their law in the limit: part 1 of Theorem B.4, a histogram, quantiles.

The functions take arrays and do not depend on how these were computed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.averages import mean, standard_error
from netsor.diagnostics import NetsorError
from netsor.expr import FUNCTIONS, Call, Expr, mul, postorder, power, substitute, sym
from netsor.expr import Const as C
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute, cos, relu, sin
from netsor.gaussian import Estimate, Settings
from netsor.limit.law import CoordinateLaw
from netsor.limit.missing import MISSING, method_without_value

Array = np.ndarray
_X, _Y = sym("x"), sym("y")
# Enough accuracy, because the sampling error of any run at finite width is far larger, and quick to reach.
ENOUGH = Settings(tol=1e-4, budget=1.0)


def _single() -> dict[str, Expr]:
    return {
        "x": _X,
        "x²": power(_X, C(2)),
        "x³": power(_X, C(3)),
        "x⁴": power(_X, C(4)),
        "|x|": absolute(_X),
        "relu(x)": relu(_X),
        "sin(x)": sin(_X),
        "cos(2x)": cos(mul(C(2), _X)),
    }


def _double() -> dict[str, Expr]:
    return {
        "x y": mul(_X, _Y),
        "x² y": mul(power(_X, C(2)), _Y),
        "x² y²": mul(power(_X, C(2)), power(_Y, C(2))),
        "|x − y|": absolute(_X - _Y),
        "sin(x) y": mul(sin(_X), _Y),
    }


@dataclass(frozen=True)
class Compared:
    """(1/n) Σ ψ(x_α) at width n compared with E ψ(Z^x).

    `stderr` is that of the mean over independent draws, because the coordinates of one draw share scalars and matrices
    and their own spread would be too small. `distance` counts standard errors to the nearest limit that a bias allows;
    it is None where there is no limit to compare with (`missing` says why), and where the draws are too few or too
    skewed for a standard error to mean anything.
    """

    test: str
    vectors: tuple[str, ...]
    limit: float | None
    error: float | None
    finite: float
    stderr: float | None
    distance: float | None
    missing: str = ""


@dataclass(frozen=True)
class Agreement:
    """The largest distance in standard errors, the allowed one, and whether it `holds` (None if there is no test)."""

    largest: float | None
    allowed: float | None
    holds: bool | None
    tests: int


def compare(
    law: CoordinateLaw,
    runs: Sequence[Mapping[str, Array]],
    narrower: Sequence[Mapping[str, Array]] = (),
    ratios: Sequence[float] = (0.25,),
) -> list[Compared]:
    """Averages over coordinates of pseudo-Lipschitz test functions of the vectors, compared with the limit (Eq. 66).

    `runs` holds one mapping from names to coordinates for each draw at width n, and `narrower` the same at a smaller
    width; a bias at n is one of `ratios` times the bias at the smaller width.
    """
    out = []
    draws = law.draw(_SKEWED_BY)
    for x in law.names:
        out += [_compare(law, runs, narrower, ratios, draws, name, psi, (x,)) for name, psi in _single().items()]
    for k, x in enumerate(law.names):
        for y in law.names[k + 1 :]:
            out += [_compare(law, runs, narrower, ratios, draws, name, psi, (x, y)) for name, psi in _double().items()]
    return out


def is_breaking(psi: Expr) -> bool:
    """Whether a test function has a kink."""
    return any(isinstance(node, Call) and FUNCTIONS[node.fn].breaks for node in postorder(psi))


def agreement(compared: Sequence[Compared], draws: int, level: float = 1e-3) -> Agreement:
    """The verdict of all tests together, which rejects a correct law with probability `level` (t-tests, Bonferroni)."""
    from scipy.special import stdtrit

    found = [c.distance for c in compared if c.distance is not None]
    if not found:
        return Agreement(None, None, None, 0)
    most = float(stdtrit(draws - 1, 1 - level / (2 * len(found))))
    return Agreement(max(found), most, max(found) <= most, len(found))


def _compare(
    law: CoordinateLaw,
    runs: Sequence[Mapping[str, Array]],
    narrower: Sequence[Mapping[str, Array]],
    ratios: Sequence[float],
    draws: Mapping[str, Array],
    name: str,
    psi: Expr,
    of: tuple[str, ...],
) -> Compared:
    slots = (_X, _Y)[: len(of)]
    f: Callable[..., tuple[Any, ...]] = lambdify((psi,), slots)

    def means(found: Sequence[Mapping[str, Array]]) -> Array:
        return np.array([float(np.mean(np.asarray(f(*(r[v] for v in of))[0], float))) for r in found])

    with np.errstate(all="ignore"):
        here, there = means(runs), means(narrower)
        limit, missing = _limit(law, f, name, psi, of)
        several = len(here) > 1 and bool(np.all(np.isfinite(here)))
        stderr = _stderr(here) if several else None
        distance = None
        if limit is not None and several and len(there) > 1 and len(there) == len(here):
            count = sum(len(r[of[0]]) for r in runs)
            values = np.asarray(f(*(draws[v] for v in of))[0], float)
            if _is_gaussian_mean(values, count) and _skew(here) < _SKEW and _skew(there) < _SKEW:
                distance = _distance(here, there, ratios, limit)
    value, error = (None, None) if limit is None else (limit.value, limit.error)
    return Compared(name, of, value, error, float(mean(here)), stderr, distance, missing)


def _limit(law: CoordinateLaw, f: Any, name: str, psi: Expr, of: tuple[str, ...]) -> tuple[Estimate | None, str]:
    """E ψ(Z^x); or None and the reason, where it does not exist or was not computed, and then there is no test."""
    slots = (_X, _Y)[: len(of)]
    integrand = substitute(psi, {s: law.z(v) for s, v in zip(slots, of, strict=True)})
    rough = is_breaking(psi) and sum(map(law.limit.is_gaussian, integrand.free)) > 2
    try:
        # A quadrature with kinks in more than two variables takes seconds, for digits that no run can resolve.
        if rough:
            return law.average(lambda *v: f(*v)[0], of), ""
        return law.expectation(integrand, f"E {name}", of[0], ENOUGH), ""
    except NetsorError as fault:
        return None, MISSING[method_without_value(fault)]


# An axis reaches no farther, and is no shorter as a share of the numbers that stand on it.
_MOST, _LEAST = 8e307, 1e-9
# How many draws of the limit are taken to measure the skewness of a test function.
_SKEWED_BY = 20_000
# In the tail where verdicts are made (t = 4.5 standard errors), skewness γ changes the tail probabilities of a mean of
# N numbers by the factor exp(t³ γ / 6 √N) (Cramér). With γ at most this share of √N, the factor is at most two.
_SHARE = 0.047
# Skewness of the means of the draws that Gaussian means exceed in one of ten thousand cases.
_SKEW = 1.7


def _is_gaussian_mean(values: Array, count: int) -> bool:
    """Whether the mean of so many numbers like these is Gaussian to the accuracy that a verdict needs."""
    return _skew(values) <= _SHARE * np.sqrt(count)


def _skew(values: Array) -> float:
    """The absolute third moment of the standardised numbers; 0 for constants."""
    left = values - values.mean()
    deviation = np.sqrt(np.mean(left**2))
    if not deviation > 1e-13 * np.max(np.abs(values), initial=0.0):
        return 0.0 if np.isfinite(deviation) else np.inf
    return float(abs(np.mean((left / deviation) ** 3)))


def _stderr(means: Array) -> float:
    return float(standard_error(means))


def _distance(here: Array, there: Array, ratios: Sequence[float], limit: Estimate) -> float:
    """The distance of the limit, in standard errors, from the values at n = ∞ that the means at two widths allow.

    With a bias that falls by the factor ρ from one width to the other, such a value is (m_n − ρ m) / (1 − ρ). A bias
    may fall at any rate between, so that the limit may also lie between two of these values.
    """
    gaps: list[tuple[float, float]] = []
    for rho in (0.0, *ratios):
        value = (float(mean(here)) - rho * float(mean(there))) / (1 - rho)
        spread = float(np.hypot(_stderr(here), rho * _stderr(there))) / (1 - rho)
        rounding = 1e-12 * (1 + abs(limit.value))
        gaps.append((float(value - limit.value), float(np.hypot(spread, limit.error)) + rounding))
    if len({gap > 0 for gap, _ in gaps}) > 1:
        return 0.0
    return min(abs(gap) / scale for gap, scale in gaps)


@dataclass(frozen=True)
class Quantiles:
    """A Q–Q plot: quantiles of the limit and of the coordinates at the same probabilities."""

    probabilities: Array
    limit: Array
    finite: Array


def quantile_pairs(draws: Array, coordinates: Array, count: int = 99) -> Quantiles:
    """`count` evenly spaced quantiles of both."""
    p = (np.arange(count) + 0.5) / count
    return Quantiles(p, np.quantile(draws, p), np.quantile(coordinates, p))


@dataclass(frozen=True)
class Histogram:
    """Shares of coordinates and of draws from the limit in the same bins."""

    edges: Array
    finite: Array
    limit: Array


def resolved(low: float, high: float) -> tuple[float, float]:
    """The interval as floats can divide it: neither longer than they reach, nor shorter than they tell apart."""
    low, high = (min(max(x, -_MOST), _MOST) for x in (low, high))
    least = max(_LEAST * max(abs(low), abs(high)), sys.float_info.min / _LEAST)
    return (low, high) if high - low > least else (low - least, high + least)


def histogram(draws: Array, coordinates: Array, bins: int = 24) -> Histogram:
    """Bins over the middle 99.8 % of the limit; values outside count in the outermost bins."""
    low, high = map(float, np.quantile(draws, [0.001, 0.999]))
    # Where all draws are equal the bins surround their value.
    low, high = resolved(low, high) if high > low else resolved(low - 0.5, high + 0.5)
    edges = np.linspace(low, high, bins + 1)

    def shares(v: Array) -> Array:
        return np.histogram(np.clip(v, low, high), edges)[0] / len(v)

    return Histogram(edges, shares(coordinates), shares(draws))

"""Coordinates of a finite run against their law in the limit: part 1 of Theorem B.4, a histogram, quantiles.

Takes arrays, and knows nothing of how they were run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.diagnostics import NetsorError
from netsor.expr import FUNCTIONS, Call, Expr, call, mul, postorder, power, substitute, sym
from netsor.expr import Const as C
from netsor.expr.arrays import lambdify
from netsor.gaussian import Settings
from netsor.limit.law import CoordinateLaw

Array = np.ndarray
_X, _Y = sym("x"), sym("y")
# Far below what any run at finite width can tell, and quick.
ENOUGH = Settings(tol=1e-4, budget=1.0)


def _single() -> dict[str, Expr]:
    return {
        "x": _X,
        "x²": power(_X, C(2)),
        "x³": power(_X, C(3)),
        "x⁴": power(_X, C(4)),
        "|x|": call("abs", _X),
        "relu(x)": call("relu", _X),
        "sin(x)": call("sin", _X),
        "cos(2x)": call("cos", mul(C(2), _X)),
    }


def _double() -> dict[str, Expr]:
    return {
        "x y": mul(_X, _Y),
        "x² y": mul(power(_X, C(2)), _Y),
        "x² y²": mul(power(_X, C(2)), power(_Y, C(2))),
        "|x − y|": call("abs", _X - _Y),
        "sin(x) y": mul(call("sin", _X), _Y),
    }


@dataclass(frozen=True)
class Compared:
    """(1/n) Σ ψ(x_α) at width n against E ψ(Z^x); `stderr` the larger of that over seeds and over coordinates."""

    test: str
    vectors: tuple[str, ...]
    limit: float | None
    error: float | None
    finite: float
    stderr: float

    @property
    def sigmas(self) -> float | None:
        """How many standard errors lie between the two; None where the limit does not exist."""
        if self.limit is None or self.error is None:
            return None
        scale = float(np.hypot(self.stderr, self.error))
        gap = abs(self.finite - self.limit)
        return gap / scale if scale > 0 else 0.0 if gap <= 1e-12 * (1 + abs(self.limit)) else float("inf")


def compare(law: CoordinateLaw, runs: Sequence[Mapping[str, Array]]) -> list[Compared]:
    """Pseudo-Lipschitz test functions of the law's vectors, averaged over coordinates, against the limit (Eq. 66).

    `runs` holds one mapping from names to coordinates for each seed.
    """
    out = []
    for x in law.names:
        out += [_compare(law, runs, name, psi, (x,)) for name, psi in _single().items()]
    for k, x in enumerate(law.names):
        for y in law.names[k + 1 :]:
            out += [_compare(law, runs, name, psi, (x, y)) for name, psi in _double().items()]
    return out


def is_breaking(psi: Expr) -> bool:
    """Whether a test function has a kink."""
    return any(isinstance(node, Call) and FUNCTIONS[node.fn].breaks for node in postorder(psi))


def agreement(compared: Sequence[Compared], level: float = 1e-3) -> tuple[float, float, bool]:
    """(largest distance in standard errors, what it may be, whether it is no more).

    All tests together reject at `level` where the law is right (Bonferroni), bias of order 1/n aside.
    """
    from scipy.special import ndtri

    found = [c.sigmas for c in compared if c.sigmas is not None]
    most = -float(ndtri(level / (2 * max(1, len(found)))))
    worst = max(found, default=0.0)
    return worst, most, worst <= most


def _compare(
    law: CoordinateLaw, runs: Sequence[Mapping[str, Array]], name: str, psi: Expr, of: tuple[str, ...]
) -> Compared:
    slots = (_X, _Y)[: len(of)]
    f: Callable[..., tuple[Any, ...]] = lambdify((psi,), slots)
    values = [np.asarray(f(*(run[v] for v in of))[0], float) for run in runs]
    means = np.array([v.mean() for v in values])
    # What independent coordinates would give; few seeds, whose own spread is poorly known, are trusted no further.
    stderr = float(np.sqrt(np.mean([v.var() for v in values]) / sum(map(len, values))))
    if len(means) > 1:
        stderr = max(stderr, float(means.std(ddof=1) / np.sqrt(len(means))))
    z = {s: law.z(v) for s, v in zip(slots, of, strict=True)}
    integrand = substitute(psi, z)
    rough = is_breaking(psi) and sum(map(law.limit.is_gaussian, integrand.free)) > 2
    limit: float | None = None
    error: float | None = None
    try:
        # Kinks in three variables and more take a quadrature seconds, for digits that no run can tell.
        e = law.average(lambda *v: f(*v)[0], of) if rough else law.expectation(integrand, f"E {name}", of[0], ENOUGH)
        limit, error = e.value, e.error
    except NetsorError:
        # A moment that does not exist is no test.
        pass
    return Compared(name, of, limit, error, float(means.mean()), stderr)


@dataclass(frozen=True)
class Quantiles:
    """A Q–Q picture: quantiles of the limit and of the coordinates at the same probabilities."""

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


def histogram(draws: Array, coordinates: Array, bins: int = 24) -> Histogram:
    """Bins over the middle 99.8 % of the limit; what lies outside counts to the outermost."""
    low, high = np.quantile(draws, [0.001, 0.999])
    if not high > low:
        # A constant: a bin around it.
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)

    def shares(v: Array) -> Array:
        return np.histogram(np.clip(v, low, high), edges)[0] / len(v)

    return Histogram(edges, shares(coordinates), shares(draws))

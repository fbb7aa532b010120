"""E f(u) g(v) for positively homogeneous f and g: functions of the angle of u and v (Cho & Saul 2009).

With f(x) = p|x|^k above 0 and q|x|^k below, S = pp' + qq' and X = pq' + qp', variances a and b and covariance
c = √(ab) cos θ,

    k = 1:  ½ (S (√(ab) sin θ + (π − θ) c) + X (√(ab) sin θ − θ c))/π,
    k = 0:  ½ (S (π − θ) + X θ)/π,
    k = 0 and 1:  √b (S (1 + cos θ) + X (1 − cos θ))/√(8π).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym, canonical, mul
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.degrees import halves
from netsor.gaussian.symbolic.expansion import factors_of
from netsor.gaussian.vectorized.laws import Laws, Rule

Array = np.ndarray
_EPS = 2.0**-52
# Below this share of ab left in ab − c², the covariances do not determine the angle to full accuracy.
NEAR = 1e-4
_SQRT_8PI = math.sqrt(8 * math.pi)


@dataclass(frozen=True)
class Homogeneous:
    """f(x) = p |x|^k for x > 0 and q |x|^k for x < 0, k = 0 or 1."""

    degree: int
    above: float
    below: float

    @property
    def linear(self) -> bool:
        return self.degree == 1 and self.above == -self.below


class _Angle(NamedTuple):
    """cos θ, sin θ, θ/π, √(ab), |δ cos θ|, δa/a + δb/b, where these are accurate, and whether everywhere."""

    cosine: Array
    sine: Array
    part: Array
    root: Array
    error: Array
    relative: Array
    good: Array
    always: bool


def homogeneous_pair(block: Expr, symbols: Sequence[Sym]) -> tuple[Homogeneous, Homogeneous] | None:
    """f and g with block = f(u) g(v), both homogeneous; None for other blocks, and for u v."""
    if len(symbols) != 2 or block.free != frozenset(symbols):
        return None
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for factor in factors_of(block):
        if len(factor.free) > 1:
            return None
        groups[next(iter(factor.free), symbols[0])].append(factor)
    f, g = (homogeneous(canonical(mul(*groups[s])), s) for s in symbols)
    if f is None or g is None or f.linear and g.linear:
        return None
    return f, g


def homogeneous(f: Expr, u: Sym) -> Homogeneous | None:
    """A function of one variable that is homogeneous of degree 0 or 1, or None."""
    found = halves(f, u) if f.free == {u} else None
    return Homogeneous(*found) if found is not None and found[0] in (0, 1) else None


def arc_cosine(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for f(u) g(v), valid where the covariances determine the angle."""
    sides = homogeneous_pair(block, symbols)
    return None if sides is None else _ArcCosine(*sides, (symbols[0], symbols[1]))


@dataclass(frozen=True)
class _ArcCosine:
    f: Homogeneous
    g: Homogeneous
    symbols: tuple[Sym, Sym]

    def __call__(self, laws: Laws) -> Bounded:
        f, g = self.f, self.g
        u, v = self.symbols
        angle = laws.once(("angle", u, v), lambda: _angle(laws, u, v))
        same, across = f.above * g.above + f.below * g.below, f.above * g.below + f.below * g.above
        size = abs(same) + abs(across)
        if f.degree != g.degree:
            b = laws.var(v if g.degree else u)
            value = (same + across) + (same - across) * angle.cosine
            front = np.sqrt(b.value) / _SQRT_8PI
            relative = b.error / np.where(angle.good, b.value, 1.0)
            error = abs(same - across) * angle.error + size * (relative + 6 * _EPS)
            found, bound = front * value, front * error
        elif f.degree:
            turn = (same + across) / math.pi * angle.sine
            slope = same - (same + across) * angle.part
            found = 0.5 * angle.root * (turn + slope * angle.cosine)
            c = laws.cov(u, v)
            bound = 0.5 * (abs(slope) * c.error + angle.root * (abs(turn) * 0.5 * angle.relative + 8 * _EPS * size))
        else:
            found = 0.5 * (same + (across - same) * angle.part)
            bound = abs(across - same) / (2 * math.pi) * angle.error / angle.sine + 4 * _EPS * size
        return Bounded(found, bound if angle.always else np.where(angle.good, bound, np.inf))


def _angle(laws: Laws, u: Sym, v: Sym) -> _Angle:
    a, b, c = laws.var(u), laws.var(v), laws.cov(u, v)
    with np.errstate(all="ignore"):
        root = np.sqrt(a.value) * np.sqrt(b.value)
        cosine = c.value / root
        square = (1 - cosine) * (1 + cosine)
        relative = a.error / a.value + b.error / b.value
        error = c.error / root + abs(cosine) * (0.5 * relative + 3 * _EPS)
        good = (square >= NEAR) & (error <= 1e-3 * square) & laws.moderate(u, v)
        always = bool(good.all())
        sine = np.sqrt(square)
        if not always:
            cosine, sine = np.where(good, cosine, 0.0), np.where(good, sine, 1.0)
        # The second derivative of the arc cosine is of size cos θ/sin³ θ.
        part = np.arccos(cosine) / math.pi
    return _Angle(cosine, sine, part, root, error * (1 + error / (sine * sine)), relative, good, always)

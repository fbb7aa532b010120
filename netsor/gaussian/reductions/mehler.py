"""E f(u) g(v) of smooth f and g by Mehler's formula, with its derivatives by the covariance.

With the normalized Hermite polynomials h_k, a_k = E f(σz) h_k(z) and b_k = E g(τz) h_k(z), it is Σ a_k b_k ρ^k (Mehler
1866). By Price's theorem (1958) the derivative by a variance is E f''(u) g(v)/2, and that by the covariance is
E f'(u) g'(v); f' has the coefficients √(k+1) a_{k+1}/σ. `netsor.gaussian.vectorized.mehler` has the same for arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym, canonical, substitute
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.problem import EPS, Method, Step
from netsor.gaussian.reductions.arcsine import GROWTH, Covariances, Taylor, moderate
from netsor.gaussian.symbolic.expansion import is_polynomial
from netsor.gaussian.vectorized.mehler import coefficients_at, smooth_sides

Array = np.ndarray
STEPS = (Step(Method.MEHLER),)
_UNIT = Sym("z")
# The error of a series relative to (E f² E g²)^{1/2}; where more is left, rules that search are used.
_ENOUGH = 1e-13
# So many derivatives of f enter into the bound on terms of second order.
_DERIVATIVES = 4


class Series(NamedTuple):
    """a_k, (E f^{(m)}²)^{1/2} for m ≤ 4, the error of the a_k in the Euclidean norm, and the norm of those left out."""

    a: Array
    norms: tuple[float, ...]
    error: float
    tail: float


@lru_cache(maxsize=512)
def _series(f: Expr, variance: float) -> Series | None:
    """The coefficients of f(σz), f in `_UNIT`; None where they are not found."""
    found = coefficients_at(f, _UNIT, variance)
    if found is None:
        return None
    a, error, tail = found
    norms = []
    order = np.arange(len(a), dtype=float)
    square = a * a
    for m in range(_DERIVATIVES + 1):
        norms.append(math.sqrt(float(square.sum())) / variance ** (m / 2))
        square = square * np.maximum(order - m, 0.0)
    return Series(a, tuple(norms), error, tail)


@dataclass(frozen=True)
class SmoothPair:
    """E f(u) g(v), f and g in `_UNIT`."""

    symbols: tuple[Sym, Sym]
    f: Expr
    g: Expr
    steps = STEPS

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        a, b, c = numbers
        ea, eb, ec = errors
        if not moderate((a, b), errors) or not c * c <= a * b:
            return None
        f, g = _series(self.f, a), _series(self.g, b)
        if f is None or g is None:
            return None
        unit = math.sqrt(a) * math.sqrt(b)
        rho = c / unit
        count = min(len(f.a), len(g.a))
        order = np.arange(count, dtype=float)
        powers = rho**order
        x, y = f.a[:count], g.a[:count]
        value = float((x * y * powers).sum())
        steps = np.sqrt((order + 1) * (order + 2))
        by_c = float((order[1:] * x[1:] * y[1:] * powers[:-1]).sum()) / unit
        by_a = 0.5 * float((steps[:-2] * x[2:] * y[:-2] * powers[:-2]).sum()) / a
        by_b = 0.5 * float((steps[:-2] * y[2:] * x[:-2] * powers[:-2]).sum()) / b
        scale = f.norms[0] * g.norms[0]
        left = abs(rho) ** count * f.tail * g.tail
        # ρ is rounded three times, and each power of it once more.
        rounding = left + f.error * g.norms[0] + g.error * f.norms[0] + EPS * (4 * scale + 4 * abs(by_c * c))
        if not rounding <= _ENOUGH * scale:
            return None
        (_, f1, f2, f3, f4), (_, g1, g2, g3, g4) = f.norms, g.norms
        second = f4 * g.norms[0] * ea * ea / 8 + g4 * f.norms[0] * eb * eb / 8 + f2 * g2 * (ec * ec / 2 + ea * eb / 4)
        second += f3 * g1 * ea * ec / 2 + g3 * f1 * eb * ec / 2
        # Slopes are cut as the series is.
        cut = count * count * left * (ea / a + eb / b + ec / unit)
        return Taylor(value, rounding, scale, (by_a, by_b, by_c), GROWTH * second + cut)


@lru_cache(maxsize=20_000)
def smooth_pair(block: Expr, symbols: frozenset[Sym]) -> SmoothPair | None:
    """The series for a product of smooth functions of one variable each; None for other blocks."""
    if len(symbols) != 2 or block.free != symbols:
        return None
    u, v = sorted(symbols, key=lambda s: s.digest)
    sides = smooth_sides(block, (u, v))
    if sides is None or integrable(block, symbols) is not True:
        return None
    if any(is_polynomial(e, symbols) for e in sides):
        # Stein's lemma needs fewer covariances.
        return None
    f, g = (canonical(substitute(e, {s: _UNIT})) for e, s in zip(sides, (u, v), strict=True))
    return SmoothPair((u, v), f, g)

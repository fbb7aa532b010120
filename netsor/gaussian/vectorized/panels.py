"""E f(u) g(v) of piecewise smooth functions for many pairs: panels in u, with g in closed form.

The rule is that of `netsor.gaussian.vectorized.pairs`. The effect of errors in the covariances follows from Price's
theorem and integration by parts, with first derivatives alone: the derivative by the covariance c is E f' g', at most
(E f'² E g'²)^{1/2}, and that by a variance a at a fixed correlation is E u f' g/(2a), at most (E u² f'² E
g²)^{1/2}/(2a). The slopes of functions with jumps have no squares; there the rule is applied to moved covariances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.expr import Const, Expr, Sym, canonical, diff, is_singular, mul, power
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.arithmetic.two_product import two_product
from netsor.gaussian.reductions.truncated_moments import Smoothing, smoothing
from netsor.gaussian.symbolic.expansion import factors_of
from netsor.gaussian.symbolic.structure import breaks_of
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.pairs import LEAST_SPREAD, NOTHING, Found, Side, by_panels
from netsor.gaussian.vectorized.scales import Scales, scales_of

Array = np.ndarray
_TWO = Const(2)
# Functions with jumps need a √(1 − ρ²) above the first, and relative errors of their law below the second.
_LEAST_SPREAD_OF_JUMPS, _MOVED = 1e-11, 1e-3


@dataclass(frozen=True)
class Panels:
    """The function f of u on panels, the smoothed function g of v, and integrands of one variable for the errors."""

    f: Expr
    g: Expr
    u: Sym
    v: Sym
    scales: tuple[Scales, Scales]
    smoothed: Smoothing
    jumps: bool

    @property
    def moments(self) -> tuple[tuple[Expr, Sym], ...]:
        """f², f'², u² f'² and the same for g: integrands, and their variables; none where there are jumps."""
        if self.jumps:
            return ()
        out: list[tuple[Expr, Sym]] = []
        for h, s in ((self.f, self.u), (self.g, self.v)):
            slope = canonical(diff(h, s))
            out += [(canonical(power(e, _TWO)), s) for e in (h, slope, mul(s, slope))]
        return tuple(out)

    def __call__(self, laws: Laws, moments: Sequence[Bounded]) -> Bounded:
        """The value; its error is infinite where the rule does not resolve an integrand to the tolerance."""
        a, b, c = laws.var(self.u), laws.var(self.v), laws.cov(self.u, self.v)
        whole = [np.broadcast_to(q.value, laws.shape).ravel() for q in (a, b, c)]
        positive = (whole[0] > 0) & (whole[1] > 0)
        flat = [x[positive] for x in whole]
        value, error = np.zeros(laws.shape), np.full(laws.shape, np.inf)
        found, own, size = self._at(*flat)
        chosen = positive.reshape(laws.shape)
        value[chosen], error[chosen] = found, np.where((size > NOTHING) & (own <= laws.enough * size), own, np.inf)
        if self.jumps:
            off = [np.broadcast_to(q.error, laws.shape).ravel()[positive] for q in (a, b, c)]
            error[chosen] += own + self._moved(flat, off, found)
            return Bounded(value, np.where(np.isfinite(error), error, np.inf))
        with np.errstate(all="ignore"):
            ff, df, uf, gg, dg, vg = (np.sqrt(np.maximum(q.value + q.error, 0.0)) for q in moments)
            of_a, of_b = a.error / a.value, b.error / b.value + LEAST_SPREAD**2
            wide = c.error + abs(c.value) * 0.5 * (of_a + of_b)
            carried = df * dg * wide + 0.5 * (uf * gg * of_a + vg * ff * of_b)
            error = error + 1.01 * carried
        return Bounded(value, np.where(np.isfinite(error), error, np.inf))

    def _at(self, a: Array, b: Array, c: Array) -> Found:
        f, g = (Side(h, s, k, np.sqrt(x)) for h, s, k, x in (
            (self.f, self.u, self.scales[0], a), (self.g, self.v, self.scales[1], b),
        ))  # fmt: skip
        return by_panels(f, g, self.smoothed, *correlations(a, b, c))

    def _moved(self, law: list[Array], off: list[Array], value: Array) -> Array:
        """A bound on the effect of errors of the variances and the covariance, each moved towards independence.

        The expectation changes linearly, or at ρ = ±1, where two jumps meet, like the root of the distance: the change
        on the other side is then at most 1 + √2 times as large. Infinite for correlations that are hardly known.
        """
        out = np.where(correlations(*law)[1] > _LEAST_SPREAD_OF_JUMPS, 0.0, np.inf)
        for k, (x, e) in enumerate(zip(law, off, strict=True)):
            out[~(e <= _MOVED * np.sqrt(law[0] * law[1] if k == 2 else x * x))] = np.inf
            rows = np.flatnonzero((e > 0) & np.isfinite(out))
            if len(rows):
                moved = [y[rows] for y in law]
                moved[k] = moved[k] + e[rows] if k < 2 else moved[k] - np.copysign(e[rows], moved[k])
                out[rows] += 2.5 * np.abs(self._at(*moved)[0] - value[rows])
        return out


def panels(block: Expr, symbols: Sequence[Sym]) -> Panels | None:
    """The rule for f(u) g(v), one of them with a closed form; None for others."""
    if len(symbols) != 2 or block.free != frozenset(symbols) or is_singular(block):
        return None
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for factor in factors_of(block):
        if len(factor.free) > 1:
            return None
        groups[next(iter(factor.free), symbols[0])].append(factor)
    sides = [canonical(mul(*groups[s])) for s in symbols]
    if any(not e.free for e in sides):
        return None
    scales = [scales_of(e, s) for e, s in zip(sides, symbols, strict=True)]
    smooth = [smoothing(e, s) for e, s in zip(sides, symbols, strict=True)]
    kinds = {b.kind for e, s in zip(sides, symbols, strict=True) for b in breaks_of(e, frozenset((s,)))}
    if None in scales or not kinds <= {"soft", "kink", "jump"}:
        return None
    # The side with more edges is smoothed, and the other one needs panels.
    best = [i for i in (1, 0) if smooth[i] is not None]
    if not best:
        return None
    i = max(best, key=lambda i: len(smooth[i].edges))  # type: ignore[union-attr]
    j = 1 - i
    ordered = (scales[j], scales[i])
    return Panels(sides[j], sides[i], symbols[j], symbols[i], ordered, smooth[i], "jump" in kinds)  # type: ignore[arg-type]


def correlations(a: Array, b: Array, r: Array) -> tuple[Array, Array]:
    """ρ and √(1 − ρ²) of pairs; ab − r² is computed with error-free products (Dekker 1971) and does not cancel."""
    _, i = np.frexp(np.where(a > 0, a, 1.0))
    _, j = np.frexp(np.where(b > 0, b, 1.0))
    # Even powers of two, so that the scaling of a, b and r is exact.
    i, j = i - i % 2, j - j % 2
    x, y, z = np.ldexp(a, -i), np.ldexp(b, -j), np.ldexp(r, -((i + j) // 2))
    (p, p_low), (q, q_low) = two_product(x, y), two_product(z, z)
    left = np.maximum((p - q) + (p_low - q_low), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.where(p > 0, left / np.where(p > 0, p, 1.0), 1.0)
        rho = np.where(p > 0, z / np.sqrt(np.where(p > 0, p, 1.0)), 0.0)
    return np.clip(rho, -1.0, 1.0), np.sqrt(np.minimum(square, 1.0))

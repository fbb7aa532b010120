"""E f(u) of one variable at many variances, for functions with kinks and jumps: panels that end where f breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.expr import Expr, Sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.pairs import NOTHING, Found, Side, cuts_of, on_panels, reaching
from netsor.gaussian.vectorized.scales import Scales, scales_of

Array = np.ndarray
_SQRT_2PI = math.sqrt(2 * math.pi)
# The largest relative error of a variance to which the first order is applied, and the share of the size of the slope
# that covers how much the slope changes within it: its own slope is at most three times its size.
_MOVED, _BEND = 1e-3, 0.01


def kinked(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for a function of one variable alone whose kinks, jumps and turns are known; None for others."""
    if len(symbols) != 1 or block.free != frozenset(symbols):
        return None
    scales = scales_of(block, symbols[0])
    return None if scales is None else _Kinked(block, symbols[0], scales)


@dataclass(frozen=True)
class _Kinked:
    block: Expr
    u: Sym
    scales: Scales

    def __call__(self, laws: Laws) -> Bounded:
        a = laws.var(self.u)
        variance, moved = (np.broadcast_to(x, laws.shape).ravel() for x in (a.value, a.error))
        value, error = np.zeros(len(variance)), np.full(len(variance), np.inf)
        rows = np.flatnonzero((variance > 0) & (moved <= _MOVED * variance))
        f = Side(self.block, self.u, self.scales, np.sqrt(variance[rows]))
        found, own, size = _moment(f, slope=False)
        value[rows], error[rows] = found, np.where((size > NOTHING) & (own <= laws.enough * size), own, np.inf)
        off = moved[rows] / variance[rows]
        if off.any():
            slope, doubt, rough = _moment(f, slope=True)
            with np.errstate(invalid="ignore"):
                error[rows] += np.where(off > 0, 0.5 * off * (np.abs(slope) + doubt + _BEND * rough), 0.0)
        return Bounded(value.reshape(laws.shape), error.reshape(laws.shape))


def _moment(f: Side, slope: bool) -> Found:
    """(value, error, size) of E f(σz), or of E f(σz) (z² − 1), which is 2a times the derivative by the variance a.

    The latter is the score of the normal law, and needs no derivative of f.
    """

    def rule(rows: Array, reach: float) -> tuple[Array, Array, Array, Array]:
        side = f.at(rows)
        compiled, sizes = side.values(), side.sizes()

        def integrand(part: slice, x: Array, size: bool) -> Array:
            sd = side.sd[part][(slice(None),) + (None,) * (x.ndim - 1)]
            score = x * x - 1 if slope else 1.0
            values = (sizes if size else compiled)(sd * x) * (np.abs(score) if size else score)
            return values * np.exp(-0.5 * x * x) / _SQRT_2PI

        return on_panels(integrand, *cuts_of(side), reach)

    return reaching(rule, len(f.sd))

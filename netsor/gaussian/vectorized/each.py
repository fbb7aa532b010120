"""Expectations without an array rule: by `expect` for one law after the other, with the errors of the law's numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netsor.deadline import TimeOver
from netsor.expr import Expr, Sym, is_singular
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.constants import FEW
from netsor.gaussian.expectation import expect
from netsor.gaussian.law import Estimate
from netsor.gaussian.law.fixed import FixedLaw
from netsor.gaussian.problem import OutOfRange, Settings, TooMany, Unsettled
from netsor.gaussian.vectorized.draws import sampled
from netsor.gaussian.vectorized.laws import Laws, Rule

Array = np.ndarray
# Seconds that one expectation gets at least, and those that one of three variables or more is worth asking for: with
# less, a mean over draws takes its place. In two variables it does where those before took longer than that.
_LEAST, _WORTH = 0.02, 0.2


def each(block: Expr, symbols: Sequence[Sym]) -> Rule:
    """The rule that applies to every integrand."""
    return _Each(block, tuple(symbols))


@dataclass(frozen=True)
class _Each:
    block: Expr
    symbols: tuple[Sym, ...]

    def __call__(self, laws: Laws) -> Bounded:
        c = [[laws.cov(a, b) for b in self.symbols] for a in self.symbols]
        scalars = [s for s in laws.scalars if s in self.block.free]
        columns = [x for row in c for q in row for x in (q.value, q.error)]
        columns += [x for s in scalars for x in (laws.scalars[s].value, laws.scalars[s].error)]
        flat = [np.broadcast_to(x, laws.shape).ravel() for x in columns]
        table = np.stack(flat, axis=1) if flat else np.zeros((math.prod(laws.shape), 1))
        value, error = np.zeros(len(table)), np.zeros(len(table))
        known: dict[bytes, int] = {}
        first = np.array([known.setdefault(row.tobytes(), k) for k, row in enumerate(table)], int)
        wanted = list(known.values())
        late = np.zeros(len(table), bool)
        took = 0.0
        for i, k in enumerate(laws.clock.counts.count("law", wanted)):
            left = laws.clock.left()
            # The other laws, and the other expectations that wait, are to have as much.
            waiting = len(wanted) - i + len(wanted) * (laws.waiting - 1)
            seconds = max(left / waiting, _LEAST) if math.isfinite(left) else None
            if seconds is not None and seconds < (_WORTH if len(self.symbols) > 2 else min(took, _WORTH)):
                late[wanted[i:]] = True
                break
            try:
                most = FEW if laws.leaves_late else None
                found = expect(self.block, self._law(table[k], scalars), Settings(laws.tol, seconds, most))
                value[k], error[k] = found.value, found.error
            except TooMany:
                # So have the other laws.
                late[wanted[i:]] = True
                break
            except Unsettled:
                if laws.clock.left() > 0:
                    raise
                late[k] = True
            took = left - laws.clock.left() if math.isfinite(left) else 0.0
        if laws.leaves_late:
            error[late] = np.inf
        elif late.any():
            if is_singular(self.block):
                # A Dirac mass has no values of which means could be taken.
                raise TimeOver
            rest = sampled(self.block, self.symbols, laws.at(late.reshape(laws.shape)))
            value[late], error[late] = rest.value.ravel(), rest.error.ravel()
        return Bounded(value[first].reshape(laws.shape), error[first].reshape(laws.shape))

    def _law(self, numbers: Array, scalars: Sequence[Sym]) -> FixedLaw:
        d = len(self.symbols)
        both = numbers[: 2 * d * d].reshape(d, d, 2) if d else np.zeros((0, 0, 2))
        c, errors = both[..., 0].copy(), both[..., 1].copy()
        if not np.all(np.isfinite(c)):
            raise OutOfRange("a covariance is beyond 1.8e308, the largest number")
        for i in range(d):
            for j in range(i):
                c[i, j] = c[j, i] = _possible(c[i, i], c[j, j], c[i, j])
                errors[j, i] = errors[i, j]
        rest = numbers[2 * d * d :].reshape(-1, 2)
        given = {s: Estimate(float(v), float(e)) for s, (v, e) in zip(scalars, rest, strict=False)}
        return FixedLaw(self.symbols, c, errors if errors.any() else None, given)


def _possible(a: float, b: float, c: float) -> float:
    """The covariance, limited to |c| ≤ √(ab), which only rounding errors exceed."""
    square = Fraction(a) * Fraction(b)
    if Fraction(c) ** 2 > square >= 0:
        c = math.copysign(math.sqrt(a) * math.sqrt(b), c)
        while Fraction(c) ** 2 > square:
            c = math.nextafter(c, 0.0)
    return c

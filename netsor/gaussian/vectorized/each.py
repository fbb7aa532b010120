"""Expectations without an array rule: by `expect` for one law after the other, with the errors of the law's numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netsor.expr import Expr, Sym
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.expectation import expect
from netsor.gaussian.law import Estimate
from netsor.gaussian.law.fixed import FixedLaw
from netsor.gaussian.problem import Settings
from netsor.gaussian.vectorized.laws import Laws, Rule

Array = np.ndarray
_DRAWS = 2**15


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
        for k in range(len(table)):
            same = known.setdefault(table[k].tobytes(), k)
            if same != k:
                value[k], error[k] = value[same], error[same]
                continue
            left = laws.clock.left()
            if left <= 0 and len(self.symbols) > 2:
                value[k], error[k] = self._sampled(table[k], scalars)
                continue
            # Half of the time that is left is kept for later computations.
            seconds = max(0.5 * left / (len(table) - k), 0.02) if math.isfinite(left) else None
            found = expect(self.block, self._law(table[k], scalars), Settings(laws.tol, seconds))
            value[k], error[k] = found.value, found.error
        return Bounded(value.reshape(laws.shape), error.reshape(laws.shape))

    def _law(self, numbers: Array, scalars: Sequence[Sym]) -> FixedLaw:
        d = len(self.symbols)
        both = numbers[: 2 * d * d].reshape(d, d, 2) if d else np.zeros((0, 0, 2))
        c, errors = both[..., 0].copy(), both[..., 1].copy()
        for i in range(d):
            for j in range(i):
                c[i, j] = c[j, i] = _possible(c[i, i], c[j, j], c[i, j])
                errors[j, i] = errors[i, j]
        rest = numbers[2 * d * d :].reshape(-1, 2)
        given = {s: Estimate(float(v), float(e)) for s, (v, e) in zip(scalars, rest, strict=False)}
        return FixedLaw(self.symbols, c, errors if errors.any() else None, given)

    def _sampled(self, numbers: Array, scalars: Sequence[Sym]) -> tuple[float, float]:
        """The mean of one sample with six standard errors, when there is no time for more."""
        law = self._law(numbers, scalars)
        c = np.array([[law.covariance(a, b).value for b in self.symbols] for a in self.symbols])
        squares, vectors = np.linalg.eigh(c)
        z = np.random.default_rng(20210721).standard_normal((len(c), _DRAWS))
        with np.errstate(all="ignore"):
            f = lambdify((self.block,), (*self.symbols, *scalars))
            x = (vectors * np.sqrt(np.maximum(squares, 0))) @ z
            v = np.broadcast_to(f(*x, *(np.float64(law.scalar(s).value) for s in scalars))[0], (_DRAWS,))
        return float(v.mean()), 6 * float(v.std()) / math.sqrt(_DRAWS)


def _possible(a: float, b: float, c: float) -> float:
    """The covariance, limited to |c| ≤ √(ab), which only rounding errors exceed."""
    square = Fraction(a) * Fraction(b)
    if Fraction(c) ** 2 > square >= 0:
        c = math.copysign(math.sqrt(a) * math.sqrt(b), c)
        while Fraction(c) ** 2 > square:
            c = math.nextafter(c, 0.0)
    return c

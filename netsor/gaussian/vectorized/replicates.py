"""Many integrands under one law at a time, by the same scrambled Sobol points, for replicates that are compared later.

A replicate has a scrambling of its own. What is computed from the means of a replicate, however it is computed, is one
of several independent estimates of the same number, whose spread is the error of their mean; nothing needs to be known
of how errors act on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.deadline import verify_time
from netsor.expr import Expr, Sym
from netsor.expr.arrays import lambdify
from netsor.gaussian.rules.qmc import SCRAMBLINGS, UNSEEN, spread_of
from netsor.gaussian.vectorized.draws import Numbers, Run, carried_by, numbers_of, values_at
from netsor.gaussian.vectorized.laws import Laws

Array = np.ndarray
# Points of a scrambling that are taken at a time, so that the values of all integrands stay in the cache.
_CHUNK = 2**12
# Expectations that others depend on have so many times fewer points: more of them made no bound of an LSTM or a GRU
# smaller.
_EARLIER, _FEWEST = 2**3, 2**6
# How many times farther out it is looked for values where all of them are 0.
_FARTHER = 2.5


@dataclass(frozen=True)
class Replicates:
    """The replicate that each law (K,) belongs to, in blocks of equal length, and the points of each scrambling.

    Expectations of the `last` level have all of the points; in those before them errors are smaller, since functions of
    a covariance average over what it does.
    """

    points: int
    of: Array
    last: int = 0

    @classmethod
    def repeated(cls, count: int, points: int, last: int) -> Replicates:
        """Every law of `count` once for each scrambling."""
        return cls(points, np.repeat(np.arange(SCRAMBLINGS), count), last)

    def at(self, rows: Array) -> Replicates:
        return Replicates(self.points, self.of[rows], self.last)

    def points_at(self, level: int) -> int:
        return self.points if level >= self.last else max(self.points // _EARLIER, _FEWEST)


def averaged(value: Array, error: Array) -> tuple[Array, Array]:
    """The means of the replicates, in blocks (replicates · laws, …), and bounds by Student's t, of 1 in 1,000."""
    values = value.reshape(SCRAMBLINGS, -1, *value.shape[1:])
    errors = error.reshape(values.shape)
    # Sums over the last axis have the same order whatever the number of laws is.
    own = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    return own.mean(axis=-1), spread_of(own) + errors.max(axis=0)


def means(
    integrands: tuple[Expr, ...],
    are_smooth: Sequence[bool],
    families: Sequence[Sequence[Sym]],
    laws: Laws,
    replicates: Replicates,
    level: int,
) -> tuple[Array, Array]:
    """E of each integrand under each law by the points of its replicate, and what the errors of the law do: (B, K).

    `families` are the variables, apart where they are independent. The error of the points shows in the spread of the
    replicates alone; where integrands have kinks or jumps, room for what no point met is added to it.
    """
    symbols = tuple(s for family in families for s in family)
    scalars = tuple(laws.scalars)
    numbers = numbers_of(symbols, scalars, laws)
    run = lambdify(integrands, (*symbols, *scalars))
    sizes = [len(family) for family in families]
    roots = _roots(numbers.covariance, sizes)
    value, top, square = _means(run, are_smooth, roots, numbers.scalars, replicates, level)
    # The replicates of a law differ by less than shows in a slope.
    first = len(numbers.covariance) // SCRAMBLINGS
    blocks = [x.reshape(SCRAMBLINGS, first, *x.shape[1:]) for x in numbers]
    worst = Numbers(blocks[0][0], blocks[1].max(axis=0), blocks[2][0], blocks[3].max(axis=0))
    # It is not to take longer than the means.
    draws = max(replicates.points_at(level) // 2**3, 2**5)
    error = np.tile(carried_by(run, len(integrands), worst, draws), SCRAMBLINGS)
    # In a region A that no point met, |E f 1_A| ≤ P(A) max|f|, and by Cauchy and Schwarz its square is ≤ P(A) E f².
    unseen = UNSEEN / (SCRAMBLINGS * replicates.points_at(level))
    return value, error + np.minimum(unseen * top, np.sqrt(unseen * square))


def _means(
    run: Run, are_smooth: Sequence[bool], roots: Array, scalars: Array, replicates: Replicates, level: int
) -> tuple[Array, Array, Array]:
    """The means, and the largest moduli and mean squares of integrands that are not smooth.

    Where they are 0 at all points, these are those farther out.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    d = roots.shape[1]
    total, top, square = (np.zeros((len(are_smooth), len(roots))) for _ in range(3))
    points = replicates.points_at(level)
    size = min(points, _CHUNK)
    for k in np.unique(replicates.of):
        rows = np.flatnonzero(replicates.of == k)
        engine = qmc.Sobol(d, scramble=True, rng=np.random.default_rng([20210721, level, k]))
        for _ in range(0, points, size):
            z = ndtri(np.clip(engine.random(size), 1e-16, 1 - 1e-16)).T
            at_once = max(1, _CHUNK // size)
            for i in range(0, len(rows), at_once):
                verify_time()
                part = rows[i : i + at_once]
                for b, v in enumerate(values_at(run, roots[part] @ z, scalars[part])):
                    total[b, part] += np.broadcast_to(v, (len(part), size)).sum(axis=1)
                    if not are_smooth[b]:
                        top[b, part] = np.maximum(top[b, part], np.abs(v).max(axis=1))
                        square[b, part] += np.square(np.broadcast_to(v, (len(part), size))).sum(axis=1)
        unmet = [b for b, smooth in enumerate(are_smooth) if not smooth and (top[b, rows] == 0).any()]
        for i in range(0, len(rows) if unmet else 0, at_once):
            part = rows[i : i + at_once]
            far = values_at(run, _FARTHER * roots[part] @ z, scalars[part])
            for b in unmet:
                unseen = top[b, part] == 0
                top[b, part] = np.where(unseen, np.abs(far[b]).max(axis=1), top[b, part])
                square[b, part] += np.where(unseen, points * top[b, part] ** 2, 0.0)
    return total / points, top, square / points


def _roots(c: Array, sizes: Sequence[int]) -> Array:
    """A (K, d, d) with A Aᵀ = C, whose columns are principal axes of the families, the longest first.

    The first coordinates of Sobol points are the most even ones, and a family has axes of its own, so that an integrand
    of some families depends on few coordinates.
    """
    vectors, squares = np.zeros_like(c), np.zeros(c.shape[:2])
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        squares[:, part], vectors[:, part, part] = np.linalg.eigh(c[:, part, part])
        start += size
    squares = np.maximum(squares, 0.0)
    order = np.argsort(-squares, axis=1, kind="stable")
    roots = np.take_along_axis(vectors, order[:, None, :], axis=2)
    return roots * np.sqrt(np.take_along_axis(squares, order, axis=1))[:, None, :]

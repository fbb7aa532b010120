"""Training rows whose outputs are multiples of each other are one row, exactly.

Where f(x_i) = c_i f(x_u) for the row u that stands for row i, K = B K_u Bᵀ with the entries c_i in B. The columns of B
are orthogonal, so with D = BᵀB every K* g(K) y is K*_u D^½ g(D^½ K_u D^½) D^{−½} Bᵀ y: rows with equal inputs become
one row with their mean, weighted by their number, for a posterior as for gradient flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netsor.predict.gaussian_process import Rows, Targets
from netsor.predict.rounding import UNIT, Array, growth
from netsor.predict.scaling import Scaling
from netsor.predict.systems import Matrix
from netsor.predict.tiles import Tiles


@dataclass(frozen=True)
class Merged:
    """The rows that stand for others (their numbers among those given), where each row stands among them, and c_i.

    `weights` is √D. `twins` says of test rows which of these they are multiples of, −1 where of none, with
    `twin_factors`.
    """

    first: Array
    where: Array
    factors: Array
    weights: Array
    twins: Array
    twin_factors: Array

    @property
    def single(self) -> bool:
        return len(self.first) == len(self.where)

    def targets(self, y: Array) -> Targets:
        """D^{−½} Bᵀ y for targets (rows, …), of shape (rows that stand for others, …)."""
        if self.single:
            return Targets(y[self.first], np.zeros_like(y))
        sums, sizes = self._sums(y), self._sums(np.abs(y), np.abs(self.factors))
        scale = _along(self.weights, y)
        return Targets(sums / scale, self._rounding * sizes / scale)

    def fitted(self, y: Array) -> Targets:
        """D⁻¹ Bᵀ y: the outputs on the rows that stand for others which are nearest to the targets of all."""
        if self.single:
            return Targets(y[self.first], np.zeros_like(y))
        squares = _along(self.weights**2, y)
        sizes = self._sums(np.abs(y), np.abs(self.factors))
        return Targets(self._sums(y) / squares, self._rounding * sizes / squares)

    def _sums(self, y: Array, factors: Array | None = None) -> Array:
        out = np.zeros((len(self.first), *y.shape[1:]))
        np.add.at(out, self.where, _along(self.factors if factors is None else factors, y) * y)
        return out

    def matrix(self, kernel: Matrix | Tiles, outputs: int) -> Matrix | Tiles:
        """D^½ K D^½ over rows and the outputs of each."""
        if self.single:
            return kernel
        scale = np.repeat(self.weights, outputs)
        if isinstance(kernel, Tiles):
            return kernel.scaled(scale)
        value = kernel.value * scale[:, None] * scale
        return Matrix(value, (kernel.error * scale[:, None] * scale + self._rounding * np.abs(value)) * (1 + 8 * UNIT))

    def rows(self, cross: Rows, outputs: int) -> Rows:
        """D^½ K* over rows and the outputs of each."""
        if self.single:
            return cross
        scale = np.repeat(self.weights, outputs)[:, None]
        value = cross.value * scale
        return Rows(value, (cross.error * scale + self._rounding * np.abs(value)) * (1 + 4 * UNIT))

    @property
    def _rounding(self) -> float:
        """Of sums with factors that are powers of quotients, of D, and of what they are multiplied with."""
        return growth(int(np.bincount(self.where).max(initial=0)) + 24)


def _along(x: Array, y: Array) -> Array:
    return x.reshape(-1, *(1,) * (y.ndim - 1))


def merge(rows: Array, test: Array, scaling: Scaling | None) -> Merged:
    """Training rows (N, D) by those that stand for others, which keep their order, and test rows that are among them.

    Rows are taken together where they are equal, and with a `scaling` where they are multiples of each other.
    """
    both = np.concatenate([rows, test]) + 0.0
    count = len(both)
    if not count:
        none, number = np.zeros(0), np.zeros(0, int)
        return Merged(number, number, none, none, number, none)
    size = np.abs(both).max(axis=1, initial=0.0) if scaling else np.ones(count)
    peak = both[np.arange(count), np.abs(both).argmax(axis=1)] if scaling and both.shape[1] else size
    unit = np.where(size > 0, peak if scaling and scaling.sign is not None else size, 1.0)
    # Quotients of rows that are multiples of each other are the same numbers: division is rounded correctly.
    _, where = np.unique(both / unit[:, None] + 0.0, axis=0, return_inverse=True)
    where = where.ravel()
    if scaling:
        where = _exactly(both, where)
    place: dict[int, int] = {}
    first: list[int] = []
    for i in range(len(rows)):
        if place.setdefault(int(where[i]), len(first)) == len(first):
            first.append(i)
    index = np.array([place.get(int(w), -1) for w in where], int)
    factors = np.ones(count)
    if scaling:
        for i in np.flatnonzero(index >= 0).tolist():
            k = first[index[i]]
            if i != k and unit[i] != unit[k]:
                factors[i] = scaling.factor(unit[i] / unit[k])
    n = len(rows)
    squares = np.bincount(index[:n], factors[:n] ** 2, minlength=len(first))
    return Merged(np.array(first, int), index[:n], factors[:n], np.sqrt(squares), index[n:], factors[n:])


def _exactly(rows: Array, where: Array) -> Array:
    """Classes of rows whose quotients agree, without the members that are not exact multiples of the first."""
    out = np.array(where)
    following = int(where.max(initial=-1)) + 1
    heads: dict[int, int] = {}
    for i, w in enumerate(where.tolist()):
        k = heads.setdefault(w, i)
        if k != i and not np.array_equal(rows[i], rows[k]) and not _multiple(rows[i], rows[k]):
            out[i] = following
            following += 1
    return out


def _multiple(x: Array, y: Array) -> bool:
    a, b = ([Fraction(v) for v in z.tolist()] for z in (x, y))
    m = int(np.abs(x).argmax())
    return all(p * b[m] == q * a[m] for p, q in zip(a, b, strict=True))

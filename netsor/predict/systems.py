"""What the two ways of training share: g(A) for a kernel A that is known with errors.

Predictions are made of numbers lᵀ g(A) r: g(λ) = 1/λ at the end of training and for a posterior, g(λ) = (1 − e^{−λT})/λ
on the way. `netsor.predict.inverse` and `netsor.predict.flow` find g(A) r and bound what the errors of A, l and r do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from netsor.predict.rounding import UNIT, Array, in_panels, panel_depth

# Rows of a matrix that are worked on at once, in a cache.
_ROWS = 64


@dataclass(frozen=True)
class Matrix:
    """A symmetric matrix, positive semidefinite in truth, with |value − truth| ≤ error entry by entry."""

    value: Array
    error: Array

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def spread(self) -> Array:
        """φ with error ≤ φ φᵀ, entry by entry: φ_i² is the largest error of row i."""
        return np.sqrt(self.error.max(axis=1, initial=0.0))

    @cached_property
    def distance(self) -> float:
        """A bound on ‖value − truth‖₂: the largest sum of a row."""
        return float(self.error.sum(axis=1).max(initial=0.0)) * (1 + len(self) * UNIT)

    @cached_property
    def norm(self) -> float:
        """A bound on ‖value‖₂: the largest sum of a row."""
        return max((float(np.abs(part).sum(axis=1).max()) for _, part in self._parts()), default=0.0)

    def times(self, x: Array) -> Array:
        """The product with columns x."""
        return in_panels(self.value, x)

    @property
    def depth(self) -> int:
        """Operations behind an entry of a product."""
        return panel_depth(len(self)) + 2

    @cached_property
    def scales(self) -> Array:
        """σ with |value| ≤ σ σᵀ, entry by entry: |truth_ij| is at most √(truth_ii truth_jj), and value φ_i φ_j off."""
        diagonal = np.maximum(self.value.diagonal(), 0.0) + self.error.diagonal()
        return np.sqrt(diagonal + self.spread**2) * (1 + 4 * UNIT)

    def _parts(self) -> Iterator[tuple[int, Array]]:
        """The rows, some at a time, with the number of the first."""
        for i in range(0, len(self), _ROWS):
            yield i, self.value[i : i + _ROWS]


@dataclass(frozen=True)
class Sides:
    """Bounds in two parts: what errors do to first order in either direction, and what they add at most beyond that.

    Of a number lᵀ g(A) l the second part only adds.
    """

    value: Array
    first: Array
    second: Array

    @property
    def bound(self) -> Array:
        return self.first + self.second


class System(Protocol):
    """g(A) for columns: `solve` finds g(A) r, and `form` the numbers lᵀ g(A) r of what was solved.

    `lost` counts the directions of A whose eigenvalue is not told from zero.
    """

    lost: int

    def solve(self, rhs: Array, error: Array | None = None, exactly: bool = False) -> Solved: ...

    def form(self, left: Solved, right: Solved, pairs: bool = True) -> Sides:
        """lᵀ g(A) r of all columns of both, or of the columns one by one."""
        ...

    def correction(self, left: Solved, along: Array, pairs: bool = True) -> Sides:
        """(g(A) l − value)ᵀ h for columns h: what is known of it, and a bound on the rest."""
        ...

    def distance(self, left: Solved) -> Array:
        """A bound on ‖g(A) l − value‖₂, for each column."""
        ...


@dataclass(frozen=True)
class Solved:
    """Columns r with their errors, and g(A) r."""

    rhs: Array
    error: Array
    value: Array


def products(x: Array, y: Array, pairs: bool) -> Array:
    """xᵀy of all columns, or of the columns one by one."""
    return x.T @ y if pairs else np.einsum("ij,ij->j", x, y)


def outer(x: Array, y: Array, pairs: bool) -> Array:
    """Products of two numbers a column, of all columns or one by one; nothing times what is not bounded is nothing."""
    a, b = np.broadcast_arrays(x[:, None], y) if pairs else (x, y)
    return np.multiply(a, b, out=np.zeros(a.shape), where=(a != 0) & (b != 0))

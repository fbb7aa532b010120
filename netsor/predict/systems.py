"""What the two ways of training share: g(A) for a kernel A that is known with errors.

Predictions are made of numbers lᵀ g(A) r: g(λ) = 1/λ at the end of training and for a posterior, g(λ) = (1 − e^{−λT})/λ
on the way. `netsor.predict.inverse` and `netsor.predict.flow` find g(A) r and bound what the errors of A, l and r do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from netsor.predict.rounding import UNIT, Array


@dataclass(frozen=True)
class Matrix:
    """A symmetric matrix, positive semidefinite in truth, with |value − truth| ≤ error entry by entry."""

    value: Array
    error: Array

    def __len__(self) -> int:
        return len(self.value)

    @property
    def spread(self) -> Array:
        """φ with error ≤ φ φᵀ, entry by entry: φ_i² is the largest error of row i."""
        return np.sqrt(self.error.max(axis=1, initial=0.0))

    @property
    def distance(self) -> float:
        """A bound on ‖value − truth‖₂: the largest sum of a row."""
        return float(self.error.sum(axis=1).max(initial=0.0)) * (1 + len(self) * UNIT)

    @property
    def norm(self) -> float:
        """A bound on ‖value‖₂: the largest sum of a row."""
        return float(np.abs(self.value).sum(axis=1).max(initial=0.0))

    def times(self, x: Array) -> Array:
        """The product with columns x."""
        return np.asarray(self.value @ x)

    @property
    def scales(self) -> Array:
        """σ with |value| ≤ σ σᵀ, entry by entry: the largest of a row, or √ of the diagonal where that suffices."""
        diagonal = np.sqrt(np.maximum(self.value.diagonal(), 0.0))
        return np.maximum(diagonal, _over(np.abs(self.value), diagonal))


def _over(value: Array, scales: Array) -> Array:
    """What a scale has to be so that σ_i σ_j covers |value_ij|, given scales that are too small at most by rounding."""
    out = np.array(scales)
    for i, row in enumerate(value):
        beyond = row > scales[i] * scales
        if beyond.any():
            out[i] = max(out[i], np.sqrt(float(row[beyond].max())))
            out[beyond] = np.maximum(out[beyond], np.sqrt(row[beyond]))
    return out


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

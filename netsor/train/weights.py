"""The weights of a run at a width during training: each matrix as W and terms of rank one (Eqs. 73, 89).

W_t y = W y + n^{-3/2} σ² Σ a (bᵀ y) costs two passes over the terms instead of a change of n² numbers at each step.
Where the matrix itself is held, many terms are added to it at once, at the speed of a product of matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsor.finite.dense import Dense
from netsor.finite.device import DeviceDense, DeviceKernels
from netsor.finite.execute import Engine
from netsor.finite.kernels import Kernels
from netsor.finite.lazy import Lazy
from netsor.finite.plan import Product


def fold_after(n: int) -> int:
    """How many terms are kept apart from a matrix that is held: reading them takes up to a quarter of reading it."""
    return max(16, n // 8)


class Terms:
    """The terms Σ a bᵀ of one matrix, in the first `count` rows of two arrays."""

    def __init__(self, capacity: int, n: int, kernels: Kernels | DeviceKernels):
        self.a, self.b, self.count = kernels.empty(capacity, n), kernels.empty(capacity, n), 0

    def append(self, a: Any, b: Any) -> None:
        """Add the terms a_i b_iᵀ of the rows; shape (q, n), or (n,) for the same vector in each."""
        rows = slice(self.count, self.count + (a.shape[0] if a.ndim > 1 else b.shape[0]))
        self.a[rows, :], self.b[rows, :] = a, b
        self.count = rows.stop


class MovingWeights(Engine):
    """Multiplies by the weights W_t of a draw, which outlive the plans that are run with them."""

    def __init__(
        self,
        base: Dense | DeviceDense | Lazy,
        kernels: Kernels | DeviceKernels,
        n: int,
        variances: Mapping[str, float],
        capacity: Mapping[str, int],
    ):
        self._base, self._kernels, self._n, self._variances = base, kernels, n, variances
        self._terms = {name: Terms(most, n, kernels) for name, most in capacity.items() if most}

    def multiply(self, p: Product, xs: list[Any]) -> list[Any]:
        """W_t x for each x, or W_tᵀ x for each x, shapes (n,); of rows (q, n) for each row."""
        rows = [row for x in xs for row in (x if x.ndim > 1 else (x,))]
        y = self._kernels.stacked(self._base.multiply(p, rows))
        terms = self._terms.get(p.matrix)
        if terms is not None and terms.count:
            a, b = terms.a[: terms.count, :], terms.b[: terms.count, :]
            a, b = (b, a) if p.transposed else (a, b)
            self._kernels.add(y, a, self._scale(p.matrix) * self._kernels.inner(self._kernels.stacked(rows), b))
        out, at = [], 0
        for x in xs:
            size = x.shape[0] if x.ndim > 1 else 1
            out.append(y[at : at + size, :] if x.ndim > 1 else y[at, :])
            at += size
        return out

    def move(self, matrix: str, a: Any, b: Any) -> None:
        """W_{t+1} = W_t + n^{-3/2} σ² Σ_i a_i b_iᵀ over the rows."""
        self._terms[matrix].append(a, b)

    def fold(self) -> None:
        """Add many terms to a matrix that is held."""
        if isinstance(self._base, Lazy):
            return
        for matrix, terms in self._terms.items():
            if terms.count >= fold_after(self._n):
                self._base.add(matrix, self._scale(matrix), terms.a[: terms.count, :], terms.b[: terms.count, :])
                terms.count = 0

    def _scale(self, matrix: str) -> float:
        return self._variances[matrix] / self._n**1.5

    def release(self, name: str) -> None:
        """Nothing: a later step needs the matrix again."""

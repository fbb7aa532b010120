"""(K + S)⁻¹ for kernels that are too large to be factored: conjugate gradients over tiles.

They converge fast with the preconditioner M = LLᵀ + S of a pivoted Cholesky factor L of K (Harbrecht, Peters and
Schneider 2012; Gardner et al. 2018), and with all columns in one Krylov space: each step reads the kernel once for all
of them. How far they came is not assumed: the residual is computed, and is in the errors.
"""

from __future__ import annotations

import numpy as np

from netsor.deadline import is_stopped
from netsor.predict.inverse import ByResiduals, SolvedInverse
from netsor.predict.rounding import Array, growth
from netsor.predict.tiles import Tiles

# The rank of the preconditioner, steps at most, and columns at most that are solved for together.
_RANK, _STEPS, _COLUMNS = 400, 2000, 256


class Iterative(ByResiduals):
    """(K + S)⁻¹ for a positive S, which is a lower bound on the eigenvalues of K + S.

    `reach` is the norm of a matrix in which errors of solutions are measured.
    """

    def __init__(self, kernel: Tiles, shift: float, reach: float = 0.0) -> None:
        super().__init__(kernel, shift)
        low = pivoted_cholesky(kernel, min(_RANK, len(kernel)), 1e-3 * shift)
        # LLᵀ = U Λ Uᵀ, so that M^{-½} = (1 − U (1 − √(S/(Λ + S))) Uᵀ)/√S.
        values, vectors = np.linalg.eigh(low.T @ low)
        kept = values > 0
        self._directions = low @ (vectors[:, kept] / np.sqrt(values[kept]))
        self._shares = 1 - np.sqrt(shift / (values[kept] + shift))
        self._share = min(1.0, float(np.sqrt(shift / reach))) if reach else 1.0

    def solve_both(
        self, left: Array, left_error: Array, right: Array, right_error: Array
    ) -> tuple[SolvedInverse, SolvedInverse]:
        """A⁻¹ for the columns of two arrays, at the price of one: each step reads the kernel once for all columns."""
        both, at = self.solve(np.hstack([left, right]), np.hstack([left_error, right_error])), left.shape[1]
        return both.columns(slice(at)), both.columns(slice(at, None))

    def _solve(self, rhs: Array) -> Array:
        at_once = min(_COLUMNS, max(1, len(rhs)))
        parts = [self._solve_some(rhs[:, i : i + at_once]) for i in range(0, rhs.shape[1], at_once)]
        return np.hstack(parts) if parts else np.zeros_like(rhs)

    def _solve_some(self, rhs: Array) -> Array:
        """Block conjugate gradients for M^{-½} A M^{-½}, with residuals W φ for an orthonormal W (Dubrulle 2001).

        As A − M is positive semidefinite, residuals s, t there add at most |s||t| to second order. Columns end where
        that is no more than what rounding and the errors of the kernel do to first order.
        """
        size = np.linalg.norm(rhs, axis=0)
        size = np.where(size > 0, size, 1.0)
        w, phi = np.linalg.qr(self._nearby(rhs / size))
        found, p = np.zeros_like(w), w
        for _ in range(_STEPS):
            if is_stopped() or (np.linalg.norm(phi, axis=0) <= self._enough(self._nearby(found))).all():
                break
            q = self._nearby(self.times(self._nearby(p)))
            step = np.linalg.inv(p.T @ q)
            found += p @ (step @ phi)
            w, zeta = np.linalg.qr(w - q @ step)
            phi = zeta @ phi
            p = w + p @ zeta.T
        return self._nearby(found) * size

    def _enough(self, value: Array) -> Array:
        """|s| for each column for which |s||t| is at most what errors do to first order."""
        here = np.abs(value)
        rounding = np.sqrt(growth(self.matrix.depth)) * (self.scales @ here)
        return np.asarray(self._share * np.maximum(rounding, self.spread @ here))

    def _nearby(self, x: Array) -> Array:
        """M^{-½} x."""
        there = self._directions.T @ x
        return np.asarray((x - self._directions @ (self._shares[:, None] * there)) / np.sqrt(self.shift))


def pivoted_cholesky(kernel: Tiles, rank: int, enough: float) -> Array:
    """L (N, r), r ≤ rank, with K − LLᵀ positive semidefinite and its diagonal small, from r columns of K."""
    left = kernel.diagonal()
    low = np.zeros((len(kernel), rank))
    for k in range(rank):
        pivot = int(left.argmax())
        if left[pivot] <= enough:
            return low[:, :k]
        column = kernel.column(pivot) - low[:, :k] @ low[pivot, :k]
        low[:, k] = column / np.sqrt(left[pivot])
        left = np.maximum(left - low[:, k] ** 2, 0.0)
        left[pivot] = 0.0
    return low

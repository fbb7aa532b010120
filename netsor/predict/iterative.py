"""(K + S)⁻¹ for kernels that are too large to be factored: conjugate gradients over tiles.

They converge fast with the preconditioner (LLᵀ + S)⁻¹ of a pivoted Cholesky factor L of K (Harbrecht, Peters and
Schneider 2012; Gardner et al. 2018). How far they came is not assumed: the residual is computed, and is in the errors.
"""

from __future__ import annotations

import numpy as np

from netsor.predict.inverse import ByResiduals, SolvedInverse
from netsor.predict.rounding import Array
from netsor.predict.tiles import Tiles

# The rank of the preconditioner, steps at most, and the residual that is asked for relative to the right-hand sides.
_RANK, _STEPS, _RESIDUAL = 400, 2000, 1e-13


class Iterative(ByResiduals):
    """(K + S)⁻¹ for a positive S, which is a lower bound on the eigenvalues of K + S."""

    def __init__(self, kernel: Tiles, shift: float) -> None:
        from scipy.linalg import cho_factor

        super().__init__(kernel, shift)
        self._low = pivoted_cholesky(kernel, min(_RANK, len(kernel)), 1e-3 * shift)
        inner = self._low.T @ self._low
        inner[np.diag_indices(len(inner))] += shift
        self._inner = cho_factor(inner, check_finite=False)

    def solve_both(
        self, left: Array, left_error: Array, right: Array, right_error: Array
    ) -> tuple[SolvedInverse, SolvedInverse]:
        """A⁻¹ for the columns of two arrays, at the price of one: each step reads the kernel once for all columns."""
        both, at = self.solve(np.hstack([left, right]), np.hstack([left_error, right_error])), left.shape[1]
        return both.columns(slice(at)), both.columns(slice(at, None))

    def _solve(self, rhs: Array) -> Array:
        from scipy.sparse.linalg import LinearOperator, cg

        if not rhs.size:
            return np.zeros_like(rhs)
        # All columns are one vector of a block-diagonal system, so that the kernel is read once a step for all of them.
        lengths = np.linalg.norm(rhs, axis=0)
        lengths = np.where(lengths > 0, lengths, 1.0)
        shape, size = rhs.shape, rhs.size
        system = LinearOperator((size, size), matvec=lambda x: self.times(x.reshape(shape)).ravel(), dtype=float)
        nearby = LinearOperator((size, size), matvec=lambda x: self._nearby(x.reshape(shape)).ravel(), dtype=float)
        found, _ = cg(system, (rhs / lengths).ravel(), rtol=_RESIDUAL, maxiter=_STEPS, M=nearby)
        return np.asarray(found.reshape(shape) * lengths)

    def _nearby(self, x: Array) -> Array:
        """(LLᵀ + S)⁻¹x = (x − L (LᵀL + S)⁻¹ Lᵀx)/S (Woodbury)."""
        from scipy.linalg import cho_solve

        return np.asarray((x - self._low @ cho_solve(self._inner, self._low.T @ x, check_finite=False)) / self.shift)


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

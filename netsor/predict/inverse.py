"""A⁻¹ for A = K + S: posteriors, ridge regression, and the end of training.

With v ≈ A⁻¹l, a ≈ A⁻¹r and the residuals s = l − Av, t = r − Aa of the true l, A and r,

    lᵀA⁻¹r = lᵀa + vᵀt + sᵀA⁻¹t,    |sᵀA⁻¹t| ≤ |s| |t| / λ_min(A),

whatever v and a are. So errors enter to first order as products of vectors that are known, and λ_min only with their
squares (dual weighted residuals: Becker & Rannacher 2001; Higham 2002, ch. 7).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from netsor.predict.rounding import LONG, LONG_UNIT, UNIT, Array, growth, long_product
from netsor.predict.smallest import least_eigenvalue
from netsor.predict.spectrum import Spectrum, decompose
from netsor.predict.systems import Matrix, Sides, Solved, outer, products
from netsor.predict.tiles import Tiles

# Steps of refinement of a solution.
_REFINEMENTS = 2


@dataclass(frozen=True)
class SolvedInverse(Solved):
    """`residual` is r − A g(A) r as computed, `slack` what its truth may differ by for known reasons, entry by entry.

    `weight` is φᵀ|value|, which together with φ bounds what the errors of A do; `norm` bounds the true residual.
    """

    residual: Array
    slack: Array
    moved: Array | None
    weight: Array
    norm: Array
    exactly: bool

    def columns(self, chosen: slice) -> SolvedInverse:
        """Some of the columns alone."""
        arrays = ((f.name, getattr(self, f.name)) for f in fields(self))
        kept: dict[str, Any] = {name: x[..., chosen] for name, x in arrays if isinstance(x, np.ndarray)}
        return replace(self, **kept)


class ByResiduals(ABC):
    """A⁻¹ for columns, A = K + S, and bounds from the residuals of what `_solve` finds; `inverse_norm` bounds ‖A⁻¹‖.

    `lost` counts the directions whose eigenvalue is not told from zero.
    """

    lost = 0

    def __init__(self, matrix: Matrix | Tiles, shift: float) -> None:
        self.matrix, self.shift = matrix, shift
        self.inverse_norm = 1 / shift if shift else np.inf
        self.spread = matrix.spread
        # σ with |A| ≤ σ σᵀ, entry by entry.
        self.scales = np.sqrt(matrix.scales**2 + shift) * (1 + 2 * UNIT)

    def times(self, x: Array) -> Array:
        """A x."""
        return self.matrix.times(x) + self.shift * x

    @abstractmethod
    def _solve(self, rhs: Array) -> Array: ...

    def solve(self, rhs: Array, error: Array | None = None, exactly: bool = False) -> SolvedInverse:
        """A⁻¹r of columns; `exactly` takes residuals in long floats and refines, which is for few columns."""
        n, matrix = len(self.matrix), self.matrix
        error = np.zeros_like(rhs) if error is None else error
        value = self._solve(rhs)
        # Of a kernel on disk, products in long floats would be too many.
        exactly = exactly and isinstance(matrix, Matrix)
        if exactly and isinstance(matrix, Matrix):
            residual = rhs - self._long_times(value)
            for _ in range(_REFINEMENTS):
                # What is left where the solution is rounded as well as a float can be.
                least = UNIT * self.scales[:, None] * (self.scales @ np.abs(value))
                if (np.linalg.norm(residual.astype(float), axis=0) <= np.linalg.norm(least, axis=0)).all():
                    break
                value = value + self._solve(residual.astype(float))
                residual = rhs - self._long_times(value)
            rounding = growth(n + 4, LONG_UNIT)
        else:
            residual = rhs - self.times(value)
            rounding = growth(matrix.depth + 4)
        size = np.abs(value)
        slack = error + rounding * (self.scales[:, None] * (self.scales @ size) + np.abs(rhs))
        moved = matrix.error @ size * (1 + growth(n + 2)) if exactly and isinstance(matrix, Matrix) else None
        weight = self.spread @ size * (1 + growth(n + 2))
        unknown = moved if moved is not None else self.spread[:, None] * weight
        norm = np.linalg.norm(np.abs(residual).astype(float) + slack + unknown, axis=0) * (1 + growth(n + 4))
        return SolvedInverse(rhs, error, value, residual, slack, moved, weight, norm, exactly)

    def _long_times(self, x: Array) -> Array:
        """A x in long floats, of a kernel in memory."""
        assert isinstance(self.matrix, Matrix)
        return long_product(self.matrix.value, x) + LONG(self.shift) * x

    def form(self, left: Solved, right: Solved, pairs: bool = True) -> Sides:
        assert isinstance(left, SolvedInverse) and isinstance(right, SolvedInverse)
        n = len(self.matrix)
        here, there = np.abs(left.value), np.abs(right.value)
        if right.exactly and pairs:
            long = long_product(left.rhs.T, right.value) + long_product(left.value.T, right.residual)
            value, rounding = long.astype(float), growth(n + 2, LONG_UNIT)
        else:
            value = products(left.rhs, right.value, pairs) + products(left.value, right.residual, pairs)
            value, rounding = value.astype(float), growth(n + 2)
        size = products(np.abs(left.rhs), there, pairs) + products(here, np.abs(right.residual).astype(float), pairs)
        first = products(left.error, there, pairs) + products(here, right.slack, pairs)
        first += rounding * size + UNIT * np.abs(value)
        if right.moved is not None:
            first += products(here, right.moved, pairs)
        else:
            first += outer(left.weight, right.weight, pairs)
        second = self._by_inverse(left.norm, right.norm, pairs)
        slop = 1 + growth(n + 8)
        return Sides(value, first * slop, second * slop)

    def correction(self, left: Solved, along: Array, pairs: bool = True) -> Sides:
        """(A⁻¹l − v)ᵀ h = sᵀA⁻¹h = sᵀz + sᵀA⁻¹(h − Az), s = l − Av; of z ≈ A⁻¹h a bound on its residual is enough."""
        assert isinstance(left, SolvedInverse)
        n, z = len(self.matrix), self._solve(along)
        size = np.abs(z)
        value = products(left.residual.astype(float), z, pairs)
        first = products(left.slack + growth(n + 4) * np.abs(left.residual).astype(float), size, pairs)
        weight = self.spread @ size * (1 + growth(n + 2))
        first += outer(left.weight, weight, pairs)
        left_over = self._residual_bound(along, z) + self.spread[:, None] * weight
        norm = np.linalg.norm(left_over, axis=0) * (1 + growth(n + 4))
        second = self._by_inverse(left.norm, norm, pairs)
        slop = 1 + growth(n + 8)
        return Sides(value, first * slop, second * slop)

    def _residual_bound(self, rhs: Array, value: Array) -> Array:
        """|r − A v| for the v of `_solve` and A as it is given, entry by entry, at most."""
        rounding = self.scales[:, None] * (self.scales @ np.abs(value)) + np.abs(rhs)
        return np.abs(rhs - self.times(value)) + growth(self.matrix.depth + 4) * rounding

    def _by_inverse(self, left: Array, right: Array, pairs: bool) -> Array:
        """‖A⁻¹‖ |s| |t|."""
        if np.isfinite(self.inverse_norm):
            return self.inverse_norm * outer(left, right, pairs)
        return np.where(outer(left, right, pairs) > 0, np.inf, 0.0)

    def distance(self, left: Solved) -> Array:
        """‖A⁻¹l − v‖ = ‖A⁻¹s‖ ≤ ‖A⁻¹‖ ‖s‖."""
        assert isinstance(left, SolvedInverse)
        if np.isfinite(self.inverse_norm):
            return self.inverse_norm * left.norm
        return np.where(left.norm > 0, np.inf, 0.0)


class Inverse(ByResiduals):
    """A⁻¹ for a kernel with `shift` added to its diagonal.

    `lost` counts the directions whose eigenvalue is not told from zero: there the answer is that of least norm, and
    without a shift `inverse_norm`, the bound on ‖A⁻¹‖, is infinite.
    """

    def __init__(self, kernel: Matrix, shift: float) -> None:
        from scipy.linalg import LinAlgError, cholesky

        super().__init__(kernel, shift)
        self.kernel = kernel
        n = len(kernel)
        self._spectrum: Spectrum | None = None
        self._factor: Array | None = None
        if not n:
            return
        a = np.array(kernel.value)
        a[np.diag_indices(n)] += shift
        trace, largest = float(a.trace()), float(a.diagonal().max())
        try:
            # A matrix by columns is factored in place, and of a symmetric one these are its rows.
            self._factor = cholesky(a.T, lower=False, overwrite_a=True, check_finite=False)
        except LinAlgError:
            self._decompose()
            return
        # Where the shift is far above rounding, what depends on λ_min is negligible.
        if shift < np.sqrt(UNIT) * trace:
            # The backward error of a solution from a factor (Higham 2002, Theorem 10.4), and the rounding of the shift.
            backward = growth(3 * n + 4) * trace + 2 * UNIT * largest
            least = least_eigenvalue(self._solve, n, backward) - kernel.distance
            if least > 0:
                self.inverse_norm = 1 / max(least, shift)
            else:
                self._factor = None
                self._decompose()

    def _decompose(self) -> None:
        """Least norm: directions with eigenvalues within the error of the kernel are left out."""
        found = self._spectrum = decompose(self.kernel.value)
        unsure = self.kernel.distance + found.backward
        least = float(found.values.min()) - unsure
        if least > 0:
            self.inverse_norm = 1 / (least + self.shift)
        kept = found.values + self.shift > unsure
        self.lost = int(np.count_nonzero(~kept))
        self._vectors = found.vectors[:, kept]
        self._values = found.values[kept] + self.shift

    def _residual_bound(self, rhs: Array, value: Array) -> Array:
        if self._factor is None:
            return super()._residual_bound(rhs, value)
        # What a factor leaves is known without a product (Higham 2002, Theorem 10.4), with the rounding of the shift.
        return growth(3 * len(rhs) + 8) * self.scales[:, None] * (self.scales @ np.abs(value))

    def _solve(self, rhs: Array) -> Array:
        from scipy.linalg import cho_solve

        if self._factor is not None:
            return np.asarray(cho_solve((self._factor, False), rhs, check_finite=False))
        if self._spectrum is not None:
            return np.asarray(self._vectors @ ((self._vectors.T @ rhs) / self._values[:, None]))
        return np.zeros_like(rhs)


__all__ = ["LONG", "ByResiduals", "Inverse", "SolvedInverse"]

"""g(A) = (1 − e^{−AT}) A⁻¹ for a kernel A: training for the time T, from its eigendecomposition.

a(T) = g_T(A) r solves a' = r − A a. Where A is off by D, Duhamel's formula gives

    lᵀ(g_T(A + D) − g_T(A)) r = −∫_0^T b'(T − s)ᵀ D a(s) ds + …,    b = g(A) l,

so the change is at most ‖D‖_F ‖b(T)‖ ‖a(T)‖ to first order (the divided differences of g are at most g(λ) g(μ) in
modulus), and ‖D‖² g_T(λ_min) ‖a(T)‖ Σ_i |b_i(T)| beyond it, b_i in the eigenvectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.predict.rounding import UNIT, Array, growth
from netsor.predict.spectrum import decompose
from netsor.predict.systems import Matrix, Sides, Solved, outer, products


@dataclass(frozen=True)
class SolvedFlow(Solved):
    """`there` is r in the eigenvectors, `weighted` is g(Λ) times it, the norms are of r, of its error and of a(T)."""

    there: Array
    weighted: Array
    norm: Array
    unsure: Array
    length: Array
    total: Array


class Flow:
    """(1 − e^{−(A+S)T})(A+S)⁻¹ for a kernel A, a shift S and a finite time T ≥ 0."""

    lost = 0

    def __init__(self, kernel: Matrix, shift: float, time: float) -> None:
        n = len(kernel)
        found = decompose(kernel.value)
        self.vectors = found.vectors
        shifted = UNIT * (float(found.values.max(initial=0.0)) + shift)
        moved = kernel.distance + found.backward + shifted
        self.moved = moved
        self.moved_frobenius = float(np.linalg.norm(kernel.error)) * (1 + growth(n * n)) + found.backward
        self.moved_frobenius += np.sqrt(n) * shifted
        self.weights = averaged_decay(found.values + shift, time)
        least = max(0.0, (float(found.values.min()) if n else 0.0) - moved) + shift
        self.most = float(averaged_decay(np.array([least]), time)[0]) * (1 + 8 * UNIT)
        # What rounding and the skew of the eigenvectors make of the coefficients of a vector, relative to its length.
        self.blur = found.skew * (1 + found.skew) + np.sqrt(n) * growth(n + 2)

    def solve(self, rhs: Array, error: Array | None = None, exactly: bool = False) -> SolvedFlow:
        error = np.zeros_like(rhs) if error is None else error
        there = self.vectors.T @ rhs
        weighted = self.weights[:, None] * there
        norm, unsure = np.linalg.norm(rhs, axis=0), np.linalg.norm(error, axis=0)
        blurred = self.blur * norm
        length = np.linalg.norm(weighted, axis=0) + self.weights.max(initial=0.0) * blurred
        total = np.abs(weighted).sum(axis=0) + float(np.linalg.norm(self.weights)) * blurred
        return SolvedFlow(rhs, error, self.vectors @ weighted, there, weighted, norm, unsure, length, total)

    def form(self, left: Solved, right: Solved, pairs: bool = True) -> Sides:
        assert isinstance(left, SolvedFlow) and isinstance(right, SolvedFlow)
        n = len(self.weights)
        value = products(left.weighted, right.there, pairs)
        first = products(left.error, np.abs(right.value), pairs) + products(np.abs(left.value), right.error, pairs)
        first += self.moved_frobenius * outer(left.length, right.length, pairs)
        # Rounding of the coefficients, and of their sum.
        first += self.blur * (outer(left.norm, right.length, pairs) + outer(left.length, right.norm, pairs))
        first += growth(n + 8) * products(np.abs(left.weighted), np.abs(right.there), pairs)
        second = self.moved**2 * self.most * outer(left.total, right.length, pairs)
        second += outer(left.unsure, self._off(right), pairs) + outer(self._off(left), right.unsure, pairs)
        second += self.most * outer(left.unsure, right.unsure, pairs)
        slop = 1 + growth(n + 16)
        return Sides(value, first * slop, second * slop)

    def correction(self, left: Solved, along: Array, pairs: bool = True) -> Sides:
        found = self.form(left, self.solve(along), pairs)
        known = products(left.value, along, pairs)
        rounding = growth(len(along) + 4) * products(np.abs(left.value), np.abs(along), pairs)
        return Sides(found.value - known, found.first + rounding + 2 * UNIT * np.abs(found.value), found.second)

    def distance(self, left: Solved) -> Array:
        assert isinstance(left, SolvedFlow)
        return self._off(left) + self.most * left.unsure

    def _off(self, x: SolvedFlow) -> Array:
        """‖g(A) r − value‖ for the r that is given: ‖∫ e^{−(T−s)A} D a(s) ds‖ ≤ ‖D‖ g_T(λ_min) ‖a(T)‖, and rounding."""
        rounding = self.blur * (x.length + self.weights.max(initial=0.0) * x.norm)
        return self.moved * self.most * x.length + rounding


def averaged_decay(rates: Array, time: float) -> Array:
    """∫_0^T e^{−λs} ds = (1 − e^{−λT})/λ, which is T at λ = 0."""
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        x = rates * time
        # Below this, 1 − e^{−x} is x(1 − x/2) to rounding, and λ may be too small to divide by.
        return np.where(x < 1e-9, time * (1 - x / 2), -np.expm1(-x) / rates)

"""Means and covariances of predictions from kernels with errors: the posterior, and the ensemble of trained networks.

The kernels here are matrices: rows and outputs of the network are one index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.predict.flow import Flow
from netsor.predict.inverse import Inverse
from netsor.predict.iterative import Iterative
from netsor.predict.rounding import UNIT, Array, growth
from netsor.predict.systems import Matrix, Solved, System, outer, products
from netsor.predict.tiles import Tiles


@dataclass(frozen=True)
class Rows:
    """A kernel of training rows with test rows, shape (training, test), with |value − truth| ≤ error."""

    value: Array
    error: Array


@dataclass(frozen=True)
class Targets:
    """Targets, one column a problem, with bounds on what is unknown of them."""

    value: Array
    error: Array


@dataclass(frozen=True)
class Moments:
    """Mean (test, columns) and covariance, (test, test) or of each alone, with the range that errors leave to them.

    `lost` counts the directions of the training kernel that are not told from none.
    """

    mean: Array
    mean_error: Array
    cov: Array
    cov_low: Array
    cov_high: Array
    lost: int


def _inverse(kernel: Matrix | Tiles, shift: float, reach: float = 0.0) -> System:
    """(K + S)⁻¹: from a factor of a kernel in memory, by conjugate gradients for one on disk.

    `reach` is the norm of a matrix in which errors of solutions are measured.
    """
    return Inverse(kernel, shift) if isinstance(kernel, Matrix) else Iterative(kernel, shift, reach)


def _solutions(system: System, cross: Rows, targets: Targets) -> tuple[Solved, Solved]:
    """g(A) for the rows of a kernel, and more exactly for targets, which are few."""
    if isinstance(system, Iterative):
        return system.solve_both(cross.value, cross.error, targets.value, targets.error)
    return system.solve(cross.value, cross.error), system.solve(targets.value, targets.error, exactly=True)


def posterior(kernel: Matrix | Tiles, cross: Rows, own: Rows, targets: Targets, noise: float, full: bool) -> Moments:
    """K* (K + S)⁻¹ y and K** − K* (K + S)⁻¹ K*ᵀ (Rasmussen & Williams 2006, Eqs. 2.25, 2.26).

    `own` holds K**, or where not `full` its diagonal. Of a K that is singular the answer is that of least norm.
    """
    system = _inverse(kernel, noise)
    weights, solved = _solutions(system, cross, targets)
    mean = system.form(weights, solved)
    explained = system.form(weights, weights, full)
    cov = own.value - explained.value
    slack = own.error + explained.first + UNIT * (np.abs(own.value) + np.abs(explained.value))
    # (l − Av)ᵀ A⁻¹ (l − Av) is not negative: what second order adds is explained, never left over.
    low, high = cov - slack - explained.second, cov + slack
    return Moments(mean.value, mean.bound, _symmetric(cov, full), low, high, system.lost)


def ensemble(
    tangent: Matrix | Tiles, tangent_cross: Rows, kernel: Matrix | Tiles, cross: Rows, own: Rows, targets: Targets,
    ridge: float, time: float, full: bool,
) -> Moments:  # fmt: skip
    """B y and K** + B K Bᵀ − B K*ᵀ − K* Bᵀ with B = Θ* g(Θ), g(λ) = (1 − e^{−(λ+S)T})/(λ+S) (Lee et al. 2019, Eq. 16).

    `time` T is in units of the flow a' = y − Θ a: t/N for N training rows.
    """
    if np.isinf(time):
        system: System = _inverse(tangent, ridge, kernel.norm if isinstance(tangent, Tiles) else 0.0)
    else:
        assert isinstance(tangent, Matrix)
        system = Flow(tangent, ridge, time)
    weights, solved = _solutions(system, tangent_cross, targets)
    mean = system.form(weights, solved)
    b, n = weights.value, len(kernel)
    size = np.abs(b)
    # The covariance of f(x) − Bᵀf(X) at initialization; what B is off by meets its gradient h = K B − K*.
    gradient = kernel.times(b) - cross.value
    off = system.correction(weights, gradient, full)
    cov = own.value + products(b, gradient, full) - products(cross.value, b, full) + _both(off.value)
    spread = kernel.spread @ size
    reach = kernel.scales @ size
    rounding = growth(n + 4)
    slack = own.error + _both(off.bound)
    slack = slack + outer(spread, spread, full) + _both(products(size, cross.error, full))
    slack += 3 * rounding * (outer(reach, reach, full) + _both(products(size, np.abs(cross.value), full)))
    slack += 4 * UNIT * np.abs(own.value)
    # What is not known of the gradient, and of B to second order.
    distance = system.distance(weights)
    blurred = growth(kernel.depth + 4) * (kernel.scales[:, None] * reach + np.abs(cross.value))
    unsure = np.linalg.norm(kernel.spread[:, None] * spread + cross.error + blurred, axis=0)
    norm = kernel.norm + kernel.distance
    slack += _both(outer(distance, unsure, full))
    slack += outer(norm * distance if norm else 0.0 * unsure, distance, full)
    slack *= 1 + growth(n + 16)
    return Moments(mean.value, mean.bound, _symmetric(cov, full), cov - slack, cov + slack, system.lost)


def _both(x: Array) -> Array:
    return x + x.T


def _symmetric(x: Array, full: bool) -> Array:
    return (x + x.T) / 2 if full else x

"""A lower bound on the smallest eigenvalue of a positive definite matrix that can be solved with."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import numpy as np

from netsor.predict.rounding import Array, growth

# Starts of the iteration, its steps, and the probability that all starts mislead.
_STARTS, _STEPS, _DOUBT = 16, 8, 1e-12


def least_eigenvalue(solve: Callable[[Array], Array], n: int, backward: float) -> float:
    """A lower bound on λ_min(A), n × n, for all but one random start in 10¹²; 0 where there is none above zero.

    `solve(b)` is an x with (A + E) x = b and ‖E‖ ≤ `backward` for each column. With u an eigenvector of λ_min, the
    numbers c_j = |uᵀx_j| of x_{j+1} = solve(x_j) have c_j ≤ λ_min c_{j+1} + ‖E‖ ‖x_{j+1}‖ and c_k ≤ ‖x_k‖, and of a
    uniform direction x_0, |x_0| = 1, c_0 ≤ ε has at most the probability ε√(2n/π) (Dixon, SIAM J. Numer. Anal. 1983):
    λ_min is at least the number for which these bounds let c_0 exceed ε for one of the starts.
    """
    x = np.random.default_rng(0).standard_normal((n, _STARTS))
    lengths = np.linalg.norm(x, axis=0)
    growths = []
    for _ in range(_STEPS):
        x = solve(x / lengths)
        lengths = np.linalg.norm(x, axis=0)
        if not np.isfinite(lengths).all() or not lengths.all():
            return 0.0
        growths.append(lengths * (1 + growth(n + 8)))
    epsilon = _DOUBT ** (1 / _STARTS) / sqrt(2 * n / pi)

    def allowed(least: float) -> bool:
        share = np.ones(_STARTS)
        for factor in reversed(growths):
            share = (least * share + backward) * factor
        return bool(share.max() >= epsilon)

    low, high = 0.0, 2 / float(np.min(growths))
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if allowed(middle) else (middle, high)
        if high < backward:
            return 0.0
    return low

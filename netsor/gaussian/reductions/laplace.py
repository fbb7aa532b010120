"""Powers of quadratic forms: b^{−p} = ∫₀^∞ t^{p−1} e^{−tb} dt / Γ(p), where e^{−tb} changes a Gaussian law to another.

E F(z) b(z)^{−p} is therefore one integral over t of expectations of F alone, so that batch normalisation of a batch of
any size is as easy as its nonlinearities. With t = e^τ the trapezoidal rule converges like e^{−π²/h}.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from netsor.gaussian.problem import Unsettled

Array = np.ndarray


def integrate(
    inner: Callable[[float], tuple[float, float, float]],
    p: float,
    typical: float,
    tol: float,
    lowest: float | None = None,
) -> tuple[float, float, float]:
    """(value, error, scale) of ∫₀^∞ t^{p−1} I(t) dt / Γ(p), where inner(t) = (I(t), its error, its scale).

    `typical` is the size of the quadratic form; for a sum of several powers t^{p−1} I(t) ~ t^{lowest−1} for small t.
    Raises Unsettled where t^p I(t) does not decrease for large t.
    """
    h = 0.5 if tol > 3e-9 else 0.38
    centre = -math.log(typical)
    # For small t I(t) is I(0) (1 + O(t)), so that the rest of the sum is geometric.
    first = p if lowest is None else lowest
    start = (math.log(max(tol, 1e-14)) - 4) / (first + 1)
    low = math.floor(start / h)
    if low % 2:
        low -= 1
    rows: list[tuple[float, float, float]] = []
    sizes: list[float] = []
    k = low
    peak = 0.0
    while True:
        tau = centre + k * h
        v, e, s = inner(math.exp(tau))
        weight = math.exp(p * tau)
        rows.append((v * weight, e * weight, s * weight))
        # The terms of I(t) may cancel about a centre other than 0, so that only their sum decreases.
        sizes.append((abs(v) + e) * weight)
        peak = max(peak, s * weight)
        k += 1
        if max(sizes[-2:]) <= 1e-3 * max(tol, 1e-13) * peak and k * h > 1 and len(rows) % 2 == 0:
            # From here on the terms decrease at least geometrically.
            break
        if len(rows) % 2 == 0 and len(rows) > 24 and k * h > 20 and _is_geometric(sizes):
            # Terms like t^{−a} with a small a decrease slowly; the rest of the sum is geometric and known.
            break
        if k * h > 200 or k * h > 40 and len(rows) > 20 and sizes[-1] > 0.98 * sizes[-11]:
            if abs(v) > 10 * e:
                raise Unsettled("an integral over powers of a quadratic form does not seem to converge")
            # Only the error of the terms does not decrease.
            raise Unsettled("an integral over powers of a quadratic form loses all its digits")
    table = np.array(rows)
    ratio = sizes[-1] / sizes[-2] if sizes[-2] > 0 else 0.0
    right = sizes[-1] * h * ratio / (1 - ratio) if ratio < 1 else math.inf
    right_fine = right_coarse = 0.0
    if right > 1e-3 * max(tol, 1e-13) * peak and _is_geometric(sizes):
        # The rests of the geometric sums on both grids; the error of the ratio is estimated from its change over ten
        # terms.
        change = abs(ratio - sizes[-9] / sizes[-10]) / (1 - ratio)
        right_fine, right_coarse = rows[-1][0] * ratio / (1 - ratio), rows[-2][0] * ratio**2 / (1 - ratio**2)
        right = abs(right_fine) * h * (10 * change + 1e-13 / (1 - ratio))
    left_fine = rows[0][0] * math.exp(-first * h) / (1 - math.exp(-first * h))
    left_coarse = rows[0][0] * math.exp(-2 * first * h) / (1 - math.exp(-2 * first * h))
    gamma = math.gamma(p)
    fine = h * (float(table[:, 0].sum()) + left_fine + right_fine)
    coarse = 2 * h * (float(table[::2, 0].sum()) + left_coarse + right_coarse)
    scale = h * float(table[:, 2].sum()) + abs(left_fine) * h
    change = abs(fine - coarse)
    # Halving h squares the relative error.
    quadrature = min(change, 100 * change * change / scale) if scale > 0 else 0.0
    left = 6 * rows[0][2] * math.exp(start) * max(h, 1 / first)
    error = h * float(table[:, 1].sum()) + right + quadrature + left + 4e-15 * scale
    return fine / gamma, error / gamma, scale / gamma


def _is_geometric(sizes: list[float]) -> bool:
    """Whether the last terms decrease by a constant ratio."""
    if len(sizes) < 12 or min(sizes[-12:]) <= 0:
        return False
    ratios = [b / a for a, b in zip(sizes[-12:], sizes[-11:])]
    return max(ratios) < 0.995 and max(ratios) - min(ratios) < 1e-6 * (1 - max(ratios))

"""Products Π g_i(u_i) over several variables: Σ = D + BB' with a diagonal D that is as large as possible.

Given common factors y ~ N(0, 1_m) the u_i = b_i·y + √D_i z_i are independent, so that E Π g_i(u_i) = E_y Π E_z
g_i(b_i·y + √D_i z), an integral over m instead of d dimensions in which kinks are smoothed. D maximises its trace
subject to Σ − D ⪰ 0 (by Newton's method along the barrier path), which usually lowers the rank of Σ − D.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def decompose(c: Array) -> tuple[Array, Array, float] | None:
    """(D, B, ε) with |c − D − BB'| ≤ ε entrywise, for a positive definite c; None where it is nearly singular."""
    n = len(c)
    if not (np.diag(c) > 0).all():
        return None
    sd = np.sqrt(np.diag(c))
    r = c / np.outer(sd, sd)
    least = float(np.linalg.eigvalsh(r)[0])
    if least < 1e-5:
        return None
    d = np.full(n, 0.5 * least)
    mu = least
    for _ in range(60):
        for _ in range(2):
            inverse = np.linalg.inv(r - np.diag(d))
            gradient = 1 - mu * np.diag(inverse) + mu / d
            hessian = mu * (inverse * inverse) + np.diag(mu / d**2)
            step = np.linalg.solve(hessian, gradient)
            size = 1.0
            while size > 1e-8:
                trial = d + size * step
                if (trial > 0).all() and np.linalg.eigvalsh(r - np.diag(trial))[0] > 0:
                    break
                size *= 0.5
            else:
                break
            d = trial if size == 1.0 else d + 0.9 * size * step
        if mu < 1e-12:
            break
        mu *= 0.25
    values, vectors = np.linalg.eigh(r - np.diag(d))
    keep = values > 2e-10
    # The strongest factor comes first, because quasi-random points are best in their first coordinates.
    b = (vectors[:, keep] * np.sqrt(values[keep]))[:, ::-1]
    b = _polished(b, r)
    d = 1 - (b * b).sum(axis=1)
    left = r - np.diag(d) - b @ b.T
    if (d < -1e-12).any():
        return None
    # A D_i of 1e-9 smooths nothing, but keeps the decomposition exact.
    return np.maximum(d, 0.0) * sd**2, b * sd[:, None], float(np.abs(left).max())


def _polished(b: Array, r: Array) -> Array:
    """B after Gauss–Newton steps that make the off-diagonal entries of r exact (D makes up for the diagonal)."""
    n, m = b.shape
    i, j = np.triu_indices(n, 1)
    for _ in range(2):
        left = (r - b @ b.T)[i, j]
        jacobian = np.zeros((len(i), n, m))
        rows = np.arange(len(i))
        jacobian[rows, i] = b[j]
        jacobian[rows, j] = b[i]
        step = np.linalg.lstsq(jacobian.reshape(len(i), n * m), left, rcond=1e-8)[0]
        b = b + step.reshape(n, m)
    return b

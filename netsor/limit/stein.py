"""Expected partial derivatives of functions that have none (Remark B.6)."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.gaussian import Estimate


def stein_coefficients(c: Sequence[Sequence[Estimate]], b: Sequence[Estimate]) -> list[Estimate]:
    """a = C⁺ b with C_ij = E Ẑ^i Ẑ^j and b_i = E Ẑ^i Z^x (Eq. 67), with the errors of C and b carried along.

    Directions in which C is zero up to its own error carry no information about a, and the pseudoinverse leaves them.
    """
    import numpy as np

    matrix = np.array([[e.value for e in row] for row in c])
    slack = np.array([[e.error for e in row] for row in c])
    rhs = np.array([e.value for e in b])
    rhs_error = np.array([e.error for e in b])
    values, vectors = np.linalg.eigh(matrix)
    floor = max(float(slack.sum(axis=1).max()), 1e-13 * float(abs(values).max()))
    keep = values > 4 * floor
    inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    a = inverse @ rhs
    # First order in the perturbations: δa = C⁺(δb − δC a).
    error = np.abs(inverse) @ (rhs_error + slack @ np.abs(a))
    return [Estimate(float(x), float(e) + 1e-15 * abs(float(x))) for x, e in zip(a, error, strict=True)]

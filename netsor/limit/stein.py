"""Expected partial derivatives of functions that have none (Remark B.6)."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.gaussian import Estimate


def stein_coefficients(
    c: Sequence[Sequence[Estimate]], b: Sequence[Estimate], known: Sequence[Estimate | None] | None = None
) -> list[Estimate]:
    """a = C⁺ b with C_ij = E Ẑ^i Ẑ^j and b_i = E Ẑ^i Z^x (Eq. 67), with the errors of C and b carried along.

    Directions in which C is zero up to its own error carry no information about a, and the pseudoinverse leaves them.
    Where C is singular, many a give the same Ż, and only together: those that are `known` otherwise are kept, and the
    others are what Stein's lemma C a = b leaves for them.
    """
    import numpy as np

    matrix = np.array([[e.value for e in row] for row in c])
    slack = np.array([[e.error for e in row] for row in c])
    rhs = np.array([e.value for e in b])
    rhs_error = np.array([e.error for e in b])
    given = [None] * len(b) if known is None else list(known)
    found = [k for k, e in enumerate(given) if e is None]
    a = np.array([0.0 if e is None else e.value for e in given])
    error = np.array([0.0 if e is None else e.error for e in given])
    left, values, right = np.linalg.svd(matrix[:, found], full_matrices=False)
    floor = max(float(slack.sum(axis=1).max()), 1e-13 * float(np.abs(matrix).max()))
    keep = values > 4 * floor
    inverse = (right[keep].T / values[keep]) @ left[:, keep].T
    rest = rhs - matrix @ a
    # First order in the perturbations: δa = C⁺(δb − δC a), the a that are known included.
    moved = rhs_error + np.abs(matrix) @ error
    a[found] = inverse @ rest
    error[found] = np.abs(inverse) @ (moved + slack @ np.abs(a))
    return [Estimate(float(x), float(e) + 1e-15 * abs(float(x))) for x, e in zip(a, error, strict=True)]

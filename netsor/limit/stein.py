"""Expected partial derivatives of functions that have no pointwise derivatives (Remark B.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netsor.gaussian import Estimate


class Solved(NamedTuple):
    """A coefficient a_r, its derivatives by b, C and the coefficients known otherwise, and the remaining error."""

    estimate: Estimate
    by_b: np.ndarray
    by_c: np.ndarray
    by_known: np.ndarray
    own: float


def stein_coefficients(
    c: Sequence[Sequence[Estimate]], b: Sequence[Estimate], known: Sequence[Estimate | None] | None = None
) -> list[Solved]:
    """a = C⁺ b with C_ij = E Ẑ^i Ẑ^j and b_i = E Ẑ^i Z^x (Eq. 67), with errors propagated from C and b.

    Directions in which C is zero up to its own error say nothing about a, and the pseudoinverse leaves them out. Where
    C is singular, different a give the same Ż, but only as a whole: coefficients that are `known` otherwise are kept,
    and the others solve Stein's equation C a = b given those.
    """
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
    # To first order in the perturbations, δa = C⁺(δb − δC a − C δa'), where a' are the known coefficients.
    moved = rhs_error + np.abs(matrix) @ error
    a[found] = inverse @ rest
    given_error = error.copy()
    error[found] = np.abs(inverse) @ (moved + slack @ np.abs(a))
    out = []
    for r, (x, e) in enumerate(zip(a, error, strict=True)):
        row = inverse[found.index(r)] if r in found else np.zeros(len(b))
        second = float(np.abs(row) @ (slack @ error))
        own = 1e-15 * abs(float(x)) + second
        by_known = np.where(given_error > 0, -(row @ matrix), 0.0) + (r not in found) * np.eye(len(b))[r]
        out.append(Solved(Estimate(float(x), float(e) + own), row, -np.outer(row, a), by_known, own))
    return out

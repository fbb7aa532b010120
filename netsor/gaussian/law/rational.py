"""Covariances in rational arithmetic: conditional variances of nearly degenerate laws without cancellation.

Floating-point numbers are rational numbers, and so are the conditional variances of a matrix of them. Near ρ = ±1
floating-point arithmetic loses their digits, and integrands with jumps and Dirac masses depend on these.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from netsor.gaussian.problem import OutOfRange, Unsettled

Array = np.ndarray
Rows = list[list[Fraction]]
# With more variables the fractions become too long, and floating point is used.
MOST = 8
# A share of a variance that is smaller than this is within the rounding error of the matrix.
NOTHING = 3e-17
# The least eigenvalue of the correlations below which a law counts as nearly degenerate. It is smaller for a pair,
# whose conditional variance is computed in rational arithmetic in any case.
_DEGENERATE, _DEGENERATE_PAIR = 0.1, 1e-3


def is_degenerate(c: Array) -> bool:
    """Whether some combination of the variables has lost a digit of its variance, or for a pair three digits."""
    n = len(c)
    d = np.sqrt(np.maximum(np.diag(c), 0.0))
    used = d > 0
    if used.sum() < 2:
        return False
    r = (c / np.where(used, d, 1.0)[:, None] / np.where(used, d, 1.0))[np.ix_(used, used)]
    if n == 2:
        return abs(float(r[0, 1])) > 1 - _DEGENERATE_PAIR
    return float(np.linalg.eigvalsh(r)[0]) < _DEGENERATE


def fractions(a: Array) -> Rows:
    """Floating-point numbers as exact fractions; raises Unsettled where one is not finite."""
    if not np.isfinite(a).all():
        raise OutOfRange("a covariance is not finite")
    return [[Fraction(float(x)) for x in row] for row in np.atleast_2d(a)]


def rounded(x: Fraction) -> float:
    """The nearest floating-point number; raises Unsettled where it overflows."""
    try:
        return float(x)
    except OverflowError:
        raise OutOfRange("a covariance overflows") from None


def floats(a: Rows) -> Array:
    return np.array([[rounded(x) for x in row] for row in a])


def root_of(
    c: Rows, floor: Array, last: int | None, lenient: bool = False, nothing: float = NOTHING
) -> tuple[Array, list[int]]:
    """(A, pivots) with A A' = C as for `pivoted_root`; variances below `floor` count as zero.

    With `lenient`, a negative variance counts as zero too, as it may occur in a matrix moved within its errors. So does
    any share of a variance below `nothing`.
    """
    n = len(c)
    left = [row[:] for row in c]
    whole = [rounded(c[i][i]) for i in range(n)]
    least = np.maximum(floor, [nothing * w for w in whole])
    columns: list[Array] = []
    pivots: list[int] = []
    for _ in range(n):
        rest = [i for i in range(n) if i not in pivots]
        if not lenient and any(rounded(left[i][i]) < -8 * float(least[i]) - 1e-14 * whole[i] for i in rest):
            raise Unsettled("the covariance is indefinite beyond rounding")
        alive = [i for i in rest if rounded(left[i][i]) > least[i]]
        if not alive:
            break
        choice = [i for i in alive if i != last] or alive
        p = max(choice, key=lambda i: rounded(left[i][i]) / max(whole[i], 1e-300))
        d = left[p][p]
        row = [Fraction(0) if j in pivots else left[p][j] for j in range(n)]
        columns.append(np.array([rounded(x / d) for x in row]) * math.sqrt(rounded(d)))
        pivots.append(p)
        left = [[x - row[i] / d * y for x, y in zip(left[i], row)] for i in range(n)]
    return (np.stack(columns, axis=1) if columns else np.zeros((n, 0))), pivots


def root_of_forms(rows: Array, root: Array, last: int | None) -> tuple[Array, list[int]]:
    """(A, pivots) with A A' = R L L' R' exactly: the covariance of forms R z of z = L x, x independent and standard."""
    r, a = fractions(rows), fractions(root)
    k = root.shape[1]
    made = [[sum((x * a[i][j] for i, x in enumerate(row) if x), Fraction(0)) for j in range(k)] for row in r]
    gram = [[sum((x * y for x, y in zip(p, q) if x and y), Fraction(0)) for q in made] for p in made]
    # These sums are exact, so that a variance of zero is exactly zero.
    return root_of(gram, np.zeros(len(gram)), last, True, 0.0)


def conditioned(c: Array, a: Array) -> tuple[float, Array, Array]:
    """(variance of u = a·z, Cov(z, u), Cov(z | u)), each entry rounded once."""
    m = fractions(c)
    n = len(m)
    v = fractions(a)[0]
    cross = [sum((m[i][k] * v[k] for k in range(n) if v[k]), Fraction(0)) for i in range(n)]
    variance = sum((v[k] * cross[k] for k in range(n) if v[k]), Fraction(0))
    if variance <= 0:
        return rounded(variance), np.array([rounded(x) for x in cross]), np.asarray(c, float).copy()
    given = [[m[i][j] - cross[i] * cross[j] / variance for j in range(n)] for i in range(n)]
    return rounded(variance), np.array([rounded(x) for x in cross]), floats(given)

"""Whether numbers are a covariance: symmetric and positive semidefinite, singular ones included."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netsor.diagnostics import Diagnostic, Span
from netsor.diagnostics.catalogue import declarations
from netsor.syntax import ast

Matrix = Sequence[Sequence[float]]
# What typed decimals lose: a covariance is taken as symmetric and semidefinite up to this share of its largest entry.
SLACK = 1e-10


def verify_covariance(names: Sequence[str], k: Matrix, node: ast.Expr) -> Diagnostic | None:
    """The fault of a would-be covariance that stands at `node`, or None."""
    span = node.span
    size = max((abs(x) for row in k for x in row), default=0.0)
    for i, a in enumerate(names):
        for j, b in enumerate(names[:i]):
            if abs(k[i][j] - k[j][i]) > SLACK * size:
                return declarations.not_symmetric(span, (a, b), (k[i][j], k[j][i]), _entries(node, (i, j), (j, i)))
    for i, a in enumerate(names):
        if k[i][i] < -SLACK * size:
            if len(names) == 1:
                return declarations.negative_variance(span, a, k[i][i])
            return declarations.not_semidefinite(span, k[i][i], None, a)
    for i, a in enumerate(names):
        for j, b in enumerate(names[:i]):
            # The product of the variances may be beyond the doubles.
            bound = math.sqrt(max(k[i][i], 0.0)) * math.sqrt(max(k[j][j], 0.0))
            if abs(k[i][j]) > bound + SLACK * size:
                return declarations.not_semidefinite(span, 0.0, (b, a, k[i][j], bound), None)
    if _is_semidefinite(k, SLACK * size):
        return None
    import numpy as np

    return declarations.not_semidefinite(span, float(np.linalg.eigvalsh(np.array(k)).min()), None, None)


def _entries(node: ast.Expr, *places: tuple[int, int]) -> list[Span]:
    """Where entries of a matrix stand that is written out; fewer where it is not."""
    rows = node.items if isinstance(node, ast.ListLiteral) else ()
    return [row.items[j].span for i, j in places if i < len(rows) and isinstance(row := rows[i], ast.ListLiteral)]


def _is_semidefinite(k: Matrix, slack: float) -> bool:
    """Cholesky with the largest pivot first; what is left when no pivot is positive must be zero."""
    n = len(k)
    if n > 60:
        import numpy as np

        return float(np.linalg.eigvalsh(np.array(k, dtype=float)).min()) >= -slack * n
    a = [list(row) for row in k]
    left = list(range(n))
    while left:
        p = max(left, key=lambda i: a[i][i])
        pivot = a[p][p]
        if pivot <= slack * n:
            lost = 4 * math.sqrt(slack * n) * math.sqrt(max(pivot, slack * n)) + slack * n
            return all(abs(a[i][j]) <= lost for i in left for j in left)
        left.remove(p)
        for i in left:
            f = a[i][p] / pivot
            for j in left:
                a[i][j] -= f * a[p][j]
    return True

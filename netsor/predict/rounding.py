"""Rounding of sums and products: the bounds of a textbook, and products in the longest floats that the machine has."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
UNIT = 2.0**-53
LONG = np.longdouble
LONG_UNIT = float(np.finfo(LONG).eps) / 2
# Rows that are turned into long floats at once.
_ROWS = 64
# Columns of a matrix that are summed over at once.
PANEL = 512


def growth(n: int, unit: float = UNIT) -> float:
    """γ_n = n u/(1 − n u), which bounds the relative rounding of n operations (Higham 2002, Lemma 3.1)."""
    return n * unit / (1 - n * unit)


def in_panels(a: Array, x: Array) -> Array:
    """a x, some columns of a at a time, so that an entry comes of fewer operations: `panel_depth` of the columns."""
    out = a[:, :PANEL] @ x[:PANEL]
    for j in range(PANEL, a.shape[1], PANEL):
        out += a[:, j : j + PANEL] @ x[j : j + PANEL]
    return np.asarray(out)


def panel_depth(n: int) -> int:
    """Operations behind an entry of a product of n columns in panels."""
    return min(n, PANEL) + n // PANEL + 1


def long_product(a: Array, x: Array) -> Array:
    """a x in long floats, some rows of a at a time; its rounding is at most γ_n |a||x| with u of long floats."""
    x = x.astype(LONG)
    out = np.empty((len(a), x.shape[1]), LONG)
    for i in range(0, len(a), _ROWS):
        out[i : i + _ROWS] = a[i : i + _ROWS].astype(LONG) @ x
    return out


def defect_of_gram(v: Array) -> float:
    """A bound on ‖vᵀv − 1‖_F for columns v of length about 1.

    v is split into 26 bits and a rest, as in the error-free products of Ozaki et al. (2012): sums of products of the
    first parts are multiples of 2⁻⁵² below 2, so that they are exact, and rounding touches only what the rest adds.
    """
    n, m = v.shape
    if not v.size:
        return 0.0
    head = np.round(v * 2.0**26) / 2.0**26
    tail = v - head
    small = float(np.linalg.norm(tail))
    gram = head.T @ head
    gram[np.diag_indices(m)] -= 1.0
    cross = head.T @ tail
    rest = cross + cross.T + tail.T @ tail
    # Columns of the first part have length about 1, so that |head|ᵀ|tail| is at most √m |tail|.
    rounding = growth(n + 6) * (4 * np.sqrt(m) * small + 2 * float(np.linalg.norm(gram)) + small**2)
    return float(np.linalg.norm(gram + rest)) * (1 + growth(n * m)) + rounding

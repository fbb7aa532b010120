"""Error-free products of arrays of floats (Dekker 1971)."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def two_product(x: Array, y: Array) -> tuple[Array, Array]:
    """x y as the rounded product and its rounding error."""
    product = x * y
    (x1, x2), (y1, y2) = _halves(x), _halves(y)
    return product, ((x1 * y1 - product) + x1 * y2 + x2 * y1) + x2 * y2


def _halves(x: Array) -> tuple[Array, Array]:
    big = x * 134217729.0
    high = big - (big - x)
    return high, x - high

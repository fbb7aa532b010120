"""Powers of two taken out of vectors and matrices before a product, so that nothing in between leaves the numbers.

A product of a vector near 1e200 squares it on the way (its norm, the projections of `netsor.finite.lazy`), and one near
1e-200 loses those squares to zero. A power of two taken out is exact, so within the range of safe squares nothing is
taken out, and beyond it the product is the rounded product.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np


def exponent(largest: float, dtype: Any) -> int:
    """The e for which 2^-e `largest` is in [½, 1); 0 where fourth powers of it are in range, and for zero and infinity.

    Fourth powers: squares of coordinates 2^-50 as large as `largest`, summed over any width, are then normal numbers.
    """
    if largest == 0 or not np.isfinite(largest):
        return 0
    e = frexp(largest)[1]
    return 0 if abs(e) <= np.finfo(dtype).maxexp // 4 else e


def times_power(x: Any, e: int) -> Any:
    """2^e x in two steps, as 2^e itself may lie beyond the numbers; only the last can round. x itself where e is 0."""
    half = e // 2
    return x * 2.0**half * 2.0 ** (e - half) if e else x


def largest(x: Any) -> float:
    """max |x_α| of a numpy array; no number where a coordinate is none."""
    return float(max(x.max(), -x.min()))

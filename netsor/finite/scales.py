"""Powers of two taken out of vectors and matrices before a product, so that no intermediate result over- or underflows.

A product with a vector of size 1e200 squares it on the way (for its norm, and for the projections of
`netsor.finite.lazy`), and for one of size 1e-200 these squares underflow. Taking out a power of two is exact; it is
done only where the squares are not safe.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np


def exponent(largest: float, dtype: Any) -> int:
    """The e for which 2^-e `largest` is in [½, 1); 0 where its fourth power is in range, and for zero and infinity.

    The fourth power, so that squares of coordinates 2^-50 times as large as `largest`, summed over any width, are
    normal numbers.
    """
    if largest == 0 or not np.isfinite(largest):
        return 0
    e = frexp(largest)[1]
    return 0 if abs(e) <= np.finfo(dtype).maxexp // 4 else e


def is_safe(square: float, dtype: Any) -> bool:
    """Whether a vector of this squared length needs no power of two taken out; False for zero, infinity and NaN."""
    bound = 2.0 ** (np.finfo(dtype).maxexp // 2)
    return 1 / bound <= square <= bound


def times_power(x: Any, e: int) -> Any:
    """2^e x in two steps, since 2^e may overflow; only the second step can round. x itself where e is 0."""
    half = e // 2
    return x * 2.0**half * 2.0 ** (e - half) if e else x


def largest(x: Any) -> float:
    """max |x_α| of a numpy array, or NaN where a coordinate is NaN."""
    return float(max(x.max(), -x.min()))

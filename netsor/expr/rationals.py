"""Numbers as they are written: a decimal of the text is a rational number, which its nearest float may not equal."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

# Powers and products of constants that need more bits than this are computed in floating point.
MOST_BITS = 4096
# The most digits of a decimal that its nearest float determines (15 for doubles).
_DECIMALS = 15
_CANCELS = 1 / 16


class Rounded(float):
    """The float nearest to a number that is not a float: `exact` is a rational number within `error` of the one meant.

    It computes and prints like a float. Differences of nearly equal numbers, such as the variance of v − u for nearly
    equal u and v, are computed from the exact numbers.
    """

    __slots__ = ("error", "exact")
    exact: Fraction
    error: float

    def __new__(cls, exact: Fraction, error: float = 0.0) -> Rounded:
        self = super().__new__(cls, exact)
        self.exact, self.error = exact, error
        return self

    def __reduce__(self) -> tuple[type[Rounded], tuple[Fraction, float]]:
        return Rounded, (self.exact, self.error)


def rational(x: float) -> Fraction:
    """The exact number that is meant: an int or float itself, or the number that a `Rounded` was rounded from."""
    return x.exact if isinstance(x, Rounded) else Fraction(x)


def uncertainty(x: float) -> float:
    """A bound on |`rational(x)` − the number meant|, which is 0 except for values of functions such as √2."""
    return x.error if isinstance(x, Rounded) else 0.0


def computed(x: float) -> float:
    """The value of a function at a constant, such as √2, with an error of at most 2^-51 of its size."""
    return Rounded(Fraction(x), 2.0**-51 * abs(x))


def number(q: Fraction) -> int | float:
    """A rational number as an int or a float, which keeps the exact number where it is rounded.

    Raises OverflowError where the number is too large for a float.
    """
    if q.denominator == 1 and abs(q) < 2**53:
        return q.numerator
    near = float(q)
    return near if Fraction(near) == q else Rounded(q)


def as_float(x: float) -> float:
    """A number as a float; a `Rounded` one keeps its exact value."""
    return x if isinstance(x, float) else float(x)


@lru_cache(maxsize=4096, typed=True)
def decimal(x: float) -> Fraction | None:
    """The decimal that a constant is written as; None for a number that needs more than 15 digits, as 1/√2 does."""
    if isinstance(x, int):
        return Fraction(x)
    text = repr(x)
    digits = text.split("e")[0].replace(".", "").replace("-", "").strip("0")
    return Fraction(text) if math.isfinite(x) and len(digits) <= _DECIMALS else None


def meant(x: float) -> Fraction:
    """The number that a constant of a program stands for: the decimal that it is written as, or else its value."""
    q = decimal(x)
    return Fraction(x) if q is None else q


def plus(a: float, b: float) -> int | float:
    """a + b, where the sum of two decimals is their exact sum: 0.1 plus 0.2 is 0.3.

    Where a and b nearly cancel, it is the difference of the numbers meant, rounded once.
    """
    c = a + b
    if isinstance(c, int) or not math.isfinite(c):
        return c
    if abs(c) < _CANCELS * abs(a):
        return float(meant(a) + meant(b))
    return _decimal_of(c, a, b, lambda p, q: p + q)


def times(a: float, b: float) -> int | float:
    """a b, where the product of two decimals is their exact product: 3 times 0.1 is 0.3."""
    c = a * b
    if a == 1 or b == 1 or isinstance(c, int) or not math.isfinite(c):
        return c
    return _decimal_of(c, a, b, lambda p, q: p * q)


def _decimal_of(c: float, a: float, b: float, of: Callable[[Fraction, Fraction], Fraction]) -> float:
    """The decimal next to c if it is `of` the decimals a and b, else c."""
    short = float(f"{c:.{_DECIMALS}g}")
    if short == c:
        return c
    p, q, r = decimal(a), decimal(b), decimal(short)
    return short if p is not None and q is not None and of(p, q) == r else c


# The k in m · 2^k is a multiple of this, so that numbers of similar size have the same k.
_STEP = 512
_LEAST, _MOST = 2.0**-1022, (2 - 2.0**-52) * 2.0**1023


def in_range(x: float) -> bool:
    """Whether a number is 0, or a normal number as a float."""
    return x == 0 or isinstance(x, int) or _LEAST <= abs(x) <= _MOST


def split_number(q: Fraction) -> tuple[int | float, int]:
    """(m, k) with q = m · 2^k up to the rounding of m; k = 0 where a float can hold q."""
    if q == 0:
        return 0, 0
    size = abs(q.numerator).bit_length() - q.denominator.bit_length()
    try:
        if -1020 < size < 1020 or in_range(float(q)) and float(q) != 0:
            return number(q), 0
    except OverflowError:
        pass
    k = _STEP * round(size / _STEP)
    return number(q / Fraction(2) ** k), k


def wide_times(*factors: float) -> tuple[int | float, int]:
    """The product as (m, k), meaning m · 2^k; k = 0 where a float can hold it."""
    out: int | float = 1
    for f in factors:
        out = times(out, f)
        if not in_range(out) or out == 0 or isinstance(out, int) and out.bit_length() > 200:
            break
    else:
        return out, 0
    if any(f == 0 for f in factors) or not all(map(math.isfinite, factors)):
        return math.prod(factors), 0
    return split_number(math.prod(map(meant, factors), start=Fraction(1)))


def within_reach(q: Fraction) -> Fraction | None:
    """The number itself, or None where it has more digits than exact computations here allow."""
    return q if q.numerator.bit_length() + q.denominator.bit_length() <= 2 * MOST_BITS else None


def power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """base^exponent for integer exponents; None where it is not rational or would have too many digits."""
    if exponent.denominator != 1 or base == 0 and exponent < 0:
        return None
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    return None if abs(exponent.numerator) * size > MOST_BITS else base**exponent.numerator

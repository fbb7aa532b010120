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
# Numbers with an error keep at least so many bits. A sum in which terms cancel to this part of their size is 0.
_BITS = 320
_CANCELLED = 1e-40
_UPWARDS = 1 + 2.0**-50


class Rounded(float):
    """The float nearest to a number that is not a float: `exact` is a rational number within `error` of the one meant.

    It computes and prints like a float, and equals that float, but no integer unless it is that integer. Differences of
    nearly equal numbers, such as the variance of v − u for nearly equal u and v, or tanh(20) − 1, are computed from the
    exact numbers.
    """

    __slots__ = ("error", "exact")
    exact: Fraction
    error: float

    def __new__(cls, exact: Fraction, error: float = 0.0) -> Rounded:
        self = super().__new__(cls, exact)
        self.exact, self.error = exact, error
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rounded):
            return self.exact == other.exact and self.error == other.error
        if isinstance(other, int):
            return not self.error and self.exact == other
        return float.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __neg__(self) -> Rounded:
        return Rounded(-self.exact, self.error)

    def __abs__(self) -> Rounded:
        return Rounded(abs(self.exact), self.error)

    # Numbers that are equal are rounded to the same float.
    __hash__ = float.__hash__

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


def rounded(q: Fraction, error: float) -> int | float:
    """The float next to a number that is known up to an error, with as many digits of it as are known.

    Raises OverflowError where the number is too large for a float.
    """
    if error or q.numerator.bit_length() + q.denominator.bit_length() > MOST_BITS:
        digits = max(_BITS, math.frexp(float(q) / error)[1] + 16 if error and math.isfinite(float(q) / error) else 0)
        short = with_bits(q, digits)
        error = (error + abs(float(q)) * 2.0 ** (1 - digits)) * _UPWARDS
        return Rounded(short, error)
    near = number(q)
    return float(near) if decimal(float(near)) == q and not isinstance(near, int) else near


def as_bound(error: float | Fraction) -> float:
    """A bound on an error as a float, which is not 0 unless the error is."""
    return max(float(error), 5e-324) if error else 0.0


def with_bits(q: Fraction, bits: int) -> Fraction:
    """A number rounded towards 0 to about so many bits, so that −q becomes the negative of what q does."""
    if q < 0:
        return -with_bits(-q, bits)
    shift = bits - abs(q.numerator).bit_length() + q.denominator.bit_length()
    if shift > 0:
        return Fraction((q.numerator << shift) // q.denominator, 1 << shift)
    return Fraction((q.numerator // (q.denominator << -shift)) << -shift)


def as_float(x: float) -> float:
    """A number as a float; a `Rounded` one keeps its exact value."""
    return x if isinstance(x, float) else float(x)


@lru_cache(maxsize=4096, typed=True)
def decimal(x: float) -> Fraction | None:
    """The rational number that a constant is written as; None for one that needs more than 15 digits, as 1/√2 does."""
    if isinstance(x, int):
        return Fraction(x)
    if isinstance(x, Rounded):
        return None if x.error else x.exact
    text = repr(x)
    digits = text.split("e")[0].replace(".", "").replace("-", "").strip("0")
    return Fraction(text) if math.isfinite(x) and len(digits) <= _DECIMALS else None


def meant(x: float) -> Fraction:
    """The number that a constant of a program stands for: the decimal that it is written as, or else its value."""
    if isinstance(x, Rounded):
        return x.exact
    q = decimal(x)
    return Fraction(x) if q is None else q


def plus(a: float, b: float) -> int | float:
    """a + b, where the sum of two decimals is their exact sum: 0.1 plus 0.2 is 0.3.

    Where a and b nearly cancel, it is the difference of the numbers meant, rounded once.
    """
    c = a + b
    if isinstance(c, int) or not math.isfinite(c):
        return c
    if isinstance(a, Rounded) or isinstance(b, Rounded):
        total, error = meant(a) + meant(b), uncertainty(a) + uncertainty(b)
        if abs(total) <= error <= _CANCELLED * abs(a):
            return 0
        return rounded(total, error)
    if abs(c) < _CANCELS * abs(a):
        return float(meant(a) + meant(b))
    return _decimal_of(c, a, b, lambda p, q: p + q)


def times(a: float, b: float) -> int | float:
    """a b, where the product of two decimals is their exact product: 3 times 0.1 is 0.3."""
    if a == 1:
        return b
    if b == 1:
        return a
    c = a * b
    if isinstance(c, int) or not math.isfinite(c):
        return c
    if isinstance(a, Rounded) or isinstance(b, Rounded):
        return rounded(meant(a) * meant(b), as_bound(_error_of_product(a, b))) if in_range(c) else c
    return _decimal_of(c, a, b, lambda p, q: p * q)


def _error_of_product(*factors: float) -> Fraction:
    """A bound on the error of the product of numbers that are known up to errors."""
    if not any(map(uncertainty, factors)):
        return Fraction(0)
    whole = math.prod((abs(meant(f)) + Fraction(uncertainty(f)) for f in factors), start=Fraction(1))
    return whole - abs(math.prod(map(meant, factors), start=Fraction(1)))


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
    # Without abs(x) and before x == 0, which compute with the fraction of a `Rounded`.
    return isinstance(x, int) or _LEAST <= x <= _MOST or -_MOST <= x <= -_LEAST or x == 0


def split_number(q: Fraction, error: float | Fraction = 0) -> tuple[int | float, int]:
    """(m, k) with q = m · 2^k up to the rounding of m; k = 0 where a float can hold q."""
    if q == 0:
        return 0, 0
    size = abs(q.numerator).bit_length() - q.denominator.bit_length()
    try:
        if -1020 < size < 1020 or in_range(float(q)) and float(q) != 0:
            return rounded(q, as_bound(error)), 0
    except OverflowError:
        pass
    k = _STEP * round(size / _STEP)
    scale = Fraction(2) ** k
    return rounded(q / scale, as_bound(Fraction(error) / scale)), k


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
    return split_number(math.prod(map(meant, factors), start=Fraction(1)), _error_of_product(*factors))


def within_reach(q: Fraction) -> Fraction | None:
    """The number itself, or None where it has more digits than exact computations here allow."""
    return q if q.numerator.bit_length() + q.denominator.bit_length() <= 2 * MOST_BITS else None


def power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """base^exponent where it is rational, as √9 is; None where it is not or would have too many digits."""
    if base == 0 and exponent < 0:
        return None
    if exponent.denominator != 1:
        # Roots of negative numbers are not real, or a matter of convention.
        over, under = (_root(k, exponent.denominator) if k >= 0 else None for k in (base.numerator, base.denominator))
        if over is None or under is None:
            return None
        base = Fraction(over, under)
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    return None if abs(exponent.numerator) * size > MOST_BITS else base**exponent.numerator


def _root(k: int, degree: int) -> int | None:
    """The whole number whose power of this degree is k ≥ 0; None where there is none."""
    if degree == 2:
        root = math.isqrt(k)
    elif k < 2:
        root = k
    elif degree >= k.bit_length():
        return None
    else:
        # Both ends have the power on their sides of k.
        low, high = 1, 1 << (k.bit_length() // degree + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**degree <= k else (low, middle)
        root = low
    return root if root**degree == k else None

"""Values of functions and powers at constants in many digits: √2, tanh(20), e^π.

Products and differences of such constants are computed like those of rational numbers, and rounded at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from netsor.expr.balls import Known, Smooth, image
from netsor.expr.rationals import as_bound, power, rounded, uncertainty, within_reach
from netsor.expr.rationals import decimal as rational_of

# Constants are computed with one of these numbers of digits, and in floating point where none is enough.
DIGITS = (60, 120, 240, 480, 960, 1920)


def digits_for(size: float) -> int | None:
    """Digits that show differences of relative size 10^−size, and products of a few of them; None where too many."""
    return next((d for d in DIGITS if d >= 40 + 3 * size), None)


def value_in_digits(f: Smooth, reach: Callable[[float], float] | None, x: float) -> int | float | None:
    """A smooth function at a constant; None where the constant is a float of unknown origin, or there is no value.

    `reach` says how near to its asymptote the function comes, as in 1 − tanh u ≈ e^{−2u}.
    """
    size = reach(abs(x)) / math.log(10) if reach is not None else 0.0
    digits = digits_for(size) if math.isfinite(size) else None
    known = _known(x)
    found = None if digits is None or known is None else image(f, *known, digits)
    return None if found is None else _number(found)


def power_in_digits(base: float, exponent: float) -> int | float | None:
    """base^exponent; None where one of them is a float of unknown origin, or there is no value."""
    b, e = _known(base), _known(exponent)
    if b is None or e is None:
        return None
    found = _power(b, e)
    return None if found is None else _number(found)


@lru_cache(maxsize=4096)
def _power(base: Known, exponent: Known) -> Known | None:
    exact = None if base.error or exponent.error else power(base.value, exponent.value)
    if exact is not None and within_reach(exact) is not None:
        return Known(exact, Fraction(0))

    return image(lambda at, b: at.power(b, at.within(*exponent)), *base, DIGITS[1])


def _known(x: float) -> Known | None:
    """The number meant, with its error; None for a float of more digits than people write."""
    if uncertainty(x):
        return Known(Fraction(x.exact), Fraction(x.error))  # type: ignore[attr-defined]
    q = rational_of(x)
    return None if q is None else Known(q, Fraction(0))


def _number(found: Known) -> int | float | None:
    try:
        return rounded(found.value, as_bound(found.error))
    except OverflowError:
        return None

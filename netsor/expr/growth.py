"""Asymptotic series in the width n: rates of growth with coefficients, and a remainder.

A rate is n^a (log n)^b (log log n)^c … exp(Σ cᵢ rateᵢ), as in Hardy's "Orders of Infinity"; any two of them can be
compared by the leading rate of the logarithm of their quotient. A series without a remainder is exact. A series with
one says nothing below it, so that terms which cancel down to the remainder give "unknown" and not 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key, lru_cache
from typing import NamedTuple

from netsor.expr.balls import CANCELLED, Smooth, image
from netsor.expr.balls import exponential as exponential_of
from netsor.expr.balls import logarithm as logarithm_of
from netsor.expr.rationals import Rounded, as_bound, decimal, rounded

Rational = Fraction | float
# The number of terms kept in a series, and in a Taylor expansion.
KEPT = 12
_TOO_LARGE = "its numbers are too large to compute with"


class Diverges(Exception):
    """The expression has no finite limit; `rate` describes its behaviour as text, such as `√n`.

    `grows` says that it tends to ±∞ at this rate, and not that it has, for instance, no real value; where `known` is
    False there may be a limit, which the computed terms do not determine.
    """

    def __init__(self, rate: str, grows: bool = False, known: bool = True):
        self.rate = rate
        self.grows = grows
        self.known = known
        super().__init__(rate)


class Coefficient(NamedTuple):
    """A real number with a bound on its error, in some 70 digits, or exact."""

    value: Fraction
    error: Fraction = Fraction(0)

    @property
    def is_zero(self) -> bool:
        """Whether the number is 0, or all of its digits cancelled."""
        return abs(self.value) <= self.error <= CANCELLED

    @property
    def is_undecided(self) -> bool:
        """Whether the number may be 0, but need not."""
        return CANCELLED < self.error >= abs(self.value)

    def plus(self, other: Coefficient) -> Coefficient:
        if not (self.error or other.error):
            return Coefficient(self.value + other.value)
        small, large = sorted((abs(self.value), abs(other.value)))
        error = self.error + other.error
        if 0 < small * _FAR < large:
            # What the smaller number adds is below the digits of the larger one, and is lost in a product.
            return Coefficient(self.value + other.value, max(error, large * _LOST))
        return _shortened(self.value + other.value, error)

    def times(self, other: Coefficient) -> Coefficient:
        if not (self.error or other.error):
            return Coefficient(self.value * other.value)
        error = abs(self.value) * other.error + abs(other.value) * self.error + self.error * other.error
        return _shortened(self.value * other.value, error)

    def raised(self, exponent: Rational) -> Coefficient:
        """A power of a positive number, or an integer power of any number but zero."""
        if self == UNIT:
            return self
        r = coefficient(exponent) if isinstance(exponent, float) else Coefficient(Fraction(exponent))
        if r.value.denominator != 1 or r.error:
            above, below = math.isqrt(abs(self.value.numerator)), math.isqrt(self.value.denominator)
            if r.value.denominator == 2 and not (self.error or r.error) and Fraction(above**2, below**2) == self.value:
                return Coefficient(Fraction(above, below)).raised(2 * r.value)
            return self.image(logarithm_of).times(r).image(exponential_of)
        if abs(r.value) * max(self.value.numerator.bit_length(), self.value.denominator.bit_length()) > 2**16:
            return Coefficient(abs(self.value), self.error).image(logarithm_of).times(r).image(exponential_of)
        power = self.value**r.value.numerator
        if not self.error:
            return Coefficient(power)
        return _shortened(power, 2 * abs(r.value * power / self.value) * self.error)

    def image(self, f: Smooth) -> Coefficient:
        """A smooth function at this number; raises `Diverges` where its value is not known."""
        found = image(f, self.value, self.error, _DIGITS)
        if found is None:
            raise Diverges(_TOO_LARGE, known=False)
        return Coefficient(*found)

    def as_number(self) -> int | float:
        """The number as a constant of an expression; raises `Diverges` where it is beyond the doubles."""
        try:
            return rounded(self.value, as_bound(self.error))
        except OverflowError:
            raise Diverges(_TOO_LARGE, known=False) from None


# The digits and the bits of a rounded number, and the ratio of terms whose sum loses the smaller one in them.
_DIGITS, _BITS = 80, 256
_FAR, _LOST = 2**150, Fraction(1, 10**30)


def _shortened(value: Fraction, error: Fraction) -> Coefficient:
    """A number with an error, rounded to `_BITS` bits."""
    return Coefficient(_rounded(value, _BITS), _rounded(error + abs(value) / 2 ** (_BITS - 2), 32, up=1))


def _rounded(q: Fraction, bits: int, up: int = 0) -> Fraction:
    """A number with about so many bits, rounded down, or up where `up` is 1."""
    if not q:
        return q
    shift = bits - abs(q.numerator).bit_length() + q.denominator.bit_length()
    if shift > 0:
        return Fraction((q.numerator << shift) // q.denominator + up, 1 << shift)
    return Fraction((q.numerator // (q.denominator << -shift) + up) << -shift)


def approximate(value: float, error: float) -> Coefficient:
    """A float with this bound on its error; raises `Diverges` where they are not finite."""
    if not (math.isfinite(value) and math.isfinite(error)):
        raise Diverges(_TOO_LARGE, known=False)
    return Coefficient(Fraction(value), Fraction(error))


def coefficient(value: float) -> Coefficient:
    """A constant of an expression: the rational number that is meant, or one that is known up to an error."""
    if isinstance(value, int):
        return Coefficient(Fraction(value))
    if not math.isfinite(value):
        raise Diverges(_TOO_LARGE, known=False)
    if isinstance(value, Rounded):
        return Coefficient(value.exact, Fraction(value.error))
    exact = decimal(value)
    return approximate(value, 3e-16 * abs(value)) if exact is None else Coefficient(exact)


NOUGHT, UNIT = Coefficient(Fraction(0)), Coefficient(Fraction(1))


def _exponent(c: Rational) -> Rational:
    """The exponent as a fraction, or rounded to twelve digits, so that equal exponents are represented equally."""
    if isinstance(c, Fraction):
        if c.denominator < 2**60:
            return c
        near = c.limit_denominator(10**6)
        if abs(near - c) <= CANCELLED:
            return near
    near = Fraction(c).limit_denominator(10**6)
    x = float(c)
    return near if abs(float(near) - x) <= 1e-12 * max(1.0, abs(x)) else float(f"{x:.12g}")


@dataclass(frozen=True)
class Rate:
    """n^a (log n)^b … exp(Σ c · rate): `logs` are a, b, …; `exps` are the pairs (rate, c), where each rate grows."""

    logs: tuple[Rational, ...] = ()
    exps: tuple[tuple[Rate, Rational], ...] = ()

    def times(self, other: Rate, exponent: Rational = Fraction(1)) -> Rate:
        """self · other^exponent."""
        size = max(len(self.logs), len(other.logs))
        a, b = (r.logs + (Fraction(0),) * (size - len(r.logs)) for r in (self, other))
        logs = [_exponent(x + exponent * y) for x, y in zip(a, b, strict=True)]
        while logs and logs[-1] == 0:
            logs.pop()
        exps = dict(self.exps)
        for rate, c in other.exps:
            exps[rate] = _exponent(exps.get(rate, Fraction(0)) + exponent * c)
        kept = tuple(sorted(((r, c) for r, c in exps.items() if c != 0), key=repr))
        return Rate(tuple(logs), kept)

    def raised(self, exponent: Rational) -> Rate:
        return CONSTANT.times(self, exponent)

    def logarithm(self) -> list[tuple[Rate, Rational]]:
        """The logarithm of the rate, a log n + b log log n + … + Σ c · rate, as pairs (rate, coefficient)."""
        return [(iterated_log(k + 1), e) for k, e in enumerate(self.logs) if e != 0] + list(self.exps)


CONSTANT = Rate()


def iterated_log(k: int) -> Rate:
    """log log … n with k logarithms, and n itself for k = 0."""
    return Rate((Fraction(0),) * k + (Fraction(1),))


@lru_cache(maxsize=4096)
def growth(rate: Rate) -> int:
    """1 where the rate tends to ∞, −1 where it tends to 0, and 0 for the constant rate."""
    if not rate.exps:
        first = next((e for e in rate.logs if e != 0), Fraction(0))
        return (first > 0) - (first < 0)
    lead, c = rate.logarithm()[0]
    for other, d in rate.logarithm()[1:]:
        if compare(other, lead) > 0:
            lead, c = other, d
    return 1 if c > 0 else -1


def compare(a: Rate, b: Rate) -> int:
    """1 where a grows faster than b, −1 where it grows slower, and 0 where they are equal."""
    return 0 if a == b else growth(a.times(b, Fraction(-1)))


def faster(a: Rate | None, b: Rate | None) -> Rate | None:
    if a is None or b is None:
        return b if a is None else a
    return a if compare(a, b) >= 0 else b


@dataclass(frozen=True)
class Series:
    """Σ coefficient · rate, the fastest first, plus O(`rest`); `why` is the reason for the remainder."""

    terms: tuple[tuple[Rate, Coefficient], ...]
    rest: Rate | None = None
    why: str = ""

    @property
    def bound(self) -> Rate | None:
        """The fastest rate among the terms and the remainder; None for the zero series."""
        return faster(self.terms[0][0] if self.terms else None, self.rest)

    @property
    def is_zero(self) -> bool:
        return not self.terms and self.rest is None

    def at(self, rate: Rate) -> Coefficient:
        return next((c for r, c in self.terms if r == rate), NOUGHT)

    def leading(self, what: str) -> tuple[Rate, Coefficient]:
        """The leading term of a series that is not zero; raises `Diverges` where only the remainder is left."""
        if not self.terms:
            raise Diverges(f"{what} cannot be determined: {self.why}", known=False)
        return self.terms[0]


ZERO_SERIES = Series(())


def _faster_term(a: tuple[Rate, Coefficient], b: tuple[Rate, Coefficient]) -> int:
    return compare(a[0], b[0])


_SPEED = cmp_to_key(_faster_term)
UNDECIDED = "its leading terms cancel, up to rounding"
_CANCELLED = "its leading terms cancel, and further terms would be needed"


def series_of(terms: Iterable[tuple[Rate, Coefficient]], rest: Rate | None = None, why: str = "") -> Series:
    """The series with sorted terms, without those below the remainder, and with at most `KEPT` of them.

    A term that may be zero is part of the remainder.
    """
    terms = [t for t in terms if not t[1].is_zero]
    for rate, c in terms:
        if c.is_undecided and (rest is None or compare(rate, rest) > 0):
            rest, why = rate, UNDECIDED
    left = [t for t in terms if rest is None or compare(t[0], rest) > 0]
    left.sort(key=_SPEED, reverse=True)
    if len(left) > KEPT:
        rest, why = left[KEPT][0], why or _CANCELLED
        left = left[:KEPT]
    return Series(tuple(left), rest, why if rest is not None else "")


def number(c: Coefficient) -> Series:
    return series_of([(CONSTANT, c)])


ONE_SERIES = number(UNIT)
WIDTH_SERIES = Series(((iterated_log(0), UNIT),))


def unknown(bound: Rate, why: str) -> Series:
    """A series of which only the order is known."""
    return Series((), bound, why)


def plus(*parts: Series) -> Series:
    total: dict[Rate, Coefficient] = {}
    rest: Rate | None = None
    why = ""
    for s in parts:
        for rate, c in s.terms:
            total[rate] = total[rate].plus(c) if rate in total else c
        if s.rest is not None and (rest is None or compare(s.rest, rest) > 0):
            rest, why = s.rest, s.why
    return series_of(total.items(), rest, why)


def scaled(s: Series, c: Coefficient) -> Series:
    if c.is_zero:
        return ZERO_SERIES
    return series_of([(r, x.times(c)) for r, x in s.terms], s.rest, s.why)


def negative(s: Series) -> Series:
    return scaled(s, Coefficient(Fraction(-1)))


def times(a: Series, b: Series) -> Series:
    if a.is_zero or b.is_zero:
        return ZERO_SERIES
    total: dict[Rate, Coefficient] = {}
    for r, c in a.terms:
        for s, d in b.terms:
            rate, product = r.times(s), c.times(d)
            total[rate] = total[rate].plus(product) if rate in total else product
    rest: Rate | None = None
    why = ""
    for one, other in ((a, b), (b, a)):
        if one.rest is not None and other.bound is not None:
            left = one.rest.times(other.bound)
            if rest is None or compare(left, rest) > 0:
                rest, why = left, one.why
    return series_of(total.items(), rest, why)


def split(s: Series, what: str) -> tuple[Rate, Coefficient, Series]:
    """The leading rate and coefficient, and the u → 0 of s = leading · (1 + u)."""
    rate, c = s.leading(what)
    inverse = Series(((rate.raised(Fraction(-1)), c.raised(Fraction(-1))),))
    return rate, c, times(Series(s.terms[1:], s.rest, s.why), inverse)


def compose(coefficients: Sequence[Coefficient], u: Series, ends: bool = False) -> Series:
    """Σ_k coefficient_k u^k for u → 0, plus O(u^K) unless `ends` says that all later coefficients are zero."""
    total = ZERO_SERIES
    power = ONE_SERIES
    for c in coefficients:
        total = plus(total, scaled(power, c))
        power = times(power, u)
        if power.is_zero:
            return total
    if ends or power.bound is None:
        return total
    return plus(total, unknown(power.bound, power.why or _CANCELLED))


def raise_to(s: Series, exponent: Rational, what: str) -> Series:
    """s^exponent, by the binomial series."""
    if s.is_zero:
        if exponent > 0:
            return ZERO_SERIES
        raise Diverges("division by zero")
    whole = exponent == int(exponent)
    if not s.terms and exponent > 0 and s.rest is not None and whole:
        return unknown(s.rest.raised(exponent), s.why)
    rate, c, u = split(s, f"whether `{what}` is zero")
    if c.value < 0 and not whole:
        raise Diverges("no real value")
    r = coefficient(exponent) if isinstance(exponent, float) else Coefficient(exponent)
    binomial, value = [], UNIT
    for k in range(KEPT):
        binomial.append(value)
        value = value.times(r.plus(Coefficient(Fraction(-k)))).times(Coefficient(Fraction(1, k + 1)))
    ends = whole and 0 <= exponent < KEPT
    head = Series(((rate.raised(exponent), c.raised(exponent)),))
    return times(head, compose(binomial, u, ends))


def logarithm(s: Series, what: str) -> Series:
    if s.is_zero:
        raise Diverges("log of zero")
    rate, c, u = split(s, f"whether `{what}` is positive")
    if c.value < 0:
        raise Diverges("no real value")
    head = NOUGHT if c == UNIT else c.image(logarithm_of)
    grown = [(r, Coefficient(e) if isinstance(e, Fraction) else coefficient(e)) for r, e in rate.logarithm()]
    small = [Coefficient(Fraction((-1) ** (k + 1), k)) if k else NOUGHT for k in range(KEPT)]
    return plus(Series(()), series_of(grown), number(head), compose(small, u))


def exponential(s: Series, what: str) -> Series:
    growing = [(r, c) for r, c in s.terms if growth(r) > 0]
    if s.rest is not None and growth(s.rest) > 0:
        raise Diverges(f"the size of `{what}` cannot be determined: {s.why}", known=False)
    rate = CONSTANT
    for r, c in growing:
        k = next((i for i, e in enumerate(r.logs) if e != 0), 0)
        if k >= 1 and r == iterated_log(k):
            rate = rate.times(iterated_log(k - 1), c.value)  # exp(c log n) = n^c
        else:
            rate = rate.times(Rate((), ((r, _exponent(c.value)),)))
    if s.rest == CONSTANT:
        return unknown(rate, s.why)
    c = s.at(CONSTANT)
    head = UNIT if c.is_zero else c.image(exponential_of)
    small = Series(tuple(t for t in s.terms if growth(t[0]) < 0), s.rest, s.why)
    factorials = [Coefficient(Fraction(1, math.factorial(k))) for k in range(KEPT)]
    return times(Series(((rate, head),)), compose(factorials, small))


def rate_text(rate: Rate) -> str:
    """A rate as text for messages: `n log n`, `√n`, `exp(2 n)`."""
    parts = []
    for k, e in enumerate(rate.logs):
        name = "n" if k == 0 else "log " * k + "n"
        if e == 0:
            continue
        if e == 1:
            parts.append(name)
        elif abs(e) == Fraction(1, 2) and k == 0:
            parts.append("√n" if e > 0 else "1/√n")
        else:
            base = name if k == 0 else f"({name})"
            parts.append(f"{base}^{float(e):g}" if e > 0 else f"{base}^({float(e):g})")
    inside = " + ".join(rate_text(r) if c == 1 else f"{float(c):g} {rate_text(r)}" for r, c in rate.exps)
    if inside:
        parts.append(f"exp({inside})")
    return " ".join(parts) or "1"

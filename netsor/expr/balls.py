"""Real numbers in many digits, in decimal arithmetic with bounds on the errors: sums, powers, smooth functions.

A sum whose terms cancel in all of its digits is taken to be 0, as in √2 √2 − 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_GUARD = 10
# Numbers beyond 10 to this power, or below its inverse, are not known.
_LONGEST = 2000
_NOUGHT = Decimal(0)
# A difference whose error is at most this part of its terms, and which is not larger than the error, is 0.
CANCELLED = Fraction(1, 10**40)
_CANCELLED = Decimal("1e-40")
# Bounds on errors need few digits, and are rounded upwards.
_UPWARDS = Context(prec=6, rounding=ROUND_CEILING, Emin=-(10**9), Emax=10**9)


class Undecided(Exception):
    """A constant has no value, or more digits are needed than are computed."""


class Ball(NamedTuple):
    """A real number within `error` of `value`; exact where the error is 0."""

    value: Decimal
    error: Decimal = _NOUGHT


class Known(NamedTuple):
    """A number: a rational number within `error` of it."""

    value: Fraction
    error: Fraction


def _up(*factors: Decimal) -> Decimal:
    out = Decimal(1)
    for f in factors:
        out = _UPWARDS.multiply(out, abs(f))
    return out


class Arithmetic:
    """Arithmetic with a number of digits, in the context of `arithmetic`."""

    def __init__(self, digits: int):
        self.unit = Decimal(10) ** -digits

    def rational(self, q: Fraction) -> Ball:
        value = Decimal(q.numerator) / q.denominator
        return Ball(value) if Fraction(value) == q else self.rounded(value)

    def within(self, value: Fraction, error: Fraction) -> Ball:
        """A number that is known up to an error."""
        u = self.rational(value)
        if not error:
            return u
        return self.rounded(u.value, _UPWARDS.add(u.error, _UPWARDS.divide(error.numerator, error.denominator)))

    @property
    def pi(self) -> Ball:
        """Machin's formula, 16 atan(1/5) − 4 atan(1/239)."""
        return self.rounded(16 * _small_arctangent(Decimal(1) / 5) - 4 * _small_arctangent(Decimal(1) / 239))

    def rounded(self, value: Decimal, error: Decimal = _NOUGHT) -> Ball:
        """A number that was rounded, after an error that it had before."""
        error = _UPWARDS.add(error, _up(value, self.unit))
        if abs(value) > error:
            return Ball(+value, error)
        if error > _CANCELLED:
            raise Undecided
        return Ball(_NOUGHT)

    def sum(self, parts: Sequence[Ball]) -> Ball:
        """The sum; 0 where no digit is left of it, although its terms had all their digits."""
        total = sum((p.value for p in parts), _NOUGHT)
        size = max((abs(p.value) for p in parts), default=_NOUGHT)
        error = _NOUGHT
        for p in parts:
            error = _UPWARDS.add(error, p.error)
        exact = error == 0 and sum((Fraction(p.value) for p in parts), Fraction(0)) == Fraction(total)
        if exact:
            return Ball(total)
        error = _UPWARDS.add(error, _up(size, self.unit))
        if abs(total) > error:
            return Ball(total, error)
        if error > size * _CANCELLED:
            raise Undecided
        return Ball(_NOUGHT)

    def product(self, a: Ball, b: Ball) -> Ball:
        value = a.value * b.value
        if not (a.error or b.error) and Fraction(a.value) * Fraction(b.value) == Fraction(value):
            return Ball(value)
        error = _UPWARDS.add(_up(a.error, b.value), _up(b.error, a.value))
        return self.rounded(value, _UPWARDS.add(error, _up(a.error, b.error)))

    def power(self, base: Ball, exponent: Ball) -> Ball:
        b, r = base.value, exponent.value
        whole = not exponent.error and r == r.to_integral_value()
        if b == 0:
            if r <= 0:
                raise Undecided
            return base
        if whole and abs(r) < 10**6:
            value = abs(b) ** int(r) * (-1 if b < 0 and int(r) % 2 else 1)
        elif b < 0:
            raise Undecided
        elif r == Decimal("0.5") and not exponent.error:
            value = b.sqrt()
        else:
            return self.exp(self.product(exponent, self.log(base)))
        if not base.error and whole and r > 0 and Fraction(b) ** int(min(r, Decimal(64))) == Fraction(value):
            return Ball(value)
        if not base.error and value * value == b and r == Decimal("0.5") and Fraction(value) ** 2 == Fraction(b):
            return Ball(value)
        return self.rounded(value, _up(value, r, base.error, 2 / b) + _up(value, self.unit))

    def exp(self, u: Ball) -> Ball:
        return self._image(u, u.value.exp(), u.value.exp())

    def log(self, u: Ball) -> Ball:
        if u.value <= 0:
            raise Undecided
        return self._image(u, u.value.ln(), 1 / u.value)

    def _image(self, u: Ball, value: Decimal, slope: Decimal) -> Ball:
        """f(u) by its value and its slope, which varies by less than a factor of two over the ball."""
        if value == 0 and not u.error:
            return Ball(_NOUGHT)
        return self.rounded(value, _up(slope, u.error, Decimal(2)))


Smooth = Callable[[Arithmetic, Ball], Ball]


@contextmanager
def arithmetic(digits: int) -> Iterator[Arithmetic]:
    """The arithmetic; within it, what has no value raises `Undecided` or ArithmeticError."""
    context = Context(prec=digits + _GUARD, Emin=-(10**9), Emax=10**9)
    for trap in (InvalidOperation, DivisionByZero, Overflow):
        context.traps[trap] = True
    with localcontext(context):
        yield Arithmetic(digits)


def known(x: Ball) -> Known:
    """The same number as fractions; raises `Undecided` where they would be too long."""
    if x.value and abs(x.value.adjusted()) >= _LONGEST:
        raise Undecided
    return Known(Fraction(x.value), Fraction(x.error))


@lru_cache(maxsize=1024)
def image(f: Smooth, value: Fraction, error: Fraction, digits: int) -> Known | None:
    """A smooth function at a number that is known up to an error; None where it has no value."""
    try:
        with arithmetic(digits) as at:
            return known(f(at, at.within(value, error)))
    except (Undecided, ArithmeticError, ValueError):
        return None


def exponential(at: Arithmetic, u: Ball) -> Ball:
    return at.exp(u)


def logarithm(at: Arithmetic, u: Ball) -> Ball:
    return at.log(u)


def sigmoid(at: Arithmetic, u: Ball) -> Ball:
    """1/(1 + e^{−u})."""
    return at.power(at.sum([Ball(Decimal(1)), at.exp(Ball(-u.value, u.error))]), Ball(Decimal(-1)))


def tanh(at: Arithmetic, u: Ball) -> Ball:
    """(e^{2u} − 1)/(e^{2u} + 1)."""
    if u.value == 0:
        return u
    square = at.exp(Ball(2 * u.value, 2 * u.error))
    above, below = (at.sum([square, Ball(Decimal(s))]) for s in (-1, 1))
    return at.product(above, at.power(below, Ball(Decimal(-1))))


def softplus(at: Arithmetic, u: Ball) -> Ball:
    return at.log(at.sum([Ball(Decimal(1)), at.exp(u)]))


def erf(at: Arithmetic, u: Ball) -> Ball:
    """2/√π e^{−u²} Σ 2^k u^{2k+1}/(2k+1)!!, whose terms have one sign (Abramowitz & Stegun 7.1.6)."""
    x = u.value
    if x == 0:
        return u
    least = abs(x) - u.error
    # erfc x ≤ e^{−x²}, where the sum would have as many terms as x².
    if least > 0 and (rest := (-least * least).exp()) < at.unit:
        return at.rounded(Decimal(1).copy_sign(x), _up(rest, Decimal(2)))
    term, total, k = x, x, 0
    while abs(term) > abs(total) * at.unit / 100:
        k += 1
        term *= 2 * x * x / (2 * k + 1)
        total += term
    pi = at.pi
    value = 2 * total * (-x * x).exp() / pi.value.sqrt()
    slope = (-x * x).exp() * 2
    return at.rounded(value, _UPWARDS.add(_up(slope, u.error, Decimal(2)), _up(value, at.unit, Decimal(10))))


def normal(at: Arithmetic, u: Ball) -> Ball:
    """(1 + erf(u/√2))/2."""
    root = at.power(Ball(Decimal("0.5")), Ball(Decimal("0.5")))
    return at.product(Ball(Decimal("0.5")), at.sum([Ball(Decimal(1)), erf(at, at.product(u, root))]))


def sine(at: Arithmetic, u: Ball, shift: int = 0) -> Ball:
    """sin(u + shift π/2), by the Taylor series at the distance from the nearest multiple of π/2."""
    if u.value == 0 and not shift % 2:
        return Ball(_NOUGHT)
    half = at.product(at.pi, Ball(Decimal("0.5")))
    k = int((u.value / half.value).to_integral_value())
    r = u if k == 0 else at.sum([u, at.product(Ball(Decimal(-k)), half)])
    turn = (k + shift) % 4
    x = r.value
    term, start = (x, 1) if turn % 2 == 0 else (Decimal(1), 0)
    total, j = term, start
    while term and abs(term) > abs(total) * at.unit / 100:
        term *= -x * x / ((j + 1) * (j + 2))
        j += 2
        total += term
    if total == 0:
        return Ball(_NOUGHT)
    value = -total if turn >= 2 else total
    if r.value == 0 and not r.error:
        return Ball(value)
    return at.rounded(value, _UPWARDS.add(_up(r.error, Decimal(2)), _up(value, at.unit)))


def cosine(at: Arithmetic, u: Ball) -> Ball:
    return sine(at, u, 1)


def tangent(at: Arithmetic, u: Ball) -> Ball:
    return at.product(sine(at, u), at.power(cosine(at, u), Ball(Decimal(-1))))


def arctangent(at: Arithmetic, u: Ball) -> Ball:
    """atan u, with atan u = 2 atan(u/(1 + √(1 + u²))) until the argument is small."""
    x, doubled = u.value, 0
    if x == 0:
        return u
    while abs(x) > Decimal("0.01"):
        x = x / (1 + (1 + x * x).sqrt())
        doubled += 1
    value = _small_arctangent(x) * 2**doubled
    return at.rounded(value, _UPWARDS.add(_up(u.error, 2 / (1 + u.value**2)), _up(value, at.unit)))


def _small_arctangent(x: Decimal) -> Decimal:
    """Σ (−1)^k x^{2k+1}/(2k+1) in the digits of the context."""
    power, total, k = x, x, 0
    while True:
        k += 1
        power *= -x * x
        before, total = total, total + power / (2 * k + 1)
        if total == before:
            return total

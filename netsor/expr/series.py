"""The asymptotic series of functions at a series in the width, for the entries of `netsor.expr.functions`."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from netsor.expr import balls
from netsor.expr.growth import (
    CONSTANT,
    KEPT,
    NOUGHT,
    ONE_SERIES,
    UNIT,
    Coefficient,
    Diverges,
    Series,
    coefficient,
    compose,
    exponential,
    growth,
    logarithm,
    negative,
    number,
    plus,
    raise_to,
    rate_text,
    scaled,
    times,
    unknown,
)

# Stands between the function and its argument in the reason that a series of an oscillating function has no limit.
OSCILLATES = " of "


@lru_cache(maxsize=1)
def root_of_pi() -> Coefficient:
    return UNIT.image(balls.arctangent).times(Coefficient(Fraction(4))).raised(Fraction(1, 2))


def about_limit(u: Series, text: str) -> tuple[Coefficient, Series]:
    """The limit c and v → 0 of u = c + v; raises `Diverges` where u is not known to converge."""
    if u.rest is not None and growth(u.rest) >= 0:
        raise Diverges(u.why, known=False)
    c = u.at(CONSTANT)
    return c, Series(tuple(t for t in u.terms if t[0] != CONSTANT), u.rest, u.why)


def grows(u: Series) -> int:
    """1 or −1 where u tends to ±∞, else 0."""
    if not u.terms or growth(u.terms[0][0]) <= 0:
        return 0
    return 1 if u.terms[0][1].value > 0 else -1


def turned(f: Callable[[Series, str], Series], u: Series, end: float, text: str) -> Series:
    """f(u), or its limit `end` with the remainder O(1/u) where u grows and f has no expansion."""
    try:
        return f(u, text)
    except Diverges:
        if not grows(u):
            raise
        why = f"only the limit of `{text}` is known"
        return plus(number(coefficient(end)), unknown(u.terms[0][0].raised(Fraction(-1)), why))


def sigmoid(u: Series, text: str) -> Series:
    """1/(1 + e^{−u})."""
    whole = lambda v, t: raise_to(plus(ONE_SERIES, exponential(negative(v), t)), Fraction(-1), t)  # noqa: E731
    return turned(whole, u, 1.0 if grows(u) > 0 else 0.0, text)


def tanh(u: Series, text: str) -> Series:
    """2 σ(2u) − 1."""
    two = Coefficient(Fraction(2))
    return plus(scaled(sigmoid(scaled(u, two), text), two), negative(ONE_SERIES))


def softplus(u: Series, text: str) -> Series:
    return logarithm(plus(ONE_SERIES, exponential(u, text)), text)


def wave(u: Series, text: str, name: str, k: int) -> Series:
    """The k-th derivative of sin at u, from its Taylor series; derivatives of sin repeat with period four."""
    if grows(u):
        return unknown(CONSTANT, f"{name}{OSCILLATES}{rate_text(u.terms[0][0])}")
    c, v = about_limit(u, text)
    if c.is_zero:
        cycle = [NOUGHT, UNIT, NOUGHT, Coefficient(Fraction(-1))]
    else:
        sine, cosine = c.image(balls.sine), c.image(balls.cosine)
        cycle = [sine, cosine, sine.times(Coefficient(Fraction(-1))), cosine.times(Coefficient(Fraction(-1)))]
    return compose([cycle[(k + j) % 4].times(Coefficient(Fraction(1, math.factorial(j)))) for j in range(KEPT)], v)


def arctangent(u: Series, text: str) -> Series:
    if sign := grows(u):
        # atan u = ±π/2 − atan(1/u)
        end = UNIT.image(balls.arctangent).times(Coefficient(Fraction(2 * sign)))
        return plus(number(end), negative(arctangent(raise_to(u, Fraction(-1), text), text)))
    c, v = about_limit(u, text)
    if not c.is_zero:
        # atan(c + v) = atan c + atan(v / (1 + c² + c v))
        below = plus(number(UNIT.plus(c.times(c))), scaled(v, c))
        turned = arctangent(times(v, raise_to(below, Fraction(-1), text)), text)
        return plus(number(c.image(balls.arctangent)), turned)
    odd = [Coefficient(Fraction((-1) ** (k // 2), k)) if k % 2 else NOUGHT for k in range(KEPT)]
    return compose(odd, v)


def erf(u: Series, text: str) -> Series:
    if sign := grows(u):
        rest = turned(lambda v, t: complement(v, t), scaled(u, Coefficient(Fraction(sign))), 0.0, text)
        return scaled(plus(ONE_SERIES, negative(rest)), Coefficient(Fraction(sign)))
    c, v = about_limit(u, text)
    # erf'(x + t) = 2/√π e^{−x²} e^{−2xt − t²}; for the coefficients of the last factor k g_k = −2x g_{k−1} − 2 g_{k−2}.
    x = NOUGHT if c.is_zero else c.times(Coefficient(Fraction(-2)))
    g = [UNIT, x]
    for k in range(2, KEPT):
        both = x.times(g[k - 1]).plus(g[k - 2].times(Coefficient(Fraction(-2))))
        g.append(both.times(Coefficient(Fraction(1, k))))
    square = x.times(x).times(Coefficient(Fraction(-1, 4)))
    front = root_of_pi().raised(Fraction(-1)).times(Coefficient(Fraction(2)))
    front = front if square.is_zero else front.times(square.image(balls.exponential))
    value = NOUGHT if c.is_zero else c.image(balls.erf)
    return compose([value, *(front.times(g[k]).times(Coefficient(Fraction(1, k + 1))) for k in range(KEPT - 1))], v)


def complement(u: Series, text: str) -> Series:
    """erfc(u) ~ e^{−u²}/(u√π) Σ_k (−1)^k (2k−1)!!/(2u²)^k for u → ∞ (Abramowitz & Stegun 7.1.23)."""
    square = times(u, u)
    odd = [Fraction(1)]
    for k in range(1, KEPT):
        odd.append(-odd[-1] * (2 * k - 1) / 2)
    tail = compose([Coefficient(q) for q in odd], raise_to(square, Fraction(-1), text))
    front = scaled(raise_to(u, Fraction(-1), text), root_of_pi().raised(Fraction(-1)))
    return times(times(exponential(negative(square), text), front), tail)


def normal(u: Series, text: str) -> Series:
    """Φ(u) = (1 + erf(u/√2))/2, and erfc(−u/√2)/2 for u → −∞, where the first form would cancel."""
    half = Coefficient(Fraction(1, 2))
    v = scaled(u, half.raised(half.value))
    if grows(u) < 0:
        return scaled(turned(complement, negative(v), 0.0, text), half)
    return scaled(plus(ONE_SERIES, erf(v, text)), half)

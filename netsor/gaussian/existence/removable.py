"""Zeros of divisors at which an integrand is bounded and smooth on both sides, as sin u / u is at 0."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from netsor.expr import Const, Expr, Sym, mul
from netsor.expr.asymptotics import Diverges, series_along
from netsor.expr.growth import Coefficient, Series, coefficient, growth, number, plus
from netsor.gaussian.existence.rational_basis import STEP, multiple
from netsor.gaussian.symbolic.structure import affine


@lru_cache(maxsize=4096)
def is_removable(factors: tuple[Expr, ...], forms: tuple[Sym, ...], at: Expr) -> bool:
    """Whether the product of factors has on either side of {at = 0} a series in powers 0, 1, 2, … of the distance.

    This is decided beside a generic point of the plane, in exact numbers; False where they are not known.
    """
    e = mul(*factors)
    parts = affine(at, frozenset(forms))
    if parts is None or not parts[0] or not e.free <= frozenset(forms):
        return False
    coefficients = {s: q for s, c in parts[0].items() if (q := _exact(c))}
    constant = _exact(parts[1])
    if constant is None or len(coefficients) < len(parts[0]):
        return False
    moving = next(iter(coefficients))
    # Fractions with a prime denominator, at which nothing else is likely to vanish.
    point = {s: Fraction(89 + 31 * i, 97) for i, s in enumerate(forms)}
    rest = sum((c * point[s] for s, c in coefficients.items() if s is not moving), constant)
    point[moving] = -rest / coefficients[moving]
    return all(_is_smooth_beside(e, moving, point, side) for side in (1, -1))


def _exact(c: Expr) -> Fraction | None:
    found = coefficient(c.value) if isinstance(c, Const) else None
    return None if found is None or found.error else Fraction(found.value)


def _is_smooth_beside(e: Expr, moving: Sym, point: dict[Sym, Fraction], side: int) -> bool:
    there: dict[Sym, Series] = {s: number(Coefficient(q)) for s, q in point.items()}
    there[moving] = plus(there[moving], multiple(Fraction(side), STEP))
    try:
        found = series_along(e, there)
    except (Diverges, KeyError, OverflowError, RecursionError):
        return False
    bound = found.bound
    if bound is not None and growth(bound) > 0:
        return False
    # In powers of the distance alone, without exponentials and iterated logarithms of it.
    return all(
        not rate.exps
        and all(isinstance(k, Fraction) and k.denominator == 1 for k in rate.logs[:1])
        and len(rate.logs) <= 1
        for rate, _ in found.terms
    )

"""Zeros of divisors at which an integrand is bounded and smooth on both sides, as sin u / u is at 0."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from netsor.expr import ZERO, Const, Expr, Mul, Pow, Sym, add, canonical, evaluate, mul, postorder, substitute
from netsor.expr.asymptotics import Diverges, series_along
from netsor.expr.build import neg, power
from netsor.expr.cases import is_kinked
from netsor.expr.differentiate import diff
from netsor.expr.growth import Coefficient, Series, coefficient, growth, number, plus
from netsor.expr.nodes import MINUS_ONE
from netsor.gaussian.existence.rational_basis import STEP, multiple
from netsor.gaussian.symbolic.structure import affine

# An affine form and its terms: (variable, coefficient).
Listed = tuple[Sym, tuple[tuple[Sym, Expr], ...]]
# The highest order of a zero that is looked for.
_ORDERS = 6


@lru_cache(maxsize=4096)
def is_removable(factors: tuple[Expr, ...], forms: tuple[Listed, ...], at: Expr) -> bool:
    """Whether the product of factors has on either side of {at = 0} a series in powers 0, 1, 2, … of the distance.

    This is decided beside a generic point of the plane, in exact numbers, or by the orders of the zeros of analytic
    factors; False where neither is known. `forms` are the affine forms that the factors are written in, as sums over
    the variables.
    """
    e = mul(*factors)
    known = tuple(s for s, _ in forms)
    parts = affine(at, frozenset(known))
    if parts is None or not parts[0] or not e.free <= frozenset(known):
        return False
    coefficients = {s: q for s, c in parts[0].items() if (q := _exact(c))}
    constant = _exact(parts[1])
    if constant is None or len(coefficients) < len(parts[0]):
        return False
    moving = next(iter(coefficients))
    # Fractions with a prime denominator, at which nothing else is likely to vanish.
    point = {s: Fraction(89 + 31 * i, 97) for i, s in enumerate(known)}
    rest = sum((c * point[s] for s, c in coefficients.items() if s is not moving), constant)
    point[moving] = -rest / coefficients[moving]
    return all(_is_smooth_beside(e, moving, point, side) for side in (1, -1)) or _is_filled_in(e, forms, at)


def _is_filled_in(e: Expr, forms: tuple[Listed, ...], at: Expr) -> bool:
    """Whether the zeros of analytic factors on the plane have orders that add up to no pole.

    The derivatives on the plane are symbolic: in a series about a point the difference of two rounded numbers does not
    cancel, as in exp(u) − exp(w).
    """
    written = {s: add(*(mul(c, x) for x, c in items)) for s, items in forms}
    e, at = canonical(substitute(e, written)), canonical(substitute(at, written))
    variables = tuple(dict.fromkeys(x for _, items in forms for x, _ in items))
    parts = affine(at, frozenset(variables))
    if parts is None or not parts[0] or any(is_kinked(node) for node in postorder(e)):
        return False
    moving, slope = next(iter(parts[0].items()))
    place = canonical(mul(power(slope, MINUS_ONE), add(mul(slope, moving), neg(at))))
    order = _order(e, moving, place, {s: (89 + 31 * i) / 97 for i, s in enumerate(variables)})
    return order is not None and order >= 0


def _order(e: Expr, moving: Sym, place: Expr, point: dict[Sym, float]) -> int | None:
    """The order of the zero (or, negative, of the pole) that an analytic function has on {moving = place}."""
    match e:
        case Mul():
            orders = [_order(f, moving, place, point) for f in e.children]
            return None if None in orders else sum(k for k in orders if k is not None)
        case Pow(exponent=Const(value=r)):
            base = _order(e.base, moving, place, point)
            total = None if base is None else r * base
            return int(total) if total is not None and total == int(total) else None
    for order in range(_ORDERS):
        there = canonical(substitute(e, {moving: place}))
        if there is not ZERO:
            value = evaluate(there, point)
            return order if math.isfinite(value) and value else None
        e = diff(e, moving)
    return None


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

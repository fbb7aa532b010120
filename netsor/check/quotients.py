"""Quotients that are pseudo-Lipschitz though a divisor vanishes: t/(e^t − 1), (φ(a) − φ(b))/(a − b), ab/(|a| + |b|)."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check.removable import value_at_zero
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    ZERO,
    Add,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    diff,
    evaluate,
    mul,
    neg,
    postorder,
    signs,
    substitute,
)
from netsor.expr.asymptotics import width_limit
from netsor.expr.build import power
from netsor.expr.differences import is_smooth
from netsor.expr.functions import TooSingular
from netsor.expr.growth import Diverges
from netsor.expr.intervals import infer_range

_HIGHEST = 6
# A function that times this power of its argument tends to 0 is polynomially bounded.
_DEGREE = -24


def is_divisor(e: Expr) -> bool:
    return isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value < 0


def beside_monotone_quotient(factors: Sequence[Expr]) -> list[Expr] | None:
    """The factors beside f(t)/g(t)^k with smooth f and g, g' of one sign, f of order t^k or more at g's zero t = 0.

    Such a quotient is smooth, and pseudo-Lipschitz if its derivative is polynomially bounded at ±∞, which the series
    of the derivative decides there. None where there is no such quotient.
    """
    for d in factors:
        if is_divisor(d) and len(d.children[0].free) == 1:
            (t,) = d.children[0].free
            mine = [x for x in factors if x.free <= {t}]
            if isinstance(t, Sym) and _is_monotone_quotient(mine, d, t):
                return [x for x in factors if x not in mine]
    return None


def _is_monotone_quotient(factors: Sequence[Expr], divisor: Expr, t: Sym) -> bool:
    assert isinstance(divisor, Pow) and isinstance(divisor.exponent, Const)
    whole, f = mul(*factors), mul(*(x for x in factors if x is not divisor))
    g, k = divisor.base, -divisor.exponent.value
    if not isinstance(k, int) or k > _HIGHEST or not is_smooth(f) or not is_smooth(g) or evaluate(g, {t: 0.0}) != 0:
        return False
    try:
        slope = diff(g, t)
        if not (signs.is_positive(slope) or signs.is_positive(canonical(neg(slope)))):
            return False
        if t not in f.free or value_at_zero(f, k, t) is None:
            return False
        steep = diff(whole, t)
        ends = [mul(substitute(steep, {t: end}), power(WIDTH, Const(_DEGREE))) for end in (WIDTH, neg(WIDTH))]
        return all(width_limit(canonical(e)) == 0 for e in ends)
    except (Diverges, TooSingular):
        return False


def slope_of_difference(factors: Sequence[Expr]) -> Expr | None:
    """∂N/∂a for N(a, b)/(a − b) with a smooth N that vanishes for a = b.

    The quotient is ∫₀¹ ∂N/∂a(b + s(a − b), b) ds: it has the bounds of ∂N/∂a, and so have its derivatives.
    """
    for d in factors:
        if not (isinstance(d, Pow) and isinstance(d.exponent, Const) and d.exponent.value == -1):
            continue
        ends = sorted(d.base.free, key=lambda s: s.digest)
        if len(ends) != 2 or d.base not in (add(ends[0], neg(ends[1])), add(ends[1], neg(ends[0]))):
            continue
        top = mul(*(x for x in factors if x is not d))
        a, b = ends
        if not is_smooth(top) or canonical(substitute(top, {a: b})) is not ZERO:
            continue
        return diff(top, a)
    return None


def is_homogeneous_quotient(factors: Sequence[Expr]) -> bool:
    """A quotient of degree 1 or more in its variables together, whose divisors vanish only where all of them do.

    It is Lipschitz on the unit sphere, and therefore pseudo-Lipschitz.
    """
    whole = mul(*factors)
    degree = _degree(whole)
    if degree is None or degree < 1 or len(whole.free) < 2:
        return False
    for x in factors:
        if is_divisor(x):
            if not _vanishes_at_zero_alone(x.children[0], whole.free):
                return False
        elif not _is_lipschitz_on_spheres(x):
            return False
    return True


def _degree(root: Expr) -> float | None:
    """k with f(c u, c v, …) = c^k f(u, v, …) for c > 0; None where there is none."""
    done: dict[Expr, float | None] = {}
    for node in postorder(root):
        kids = [done[c] for c in node.children]
        found: float | None = None
        match node:
            case Const():
                found = 0.0
            case Sym():
                found = 1.0 if node is not WIDTH else None
            case _ if any(k is None for k in kids):
                found = None
            case Add():
                found = kids[0] if len(set(kids)) == 1 else None
            case Mul():
                found = sum(k for k in kids if k is not None)
            case Pow(exponent=Const(value=k)) if kids[0] is not None:
                found = kids[0] * float(k)
            case Call() if FUNCTIONS[node.fn].degree is not None and len(set(kids)) == 1:
                found = FUNCTIONS[node.fn].degree * kids[0]  # type: ignore[operator]
        done[node] = found
    return done[root]


def _vanishes_at_zero_alone(base: Expr, symbols: frozenset[Expr]) -> bool:
    """A sum of terms that are not negative, among them a power of the modulus of each symbol."""
    if isinstance(base, Pow) and isinstance(base.exponent, Const) and base.exponent.value > 0:
        return _vanishes_at_zero_alone(base.base, symbols)
    if not isinstance(base, Add) or any(infer_range(c, {})[0] < 0 for c in base.children):
        return False
    alone = {c.free for c in base.children if len(c.free) == 1}
    return all(frozenset({s}) in alone for s in symbols)


def _is_lipschitz_on_spheres(e: Expr) -> bool:
    for node in postorder(e):
        if isinstance(node, Pow):
            k = node.exponent.value if isinstance(node.exponent, Const) else 0
            if not (k >= 1 and (isinstance(k, int) or infer_range(node.base, {})[0] >= 0)):
                return False
        elif (
            isinstance(node, Call)
            and not FUNCTIONS[node.fn].lipschitz
            or not isinstance(node, (Pow, Call, Sym, Const, Add, Mul))
        ):
            return False
    return True

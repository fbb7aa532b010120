"""f(u) − f(w) and u^k − w^k as products with a factor that vanishes where u = w does: e^u − 1 = (e^u + 1) tanh(u/2).

log(1 + q) is such a difference too. Such a factor has a relative error of rounding beside its zeros, where the
difference has an absolute one, and it shows where a divisor vanishes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeGuard

from netsor.expr.build import add, mul, neg, power, with_children
from netsor.expr.canonical import canonical
from netsor.expr.functions import FUNCTIONS, is_log, log
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import HALF, MINUS_ONE, ONE, TWO, ZERO, Add, Call, Const, Expr, Pow, postorder, split_coefficient
from netsor.expr.positive import log_of_sum

THREE = Const(3)
_DIFFERENCES = frozenset(name for name, entry in FUNCTIONS.items() if entry.difference is not None)


@lru_cache(maxsize=20_000)
def with_differences_factored(root: Expr) -> Expr:
    """The canonical expression with these differences as products, if something is divided by what may vanish.

    Differences of powers are replaced only where they are divided by, or under a logarithm or a root.
    """
    below = {part for node in postorder(root) if (inner := _vanishing(node)) is not None for part in postorder(inner)}
    if not below:
        return root
    made: dict[Expr, Expr] = {}
    for node in postorder(root):
        new = with_children(node, tuple(made[c] for c in node.children))
        if isinstance(new, Add) and len(new.children) == 2:
            rules = (_of_functions, _of_roots, *([_of_powers] if node in below else []))
            new = next((product for rule in rules if (product := rule(new)) is not None), new)
        elif isinstance(new, Call) and is_log(new):
            new = _near_one(new)
        made[node] = new
    return canonical(made[root])


def _vanishing(node: Expr) -> Expr | None:
    """u in log u and in u^k for k that is no natural number, where u is a sum, or has one inside, and may be 0."""
    if isinstance(node, Call) and is_log(node):
        inner = node.children[0]
    elif isinstance(node, Pow) and not (isinstance(node.exponent, Const) and _is_natural(node.exponent.value)):
        inner = node.base
    else:
        return None
    return inner if inner.free and infer_range(inner, {})[0] <= 0 else None


def _near_one(e: Call) -> Expr:
    """log(1 + q) as log(e⁰ + e^{log q}) for q ≥ 0, which is log 1 in floating point where q is small."""
    u = e.children[0]
    if not isinstance(u, Add) or u.children[0] is not ONE:
        return e
    q = add(*u.children[1:])
    return log_of_sum((ZERO, log(q))) if q.free and infer_range(q, {})[0] >= 0 else e


def _is_natural(k: float) -> bool:
    return isinstance(k, int) and k >= 0


def _of_functions(e: Add) -> Expr | None:
    """m f(u) − m f(w), or m f(u) − m f(0)."""
    (m, f), (k, g) = map(split_coefficient, e.children)
    if g is ONE:
        (m, f), (k, g) = (k, g), (m, f)
    if f is ONE:
        m, f, k, g = k, g, m, f
    if not isinstance(f, Call) or f.fn not in _DIFFERENCES:
        return None
    entry = FUNCTIONS[f.fn]
    assert entry.difference is not None
    if g is ONE and k + m * entry.value(0.0) == 0:
        other: Expr = ZERO
    elif isinstance(g, Call) and g.fn == f.fn and k == -m:
        other = g.children[0]
    else:
        return None
    return mul(Const(m), entry.difference(f.children[0], other))


def _of_roots(e: Add) -> Expr | None:
    """m √u − m √w, or m √u − k, as m (u − w)/(√u + √w)."""
    (m, f), (k, g) = map(split_coefficient, e.children)
    if f is ONE:
        m, f, k, g = k, g, m, f
    if not _is_root(f) or not (g is ONE or _is_root(g) and k == -m):
        return None
    ratio = -k / m
    if ratio < 0 or ratio * m != -k:
        return None
    apart = canonical(add(f.base, neg(g.base if _is_root(g) else Const(ratio * ratio))))
    root = g if _is_root(g) else Const(ratio)
    product = _of_powers(apart) if isinstance(apart, Add) and len(apart.children) == 2 else None
    return mul(Const(m), apart if product is None else product, power(add(f, root), MINUS_ONE))


def _is_root(e: Expr) -> TypeGuard[Pow]:
    return isinstance(e, Pow) and e.exponent is HALF


def _of_powers(e: Add) -> Expr | None:
    """(s u)² − (r w)² as a product, for numbers s and r whose squares are exact, and u³ − w³."""
    (m, f), (k, g) = map(split_coefficient, e.children)
    if not (isinstance(f, Pow) and isinstance(g, Pow) and f.exponent is g.exponent) or m * k >= 0:
        return None
    u, w = f.base, g.base
    if f.exponent is THREE and k == -m:
        return mul(Const(m), add(u, neg(w)), add(power(u, TWO), mul(u, w), power(w, TWO)))
    s, r = math.sqrt(abs(m)), math.sqrt(abs(k))
    if f.exponent is TWO and (s * s, r * r) == (abs(m), abs(k)):
        u, w = mul(Const(s), u), mul(Const(r), w)
        return mul(Const(math.copysign(1, m)), add(u, neg(w)), add(u, w))
    return None

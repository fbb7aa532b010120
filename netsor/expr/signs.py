"""The sign of an expression, decided by symbols rather than by values.

In floating-point numbers e^{−1000 u²}, Φ(50 u) and 1 − tanh(20 u) are 0 for many u, where in truth they are positive.
Whatever turns on their sign (step, sign, comparisons) is therefore written with expressions of the same sign that do
not underflow: 1 for what is positive everywhere, u for u Φ(u) and tanh u, u − v for e^u − e^v.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from netsor.expr.build import add, call, compare, cond, mul, neg, power, with_children
from netsor.expr.canonical import canonical
from netsor.expr.cases import may_be_zero
from netsor.expr.entry import INF, Interval
from netsor.expr.functions import FUNCTIONS, is_exp, is_log, log
from netsor.expr.intervals import ranges_of
from netsor.expr.nodes import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Logic,
    Mul,
    Pow,
    Sym,
    postorder,
    split_coefficient,
)

_NO_RANGES: Mapping[Sym, Interval] = {}


def is_positive(e: Expr, known: Collection[Sym] = (), ranges: Mapping[Sym, Interval] = _NO_RANGES) -> bool:
    """Whether an expression is above 0 wherever it has a value, where the symbols `known` are."""
    bounds = ranges_of(e, ranges)
    done: dict[Expr, bool] = {}
    for node in postorder(e):
        done[node] = bounds[node][0] > 0 or _follows(node, done, bounds, known)
    return done[e]


def _follows(node: Expr, done: Mapping[Expr, bool], bounds: Mapping[Expr, Interval], known: Collection[Sym]) -> bool:
    kids = [done[c] for c in node.children]
    match node:
        case Sym():
            return node in known
        case Add():
            return (
                any(kids)
                and all(k or bounds[c][0] >= 0 for k, c in zip(kids, node.children, strict=True))
                or (_stays_above_minus(node, bounds))
            )
        case Mul():
            return all(kids)
        case Pow():
            return kids[0]
        case Call():
            entry = FUNCTIONS[node.fn]
            if entry.chooses:
                return (any if entry.chooses == ">" else all)(kids)
            return entry.is_positive or entry.keeps_sign and all(kids)
        case Cond():
            return done[node.then] and done[node.other]
        case _:
            return False


def _stays_above_minus(node: Add, bounds: Mapping[Expr, Interval]) -> bool:
    """Whether a sum is positive because its infimum is at least 0 and one of its terms does not attain its own."""
    if not any(_is_open_below(t) for t in node.children):
        return False
    return sum(bounds[t][0] for t in node.children) >= 0


def _is_open_below(t: Expr) -> bool:
    """Whether a term c f(u), or −c f(u)^k, does not attain its infimum, as −tanh u does not attain −1."""
    c, f = split_coefficient(t)
    if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value > 0 and c < 0:
        # The supremum of |f|^k is not attained where neither end of the range of f is.
        f = f.base
    entry = FUNCTIONS[f.fn] if isinstance(f, Call) else None
    if entry is None or entry.inverse is None:
        return False
    return (entry.inverse[0] if c > 0 else entry.inverse[1]) not in (INF, -INF)


@lru_cache(maxsize=20_000)
def same_sign(e: Expr) -> Expr:
    """An expression with the sign and the zeros of `e` wherever `e` has a value; `e` itself if none is simpler."""
    if not _is_total(e):
        return e
    while isinstance(e, Call) and _has_sign_of_argument(e):
        e = e.children[0]
    if is_positive(e):
        return ONE
    if is_positive(canonical(neg(e))):
        return MINUS_ONE
    match e:
        case Mul():
            return mul(*map(same_sign, e.children))
        case Pow() if isinstance(e.exponent, Const) and e.exponent.value > 0:
            base = same_sign(e.base)
            if isinstance(e.exponent.value, int) and e.exponent.value % 2:
                return base
            return power(base, e.exponent) if base is not e.base else e
        case Call():
            return _of_function(e)
        case Cond():
            return cond(e.test, same_sign(e.then), same_sign(e.other))
        case Add():
            return _of_sum(e)
        case Const():
            return ONE if e.value > 0 else MINUS_ONE if e.value < 0 else ZERO
        case _:
            return e


def _has_sign_of_argument(e: Call) -> bool:
    entry = FUNCTIONS[e.fn]
    return bool(entry.times_argument) or entry.inverse is not None and entry.value(0.0) == 0


def _of_function(e: Call) -> Expr:
    entry = FUNCTIONS[e.fn]
    if entry.chooses:
        return call(e.fn, *map(same_sign, e.children))
    if entry.degree is not None and not entry.singular:
        return call(e.fn, same_sign(e.children[0]), *e.children[1:])
    return e


def _of_sum(e: Add) -> Expr:
    """f(u) − f(v) has the sign of u − v for an increasing f; e^u − c g, of u − log(c g)."""
    if len(e.children) != 2:
        return e
    (c, f), (d, g) = map(split_coefficient, e.children)
    same = isinstance(f, Call) and isinstance(g, Call) and f.fn == g.fn and c == -d
    if same and FUNCTIONS[f.fn].inverse is not None:  # type: ignore[attr-defined]
        inner = canonical(add(f.children[0], neg(g.children[0])))
        return mul(ONE if c > 0 else MINUS_ONE, same_sign(inner))
    if c * d < 0 and is_positive(f) and is_positive(g) and (_has_exponential(f) or _has_exponential(g)):
        inner = canonical(add(_logarithm(mul(Const(abs(c)), f)), neg(_logarithm(mul(Const(abs(d)), g)))))
        return mul(ONE if c > 0 else MINUS_ONE, same_sign(inner))
    return e


def _has_exponential(e: Expr) -> bool:
    return any(is_exp(f) or isinstance(f, Pow) and is_exp(f.base) for f in _factors(e))


def _factors(e: Expr) -> tuple[Expr, ...]:
    return e.children if isinstance(e, Mul) else (e,)


def _logarithm(e: Expr) -> Expr:
    """log e for a positive e, with products and powers taken apart and exponentials undone."""
    terms = []
    for f in _factors(e):
        base, k = (f.base, f.exponent) if isinstance(f, Pow) else (f, ONE)
        terms.append(mul(k, base.children[0] if is_exp(base) else log(base)))
    return add(*terms)


@lru_cache(maxsize=20_000)
def _is_total(root: Expr) -> bool:
    """Whether every part of an expression has a value for almost all values of its symbols."""
    bounds = ranges_of(root, _NO_RANGES)

    def is_off_zero(u: Expr) -> bool:
        return is_positive(u) or bounds[u][0] >= 0 and not may_be_zero(u, {})

    for node in postorder(root):
        match node:
            case Call() if is_log(node):
                if not is_off_zero(node.children[0]):
                    return False
            case Call():
                if FUNCTIONS[node.fn].singular or not FUNCTIONS[node.fn].has_values_on(bounds[node.children[0]]):
                    return False
            case Pow():
                if not _has_a_value(node, bounds[node.base]) and not is_off_zero(node.base):
                    return False
            case Sym() | Const() | Add() | Mul() | Cond() | Cmp():
                pass
            case _:
                return False
    return True


def _has_a_value(node: Pow, base: Interval) -> bool:
    """Whether a power with a positive exponent has a value for every base between these bounds."""
    k = node.exponent.value if isinstance(node.exponent, Const) else None
    return k is not None and k > 0 and (isinstance(k, int) or base[0] >= 0)


@lru_cache(maxsize=20_000)
def with_signs_decided(root: Expr) -> Expr:
    """The canonical expression in which step, sign and comparisons are asked of the simplest argument of each sign."""
    if _asks_no_sign(root):
        return root
    if isinstance(root, Add):
        # Long sums have common terms, which are looked at once.
        terms = [with_signs_decided(t) for t in root.children]
        same = all(t is before for t, before in zip(terms, root.children, strict=True))
        return root if same else canonical(add(*terms))
    done: dict[Expr, Expr] = {}
    for node in postorder(root, known=_asks_no_sign):
        new = with_children(node, tuple(done.get(c, c) for c in node.children))
        match new:
            case Call() if _asks_for_sign(new):
                done[node] = call(new.fn, same_sign(canonical(new.children[0])))
            case Cmp():
                gap = canonical(add(new.children[0], neg(new.children[1])))
                plain = same_sign(gap)
                done[node] = new if plain is gap else compare(new.op, plain, ZERO)
            case _:
                done[node] = new
    return canonical(done[root])


_ASKING = frozenset((Cond.kind, *(f for f, entry in FUNCTIONS.items() if entry.degree == 0 and not entry.singular)))


def _asks_no_sign(e: Expr) -> bool:
    """Whether there is nothing in an expression whose value is that of a sign."""
    return _ASKING.isdisjoint(e.made_of) and not isinstance(e, (Cmp, Logic))


def _asks_for_sign(node: Call) -> bool:
    entry = FUNCTIONS[node.fn]
    return entry.degree == 0 and not entry.singular and len(node.children) == 1

"""Zeros of piecewise or monotone arguments: |x| − λ at ±λ, Φ(u) − 0.9 at the quantile, tanh x − x at 0."""

from __future__ import annotations

import math

from netsor.expr import (
    FUNCTIONS,
    Add,
    Call,
    Cond,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    evaluate,
    postorder,
    split_coefficient,
    substitute,
)
from netsor.expr.build import mul, neg, power, with_children
from netsor.expr.cases import is_kinked
from netsor.expr.differentiate import diff
from netsor.expr.functions import is_log, is_singular
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import MINUS_ONE, ZERO, Number

_MOST = 24
# The highest order of a zero that is looked for.
_ORDERS = 4
# The largest number whose exponential is a float.
_LARGEST_LOG = 709.0


def zeros_of(at: Expr, gaussians: frozenset[Sym]) -> list[Expr]:
    """Expressions whose zeros together contain those of `at`.

    They come from every choice of branches, the factors of products and the bases of powers; monotone functions are
    inverted.
    """
    todo: list[Expr] = [at]
    out: list[Expr | None] = []
    while todo and len(out) + len(todo) <= _MOST:
        e = todo.pop()
        node = next(
            (n for n in postorder(e) if n.free & gaussians and is_kinked(n)),
            None,
        )
        if node is None:
            out += _parts(canonical(e), gaussians)
            continue
        todo.extend(exchanged(e, node, branch) for branch in _branches(node))
    out.extend(todo)
    return [e for e in dict.fromkeys(out) if e is not None and e.free & gaussians]


def _parts(e: Expr, gaussians: frozenset[Sym]) -> list[Expr | None]:
    """Expressions for the zeros of a product (those of its factors) and of a positive power (those of its base)."""
    if not e.free & gaussians:
        return []
    if isinstance(e, Mul):
        return [z for f in e.children for z in _parts(f, gaussians)]
    if isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value > 0:
        return _parts(e.base, gaussians)
    inner = undone(e, gaussians)
    if inner is None or inner is not e:
        return [inner] if inner is None else _parts(inner, gaussians)
    plane = _only_plane(e, gaussians)
    return [e if plane is None else plane]


def _only_plane(e: Expr, gaussians: frozenset[Sym]) -> Expr | None:
    """s or s ± t where e vanishes there and nowhere else; None where that is not known.

    With the first k − 1 derivatives in s zero on the plane, e is a multiple of the k-th power of the distance times
    ∂ᵏe/∂sᵏ at a point between (Taylor), and has no other zero where that derivative keeps its sign.
    """
    moving = sorted(e.free & gaussians, key=lambda s: s.digest)
    if isinstance(e, Sym) or not 1 <= len(moving) <= 2 or is_singular(e) or any(map(is_kinked, postorder(e))):
        return None
    s, others = moving[0], moving[1:]
    for place in (others[0], neg(others[0])) if others else (ZERO,):
        derivative = e
        for _ in range(_ORDERS):
            if canonical(substitute(derivative, {s: place})) is not ZERO:
                break
            derivative = canonical(diff(derivative, s))
            low, high = infer_range(derivative, {})
            if derivative is not ZERO and (low >= 0 or high <= 0):
                return canonical(add(s, neg(place)))
    return None


def _branches(node: Expr) -> list[Expr]:
    whole = node if isinstance(node, Cond) else FUNCTIONS[node.payload].pieces(*node.children)  # type: ignore[misc]
    out, stack = [], [whole]
    while stack:
        e = stack.pop()
        if isinstance(e, Cond):
            stack += [e.then, e.other]
        else:
            out.append(e)
    return list(dict.fromkeys(out))


def exchanged(root: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with all occurrences of one subexpression replaced by another."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        done[node] = new if node is old else with_children(node, tuple(done[c] for c in node.children))
    return done[root]


def undone(e: Expr, gaussians: frozenset[Sym]) -> Expr | None:
    """u − v for e = a (f(u) − f(v)) with an increasing f, or a logarithm or root, and a number or expression v.

    None where e has no zero.
    """
    for _ in range(4):
        terms = e.children if isinstance(e, Add) else (e,)
        moving = [t for t in terms if t.free & gaussians]
        still = [t for t in terms if not t.free & gaussians]
        if len(moving) == 2 and not still:
            (a, f), (b, g) = map(split_coefficient, moving)
            if a == -b and isinstance(f, Call) and isinstance(g, Call) and f.fn == g.fn and FUNCTIONS[f.fn].inverse:
                e = canonical(add(f.children[0], neg(g.children[0])))
                continue
        if len(moving) != 1 or any(not isinstance(t, Const) for t in still):
            return e
        a, f = split_coefficient(moving[0])
        level = canonical(mul(power(Const(a), MINUS_ONE), neg(add(*still))))
        solved = _undone_once(f, level.value) if isinstance(level, Const) else f
        if solved is f or solved is None:
            return None if solved is None else e
        e = canonical(solved)
    return e


def _undone_once(f: Expr, level: Number) -> Expr | None:
    """u − v where f(u) is the level at v alone; f where it is not inverted, and None where it misses the level."""
    match f:
        case Call() if is_log(f) and level < _LARGEST_LOG:
            return add(f.children[0], Const(-math.exp(level) if level else -1))
        case Call() if (inverse := FUNCTIONS[f.fn].inverse) is not None:
            low, high = inverse
            if level == low:
                return _where_it_falls(f.children[0])
            return add(f.children[0], Const(-_inverse(f.fn, float(level)))) if low < level < high else None
        case Pow(exponent=Const(value=r)) if not isinstance(r, int):
            if level < 0 or level == 0 and r < 0:
                return None
            return add(f.base, neg(power(Const(level), power(f.exponent, MINUS_ONE))))
    return f


def _where_it_falls(u: Expr) -> Expr | None:
    """An expression that vanishes where u → −∞ because of terms m log q, m > 0; None where there is no such term."""
    terms = map(split_coefficient, u.children if isinstance(u, Add) else (u,))
    found = [t.children[0] for m, t in terms if m > 0 and isinstance(t, Call) and is_log(t)]
    return mul(*found) if found else None


def _inverse(fn: str, level: float) -> float:
    u = Sym(("inverse", 0))
    f = Call._make(fn, (u,))
    if evaluate(f, {u: 0.0}) == level:
        return 0.0
    a, b = -1.0, 1.0
    while evaluate(f, {u: a}) > level and a > -800:
        a *= 2
    while evaluate(f, {u: b}) < level and b < 800:
        b *= 2
    for _ in range(200):
        mid = (a + b) / 2
        if mid in (a, b):
            break
        if evaluate(f, {u: mid}) < level:
            a = mid
        else:
            b = mid
    return (a + b) / 2

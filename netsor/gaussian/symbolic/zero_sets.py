"""Zeros of piecewise or monotone arguments: |x| − λ at ±λ, Φ(u) − 0.9 at the quantile."""

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
)
from netsor.expr.build import neg, with_children
from netsor.expr.cases import is_kinked

_MOST = 24


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
    return [inner] if inner is None or inner is e else _parts(inner, gaussians)


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
    """u − f⁻¹(−c/a) for e = a f(u) + c with an increasing f and numbers a, c, and u − v for e = a f(u) − a f(v).

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
        inverse = FUNCTIONS[f.fn].inverse if isinstance(f, Call) else None
        if not isinstance(f, Call) or inverse is None:
            return e
        level = -math.fsum(float(t.value) for t in still if isinstance(t, Const)) / a
        low, high = inverse
        if not low < level < high:
            return None
        e = canonical(add(f.children[0], Const(-_inverse(f.fn, level))))
    return e


def _inverse(fn: str, level: float) -> float:
    u = Sym(("inverse", 0))
    f = Call._make(fn, (u,))
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

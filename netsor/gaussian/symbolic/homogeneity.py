"""Identities of values: relu(s u) = s relu(u) for s > 0, |u v| = |u| |v|, max(u, v, u) = max(v, u).

Derivatives are taken before these are used: at a tie that of max(u, v) depends on the order of u and v.
"""

from __future__ import annotations

from functools import lru_cache

from netsor.expr import Add, Call, Const, Expr, Mul, Pow, add, call, canonical, mul, postorder, power, split_coefficient
from netsor.expr.build import with_children
from netsor.expr.canonical import sort_key
from netsor.expr.functions import FUNCTIONS
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import is_power_of_two


@lru_cache(maxsize=20_000)
def pulled(root: Expr) -> Expr:
    """The canonical expression with nonnegative factors taken out of the functions and powers that allow it.

    That a power with a negative exponent is never zero gives s > 0.
    """
    if not any(_has_identity(n) for n in postorder(root)):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        new = with_children(node, tuple(done[c] for c in node.children))
        match new:
            case Call() if FUNCTIONS[new.fn].chooses:
                new = _among_distinct(new)
            case Call() if (degree := FUNCTIONS[new.fn].degree) is not None:
                front, rest = _split(new.children[0])
                if _is_multiplicative(new.fn) and isinstance(rest, Mul):
                    inner = mul(*(call(new.fn, f) for f in rest.children))
                else:
                    inner = call(new.fn, rest, *new.children[1:])
                new = mul(*front, inner) if degree == 1 else inner
            case Pow(base=Mul() as base, exponent=Const()):
                front = [f for f in base.children if infer_range(f, {})[0] >= 0]
                rest = mul(*(f for f in base.children if f not in front))
                new = mul(*(power(f, new.exponent) for f in front), power(rest, new.exponent))
        done[node] = new
    return canonical(done[root])


def _has_identity(node: Expr) -> bool:
    if isinstance(node, Call):
        return FUNCTIONS[node.fn].degree is not None or FUNCTIONS[node.fn].chooses is not None
    return isinstance(node, Pow) and isinstance(node.base, Mul) and isinstance(node.exponent, Const)


@lru_cache(maxsize=64)
def _is_multiplicative(fn: str) -> bool:
    """Whether f(u v) = f(u) f(v): even or odd with degree k and f(1) = 1 it is |u|^k or sign(u) |u|^k."""
    entry = FUNCTIONS[fn]
    homogeneous = entry.mass is None and entry.degree is not None and entry.parity is not None
    return homogeneous and entry.value(1.0) == 1


def _among_distinct(node: Call) -> Expr:
    """The largest or smallest of the distinct arguments, in an order that does not depend on how they are written."""
    flat = [a for c in node.children for a in (c.children if isinstance(c, Call) and c.fn == node.fn else (c,))]
    distinct = sorted(dict.fromkeys(map(canonical, flat)), key=sort_key)
    return call(node.fn, *distinct) if len(distinct) > 1 else distinct[0]


def _split(u: Expr) -> tuple[list[Expr], Expr]:
    """(nonnegative factors of u, the rest)."""
    if isinstance(u, Mul):
        front = [f for f in u.children if _never_negative(f)]
        return front, mul(*(f for f in u.children if f not in front))
    if isinstance(u, Add):
        # Only factors shared by all terms can be taken out.
        shared: list[Expr] | None = None
        for t in u.children:
            c, rest = split_coefficient(t)
            mine = [f for f in (rest.children if isinstance(rest, Mul) else (rest,)) if _never_negative(f)]
            shared = mine if shared is None else [f for f in shared if f in mine]
            if not shared:
                return [], u
        assert shared is not None
        inverse = [power(f, Const(-1)) for f in shared]
        return shared, add(*(mul(t, *inverse) for t in u.children))
    return [], u


def _never_negative(f: Expr) -> bool:
    if is_power_of_two(f):
        return True
    if isinstance(f, Const):
        return f.value > 0 and f.value != 1
    return isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value < 0 and infer_range(f, {})[0] >= 0

"""One form for expressions that differ only in the order of terms and factors or in the use of definitions."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr.nodes import (
    Add,
    Apply,
    Const,
    Expr,
    Mul,
    Pow,
    add,
    mul,
    postorder,
    power,
    rebuild_sum,
    split_coefficient,
    with_children,
)
from netsor.expr.unfold import unfold_apply


@lru_cache(maxsize=200_000)
def canonical(root: Expr) -> Expr:
    """The same function with definitions unfolded, terms and factors sorted, numeric coefficients distributed.

    Two expressions with one canonical form are equal; the converse does not hold (identities are not sought).
    """
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        if isinstance(node, Apply):
            rebuilt = with_children(node, tuple(done[c] for c in node.children))
            done[node] = canonical(unfold_apply(rebuilt))  # type: ignore[arg-type]
        else:
            done[node] = _sorted(with_children(node, tuple(done[c] for c in node.children)))
    return done[root]


def sort_key(e: Expr) -> tuple[int, bytes]:
    return e.rank, e.digest


def _sorted(node: Expr) -> Expr:
    match node:
        case Add():
            pairs = [split_coefficient(t) for t in node.children]
            ordered = sorted(pairs, key=lambda p: sort_key(p[1]))
            return rebuild_sum((_sorted(rest), c) for c, rest in ordered)
        case Mul():
            c, rest = split_coefficient(node)
            if isinstance(rest, Add) and c != 1:
                return _sorted(add(node))
            factors = rest.children if isinstance(rest, Mul) else (rest,)
            return mul(Const(c), *sorted(factors, key=sort_key))
        case Pow() if isinstance(node.base, Mul) and isinstance(node.exponent, Const):
            if isinstance(node.exponent.value, int):
                return _sorted(mul(*(power(f, node.exponent) for f in node.base.children)))
            return node
        case _:
            return node

"""Sums whose terms cancel once their products are multiplied out: x (y + 1) − x y − x is 0."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr.build import with_children
from netsor.expr.canonical import canonical
from netsor.expr.differences import multiplied_out
from netsor.expr.nodes import ZERO, Add, Expr, Mul, Pow, postorder

_MOST_TERMS = 24


@lru_cache(maxsize=20_000)
def with_terms_cancelled(root: Expr) -> Expr:
    """The canonical expression with every sum multiplied out that has fewer terms then."""
    if not any(isinstance(node, Add) and _has_products_of_sums(node) for node in postorder(root)):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        new = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(new, Add) and _has_products_of_sums(new):
            opened = multiplied_out(new)
            new = opened if _terms(opened) < len(new.children) else new
        done[node] = new
    return canonical(done[root])


def _has_products_of_sums(e: Add) -> bool:
    if len(e.children) > _MOST_TERMS:
        return False
    factors = [f for t in e.children for f in (t.children if isinstance(t, Mul) else (t,))]
    return any(isinstance(f, Add) or isinstance(f, Pow) and isinstance(f.base, (Add, Mul)) for f in factors)


def _terms(e: Expr) -> int:
    return len(e.children) if isinstance(e, Add) else int(e is not ZERO)

"""Nonnegative factors taken out of homogeneous functions: relu(s u) = s relu(u), sign(s u) = sign(u) for s > 0."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr import Add, Call, Const, Expr, Mul, Pow, add, call, canonical, mul, postorder, power, split_coefficient
from netsor.expr.build import with_children
from netsor.expr.functions import FUNCTIONS
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import is_power_of_two


@lru_cache(maxsize=20_000)
def pulled(root: Expr) -> Expr:
    """The canonical expression with nonnegative factors taken out of the functions that allow it.

    That a power with a negative exponent is never zero gives s > 0.
    """
    if not any(isinstance(n, Call) and FUNCTIONS[n.fn].degree is not None for n in postorder(root)):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        new = with_children(node, tuple(done[c] for c in node.children))
        degree = FUNCTIONS[new.fn].degree if isinstance(new, Call) else None
        if isinstance(new, Call) and degree is not None:
            front, rest = _split(new.children[0])
            if front:
                inner = call(new.fn, rest, *new.children[1:])
                new = mul(*front, inner) if degree == 1 else inner
        done[node] = new
    return canonical(done[root])


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

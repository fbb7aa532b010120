"""Positive homogeneity: relu(σu) = σ relu(u), so that expectations at all variances follow from those at variance 1."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.expr import Add, Call, Cmp, Cond, Const, Expr, Mul, Pow, Sym, canonical, evaluate, postorder, substitute
from netsor.expr.functions import FUNCTIONS

Degrees = tuple[int, ...]


def homogeneous_degrees(block: Expr, symbols: Sequence[Sym]) -> Degrees | None:
    """(p₁, …) with f(c₁u₁, …) = c₁^p₁ ⋯ f(u₁, …) for all c > 0; None where f is not homogeneous in this sense."""
    zero = (0,) * len(symbols)
    done: dict[Expr, Degrees | None] = {}
    for node in postorder(block):
        done[node] = _degrees(node, symbols, zero, done)
    return done[block]


def halves(f: Expr, u: Sym) -> tuple[int, float, float] | None:
    """(k, p, q) with f = p |u|^k for u > 0 and q |u|^k for u < 0; None where f is not homogeneous in u."""
    degrees = homogeneous_degrees(f, (u,))
    if degrees is None:
        return None
    above, below = (float(evaluate(canonical(substitute(f, {u: Const(x)})), {})) for x in (1.0, -1.0))
    return degrees[0], above, below


def _degrees(node: Expr, symbols: Sequence[Sym], zero: Degrees, done: dict[Expr, Degrees | None]) -> Degrees | None:
    parts = [done.get(c) for c in node.children]
    match node:
        case Const():
            return zero
        case Sym():
            return tuple(int(s is node) for s in symbols) if node in symbols else zero
        case Mul():
            return None if None in parts else tuple(map(sum, zip(*parts)))
        case Add():
            return parts[0] if all(p == parts[0] for p in parts) else None
        case Pow() if isinstance(node.exponent, Const) and isinstance(node.exponent.value, int):
            return None if parts[0] is None else tuple(node.exponent.value * p for p in parts[0])
        case Call() if FUNCTIONS[node.fn].degree == 1 and not any(c.free for c in node.children[1:]):
            return parts[0]
        case Call() if FUNCTIONS[node.fn].degree == 0:
            return None if parts[0] is None else zero
        case Call() if not node.free:
            return zero
        case Cond() if isinstance(node.test, Cmp):
            lhs, rhs = node.test.children
            sides = [done[c] for c in (lhs, rhs) if not (isinstance(c, Const) and c.value == 0)]
            comparable = None not in sides and all(s == sides[0] for s in sides)
            same = parts[1] is not None and parts[1] == parts[2]
            # A branch that is 0 is homogeneous of every degree.
            if comparable and isinstance(node.other, Const) and node.other.value == 0:
                return parts[1]
            if comparable and isinstance(node.then, Const) and node.then.value == 0:
                return parts[2]
            return parts[1] if comparable and same else None
        case Cmp():
            return zero
        case _:
            return None

"""The value of an expression, with the standard library alone, so that checking a program needs no numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from netsor.expr.entry import FUNCTIONS
from netsor.expr.nodes import Add, Apply, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Star, Sym, postorder
from netsor.expr.values import compare_values, power_value

NAN = math.nan
# Maps a user's function at arguments, or a ψ*, to the expression that it stands for.
Expand = Callable[["Apply | Star"], Expr]


def call_value(fn: str, args: Sequence[float]) -> float:
    """The value of a function of the language; NaN where it has none, +inf where it overflows."""
    try:
        return float(FUNCTIONS[fn].value(*args))
    except (ValueError, ZeroDivisionError):
        return NAN
    except OverflowError:
        return math.inf


def value_of(root: Expr, env: Mapping[Sym, float], expand: Expand) -> float:
    """The value with these numbers for the free symbols; NaN where it does not exist."""
    done: dict[Expr, float | bool] = {}
    for node in postorder(root):
        kids = [done.get(c, NAN) for c in node.children]
        match node:
            case Const():
                out: float | bool = float(node.value)
            case Sym():
                # A symbol bound by a Star gets NaN here, which is not used: the Star is expanded as a whole below.
                out = env.get(node, NAN)
            case Add():
                out = math.fsum(kids) if all(map(math.isfinite, kids)) else sum(kids)
            case Mul():
                out = math.prod(kids)
            case Pow():
                out = power_value(kids[0], kids[1])
            case Call():
                out = call_value(node.fn, kids)
            case Cmp():
                out = compare_values(node.op, kids[0], kids[1])
            case Logic():
                out = all(kids) if node.op == "and" else any(kids) if node.op == "or" else not kids[0]
            case Cond():
                out = kids[1] if kids[0] else kids[2]
            case Apply() | Star():
                out = value_of(expand(node), env, expand)
            case _:
                raise TypeError(f"no value for {type(node).__name__}")
        done[node] = out
    return float(done[root])


def truth_of(test: Expr, expand: Expand) -> bool | None:
    """The truth of a test without symbols; None where a side has no value."""
    match test:
        case Cmp():
            a, b = (value_of(c, {}, expand) for c in test.children)
            return None if math.isnan(a) or math.isnan(b) else compare_values(test.op, a, b)
        case Logic():
            parts = [truth_of(c, expand) for c in test.children]
            if any(p is None for p in parts):
                return None
            if test.op == "not":
                return not parts[0]
            return all(parts) if test.op == "and" else any(parts)
        case _:
            return None

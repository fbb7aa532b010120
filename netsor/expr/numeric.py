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
    if any(map(math.isnan, args)):
        return NAN
    try:
        return float(FUNCTIONS[fn].value(*args))
    except (ValueError, ZeroDivisionError):
        return NAN
    except OverflowError:
        return math.inf


def value_of(root: Expr, env: Mapping[Sym, float], expand: Expand) -> float:
    """The value with these numbers for the free symbols; NaN where it does not exist."""
    done: dict[Expr, float] = {}
    for node in postorder(root):
        kids = [done.get(c, NAN) for c in node.children]
        match node:
            case Const():
                out = float(node.value)
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
            case Cmp() | Logic():
                # A test is 1 or 0, or NaN where it compares what has no value.
                made = _compared(node.op, kids) if isinstance(node, Cmp) else _joined(node.op, list(map(_truth, kids)))
                out = NAN if made is None else float(made)
            case Cond():
                out = NAN if math.isnan(kids[0]) else kids[1] if kids[0] else kids[2]
            case Apply() | Star():
                out = value_of(expand(node), env, expand)
            case _:
                raise TypeError(f"no value for {type(node).__name__}")
        done[node] = out
    return float(done[root])


def truth_of(test: Expr, expand: Expand) -> bool | None:
    """The truth of a test without symbols; None where it depends on what has no value."""
    match test:
        case Cmp():
            return _compared(test.op, [value_of(c, {}, expand) for c in test.children])
        case Logic():
            return _joined(test.op, [truth_of(c, expand) for c in test.children])
        case _:
            return None


def _truth(value: float) -> bool | None:
    return None if math.isnan(value) else bool(value)


def _compared(op: str, sides: Sequence[float]) -> bool | None:
    return None if any(map(math.isnan, sides)) else compare_values(op, sides[0], sides[1])


def _joined(op: str, parts: Sequence[bool | None]) -> bool | None:
    """`and`, `or` and `not` of truths, of which None is one that does not exist (Kleene's strong logic)."""
    if op == "not":
        return None if parts[0] is None else not parts[0]
    decisive = op == "or"
    return decisive if decisive in parts else None if None in parts else not decisive

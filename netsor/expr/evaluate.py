"""The value of an expression at plain numbers, with the standard library alone, so that checking needs no numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from netsor.expr.nodes import Add, Apply, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Star, Sym, postorder

NAN = math.nan


def call_value(fn: str, args: Sequence[float]) -> float:
    """The value of a function of the language; NaN where it has none."""
    from netsor.expr.functions import FUNCTIONS

    try:
        return float(FUNCTIONS[fn].value(*args))
    except (ValueError, ZeroDivisionError):
        return NAN
    except OverflowError:
        return math.inf


def compare_values(op: str, a: float, b: float) -> bool:
    """The truth of a comparison of two numbers."""
    match op:
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "==":
            return a == b
        case _:
            return a != b


def _power(base: float, exponent: float) -> float:
    try:
        value = base**exponent
    except ZeroDivisionError:
        return NAN
    except OverflowError:
        return math.inf
    return NAN if isinstance(value, complex) else float(value)


def evaluate(root: Expr, values: Mapping[Sym, float] | None = None) -> float:
    """The value at numbers for the free symbols; NaN where there is none (a missing symbol is a KeyError)."""
    from netsor.expr.unfold import star_quotient, unfold_apply

    env = values or {}
    done: dict[Expr, float | bool] = {}
    for node in postorder(root):
        kids = [done.get(c, NAN) for c in node.children]
        match node:
            case Const():
                out: float | bool = float(node.value)
            case Sym():
                # A symbol bound by a Star has no value here: the Star is expanded as a whole below.
                out = env.get(node, NAN)
            case Add():
                out = math.fsum(kids) if all(map(math.isfinite, kids)) else sum(kids)
            case Mul():
                out = math.prod(kids)
            case Pow():
                out = _power(kids[0], kids[1])
            case Call():
                out = call_value(node.fn, kids)
            case Apply():
                out = evaluate(unfold_apply(node), env)
            case Cmp():
                out = compare_values(node.op, kids[0], kids[1])
            case Logic():
                out = all(kids) if node.op == "and" else any(kids) if node.op == "or" else not kids[0]
            case Cond():
                out = kids[1] if kids[0] else kids[2]
            case Star():
                out = evaluate(star_quotient(node), env)
            case _:
                raise TypeError(f"no value for {type(node).__name__}")
        done[node] = out
    return float(done[root])


def truth(test: Expr) -> bool | None:
    """The truth of a test without symbols; None where a side has no value."""
    match test:
        case Cmp():
            a, b = (evaluate(c) for c in test.children)
            return None if math.isnan(a) or math.isnan(b) else compare_values(test.op, a, b)
        case Logic():
            parts = [truth(c) for c in test.children]
            if any(p is None for p in parts):
                return None
            if test.op == "not":
                return not parts[0]
            return all(parts) if test.op == "and" else any(parts)
        case _:
            return None

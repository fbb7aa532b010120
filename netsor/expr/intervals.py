"""Bounds of the values of an expression, given bounds of its variables (interval arithmetic without rounding)."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from netsor.expr.differentiate import star_limit, unfold
from netsor.expr.entry import INF, REALS, Interval
from netsor.expr.functions import FUNCTIONS
from netsor.expr.nodes import Add, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Star, Sym, postorder

# What is smaller than every float lies between 0 and the least of them; what is larger, above the largest.
_LEAST, _LARGEST = math.ulp(0.0), sys.float_info.max


def product(a: Interval, b: Interval) -> Interval:
    """The range of xy, with 0·∞ = 0, because an infinite bound is never attained."""
    pairs = [(x, y) for x in a for y in b]
    ends = [0.0 if 0 in (x, y) else x * y for x, y in pairs]
    for (x, y), end in zip(pairs, list(ends), strict=True):
        if x and y and not end:
            ends.append(math.copysign(_LEAST, end))
        elif math.isinf(end) and math.isfinite(x) and math.isfinite(y):
            ends.append(math.copysign(_LARGEST, end))
    return min(ends), max(ends)


def integer_power(r: Interval, k: int) -> Interval:
    """The range of x^k for an integer k ≥ 1."""
    ends = [end for x in r for end in _ends_of_power(x, k)]
    return (0.0 if k % 2 == 0 and r[0] <= 0 <= r[1] else min(ends)), max(ends)


def _ends_of_power(x: float, k: float) -> tuple[float, float]:
    """Floats below and above x^k, which are x^k itself unless no float is near it."""
    sign = -1.0 if x < 0 and k % 2 else 1.0
    try:
        power: float = x**k
    except OverflowError:
        return sign * _LARGEST, sign * INF
    return (power, sign * _LEAST) if x and not power else (power, power)


def inverse(r: Interval) -> Interval:
    """The range of 1/x; the real line where x may have either sign."""
    if r[0] < 0 < r[1]:
        return REALS
    ends = [INF if x == 0 and r[1] > 0 else -INF if x == 0 else 0.0 if math.isinf(x) else 1 / x for x in r]
    return min(ends), max(ends)


def infer_range(root: Expr, ranges: Mapping[Sym, Interval]) -> Interval:
    """Bounds of an expression; they need not be tight, since dependence between its parts is ignored."""
    return ranges_of(root, ranges)[root]


def ranges_of(root: Expr, ranges: Mapping[Sym, Interval]) -> dict[Expr, Interval]:
    """Bounds of every node of an expression in which users' functions are unfolded."""
    done: dict[Expr, Interval] = {}
    for node in postorder(root):
        done[node] = _rule(node, ranges, done)
    return done


def _rule(node: Expr, ranges: Mapping[Sym, Interval], done: dict[Expr, Interval]) -> Interval:
    match node:
        case Const():
            return float(node.value), float(node.value)
        case Sym():
            return ranges.get(node, REALS)
        case Add():
            lo, hi = (sum(done[c][k] for c in node.children) for k in (0, 1))
            return (-INF if math.isnan(lo) else lo, INF if math.isnan(hi) else hi)
        case Mul():
            out = (1.0, 1.0)
            for c in node.children:
                out = product(out, done[c])
            return out
        case Pow():
            return _power(node, done)
        case Call():
            lo, hi = FUNCTIONS[node.fn].image(*(done[c] for c in node.children))
            return (-INF if math.isnan(lo) else lo, INF if math.isnan(hi) else hi)
        case Cond():
            a, b = done[node.then], done[node.other]
            never, always = done[node.test]
            if never == always:
                return a if always else b
            return min(a[0], b[0]), max(a[1], b[1])
        case Star():
            return infer_range(unfold(star_limit(node)), {**ranges, node.bound: (0.0, INF)})
        case Cmp():
            return _holds(node.op, *(done[c] for c in node.children))
        case Logic():
            return _joined(node.op, [done[c] for c in node.children])
        case _:
            return REALS


def _holds(op: str, a: Interval, b: Interval) -> Interval:
    """(0, 0) where a comparison is false of all values, (1, 1) where it is true of them, else (0, 1)."""
    match op:
        case ">" | ">=":
            return _holds(op.replace(">", "<"), b, a)
        case "<":
            return float(a[1] < b[0]), float(a[0] < b[1])
        case "<=":
            return float(a[1] <= b[0]), float(a[0] <= b[1])
        case "==":
            return float(a[0] == a[1] == b[0] == b[1]), float(a[0] <= b[1] and b[0] <= a[1])
        case _:
            never, always = _holds("==", a, b)
            return 1 - always, 1 - never


def _joined(op: str, parts: list[Interval]) -> Interval:
    """The same of `and`, `or` and `not`."""
    if op == "not":
        return 1 - parts[0][1], 1 - parts[0][0]
    choose = min if op == "and" else max
    return choose(low for low, _ in parts), choose(high for _, high in parts)


def _power(node: Pow, done: dict[Expr, Interval]) -> Interval:
    base = done[node.base]
    if not isinstance(node.exponent, Const):
        return (0.0, INF) if base[0] >= 0 else REALS
    k = node.exponent.value
    if isinstance(k, int):
        return integer_power(base, k) if k > 0 else inverse(integer_power(base, -k))
    base = (max(base[0], 0.0), max(base[1], 0.0))
    if k > 0:
        return min(_ends_of_power(base[0], k)), max(_ends_of_power(base[1], k))
    return inverse((min(_ends_of_power(base[0], -k)), max(_ends_of_power(base[1], -k))))

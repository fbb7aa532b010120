"""The scales on which a function of one variable varies: its kinks, and the places and slopes of smooth transitions.

A rule with few nodes relies on this; functions whose scales cannot be found are left to adaptive rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from netsor.expr import (
    FUNCTIONS,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Pow,
    Star,
    Sym,
    canonical,
    diff,
    evaluate,
    is_singular,
    postorder,
    substitute,
)
from netsor.expr.functions import TooSingular, is_exp, is_log
from netsor.expr.intervals import infer_range
from netsor.gaussian.symbolic.structure import affine, breaks_of

_FAR = 30.0


@dataclass(frozen=True)
class Scales:
    """`edges` are places of kinks and jumps, `turns` are (place, slope) of transitions that are steep at one place and
    linear far from it; elsewhere the function varies on lengths of 1/`rate`.
    """

    edges: tuple[float, ...]
    turns: tuple[tuple[float, float], ...]
    rate: float


@lru_cache(maxsize=1024)
def scales_of(e: Expr, u: Sym) -> Scales | None:
    """The scales of a function of `u` alone; None where they cannot be found, and where it is singular."""
    if is_singular(e):
        return None
    only = frozenset((u,))
    edges: list[float] = []
    for b in breaks_of(e, only):
        if b.kind == "soft":
            continue
        line = _line(b.at, u)
        if b.kind in ("singular", "pole") or line is None:
            return None
        edges.append(-line[1] / line[0])
    turns: list[tuple[float, float]] = []
    rate = 0.0
    for node in postorder(e):
        if u not in node.free:
            continue
        if isinstance(node, (Apply, Star)) or isinstance(node, Cond) and not isinstance(node.test, Cmp):
            return None
        if isinstance(node, Pow):
            if isinstance(node.exponent, Const) and isinstance(node.exponent.value, int) and node.exponent.value >= 0:
                continue
            well = _well(node.base, u)
            if well is None or node.exponent.free:
                return None
            turns.append(well)
        elif isinstance(node, Call):
            if FUNCTIONS[node.fn].is_piecewise_linear:
                # The function is linear between its edges.
                continue
            if len(node.children) > 1:
                return None
            found = _smooth(node, u)
            if found is None:
                return None
            place, slope = found
            if place is None:
                rate = max(rate, slope)
            elif slope:
                turns.append((place, slope))
    return Scales(tuple(edges), tuple(turns), rate)


def _smooth(node: Call, u: Sym) -> tuple[float | None, float] | None:
    """(place or None for everywhere, slope) of a smooth function of an inner one; None where they are not known."""
    inner = node.children[0]
    line = _line(inner, u)
    if line is not None:
        slope, offset = line
        if is_exp(node):
            return 0.0, 0.0
        return (None if FUNCTIONS[node.fn].wave else -offset / slope), abs(slope)
    if is_exp(node) and (form := _quadratic(inner, u)) is not None and form[2] < 0:
        # Expanded about 0, the exponent of a bump far from 0 would cancel.
        if abs(form[0]) > _FAR:
            return None
        return -form[1] / (2 * form[2]), math.sqrt(-2 * form[2])
    if is_log(node):
        return _well(inner, u)
    try:
        low, high = infer_range(canonical(diff(inner, u)), {})
    except (TooSingular, ValueError, KeyError):
        return None
    steepest = max(abs(low), abs(high))
    return (None, steepest) if math.isfinite(steepest) else None


def _line(e: Expr, u: Sym) -> tuple[float, float] | None:
    """(a, b) with e = a u + b, a ≠ 0, or None."""
    parts = affine(e, frozenset((u,)))
    if parts is None or u not in parts[0]:
        return None
    slope, offset = evaluate(parts[0][u]), evaluate(parts[1])
    return (slope, offset) if slope and math.isfinite(slope) and math.isfinite(offset) else None


def _quadratic(e: Expr, u: Sym) -> tuple[float, float, float] | None:
    """(c₀, c₁, c₂) with e = c₀ + c₁ u + c₂ u², or None."""
    first = canonical(diff(e, u))
    second = canonical(diff(first, u))
    if second.free or u not in first.free:
        return None
    at: dict[Sym, Expr] = {u: Const(0.0)}
    return evaluate(substitute(e, at)), evaluate(substitute(first, at)), evaluate(second) / 2


def _well(base: Expr, u: Sym) -> tuple[float, float] | None:
    """(place, 1/distance of the complex zeros from it) of a positive quadratic base, or None."""
    form = _quadratic(base, u)
    if form is None or form[2] <= 0:
        return None
    lowest = form[0] - form[1] ** 2 / (4 * form[2])
    return (-form[1] / (2 * form[2]), math.sqrt(form[2] / lowest)) if lowest > 0 else None

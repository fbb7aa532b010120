"""The limit of an expression in the width n alone, the rate at which it diverges, or that neither is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from netsor.expr.build import call, mul, rewrite, star_quotient
from netsor.expr.constants import constant
from netsor.expr.differentiate import diff, unfold
from netsor.expr.entry import REALS
from netsor.expr.evaluate import evaluate
from netsor.expr.functions import FUNCTIONS, TooSingular
from netsor.expr.growth import (
    CONSTANT,
    ONE_SERIES,
    WIDTH_SERIES,
    ZERO_SERIES,
    Coefficient,
    Diverges,
    Series,
    approximate,
    coefficient,
    compose,
    exponential,
    faster,
    growth,
    logarithm,
    negative,
    number,
    plus,
    raise_to,
    rate_text,
    times,
    unknown,
)
from netsor.expr.nodes import (
    WIDTH,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Logic,
    Mul,
    Named,
    Pow,
    Star,
    Sym,
    postorder,
)
from netsor.expr.printing import to_text
from netsor.expr.rationals import as_float
from netsor.expr.series import OSCILLATES, about_limit

__all__ = ["Diverges", "factors_in_width", "series_along", "series_in_width", "width_limit"]


@lru_cache(maxsize=4096)
def width_limit(e: Expr) -> float:
    """lim_{n→∞} of an expression in n alone.

    Raises `Diverges` where the limit is infinite, does not exist, or is not determined by the computed terms of the
    series.
    """
    return _limit(series_in_width(e))


def unfolded_limit(e: Expr) -> float:
    """The same limit of an expression of which nothing was folded, with constants in many digits."""
    return _limit(_series(e, {}))


def _limit(s: Series) -> float:
    if s.terms and growth(s.terms[0][0]) > 0:
        raise Diverges(rate_text(s.terms[0][0]), grows=True)
    if s.rest is not None and growth(s.rest) >= 0:
        raise Diverges(s.why, known=s.why.startswith(_OSCILLATE))
    return as_float(s.at(CONSTANT).as_number())


_OSCILLATE = tuple(name + OSCILLATES for name, entry in FUNCTIONS.items() if entry.wave is not None)


@lru_cache(maxsize=1024)
def series_in_width(e: Expr) -> Series:
    """The asymptotic series of an expression in n alone as n → ∞; raises `Diverges`."""
    return _series(rewrite(unfold(e), lambda node: star_quotient(node) if isinstance(node, Star) else node), {})


def holds_eventually(test: Expr) -> bool:
    """Whether a condition on n alone holds for all large n; raises `Diverges` where that is not known."""
    root = unfold(test)
    sides: Known = {}
    for node in postorder(root):
        if isinstance(node, Cmp):
            for side in node.children:
                sides[side] = series_in_width(side)
    return _eventually(root, sides)


def series_along(e: Expr, at: Mapping[Sym, Series]) -> Series:
    """The series of an expression whose symbols have the series `at`; raises `Diverges`."""
    known: Known = dict(at.items())
    return _series(rewrite(unfold(e), lambda node: star_quotient(node) if isinstance(node, Star) else node), known)


Known = dict[Expr, "Series | Diverges"]


def _series(root: Expr, done: Known) -> Series:
    # A branch of a conditional that is not taken may diverge, so a failure is stored and raised only where it is used.
    for node in postorder(root, known=lambda e: e in done):
        if isinstance(node, (Cmp, Logic)):
            continue
        try:
            done[node] = _rule(node, done)
        except Diverges as fault:
            done[node] = fault
    return _of(root, done)


def _of(node: Expr, done: Known) -> Series:
    found = done[node]
    if isinstance(found, Diverges):
        raise found
    return found


def _rule(node: Expr, done: Known) -> Series:
    if node.children and not node.free or isinstance(node, Named):
        found = constant(node)
        if found is not None:
            return number(Coefficient(*found))
    match node:
        case Const():
            return number(coefficient(node.value))
        case Sym():
            if node is not WIDTH:
                raise KeyError(node.name)
            return WIDTH_SERIES
        case Add():
            return plus(*(_of(c, done) for c in node.children))
        case Mul():
            out = ONE_SERIES
            for c in node.children:
                out = times(out, _of(c, done))
            return out
        case Pow():
            base = _of(node.base, done)
            text = to_text(node.base)
            if not node.exponent.free:
                return raise_to(base, _of(node.exponent, done).at(CONSTANT).value, text)
            return exponential(times(_of(node.exponent, done), logarithm(base, text)), to_text(node))
        case Cond():
            return _branch(node, done)
        case Call():
            try:
                return _call(node, done)
            except Diverges as fault:
                low, high = FUNCTIONS[node.fn].image(*(REALS for _ in node.children))
                if fault.grows or not (math.isfinite(low) and math.isfinite(high)):
                    raise
                return unknown(CONSTANT, fault.rate)
        case _:
            raise Diverges("it is not a function whose limit is known", known=False)


def _branch(node: Cond, done: Known) -> Series:
    try:
        return _of(node.then if _eventually(node.test, done) else node.other, done)
    except Diverges as fault:
        ends = [done[c] for c in (node.then, node.other)]
        if fault.known or any(isinstance(s, Diverges) for s in ends):
            raise
        bound = faster(*(s.bound for s in ends if isinstance(s, Series)))
        return ZERO_SERIES if bound is None else unknown(bound, fault.rate)


def _eventually(test: Expr, done: Known) -> bool:
    """Whether a condition holds for all large n; raises `Diverges` where that is not known."""
    if isinstance(test, Logic):
        parts = [_eventually(c, done) for c in test.children]
        return not parts[0] if test.op == "not" else all(parts) if test.op == "and" else any(parts)
    a, b = test.children
    gap = plus(_of(a, done), negative(_of(b, done)))
    sign = 0
    if not gap.is_zero:
        sign = 1 if gap.leading(f"whether `{to_text(test)}`")[1].value > 0 else -1
    assert isinstance(test, Cmp)
    return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0, "==": sign == 0, "!=": sign != 0}[test.op]


def _call(node: Call, done: Known) -> Series:
    fn = node.fn
    entry = FUNCTIONS[fn]
    if entry.pieces is not None:
        return _series(entry.pieces(*node.children), done)
    text = to_text(node)
    if len(node.children) != 1:
        raise Diverges(f"the limit of `{text}` is not known", known=False)
    u = _of(node.children[0], done)
    if entry.series is not None:
        return entry.series(u, text)
    if u.bound is not None and growth(u.bound) > 0:
        raise Diverges(f"{fn} of {rate_text(u.bound)}", known=False)
    return _taylor(fn, *about_limit(u, text))


def _taylor(fn: str, c: Coefficient, v: Series) -> Series:
    """f(c + v) for a differentiable function f, by its Taylor series to fourth order."""
    t = Sym(("asymptotics", "t"))
    f: Expr = call(fn, t)
    coefficients = []
    for k in range(5):
        try:
            f = diff(f, t) if k else f
        except TooSingular:
            break
        value = evaluate(f, {t: float(c.value)}) / math.factorial(k)
        if not math.isfinite(value):
            if k == 0:
                raise Diverges(f"{fn} at {float(c.value):g}", known=False)
            break
        coefficients.append(approximate(value, 1e-14 * (1 + abs(value)) if value else 0.0))
    return compose(coefficients, v)


def factors_in_width(term: Expr) -> tuple[Expr, Expr]:
    """The product of the factors in n alone, and the product of the others, numbers included."""
    factors = term.children if isinstance(term, Mul) else (term,)
    own = [f for f in factors if f.free == frozenset((WIDTH,))]
    return mul(*own), mul(*(f for f in factors if f not in own))

"""MOMENTs without vectors: functions of scalars, and the effect of errors in the scalars."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from netsor.diagnostics import NetsorError, Span
from netsor.diagnostics.catalogue import limits
from netsor.expr import (
    FUNCTIONS,
    Add,
    Apply,
    Call,
    Cond,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    canonical,
    diff,
    evaluate,
    postorder,
    rewrite,
    substitute,
    to_text,
    unfold,
)
from netsor.expr import power as power_of
from netsor.expr.evaluate import truth
from netsor.expr.functions import is_log
from netsor.expr.intervals import ranges_of
from netsor.expr.numeric import call_value
from netsor.expr.rationals import Rounded, decimal, power, within_reach
from netsor.expr.rounding import EPS, running_error
from netsor.gaussian import Estimate
from netsor.gaussian.arithmetic.extended_range import values as wide_values
from netsor.gaussian.law import Input
from netsor.gaussian.sensitivity.first_order import FirstOrder

_ROUNDING = 4e-16
_HALF = 2.0**-53
# The most scalars in a test for which all combinations of the ends of their error intervals are tried.
_MOST_TOGETHER = 4
_NONE: Mapping[Sym, float] = {}


def function_of_scalars(
    e: Expr,
    value_of: Callable[[Sym], Estimate],
    range_of: Callable[[Sym], tuple[float, float]],
    written: Expr,
    shown: Callable[[Sym], str],
    name: str,
    span: Span | None,
) -> FirstOrder:
    """ψ(; θ̊) (Eq. 63 with k = 0), with the error due to |θ − θ̊|; `range_of` bounds a scalar at every width.

    `written` and `shown` spell ψ and its scalars in messages. Raises NetsorError: E802 where ψ has no value at θ̊, E803
    where it jumps there (Assumption B.8 requires continuity, without which the scalar need not converge), and E804
    where its value is out of the range of floating-point numbers.
    """
    at = {s: value_of(s) for s in sorted(e.free, key=lambda s: s.digest)}
    point = {s: v.value for s, v in at.items()}
    value = _value(e, point)
    if not math.isfinite(value):
        where = ", ".join(f"`{shown(Sym(s.name[1]))}` = {v:.6g}" for s, v in point.items())
        if math.isinf(value):
            raise NetsorError(limits.scalar_out_of_range(name, span, to_text(written, shown), where or "its limit"))
        raise NetsorError(limits.scalar_without_value(name, span, to_text(written, shown), where or "its limit"))
    own = error = rounding_error(e, point)
    slopes: dict[Input, float] = {}
    for s, v in at.items():
        reach = v.error + _ROUNDING * abs(v.value)
        low, high = range_of(s)

        def changes_within(
            t: float, s: Sym = s, ends: tuple[float, ...] = (low - v.value, high - v.value)
        ) -> list[tuple[float, float]]:
            """The steps down and up, with the changes of the value."""
            steps = [min(max(u, ends[0]), ends[1]) for u in (-t, t)]
            return [(u, _value(e, {**point, s: point[s] + u}) - value) for u in steps]

        def change_within(t: float) -> float:
            return max(abs(x) if math.isfinite(x) else math.inf for _, x in changes_within(t))

        # At a jump a smaller step gives the same change; at a steep but continuous place it gives a smaller one.
        nudge = 1e-12 * max(1.0, abs(v.value))
        jump, nearer = change_within(nudge), change_within(nudge / 1000)
        change = change_within(reach)
        if math.isinf(jump) or jump > 1e-9 * (1 + abs(value)) and nearer > 0.5 * jump:
            raise NetsorError(limits.scalar_jumps(name, span, to_text(written, shown), shown(Sym(s.name[1])), v.value))
        error += change
        slope = _slope(e, s, point)
        # The deviation from the tangent, and the effect of rounding the scalar itself.
        bent = max(abs(x - slope * u) for u, x in changes_within(reach)) + abs(slope) * (reach - v.error)
        if v.error > 0 and bent < change:
            slopes[s] = slope
            own += bent
        else:
            own += change
    return FirstOrder(value, min(own, error), error, slopes)


def _slope(e: Expr, s: Sym, point: dict[Sym, float]) -> float:
    """∂e/∂s at a point; NaN where it does not exist."""
    try:
        return _value(diff(e, s), point)
    except (ArithmeticError, ValueError):
        return math.nan


def _value(e: Expr, point: Mapping[Sym, float]) -> float:
    """The value at a point, also where an intermediate result is out of range, as in exp(1000) / exp(999).

    Infinite where the value itself is out of range, NaN where it does not exist.
    """
    value = evaluate(e, point)
    return value if math.isfinite(value) else _wide_value(e, point)


def _wide_value(e: Expr, point: Mapping[Sym, float]) -> float:
    e = canonical(unfold(e))
    at = {s: np.array([x]) for s, x in point.items()}
    with np.errstate(all="ignore"):
        value = float(wide_values(e, at, 1).floats()[0])
        if math.isinf(value) and any(_is_pole(node, at) for node in postorder(e)):
            return math.nan
    return value


def _is_pole(node: Expr, at: Mapping[Sym, np.ndarray]) -> bool:
    """Whether a part of an expression is undefined like 1/0 or log(0), and not merely large."""
    match node:
        case Pow():
            base, exponent = (wide_values(c, dict(at), 1) for c in node.children)
            return bool(base.m[0] == 0 and exponent.m[0] < 0)
        case Call() if is_log(node):
            return bool(wide_values(node.children[0], dict(at), 1).m[0] == 0)
        case _:
            return False


def has_value(e: Expr, known: Mapping[str, Expr], range_of: Callable[[Sym], tuple[float, float]]) -> bool:
    """Whether a function of scalars certainly has a value at their limits, judged by `known` values and by ranges."""
    e = unfold(e)
    values = {s: float(v.value) for s in e.free if isinstance(v := known.get(str(s.name)), Const)}
    if len(values) == len(e.free):
        return math.isfinite(evaluate(e, values))
    ranges = ranges_of(e, {s: (values[s],) * 2 if s in values else range_of(Sym(("", s.name))) for s in e.free})
    for node in postorder(e):
        if isinstance(node, Pow):
            k = node.exponent.value if isinstance(node.exponent, Const) else None
            low, high = ranges[node.base]
            if k is None or not isinstance(k, int) and low < 0 or k < 0 and low <= 0 <= high:
                return False
        elif isinstance(node, Call) and not FUNCTIONS[node.fn].has_values_on(ranges[node.children[0]]):
            return False
    return True


def taken_branches(e: Expr, value_of: Callable[[Sym], Estimate | None]) -> Expr:
    """The expression without the branches that are not taken, where the scalars decide that within their errors.

    `value_of` is None for a symbol that is not a scalar, or whose value is not known.
    """

    def taken(node: Expr) -> Expr:
        if isinstance(node, Cond):
            found = {s: value_of(s) for s in node.test.free}
            ends = {s: {v.value - v.error, v.value + v.error} for s, v in found.items() if v is not None}
            if len(ends) == len(found) <= _MOST_TOGETHER:
                corners = (dict(zip(ends, at, strict=True)) for at in itertools.product(*ends.values()))
                verdicts = {truth(substitute(node.test, _constants(at))) for at in corners}
                if len(verdicts) == 1 and None not in verdicts:
                    return node.then if verdicts.pop() else node.other
        return node

    return rewrite(e, taken)


def may_jump(e: Expr) -> bool:
    """Whether a function of scalars may be discontinuous somewhere, so that its value there need not be a limit."""
    return any(
        isinstance(node, (Cond, Apply))
        or (isinstance(node, Call) and (bool(FUNCTIONS[node.fn].jumps) or FUNCTIONS[node.fn].quotient is not None))
        for node in postorder(e)
    )


def rational_value(e: Expr, at: Mapping[Sym, Fraction]) -> Fraction | None:
    """The exact value of sums, products and integer powers of decimals and known scalars.

    None for other operations, and where one of the numbers is not rational.
    """
    done: dict[Expr, Fraction] = {}
    for node in postorder(e):
        kids = [done.get(c, Fraction(0)) for c in node.children]
        match node:
            case Const():
                q = decimal(node.value)
            case Sym():
                q = at.get(node)
            case Add():
                q = sum(kids, Fraction(0))
            case Mul():
                q = math.prod(kids, start=Fraction(1))
            case Pow():
                q = power(kids[0], kids[1])
            case _:
                q = None
        if q is None or within_reach(q) is None:
            return None
        done[node] = q
    return done[e]


def of_constant(x: float) -> float:
    """A bound on the distance between the value of a constant and the number that is meant."""
    if isinstance(x, Rounded):
        return x.error + 2.0**-53 * abs(x)
    return 0.0 if decimal(x) is not None else 2.0**-51 * abs(x)


def rounding_error(e: Expr, point: Mapping[Sym, float], errors: Mapping[Sym, float] = _NONE) -> float:
    """A bound on the rounding error of `evaluate`, computed node by node; the symbols have errors of at most `errors`.

    Each operation adds half a unit of its own result (a function two units), and the effect of its arguments' errors.
    """
    value: dict[Expr, float] = {}
    error: dict[Expr, float] = {}
    for node in postorder(unfold(e)):
        kids = [(value.get(c, math.nan), error.get(c, 0.0)) for c in node.children]
        match node:
            case Const():
                v, r = float(node.value), _HALF * abs(node.value) * (not isinstance(node.value, int))
            case Sym():
                v, r = point.get(node, math.nan), errors.get(node, 0.0)
            case Add():
                v = math.fsum(x for x, _ in kids) if all(math.isfinite(x) for x, _ in kids) else math.nan
                r = math.fsum(d for _, d in kids) + _HALF * abs(v)
            case Mul():
                v = math.prod(x for x, _ in kids)
                whole = math.prod(abs(x) + d for x, d in kids)
                r = whole - abs(v) if any(d for _, d in kids) else 0.0
                r += len(kids) * _HALF * abs(v) + _HALF * whole * any(d for _, d in kids)
            case Pow():
                v, r = _moved(lambda *a: evaluate(power_of(Const(a[0]), Const(a[1]))), kids)
            case Call():
                v, r = _moved(lambda *a, fn=node.fn: call_value(fn, a), kids)
            case Cond():
                v, r = kids[1] if truth(substitute(node.test, _constants(point))) else kids[2]
            case _:
                # Comparisons are evaluated by the conditional and have no error of their own.
                v, r = math.nan, 0.0
        value[node], error[node] = v, r
    found = error[unfold(e)]
    return found if math.isfinite(found) else _wide_rounding(e, point)


def _wide_rounding(e: Expr, point: Mapping[Sym, float]) -> float:
    """The same bound to first order, where an intermediate result is out of the range of floats."""
    found = 4 * EPS * _wide_value(running_error(canonical(unfold(e))), point)
    # A number rounded to zero may be as large as the smallest positive float.
    return found + 5e-324 if math.isfinite(found) else math.inf


def _moved(f: Callable[..., float], kids: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """f at the arguments, and a bound on the effect of their errors and of its own rounding."""
    at = [x for x, _ in kids]
    v = f(*at)
    r = 4 * _HALF * abs(v)
    for k, (x, d) in enumerate(kids):
        if d:
            ends = (f(*at[:k], y, *at[k + 1 :]) for y in (x - d, x + d))
            r += max((abs(w - v) for w in ends if math.isfinite(w)), default=0.0)
    return v, r


def _constants(point: Mapping[Sym, float]) -> dict[Sym, Expr]:
    return {s: Const(x) for s, x in point.items()}

"""MOMENTs of no vector: functions of scalars, and what the errors of the scalars do to them."""

from __future__ import annotations

import math
from collections.abc import Callable

from netsor.diagnostics import Diagnostic, NetsorError, Span
from netsor.expr import FUNCTIONS, Apply, Call, Cond, Expr, Sym, diff, evaluate, postorder, to_text
from netsor.gaussian import Estimate
from netsor.gaussian.first_order import FirstOrder
from netsor.gaussian.law import Input

_ROUNDING = 4e-16


def function_of_scalars(
    e: Expr,
    value_of: Callable[[Sym], Estimate],
    range_of: Callable[[Sym], tuple[float, float]],
    written: Expr,
    shown: Callable[[Sym], str],
    name: str,
    span: Span | None,
) -> FirstOrder:
    """ψ(; θ̊) (Eq. 63 with k = 0), with the error that |θ − θ̊| allows; `range_of` bounds a scalar at every width,
    `written` and `shown` spell ψ and its scalars for a reader.

    Raises NetsorError where ψ has no value at θ̊ or jumps there: Assumption B.8 asks for continuity, without which the
    scalar need not converge.
    """
    at = {s: value_of(s) for s in sorted(e.free, key=lambda s: s.digest)}
    point = {s: v.value for s, v in at.items()}
    value = evaluate(e, point)
    if not math.isfinite(value):
        where = ", ".join(f"`{shown(Sym(s.name[1]))}` = {v:.6g}" for s, v in point.items())
        raise NetsorError(
            Diagnostic(
                "E802",
                f"the limit of `{name}` does not exist: "
                f"`{to_text(written, shown)}` has no value at {where or 'its limit'}",
                span,
                label="infinite or undefined in the limit",
                notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
            )
        )
    own = error = _ROUNDING * _magnitude(e, point)
    slopes: dict[Input, float] = {}
    for s, v in at.items():
        reach = v.error + _ROUNDING * abs(v.value)
        low, high = range_of(s)

        def changes_within(
            t: float, s: Sym = s, ends: tuple[float, ...] = (low - v.value, high - v.value)
        ) -> list[tuple[float, float]]:
            """(step, change) down and up."""
            steps = [min(max(u, ends[0]), ends[1]) for u in (-t, t)]
            return [(u, evaluate(e, {**point, s: point[s] + u}) - value) for u in steps]

        def change_within(t: float) -> float:
            return max(abs(x) if math.isfinite(x) else math.inf for _, x in changes_within(t))

        # A jump is as high nearby as farther off; a steep slope is not.
        nudge = 1e-12 * max(1.0, abs(v.value))
        jump, nearer = change_within(nudge), change_within(nudge / 1000)
        change = change_within(reach)
        if math.isinf(jump) or jump > 1e-9 * (1 + abs(value)) and nearer > 0.5 * jump:
            raise NetsorError(
                Diagnostic(
                    "E803",
                    f"the limit of `{name}` does not exist: "
                    f"`{to_text(written, shown)}` jumps at `{shown(Sym(s.name[1]))}` = {v.value:.6g}",
                    span,
                    label=f"not continuous at the limit of `{shown(Sym(s.name[1]))}`",
                    notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
                )
            )
        error += change
        slope = _slope(e, s, point)
        # What a straight line leaves, beyond the rounding of the scalar itself.
        bent = max(abs(x - slope * u) for u, x in changes_within(reach)) + abs(slope) * (reach - v.error)
        if v.error > 0 and bent < change:
            slopes[s] = slope
            own += bent
        else:
            own += change
    return FirstOrder(value, min(own, error), error, slopes)


def _slope(e: Expr, s: Sym, point: dict[Sym, float]) -> float:
    """∂e/∂s at a point; nan where it has none."""
    try:
        return float(evaluate(diff(e, s), point))
    except (ArithmeticError, ValueError):
        return math.nan


def may_jump(e: Expr) -> bool:
    """Whether a function of scalars has places where it is not continuous, so that its value there is no limit."""
    return any(
        isinstance(node, (Cond, Apply))
        or (isinstance(node, Call) and (bool(FUNCTIONS[node.fn].jumps) or node.fn == "tan"))
        for node in postorder(e)
    )


def _magnitude(e: Expr, point: dict[Sym, float]) -> float:
    """The largest intermediate value, which is what rounding is relative to."""
    largest = 1.0
    for node in postorder(e):
        if node.free and not node.free <= point.keys():
            continue
        try:
            v = abs(evaluate(node, point))
        except TypeError:
            continue
        if math.isfinite(v):
            largest = max(largest, v)
    return largest

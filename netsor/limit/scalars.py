"""MOMENTs of no vector: functions of scalars, and what the errors of the scalars do to them."""

from __future__ import annotations

import math
from collections.abc import Callable

from netsor.diagnostics import Diagnostic, NetsorError, Span
from netsor.expr import Expr, Sym, evaluate, to_text
from netsor.gaussian import Estimate
from netsor.limit.symbols import spell

_ROUNDING = 4e-16


def function_of_scalars(
    e: Expr, value_of: Callable[[Sym], Estimate], written: Expr, name: str, span: Span | None
) -> Estimate:
    """ψ(; θ̊) (Eq. 63 with k = 0), with the error that |θ − θ̊| allows.

    Raises NetsorError where ψ has no value at θ̊ or jumps there: Assumption B.8 asks for continuity, without which the
    scalar need not converge.
    """
    at = {s: value_of(s) for s in sorted(e.free, key=lambda s: s.digest)}
    point = {s: v.value for s, v in at.items()}
    value = evaluate(e, point)
    if not math.isfinite(value):
        where = ", ".join(f"{spell(s)[:-1]} = {v:.6g}" for s, v in point.items())
        raise NetsorError(
            Diagnostic(
                "E802",
                f"the limit of `{name}` does not exist: `{to_text(written)}` has no value at {where or 'its limit'}",
                span,
                label="infinite or undefined in the limit",
                notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
            )
        )
    error = _ROUNDING * _magnitude(e, point)
    for s, v in at.items():
        reach = v.error + _ROUNDING * abs(v.value)
        sides = [evaluate(e, {**point, s: v.value + t}) for t in (-reach, reach)]
        change = max((abs(x - value) for x in sides if math.isfinite(x)), default=math.inf)
        nudge = 1e-9 * max(1.0, abs(v.value))
        near = [evaluate(e, {**point, s: v.value + t}) for t in (-nudge, nudge)]
        jump = max((abs(x - value) for x in near if math.isfinite(x)), default=math.inf)
        if len([x for x in near if math.isfinite(x)]) < 2 or jump > 1e-3 * max(1e-3, abs(value)) and change > 0.5 * jump:
            raise NetsorError(
                Diagnostic(
                    "E803",
                    f"the limit of `{name}` does not exist: `{to_text(written)}` jumps at {spell(s)[:-1]} = {v.value:.6g}",
                    span,
                    label=f"not continuous at the limit of `{spell(s)[:-1]}`",
                    notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
                )
            )
        error += change
    return Estimate(value, error)


def _magnitude(e: Expr, point: dict[Sym, float]) -> float:
    """The largest intermediate value, which is what rounding is relative to."""
    from netsor.expr import postorder

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

"""The result of `infer_limit`: for each output its limit with its error and method, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netsor.core import Moment, Output, Program
from netsor.deadline import TimeOver, is_stopped, limited, now
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.finite import no_output
from netsor.diagnostics.catalogue.limits import out_of_time
from netsor.diagnostics.catalogue.warnings import not_reached
from netsor.expr import Const, Expr, Sym, diff, evaluate
from netsor.expr.infinite_width import at_infinite_width
from netsor.gaussian import Settings
from netsor.gaussian.problem import Method
from netsor.gaussian.symbolic.powers_of_two import NORMAL, apart
from netsor.limit.collection import rarely_collected
from netsor.limit.expectations import Taken
from netsor.limit.interpreter import Limit
from netsor.limit.jumps import Jumps
from netsor.limit.missing import MISSING, method_without_value
from netsor.shown import Shown

# So many outputs are named in one message.
_LISTED = 6


@dataclass(frozen=True)
class LimitValue:
    """θ̊ of an output, with |value − limit| ≤ error.

    `value` is None where the limit does not exist (method "none") or could not be computed (method "unknown").
    """

    value: float | None
    error: float | None
    method: str
    converged: bool = True
    # What the tolerance is relative to: E|ψ|, the size of the averaged quantity.
    size: float = 0.0

    @property
    def missing(self) -> str:
        """The text to show where there is no value."""
        return MISSING.get(self.method, "")

    @property
    def hardest(self) -> str:
        """The hardest of the steps that led to the value."""
        return hardest(self.method)

    def as_dict(self) -> dict[str, Any]:
        return {"value": self.value, "error": self.error, "method": self.method}


# Of an output that was not begun when the time was over.
NOT_BEGUN = LimitValue(None, None, "unknown", False)


@dataclass(frozen=True, repr=False)
class LimitResult(Shown):
    """The limits of a program's outputs, the diagnostics of those that failed, and every expectation computed."""

    program: str
    outputs: dict[str, LimitValue]
    diagnostics: tuple[Diagnostic, ...]
    taken: tuple[Taken, ...]

    @property
    def ok(self) -> bool:
        return not any(d.is_error for d in self.diagnostics)

    def __getitem__(self, output: str) -> LimitValue:
        return self.outputs[output]


def infer_limit(
    program: Program,
    tol: float = 1e-8,
    budget: float | None = 60.0,
    outputs: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> LimitResult:
    """The limits of a program's outputs by Def. B.3, each within `tol` times E|ψ| where `budget` seconds allow.

    A limit that does not exist is reported in `diagnostics`, and the other outputs are still computed. An output that
    was not begun when the time was over (see `netsor.deadline`) is reported there too (E804), without a value. Raises
    NetsorError (E705) where there is no such output.
    """
    known = [o.name for o in program.outputs]
    for name in outputs or ():
        if name not in known:
            raise NetsorError(no_output(name, known))
    state = Limit(program, Settings(tol=tol, budget=budget), progress)
    jumps = Jumps(state)
    asked = [o for o in program.outputs if outputs is None or o.name in outputs]
    values: dict[str, LimitValue] = {}
    faults: dict[str, tuple[Diagnostic, ...]] = {}
    end = None if budget is None else now() + budget

    def work_through(names: Sequence[Output], share: float) -> None:
        for k, output in enumerate(names):
            if end is not None:
                # The outputs share the remaining time in equal parts, so that a hard one leaves time to those after it.
                state.grant((end - now()) / (len(names) - k), share)
            faults.pop(output.name, None)
            try:
                with state.known_first(output.scalar):
                    value = _one(state, output.scalar)
                jumps.refuse(output.scalar)
                state.verify_known(output.scalar)
                values[output.name] = value
            except NetsorError as fault:
                values[output.name] = LimitValue(None, None, method_without_value(fault), False)
                faults[output.name] = fault.diagnostics

    try:
        with limited(budget), rarely_collected():
            work_through(asked, 0.25)
            rough = [o for o in asked if o.name not in faults and not values[o.name].converged]
            if rough and end is not None and budget is not None and end - now() > 0.25 * budget:
                state.forget_numbers()
                work_through(rough, 0.8)
    except TimeOver:
        cut = [o for o in asked if o.name not in values and o.name not in faults]
        for output in cut:
            values[output.name] = NOT_BEGUN
            faults[output.name] = (_out_of_time(cut),)
    missed = [o for o in asked if o.name not in faults and not values[o.name].converged]
    if missed:
        # One warning for all; it stands where the first of them does.
        faults[missed[0].name] = (_not_reached(missed, values, tol, state),)
    found = tuple(dict.fromkeys(d for o in asked for d in faults.get(o.name, ())))
    return LimitResult(program.name, values, found, tuple(state.taken))


def _out_of_time(cut: Sequence[Output]) -> Diagnostic:
    names = [f"`{o.name}`" for o in cut]
    if len(names) > _LISTED:
        names[_LISTED - 1 :] = [f"{len(names) - _LISTED + 1} others"]
    listed = ", ".join(names)
    return out_of_time(f"the limit{'s' * (len(cut) > 1)} of {listed}", cut[0].span, is_stopped())


def _one(state: Limit, name: str) -> LimitValue:
    value = state.moment(name)
    state.verify(name)
    if isinstance(value, Const):
        return LimitValue(float(value.value), state.rounding(name), "exact algebra")
    estimate = state.estimate(name)
    symbol = next(iter(value.free), None)
    if symbol is None:
        return LimitValue(estimate.value, estimate.error, "exact algebra")
    # If a power of two was split off, this is the size of the remaining factor.
    size = _size(state, symbol) if value is symbol else 0.0
    size = max(size, abs(estimate.value))
    # A function of scalars that are exactly zero has size 0; an error that is left there is rounding error.
    rounding = 4e-15 if state.result_of(symbol) is None else NORMAL
    converged = estimate.error <= max(state.settings.tol * size, rounding)
    return LimitValue(estimate.value, estimate.error, _method(state, symbol), converged, size)


def _arguments(state: Limit, s: Sym) -> dict[str, Expr]:
    """The scalars, numbers or symbols, that a MOMENT without vectors is a function of."""
    i = state.program.by_name.get(s.name[1])
    return {x: state.moment(x) for x in i.scalars} if isinstance(i, Moment) and not i.vectors else {}


def _size(state: Limit, value: Expr) -> float:
    """The scale of an error: E|ψ| for a MOMENT, Σ |∂f/∂θ| times the scales of θ for a function of scalars."""
    if not isinstance(value, Sym):
        return abs(_value(state, value))
    result = state.result_of(value)
    if result is not None:
        return max(abs(result.value), result.scale)
    arguments = _arguments(state, value)
    point = {Sym(x): _value(state, v) for x, v in arguments.items()}
    if not point:
        return abs(state.scalar(value).value)
    psi = at_infinite_width(state.program.by_name[value.name[1]].psi)  # type: ignore[union-attr]
    total = 0.0
    for x, v in arguments.items():
        slope = evaluate(diff(psi, Sym(x)), point)
        if slope and math.isfinite(slope):
            total += abs(slope) * _size(state, v)
    return total


def _value(state: Limit, value: Expr) -> float:
    if isinstance(value, Const):
        return float(value.value)
    k, rest = apart(value)
    known = evaluate(rest, {s: state.scalar(s).value for s in rest.free})
    try:
        return math.ldexp(known, k)
    except OverflowError:  # an argument of a branch that is not taken may be beyond the floats
        return math.copysign(math.inf, known)


_RANKS = {m.value: rank for rank, m in enumerate(Method)}


def hardest(method: str) -> str:
    """The hardest of the steps that a method names, as `quadrature` of `exact algebra + quadrature`."""
    return max(method.split(" + "), key=_rank)


def _rank(step: str) -> tuple[int, int]:
    """How hard a step is: the place of its method among the methods, in order of difficulty, and its dimension."""
    name, _, dimension = step.rpartition(" ")
    if dimension.endswith("-D"):
        return _RANKS.get(name, 0), int(dimension.removesuffix("-D"))
    return _RANKS.get(step, 0), 0


def _method(state: Limit, value: Expr) -> str:
    """The methods that led to an output: its own, and before it a harder one of a number that it depends on."""
    own = _own_method(state, value)
    if not isinstance(value, Sym):
        return own
    before = max((step for m in state.methods(value) for step in m.split(" + ")), key=_rank, default=own)
    return f"{before} + {own}" if _rank(before) > _rank(hardest(own)) else own


def _own_method(state: Limit, value: Expr) -> str:
    """The method of an output's own expectation, or the methods of those that it is a function of."""
    if not isinstance(value, Sym):
        return "exact algebra"
    result = state.result_of(value)
    if result is not None:
        return result.method
    found: dict[str, None] = {}
    for v in _arguments(state, value).values():
        found.update(dict.fromkeys(_own_method(state, v).split(" + ")))
    if len(found) > 1:
        found.pop("exact algebra", None)
        return " + ".join(["exact algebra", *found])
    return next(iter(found), "exact algebra")


def _not_reached(missed: Sequence[Output], values: dict[str, LimitValue], tol: float, state: Limit) -> Diagnostic:
    """W901 for all outputs whose bounds are larger than asked for; the worst of them is told in numbers."""
    # By how much the bound is too large, so that outputs of different sizes can be compared.
    worst = max(missed, key=lambda o: (values[o.name].error or 0.0) / (values[o.name].size or 1.0))
    value = values[worst.name]
    which = f" of `{worst.name}`" if len(missed) > 1 else ""
    allowed = f"{tol:.1e} of what is averaged is {tol * value.size:.1e}"
    notes = [f"the error bound{which} is {value.error:.1e}, and {allowed}"]
    moment = state.moment(worst.scalar)
    culprit = state.culprit(moment) if isinstance(moment, Sym) else None
    if culprit is not None:
        origin, share = culprit
        notes.append(f"the hardest expectation was {origin.purpose}, by {origin.method}: ± {share:.1e} of this")
    listed = [f"`{o.name}`" for o in missed]
    if len(listed) > _LISTED:
        listed = [*listed[: _LISTED - 1], f"{len(listed) - _LISTED + 1} more"]
    names = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
    return not_reached(names, len(missed) > 1, worst.span, tuple(notes), not is_stopped())

"""What a user gets: for each output its limit, its error, the way it was found, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.expr import Const
from netsor.gaussian import Settings
from netsor.limit.interpreter import Limit, Taken


@dataclass(frozen=True)
class LimitValue:
    """θ̊ of an output: |value − limit| ≤ error; `value` is None where the limit does not exist."""

    value: float | None
    error: float | None
    method: str
    converged: bool = True

    def as_dict(self) -> dict:
        return {"value": self.value, "error": self.error, "method": self.method}


@dataclass(frozen=True)
class LimitResult:
    """The limits of a program's outputs, the diagnostics of those that failed, and every expectation taken."""

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
    """The limits of a program's outputs by Def. B.3, each within `tol` (relative) where `budget` seconds allow.

    A limit that does not exist is reported in `diagnostics`, and the other outputs are still computed.
    """
    state = Limit(program, Settings(tol=tol, budget=budget), progress)
    values: dict[str, LimitValue] = {}
    faults: list[Diagnostic] = []
    for output in program.outputs:
        if outputs is not None and output.name not in outputs:
            continue
        before = len(state.taken)
        try:
            values[output.name] = _one(state, output.scalar, before)
        except NetsorError as fault:
            values[output.name] = LimitValue(None, None, "none", False)
            faults.extend(d for d in fault.diagnostics if d not in faults)
            continue
        if not values[output.name].converged:
            faults.append(_not_reached(output.name, values[output.name], tol, state.taken, output.span))
    return LimitResult(program.name, values, tuple(faults), tuple(state.taken))


def _one(state: Limit, name: str, before: int) -> LimitValue:
    value = state.moment(name)
    if isinstance(value, Const):
        return LimitValue(float(value.value), 0.0, "exact algebra")
    estimate = state.scalar(value)  # type: ignore[arg-type]
    scale = max(abs(estimate.value), 1e-300)
    converged = estimate.error <= state.settings.tol * max(scale, 1.0)
    return LimitValue(estimate.value, estimate.error, _method(state, value, before), converged)


def _method(state: Limit, value: object, before: int) -> str:
    """The least exact way that was used for this output's own expectation, or for what it is a function of."""
    own = [t.result.method for t in state.taken[before:]] or [t.result.method for t in state.taken]
    return own[-1] if own else "exact algebra"


def _not_reached(name: str, value: LimitValue, tol: float, taken: Sequence[Taken], span) -> Diagnostic:  # noqa: ANN001
    hardest = max(taken, key=lambda t: t.result.error, default=None)
    notes = [f"the error bound is {value.error:.1e}, the tolerance {tol:.1e} relative to max(1, |limit|)"]
    labels = []
    if hardest is not None:
        notes.append(f"the hardest expectation was {hardest.purpose}, by {hardest.result.method}: ± {hardest.result.error:.1e}")
    return Diagnostic(
        "W901",
        f"the limit of `{name}` was not reached to the tolerance asked for",
        span,
        severity="warning",
        labels=tuple(labels),
        notes=tuple(notes),
        hint="give more time with `--budget SECONDS`, or accept this error with a larger `--tol`",
    )

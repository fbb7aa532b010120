"""All that a report shows, computed once: plain data, of which every part may be missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netsor.check import Report
from netsor.core import Program
from netsor.deadline import TimeOver, limited
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.limits import out_of_time
from netsor.gaussian.problem import Clock
from netsor.show.writing import variables_of

if TYPE_CHECKING:
    from netsor.finite import FiniteResult
    from netsor.limit import LimitResult


@dataclass
class Material:
    """A checked text, its limits, runs at growing widths (the last is the one asked for), its derivation, laws.

    Of a network, `kernels` is its program on rows of inputs, whose outputs are the entries of its kernels, and the
    limits and all that follows are those of that program; `legend` says what its names mean.
    """

    report: Report
    command: str = ""
    limit: LimitResult | None = None
    runs: list[FiniteResult] = field(default_factory=list)
    derivation: Any = None
    laws: list[Any] = field(default_factory=list)
    remarks: list[Diagnostic] = field(default_factory=list)
    kernels: Program | None = None
    legend: tuple[str, ...] = ()

    @property
    def program(self) -> Program:
        assert self.report.program is not None
        return self.report.program

    @property
    def evaluated(self) -> Program:
        """The program whose limits and runs these are."""
        return self.program if self.kernels is None else self.kernels

    @property
    def name(self) -> str:
        return self.program.name or self.report.source.name


def widths_up_to(width: int) -> list[int]:
    """The widths of a convergence picture: `width` and halves of it, six at most and none below 16."""
    found = [width]
    while len(found) < 6 and found[-1] // 2 >= 16:
        found.append(found[-1] // 2)
    return found[::-1]


def collect(
    report: Report,
    width: int | None = 1024,
    seeds: int = 8,
    vectors: Sequence[str] = (),
    command: str = "",
    seed: int = 0,
    tol: float = 1e-8,
    budget: float = 60.0,
    progress: Callable[..., None] | None = None,
    kernels: Program | None = None,
    legend: tuple[str, ...] = (),
) -> Material:
    """Everything that a report of a checked text shows; no runs without `width`.

    `kernels` is the program of a network on rows of inputs (`netsor.kernels.programs`), and `legend` its notation.

    Raises NetsorError where the text has errors, where the width is none, or where a vector does not exist.
    """
    if report.program is None:
        raise NetsorError(d for d in report.diagnostics if d.is_error)
    out = Material(report, command, kernels=kernels, legend=legend)
    program = out.evaluated
    names = variables_of(program, vectors, vectors=True)
    if program.kind == "network":
        return out
    from netsor.limit import infer_limit

    tell = progress or (lambda *_: None)
    clock = Clock(budget)
    with limited(budget):
        tell("limits")
        # The derivation takes the same limits again, and has the time that they left.
        out.limit = infer_limit(program, tol, clock.part(0.5))
        out.remarks += out.limit.diagnostics
        tell("derivation")
        out.derivation = _derivation(program, tol, clock.part(0.5 if names else 1.0))
        for k, name in enumerate(names):
            tell(f"law of {name}")
            from netsor.report.laws import coordinate_law

            try:
                seconds = clock.part(1 / (len(names) - k))
                out.laws.append(coordinate_law(program, name, width or 4096, seed, tol, seconds))
            except NetsorError as fault:
                out.remarks += fault.diagnostics
            except TimeOver:
                out.remarks.append(out_of_time(f"the law of `{name}`"))
    if width is not None:
        _run(out, widths_up_to(width), seeds, seed, tell)
    return out


def _run(out: Material, widths: list[int], seeds: int, seed: int, tell: Callable[..., None]) -> None:
    from netsor.finite import run

    for n in widths:
        tell(f"width {n}")
        try:
            out.runs.append(run(out.evaluated, n, seeds, seed=seed).whole())
        except NetsorError as fault:
            if n == widths[0] and len(widths) == 1:
                raise
            # A page with a remark says more than none.
            out.remarks += fault.diagnostics
            return


def _derivation(program: Program, tol: float, budget: float | None) -> Any:
    from netsor.gaussian import Settings
    from netsor.limit import Limit
    from netsor.show.derivation import derive, with_numbers

    try:
        limit = Limit(program, Settings(tol, budget))
        return with_numbers(derive(program, limit=limit), limit, budget=budget)
    except (NetsorError, RecursionError, TimeOver):
        # Where a limit does not exist, or there was no time for it, the table of limits says so.
        return None

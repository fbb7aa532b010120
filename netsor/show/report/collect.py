"""All that a report shows, computed once: plain data, of which every part may be missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsor.diagnostics import Diagnostic, NetsorError

if TYPE_CHECKING:
    from netsor.api import Document
    from netsor.finite import FiniteResult
    from netsor.limit import LimitResult


@dataclass
class Material:
    """A document, its limits, runs at growing widths (the last is the one asked for), its derivation, laws of vectors."""

    document: Document
    command: str = ""
    limit: LimitResult | None = None
    runs: list[FiniteResult] = field(default_factory=list)
    derivation: Any = None
    laws: list[Any] = field(default_factory=list)
    remarks: list[Diagnostic] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.document.program.name or self.document.report.source.name


def widths_up_to(width: int) -> list[int]:
    """The widths of a convergence picture: `width` and halves of it, six at most and none below 16."""
    found = [width]
    while len(found) < 6 and found[-1] // 2 >= 16:
        found.append(found[-1] // 2)
    return found[::-1]


def collect(
    document: Document, width: int | None = 1024, seeds: int = 8, vectors: Sequence[str] = (), command: str = "",
    seed: int = 0, tol: float = 1e-8, budget: float = 60.0, progress: Callable[..., None] | None = None,
) -> Material:
    """Everything that a report of the document shows; without `width` no runs. Raises NetsorError where the text has errors."""
    from netsor.show.writing import variables_of

    program = document.program
    out = Material(document, command)
    names = variables_of(program, vectors, vectors=True)
    tell = progress or (lambda *_: None)
    if program.kind == "network":
        return out
    tell("limits")
    out.limit = document.limit(tol, budget)
    out.remarks += out.limit.diagnostics
    if width is not None:
        for n in widths_up_to(width):
            tell(f"width {n}")
            try:
                out.runs.append(document.run(n, seeds, seed=seed))
            except NetsorError as fault:
                # A page with a remark says more than none.
                out.remarks += fault.diagnostics
                break
    tell("derivation")
    out.derivation = _derivation(program)
    for name in names:
        tell(f"law of {name}")
        found = _law(document, name, width, seed)
        if found is not None:
            out.laws.append(found)
    return out


def _derivation(program: Any) -> Any:
    try:
        module = import_module("netsor.show.derivation")
    except ImportError:
        return None
    try:
        return module.derive(program)
    except (NetsorError, RecursionError, NotImplementedError):
        # Where a limit does not exist the table of limits says why.
        return None


def _law(document: Document, name: str, width: int | None, seed: int) -> Any:
    from netsor.show.report.laws import coordinate_law

    return coordinate_law(document.program, name, width or 4096, seed)

"""What `netsor check` says of a file: kinds, language, assumptions, diagnostics."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from netsor.check.assumptions import Assumption, infer_assumptions
from netsor.check.languages import infer_language
from netsor.check.outputs import growing
from netsor.check.readouts import readout_faults
from netsor.check.statements import check_file, new_context
from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Diagnostic, Source, Span
from netsor.shown import Shown
from netsor.syntax import Parsed, ast, read_document


@dataclass(frozen=True)
class Variable:
    """A variable of a checked program: its kind, the instruction that makes it, its line, and the file of that line.

    `file` is empty for the file that was checked; a variable of a definition may have its line in an included one.
    """

    name: str
    kind: str
    instruction: str
    line: int | None
    file: str = ""

    @property
    def place(self) -> str:
        """The line as a table has it, behind the name of its file where that is another."""
        number = str(self.line or "")
        return f"{PurePath(self.file).name}:{number}" if self.file else number

    def as_dict(self) -> dict[str, Any]:
        where = {"file": self.file} if self.file else {}
        return {"name": self.name, "kind": self.kind, "instruction": self.instruction, "line": self.line, **where}


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The result of checking one file; `program` is None where there are errors.

    `included` are the files that it includes and those that these include, each once, the innermost first.
    """

    source: Source
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    kind: str
    language: str | None
    variables: tuple[Variable, ...]
    included: tuple[Source, ...] = ()

    @cached_property
    def assumptions(self) -> Mapping[str, Assumption]:
        """Which assumptions the program meets; none where there are errors."""
        with _no_collection():
            return infer_assumptions(self.program) if self.program is not None else {}

    @property
    def ok(self) -> bool:
        return not any(d.is_error for d in self.diagnostics)


def check_source(
    source: Source, settings: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None
) -> Report:
    """Check a text and lower it to a core program; never raises on a user's fault.

    `settings` are values of `param` lines, `data` maps names to (nested tuples, shape).
    """
    with _no_collection():
        parsed = read_document(source)
        if parsed.file is None:
            return Report(source, None, parsed.faults, "program", None, ())
        return check_tree(parsed.file, settings, data, parsed)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles: there is none in a tree, and half of the time of a long program goes into it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def check_tree(
    tree: ast.File,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    parsed: Parsed | None = None,
) -> Report:
    """Check a parsed file; see `check_source`. `parsed` tells the faults of its syntax, and what they leave unknown."""
    faults = parsed.faults if parsed else ()
    lost, partial = (parsed.lost, parsed.partial) if faults and parsed else ((), ())
    ctx = new_context(tree, settings, data, lost, partial)
    program = check_file(ctx, whole=not lost)
    kind = "network" if ctx.is_network else "program"
    found = (*ctx.faults.in_order(), *faults)
    if faults:
        program = None
        found = tuple(sorted((d for d in found if d.is_error), key=lambda d: d.span.order if d.span else ()))
    if program is not None and (mixed := [*readout_faults(program), *growing(program)]):
        found = (*found, *mixed)
        program = None if any(d.is_error for d in mixed) else program
    if program is None:
        return Report(tree.source, None, found, kind, None, ())
    included = tuple(file.source for file in tree.files() if file is not tree)
    return Report(tree.source, program, found, kind, infer_language(program), tuple(variables(program)), included)


def variables(program: Program) -> list[Variable]:
    """All variables with their kinds, initial ones first."""
    out: list[Variable] = []

    def add(name: str, kind: str, instruction: str, span: Span | None) -> None:
        file = span.source.name if span and span.source.included else ""
        out.append(Variable(name, kind, instruction, span.line if span else None, file))

    for m in program.matrices:
        add(m.name, "matrix", "𝒲", m.span)
    for u in program.input_matrices:
        add(u.name, "matrix", "𝒲", u.span)
    for g in program.groups:
        for name in g.names:
            add(name, "G-var", "𝒱", g.span)
    for e in program.embeddings:
        add(e.name, "G-var", "INIT", e.span)
    for c in program.constants:
        add(c.name, "scalar", "𝒞", c.span)
    for i in program.instructions:
        match i:
            case MatMul():
                instruction = "MATMUL"
            case Nonlin():
                instruction = "NONLIN⁺" if program.is_plus(i) else "NONLIN"
            case Moment():
                instruction = "MOMENT"
        add(i.name, program.kind_of(i.name), instruction, i.span)
    return out

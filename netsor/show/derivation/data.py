"""Data in formulas: ⟨ξ[1], ξ[2]⟩ stands as ξ[1]ᵀξ[2], an entry as y[1]; what they come to is for `--numbers`.

The core holds such numbers as numbers. A core in which they are the symbols of this module is made by
`netsor.show.derivation.symbolic`; `with_numbers_in` takes it back.
"""

from __future__ import annotations

import math
from dataclasses import replace

from netsor.core import DataRef, InputRef, Instruction, MatMul, Program
from netsor.expr import ZERO, Const, Expr, Sym, substitute
from netsor.show.derivation.symbols import DATA, kind, names, symbol


def product(a: DataRef, b: DataRef) -> Sym:
    """aᵀb, the same symbol as bᵀa."""
    return symbol(DATA, *sorted((a, b), key=lambda r: (r.name, r.row)))


def entry(ref: DataRef) -> Sym:
    """One number of the data."""
    return symbol(DATA, ref)


def ref_text(ref: DataRef | InputRef) -> str:
    """A row or an entry of data as names are written: ξ[1], X[1,2], y."""
    if isinstance(ref, InputRef):
        return str(ref)
    return f"{ref.name}[{','.join(map(str, ref.row))}]" if ref.row else ref.name


def value_of(s: Sym, program: Program) -> float:
    """What the data say that a symbol is."""
    rows = [program.datum[r.name].row(r.row) for r in names(s)]
    if len(rows) == 1:
        return float(rows[0])  # type: ignore[arg-type]
    return math.fsum(x * y for x, y in zip(*rows, strict=True))


def of_embeddings(program: Program, x: str, y: str) -> Expr:
    """⟨ξ, ξ'⟩ for U ξ and U ξ'; inputs that are orthogonal are worth knowing: their product stands as zero."""
    a, b = (program.embedding[name].source for name in (x, y))
    assert isinstance(a, DataRef) and isinstance(b, DataRef)
    s = product(a, b)
    return s if value_of(s, program) else ZERO


def data_in(e: Expr) -> list[Sym]:
    """The symbols of data in an expression."""
    return sorted((s for s in e.free if kind(s) == DATA), key=lambda s: [(r.name, r.row) for r in names(s)])


def with_numbers_in(program: Program) -> Program:
    """The core as the interpreters read it: numbers in the place of symbols of data."""
    made: list[Instruction] = []
    for i in program.instructions:
        if not isinstance(i, MatMul) and (found := data_in(i.psi)):
            i = replace(i, psi=substitute(i.psi, {s: Const(value_of(s, program)) for s in found}))
        made.append(i)
    return replace(program, instructions=tuple(made))

"""Data in formulas: ⟨ξ[1], ξ[2]⟩ stands as ξ[1]ᵀξ[2], an entry as y[1]; what they come to is for `--numbers`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from netsor.core import DataRef, InputRef, Instruction, MatMul, Program
from netsor.expr import ZERO, Expr, Named, Sym, rewrite, substitute
from netsor.expr.rationals import rational
from netsor.gaussian.problem import OutOfRange
from netsor.show.derivation.symbols import DATA, kind, names, symbol


def ref_text(ref: DataRef | InputRef) -> str:
    """A row or an entry of data as names are written: ξ[1], X[1,2], y."""
    if isinstance(ref, InputRef):
        return str(ref)
    return f"{ref.name}[{','.join(map(str, ref.row))}]" if ref.row else ref.name


def value_of(s: Sym, program: Program) -> float:
    """What the data say that a symbol is; raises Unsettled where no float holds it."""
    try:
        return float(_exact_value(s, program))
    except OverflowError:
        raise OutOfRange("a product of the data is beyond 1.8e308, the largest number") from None


def _exact_value(s: Sym, program: Program) -> Fraction:
    rows = [program.datum[r.name].row(r.row) for r in names(s)]
    if len(rows) == 1:
        return rational(rows[0])  # type: ignore[arg-type]
    return sum((rational(x) * rational(y) for x, y in zip(*rows, strict=True)), Fraction(0))


def of_embeddings(program: Program, x: str, y: str) -> Expr:
    """⟨ξ, ξ'⟩ for U ξ and U ξ'; inputs that are orthogonal are worth knowing: their product stands as zero."""
    a, b = (program.embedding[name].source for name in (x, y))
    assert isinstance(a, DataRef) and isinstance(b, DataRef)
    s = symbol(DATA, *sorted((a, b), key=lambda r: (r.name, r.row)))
    return s if _exact_value(s, program) else ZERO


def data_in(e: Expr) -> list[Sym]:
    """The symbols of data in an expression."""
    return sorted((s for s in e.free if kind(s) == DATA), key=lambda s: [(r.name, r.row) for r in names(s)])


def with_symbols(program: Program) -> Program:
    """The core with symbols of a derivation for products and entries of data, and for constants that are one."""
    constants = {Sym(c.name): _symbol(c.value) for c in program.constants if isinstance(c.value, Named)}
    made: list[Instruction] = []
    for i in program.instructions:
        if not isinstance(i, MatMul):
            psi = rewrite(i.psi, _symbol) if Named.kind in i.psi.made_of else i.psi
            scalars = tuple(x for x in i.scalars if Sym(x) not in constants)
            i = replace(i, psi=substitute(psi, constants), scalars=scalars)
        made.append(i)
    return replace(program, instructions=tuple(made))


def _symbol(e: Expr) -> Expr:
    return symbol(DATA, *e.origin) if isinstance(e, Named) else e

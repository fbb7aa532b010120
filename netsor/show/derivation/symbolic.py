"""A program whose ψ's name the products and entries of data that the text names, for formulas as the paper writes them.

The checker puts the numbers of data into the core, where nothing tells -0.6 from ⟨ξ[1], ξ[2]⟩. Here a text is checked
once more with a function of no arguments, whose body is the number, in the place of each. Such a function has no free
symbols, so that the lowering treats it as the number that it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netsor.check.data_names import DataNames, with_numbers
from netsor.check.statements import check_file, new_context
from netsor.core import Constant, DataRef, MatMul, Moment, Nonlin, Program
from netsor.expr import (
    Const,
    Expr,
    Sym,
    canonical,
    evaluate,
    rewrite,
    substitute,
)
from netsor.show.derivation.data import entry, product, value_of
from netsor.syntax import ast

# Places at which two spellings of one ψ are compared, where putting the numbers in rounded differently.
_PLACES = (0.37, 1.61, 0.83)


def symbolic(
    program: Program,
    tree: ast.File | None,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Program:
    """The program of a text with symbols of data (`netsor.show.derivation.data`) wherever the text has them.

    A line of which that cannot be said for certain keeps its numbers.
    """
    if not program.data:
        return program
    program = _with_products_of_sgd(program)
    if tree is None:
        return program
    ctx = new_context(tree, settings, data)
    ctx.data_names = DataNames()
    named = check_file(ctx)
    symbols: dict[Expr, Expr] = {
        e: product(*refs) if len(refs) == 2 else entry(*refs) for e, refs in ctx.data_names.refs.items()
    }
    if named is None or not symbols:
        return program
    made = []
    for i in program.instructions:
        other = named.by_name.get(i.name)
        if not isinstance(i, MatMul) and isinstance(other, (Nonlin, Moment)) and _agree(i, other):
            i = replace(i, psi=rewrite(other.psi, lambda e: symbols.get(e, e)))
        made.append(i)
    return replace(program, instructions=tuple(made))


def _with_products_of_sgd(program: Program) -> Program:
    """A program of `netsor sgd` with ⟨ξ[i], ξ[j]⟩ for its constants `ξξ[i,j]`, which are that by their value."""
    found = {Sym(c.name): s for c in program.constants if (s := _product_called(c, program)) is not None}
    if not found:
        return program
    made = []
    for i in program.instructions:
        if not isinstance(i, MatMul) and any(Sym(x) in found for x in i.scalars):
            scalars = tuple(x for x in i.scalars if Sym(x) not in found)
            i = replace(i, psi=substitute(i.psi, found), scalars=scalars)
        made.append(i)
    return replace(program, instructions=tuple(made))


def _product_called(c: Constant, program: Program) -> Expr | None:
    """aᵀb where a constant is called and valued so: its name is that of two data, its index those of two rows."""
    base, bracket, rest = c.name.partition("[")
    index = tuple(map(int, re.findall(r"-?\d+", rest)))
    if not bracket or not isinstance(c.value, Const):
        return None
    for a in program.data:
        for b in program.data:
            cut = len(a.shape) - 1
            if base != a.name + b.name or len(index) != cut + len(b.shape) - 1:
                continue
            rows = (index[:cut], a.shape), (index[cut:], b.shape)
            if a.shape[-1] != b.shape[-1] or any(not 1 <= i <= n for row, shape in rows for i, n in zip(row, shape)):
                continue
            s = product(DataRef(a.name, index[:cut]), DataRef(b.name, index[cut:]))
            if abs(value_of(s, program) - c.limit) <= 1e-12 * (1 + abs(c.limit)):
                return s
    return None


def _agree(i: Nonlin | Moment, named: Nonlin | Moment) -> bool:
    """Whether a line with names for its data says what the line of the core says."""
    if type(i) is not type(named) or (i.vectors, i.scalars) != (named.vectors, named.scalars):
        return False
    if i.psi is named.psi:
        return False
    back = with_numbers(named.psi)
    if canonical(back) is canonical(i.psi):
        return True
    free = sorted(i.psi.free | back.free, key=lambda s: s.digest)
    for k, start in enumerate(_PLACES):
        at = {s: start + 0.29 * ((j + k) % 5) for j, s in enumerate(free)}
        a, b = evaluate(i.psi, at), evaluate(back, at)
        if not abs(a - b) <= 1e-9 * (1 + abs(a)):
            return False
    return True

"""A program whose ψ's name the products and entries of data that the text names, for formulas as the paper writes them.

The checker puts the numbers of data into the core, where nothing tells -0.6 from ⟨ξ[1], ξ[2]⟩. Here a text is checked
once more with a function of no arguments, whose body is the number, in the place of each. Such a function has no free
symbols, so that the lowering treats it as the number that it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from netsor.check.statements import Checker
from netsor.check.values import Array, Scalar, Value
from netsor.core import Constant, DataRef, MatMul, Moment, Nonlin, Program
from netsor.expr import (
    Apply,
    Const,
    Expr,
    Function,
    Mul,
    Sym,
    apply,
    canonical,
    evaluate,
    postorder,
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
    checker = _Naming(tree, settings, data)
    named = checker.run()
    if named is None or not checker.symbols:
        return program
    made = []
    for i in program.instructions:
        other = named.by_name.get(i.name)
        if not isinstance(i, MatMul) and isinstance(other, (Nonlin, Moment)) and _agree(i, other):
            i = replace(i, psi=rewrite(other.psi, lambda e: checker.symbols.get(e, e)))
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
    back = _numbers(named.psi)
    if canonical(back) is canonical(i.psi):
        return True
    free = sorted(i.psi.free | back.free, key=lambda s: s.digest)
    for k, start in enumerate(_PLACES):
        at = {s: start + 0.29 * ((j + k) % 5) for j, s in enumerate(free)}
        a, b = evaluate(i.psi, at), evaluate(back, at)
        if not abs(a - b) <= 1e-9 * (1 + abs(a)):
            return False
    return True


def _is_name(e: Expr) -> bool:
    return isinstance(e, Apply) and not e.children


def _numbers(e: Expr) -> Expr:
    return rewrite(e, lambda node: node.function.body if _is_name(node) else node)  # type: ignore[attr-defined]


class _Naming(Checker):
    """The checker, with names for data in what lines of the program say; elsewhere numbers have to be numbers."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.symbols: dict[Expr, Sym] = {}
        self._naming = False

    def _named(self, s: Sym, text: str, value: Value) -> Value:
        # Zero stays: what it multiplies is not in the core.
        if not self._naming or not isinstance(value, Scalar) or not value.number:
            return value
        made = apply(Function(text, (), Const(value.number)), ())
        self.symbols[made] = s
        return Scalar(made)

    def define_variable(self, *args: Any, **options: Any) -> Value:
        outer, self._naming = self._naming, True
        try:
            return super().define_variable(*args, **options)
        finally:
            self._naming = outer

    def number(self, node: ast.Expr, what: str = "a number") -> float:
        outer, self._naming = self._naming, False
        try:
            return super().number(node, what)
        finally:
            self._naming = outer

    def name_scalar(
        self, name: str, e: Expr, value: ast.Expr, span: Any, mark: int, labelled: bool, order: tuple[str, ...]
    ) -> None:
        # c xᵀy/n is one MOMENT where c is a number, and so it is where the number has a name.
        plain = _numbers(e)
        labelled = labelled or isinstance(plain, Mul) and all(isinstance(f, (Sym, Const)) for f in plain.children)
        super().name_scalar(name, e, value, span, mark, labelled, order)

    def inner(self, node: ast.Inner, left: Value, right: Value) -> Value:
        made = super().inner(node, left, right)
        refs = [
            a.ref or DataRef(a.name, ()) for a in (left, right) if isinstance(a, Array) and a.name and len(a.shape) == 1
        ]
        return self._named(product(*refs), "ᵀ".join(map(str, refs)), made) if len(refs) == 2 else made

    def array_entry(self, array: Array, indices: Sequence[int], node: ast.Index) -> Value:
        made = super().array_entry(array, tuple(indices), node)
        if isinstance(made, Scalar) and array.name:
            ref = DataRef(array.name, (array.ref.row if array.ref else ()) + tuple(indices))
            return self._named(entry(ref), str(ref), made)
        return made

    def finite(self, made: Any, node: ast.Node) -> Any:
        if isinstance(made, Scalar) and any(_is_name(e) for e in postorder(made.expr)):
            return made
        return super().finite(made, node)

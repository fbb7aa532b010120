"""Uᵀ x of an n×d matrix: d numbers, one for each column of U, so that a line with it stands for d lines.

`z := Uᵀ x / n` makes the family z[1], …, z[d], and `output f := Uᵀ x / √n` as many readouts. In such a line a family
with the members 1..d stands for its member k, as the biases c in `Uᵀ x / √n + c`.

A matrix that is only ever transposed is d vectors, U[1], …, U[d]. The columns of one that applies to data as well are
U e_k of the unit vectors e_k, members of 𝒱 that are correlated with U ξ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.operands import quiet_integers
from netsor.check.values import Covector, DecoderValue, Family, InputMatrixValue, Value
from netsor.core import Data, DataRef, Embedding
from netsor.diagnostics import Span
from netsor.expr import Sym
from netsor.syntax import ast

# Names for the matrix of a readout.
_FREE = ("V", "R", "D", "O", "Y")


def only_transposed(file: ast.File) -> frozenset[str]:
    """The names that occur in expressions, and nowhere without ᵀ behind them."""
    inside: set[int] = set()
    transposed: set[str] = set()
    plain: set[str] = set()
    for node in ast.walk(file):
        if isinstance(node, ast.Transpose):
            base = node.operand.base if isinstance(node.operand, ast.Index) else node.operand
            if isinstance(base, ast.Name):
                inside.add(id(base))
                transposed.add(base.name)
        elif isinstance(node, ast.Name) and id(node) not in inside:
            plain.add(node.name)
    return frozenset(transposed - plain)


async def width_of_line(ctx: Context, value: ast.Expr, reads_out: bool = False) -> int | None:
    """The number d of numbers that an expression with Uᵀ stands for; None for one without.

    Raises Fault for a readout by a matrix that applies to data too.
    """
    if not ctx.draft.columns or ctx.column is not None:
        return None
    for node in ast.walk(value):
        if isinstance(node, ast.Transpose):
            found = await _matrix(ctx, node.operand)
            if isinstance(found, DecoderValue):
                return len(found.columns)
            if isinstance(found, InputMatrixValue):
                if reads_out:
                    from netsor.diagnostics.catalogue import networks  # a program without faults starts faster

                    name = node.operand.span.text
                    own = next(x for x in (*_FREE, f"{name}_out") if ctx.names.scope.lookup(x) is None)
                    raise Fault(networks.tied_readout(node.span, name, ctx.draft.columns[found.name], own))
                return ctx.draft.columns[found.name]
    return None


async def _matrix(ctx: Context, operand: ast.Expr) -> Value | None:
    if isinstance(operand, ast.Name):
        return ctx.names.scope.lookup(operand.name)
    if isinstance(operand, ast.Index) and isinstance(operand.base, ast.Name):
        family = ctx.names.scope.lookup(operand.base.name)
        if isinstance(family, Family) and any(map(_is_matrix, family.members.values())):
            indices = await quiet_integers(ctx, operand.indices)
            return None if indices is None else family.members.get(indices)
    return None


def _is_matrix(value: Value) -> bool:
    return isinstance(value, (DecoderValue, InputMatrixValue))


@contextmanager
def column(ctx: Context, k: int, d: int) -> Iterator[None]:
    """The line of column k."""
    ctx.column = (k, d)
    try:
        yield
    finally:
        ctx.column = None


def member_of(target: ast.Target, k: int) -> ast.Target:
    """z[i, k] for the left side z[i]."""
    return replace(target, indices=(*target.indices, ast.Number(k, str(k), span=target.span)))


def column_of(ctx: Context, value: InputMatrixValue | DecoderValue, span: Span) -> Covector:
    """The transposed column of the present line."""
    assert ctx.column is not None
    k, _ = ctx.column
    if isinstance(value, DecoderValue):
        return Covector(Sym(value.columns[k - 1]))
    ref = DataRef(_unit_vectors(ctx, ctx.draft.columns[value.name], span), (k,))
    key = (value.name, ref)
    if key not in ctx.draft.embedded:
        name = ctx.draft.embedded[key] = ctx.emitter.fresh(f"{value.name.partition('[')[0]}_e")
        ctx.emitter.vectors.add(name)
        ctx.draft.embeddings.append(Embedding(name, value.name, ref, span))
    return Covector(Sym(ctx.draft.embedded[key]))


def _unit_vectors(ctx: Context, d: int, span: Span) -> str:
    """The name of the data that hold the unit vectors of length d."""
    rows = tuple(tuple(float(i == j) for j in range(d)) for i in range(d))
    known = next((x.name for x in ctx.draft.data if x.name in ctx.draft.unit_vectors and x.shape == (d, d)), None)
    if known is None:
        known = ctx.emitter.fresh("e")
        ctx.draft.unit_vectors.add(known)
        ctx.draft.data.append(Data(known, (d, d), rows, span))
    return known

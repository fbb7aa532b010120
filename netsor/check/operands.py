"""Indices, literals, ranges, and numbers known before running: what stands between operators."""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from netsor.check.context import Context, NeedsInstructions
from netsor.check.fault import Fault
from netsor.check.names import bias
from netsor.check.scope import Indices, core_name
from netsor.check.values import (
    POISON,
    Array,
    Bias,
    Builtin,
    Covector,
    Family,
    FunctionValue,
    Inlined,
    InputMatrixValue,
    InputValue,
    MatrixValue,
    Numbers,
    Poison,
    Scalar,
    Special,
    Unread,
    Value,
    Vector,
    kind_name,
)
from netsor.core import DataRef, data_number
from netsor.diagnostics import Span
from netsor.diagnostics.catalogue import declarations, divergence, kinds, names
from netsor.expr import Const, Expr, Sym, evaluate, numbers, substitute
from netsor.expr.nodes import has_infinite_constant, size_beyond
from netsor.expr.rationals import as_float, rational, uncertainty
from netsor.syntax import ast

Number = Scalar | Vector | Covector

# More instructions than this, or more members of one family, is not a program that a person meant.
MOST_INSTRUCTIONS = 1_000_000


# --- numbers known before running ---------------------------------------------------------------------------------


async def number(ctx: Context, node: ast.Expr, what: str = "a number") -> float:
    """A number known before running: parameters, data, arithmetic of them."""
    if isinstance(node, ast.Number) and isinstance(node.value, int):
        return node.value
    found = (await constant(ctx, node, what)).number
    assert found is not None
    return found


async def constant(ctx: Context, node: ast.Expr, what: str = "a number") -> Scalar:
    """The same number as a scalar, with what it was rounded from."""
    value = await ctx.value(node)
    if isinstance(value, Poison):
        raise Fault(None)
    if isinstance(value, Array) and not value.shape:
        return entry(value.values)
    if not isinstance(value, Scalar) or value.number is None:
        raise Fault(declarations.not_constant(node.span, what, kind_name(value), _line_of_number(ctx, node)))
    return value


def _line_of_number(ctx: Context, node: ast.Expr) -> Span | None:
    """The line `NAME := NUMBER` that gave a name its value; None where it was another."""
    place = ctx.names.first_place.get(node.name) if isinstance(node, ast.Name) else None
    if place is None:
        return None
    text = place.source.text
    stop = text.find("\n", place.end)
    line = Span(place.source, place.start, len(text) if stop < 0 else stop)
    return line if re.fullmatch(r"\S+\s*:=\s*[\d.e+-]+\s*", line.text) else None


async def law_number(ctx: Context, node: ast.Expr, what: str = "a number") -> tuple[float, Expr | None]:
    """A number of a law, and where it depends on parameters that stay symbols its formula in them."""
    if ctx.symbols:
        value = await ctx.value(node)
        if isinstance(value, Scalar) and value.expr.free and value.expr.free <= set(ctx.draft.constant_values):
            return float(evaluate(substitute(value.expr, ctx.draft.constant_values), {})), value.expr
    return await number(ctx, node, what), None


async def integer(ctx: Context, node: ast.Expr, what: str) -> int:
    """A whole number known before running."""
    found = await number(ctx, node, what)
    if isinstance(found, float) and not found.is_integer():
        raise Fault(declarations.not_an_integer(node.span, what, found))
    return int(found)


async def integers(ctx: Context, nodes: Sequence[ast.Expr], what: str = "an index") -> Indices:
    return tuple([await integer(ctx, node, what) for node in nodes])


async def quiet_integers(ctx: Context, nodes: Sequence[ast.Expr]) -> Indices | None:
    """Indices that a faulty line may have; None where they are not known."""
    try:
        return await integers(ctx, nodes)
    except Fault:
        return None


async def range_of(ctx: Context, node: ast.Range) -> range:
    low = await integer(ctx, node.low, "the start of a range")
    high = await integer(ctx, node.high, "the end of a range")
    if high - low >= sys.maxsize:
        # Python has no length for such a range, and no program has room for it.
        raise Fault(declarations.too_long(node.span, high - low + 1, "members in one range"))
    return range(low, high + 1)


async def literal(ctx: Context, node: ast.ListLiteral) -> Array:
    """Nested lists of numbers; raises Fault where they are not a full rectangle."""
    items: list[Numbers] = []
    shapes = set()
    for item in node.items:
        if _is_side_by_side(item):
            raise Fault(declarations.without_commas(item.span))
        value = await ctx.value(item)
        if isinstance(value, Array) and value.shape:
            items.append(value.values)
            shapes.add(value.shape)
        else:
            items.append(as_float(await number(ctx, item)))
            shapes.add(())
    if len(shapes) > 1:
        raise Fault(declarations.ragged(node.span))
    return Array(tuple(items), (len(items), *(shapes.pop() if shapes else ())))


def _is_side_by_side(node: ast.Expr) -> bool:
    """Whether an entry is numbers with nothing between them, as NumPy and MATLAB print rows."""
    while isinstance(node, ast.Juxtapose):
        if not isinstance(node.left, ast.Number):
            return False
        node = node.right
        if isinstance(node, ast.Number):
            return True
    return False


async def members(ctx: Context, d: ast.Declarator) -> list[Indices]:
    """The indices that a declarator declares; [()] where it has none."""
    axes = [
        await range_of(ctx, i) if isinstance(i, ast.Range) else [await integer(ctx, i, "an index")] for i in d.indices
    ]
    count = math.prod(len(a) for a in axes)
    if count > MOST_INSTRUCTIONS:
        raise Fault(declarations.too_long(d.span, count, "members in one family"))
    return list(itertools.product(*axes))


# --- what can be computed with --------------------------------------------------------------------------------------


async def numeric(ctx: Context, node: ast.Expr, what: str | None = None) -> Number | Poison:
    """A scalar or a vector (or xᵀ); anything else cannot be computed with."""
    return as_number(await ctx.value(node), node, what)


def as_number(value: Value, node: ast.Node, what: str | None = None) -> Number | Poison:
    match value:
        case Array() if not value.shape:
            return entry(value.values)
        case Scalar() | Vector() | Covector() | Poison():
            return value
        case FunctionValue() | Builtin() | Inlined() | Special():
            raise Fault(kinds.function_as_value(node.span))
        case Family():
            raise Fault(kinds.family_as_value(node.span, value.name, value.sorted))
    shape = value.shape if isinstance(value, Array) else ()
    raise Fault(kinds.wrong_kind(node.span, kind_name(value), what or "a number or a vector", shape))


def entry(x: Numbers) -> Scalar:
    """A number of data as a constant."""
    number = _single(x)
    return Scalar(Const(float(number)), None if uncertainty(number) else rational(number))


def _single(x: Numbers) -> float:
    assert not isinstance(x, tuple)
    return x


def join(e: Expr, *parts: Value) -> Scalar | Vector:
    """What an expression made of some parts is: a vector where one of them is."""
    return Vector(e) if any(isinstance(p, Vector) for p in parts) else Scalar(e)


def finite(made: Scalar | Vector, node: ast.Node) -> Scalar | Vector:
    """A constant must be a finite number, told where it is made rather than where it is used."""
    value = numbers(made.expr)
    number = made if isinstance(made, Scalar) else Scalar(value)
    if not value.free and number.number is None:
        raise Fault((divergence.no_value if size_beyond(value) is None else divergence.too_large)(node.span))
    if has_infinite_constant(value):
        raise Fault(divergence.too_large(node.span))
    if value is not made.expr and (isinstance(value, Sym) or value.free != made.expr.free):
        # y[1] x is x where y[1] is 1.
        return replace(made, expr=value)
    return made


def named(ctx: Context, made: Value, *refs: DataRef) -> Value:
    """A number of the data under its name, which the core keeps; in a definition of coordinates it is a number."""
    if ctx.pure or not isinstance(made, Scalar) or not isinstance(made.expr, Const):
        return made
    return Scalar(data_number(made.expr.value, *refs), made.exact)


def check_emitting(ctx: Context, span: Span) -> None:
    """Raises NeedsInstructions where a function of coordinates is being read."""
    if ctx.pure:
        raise NeedsInstructions(span)


# --- indices --------------------------------------------------------------------------------------------------------


async def index(ctx: Context, node: ast.Index) -> Value:
    column, ctx.column = ctx.column, None
    try:
        base = await ctx.value(node.base)
    finally:
        ctx.column = column
    match base:
        case Unread():
            verify_entry(base.name, base.shape, await integers(ctx, node.indices), node)
            return base
        case Poison():
            return base
        case Builtin() | Special() | FunctionValue() | Inlined():
            inside = ", ".join(i.span.text for i in node.indices)
            raise Fault(kinds.square_application(node.span, node.base.span.text, inside))
    if isinstance(base, MatrixValue) and len(node.indices) == 1:
        argument = await ctx.value(node.indices[0])
        if isinstance(argument, Vector):
            raise Fault(kinds.matrix_in_square_brackets(node.span, node.base.span.text, node.indices[0].span.text))
    indices = await integers(ctx, node.indices)
    match base:
        case Array():
            return array_entry(ctx, base, indices, node)
        case Family():
            return await _member(ctx, base, indices, node)
        case InputMatrixValue():
            raise Fault(declarations.nameless_row(node.span))
    dimension = base.dimension if isinstance(base, InputValue) else None
    raise Fault(kinds.not_indexed(node.span, node.base.span, kind_name(base), dimension))


async def _member(ctx: Context, family: Family, indices: Indices, node: ast.Index) -> Value:
    if indices in family.members:
        member = family.members[indices]
        return bias(ctx, member, node) if isinstance(member, Bias) else member
    if family.name in ctx.names.partial:
        return POISON
    later = await _later_member(ctx, family.name, indices)
    if later is not None:
        raise Fault(names.member_used_before(node.span, core_name(family.name, indices), later))
    declared = ctx.names.first_place.get(family.name) if len(family.members) == 1 else None
    if declared is not None and (declared.source is not node.span.source or not _is_declared(declared)):
        declared = None
    raise Fault(declarations.index_out_of_range(node.span, family.name, indices, family, declared))


def _is_declared(place: Span) -> bool:
    """Whether a member stands in a declaration, where a range may stand."""
    text = place.source.text
    return text[text.rfind("\n", 0, place.start) + 1 : place.start].split()[:1] in (["vector"], ["matrix"])


async def _later_member(ctx: Context, name: str, indices: Indices) -> Span | None:
    """Where a member of a family that does not exist yet is defined further down, outside of loops."""
    if name not in ctx.names.members:
        ctx.names.members[name] = await _members_below(ctx, name)
    places = ctx.names.members[name].get(indices, ())
    return next((place for place in places if ctx.here is not None and place.start >= ctx.here.end), None)


async def _members_below(ctx: Context, name: str) -> dict[Indices, list[Span]]:
    """Where lines outside of loops define members of a family."""
    found: dict[Indices, list[Span]] = {}
    for s in ctx.file.statements:
        targets: tuple[ast.Declarator | ast.Target, ...] = ()
        if isinstance(s, (ast.MatrixDecl, ast.VectorDecl, ast.BiasDecl)):
            targets = s.declarators
        if isinstance(s, (ast.Assign, ast.ScalarDecl)):
            targets = (s.target,)
        for t in targets:
            if t.name == name and t.indices:
                for indices in await _quiet_members(ctx, t):
                    found.setdefault(indices, []).append(t.span)
    return found


async def _quiet_members(ctx: Context, t: ast.Target | ast.Declarator) -> Sequence[Indices]:
    try:
        return await members(ctx, t) if isinstance(t, ast.Declarator) else [await integers(ctx, t.indices)]
    except Fault:
        return ()


def verify_entry(name: str, shape: Sequence[int], indices: Indices, node: ast.Index) -> None:
    """Raise Fault (E406) where data of this shape have no such entry or row."""
    if len(indices) > len(shape):
        raise Fault(declarations.too_many_indices(node.span, name, shape, len(indices)))
    for axis, i in enumerate(indices):
        if not 1 <= i <= shape[axis]:
            raise Fault(declarations.row_out_of_range(node.span, name, indices, shape, axis, node.indices[axis].span))


def array_entry(ctx: Context, array: Array, indices: Indices, node: ast.Index) -> Value:
    """An entry or a row of data; raises Fault where there is none."""
    verify_entry(array.name or node.base.span.text, array.shape, indices, node)
    values = array.values
    for i in indices:
        assert isinstance(values, tuple)
        values = values[i - 1]
    shape = array.shape[len(indices) :]
    ref = DataRef(array.name, (array.ref.row if array.ref else ()) + indices) if array.name else None
    if shape:
        return Array(values, shape, ref, array.name)
    made = entry(values)
    return made if ref is None else named(ctx, made, ref)

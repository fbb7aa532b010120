"""Lines that give a variable its value: assignments and the outputs of programs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsor.check.claims import check_label, promised_order
from netsor.check.columns import column, member_of, width_of_line
from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.names import check_free, home
from netsor.check.operands import as_number, integers
from netsor.check.scope import Indices, core_name
from netsor.check.values import Poison, Scalar, Value, Vector, kind_name
from netsor.check.width import checked
from netsor.core import Embedding, Moment, Output
from netsor.diagnostics import Span
from netsor.diagnostics.catalogue import kinds
from netsor.expr import WIDTH, Expr, Mul, Sym, substitute
from netsor.syntax import ast


@dataclass(frozen=True)
class Line:
    """A line that gives a variable its value: its name in the core, and where its instructions and embeddings begin."""

    name: str
    value: ast.Expr
    span: Span
    mark: int
    embedded: int
    label: ast.LineLabel | None = None
    order: tuple[str, ...] = ()


async def assign(ctx: Context, node: ast.Assign) -> None:
    """`h := W x`, with a label and a promise or without; `z := Uᵀ x / n` for each column of U."""
    d = await width_of_line(ctx, node.value)
    if d is not None:
        for k in range(1, d + 1):
            with column(ctx, k, d):
                await assign(ctx, replace(node, target=member_of(node.target, k)))
        return
    indices = await integers(ctx, node.target.indices)
    check_free(ctx, node.target.name, indices, node.target.span)
    line, result = await _evaluated(ctx, node.target, indices, node.value, node.span)
    if isinstance(result, Poison):
        raise Fault(None)
    if node.promise is not None:
        order = await promised_order(ctx, node.promise, result, node.value.span, line.mark)
        line = replace(line, order=order)
    line = replace(line, label=node.label)
    match result:
        case Vector():
            _name_vector(ctx, line, checked(ctx, result.expr, node.value.span))
        case Scalar():
            _name_scalar(ctx, line, result.expr)
        case _:
            raise Fault(kinds.transposed_vector_alone(node.value.span))
    ctx.emitter.taken.add(line.name)
    if node.label is not None:
        check_label(ctx, node.label, line.mark, line.embedded, node.value.span)
    made = Vector(Sym(line.name)) if isinstance(result, Vector) else Scalar(Sym(line.name))
    home(ctx).bind(node.target.name, indices, made, node.target.span)


async def output(ctx: Context, node: ast.Output) -> None:
    """An output of a program; those of networks are readouts."""
    if isinstance(node.value, ast.ListLiteral):
        items = [item.span.text for item in node.value.items]
        raise Fault(kinds.output_of_several(node.value.span, node.span, items, node.target is not None))
    target = node.target
    if target is None:
        if isinstance(node.value, (ast.Name, ast.Index)):
            value = await ctx.value(node.value)
            if isinstance(value, Poison):
                return
            if isinstance(value, Scalar) and isinstance(value.expr, Sym):
                _add_output(ctx, str(value.expr.name), node.span)
                return
        target = ast.Target(_free_stem(ctx, "out"), (), span=node.value.span)
    d = await width_of_line(ctx, node.value)
    if d is not None:
        for k in range(1, d + 1):
            with column(ctx, k, d):
                await output(ctx, replace(node, target=member_of(target, k)))
        return
    indices = await integers(ctx, target.indices)
    check_free(ctx, target.name, indices, target.span)
    line, result = await _evaluated(ctx, target, indices, node.value, node.span)
    if isinstance(result, Poison):
        raise Fault(None)
    if not isinstance(result, Scalar):
        averaged = ""
        if isinstance(node.value, ast.Binary) and node.value.op == "/" and node.value.right.span.text == "n":
            averaged = node.value.left.span.text if isinstance(result, Vector) else ""
        raise Fault(kinds.output_not_scalar(node.value.span, kind_name(result), averaged))
    _name_scalar(ctx, line, result.expr)
    ctx.emitter.taken.add(line.name)
    home(ctx).bind(target.name, indices, Scalar(Sym(line.name)), target.span)
    _add_output(ctx, line.name, node.span)


def _free_stem(ctx: Context, stem: str) -> str:
    candidate, k = stem, 0
    while candidate in ctx.emitter.reserved or home(ctx).here(candidate) is not None:
        k += 1
        candidate = f"{stem}{k}"
    return candidate


def _add_output(ctx: Context, name: str, span: Span) -> None:
    ctx.draft.outputs.setdefault(name, Output(name, name, span))


async def _evaluated(
    ctx: Context, target: ast.Target, indices: Indices, value: ast.Expr, span: Span
) -> tuple[Line, Value]:
    """What the right side of a line denotes, its intermediate results named after the line."""
    name = core_name(target.name, indices)
    if home(ctx).prefix:
        name = ctx.emitter.fresh(home(ctx).prefix, name)
    line = Line(name, value, span, len(ctx.emitter.instructions), len(ctx.draft.embeddings))
    outer, ctx.stem = ctx.stem, name
    try:
        result = await ctx.value(value)
    finally:
        ctx.stem = outer
    return line, as_number(result, value)


def _name_vector(ctx: Context, line: Line, e: Expr) -> None:
    if isinstance(e, Sym) and str(e.name) in ctx.emitter.temporary:
        old = str(e.name)
        if ctx.emitter.rename(old, line.name, line.span, line.mark) or _name_embedding(ctx, line, old):
            return
    ctx.emitter.nonlin(line.name, e, line.span, line.order)


def _name_embedding(ctx: Context, line: Line, old: str) -> bool:
    """Give the unnamed U ξ that a line consists of the line's own name; one of an earlier line is made again."""
    embeddings = ctx.draft.embeddings
    e = next((e for e in reversed(embeddings) if e.name == old), None)
    if e is None:
        return False
    if embeddings[-1] is e and len(embeddings) > line.embedded:
        embeddings.pop()
        del ctx.draft.embedded[e.matrix, e.source]
        ctx.emitter.forget((old,))
    embeddings.append(Embedding(line.name, e.matrix, e.source, line.span))
    ctx.emitter.vectors.add(line.name)
    return True


def _name_scalar(ctx: Context, line: Line, e: Expr) -> None:
    instructions = ctx.emitter.instructions
    if isinstance(e, Sym) and str(e.name) in ctx.emitter.temporary and len(instructions) > line.mark:
        last = instructions[-1]
        if last.name == e.name and isinstance(last, Moment):
            if line.order:
                vectors, scalars = _ordered(last.vectors, line.order), _ordered(last.scalars, line.order)
                instructions[-1] = replace(last, vectors=vectors, scalars=scalars)
            ctx.emitter.rename(str(e.name), line.name, line.span, line.mark)
            return
    # c xᵀy/n is one MOMENT where c is a number.
    is_product = isinstance(e, Mul) and all(isinstance(f, Sym) or not f.free for f in e.children)
    if line.label is not None or is_product:
        joined = ctx.emitter.as_one_moment(e, line.mark)
        e = e if joined is None else joined
    e = checked(ctx, e, line.value.span)
    ctx.emitter.named_moment(line.name, e, line.span, line.order)
    if e.free and e.free <= ctx.draft.moving | {WIDTH}:
        # A function of n alone, whatever line it stands on: what divides by it may diverge.
        ctx.draft.constant_values[Sym(line.name)] = substitute(e, ctx.draft.constant_values)
        ctx.draft.moving.add(Sym(line.name))


def _ordered(names: tuple[str, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(x for x in order if x in names) + tuple(x for x in names if x not in order)

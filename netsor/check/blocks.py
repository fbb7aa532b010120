"""Loops, unrolled, and what is left of the names of a faulty line."""

from __future__ import annotations

from types import NoneType

from netsor.check.context import Context, TooLong
from netsor.check.fault import Fault
from netsor.check.names import home, made_in
from netsor.check.operands import MOST_INSTRUCTIONS, quiet_integers, range_of
from netsor.check.scope import Indices
from netsor.check.values import POISON, Family, Scalar
from netsor.diagnostics.catalogue import declarations
from netsor.expr import Const
from netsor.syntax import ast


async def loop(ctx: Context, node: ast.For) -> None:
    """`for t in 1..T:`, its body once for each t."""
    count = await _unrolled(ctx, node)
    if count > MOST_INSTRUCTIONS:
        raise Fault(declarations.too_long(node.head, count))
    values = await range_of(ctx, node.range)
    before = len(ctx.emitter.instructions)
    for i in values:
        with ctx.block() as scope:
            scope.names[node.index.name] = Scalar(Const(i))
            for statement in node.body:
                await ctx.statement(statement)
        if i == values[0] and count == len(node.body) * len(values):
            # Every round is like the first, so what they come to is known before they are unrolled.
            total = before + (len(ctx.emitter.instructions) - before) * len(values)
            if total > MOST_INSTRUCTIONS:
                raise TooLong(node.head, total)


async def _unrolled(ctx: Context, node: ast.For) -> int:
    """How many lines a loop stands for, found without unrolling it."""
    values = await range_of(ctx, node.range)
    inner = [s for s in node.body if isinstance(s, ast.For)]
    plain = len(node.body) - len(inner)
    if not inner or not values:
        return plain * len(values)
    ranges = [f.range for loop in inner for f in ast.walk(loop) if isinstance(f, ast.For)]
    mentions = any(isinstance(x, ast.Name) and x.name == node.index.name for r in ranges for x in ast.walk(r))
    sample = values if mentions and len(values) <= 10_000 else values[:1]
    total = 0
    for i in sample:
        with ctx.block() as scope:
            scope.names[node.index.name] = Scalar(Const(i))
            total += plain + sum([await _unrolled(ctx, loop) for loop in inner])
    return total if len(sample) == len(values) else total * len(values)


async def poison(ctx: Context, node: ast.Statement) -> None:
    """Names that a faulty line would have defined: what uses them is not reported."""
    indices: Indices | None = None
    match node:
        case ast.Assign() | ast.ScalarDecl() | ast.Output() if node.target is not None:
            indices = await quiet_integers(ctx, node.target.indices)
        case ast.Param() if node.axes:
            ctx.names.partial.add(node.name.name)
        case ast.Param() | ast.Data() | ast.FunctionDef() | ast.Def():
            indices = ()
        case ast.For():
            # Which members its rounds would have made is not known.
            ctx.names.partial |= {name for name, _ in made_in(node)}
    scope = home(ctx)
    for name, span in made_in(node):
        if indices is None:
            scope.names.setdefault(name, POISON)
            scope.places.setdefault((name, ()), span)
        elif scope.here(name, indices) is None and (
            not indices or isinstance(scope.names.get(name), (Family, NoneType))
        ):
            scope.bind(name, indices, POISON, span)

"""Statements, one case for each, and the file as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from netsor.check.assignments import assign, output
from netsor.check.blocks import loop, poison
from netsor.check.context import Context, Names, TooLong
from netsor.check.declarations import bias, data, matrix, param, scalar, vector
from netsor.check.definitions import definition, function
from netsor.check.expressions import value
from netsor.check.fault import Fault
from netsor.check.functions import condition
from netsor.check.included import include
from netsor.check.names import defined_names, mentioned, params_of
from netsor.check.networks import network_inputs, readout, train, train_all
from netsor.check.operands import MOST_INSTRUCTIONS
from netsor.check.scope import Scope
from netsor.check.steps import Task, run
from netsor.core import Program
from netsor.diagnostics.catalogue import declarations, names, networks, warnings
from netsor.syntax import ast


def new_context(
    file: ast.File,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    lost: Iterable[str] = (),
    partial: Iterable[str] = (),
) -> Context:
    """The state before the first line.

    `lost` are names that faulty lines, left out of `file`, may define: nothing is said of what uses them. `partial`
    are those of families that such lines may give members.
    """
    places = defined_names(file)
    names = Names(first_place=places, unknown=set(lost) - set(places), partial=set(partial))
    ctx = Context(file, settings or {}, data or {}, names=names)
    ctx.emitter.reserved = set(places) | mentioned(file)
    return ctx


def check_file(ctx: Context, whole: bool = True) -> Program | None:
    """The core program, or None where there are errors; every fault goes to `ctx.faults`, and none hides another.

    Of a file that is not `whole` nothing is said to be missing.
    """
    run(_file(ctx), lambda node: visit(ctx, node))
    train_all(ctx)
    if not ctx.faults.has_errors and whole:
        _check_outputs(ctx)
    return None if ctx.faults.has_errors else _program(ctx)


def visit(ctx: Context, node: ast.Node) -> Task[Any]:
    """What a node of the tree that is awaited comes to."""
    return _VISITS[type(node)](ctx, node)


async def _file(ctx: Context) -> None:
    _check_given(ctx)
    header = ctx.file.header if isinstance(ctx.file.header, ast.NetworkHeader) else None
    included: dict[int, Scope] = {}
    for line in ctx.file.lines:
        if isinstance(line, ast.Include):
            await include(ctx, line, included)
            continue
        # `param` lines may precede the header, whose ranges use them.
        if header is not None and not isinstance(line, ast.Param):
            await _header(ctx, header)
            header = None
        try:
            await ctx.statement(line)
        except TooLong as fault:
            ctx.faults.add(declarations.too_long(fault.span, fault.count))
            break
    if header is not None:
        await _header(ctx, header)


def _check_given(ctx: Context) -> None:
    """Whether the file has the `param` and `data` lines for which values are given."""
    params = set(params_of(ctx.file))
    lines = [s for f in ctx.file.files() for s in f.statements if isinstance(s, ast.Param)]
    for name in ctx.settings:
        family = next((s for s in lines if s.axes and s.name.name == name), None)
        if family is not None and name not in params:
            ctx.faults.add(names.family_not_set(family.name.span, name))
            continue
        if name not in params | ctx.names.unknown:
            from difflib import get_close_matches

            like = get_close_matches(name, sorted(params), n=1)
            ctx.faults.add(names.unknown_param(name, like[0] if like else None, sorted(params)))
    declared = {s.name.name for s in ctx.file.statements if isinstance(s, ast.Data)}
    for name in ctx.given_data:
        if name not in declared | ctx.names.unknown:
            ctx.faults.add(names.unknown_data(name, sorted(declared)))


async def _header(ctx: Context, header: ast.NetworkHeader) -> None:
    try:
        await network_inputs(ctx, header)
    except Fault as fault:
        ctx.faults.add(fault.diagnostic)


async def statement(ctx: Context, node: ast.Statement) -> None:
    """Check a statement; of a faulty one nothing is left but the names that it would have made."""
    ctx.here = node.span
    mark = len(ctx.emitter.instructions)
    try:
        await _statement(ctx, node)
    except Fault as fault:
        ctx.faults.add(fault.diagnostic)
        ctx.emitter.undo(mark)
        await poison(ctx, node)
    if len(ctx.emitter.instructions) > MOST_INSTRUCTIONS:
        raise TooLong(node.span, len(ctx.emitter.instructions))


async def _statement(ctx: Context, node: ast.Statement) -> None:
    match node:
        case ast.Param():
            await param(ctx, node)
        case ast.Data():
            await data(ctx, node)
        case ast.ScalarDecl():
            await scalar(ctx, node)
        case ast.BiasDecl():
            await bias(ctx, node)
        case ast.MatrixDecl():
            await matrix(ctx, node)
        case ast.VectorDecl():
            await vector(ctx, node)
        case ast.FunctionDef():
            await function(ctx, node)
        case ast.Def():
            definition(ctx, node)
        case ast.Assign():
            await assign(ctx, node)
        case ast.Output():
            await (readout(ctx, node) if ctx.is_network else output(ctx, node))
        case ast.Train():
            await train(ctx, node)
        case ast.For():
            await loop(ctx, node)


_VISITS: dict[type[ast.Node], Callable[[Context, Any], Task[Any]]] = {
    **dict.fromkeys(get_args(ast.Expr), value),
    **dict.fromkeys(get_args(ast.Condition), condition),
    **dict.fromkeys(get_args(ast.Statement), statement),
}


def _check_outputs(ctx: Context) -> None:
    if not ctx.is_network:
        if not ctx.draft.outputs:
            ctx.faults.add(warnings.no_outputs())
    elif not ctx.draft.readouts:
        assert ctx.file.header is not None
        ctx.faults.add(networks.no_readout(ctx.file.header.span, ctx.file.header.name))


def _program(ctx: Context) -> Program:
    draft = ctx.draft
    return Program(
        name=ctx.file.header.name if ctx.file.header else "",
        kind="network" if ctx.is_network else "program",
        matrices=tuple(draft.matrices),
        input_matrices=tuple(draft.input_matrices),
        groups=tuple(ctx.emitter.groups),
        embeddings=tuple(draft.embeddings),
        constants=tuple(draft.constants),
        data=tuple(draft.data),
        instructions=tuple(ctx.emitter.instructions),
        outputs=tuple(draft.outputs.values()),
        inputs=tuple(draft.inputs),
        readouts=tuple(draft.readouts),
        train=None if draft.train is None else tuple(draft.train),
    )

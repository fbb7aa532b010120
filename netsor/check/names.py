"""Names and where they get their values: once each, above their use, local ones apart from outer ones."""

from __future__ import annotations

import math
from collections.abc import Iterable

from netsor.check import faults
from netsor.check.context import Context
from netsor.check.faults import Fault
from netsor.check.scope import Indices, Scope, core_name
from netsor.check.values import (
    POISON,
    Builtin,
    Family,
    InputMatrixValue,
    Itself,
    MatrixValue,
    Mean,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Span
from netsor.expr import WIDTH, Const, Sym
from netsor.syntax import ast


def name(ctx: Context, node: ast.Name) -> Value:
    """What a name stands for; raises Fault where it stands for nothing, or for nothing yet."""
    value = ctx.names.scope.lookup(node.name)
    if value is None and node.name in ctx.names.unknown:
        return POISON
    match node.name:
        case "n":
            if ctx.pure:
                raise Fault(faults.width_in_function(node.span))
            return Scalar(WIDTH)
        case "pi":
            return Scalar(Const(math.pi))
    match value:
        case None:
            raise unknown_fault(ctx, node.span, node.name)
        case Itself():
            raise Fault(faults.recursive(node.span, value.name, (value.name,)))
        case Builtin() | Mean():
            check_not_redefined(ctx, node)
    return value


def check_not_redefined(ctx: Context, node: ast.Name) -> None:
    """A built-in name that the program redefines means the program's, so it may not be used above that line."""
    place = ctx.names.first_place.get(node.name)
    if place is not None and ctx.here is not None and place.start >= ctx.here.end:
        raise Fault(faults.unknown_name(node.span, node.span.text, None, place))


def unknown_fault(ctx: Context, span: Span, name: str) -> Fault:
    """A name that nobody defines is reported where it is first used, and not again."""
    if name in ctx.names.unknown:
        return Fault(None)
    ctx.names.unknown.add(name)
    scope = ctx.names.scope
    place = ctx.names.first_place.get(name)
    if place is not None and ctx.here is not None:
        if ctx.here.start <= place.start < ctx.here.end:
            return Fault(faults.used_by_itself(span, name, place))
        if place.start > ctx.here.start:
            return Fault(faults.unknown_name(span, span.text.strip("() "), scope.like(name), place))
    # Something the program has under nearly this name comes before what the name means elsewhere.
    elsewhere = faults.look_alike(span, name, _places(ctx)) or (
        None if name.lower() in scope.visible() else faults.foreign_name(span, name, lambda x: _is_vector(scope, x))
    )
    if elsewhere is not None:
        return Fault(elsewhere)
    whole, index = faults.superscript(span)
    if index.isdigit() and scope.lookup(f"{name}{index}") is not None:
        return Fault(faults.unknown_name(whole, whole.text, f"{name}{index}", None))
    return Fault(faults.unknown_name(span, span.text.strip("() "), scope.like(name), None))


def _is_vector(scope: Scope, name: str) -> bool:
    """Whether a name stands for a vector, or for a family of them, here."""
    value = scope.lookup(name)
    if isinstance(value, Family):
        value = next(iter(value.members.values()), None)
    return isinstance(value, Vector)


def _places(ctx: Context) -> Iterable[tuple[str, Span | None]]:
    """The names that are known here, and where they were given."""
    yield from ctx.names.first_place.items()
    # Built-in names too may be typed with letters of another script.
    yield from ((name, None) for name in ctx.names.scope.visible())


# --- giving names their values ------------------------------------------------------------------------------------


def home(ctx: Context) -> Scope:
    """The scope that takes new names: loops have none of their own."""
    scope = ctx.names.scope
    while scope.loop:
        assert scope.outer is not None
        scope = scope.outer
    return scope


def bind(ctx: Context, name: str, indices: Indices, value: Value, span: Span) -> str:
    """Give a name its value and return the name of the variable in the core; raises Fault where it has one."""
    scope = home(ctx)
    check_free(ctx, name, indices, span)
    core = core_name(name, indices)
    if scope.prefix:
        core = ctx.emitter.fresh(scope.prefix, core)
        value = _renamed(value, core)
    else:
        ctx.emitter.taken.add(core)
    scope.bind(name, indices, value, span)
    return core


def check_free(ctx: Context, name: str, indices: Indices, span: Span) -> None:
    """Raises Fault where a name has a value, or is a family of another depth."""
    scope = home(ctx)
    before = scope.here(name, indices)
    existing = scope.names.get(name)
    if before is not None and (indices or existing is not None):
        if not indices and isinstance(existing, Family):
            raise Fault(faults.name_clash(span, name, before, "a family"))
        raise Fault(faults.assigned_twice(span, core_name(name, indices), before, declared=False))
    if not indices:
        return
    if existing is not None and not isinstance(existing, Family):
        raise Fault(faults.name_clash(span, name, scope.here(name), kind_name(existing)))
    if isinstance(existing, Family) and existing.members and len(next(iter(existing.members))) != len(indices):
        raise Fault(faults.index_out_of_range(span, name, indices, sorted(existing.members), None))


def _renamed(value: Value, core: str) -> Value:
    match value:
        case Vector():
            return Vector(Sym(core))
        case Scalar() if value.number is None:
            return Scalar(Sym(core))
        case MatrixValue():
            return MatrixValue(core, value.transposed)
        case InputMatrixValue():
            return InputMatrixValue(core)
        case _:
            return value


# --- the names of a file ------------------------------------------------------------------------------------------


def defined_names(file: ast.File) -> dict[str, Span]:
    """Where each name of the file first gets a value, loops included, bodies of `def` not."""
    found: dict[str, Span] = {}
    for s in file.statements:
        for name, span in made_in(s):
            found.setdefault(name, span)
    return found


def made_in(statement: ast.Statement) -> list[tuple[str, Span]]:
    """The names that a statement gives values, those in a loop included."""
    match statement:
        case ast.Assign() | ast.ScalarDecl():
            return [(statement.target.name, statement.target.span)]
        case ast.Output() if statement.target is not None:
            return [(statement.target.name, statement.target.span)]
        case ast.MatrixDecl() | ast.VectorDecl():
            return [(d.name, d.span) for d in statement.declarators]
        case ast.Param() | ast.Data() | ast.FunctionDef() | ast.Def():
            return [(statement.name.name, statement.name.span)]
        case ast.For():
            return [made for s in statement.body for made in made_in(s)]
    return []


def mentioned(file: ast.File) -> set[str]:
    """Every name of the text, so that names made for intermediate results meet none of them."""
    found: set[str] = set()
    for node in ast.walk(file):
        match node:
            case ast.Name() | ast.Target() | ast.Declarator():
                found.add(node.name)
    return found

"""Names and where they get their values: once each, above their use, local ones apart from outer ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.scope import Indices, Scope, core_name, plain
from netsor.check.values import (
    POISON,
    Bias,
    Builtin,
    Family,
    InputMatrixValue,
    Itself,
    MatrixValue,
    Scalar,
    Special,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Diagnostic, Span
from netsor.diagnostics.catalogue import declarations, divergence, includes, names
from netsor.diagnostics.catalogue.words import superscript
from netsor.expr import HALF, WIDTH, Sym, mul, power
from netsor.expr.constants import PI, coefficient
from netsor.expr.functions import PUBLIC
from netsor.syntax import ast

# Names with which unknown ones are compared in one run, to suggest one.
MOST_COMPARED = 100_000


def name(ctx: Context, node: ast.Name) -> Value:
    """What a name stands for; raises Fault where it stands for nothing, or for nothing yet."""
    value = ctx.names.scope.lookup(node.name)
    if value is None and node.name in ctx.names.unknown:
        return POISON
    match node.name:
        case "n":
            if ctx.pure:
                raise Fault(divergence.width_in_function(node.span))
            return Scalar(WIDTH)
        case "pi":
            return Scalar(coefficient(PI), unfolded=PI)
    match value:
        case None:
            raise unknown_fault(ctx, node.span, node.name)
        case Itself():
            raise Fault(names.recursive(node.span, value.name, (value.name,)))
        case Builtin() | Special():
            check_not_redefined(ctx, node)
        case Bias():
            return bias(ctx, value, node)
        case Family() if ctx.column is not None and list(value.members) == [(k + 1,) for k in range(ctx.column[1])]:
            member = value.members[ctx.column[0],]
            return bias(ctx, member, node) if isinstance(member, Bias) else member
    return value


def bias(ctx: Context, value: Bias, node: ast.Node) -> Scalar:
    """A bias of the output in a readout: c = Σ_α c_α/√n of iid coordinates, whose embedding is (1, …, 1).

    So it is a readout vector like others, with the law, the kernels and the training of one number N(0, s) in the NTK
    parametrization. Raises Fault outside of readouts.
    """
    if id(node) not in ctx.terms_of_readout:
        from netsor.diagnostics.catalogue import networks  # a program without faults starts faster

        place = ctx.names.first_place.get(value.name.partition("[")[0])
        raise Fault(networks.bias_elsewhere(node.span, value.name, place))
    return Scalar(mul(power(WIDTH, HALF), ctx.emitter.moment(ctx.stem, Sym(value.name), node.span)))


def check_not_redefined(ctx: Context, node: ast.Name) -> None:
    """A built-in name that the program redefines means the program's, so it may not be used above that line."""
    place = ctx.names.first_place.get(node.name)
    if place is None or ctx.here is None or _is_elsewhere(ctx.here, place):
        return
    if place.order >= (*ctx.here.order[:-1], ctx.here.end):
        raise Fault(names.used_before(node.span, node.span.text, _seen_from(node.span, place)))


def _is_elsewhere(here: Span, place: Span) -> bool:
    """Whether what a file gives a value at `place` is not known `here`, in a file that it includes."""
    return here.source.included is not None and here.source is not place.source


def _seen_from(here: Span, place: Span) -> Span:
    """A place of an included file as the line that includes it `here`, and any other as it is."""
    while place.source is not here.source and place.source.included is not None:
        place = place.source.included
    return place


def unknown_fault(ctx: Context, span: Span, name: str) -> Fault:
    """A name that nobody defines is reported where it is first used, and not again."""
    if name in ctx.names.unknown:
        return Fault(None)
    ctx.names.unknown.add(name)
    scope = ctx.names.scope
    place = ctx.names.first_place.get(name)
    if place is not None and ctx.here is not None and not _is_elsewhere(ctx.here, place):
        if place.source is ctx.here.source and ctx.here.start <= place.start < ctx.here.end:
            return Fault(names.used_by_itself(span, name, place))
        if place.order > ctx.here.order:
            return Fault(names.used_before(span, span.text.strip("() "), _seen_from(span, place)))
    if words := _in_comment(span):
        from netsor.diagnostics.catalogue.syntax import comment

        return Fault(comment(words, words.text.lstrip("- \t")))
    from netsor.check.foreign import foreign_name  # a program without faults starts faster

    if of_loop := _meant_index(ctx, span, name):
        return Fault(of_loop)
    # Something the program has under nearly this name comes before what the name means elsewhere.
    other = _looks_like(ctx, name)
    if other is not None:
        return Fault(names.looks_alike(span, name, other, ctx.names.first_place.get(other)))
    if all(scope.lookup(spelled) is None for spelled in (name.lower(), name.lower().replace("_", ""))):
        elsewhere = foreign_name(span, name, lambda x: _is_vector(scope, x))
        if elsewhere is not None:
            return Fault(elsewhere)
    whole, index = superscript(span)
    if index.isdigit() and scope.lookup(f"{name}{index}") is not None:
        return Fault(names.unknown_name(whole, whole.text, f"{name}{index}"))
    return Fault(names.unknown_name(span, span.text.strip("() "), _like(ctx, name)))


def _in_comment(span: Span) -> Span | None:
    """What `--` begins, as a comment of SQL or Lua, where an unknown name is a word of it; else it is a minus twice."""
    text = span.source.text
    start, stop = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end)
    found = re.search(r"(?<=\s)--+[ \t]*(?:\w+[ \t]+)*\Z", text[start : span.start])
    return Span(span.source, start + found.start(), stop if stop >= 0 else len(text)) if found else None


def _meant_index(ctx: Context, span: Span, name: str) -> Diagnostic | None:
    """Where an unknown name is the index of another loop, or an index that only this loop can mean."""
    header = ctx.file.header
    if header is not None and header.span.source is span.source and header.span.start <= span.start < header.span.end:
        return names.dimension(span, name) if re.fullmatch(r"[^\W\d]\w*", name) and name not in "Rℝ" else None
    here = [s for s in ast.walk(ctx.file) if s.span.source is span.source]
    loops = [s for s in here if isinstance(s, ast.For) and s.span.end <= span.start]
    if last := next((s for s in reversed(loops) if s.index.name == name), None):
        return names.loop_index(span, name, last.range.high.span.text, True)
    around = list(_local_names(ctx.names.scope)) if ctx.names.scope.loop else []
    text = span.source.text[span.source.text.rfind("\n", 0, span.start) + 1 : span.start]
    if len(around) == 1 and len(name) == 1 and text.rfind("[") > text.rfind("]"):
        return names.loop_index(span, name, around[0], False)
    return None


def _is_vector(scope: Scope, name: str) -> bool:
    """Whether a name stands for a vector, or for a family of them, here."""
    value = scope.lookup(name)
    if isinstance(value, Family):
        value = next(iter(value.members.values()), None)
    return isinstance(value, Vector)


def _looks_like(ctx: Context, name: str) -> str | None:
    """A known name that looks like this one and is written with other letters."""
    look = plain(name)
    others = [*_local_names(ctx.names.scope), *(i.name for i in ctx.draft.inputs), *PUBLIC, "mean"]
    alike = ctx.names.by_look.get(look, []) + [other for other in others if plain(other) == look]
    return next((other for other in alike if other != name), None)


def _local_names(scope: Scope) -> Iterator[str]:
    """The names of loops and definitions around a place, those of the file left out."""
    while scope.outer is not None:
        yield from scope.names
        scope = scope.outer


def _like(ctx: Context, name: str) -> str | None:
    """The known name nearest to an unknown one, unless so many were unknown that nobody reads it."""
    ctx.names.compared += len(ctx.names.first_place) + len(PUBLIC)
    return ctx.names.scope.like(name) if ctx.names.compared <= MOST_COMPARED else None


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
    if before is not None and before.source is not span.source:
        scope.names[name] = POISON  # which of the two is meant below is not known
        raise Fault(includes.hides(span, core_name(name, indices), before, _renamed_target(ctx, name, span)))
    if before is not None and (indices or existing is not None):
        if not indices and isinstance(existing, Family):
            raise Fault(names.name_clash(span, name, before, "a family", _renamed_target(ctx, name, span)))
        if before == span and ctx.names.scope.loop:
            raise Fault(names.assigned_in_each_round(span, core_name(name, indices), _loop_index(ctx, span)))
        other = _renamed_target(ctx, name, span)
        raise Fault(names.assigned_twice(span, core_name(name, indices), before, other))
    if not indices:
        return
    if existing is not None and not isinstance(existing, Family):
        place, other = scope.here(name), _renamed_target(ctx, name, span)
        raise Fault(names.name_clash(span, name, place, kind_name(existing), other))
    if isinstance(existing, Family) and existing.members:
        depth = len(next(iter(existing.members)))
        if depth != len(indices):
            raise Fault(declarations.other_depth(span, name, indices, depth))


def _renamed_target(ctx: Context, name: str, span: Span) -> str:
    """The left side of a line with a name that is free in the place of its own."""
    _, bracket, indices = span.text.partition("[")
    return f"{unused(ctx, name)}{bracket}{indices}"


def _loop_index(ctx: Context, span: Span) -> str:
    """The index of the innermost loop that a place does not mention."""
    scope, found = ctx.names.scope, []
    while scope.loop and scope.outer is not None:
        found += list(scope.names)
        scope = scope.outer
    mentioned = re.findall(r"\w+", span.text)
    return next((index for index in found if index not in mentioned), found[0])


def unused(ctx: Context, name: str) -> str:
    """A name like this one that the text does not mention."""
    k = 2
    while f"{name}{k}" in ctx.emitter.reserved or f"{name}{k}" in ctx.emitter.taken:
        k += 1
    return f"{name}{k}"


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
        case Bias():
            return Bias(core)
        case _:
            return value


# --- the names of a file ------------------------------------------------------------------------------------------


def defined_names(file: ast.File) -> dict[str, Span]:
    """Where each name of the file, and of those that it includes, first gets a value; bodies of `def` left out."""
    found: dict[str, Span] = {}
    for f in reversed(list(file.files())):
        for s in f.statements:
            for name, span in made_in(s):
                found.setdefault(name, span)
    return found


def params_of(file: ast.File) -> tuple[str, ...]:
    """The names of the `param` lines of a file and of those that it includes, families of constants left out."""
    return tuple(s.name.name for f in file.files() for s in f.statements if isinstance(s, ast.Param) and not s.axes)


def made_in(statement: ast.Statement) -> list[tuple[str, Span]]:
    """The names that a statement gives values, those in a loop included."""
    match statement:
        case ast.Assign() | ast.ScalarDecl():
            return [(statement.target.name, statement.target.span)]
        case ast.Output() if statement.target is not None:
            return [(statement.target.name, statement.target.span)]
        case ast.MatrixDecl() | ast.VectorDecl() | ast.BiasDecl():
            return [(d.name, d.span) for d in statement.declarators]
        case ast.Param() | ast.Data() | ast.FunctionDef() | ast.Def():
            return [(statement.name.name, statement.name.span)]
        case ast.For():
            return [made for s in statement.body for made in made_in(s)]
    return []


def mentioned(file: ast.File) -> set[str]:
    """Every name of the text, so that names made for intermediate results meet none of them.

    Of included files the names that they bring in are among them, see `defined_names`.
    """
    found: set[str] = set()
    for node in ast.walk(file):
        match node:
            case ast.Name() | ast.Target() | ast.Declarator():
                found.add(node.name)
    return found

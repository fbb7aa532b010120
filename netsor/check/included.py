"""The definitions of other files: checked once, in a scope of their own, and brought in where they are included."""

from __future__ import annotations

from netsor.check.context import Context
from netsor.check.names import unused
from netsor.check.scope import Scope
from netsor.diagnostics.catalogue import includes
from netsor.syntax import ast


async def include(ctx: Context, line: ast.Include, included: dict[int, Scope]) -> None:
    """Bring what a file defines, and what it includes itself, into the scope of this place.

    `included` has the scopes of the files that were checked before, by the identity of their trees. A definition sees
    the names of its own file only, so that a file means the same wherever it is included. A file that could not be
    read brings in nothing.
    """
    if line.file is None:
        return
    if id(line.file) not in included:
        scope, here = Scope(), ctx.names.scope
        ctx.names.scope = scope
        for inner in line.file.lines:
            if isinstance(inner, ast.Include):
                await include(ctx, inner, included)
            else:
                await ctx.statement(inner)
        ctx.names.scope = here
        included[id(line.file)] = scope
    _bring_in(ctx, line, included[id(line.file)])


def _bring_in(ctx: Context, line: ast.Include, scope: Scope) -> None:
    here = ctx.names.scope
    for name, value in scope.names.items():
        place, before = scope.here(name) or line.span, here.here(name)
        if before is None:
            here.bind(name, (), value, place)
        elif before is place:
            continue
        elif before.source is line.span.source:
            ctx.faults.add(includes.hides(before, name, place, unused(ctx, name)))
        else:
            ctx.faults.add(includes.in_two_files(line.span, name, before, place))

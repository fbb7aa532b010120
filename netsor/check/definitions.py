"""Definitions: functions of coordinates, and those with instructions, which are expanded where they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsor.check.context import Context, NeedsInstructions
from netsor.check.fault import Fault
from netsor.check.names import check_free, check_not_redefined, home, unknown_fault
from netsor.check.operands import as_number, integers
from netsor.check.scope import Indices, Scope, core_name
from netsor.check.values import (
    POISON,
    Array,
    Builtin,
    Covector,
    Family,
    Floor,
    FunctionValue,
    Inlined,
    InputMatrixValue,
    Itself,
    MatrixValue,
    Mean,
    Poison,
    Scalar,
    Special,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Diagnostic, Label, Span
from netsor.diagnostics.catalogue import kinds, names
from netsor.expr import Function, Sym
from netsor.expr.functions import PUBLIC
from netsor.syntax import ast

# Definitions used inside one another.
MOST_NESTED = 300


async def function(ctx: Context, node: ast.FunctionDef) -> None:
    """φ(u) = …: a function of coordinates where it can be one, else expanded where it is used."""
    params = _parameters(node)
    body = await _body_of_coordinates(ctx, node, params)
    if body is None or isinstance(body, (Vector, Covector)) or _names_variables(ctx, node.body, set(params)):
        _check_names(ctx, (node.body,), set(params))
        vectors, scalars = tuple(params[: len(node.params)]), tuple(params[len(node.params) :])
        _define(ctx, node.name, Inlined(node.name.name, vectors, scalars, (), node.body, ctx.names.scope))
        return
    if isinstance(body, Poison):
        raise Fault(None)
    if not isinstance(body, Scalar):
        body = as_number(body, node.body)
    assert isinstance(body, Scalar)
    made = _named_apart(ctx, Function(node.name.name, tuple(map(Sym, params)), body.expr, len(node.params)))
    _define(ctx, node.name, FunctionValue(made, (0,) * len(params)))


async def _body_of_coordinates(ctx: Context, node: ast.FunctionDef, params: Sequence[str]) -> Value | None:
    """The body with numbers for parameters; None where it speaks of vectors: xᵀ y, W x, mean."""
    outer, was_pure = ctx.names.scope, ctx.pure
    scope = ctx.names.scope = Scope(outer, {p: Scalar(Sym(p)) for p in params})
    scope.names.setdefault(node.name.name, Itself(node.name.name))
    ctx.pure = True
    try:
        return await ctx.value(node.body)
    except NeedsInstructions:
        return None
    except Fault:
        if any(isinstance(x, (ast.Transpose, ast.Inner)) for x in ast.walk(node.body)):
            return None
        if _names_variables(ctx, node.body, set(params)):
            return None
        raise
    finally:
        ctx.names.scope, ctx.pure = outer, was_pure


def _named_apart(ctx: Context, f: Function) -> Function:
    """A function defined inside a `def`, under a name that no other function or variable of the core bears."""
    candidate, k = f.name, 0
    known = ctx.names.functions
    # A file that is included may use the built-in function of that name.
    if home(ctx).prefix or (ctx.file.includes and f.name in PUBLIC):
        while candidate in PUBLIC or candidate in ctx.names.first_place or known.get(candidate, f) is not f:
            k += 1
            candidate = f"{f.name}_{k}"
            if candidate in ctx.emitter.reserved or candidate in ctx.emitter.taken:
                candidate = f.name
            else:
                f = Function(candidate, f.params, f.body, f.vectors)
    known[candidate] = f
    ctx.emitter.reserved.add(candidate)
    return f


def _names_variables(ctx: Context, body: ast.Expr, params: set[str]) -> bool:
    """Whether an expression names a variable of the program, or what holds one."""
    for x in ast.walk(body):
        if isinstance(x, ast.Name) and x.name not in params and x.name not in ("n", "pi"):
            match ctx.names.scope.lookup(x.name):
                case MatrixValue() | InputMatrixValue() | Vector() | Mean() | Floor() | Inlined() | Family():
                    return True
                case Scalar() as found if found.number is None:
                    return True
    return False


def _parameters(node: ast.FunctionDef | ast.Def) -> list[str]:
    """The names of all parameters; raises Fault where two are one."""
    seen: list[str] = []
    for p in (*node.params, *node.scalar_params):
        if p.name in seen:
            taken = {q.name for q in (*node.params, *node.scalar_params)}
            other = next(x for k in range(2, len(taken) + 3) if (x := f"{p.name}{k}") not in taken)
            raise Fault(names.repeated_parameter(p.span, p.name, node.name.name, other))
        seen.append(p.name)
    return seen


def definition(ctx: Context, node: ast.Def) -> None:
    """A `def` with steps."""
    params = _parameters(node)
    name = node.name.name
    inside = [x for s in (*node.body, node.value) for x in ast.walk(s)]
    itself = next((x for x in inside if isinstance(x, ast.Name) and x.name == name), None)
    local = {s.target.name for s in node.body if isinstance(s, ast.Assign)} | {p.name for p in node.params}
    if itself is not None and name not in local:
        raise Fault(names.recursive(itself.span, name, (name,)))
    for x in inside:
        if isinstance(x, (ast.Param, ast.Data, ast.Output, ast.Train)):
            raise Fault(names.no_place(x.span, x.span.text.split()[0], f"the definition of `{name}`"))
    _check_names(ctx, (*node.body, node.value), set(params))
    vectors, scalars = tuple(params[: len(node.params)]), tuple(params[len(node.params) :])
    _define(ctx, node.name, Inlined(name, vectors, scalars, node.body, node.value, ctx.names.scope))


def _check_names(ctx: Context, nodes: Sequence[ast.Node], local: set[str]) -> None:
    """Report a name that a definition uses and nobody defines, also where the definition is never used."""
    inside = [x for node in nodes for x in ast.walk(node)]
    for x in inside:
        match x:
            case ast.Target() | ast.Declarator():
                local.add(x.name)
            case ast.For() | ast.Sum():
                local.add(x.index.name)
            case ast.FunctionDef():
                local.update(p.name for p in (x.name, *x.params, *x.scalar_params))
    for x in inside:
        if isinstance(x, ast.Name) and x.name not in local and x.name not in ("n", "pi"):
            found = ctx.names.scope.lookup(x.name)
            if found is None:
                raise unknown_fault(ctx, x.span, x.name)
            if isinstance(found, (Builtin, Special)):
                check_not_redefined(ctx, x)


def _define(ctx: Context, name: ast.Name, value: Value) -> None:
    check_free(ctx, name.name, (), name.span)
    home(ctx).bind(name.name, (), value, name.span)


async def expand(ctx: Context, node: ast.Apply, f: Inlined) -> Value:
    """A definition with steps, or with MATMUL or MOMENT, written out where it is used."""
    args = (*node.args, *node.scalars)
    if len(node.args) != len(f.params) or len(node.scalars) != len(f.scalar_params):
        place = ctx.names.first_place.get(f.name)
        got = (len(node.args), len(node.scalars))
        raise Fault(kinds.definition_arity(node.span, f.name, (f.params, f.scalar_params), got, place))
    if f.name in ctx.expanding:
        raise Fault(names.recursive(node.callee.span, f.name, ctx.expanding))
    if len(ctx.expanding) >= MOST_NESTED:
        raise Fault(names.too_deep(node.span))
    values = [await _argument(ctx, a) for a in args]
    for v, a in zip(values, args, strict=True):
        if isinstance(v, Covector):
            raise Fault(kinds.transposed_vector_alone(a.span))
    for v, a in zip(values[len(f.params) :], node.scalars, strict=True):
        if not isinstance(v, (Scalar, Poison)):
            shape = v.shape if isinstance(v, Array) else ()
            raise Fault(kinds.wrong_kind(a.span, kind_name(v), "a scalar", shape))
    if any(isinstance(v, Poison) for v in values):
        return POISON
    if ctx.pure:
        raise NeedsInstructions(node.span)
    values_of = dict(zip((*f.params, *f.scalar_params), values, strict=True))
    places: dict[tuple[str, Indices], Span] = {(p, ()): a.span for p, a in zip(values_of, args, strict=True)}
    before = len(ctx.faults.found)
    try:
        return await _expanded(ctx, f, Scope(f.scope, values_of, places, prefix=ctx.stem))
    except Fault as fault:
        raise Fault(fault.diagnostic and _used_at(fault.diagnostic, f, node.span)) from None
    finally:
        ctx.faults.found[before:] = [_used_at(d, f, node.span) for d in ctx.faults.found[before:]]


async def _argument(ctx: Context, node: ast.Expr) -> Value:
    """The value of an argument; `x[l]` of a family x[l, p] is the family of the members that begin with l."""
    if isinstance(node, ast.Index):
        base = await ctx.value(node.base)
        if isinstance(base, Family) and base.members and len(node.indices) < len(next(iter(base.members))):
            first = await integers(ctx, node.indices)
            found = {k[len(first) :]: v for k, v in base.members.items() if k[: len(first)] == first}
            if found:
                return Family(core_name(base.name, first), found)
    return await ctx.value(node)


def _used_at(diagnostic: Diagnostic, f: Inlined, span: Span) -> Diagnostic:
    """A fault inside a definition of another file, with the line that uses it."""
    source = diagnostic.span.source if diagnostic.span else span.source
    if source is span.source or any(label.span.source is span.source for label in diagnostic.labels):
        return diagnostic
    return replace(diagnostic, labels=(*diagnostic.labels, Label(span, f"`{f.name}` is used here")))


async def _expanded(ctx: Context, f: Inlined, scope: Scope) -> Value:
    """The value of a definition in a scope that holds its arguments; poison where a step is faulty."""
    outer, stem, was_here = ctx.names.scope, ctx.stem, ctx.here
    ctx.names.scope = scope
    ctx.expanding.append(f.name)
    try:
        for statement in f.body:
            before = len(ctx.faults.found)
            await ctx.statement(statement)
            if any(d.is_error for d in ctx.faults.found[before:]):
                return POISON
        ctx.stem, ctx.here = stem, f.value.span
        return await ctx.value(f.value)
    finally:
        ctx.expanding.pop()
        ctx.names.scope, ctx.stem, ctx.here = outer, stem, was_here

"""Declarations: parameters, data, and the sets 𝒲, 𝒱, 𝒞 with their laws (Setup B.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netsor.check.context import Context
from netsor.check.covariance import verify_covariance
from netsor.check.fault import Fault
from netsor.check.names import bind
from netsor.check.operands import (
    MOST_INSTRUCTIONS,
    constant,
    integer,
    integers,
    law_number,
    members,
    number,
    numeric,
    range_of,
)
from netsor.check.scope import Indices, core_name
from netsor.check.unfolded import as_written, combined, is_rounded
from netsor.check.values import (
    Array,
    Bias,
    DecoderValue,
    InputMatrixValue,
    MatrixValue,
    Numbers,
    Poison,
    Scalar,
    Unread,
    Vector,
)
from netsor.core import Constant, Data, Group, InputMatrix, Matrix
from netsor.core.uniform import mean_and_variance
from netsor.diagnostics import Span
from netsor.diagnostics.catalogue import declarations, divergence, networks
from netsor.expr import MINUS_ONE, WIDTH, Const, Expr, Sym, add, as_expr, mul, numbers, power, substitute
from netsor.expr import evaluate as evaluated
from netsor.expr.asymptotics import Diverges, unfolded_limit, width_limit
from netsor.expr.rationals import as_float, rational, uncertainty
from netsor.expr.rationals import number as exact_number
from netsor.syntax import ast

# --- constants ------------------------------------------------------------------------------------------------------


async def param(ctx: Context, node: ast.Param) -> None:
    """`param L = 3`, or what is given for it; `param deg[i in 1..N] = …` is a family, the value of each in turn."""
    name = node.name.name
    if node.axes:
        await _family(ctx, node, ())
        return
    if name in ctx.settings:
        value = ctx.settings[name]
        if not math.isfinite(value):
            raise Fault(divergence.no_value(node.value.span))
        made = Scalar(Const(value), None if uncertainty(value) else rational(value))
    else:
        made = await constant(ctx, node.value, "a parameter")
    if name in ctx.symbols:
        core, known = bind(ctx, name, (), Scalar(Sym(name)), node.name.span), made.number
        assert known is not None
        ctx.draft.constants.append(Constant(core, Const(float(known)), float(known), node.span))
        ctx.draft.constant_values[Sym(core)] = Const(float(known))
        return
    bind(ctx, name, (), Scalar(numbers(made.expr), made.exact, made.unfolded), node.name.span)


async def _family(ctx: Context, node: ast.Param, indices: Indices) -> None:
    """The members of a family of constants whose first indices are these, in order: later ones may use earlier ones."""
    if len(indices) == len(node.axes):
        made = await constant(ctx, node.value, "a parameter")
        bind(ctx, node.name.name, indices, Scalar(numbers(made.expr), made.exact, made.unfolded), node.name.span)
        return
    axis = node.axes[len(indices)]
    if not isinstance(axis, ast.ParamRange):
        await _family(ctx, node, (*indices, await integer(ctx, axis, "an index")))
        return
    values = await range_of(ctx, axis.range)
    if len(values) > MOST_INSTRUCTIONS:
        raise Fault(declarations.too_long(node.span, len(values), "members in one family"))
    for i in values:
        with ctx.block() as scope:
            scope.names[axis.index.name] = Scalar(Const(i))
            await _family(ctx, node, (*indices, i))


async def data(ctx: Context, node: ast.Data) -> None:
    """`data X : (4, 3) = […]`, or what is given for it."""
    name = node.name.name
    shape = await integers(ctx, node.shape, "a length")
    where = node.name.span
    if name in ctx.given_data:
        array = _flattened(Array(*ctx.given_data[name]), shape)
    elif node.value is None:
        ctx.faults.add(declarations.data_missing(where, name, shape))
        bind(ctx, name, (), Unread(name, tuple(shape)), where)
        return
    else:
        where = node.value.span
        array = await _written_data(ctx, node.value)
    if shape and array.shape != shape:
        declared = node.shape[0].span.to(node.shape[-1].span) if where is not node.name.span else None
        raise Fault(declarations.wrong_shape(where, f"`{name}`", shape, array.shape, declared))
    _check_finite(array.values, name, where)
    ctx.draft.data.append(Data(name, array.shape, array.values, node.span))  # type: ignore[arg-type]
    bind(ctx, name, (), Array(array.values, array.shape, None, name), node.name.span)


async def _written_data(ctx: Context, node: ast.Expr) -> Array:
    match await ctx.value(node):
        case Poison():
            raise Fault(None)
        case Array() as array:
            return array
        case Scalar():
            return Array(as_float(await number(ctx, node)), ())
    raise Fault(declarations.not_constant(node.span, "data", "not a list of numbers"))


def _flattened(given: Array, wanted: tuple[int, ...]) -> Array:
    """A table of one row or one column, as a .csv file has it, where the program asks for a list."""
    values, got = given.values, tuple(given.shape)
    if len(wanted) == 1 and len(got) == 2 and 1 in got:
        assert isinstance(values, tuple)
        flat = tuple(x for row in values if isinstance(row, tuple) for x in row)
        return Array(flat, (len(flat),))
    return Array(values, got)


def _check_finite(values: Numbers, name: str, span: Span) -> None:
    stack: list[tuple[Numbers, Indices]] = [(values, ())]
    while stack:
        item, index = stack.pop()
        if isinstance(item, tuple):
            stack.extend((v, (*index, i + 1)) for i, v in reversed(list(enumerate(item))))
        elif not math.isfinite(item):
            raise Fault(declarations.not_finite(span, f"`{name}`", core_name(name, index), float(item)))


async def scalar(ctx: Context, node: ast.ScalarDecl) -> None:
    """A member of 𝒞: a number, or an expression in n with a finite limit."""
    indices = await integers(ctx, node.target.indices)
    name = core_name(node.target.name, indices)
    at = node.value.span
    value = await numeric(ctx, node.value)
    if isinstance(value, Poison):
        raise Fault(None)
    e = substitute(value.expr, ctx.draft.constant_values)
    if isinstance(value, Scalar):
        e = combined(e, value.unfolded, node.value)
    if not isinstance(value, Scalar) or not e.free <= {WIDTH}:
        raise Fault(declarations.constant_not_constant(at, name, node.span))
    tree = as_written(value)
    try:
        limit = unfolded_limit(tree) if tree is not None and is_rounded(tree) else width_limit(numbers(e))
    except Diverges as d:
        if d.grows:
            raise Fault(divergence.constant_diverges(at, name, d.rate)) from None
        raise Fault(divergence.no_limit(at, at.text, d.rate, d.known)) from None
    if not math.isfinite(limit):
        raise Fault(divergence.no_value(at))
    core = bind(ctx, node.target.name, indices, Scalar(Sym(name), unfolded=tree), node.target.span)
    ctx.draft.constants.append(Constant(core, e, limit, node.span))
    ctx.draft.constant_values[Sym(core)] = e
    if tree is not None:
        ctx.draft.unfolded[Sym(core)] = tree
    if e.free:
        ctx.draft.moving.add(Sym(core))


# --- 𝒲 --------------------------------------------------------------------------------------------------------------


async def matrix(ctx: Context, node: ast.MatrixDecl) -> None:
    """`matrix W ~ N(0, σ²/n)`, and n×d matrices that apply to data."""
    for d in node.declarators:
        if any(i.span.text in ("n", "N") and ctx.names.scope.lookup(i.span.text) is None for i in d.indices):
            raise Fault(declarations.shape_as_indices(d.span, d.name, [i.span.text for i in d.indices]))
    columns = await _columns(ctx, node)
    bounds: tuple[float, float] | None = None
    if isinstance(node.law, ast.Uniform) and columns is not None:
        bounds = await _bounds(ctx, node.law, node.declarators[0].name)
        variance, formula = mean_and_variance(bounds)[1], await _uniform_variance(ctx, node.law)
    else:
        variance, formula = await _entry_variance(ctx, node, columns)
    for d in node.declarators:
        for indices in await members(ctx, d):
            name = core_name(d.name, indices)
            if columns is not None and d.name in ctx.only_transposed:
                _decoder(ctx, node, d, indices, (columns, variance, bounds, formula))
            elif columns is None:
                core = bind(ctx, d.name, indices, MatrixValue(name), d.span)
                ctx.draft.matrices.append(Matrix(core, variance, node.span))
            else:
                core = bind(ctx, d.name, indices, InputMatrixValue(name), d.span)
                ctx.draft.input_matrices.append(InputMatrix(core, columns, variance, node.span, bounds))
                ctx.draft.columns[core] = columns
            if formula is not None:
                ctx.formulas["variance", core] = formula


def _decoder(
    ctx: Context, node: ast.MatrixDecl, d: ast.Declarator, indices: Indices,
    law: tuple[int, float, tuple[float, float] | None, Expr | None],
) -> None:  # fmt: skip
    """An n×d matrix that is only transposed: its columns, d independent vectors; see `netsor.check.columns`."""
    columns, variance, bounds, formula = law
    names = tuple(core_name(d.name, (*indices, k)) for k in range(1, columns + 1))
    ctx.draft.columns[bind(ctx, d.name, indices, DecoderValue(names), d.span)] = columns
    for name in names:
        ctx.emitter.taken.add(name)
        ctx.emitter.vectors.add(name)
        mean = 0.0 if bounds is None else mean_and_variance(bounds)[0]
        ctx.emitter.groups.append(Group((name,), (mean,), ((variance,),), node.span, bounds))
        if formula is not None:
            ctx.formulas["variance", name] = formula


async def _columns(ctx: Context, node: ast.MatrixDecl) -> int | None:
    """The number d of columns of an n×d matrix; None for n×n."""
    if node.shape is None:
        return None
    name = node.declarators[0].name
    is_width = [isinstance(s, ast.Name) and s.name == "n" for s in node.shape]
    if len(node.shape) != 2 or not is_width[0]:
        span = node.shape[0].span.to(node.shape[-1].span)
        raise Fault(declarations.matrix_shape(span, name, [s.span.text for s in node.shape]))
    if is_width[1]:
        return None
    columns = await integer(ctx, node.shape[1], "the number of columns")
    if columns < 1:
        raise Fault(declarations.matrix_shape(node.shape[0].span.to(node.shape[1].span), name, ()))
    return columns


async def _entry_variance(ctx: Context, node: ast.MatrixDecl, columns: int | None) -> tuple[float, Expr | None]:
    """σ² of entries N(0, σ²/n), or N(0, σ²) where there are `columns`, and its formula where that has symbols."""
    name = node.declarators[0].name
    if node.law is None:
        return (1.0 if columns is None else 1.0 / columns), None
    if isinstance(node.law, ast.Uniform):
        assert columns is None
        raise Fault(declarations.uniform_matrix(node.law.span, name, (node.law.low.span.text, node.law.high.span.text)))
    if await number(ctx, node.law.mean, "the mean") != 0:
        raise Fault(declarations.matrix_mean(node.law.mean.span, name))
    value = await numeric(ctx, node.law.covariance)
    at = node.law.covariance.span
    if isinstance(value, Poison):
        raise Fault(None)
    formula = scaled = mul(WIDTH, value.expr) if columns is None else value.expr
    if isinstance(value, Scalar) and not isinstance(scaled, Const):
        # 2/n + 3/n is of the form c/n too: decide by what n times it is, not by how it is written.
        constant = _width_free(substitute(scaled, ctx.draft.constant_values))
        scaled = scaled if constant is None else constant
    if not isinstance(value, Scalar) or not isinstance(scaled, Const):
        if columns is not None:
            raise Fault(declarations.input_variance(at, name, columns))
        raise Fault(declarations.matrix_variance(at, name, isinstance(value, Scalar) and (value.number or 0) > 0))
    if scaled.value < 0:
        raise Fault(declarations.negative_variance(at, name, scaled.value, columns is None))
    return float(scaled.value), formula if ctx.symbols and formula.free - {WIDTH} else None


def _width_free(e: Expr) -> Const | None:
    """The number that an expression in n is at every width."""
    if not e.free <= {WIDTH}:
        return None
    values = [evaluated(e, {WIDTH: n}) for n in (7.0, 1024.0, 1e6 + 3)]
    same = all(math.isfinite(v) and abs(v - values[0]) <= 1e-13 * abs(values[0]) for v in values)
    return Const(values[0]) if same else None


# --- 𝒱 --------------------------------------------------------------------------------------------------------------


async def vector(ctx: Context, node: ast.VectorDecl) -> None:
    """`vector x, y ~ N(0, K)`: independent vectors, or jointly Gaussian ones."""
    named = [(d, indices) for d in node.declarators for indices in await members(ctx, d)]
    if node.law is None:
        raise Fault(declarations.law_missing(node.span, node.declarators[0].name))
    names = [core_name(d.name, indices) for d, indices in named]
    if not names:
        return
    if isinstance(node.law, ast.Uniform):
        await _uniform_vectors(ctx, node, node.law, named)
        return
    mean = await _mean(ctx, node.law.mean, len(names))
    covariance = await _covariance(ctx, node.law.covariance, names)
    bound = tuple(bind(ctx, d.name, i, Vector(Sym(core_name(d.name, i))), d.span) for d, i in named)
    if ctx.symbols:
        await _formulas(ctx, node.law, bound)
    ctx.emitter.vectors.update(bound)
    if isinstance(covariance, float):
        ones = (Group((name,), (mean[i],), ((covariance,),), node.span) for i, name in enumerate(bound))
        ctx.emitter.groups.extend(ones)
    else:
        ctx.emitter.groups.append(Group(bound, mean, covariance, node.span))


async def _uniform_vectors(
    ctx: Context, node: ast.VectorDecl, law: ast.Uniform, named: list[tuple[ast.Declarator, Indices]]
) -> None:
    """Independent vectors with iid coordinates U(low, high)."""
    bounds = await _bounds(ctx, law, core_name(named[0][0].name, named[0][1]))
    mean, variance = mean_and_variance(bounds)
    formula = await _uniform_variance(ctx, law)
    for d, indices in named:
        name = core_name(d.name, indices)
        core = bind(ctx, d.name, indices, Vector(Sym(name)), d.span)
        ctx.emitter.vectors.add(core)
        ctx.emitter.groups.append(Group((core,), (mean,), ((variance,),), node.span, bounds))
        if formula is not None:
            (_, low), (_, high) = await law_number(ctx, law.low), await law_number(ctx, law.high)
            ends = [as_expr(x) if e is None else e for x, e in zip(bounds, (low, high), strict=True)]
            ctx.formulas["variance", core] = formula
            ctx.formulas["mean", core] = mul(Const(0.5), add(*ends))


async def _bounds(ctx: Context, law: ast.Uniform, name: str) -> tuple[float, float]:
    """The ends of a uniform law; raises Fault where they are not two numbers in their order."""
    ends = []
    for node in (law.low, law.high):
        value = await ctx.value(node)
        if isinstance(value, Scalar) and WIDTH in value.expr.free:
            raise Fault(declarations.not_constant(node.span, "an end of a uniform law", "an expression in n"))
        ends.append(as_float((await law_number(ctx, node, "an end of a uniform law"))[0]))
    if not rational(ends[0]) < rational(ends[1]):
        raise Fault(declarations.uniform_bounds(law.span, name, (law.low.span.text, law.high.span.text)))
    try:
        mean_and_variance((ends[0], ends[1]))
    except OverflowError:
        raise Fault(declarations.uniform_too_wide(law.span, name)) from None
    return ends[0], ends[1]


async def _uniform_variance(ctx: Context, law: ast.Uniform) -> Expr | None:
    """(b − a)²/12 in the parameters that stay symbols."""
    if not ctx.symbols:
        return None
    found = [await law_number(ctx, node) for node in (law.low, law.high)]
    if all(e is None for _, e in found):
        return None
    low, high = (as_expr(x) if e is None else e for x, e in found)
    return mul(Const(1 / 12), power(add(high, mul(MINUS_ONE, low)), Const(2)))


async def bias(ctx: Context, node: ast.BiasDecl) -> None:
    """`scalar c ~ N(0, s)`, a bias of the output; see `netsor.check.names.bias`."""
    named = [(d, indices) for d in node.declarators for indices in await members(ctx, d)]
    if not ctx.is_network:
        raise Fault(networks.bias_in_program(node.span, node.declarators[0].span.text, node.law.span))
    if isinstance(node.law, ast.Uniform):
        raise Fault(networks.uniform_bias(node.law.span, node.law.low.span.text, node.law.high.span.text))
    if await number(ctx, node.law.mean, "the mean") != 0:
        raise Fault(networks.bias_with_mean(node.law.mean.span, node.declarators[0].name))
    variance = await _covariance(ctx, node.law.covariance, [core_name(d.name, indices) for d, indices in named[:1]])
    if not isinstance(variance, float):
        raise Fault(declarations.not_constant(node.law.covariance.span, "the variance of a bias", "a matrix"))
    bound = [bind(ctx, d.name, i, Bias(core_name(d.name, i)), d.span) for d, i in named]
    if ctx.symbols:
        await _formulas(ctx, node.law, bound)
    ctx.emitter.vectors.update(bound)
    ctx.draft.biases.update(bound)
    ctx.emitter.groups.extend(Group((name,), (0.0,), ((variance,),), node.span) for name in bound)


async def _mean(ctx: Context, node: ast.Expr, count: int) -> tuple[float, ...]:
    value = await ctx.value(node)
    if not isinstance(value, Array) or not value.shape:
        return (as_float((await law_number(ctx, node, "the mean"))[0]),) * count
    if value.shape != (count,):
        raise Fault(declarations.group_mean(node.span, count, value.shape))
    _check_finite(value.values, value.name or "the mean", node.span)
    return _row(value.values)


async def _covariance(ctx: Context, node: ast.Expr, names: Sequence[str]) -> float | tuple[tuple[float, ...], ...]:
    value = await ctx.value(node)
    if not isinstance(value, Array) or not value.shape:
        if isinstance(value, Scalar) and WIDTH in value.expr.free:
            raise Fault(
                declarations.not_constant(node.span, "the variance of a vector's coordinates", "an expression in n")
            )
        variance = as_float((await law_number(ctx, node, "a variance"))[0])
        if variance < 0:
            raise Fault(declarations.negative_variance(node.span, names[0], variance))
        return variance
    count = len(names)
    if value.shape != (count, count):
        raise Fault(declarations.group_covariance(node.span, count, value.shape))
    _check_finite(value.values, value.name or "the covariance", node.span)
    assert isinstance(value.values, tuple)
    k: list[tuple[float, ...]] = [row for row in value.values if isinstance(row, tuple)]
    fault = verify_covariance(names, k, node)
    if fault:
        raise Fault(fault)
    # Symmetric to the last digit from here on.
    return tuple(
        tuple(max(as_float(k[i][i]), 0.0) if i == j else _middle(k[i][j], k[j][i]) for j in range(count))
        for i in range(count)
    )


async def _formulas(ctx: Context, law: ast.Normal, names: Sequence[str]) -> None:
    """Notes how the mean and the variance of vectors depend on the parameters that stay symbols."""
    for kind, node in (("mean", law.mean), ("variance", law.covariance)):
        if not isinstance(node, ast.ListLiteral):
            _, formula = await law_number(ctx, node)
            if formula is not None:
                ctx.formulas.update({(kind, name): formula for name in names})


def _row(values: Numbers) -> tuple[float, ...]:
    assert isinstance(values, tuple)
    return tuple(as_float(x) for x in values if not isinstance(x, tuple))


def _middle(a: float, b: float) -> float:
    if rational(a) == rational(b):
        return as_float(a)
    return as_float(exact_number((rational(a) + rational(b)) / 2))

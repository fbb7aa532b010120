"""Functions: their application, their derivatives, and conditionals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from netsor.check import unfolded
from netsor.check.context import Context, Tested
from netsor.check.definitions import expand
from netsor.check.emitter import inlined_functions
from netsor.check.fault import Fault
from netsor.check.operands import Number, check_emitting, constant, finite, join, numeric, quiet_integers
from netsor.check.products import product
from netsor.check.values import (
    POISON,
    Array,
    Builtin,
    Covector,
    Family,
    Floor,
    FunctionValue,
    Inlined,
    MatrixValue,
    Mean,
    Poison,
    Rows,
    Scalar,
    Special,
    Value,
    Vector,
    kind_name,
)
from netsor.check.width import checked
from netsor.diagnostics.catalogue import kinds, warnings
from netsor.diagnostics.catalogue.words import plural
from netsor.expr import (
    FUNCTIONS,
    HALF,
    Const,
    Expr,
    Function,
    Sym,
    apply,
    call,
    compare,
    cond,
    logic,
    numbers,
)
from netsor.expr import sqrt as root
from netsor.syntax import ast


async def application(ctx: Context, node: ast.Apply) -> Value:
    """What stands before a bracket is resolved by what its name is: a function is applied, a matrix multiplies."""
    callee = await ctx.value(node.callee)
    text = node.callee.span.text
    if isinstance(callee, Family) and not node.scalars and await quiet_integers(ctx, node.args) in callee.members:
        raise Fault(kinds.family_applied(node.span, text, ", ".join(a.span.text for a in node.args)))
    match callee:
        case Poison():
            return callee
        case Mean():
            return await _mean(ctx, node)
        case Rows():
            return await _rows(ctx, node)
        case Floor():
            return await _floor(ctx, node)
        case Builtin():
            return await _builtin_call(ctx, node, callee)
        case FunctionValue():
            return await _function_call(ctx, node, callee)
        case Inlined():
            return await expand(ctx, node, callee)
    if node.scalars or len(node.args) != 1:
        raise Fault(kinds.not_a_function(node.callee.span, text, kind_name(callee)))
    if isinstance(callee, Vector):
        raise Fault(kinds.vector_applied(node.span, node.callee.span, node.args[0].span))
    return product(ctx, callee, await ctx.value(node.args[0]), node.callee, node.args[0], node)


async def square_root(ctx: Context, node: ast.Sqrt) -> Value:
    return await _coordinatewise(ctx, node, [node.operand], root, lambda a: unfolded.power(a, HALF))


async def _coordinatewise(
    ctx: Context,
    node: ast.Node,
    args: Sequence[ast.Expr],
    f: Callable[..., Expr],
    written: unfolded.Node | None = None,
) -> Value:
    values = await _arguments(ctx, args)
    if any(isinstance(v, Poison) for v in values):
        return POISON
    made = join(f(*_expressions(values)), *values)
    if written is not None and isinstance(made, Scalar):
        made = unfolded.known(made, written, node, *values)
    return finite(made, node)


async def _arguments(ctx: Context, args: Sequence[ast.Expr]) -> list[Number | Poison]:
    """The values of arguments; raises Fault where one is a transposed vector. Some may be poison."""
    values = [await numeric(ctx, a) for a in args]
    if any(isinstance(v, Poison) for v in values):
        return values
    for v, a in zip(values, args, strict=True):
        if isinstance(v, Covector):
            raise Fault(kinds.transposed_vector_alone(a.span))
    return values


def _expressions(values: Sequence[Number | Poison]) -> list[Expr]:
    return [v.expr for v in values if not isinstance(v, Poison)]


async def _mean(ctx: Context, node: ast.Apply) -> Value:
    if len(node.args) != 1 or node.scalars:
        got = len(node.args) + len(node.scalars)
        raise Fault(kinds.mean_arity(node.span, [a.span for a in node.args], got))
    x = await numeric(ctx, node.args[0])
    if isinstance(x, (Poison, Scalar)):
        return x
    if isinstance(x, Covector):
        raise Fault(kinds.transposed_vector_alone(node.args[0].span))
    check_emitting(ctx, node.span)
    return Scalar(ctx.emitter.moment(ctx.stem, checked(ctx, x.expr, node.span, True), node.span))


async def _rows(ctx: Context, node: ast.Apply) -> Value:
    """The number of rows of data, a constant."""
    if len(node.args) != 1 or node.scalars:
        got = len(node.args) + len(node.scalars)
        raise Fault(kinds.arity(node.span, "rows", "one argument", got, "rows(X)"))
    x = await ctx.value(node.args[0])
    if isinstance(x, Poison):
        return x
    if not isinstance(x, Array) or not x.shape:
        shape = x.shape if isinstance(x, Array) else ()
        raise Fault(kinds.wrong_kind(node.args[0].span, kind_name(x), "data", shape))
    return Scalar(Const(x.shape[0]))


async def _floor(ctx: Context, node: ast.Apply) -> Value:
    """The largest whole number not above a constant, for indices and ends of ranges."""
    if len(node.args) != 1 or node.scalars:
        got = len(node.args) + len(node.scalars)
        raise Fault(kinds.arity(node.span, "floor", "one argument", got, "floor(u)"))
    x = await constant(ctx, node.args[0], "the argument of `floor`")
    assert x.number is not None
    return Scalar(Const(math.floor(x.number if x.exact is None else x.exact)))


async def _builtin_call(ctx: Context, node: ast.Apply, f: Builtin) -> Value:
    low, high = FUNCTIONS[f.name].arity
    count = len(node.args)
    if high == 1 and count == 2 and isinstance(await ctx.value(node.args[0]), MatrixValue):
        raise Fault(kinds.matrix_as_argument(node.span, f.name, node.args[0].span, node.args[1].span))
    if node.scalars or count < low or (high is not None and count > high):
        if high is None:
            wanted = f"{low} or more arguments"
        else:
            wanted = f"{low} to {high} arguments" if low != high else plural(low, "argument")
        signature = FUNCTIONS[f.name].signature
        raise Fault(kinds.arity(node.span, f.name, wanted, count + len(node.scalars), signature))
    if not f.order:
        return await _coordinatewise(ctx, node, node.args, lambda *a: call(f.name, *a), unfolded.function(f.name))
    params = tuple(Sym(p) for p in ("u", "v", "w")[:count])
    function = Function(f.name, params, call(f.name, *params))
    orders = (f.order,) + (0,) * (count - 1)
    _check_differentiable(function, orders, node)
    return await _coordinatewise(ctx, node, node.args, lambda *a: unfolded.at_numbers(apply(function, a, orders)))


async def _function_call(ctx: Context, node: ast.Apply, f: FunctionValue) -> Value:
    function = f.function
    vectors, scalars = function.vectors, len(function.params) - function.vectors
    if len(node.args) != vectors or len(node.scalars) != scalars:
        params = [str(p.name) for p in function.params]
        names, got = (params[:vectors], params[vectors:]), (len(node.args), len(node.scalars))
        place = ctx.names.first_place.get(function.name)
        raise Fault(kinds.definition_arity(node.span, function.name, names, got, place))
    values = [await numeric(ctx, a) for a in (*node.args, *node.scalars)]
    for v, a in zip(values, (*node.args, *node.scalars), strict=True):
        if isinstance(v, Covector):
            raise Fault(kinds.transposed_vector_alone(a.span))
    for v, a in zip(values[vectors:], node.scalars, strict=True):
        if isinstance(v, Vector):
            raise Fault(kinds.vector_in_scalar_slot(a.span, function.name))
    if any(isinstance(v, Poison) for v in values):
        return POISON
    if any(f.orders):
        _check_differentiable(function, f.orders, node)
    e = unfolded.at_numbers(apply(function, _expressions(values), f.orders))
    made = join(inlined_functions(e), *values)
    if isinstance(made, Scalar) and not any(f.orders):
        written = lambda *a: unfolded.inlined(function.body, dict(zip(function.params, a, strict=True)))  # noqa: E731
        made = unfolded.known(made, written, node, *values)
    return finite(made, node)


# --- derivatives ----------------------------------------------------------------------------------------------------


async def derivative(ctx: Context, node: ast.Derivative) -> Value:
    """φ' and ψ'[x]."""
    value = await ctx.value(node.function)
    text = node.function.span.text
    match value:
        case Poison():
            return value
        case Builtin():
            if node.by:
                raise Fault(kinds.partial_of_builtin(node.span, text, node.order))
            if FUNCTIONS[value.name].arity[0] > 1:
                raise Fault(kinds.derivative_of_several(node.span, text, node.order, ()))
            return Builtin(value.name, value.order + node.order)
        case FunctionValue():
            return FunctionValue(value.function, _orders(value, node))
        case Inlined() | Special():
            raise Fault(kinds.derivative_of_inlined(node.span, text))
    raise Fault(kinds.derivative_of_value(node.span, text, kind_name(value)))


def _orders(value: FunctionValue, node: ast.Derivative) -> tuple[int, ...]:
    """How often a function is differentiated in each of its arguments."""
    params = [str(p.name) for p in value.function.params]
    counts = list(value.orders)
    if not node.by:
        if len(params) != 1:
            raise Fault(kinds.derivative_of_several(node.span, node.function.span.text, node.order, params))
        counts[0] += node.order
        return tuple(counts)
    if len(node.by) != node.order:
        raise Fault(kinds.partials_count(node.span, node.order, len(node.by)))
    for which in node.by:
        if which.name not in params:
            raise Fault(kinds.partial_unknown(which.span, which.name, value.function.name, params))
        counts[params.index(which.name)] += 1
    return tuple(counts)


def _check_differentiable(function: Function, orders: tuple[int, ...], node: ast.Node) -> None:
    from netsor.expr.differentiate import derivative_body
    from netsor.expr.functions import TooSingular

    try:
        derivative_body(function, orders)
    except TooSingular:
        raise Fault(kinds.too_singular(node.span, function.name, sum(orders))) from None


# --- conditionals ---------------------------------------------------------------------------------------------------


async def conditional(ctx: Context, node: ast.If) -> Value:
    """`if test then a else b`."""
    test, used = await ctx.condition(node.test)
    then, other = await numeric(ctx, node.value), await numeric(ctx, node.other)
    if test is None or isinstance(then, Poison) or isinstance(other, Poison):
        return POISON
    for v, at in ((then, node.value), (other, node.other)):
        if isinstance(v, Covector):
            raise Fault(kinds.transposed_vector_alone(at.span))
    if not test.free:
        test = numbers(test)
        _warn_of_constant(ctx, node, test)
    return join(cond(test, then.expr, other.expr), then, other, *used)


def _warn_of_constant(ctx: Context, node: ast.If, test: Expr) -> None:
    """A test that has the same answer everywhere; one of parameters or loop indices chooses a branch on purpose."""
    from netsor.expr.evaluate import truth

    decided = None if ctx.pure else truth(test)
    if decided is not None and not any(isinstance(x, ast.Name) for x in ast.walk(node.test)):
        branch = node.value if decided else node.other
        outcome = "true" if decided else "false"
        ctx.faults.add(warnings.constant_condition(node.test.span, outcome, node.span, branch.span))


async def condition(ctx: Context, node: ast.Condition) -> Tested:
    """A comparison, or several joined by `and`, `or`, `not`."""
    match node:
        case ast.Compare():
            left, right = await numeric(ctx, node.left), await numeric(ctx, node.right)
            if isinstance(left, Poison) or isinstance(right, Poison):
                return None, ()
            if isinstance(left, Covector) or isinstance(right, Covector):
                raise Fault(kinds.transposed_vector_alone(node.span))
            return compare(node.op, left.expr, right.expr), (left, right)
        case ast.Logic():
            a, used = await ctx.condition(node.left)
            b, more = await ctx.condition(node.right)
            return None if a is None or b is None else logic(node.op, a, b), (*used, *more)
        case ast.Not():
            a, used = await ctx.condition(node.operand)
            return None if a is None else logic("not", a), used

"""Arithmetic of numbers and vectors, coordinate by coordinate: sums, products, quotients, powers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction

from netsor.check import unfolded
from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.operands import Number, as_number, finite, join, numeric, range_of
from netsor.check.values import (
    POISON,
    Covector,
    InputMatrixValue,
    MatrixValue,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics.catalogue import declarations, divergence, kinds, warnings
from netsor.expr import MINUS_ONE, ZERO, Const, add, mul, numbers, power, rationals
from netsor.expr.quotients import find_quotients
from netsor.syntax import ast

Matrix = (MatrixValue, InputMatrixValue)
# More terms than this in one sum is not an expression that a person meant.
MOST_TERMS = 1_000_000


async def binary(ctx: Context, node: ast.Binary) -> Value:
    """`a + b`, `a - b`, `a * b`, `a / b` and `a ^ b`."""
    if node.op == "*":
        return await _times(ctx, node)
    a, b = await ctx.value(node.left), await ctx.value(node.right)
    if isinstance(a, Matrix) and (isinstance(b, Matrix) or node.op == "/"):
        raise Fault(kinds.matrix_arithmetic(node.span, node.op, node.left.span.text, node.right.span.text))
    left, right = as_number(a, node.left), as_number(b, node.right)
    if isinstance(left, Poison) or isinstance(right, Poison):
        return POISON
    match node.op:
        case "+":
            return _plus(left, right, node)
        case "-":
            return _plus(left, scale(Scalar(MINUS_ONE), right, node), node)
        case "/":
            return _quotient(left, right, node)
    if isinstance(left, Covector) or isinstance(right, Covector):
        raise Fault(kinds.transposed_vector_alone(node.span))
    await _power_of_product(ctx, node)
    made = join(power(left.expr, numbers(right.expr)), left, right)
    return finite(_exactly(made, rationals.power, unfolded.power, node, left, right), node)


async def negate(ctx: Context, node: ast.Negate) -> Value:
    operand = await ctx.value(node.operand)
    if isinstance(operand, Matrix):
        raise Fault(kinds.scaled_matrix(node.span, "-", node.operand.span.text))
    return scale(Scalar(MINUS_ONE), operand, node.operand)


async def _power_of_product(ctx: Context, node: ast.Binary) -> None:
    """c (x)^2 is (c x)^2, since a bracket behind a name binds first; a reader may expect c · x^2."""
    base = node.left
    if ctx.pure or not isinstance(base, ast.Apply) or len(base.args) != 1 or base.scalars:
        return
    if base.span.text.startswith("("):
        return
    callee = await ctx.value(base.callee)
    if isinstance(callee, (Scalar, MatrixValue)):
        argument, exponent = base.args[0].span.text, node.right.span.text
        matrix = isinstance(callee, MatrixValue)
        ctx.faults.add(warnings.power_of_product(node.span, base.callee.span.text, argument, exponent, matrix))


async def _times(ctx: Context, node: ast.Binary) -> Value:
    left, right = await ctx.value(node.left), await ctx.value(node.right)
    if isinstance(left, Matrix) and isinstance(right, Matrix):
        raise Fault(kinds.matrix_alone(node.span))
    if isinstance(left, Matrix):
        raise Fault(kinds.star_of_matrix(node.span, node.left.span, node.right.span, node.spelling, kind_name(right)))
    if isinstance(right, Matrix):
        raise Fault(kinds.star_of_matrix(node.span, node.right.span, node.left.span, node.spelling, kind_name(left)))
    a, b = as_number(left, node.left), as_number(right, node.right)
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if isinstance(a, Covector) and isinstance(b, Vector):
        raise Fault(kinds.star_of_inner(node.span, node.left.span, node.right.span))
    return scale(a, b, node)


def scale(a: Number, b: Value, node: ast.Node) -> Value:
    """The product of numbers and vectors, coordinate by coordinate."""
    if not isinstance(b, Number):
        b = as_number(b, node)
        if isinstance(b, Poison):
            return b
    if isinstance(a, Covector) or isinstance(b, Covector):
        if isinstance(a, Scalar) or isinstance(b, Scalar):
            return Covector(mul(a.expr, b.expr))
        raise Fault(kinds.transposed_vector_alone(node.span))
    made = join(find_quotients(mul(a.expr, b.expr)), a, b)
    return finite(_exactly(made, operator.mul, unfolded.product, node, a, b), node)


def _plus(left: Number, right: Value, node: ast.Node) -> Value:
    if isinstance(left, Covector) != isinstance(right, Covector):
        raise Fault(kinds.transposed_vector_alone(node.span))
    assert isinstance(right, Number)
    e = add(left.expr, right.expr)
    if isinstance(left, Covector):
        return Covector(e)
    return finite(_exactly(join(e, left, right), operator.add, unfolded.total, node, left, right), node)


def _quotient(left: Number, right: Number, node: ast.Binary) -> Value:
    if isinstance(right, Covector):
        raise Fault(kinds.transposed_vector_alone(node.right.span))
    if numbers(right.expr) is ZERO:
        raise Fault(divergence.division_by_zero(node.right.span))
    e = mul(left.expr, power(right.expr, MINUS_ONE))
    if isinstance(left, Covector):
        if isinstance(right, Vector):
            raise Fault(kinds.transposed_vector_alone(node.span))
        return Covector(e)
    made = join(find_quotients(e), left, right)
    return finite(_exactly(made, lambda a, b: a / b if b else None, unfolded.quotient, node, left, right), node)


async def summation(ctx: Context, node: ast.Sum) -> Value:
    """`sum(i in 1..T: …)`, written out."""
    values = await range_of(ctx, node.range)
    outer, terms = ctx.terms, ctx.terms * max(len(values), 1)
    if terms > MOST_TERMS:
        raise Fault(declarations.too_long(node.range.span, terms, "terms in one sum"))
    parts: list[Number] = []
    ctx.terms = terms
    try:
        for i in values:
            with ctx.block() as scope:
                scope.names[node.index.name] = Scalar(Const(i))
                part = await numeric(ctx, node.body)
            if isinstance(part, Poison):
                return part
            parts.append(part)
    finally:
        ctx.terms = outer
    covectors = [isinstance(p, Covector) for p in parts]
    if any(covectors) and not all(covectors):
        raise Fault(kinds.transposed_vector_alone(node.span))
    e = add(*(p.expr for p in parts))
    if any(covectors):
        return Covector(e)
    made = finite(join(e, *parts), node)
    if not isinstance(made, Scalar):
        return made
    known = [p.rational for p in parts if isinstance(p, Scalar)]
    exact = [q for q in known if q is not None]
    if len(exact) == len(known):
        made = made.exactly(rationals.within_reach(sum(exact, Fraction(0))))
    return unfolded.known(made, unfolded.total, node, *parts)


def _exactly(
    made: Scalar | Vector,
    operation: Callable[[Fraction, Fraction], Fraction | None],
    written: unfolded.Node,
    node: ast.Node,
    *parts: Value,
) -> Scalar | Vector:
    """A constant made of two others, in rational arithmetic where both are rational numbers, rounded once."""
    if not isinstance(made, Scalar):
        return made
    known = [p.rational for p in parts if isinstance(p, Scalar)]
    if not made.expr.free and len(known) == 2 and known[0] is not None and known[1] is not None:
        q = operation(known[0], known[1])
        if q is not None:
            return made.exactly(rationals.within_reach(q))
    return unfolded.known(made, written, node, *parts)

"""What an expression denotes: one case for each node. Instructions are emitted as they are needed."""

from __future__ import annotations

import math
from fractions import Fraction

from netsor.check.arithmetic import binary, negate, summation
from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.functions import application, conditional, derivative, square_root
from netsor.check.names import name
from netsor.check.operands import index, literal
from netsor.check.products import inner, juxtapose, transpose
from netsor.check.values import Scalar, Value
from netsor.diagnostics.catalogue import kinds
from netsor.expr import Const
from netsor.expr.rationals import within_reach
from netsor.syntax import ast


async def value(ctx: Context, node: ast.Expr) -> Value:
    """What an expression denotes; raises Fault."""
    match node:
        case ast.Number():
            return Scalar(Const(node.value)).exactly(_written(node))
        case ast.Name():
            return name(ctx, node)
        case ast.Index():
            return await index(ctx, node)
        case ast.Negate():
            return await negate(ctx, node)
        case ast.Binary():
            return await binary(ctx, node)
        case ast.Juxtapose() | ast.MatMul():
            return await juxtapose(ctx, node)
        case ast.Transpose():
            return await transpose(ctx, node)
        case ast.Apply():
            return await application(ctx, node)
        case ast.Sqrt():
            return await square_root(ctx, node)
        case ast.If():
            return await conditional(ctx, node)
        case ast.Inner():
            return await inner(ctx, node)
        case ast.ListLiteral():
            return await literal(ctx, node)
        case ast.Sum():
            return await summation(ctx, node)
        case ast.Derivative():
            return await derivative(ctx, node)
    raise Fault(kinds.not_a_value(node.span))


def _written(node: ast.Number) -> Fraction | None:
    """The rational number that a literal is; None for one that no float holds, of which others tell."""
    return None if isinstance(node.value, int) or not math.isfinite(node.value) else within_reach(Fraction(node.text))

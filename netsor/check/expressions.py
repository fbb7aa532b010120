"""What an expression denotes: one case for each node. Instructions are emitted as they are needed."""

from __future__ import annotations

import math
from fractions import Fraction

from netsor.check import faults
from netsor.check.application import Application
from netsor.check.faults import Fault
from netsor.check.operands import Number
from netsor.check.values import (
    Covector,
    InputMatrixValue,
    MatrixValue,
    Poison,
    Scalar,
    Value,
)
from netsor.expr import (
    MINUS_ONE,
    Const,
    add,
)
from netsor.expr import sqrt as root
from netsor.expr.rationals import within_reach
from netsor.syntax import ast

# More terms than this in one sum is no expression that a person meant.
MOST_TERMS = 1_000_000


class Expressions(Application):
    """The expression half of the checker; `netsor.check.statements` is the other."""

    def value(self, node: ast.Expr) -> Value:
        """What an expression denotes; raises Fault."""
        match node:
            case ast.Number():
                return Scalar(Const(node.value)).exactly(_written(node))
            case ast.Name():
                return self.name(node)
            case ast.Index():
                return self.index(node)
            case ast.Negate():
                operand = self.value(node.operand)
                if isinstance(operand, (MatrixValue, InputMatrixValue)):
                    raise Fault(faults.scaled_matrix(node.span, "-", node.operand.span.text))
                return self.scale(Scalar(MINUS_ONE), operand, node.operand)
            case ast.Binary():
                return self.binary(node)
            case ast.Juxtapose() | ast.MatMul():
                return self.juxtapose(node)
            case ast.Transpose():
                return self.transpose(node)
            case ast.Apply():
                return self.application(node)
            case ast.Sqrt():
                return self.coordinatewise(node, [node.operand], lambda a: root(a))
            case ast.If():
                return self.conditional(node)
            case ast.Inner():
                return self.inner(node, self.value(node.left), self.value(node.right))
            case ast.ListLiteral():
                return self.literal(node)
            case ast.Sum():
                return self.summation(node)
            case ast.Derivative():
                return self.derivative(node)
            case _:
                raise Fault(faults.not_a_value(node.span, "this"))

    def summation(self, node: ast.Sum) -> Value:
        values = self.range(node.range)
        outer, self.terms = self.terms, self.terms * max(len(values), 1)
        if self.terms > MOST_TERMS:
            count, self.terms = self.terms, outer
            raise Fault(faults.too_long(node.range.span, count, "terms in one sum"))
        parts: list[Number] = []
        try:
            for i in values:
                with self.block():
                    self.scope.names[node.index.name] = Scalar(Const(i))
                    part = self.numeric(node.body)
                if isinstance(part, Poison):
                    return part
                parts.append(part)
        finally:
            self.terms = outer
        covectors = [isinstance(p, Covector) for p in parts]
        if any(covectors) and not all(covectors):
            raise Fault(faults.transposed_vector_alone(node.span))
        e = add(*(p.expr for p in parts))
        if any(covectors):
            return Covector(e)
        made = self.finite(self.join(e, *parts), node)
        if not isinstance(made, Scalar) or made.expr.free:
            return made
        known = [p.rational for p in parts if isinstance(p, Scalar)]
        exact = [q for q in known if q is not None]
        return made if len(exact) < len(known) else made.exactly(within_reach(sum(exact, Fraction(0))))


def _written(node: ast.Number) -> Fraction | None:
    """The rational number that a literal is; None for one that no float holds, of which others tell."""
    return None if isinstance(node.value, int) or not math.isfinite(node.value) else within_reach(Fraction(node.text))

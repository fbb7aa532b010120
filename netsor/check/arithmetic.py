"""Arithmetic of numbers, vectors and matrices: sums, quotients, products side by side, inner products."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction

from netsor.check import faults
from netsor.check.faults import Fault
from netsor.check.operands import Number, Operands
from netsor.check.values import (
    POISON,
    Array,
    Builtin,
    Covector,
    FunctionValue,
    Inlined,
    InputMatrixValue,
    InputValue,
    MatrixValue,
    Mean,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Span
from netsor.expr import (
    MINUS_ONE,
    ONE,
    WIDTH,
    ZERO,
    Const,
    Expr,
    add,
    mul,
    power,
    rationals,
)
from netsor.expr.quotients import find_quotients
from netsor.syntax import ast


def _exactly(
    made: Scalar | Vector, operation: Callable[[Fraction, Fraction], Fraction | None], *parts: Value
) -> Scalar | Vector:
    """A constant made of two others, in rational arithmetic where both are rational numbers, rounded once."""
    if not isinstance(made, Scalar) or made.expr.free:
        return made
    known = [p.rational for p in parts if isinstance(p, Scalar)]
    if len(known) != 2 or known[0] is None or known[1] is None:
        return made
    q = operation(known[0], known[1])
    return made if q is None else made.exactly(rationals.within_reach(q))


def _quotient(a: Fraction, b: Fraction) -> Fraction | None:
    return a / b if b else None


class Arithmetic(Operands):
    """Operators; which product two things side by side make is decided by what they are."""

    def binary(self, node: ast.Binary) -> Value:
        if node.op == "*":
            return self.times(node)
        a, b = self.value(node.left), self.value(node.right)
        if isinstance(a, (MatrixValue, InputMatrixValue)) and (
            isinstance(b, (MatrixValue, InputMatrixValue)) or node.op == "/"
        ):
            raise Fault(faults.matrix_arithmetic(node.span, node.op, node.left.span.text, node.right.span.text))
        left, right = self.as_number(a, node.left), self.as_number(b, node.right)
        if isinstance(left, Poison) or isinstance(right, Poison):
            return POISON
        match node.op:
            case "+":
                return self.plus(left, right, node)
            case "-":
                return self.plus(left, self.scale(Scalar(MINUS_ONE), right, node), node)
            case "/":
                return self.quotient(left, right, node)
            case _:
                if isinstance(left, Covector) or isinstance(right, Covector):
                    raise Fault(faults.transposed_vector_alone(node.span))
                self.power_of_product(node)
                made = self.join(power(left.expr, right.expr), left, right)
                return self.finite(_exactly(made, rationals.power, left, right), node)

    def power_of_product(self, node: ast.Binary) -> None:
        """c (x)^2 is (c x)^2, since a bracket behind a name binds first; a reader may expect c · x^2."""
        base = node.left
        if self.pure or not isinstance(base, ast.Apply) or len(base.args) != 1 or base.scalars:
            return
        if base.span.text.startswith("("):
            return
        callee = self.value(base.callee)
        if isinstance(callee, (Scalar, MatrixValue)):
            argument, exponent = base.args[0].span.text, node.right.span.text
            matrix = isinstance(callee, MatrixValue)
            self.note(faults.power_of_product(node.span, base.callee.span.text, argument, exponent, matrix))

    def plus(self, left: Value, right: Value, node: ast.Node) -> Value:
        if isinstance(left, Poison) or isinstance(right, Poison):
            return POISON
        if isinstance(left, Covector) != isinstance(right, Covector):
            raise Fault(faults.transposed_vector_alone(node.span))
        assert isinstance(left, Number) and isinstance(right, Number)
        e = add(left.expr, right.expr)
        if isinstance(left, Covector):
            return Covector(e)
        return self.finite(_exactly(self.join(e, left, right), operator.add, left, right), node)

    def quotient(self, left: Number, right: Number, node: ast.Binary) -> Value:
        if isinstance(right, Covector):
            raise Fault(faults.transposed_vector_alone(node.right.span))
        if right.expr is ZERO:
            raise Fault(faults.division_by_zero(node.right.span))
        e = mul(left.expr, power(right.expr, MINUS_ONE))
        if isinstance(left, Covector):
            if isinstance(right, Vector):
                raise Fault(faults.transposed_vector_alone(node.span))
            return Covector(e)
        return self.finite(_exactly(self.join(find_quotients(e), left, right), _quotient, left, right), node)

    def times(self, node: ast.Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, (MatrixValue, InputMatrixValue)) and isinstance(right, (MatrixValue, InputMatrixValue)):
            raise Fault(faults.matrix_alone(node.span))
        for side, other in ((left, node.right), (right, node.left)):
            if isinstance(side, (MatrixValue, InputMatrixValue)):
                matrix = node.left if side is left else node.right
                raise Fault(
                    faults.star_of_matrix(node.span, matrix.span.text, other.span.text, side is left, node.spelling)
                )
        a, b = self.as_number(left, node.left), self.as_number(right, node.right)
        if isinstance(a, Poison) or isinstance(b, Poison):
            return POISON
        if isinstance(a, Covector) and isinstance(b, Vector):
            raise Fault(faults.star_of_inner(node.span, node.left.span.text, node.right.span.text))
        return self.scale(a, b, node)

    def scale(self, a: Value, b: Value, node: ast.Node) -> Value:
        """The product of numbers and vectors, coordinate by coordinate."""
        if isinstance(a, Poison) or isinstance(b, Poison):
            return POISON
        if not isinstance(b, Number):
            b = self.as_number(b, node)
            if isinstance(b, Poison):
                return b
        assert isinstance(a, Number)
        if isinstance(a, Covector) or isinstance(b, Covector):
            if isinstance(a, Scalar) or isinstance(b, Scalar):
                return Covector(mul(a.expr, b.expr))
            raise Fault(faults.transposed_vector_alone(node.span))
        made = self.join(find_quotients(mul(a.expr, b.expr)), a, b)
        return self.finite(_exactly(made, operator.mul, a, b), node)

    def juxtapose(self, node: ast.Juxtapose | ast.MatMul) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        return self.product(left, right, node.left, node.right, node)

    def product(self, left: Value, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
        """Two things side by side: MATMUL, an inner product, or scaling; vector by vector is none of them."""
        if isinstance(left, Poison) or isinstance(right, Poison):
            return POISON
        explicit = isinstance(node, ast.MatMul)
        match left:
            case MatrixValue():
                return self.matmul(left, right, ln, rn, node)
            case InputMatrixValue():
                return self.embed(left, right, ln, rn, node)
            case Covector():
                if isinstance(right, (MatrixValue, InputMatrixValue)):
                    raise Fault(faults.covector_by_matrix(node.span, ln.span.text, rn.span.text))
                a = self.as_number(right, rn)
                if isinstance(a, Vector):
                    return self.inner_product(left.expr, a.expr, node.span)
                if isinstance(a, Poison):
                    return a
                if isinstance(a, Scalar) and not explicit:
                    return self.scale(left, a, node)
                raise Fault(faults.transposed_vector_alone(node.span))
            case Array() if left.shape and isinstance(right, InputMatrixValue):
                raise Fault(faults.row_by_matrix(node.span, ln.span.text, rn.span.text))
            case Array() if left.shape:
                raise Fault(faults.data_product(node.span, ln.span.text, rn.span.text, kind_name(right)))
            case FunctionValue() | Builtin() | Inlined() | Mean():
                raise Fault(faults.function_needs_brackets(node.span, ln.span.text, rn.span.text))
        a = self.as_number(left, ln)
        if isinstance(a, Poison):
            return a
        if explicit:
            right_is_vector = isinstance(right, Vector)
            raise Fault(faults.at_needs_matrix(node.span, ln.span.text, kind_name(a), rn.span.text, right_is_vector))
        if isinstance(right, (MatrixValue, InputMatrixValue)):
            if isinstance(left, Vector) and isinstance(right, MatrixValue):
                raise Fault(faults.vector_by_matrix(node.span, ln.span.text, rn.span.text))
            raise Fault(faults.scaled_matrix(node.span, ln.span.text, rn.span.text))
        b = self.as_number(right, rn)
        if isinstance(b, Poison):
            return b
        if isinstance(a, Vector) and isinstance(b, Vector):
            raise Fault(faults.vector_by_vector(node.span, ln.span.text, rn.span.text))
        if isinstance(a, Vector) and isinstance(b, Covector):
            raise Fault(faults.outer_product(node.span))
        return self.scale(a, b, node)

    def matmul(self, w: MatrixValue, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
        if isinstance(right, (MatrixValue, InputMatrixValue)):
            raise Fault(faults.matrix_alone(node.span))
        if isinstance(right, (Array, InputValue)):
            raise Fault(faults.square_on_data(node.span, ln.span.text, rn.span.text, self.plain(ln)))
        x = self.as_number(right, rn)
        if isinstance(x, Poison):
            return x
        if isinstance(x, Scalar):
            raise Fault(faults.matrix_on_scalar(node.span, ln.span.text, rn.span.text))
        if isinstance(x, Covector):
            raise Fault(faults.matrix_on_covector(node.span, ln.span.text, rn.span.text))
        self.check_emitting(node)
        return Vector(
            self.emitter.matmul(self.stem, w.name, w.transposed, self.checked(x.expr, rn.span), node.span, rn.span)
        )

    @staticmethod
    def plain(node: ast.Expr) -> str:
        return node.operand.span.text if isinstance(node, ast.Transpose) else node.span.text

    def embed(self, u: InputMatrixValue, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
        raise NotImplementedError

    def transpose(self, node: ast.Transpose) -> Value:
        value = self.value(node.operand)
        match value:
            case MatrixValue():
                return MatrixValue(value.name, not value.transposed)
            case InputMatrixValue():
                raise Fault(faults.input_matrix_transposed(node.span, node.operand.span.text))
            case Array() if len(value.shape) == 1:
                return value
            case Vector():
                return Covector(value.expr)
            case Covector():
                return Vector(value.expr)
            case Poison():
                return value
            case Scalar():
                raise Fault(faults.scalar_transposed(node.span, node.operand.span.text))
            case _:
                raise Fault(
                    faults.wrong_kind(node.span, node.operand.span.text, kind_name(value), "a vector or a matrix")
                )

    def inner(self, node: ast.Inner, left: Value, right: Value) -> Value:
        if isinstance(left, Array) and isinstance(right, Array):
            if len(left.shape) != 1 or left.shape != right.shape:
                raise Fault(faults.inner_shapes(node.span, left.shape, right.shape))
            pairs = list(zip(left.values, right.values, strict=True))  # type: ignore[arg-type]
            products = [a * b for a, b in pairs]
            total = math.fsum(products) if all(map(math.isfinite, products)) else math.nan
            made = Scalar(Const(total))
            if math.isfinite(total) and not any(rationals.uncertainty(x) for pair in pairs for x in pair):
                exact = sum((rationals.rational(a) * rationals.rational(b) for a, b in pairs), Fraction(0))
                made = made.exactly(exact)
            return self.finite(made, node)
        a, b = self.as_number(left, node.left), self.as_number(right, node.right)
        if isinstance(a, Poison) or isinstance(b, Poison):
            return POISON
        if isinstance(a, Vector) and (isinstance(b, Vector) or b.expr is ONE and isinstance(b, Scalar)):
            return self.inner_product(a.expr, b.expr, node.span)  # ⟨x, 1⟩ is Σ_α x_α
        wrong, at = (a, node.left) if not isinstance(a, Vector) else (b, node.right)
        raise Fault(faults.wrong_kind(at.span, at.span.text, kind_name(wrong), "a vector"))

    def inner_product(self, x: Expr, y: Expr, span: Span) -> Scalar:
        """xᵀ y = n · (1/n) Σ x y: a MOMENT, and the factor n that a division has to meet."""
        self.check_emitting_span(span)
        return Scalar(mul(WIDTH, self.emitter.moment(self.stem, self.checked(mul(x, y), span, True), span)))

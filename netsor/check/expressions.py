"""What an expression denotes: kinds, products, functions, indices. Instructions are emitted as they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from netsor.check import faults
from netsor.check.emitter import Emitter, inlined_functions
from netsor.check.faults import Fault
from netsor.check.scope import Indices, Scope
from netsor.check.values import (
    POISON,
    Array,
    Builtin,
    Covector,
    Family,
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
from netsor.core import DataRef
from netsor.diagnostics import Diagnostic, Span
from netsor.expr import (
    FUNCTIONS,
    MINUS_ONE,
    ONE,
    WIDTH,
    ZERO,
    Const,
    Expr,
    Function,
    Sym,
    add,
    apply,
    call,
    compare,
    cond,
    logic,
    mul,
    power,
)
from netsor.expr import sqrt as root
from netsor.expr.asymptotics import find_quotients
from netsor.syntax import ast

Number = Scalar | Vector | Covector
# More terms than this in one sum is no expression that a person meant.
MOST_TERMS = 1_000_000


class Expressions:
    """The expression half of the checker; `netsor.check.statements` is the other."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.scope = Scope()
        # The name that the line being checked defines: names of intermediate results are made from it.
        self.stem = "t"
        # Inside a definition of coordinates everything is a number, and nothing may be emitted.
        self.pure = False
        self.expanding: list[str] = []
        # How many terms the sums around this place stand for.
        self.terms = 1

    # --- entry points -----------------------------------------------------------------------------------------

    def value(self, node: ast.Expr) -> Value:
        """What an expression denotes; raises Fault."""
        match node:
            case ast.Number():
                return Scalar(Const(node.value))
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

    def number(self, node: ast.Expr, what: str = "a number") -> float:
        """A number known before running: parameters, data, arithmetic of them."""
        value = self.value(node)
        if isinstance(value, Poison):
            raise Fault(None)
        if isinstance(value, Array) and not value.shape:
            return float(value.values)  # type: ignore[arg-type]
        if not isinstance(value, Scalar) or value.number is None:
            raise Fault(faults.not_constant(node.span, what, kind_name(value)))
        return value.number

    def integer(self, node: ast.Expr, what: str) -> int:
        """A whole number known before running."""
        number = self.number(node, what)
        if isinstance(number, float) and not number.is_integer():
            raise Fault(faults.not_an_integer(node.span, what, number))
        return int(number)

    def numeric(self, node: ast.Expr, what: str | None = None) -> Number | Poison:
        """A scalar or a vector (or xᵀ); anything else cannot be computed with."""
        return self.as_number(self.value(node), node, what)

    def as_number(self, value: Value, node: ast.Node, what: str | None = None) -> Number | Poison:
        if isinstance(value, Array) and not value.shape:
            return Scalar(Const(value.values))  # type: ignore[arg-type]
        if isinstance(value, (Scalar, Vector, Covector, Poison)):
            return value
        if isinstance(value, (FunctionValue, Builtin, Inlined, Mean)):
            raise Fault(faults.function_as_value(node.span, node.span.text))
        if isinstance(value, Family):
            raise Fault(faults.family_as_value(node.span, value.name, sorted(value.members)))
        raise Fault(faults.wrong_kind(node.span, node.span.text, kind_name(value), what or "a number or a vector"))

    # --- names and indices ------------------------------------------------------------------------------------

    def name(self, node: ast.Name) -> Value:
        if node.name == "n":
            if self.pure:
                raise Fault(faults.width_in_function(node.span))
            return Scalar(WIDTH)
        if node.name == "pi":
            return Scalar(Const(math.pi))
        value = self.scope.lookup(node.name)
        if value is None:
            raise self.unknown_fault(node.span, node.name)
        return value

    def unknown_fault(self, span: Span, name: str) -> Fault:
        later = self.later(name)
        if later is None:
            # Something the program has under nearly this name comes before what the name means elsewhere.
            elsewhere = faults.look_alike(span, name, self.places()) or (
                None if name.lower() in self.scope.visible() else faults.foreign_name(span, name)
            )
            if elsewhere is not None:
                return Fault(elsewhere)
        return Fault(faults.unknown_name(span, span.text.strip("() "), self.scope.like(name), later))

    def places(self) -> Iterable[tuple[str, Span | None]]:
        """The names that are known here, and where they were given; overridden by the statement half."""
        return ((name, None) for name in self.scope.visible())

    def later(self, name: str) -> Span | None:
        """Where a name that is unknown here is defined further down; overridden by the statement half."""
        return None

    def index(self, node: ast.Index) -> Value:
        base = self.value(node.base)
        if isinstance(base, Poison):
            return base
        if isinstance(base, (Builtin, Mean, FunctionValue, Inlined)):
            inside = ", ".join(i.span.text for i in node.indices)
            raise Fault(faults.square_application(node.span, node.base.span.text, inside))
        indices = tuple(self.integer(i, "an index") for i in node.indices)
        if isinstance(base, Array):
            return self.array_entry(base, indices, node)
        if isinstance(base, Family):
            if indices in base.members:
                return base.members[indices]
            if self.is_partial(base.name):
                return POISON
            raise Fault(
                faults.index_out_of_range(
                    node.span, base.name, indices, sorted(base.members), self.later_member(base.name, indices)
                )
            )
        if isinstance(base, InputMatrixValue):
            raise Fault(faults.nameless_row(node.span))
        raise Fault(faults.not_indexed(node.span, node.base.span.text, kind_name(base)))

    def later_member(self, name: str, indices: Indices) -> Span | None:
        return None

    def is_partial(self, name: str) -> bool:
        """Whether lines that are left out may define members of a family; overridden by the statement half."""
        return False

    def array_entry(self, array: Array, indices: Indices, node: ast.Index) -> Value:
        if len(indices) > len(array.shape):
            raise Fault(
                faults.too_many_indices(node.span, array.name or node.base.span.text, array.shape, len(indices))
            )
        values = array.values
        for axis, i in enumerate(indices):
            if not 1 <= i <= array.shape[axis]:
                raise Fault(faults.row_out_of_range(node.span, array.name or node.base.span.text, i, array.shape, axis))
            values = values[i - 1]  # type: ignore[index]
        shape = array.shape[len(indices) :]
        if not shape:
            return Scalar(Const(float(values)))  # type: ignore[arg-type]
        ref = DataRef(array.name, (array.ref.row if array.ref else ()) + indices) if array.name else None
        return Array(values, shape, ref, array.name)

    def literal(self, node: ast.ListLiteral) -> Array:
        """Nested lists of numbers; raises Fault where they are not a full rectangle."""
        items: list = []
        shapes = set()
        for item in node.items:
            if isinstance(item, ast.ListLiteral):
                inner = self.literal(item)
                items.append(inner.values)
                shapes.add(inner.shape)
            else:
                value = self.value(item)
                if isinstance(value, Array) and value.shape:
                    items.append(value.values)
                    shapes.add(value.shape)
                    continue
                items.append(float(self.number(item)))
                shapes.add(())
        if len(shapes) > 1:
            raise Fault(faults.ragged(node.span))
        return Array(tuple(items), (len(items), *(shapes.pop() if shapes else ())))

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
        return Covector(e) if any(covectors) else self.join(e, *parts)

    def range(self, node: ast.Range) -> range:
        low, high = self.integer(node.low, "the start of a range"), self.integer(node.high, "the end of a range")
        return range(low, high + 1)

    def block(self):  # noqa: ANN201 - a context manager, provided by the statement half
        raise NotImplementedError

    # --- arithmetic -------------------------------------------------------------------------------------------

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
                return self.finite(made, node)

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

    def note(self, diagnostic: Diagnostic) -> None:
        """Told of a warning; overridden by the statement half."""

    def finite(self, made: Number, node: ast.Node) -> Number:
        """A constant must be a finite number, told where it is made rather than where it is used."""
        if isinstance(made, Scalar) and not made.expr.free and made.number is None:
            raise Fault(faults.no_value(node.span))
        return made

    @staticmethod
    def join(e: Expr, *parts: Value) -> Scalar | Vector:
        return Vector(e) if any(isinstance(p, Vector) for p in parts) else Scalar(e)

    def plus(self, left: Value, right: Value, node: ast.Node) -> Value:
        if isinstance(left, Poison) or isinstance(right, Poison):
            return POISON
        if isinstance(left, Covector) != isinstance(right, Covector):
            raise Fault(faults.transposed_vector_alone(node.span))
        assert isinstance(left, Number) and isinstance(right, Number)
        e = add(left.expr, right.expr)
        return Covector(e) if isinstance(left, Covector) else self.join(e, left, right)

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
        return self.finite(self.join(find_quotients(e), left, right), node)

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
        return self.join(find_quotients(mul(a.expr, b.expr)), a, b)

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
            return Scalar(Const(math.fsum(a * b for a, b in zip(left.values, right.values, strict=True))))  # type: ignore[arg-type]
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
        return Scalar(mul(WIDTH, self.emitter.moment(self.stem, self.checked(mul(x, y), span), span)))

    # --- functions --------------------------------------------------------------------------------------------

    def coordinatewise(self, node: ast.Node, args: Sequence[ast.Expr], f) -> Value:  # noqa: ANN001
        values = [self.numeric(a) for a in args]
        if any(isinstance(v, Poison) for v in values):
            return POISON
        for v, a in zip(values, args, strict=True):
            if isinstance(v, Covector):
                raise Fault(faults.transposed_vector_alone(a.span))
        return self.finite(self.join(f(*(v.expr for v in values)), *values), node)  # type: ignore[union-attr]

    def conditional(self, node: ast.If) -> Value:
        used: list[Number] = []
        test = self.condition(node.test, used)
        then, other = self.numeric(node.value), self.numeric(node.other)
        if test is None or isinstance(then, Poison) or isinstance(other, Poison):
            return POISON
        for v, at in ((then, node.value), (other, node.other)):
            if isinstance(v, Covector):
                raise Fault(faults.transposed_vector_alone(at.span))
        if not test.free:
            self.constant_test(node)
        return self.join(cond(test, then.expr, other.expr), then, other, *used)

    def constant_test(self, node: ast.If) -> None:
        """Told of a test that has the same answer everywhere; overridden by the statement half."""

    def condition(self, node: ast.Condition, used: list[Number]) -> Expr | None:
        match node:
            case ast.Compare():
                left, right = self.numeric(node.left), self.numeric(node.right)
                if isinstance(left, Poison) or isinstance(right, Poison):
                    return None
                if isinstance(left, Covector) or isinstance(right, Covector):
                    raise Fault(faults.transposed_vector_alone(node.span))
                used += [left, right]
                return compare(node.op, left.expr, right.expr)
            case ast.Logic():
                a, b = self.condition(node.left, used), self.condition(node.right, used)
                return None if a is None or b is None else logic(node.op, a, b)
            case _:
                a = self.condition(node.operand, used)
                return None if a is None else logic("not", a)

    def derivative(self, node: ast.Derivative) -> Value:
        value = self.value(node.function)
        text = node.function.span.text
        match value:
            case Poison():
                return value
            case Builtin():
                if node.by:
                    raise Fault(faults.partial_of_builtin(node.span, text))
                if FUNCTIONS[value.name].arity[0] > 1:
                    raise Fault(faults.derivative_of_several(node.span, text, ("u", "v"), builtin=True))
                return Builtin(value.name, value.order + node.order)
            case FunctionValue():
                return FunctionValue(value.function, self.orders(value, node))
            case Inlined() | Mean():
                raise Fault(faults.derivative_of_inlined(node.span, text))
            case _:
                raise Fault(faults.derivative_of_value(node.span, text, kind_name(value)))

    def orders(self, value: FunctionValue, node: ast.Derivative) -> tuple[int, ...]:
        params = [str(p.name) for p in value.function.params]
        counts = list(value.orders)
        if not node.by:
            if len(params) != 1:
                raise Fault(faults.derivative_of_several(node.span, value.function.name, tuple(params)))
            counts[0] += node.order
            return tuple(counts)
        if len(node.by) != node.order:
            raise Fault(faults.partials_count(node.span, node.order, len(node.by)))
        for which in node.by:
            if which.name not in params:
                raise Fault(faults.partial_unknown(which.span, which.name, value.function.name, tuple(params)))
            counts[params.index(which.name)] += 1
        return tuple(counts)

    def application(self, node: ast.Apply) -> Value:
        callee = self.value(node.callee)
        text = node.callee.span.text
        match callee:
            case Poison():
                return callee
            case Mean():
                return self.mean(node)
            case Builtin():
                return self.builtin_call(node, callee)
            case FunctionValue():
                return self.function_call(node, callee)
            case Inlined():
                return self.expand(node, callee)
        if node.scalars or len(node.args) != 1:
            raise Fault(faults.not_a_function(node.callee.span, text, kind_name(callee)))
        if isinstance(callee, Vector):
            raise Fault(faults.vector_applied(node.span, text, node.args[0].span.text))
        return self.product(callee, self.value(node.args[0]), node.callee, node.args[0], node)

    def mean(self, node: ast.Apply) -> Value:
        if len(node.args) != 1 or node.scalars:
            raise Fault(faults.arity(node.span, "mean", "one argument", len(node.args) + len(node.scalars)))
        x = self.numeric(node.args[0])
        if isinstance(x, Poison):
            return x
        if isinstance(x, Covector):
            raise Fault(faults.transposed_vector_alone(node.args[0].span))
        if isinstance(x, Scalar):
            return x
        self.check_emitting(node)
        return Scalar(self.emitter.moment(self.stem, self.checked(x.expr, node.span), node.span))

    def builtin_call(self, node: ast.Apply, f: Builtin) -> Value:
        low, high = FUNCTIONS[f.name].arity
        count = len(node.args)
        if node.scalars or count < low or (high is not None and count > high):
            wanted = (
                f"{low} or more arguments"
                if high is None
                else f"{low} to {high} arguments"
                if low != high
                else faults.plural(low, "argument")
            )
            raise Fault(faults.arity(node.span, f.name, wanted, count + len(node.scalars)))
        if not f.order:
            return self.coordinatewise(node, node.args, lambda *a: call(f.name, *a))
        params = tuple(Sym(p) for p in ("u", "v", "w")[:count])
        function = Function(f.name, params, call(f.name, *params))
        orders = (f.order,) + (0,) * (count - 1)
        self.differentiable(function, orders, node)
        return self.coordinatewise(node, node.args, lambda *a: apply(function, a, orders))

    def differentiable(self, function: Function, orders: tuple[int, ...], node: ast.Node) -> None:
        from netsor.expr.functions import TooSingular
        from netsor.expr.unfold import derivative_body

        try:
            derivative_body(function, orders)
        except TooSingular:
            raise Fault(faults.too_singular(node.span, function.name, sum(orders))) from None

    def function_call(self, node: ast.Apply, f: FunctionValue) -> Value:
        function = f.function
        vectors, scalars = function.vectors, len(function.params) - function.vectors
        if len(node.args) != vectors or len(node.scalars) != scalars:
            raise Fault(
                faults.definition_arity(
                    node.span, function, len(node.args), len(node.scalars), self.scope_place(function.name)
                )
            )
        values = [self.numeric(a) for a in (*node.args, *node.scalars)]
        for v, a in zip(values, (*node.args, *node.scalars), strict=True):
            if isinstance(v, Covector):
                raise Fault(faults.transposed_vector_alone(a.span))
        for v, a in zip(values[vectors:], node.scalars, strict=True):
            if isinstance(v, Vector):
                raise Fault(faults.vector_in_scalar_slot(a.span, a.span.text, function))
        if any(isinstance(v, Poison) for v in values):
            return POISON
        if any(f.orders):
            self.differentiable(function, f.orders, node)
        e = apply(function, [v.expr for v in values], f.orders)  # type: ignore[union-attr]
        if all(isinstance(v, Scalar) and v.number is not None for v in values):
            from netsor.expr import canonical

            e = canonical(e)
        return self.finite(self.join(inlined_functions(e), *values), node)

    def scope_place(self, name: str) -> Span | None:
        return None

    def expand(self, node: ast.Apply, f: Inlined) -> Value:
        raise NotImplementedError

    # --- what needs an instruction ----------------------------------------------------------------------------

    def check_emitting(self, node: ast.Node) -> None:
        self.check_emitting_span(node.span)

    def check_emitting_span(self, span: Span) -> None:
        if self.pure:
            raise NeedsInstructions(span)

    def checked(self, e: Expr, span: Span) -> Expr:
        """An expression about to become an instruction: every factor in n must have a finite limit."""
        raise NotImplementedError


class NeedsInstructions(Exception):
    """A definition turned out to hold MATMUL or MOMENT, so it is no function of coordinates."""

    def __init__(self, span: Span):
        self.span = span

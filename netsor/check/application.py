"""Functions: their application, their derivatives, conditionals, and definitions that are expanded."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check import faults
from netsor.check.arithmetic import Arithmetic
from netsor.check.emitter import inlined_functions
from netsor.check.faults import Fault
from netsor.check.operands import Number
from netsor.check.values import (
    POISON,
    Builtin,
    Covector,
    FunctionValue,
    Inlined,
    Mean,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Span
from netsor.expr import (
    FUNCTIONS,
    Expr,
    Function,
    Sym,
    apply,
    call,
    canonical,
    compare,
    cond,
    logic,
)
from netsor.syntax import ast


class Application(Arithmetic):
    """What stands before a bracket is resolved by what its name is: a function is applied, a matrix multiplies."""

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
        return Scalar(self.emitter.moment(self.stem, self.checked(x.expr, node.span, True), node.span))

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
        return self.coordinatewise(node, node.args, lambda *a: self.at_numbers(apply(function, a, orders)))

    @staticmethod
    def at_numbers(e: Expr) -> Expr:
        """A function at numbers is a number, a derivative too."""
        return e if e.free else canonical(e)

    def differentiable(self, function: Function, orders: tuple[int, ...], node: ast.Node) -> None:
        from netsor.expr.differentiate import derivative_body
        from netsor.expr.functions import TooSingular

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
        e = self.at_numbers(apply(function, [v.expr for v in values], f.orders))  # type: ignore[union-attr]
        return self.finite(self.join(inlined_functions(e), *values), node)

    def scope_place(self, name: str) -> Span | None:
        return None

    def expand(self, node: ast.Apply, f: Inlined) -> Value:
        raise NotImplementedError

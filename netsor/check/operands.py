"""What names, indices and literals denote, and what the halves of the checker share about values."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from netsor.check import faults
from netsor.check.emitter import Emitter
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
    WIDTH,
    Const,
    Expr,
)
from netsor.expr.nodes import has_infinite_constant, size_beyond
from netsor.expr.rationals import as_float, rational, uncertainty
from netsor.syntax import ast

Number = Scalar | Vector | Covector


class Operands:
    """Names, indices and numbers known before running; what stands between them is in the classes built on this one."""

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
        """What an expression denotes; raises Fault. See `netsor.check.expressions`."""
        raise NotImplementedError

    def number(self, node: ast.Expr, what: str = "a number") -> float:
        """A number known before running: parameters, data, arithmetic of them."""
        value = self.value(node)
        if isinstance(value, Poison):
            raise Fault(None)
        if isinstance(value, Array) and not value.shape:
            return as_float(value.values)  # type: ignore[arg-type]
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
            return _entry(value.values)  # type: ignore[arg-type]
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
                None if name.lower() in self.scope.visible() else faults.foreign_name(span, name, self.is_vector)
            )
            if elsewhere is not None:
                return Fault(elsewhere)
            whole, index = faults.superscript(span)
            if index.isdigit() and self.scope.lookup(f"{name}{index}") is not None:
                return Fault(faults.unknown_name(whole, whole.text, f"{name}{index}", None))
        return Fault(faults.unknown_name(span, span.text.strip("() "), self.scope.like(name), later))

    def is_vector(self, name: str) -> bool:
        """Whether a name stands for a vector, or for a family of them, here."""
        value = self.scope.lookup(name)
        if isinstance(value, Family):
            value = next(iter(value.members.values()), None)
        return isinstance(value, Vector)

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
        dimension = base.dimension if isinstance(base, InputValue) else None
        raise Fault(faults.not_indexed(node.span, node.base.span.text, kind_name(base), dimension))

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
            return _entry(values)  # type: ignore[arg-type]
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
                items.append(as_float(self.number(item)))
                shapes.add(())
        if len(shapes) > 1:
            raise Fault(faults.ragged(node.span))
        return Array(tuple(items), (len(items), *(shapes.pop() if shapes else ())))

    def range(self, node: ast.Range) -> range:
        low, high = self.integer(node.low, "the start of a range"), self.integer(node.high, "the end of a range")
        if high - low >= sys.maxsize:
            # Python has no length for such a range, and no program has room for it.
            raise Fault(faults.too_long(node.span, high - low + 1, "members in one range"))
        return range(low, high + 1)

    def block(self):  # noqa: ANN201 - a context manager, provided by the statement half
        raise NotImplementedError

    # --- numbers that are made ---------------------------------------------------------------------------------

    def note(self, diagnostic: Diagnostic) -> None:
        """Told of a warning; overridden by the statement half."""

    def finite(self, made: Number, node: ast.Node) -> Number:
        """A constant must be a finite number, told where it is made rather than where it is used."""
        if isinstance(made, Scalar) and not made.expr.free and made.number is None:
            raise Fault((faults.no_value if size_beyond(made.expr) is None else faults.too_large)(node.span))
        if has_infinite_constant(made.expr):
            raise Fault(faults.too_large(node.span))
        return made

    @staticmethod
    def join(e: Expr, *parts: Value) -> Scalar | Vector:
        return Vector(e) if any(isinstance(p, Vector) for p in parts) else Scalar(e)

    # --- what needs an instruction ----------------------------------------------------------------------------

    def check_emitting(self, node: ast.Node) -> None:
        self.check_emitting_span(node.span)

    def check_emitting_span(self, span: Span) -> None:
        if self.pure:
            raise NeedsInstructions(span)

    def checked(self, e: Expr, span: Span, averaged: bool = False) -> Expr:
        """An expression about to become an instruction: every factor in n must have a finite limit.

        `averaged` tells a MOMENT, whose mean over coordinates may be of a lower order than they are.
        """
        raise NotImplementedError


def _entry(x: float) -> Scalar:
    """A number of data as a constant."""
    return Scalar(Const(float(x)), None if uncertainty(x) else rational(x))


class NeedsInstructions(Exception):
    """A definition turned out to hold MATMUL or MOMENT, so it is no function of coordinates."""

    def __init__(self, span: Span):
        self.span = span

"""Declarations: parameters, data, and the sets 𝒲, 𝒱, 𝒞 with their laws (Setup B.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from netsor.check import faults
from netsor.check.covariance import verify_covariance
from netsor.check.expressions import Expressions
from netsor.check.faults import Fault
from netsor.check.scope import Indices, core_name
from netsor.check.values import (
    POISON,
    Array,
    InputMatrixValue,
    InputValue,
    MatrixValue,
    Numbers,
    Poison,
    Scalar,
    Value,
    Vector,
)
from netsor.core import Constant, Data, Embedding, Group, InputMatrix, Matrix, NetworkInput
from netsor.core.program import DataRef, InputRef
from netsor.diagnostics import Collector, Span
from netsor.expr import WIDTH, Const, Expr, Sym, mul, substitute
from netsor.expr.asymptotics import Diverges, width_limit
from netsor.expr.rationals import as_float, number, rational, uncertainty
from netsor.syntax import ast

# More members than this is no program that a person meant.
MOST_INSTRUCTIONS = 1_000_000


class Declarations(Expressions):
    """The part of the checker that fills the initial sets."""

    def __init__(self, settings: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        from netsor.check.emitter import Emitter

        super().__init__(Emitter())
        self.settings = settings
        self.given_data = data
        self.report = Collector()
        self.matrices: list[Matrix] = []
        self.input_matrices: list[InputMatrix] = []
        self.groups = self.emitter.groups
        self.embeddings: list[Embedding] = []
        self.constants: list[Constant] = []
        self.data: list[Data] = []
        self.inputs: list[NetworkInput] = []
        self.columns: dict[str, int] = {}
        self.constant_values: dict[Sym, Expr] = {}
        # Scalars that depend on n alone.
        self.moving: set[Sym] = set()
        self._embedded: dict[tuple[str, DataRef | InputRef], str] = {}

    def bind(self, name: str, indices: Indices, value: Value, span: Span) -> str:
        raise NotImplementedError

    # --- constants --------------------------------------------------------------------------------------------

    def param(self, node: ast.Param) -> None:
        name = node.name.name
        if name in self.settings:
            value: int | float = self.settings[name]
        else:
            value = self.number(node.value, "a parameter")
        if not math.isfinite(value):
            raise Fault(faults.no_value(node.value.span))
        exact = None if uncertainty(value) else rational(value)
        self.bind(name, (), Scalar(Const(value), exact), node.name.span)

    def data_line(self, node: ast.Data) -> None:
        name = node.name.name
        shape = tuple(self.integer(s, "a length") for s in node.shape)
        if name in self.given_data:
            values, got = self.given_data[name]
            values, got = _flattened(values, got, shape)
            where = None
        elif node.value is None:
            raise Fault(faults.data_missing(node.name.span, name, shape))
        else:
            array = self.value(node.value)
            if isinstance(array, Poison):
                raise Fault(None)
            if isinstance(array, Scalar):
                array = Array(as_float(self.number(node.value)), ())
            if not isinstance(array, Array):
                raise Fault(faults.not_constant(node.value.span, "data", "no list of numbers"))
            values, got, where = array.values, array.shape, node.value.span
        if shape and tuple(got) != shape:
            raise Fault(faults.wrong_shape(where or node.name.span, f"`{name}`", shape, got))
        self.check_finite(values, name, where or node.name.span)
        self.data.append(Data(name, tuple(got), values, node.span))  # type: ignore[arg-type]
        self.bind(name, (), Array(values, tuple(got), None, name), node.name.span)

    def check_finite(self, values: Numbers, name: str, span: Span) -> None:
        stack: list[tuple[Numbers, Indices]] = [(values, ())]
        while stack:
            item, index = stack.pop()
            if isinstance(item, tuple):
                stack.extend((v, (*index, i + 1)) for i, v in reversed(list(enumerate(item))))
            elif not math.isfinite(item):
                raise Fault(faults.not_finite(span, f"`{name}`", core_name(name, index), float(item)))

    def scalar(self, node: ast.ScalarDecl) -> None:
        indices = self.indices(node.target)
        name = core_name(node.target.name, indices)
        value = self.numeric(node.value)
        if isinstance(value, Poison):
            raise Fault(None)
        if not isinstance(value, Scalar):
            raise Fault(faults.constant_not_constant(node.value.span, name, node.value.span.text))
        e = substitute(value.expr, self.constant_values)
        if not e.free <= {WIDTH}:
            raise Fault(faults.constant_not_constant(node.value.span, name, node.value.span.text))
        try:
            limit = width_limit(e)
        except Diverges as d:
            if d.grows:
                raise Fault(faults.constant_diverges(node.value.span, name, node.value.span.text, d.rate)) from None
            raise Fault(faults.no_limit(node.value.span, node.value.span.text, d.rate, d.known)) from None
        if not math.isfinite(limit):
            raise Fault(faults.no_value(node.value.span))
        core = self.bind(node.target.name, indices, Scalar(Sym(name)), node.target.span)
        self.constants.append(Constant(core, e, limit, node.span))
        self.constant_values[Sym(core)] = e
        if e.free:
            self.moving.add(Sym(core))

    # --- 𝒲 ----------------------------------------------------------------------------------------------------

    def matrix(self, node: ast.MatrixDecl) -> None:
        columns = self.matrix_columns(node)
        first = node.declarators[0].name
        variance = self.entry_variance(node, first, columns)
        for d in node.declarators:
            for indices in self.members(d):
                name = core_name(d.name, indices)
                if columns is None:
                    core = self.bind(d.name, indices, MatrixValue(name), d.span)
                    self.matrices.append(Matrix(core, variance, node.span))
                else:
                    core = self.bind(d.name, indices, InputMatrixValue(name), d.span)
                    self.input_matrices.append(InputMatrix(core, columns, variance, node.span))
                    self.columns[core] = columns

    def matrix_columns(self, node: ast.MatrixDecl) -> int | None:
        """The number d of columns of an n×d matrix; None for n×n."""
        if node.shape is None:
            return None
        name = node.declarators[0].name
        is_width = [isinstance(s, ast.Name) and s.name == "n" for s in node.shape]
        if len(node.shape) != 2 or not is_width[0]:
            raise Fault(faults.matrix_shape(node.shape[0].span.to(node.shape[-1].span), name))
        if is_width[1]:
            return None
        columns = self.integer(node.shape[1], "the number of columns")
        if columns < 1:
            raise Fault(faults.matrix_shape(node.shape[1].span, name))
        return columns

    def entry_variance(self, node: ast.MatrixDecl, name: str, columns: int | None) -> float:
        if node.law is None:
            return 1.0 if columns is None else 1.0 / columns
        if self.number(node.law.mean, "the mean") != 0:
            raise Fault(faults.matrix_mean(node.law.mean.span, name))
        value = self.numeric(node.law.covariance)
        at = node.law.covariance.span
        if isinstance(value, Poison):
            raise Fault(None)
        scaled = mul(WIDTH, value.expr) if columns is None else value.expr
        if isinstance(value, Scalar) and not isinstance(scaled, Const):
            # 2/n + 3/n is of the form c/n too: decide by what n times it is, not by how it is written.
            constant = self.width_free(substitute(scaled, self.constant_values))
            scaled = scaled if constant is None else constant
        if not isinstance(value, Scalar) or not isinstance(scaled, Const):
            make = faults.matrix_variance if columns is None else faults.input_variance
            raise Fault(make(at, name, at.text))
        if scaled.value < 0:
            raise Fault(faults.negative_variance(at, name, scaled.value))
        return float(scaled.value)

    @staticmethod
    def width_free(e: Expr) -> Const | None:
        from netsor.expr import evaluate

        if not e.free <= {WIDTH}:
            return None
        values = [evaluate(e, {WIDTH: n}) for n in (7.0, 1024.0, 1e6 + 3)]
        same = all(math.isfinite(v) and abs(v - values[0]) <= 1e-13 * abs(values[0]) for v in values)
        return Const(values[0]) if same else None

    # --- 𝒱 ----------------------------------------------------------------------------------------------------

    def vector(self, node: ast.VectorDecl) -> None:
        named = [(d, indices) for d in node.declarators for indices in self.members(d)]
        if node.law is None:
            raise Fault(faults.law_missing(node.span, node.declarators[0].name))
        names = [core_name(d.name, indices) for d, indices in named]
        if not names:
            return
        mean = self.group_mean(node.law.mean, len(names))
        covariance = self.group_covariance(node.law.covariance, names)
        bound = tuple(self.bind(d.name, i, Vector(Sym(core_name(d.name, i))), d.span) for d, i in named)
        self.emitter.vectors.update(bound)
        if isinstance(covariance, float):
            self.groups.extend(Group((name,), (mean[i],), ((covariance,),), node.span) for i, name in enumerate(bound))
        else:
            self.groups.append(Group(bound, mean, covariance, node.span))

    def group_mean(self, node: ast.Expr, count: int) -> tuple[float, ...]:
        value = self.value(node)
        if isinstance(value, Array) and value.shape:
            if value.shape != (count,):
                raise Fault(faults.group_mean(node.span, count, value.shape))
            self.check_finite(value.values, value.name or "the mean", node.span)
            return tuple(as_float(x) for x in value.values)  # type: ignore[union-attr]
        return (as_float(self.number(node, "the mean")),) * count

    def group_covariance(self, node: ast.Expr, names: list[str]) -> float | tuple[tuple[float, ...], ...]:
        value = self.value(node)
        if not isinstance(value, Array) or not value.shape:
            if isinstance(value, Scalar) and WIDTH in value.expr.free:
                raise Fault(
                    faults.not_constant(node.span, "the variance of a vector's coordinates", "an expression in n")
                )
            variance = as_float(self.number(node, "a variance"))
            if variance < 0:
                raise Fault(faults.negative_variance(node.span, names[0], variance))
            return variance
        if value.shape != (len(names), len(names)):
            raise Fault(faults.group_covariance(node.span, len(names), value.shape))
        self.check_finite(value.values, value.name or "the covariance", node.span)
        fault = verify_covariance(names, value.values, node.span)  # type: ignore[arg-type]
        if fault:
            raise Fault(fault)
        k = value.values
        # Symmetric to the last digit from here on.
        return tuple(
            tuple(
                max(as_float(k[i][i]), 0.0) if i == j else _middle(k[i][j], k[j][i])  # type: ignore[index]
                for j in range(len(names))
            )
            for i in range(len(names))
        )

    def members(self, d: ast.Declarator) -> list[Indices]:
        """The indices that a declarator declares; [()] where it has none."""
        if not d.indices:
            return [()]
        axes = [self.range(i) if isinstance(i, ast.Range) else [self.integer(i, "an index")] for i in d.indices]
        count = math.prod(len(a) for a in axes)
        if count > MOST_INSTRUCTIONS:
            raise Fault(faults.too_long(d.span, count, "members in one family"))
        return list(itertools.product(*axes))

    def indices(self, target: ast.Target) -> Indices:
        return tuple(self.integer(i, "an index") for i in target.indices)

    # --- data and inputs through an n×d matrix ------------------------------------------------------------------

    def embed(self, u: InputMatrixValue, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
        columns = self.columns[u.name]
        ref: DataRef | InputRef
        match right:
            case Poison():
                return POISON
            case InputValue():
                if right.dimension != columns:
                    raise Fault(faults.row_length(node.span, u.name, columns, rn.span.text, right.dimension))
                ref = right.ref
            case Array() if right.shape:
                if len(right.shape) != 1:
                    raise Fault(faults.not_a_row(node.span, u.name, rn.span.text, right.shape))
                if right.shape[0] != columns:
                    raise Fault(faults.row_length(node.span, u.name, columns, rn.span.text, right.shape[0]))
                if not right.name:
                    raise Fault(faults.nameless_row(rn.span))
                ref = right.ref or DataRef(right.name, ())
            case MatrixValue() | InputMatrixValue():
                raise Fault(faults.matrix_alone(node.span))
            case _:
                raise Fault(faults.input_on_vector(node.span, ln.span.text, rn.span.text, columns))
        self.check_emitting(node)
        key = (u.name, ref)
        if key not in self._embedded:
            name = self.emitter.fresh(self.stem)
            self.emitter.vectors.add(name)
            self.embeddings.append(Embedding(name, u.name, ref, node.span))
            self._embedded[key] = name
        return Vector(Sym(self._embedded[key]))

    def name_embedding(self, old: str, new: str, span: Span, mark: int) -> bool:
        """Give the unnamed U ξ that a line consists of the line's own name; one of an earlier line is made again."""
        e = next((e for e in self.embeddings if e.name == old), None)
        if e is None:
            return False
        if self.embeddings[-1] is e and len(self.embeddings) > mark:
            self.embeddings.pop()
            del self._embedded[(e.matrix, e.source)]
            self.emitter.forget((old,))
        self.embeddings.append(Embedding(new, e.matrix, e.source, span))
        self.emitter.vectors.add(new)
        return True

    def network_inputs(self, header: ast.NetworkHeader) -> None:
        for item in header.inputs:
            dimension = self.integer(item.dimension, "the dimension of an input")
            if dimension < 1:
                raise Fault(faults.input_dimension(item.dimension.span, item.name, dimension))
            if not item.ranges:
                self.inputs.append(NetworkInput(item.name, dimension, None, item.span))
                self.bind(item.name, (), InputValue(InputRef(item.name), dimension), item.span)
                continue
            axes = [self.range(r) for r in item.ranges]
            if len(axes) > 1:
                raise Fault(
                    faults.wrong_shape(item.span, f"`{item.name}`", (1,), (len(axes),), "use one range: `ξ[1..T] : d`")
                )
            if not axes[0]:
                raise Fault(faults.no_inputs(item.span, item.name))
            self.inputs.append(NetworkInput(item.name, dimension, tuple(axes[0]), item.span))
            for i in axes[0]:
                self.bind(item.name, (i,), InputValue(InputRef(item.name, i), dimension), item.span)


def _middle(a: float, b: float) -> float:
    if rational(a) == rational(b):
        return as_float(a)
    return as_float(number((rational(a) + rational(b)) / 2))


def _flattened(values: Numbers, got: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[Numbers, tuple[int, ...]]:
    """A table of one row or one column, as a .csv file has it, where the program asks for a list."""
    if len(wanted) == 1 and len(got) == 2 and 1 in got:
        flat = tuple(x for row in values for x in row)  # type: ignore[union-attr]
        return flat, (len(flat),)
    return values, got

"""Two things side by side: MATMUL, data through an n×d matrix, inner products, scaling. What they are decides which."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from netsor.check.arithmetic import Matrix, scale
from netsor.check.columns import column_of
from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.names import unused
from netsor.check.operands import as_number, check_emitting, finite, named
from netsor.check.values import (
    POISON,
    Array,
    Builtin,
    Covector,
    DecoderValue,
    Family,
    FunctionValue,
    Inlined,
    InputMatrixValue,
    InputValue,
    MatrixValue,
    Poison,
    Scalar,
    Special,
    Value,
    Vector,
    kind_name,
)
from netsor.check.width import checked
from netsor.core import DataRef, Embedding, InputRef
from netsor.diagnostics import Span
from netsor.diagnostics.catalogue import declarations, kinds
from netsor.expr import ONE, WIDTH, Const, Expr, Sym, mul, rationals
from netsor.syntax import ast


async def juxtapose(ctx: Context, node: ast.Juxtapose | ast.MatMul) -> Value:
    try:
        left = await ctx.value(node.left)
    except Fault as fault:
        parts = _applied_terms(ctx, node.left, node.right.span.text)
        if fault.diagnostic is None or not parts:
            raise
        raise Fault(kinds.matrix_sum(fault.diagnostic, node.span, parts)) from None
    return product(ctx, left, await ctx.value(node.right), node.left, node.right, node)


def _applied_terms(ctx: Context, node: ast.Expr, x: str) -> list[tuple[str, str]]:
    """The signed terms of a sum of matrices, each applied to x; none where a term is something else."""
    out: list[tuple[str, str]] = []
    stack: list[tuple[str, ast.Expr]] = [("+", node)]
    while stack:
        sign, term = stack.pop()
        if isinstance(term, ast.Binary) and term.op in "+-":
            other = "-" if (sign == "-") != (term.op == "-") else "+"
            stack += [(other, term.right), (sign, term.left)]
            continue
        names = {part.name for part in ast.walk(term) if isinstance(part, ast.Name)}
        values = [ctx.names.scope.lookup(name) for name in names]
        if names & {"I", "Id", "eye"} and not any(isinstance(v, Matrix) for v in values):
            text = re.sub(r"\b(?:Id?|eye)\b(?:\s*\(\s*n\s*\))?", x, term.span.text)
        elif any(isinstance(v, (Family, *Matrix)) for v in values) and not any(isinstance(v, Vector) for v in values):
            text = _applied(term, x)
        else:
            return []
        out.append((sign, text))
    return out if len(out) > 1 else []


def _applied(term: ast.Expr, x: str) -> str:
    """A multiple of a matrix, applied to x."""
    if isinstance(term, ast.Binary) and term.op == "/":
        return f"({_applied(term.left, x)}) / {term.right.span.text}"
    return f"{term.span.text} {x}"


def product(ctx: Context, left: Value, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
    """What stands side by side; a vector by a vector is nothing. `ln` and `rn` are where the two stand."""
    if isinstance(left, Poison) or isinstance(right, Poison):
        return POISON
    match left:
        case MatrixValue():
            return _matmul(ctx, left, right, ln, rn, node)
        case InputMatrixValue():
            return _embed(ctx, left, right, ln, rn, node)
        case Covector():
            return _row_by(ctx, left, right, ln, rn, node)
        case Array() if left.shape and isinstance(right, InputMatrixValue):
            raise Fault(kinds.row_by_matrix(node.span, ln.span, rn.span))
        case Array() if left.shape:
            raise Fault(kinds.data_product(node.span, ln.span, rn.span, kind_name(right)))
        case FunctionValue() | Builtin() | Inlined() | Special():
            raise Fault(kinds.function_needs_brackets(node.span, ln.span, rn.span))
    a = as_number(left, ln)
    if isinstance(node, ast.MatMul):
        of_vectors, of_matrix = isinstance(right, Vector), isinstance(right, MatrixValue)
        raise Fault(kinds.at_needs_matrix(node.span, ln.span, rn.span, kind_name(a), of_vectors, of_matrix))
    if isinstance(right, Matrix):
        if isinstance(left, Vector) and isinstance(right, MatrixValue):
            raise Fault(kinds.vector_by_matrix(node.span, ln.span, rn.span))
        raise Fault(kinds.scaled_matrix(node.span, ln.span.text, rn.span.text))
    b = as_number(right, rn)
    if isinstance(a, Vector) and isinstance(b, Vector):
        raise Fault(kinds.vector_by_vector(node.span, ln.span, rn.span))
    if isinstance(a, Vector) and isinstance(b, Covector):
        raise Fault(kinds.outer_product(node.span))
    assert not isinstance(a, Poison)
    return scale(a, b, node)


def _matmul(ctx: Context, w: MatrixValue, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
    """W x (Def. 4.1)."""
    if isinstance(right, Matrix):
        raise Fault(kinds.matrix_alone(node.span))
    if isinstance(right, (Array, InputValue)):
        plain = ln.operand if isinstance(ln, ast.Transpose) else ln
        length = right.dimension if isinstance(right, InputValue) else (*right.shape, 3)[0]
        place = ctx.names.first_place.get(w.name)
        fitting = [m.name for m in ctx.draft.input_matrices if m.columns == length]
        raise Fault(kinds.square_on_data(node.span, ln.span, rn.span.text, plain.span.text, length, place, fitting))
    match as_number(right, rn):
        case Scalar():
            raise Fault(kinds.matrix_on_scalar(node.span, ln.span.text, rn.span.text))
        case Covector():
            raise Fault(kinds.matrix_on_covector(node.span, ln.span.text, rn.span))
        case Vector() as x:
            check_emitting(ctx, node.span)
            operand = checked(ctx, x.expr, rn.span)
            return Vector(ctx.emitter.matmul(ctx.stem, w.name, w.transposed, operand, node.span, rn.span))
    return POISON


def _row_by(ctx: Context, x: Covector, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
    """xᵀ y, and xᵀ scaled from the right."""
    if isinstance(right, Matrix):
        raise Fault(kinds.covector_by_matrix(node.span, ln.span, rn.span))
    a = as_number(right, rn)
    if isinstance(a, Vector):
        return _inner_product(ctx, x.expr, a.expr, node.span)
    if isinstance(a, Poison):
        return a
    if isinstance(a, Scalar) and not isinstance(node, ast.MatMul):
        return scale(x, a, node)
    raise Fault(kinds.transposed_vector_alone(node.span))


def _embed(ctx: Context, u: InputMatrixValue, right: Value, ln: ast.Expr, rn: ast.Expr, node: ast.Node) -> Value:
    """U ξ, a member of 𝒱 (Setup B.2); the same row is embedded once."""
    ref: DataRef | InputRef
    match right:
        case InputValue():
            _check_length(ctx, u, right.dimension, rn, node)
            ref = right.ref
        case Array() if right.shape:
            if len(right.shape) != 1:
                raise Fault(declarations.not_a_row(node.span, u.name, rn.span, right.shape))
            _check_length(ctx, u, right.shape[0], rn, node)
            if not right.name:
                raise Fault(declarations.nameless_row(rn.span, unused(ctx, "X"), right.shape))
            ref = right.ref or DataRef(right.name, ())
        case MatrixValue() | InputMatrixValue():
            raise Fault(kinds.matrix_alone(node.span))
        case _:
            raise Fault(kinds.input_on_vector(node.span, ln.span.text, rn.span.text, ctx.draft.columns[u.name]))
    check_emitting(ctx, node.span)
    known = ctx.draft.embedded
    key = (u.name, ref)
    if key not in known:
        known[key] = ctx.emitter.fresh(ctx.stem)
        ctx.emitter.vectors.add(known[key])
        ctx.draft.embeddings.append(Embedding(known[key], u.name, ref, node.span))
    return Vector(Sym(known[key]))


def _check_length(ctx: Context, u: InputMatrixValue, length: int, rn: ast.Expr, node: ast.Node) -> None:
    """Raises Fault where a row is not as long as an n×d matrix has columns."""
    columns = ctx.draft.columns[u.name]
    if length != columns:
        place = next((m.span for m in ctx.draft.input_matrices if m.name == u.name), None)
        raise Fault(declarations.row_length(node.span, u.name, columns, rn.span.text, length, place))


async def transpose(ctx: Context, node: ast.Transpose) -> Value:
    value = await ctx.value(node.operand)
    text = node.operand.span.text
    match value:
        case MatrixValue():
            return MatrixValue(value.name, not value.transposed)
        case InputMatrixValue() | DecoderValue():
            if ctx.column is None:
                raise Fault(kinds.input_matrix_transposed(node.span, text))
            return column_of(ctx, value, node.span)
        case Array() if len(value.shape) == 1:
            return value
        case Vector():
            return Covector(value.expr)
        case Covector():
            return Vector(value.expr)
        case Poison():
            return value
        case Scalar():
            raise Fault(kinds.scalar_transposed(node.span, text))
    shape = value.shape if isinstance(value, Array) else ()
    raise Fault(kinds.wrong_kind(node.operand.span, kind_name(value), "a vector or a matrix", shape))


async def inner(ctx: Context, node: ast.Inner) -> Value:
    """⟨x, y⟩ of vectors, or of two rows of data."""
    left, right = await ctx.value(node.left), await ctx.value(node.right)
    if isinstance(left, Array) and isinstance(right, Array):
        return _of_rows(ctx, left, right, node)
    a, b = as_number(left, node.left), as_number(right, node.right)
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if isinstance(a, Vector) and (isinstance(b, Vector) or b.expr is ONE and isinstance(b, Scalar)):
        return _inner_product(ctx, a.expr, b.expr, node.span)  # ⟨x, 1⟩ is Σ_α x_α
    wrong, at = (a, node.left) if not isinstance(a, Vector) else (b, node.right)
    raise Fault(kinds.wrong_kind(at.span, kind_name(wrong), "a vector"))


def _of_rows(ctx: Context, left: Array, right: Array, node: ast.Inner) -> Value:
    if len(left.shape) != 1 or left.shape != right.shape:
        raise Fault(declarations.inner_shapes(node.span, left.shape, right.shape))
    assert isinstance(left.values, tuple) and isinstance(right.values, tuple)
    pairs: list[tuple[float, float]] = list(zip(left.values, right.values, strict=True))
    products = [a * b for a, b in pairs]
    total = math.fsum(products) if all(map(math.isfinite, products)) else math.nan
    made = Scalar(Const(total))
    if math.isfinite(total) and not any(rationals.uncertainty(x) for pair in pairs for x in pair):
        made = made.exactly(sum((rationals.rational(a) * rationals.rational(b) for a, b in pairs), Fraction(0)))
    checked_sum = finite(made, node)
    refs = [a.ref or DataRef(a.name, ()) for a in (left, right) if a.name]
    return named(ctx, checked_sum, *refs) if len(refs) == 2 else checked_sum


def _inner_product(ctx: Context, x: Expr, y: Expr, span: Span) -> Scalar:
    """xᵀ y = n · (1/n) Σ x y: a MOMENT, and the factor n that a division has to meet."""
    check_emitting(ctx, span)
    return Scalar(mul(WIDTH, ctx.emitter.moment(ctx.stem, checked(ctx, mul(x, y), span, True), span)))

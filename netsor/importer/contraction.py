"""Products of tensors with a sum over common axes: all of linear, matmul, einsum and convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import ROW, Axis, Digit, Tensor, aligned, filled, is_width
from netsor.importer.terms import INPUT, NIL, VECTOR, Entry, Term, add, columns_of, dot, matmul, met, mul, num


def matrix_parts(e: Entry) -> tuple[Entry, Entry]:
    """A scaled matrix as its factor and the matrix."""
    if e.term.op == "prod":
        *factors, matrix = e.term.args
        return mul(*(Entry(f) for f in factors)), Entry(matrix, e.power)
    return num(1.0), e


def along_width(a: Entry, b: Entry, label_a: str, label_b: str) -> Entry:
    """Σ over the width of a and b: a matrix times a vector, or an inner product."""
    if a.is_zero or b.is_zero:
        return NIL
    if a.kind == MATRIX and b.kind == MATRIX:
        raise Refusal(
            "two matrices are multiplied with each other before they meet a vector",
            "a product of matrices alone is not a variable of a network",
            hint="multiply from the right: A @ (B @ x)",
        )
    if a.kind == MATRIX or b.kind == MATRIX:
        (m, label), x = ((a, label_a), b) if a.kind == MATRIX else ((b, label_b), a)
        factor, matrix = matrix_parts(m)
        if x.kind != VECTOR:
            x = mul(x, Entry(Term("ones", kind=VECTOR)))
        return mul(factor, matmul(matrix, label == ROW, x))
    return dot(a, b)


def contract(a: Tensor, axes_a: Sequence[str], b: Tensor, axes_b: Sequence[str], out: Sequence[str]) -> Tensor:
    """Σ a b over the labels that are not in `out`, as in einsum."""
    common = [x for x in axes_a if x in axes_b]
    left, right = _matched(a, list(axes_a), b, list(axes_b), common)
    digits: dict[str, Axis] = {}
    labels: dict[tuple[int, str], str] = {}
    for which, (t, names) in enumerate(((left, axes_a), (right, axes_b))):
        for axis, name in zip(t.axes, names):
            if name not in digits or len(axis) > len(digits[name]) or any(map(is_width, axis)):
                digits[name] = axis
            for d in axis:
                if isinstance(d, str):
                    labels[which, name] = d
    summed = [x for x in digits if x not in out]
    for name in summed:
        both = [(k, name) in labels for k in (0, 1)]
        present = [name in axes_a, name in axes_b]
        if any(both) and not all(b or not p for b, p in zip(both, present)):
            raise Refusal("a sum runs over the width of one tensor and a finite axis of another")
    wide = [name for name in summed if any((k, name) in labels for k in (0, 1))]
    if len(wide) > 1:
        raise Refusal("a sum runs over two axes of the width at once")
    free = [name for name in out if any((k, name) in labels for k in (0, 1))]
    if len(free) > 1:
        raise Refusal(
            "a tensor with two axes along the width is made (an outer product, or a product of matrices)",
            "an activation has one axis along the width",
            hint="change the order of the products, as (q·k) v in the place of q (kᵀ v)",
        )
    order = [*out, *summed]
    arrays = []
    for t, names in ((left, list(axes_a)), (right, list(axes_b))):
        moved = t.permuted([names.index(x) for x in order if x in names])
        shape: list[int] = []
        for x in order:
            size = [int(d) for d in digits[x] if not is_width(d)]
            shape += size if x in names else [1] * len(size)
        arrays.append(moved.entries.reshape(shape))
    out_shape = [int(d) for x in out for d in digits[x] if not is_width(d)]
    sum_shape = [int(d) for x in summed for d in digits[x] if not is_width(d)]
    full = (*out_shape, *sum_shape)
    rows = [np.broadcast_to(x, full).reshape(math.prod(out_shape), math.prod(sum_shape)) for x in arrays]
    label_a, label_b = (labels.get((k, wide[0]), ROW) if wide else ROW for k in (0, 1))

    def total(p: list[Entry], q: list[Entry]) -> Entry:
        return add(*(along_width(x, y, label_a, label_b) for x, y in zip(p, q))) if wide else sum_of_products(p, q)

    entries = filled(out_shape, (total(p.tolist(), q.tolist()) for p, q in zip(*rows)))
    axes = tuple(tuple(ROW if is_width(d) else d for d in digits[x]) for x in out)
    return Tensor(axes, entries)


def sum_of_products(one: Sequence[Entry], two: Sequence[Entry]) -> Entry:
    """Σ_k one_k two_k; of numbers of the inputs and columns of a parameter it is one term."""
    for forms, weights in ((one, two), (two, one)):
        if any(e.kind == INPUT for e in forms):
            columns = met(forms, weights)
            if columns is not None:
                return columns_of(*columns)
    return add(*map(_product, one, two))


def _product(x: Entry, y: Entry) -> Entry:
    if MATRIX in (x.kind, y.kind) and not (x.number is not None or y.number is not None):
        raise Refusal("a matrix is multiplied by something that is not a number, entry by entry")
    if MATRIX in (x.kind, y.kind):
        return scaled_matrix(x, y)
    return mul(x, y)


def scaled_matrix(x: Entry, y: Entry) -> Entry:
    """A number times a matrix."""
    factor, matrix = (x, y) if y.kind == MATRIX else (y, x)
    inner, matrix = matrix_parts(matrix)
    number = mul(factor, inner).number
    assert number is not None
    if number.c == 1.0:
        return Entry(matrix.term, matrix.power + number.p)
    return Entry(Term("prod", (num(number.c).term, matrix.term), kind=MATRIX), matrix.power + number.p)


def _matched(a: Tensor, axes_a: list[str], b: Tensor, axes_b: list[str], common: list[str]) -> tuple[Tensor, Tensor]:
    """Both tensors with the same digits on their common axes."""
    left, right = a, b
    for name in common:
        i, j = axes_a.index(name), axes_b.index(name)
        one, two = left.axes[i], right.axes[j]
        plain = [tuple(ROW if is_width(d) else d for d in x) for x in (one, two)]
        if plain[0] == plain[1]:
            continue
        left, right = with_layout(left, i, right.axes[j]), with_layout(right, j, left.axes[i])
        one, two = left.axes[i], right.axes[j]
        plain = [tuple(ROW if is_width(d) else d for d in x) for x in (one, two)]
        fits = [Tensor((x,), np.empty([int(d) for d in x if not is_width(d)], dtype=object)) for x in plain]
        _, (axis,) = aligned(fits)
        left, right = (_with_digits(t, k, axis) for t, k in ((left, i), (right, j)))
    return left, right


def with_layout(t: Tensor, i: int, other: Axis) -> Tensor:
    """A parameter with its axis laid out as the other one: units outermost, where a tensor was flattened behind them.

    The entries of a parameter are iid, so that blocks may be every c-th row as well as c parts of it.
    """
    axis = t.axes[i]
    label = next((d for d in axis if is_width(d)), None)
    place = next((k for k, d in enumerate(other) if is_width(d)), None)
    if label is None or place is None or place == len(other) - 1 or len(axis) != 2 or is_width(axis[0]):
        return t
    outer, inner = [int(d) for d in other[:place]], [int(d) for d in other[place + 1 :]]
    arrays = {e.term.value[0] for e in t.entries.flat if e.term.op == "var"}
    p = next(iter(arrays)).parameter if len(arrays) == 1 else None
    if p is None or math.prod([*outer, *inner]) != axis[0] or len(p.laws.distinct) > 1:
        return t
    p.interleave(0 if label == ROW else 1, math.prod(inner))
    axes = (*t.axes[:i], (*outer, label, *inner), *t.axes[i + 1 :])
    return Tensor(axes, t.entries.reshape([int(d) for x in axes for d in x if not is_width(d)]))


def _with_digits(t: Tensor, i: int, digits: Axis) -> Tensor:
    label = next((d for d in t.axes[i] if is_width(d)), None)
    size = t.size(i)
    if size.c == 1 and not size.width:
        return t
    axis: tuple[Digit, ...] = tuple(label if is_width(d) and label else d for d in digits)
    axis = tuple(d for d in axis if not is_width(d) or label)
    axes = (*t.axes[:i], axis, *t.axes[i + 1 :])
    return Tensor(axes, t.entries.reshape([int(d) for x in axes for d in x if not is_width(d)]))

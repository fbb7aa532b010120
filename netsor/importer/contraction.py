"""Products of tensors with a sum over common axes: all of linear, matmul, einsum and convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.importer.operators import ONES, act, outer, product_of, scaled, sum_of, transposed
from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import COLUMN, ROW, Axis, Digit, Tensor, aligned, filled, is_width
from netsor.importer.terms import INPUT, NIL, VECTOR, Entry, add, columns_of, dot, met, mul


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
    if len(free) > 2:
        raise Refusal("a tensor with three axes along the width is made", "an activation has one axis along the width")
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
    widths = _Widths(free, wide, labels)

    def total(p: list[Entry], q: list[Entry]) -> Entry:
        if not wide and len(free) < 2:
            return sum_of_products(p, q)
        parts = [widths.product(x, y) for x, y in zip(p, q)]
        return sum_of(parts) if len(free) == 2 else add(*parts)

    entries = filled(out_shape, (total(p.tolist(), q.tolist()) for p, q in zip(*rows)))
    named = dict(zip(free, (ROW, COLUMN)))
    axes = tuple(tuple(named[x] if is_width(d) else d for d in digits[x]) for x in out)
    return Tensor(axes, entries)


@dataclass(frozen=True)
class _Widths:
    """The axes along the width of a contraction: of the result, and summed over; and what the operands call theirs."""

    free: list[str]
    summed: list[str]
    labels: dict[tuple[int, str], str]

    def product(self, x: Entry, y: Entry) -> Entry:
        """The product of two entries, summed over the width where that is asked for."""
        if x.is_zero or y.is_zero:
            return NIL
        first, second = (self._of(k) for k in (0, 1))
        if not self.summed:
            return _hadamard(self._matrix(0, x, self.free), self._matrix(1, y, self.free))
        (k,) = self.summed
        if len(self.free) == 2:
            if set(first) == {self.free[1], k}:
                return self._product(1, y, x)
            return self._product(0, x, y)
        if MATRIX not in (x.kind, y.kind):
            return dot(x, y)
        if x.kind == MATRIX and second == [k]:
            return act(x, y, self.labels[0, k] == ROW)
        if y.kind == MATRIX and first == [k]:
            return act(y, x, self.labels[1, k] == ROW)
        frame = [*self.free, k]
        return act(_hadamard(self._matrix(0, x, frame), self._matrix(1, y, frame)), ONES, False)

    def _of(self, operand: int) -> list[str]:
        return [name for name in (*self.free, *self.summed) if (operand, name) in self.labels]

    def _product(self, left: int, x: Entry, y: Entry) -> Entry:
        rows, columns = [self.free[0], *self.summed], [*self.summed, self.free[1]]
        return product_of(sum_of([self._matrix(left, x, rows)]), sum_of([self._matrix(1 - left, y, columns)]))

    def _matrix(self, operand: int, e: Entry, frame: list[str]) -> Entry:
        """An entry as a matrix whose rows and columns are the two axes of the frame; a number as it is."""
        own = self._of(operand)
        if e.kind == MATRIX:
            return e if self.labels[operand, frame[0]] == ROW else transposed(e)
        if e.kind != VECTOR:
            return e
        return outer(e, ONES) if own == frame[:1] else outer(ONES, e)


def _hadamard(x: Entry, y: Entry) -> Entry:
    return scaled(x, y) if MATRIX in (x.kind, y.kind) else mul(x, y)


def sum_of_products(one: Sequence[Entry], two: Sequence[Entry]) -> Entry:
    """Σ_k one_k two_k; of numbers of the inputs and columns of a parameter it is one term."""
    for forms, weights in ((one, two), (two, one)):
        if any(e.kind == INPUT for e in forms):
            columns = met(forms, weights)
            if columns is not None:
                return columns_of(*columns)
    return add(*map(_hadamard, one, two))


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

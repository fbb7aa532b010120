"""Tensors as arrays of entries: which parts of their axes are finite, and which are the width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.importer.refusal import Refusal

# The two axes that a parameter may have along the width: rows and columns of its matrices.
ROW, COLUMN = "row", "column"
Digit = int | str
Axis = tuple[Digit, ...]
Objects = np.ndarray[Any, Any]


def is_width(d: Digit) -> bool:
    return isinstance(d, str)


def blocks(axis: Sequence[Digit]) -> int:
    """The product of the finite digits of an axis."""
    return math.prod(d for d in axis if isinstance(d, int))


@dataclass(frozen=True)
class Size:
    """The size of an axis: c n, or c where it does not depend on the width."""

    c: int
    width: bool


@dataclass
class Tensor:
    """Entries over the finite digits of all axes; an axis of size c·n is the digits (c, width)."""

    axes: tuple[Axis, ...]
    entries: Objects

    @property
    def finite(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(int(d) for d in axis if not is_width(d)) for axis in self.axes)

    @property
    def widths(self) -> list[str]:
        return [str(d) for axis in self.axes for d in axis if is_width(d)]

    @property
    def ndim(self) -> int:
        return len(self.axes)

    def size(self, i: int) -> Size:
        axis = self.axes[i]
        return Size(blocks(axis), any(is_width(d) for d in axis))

    def by_axis(self) -> list[list[int]]:
        """For each axis the positions of its finite digits among all."""
        out, at = [], 0
        for axis in self.finite:
            out.append(list(range(at, at + len(axis))))
            at += len(axis)
        return out

    def flat(self) -> Objects:
        """The entries with one axis for each axis of the tensor, of size c."""
        return self.entries.reshape([self.size(i).c for i in range(self.ndim)])

    def permuted(self, order: Sequence[int]) -> Tensor:
        groups = self.by_axis()
        return Tensor(tuple(self.axes[i] for i in order), self.entries.transpose([p for i in order for p in groups[i]]))

    def with_width(self, label: str) -> Tensor:
        """The tensor with its only width called otherwise."""
        return Tensor(tuple(tuple(label if is_width(d) else d for d in axis) for axis in self.axes), self.entries)


def tensor(entries: Objects, widths: Sequence[str | None]) -> Tensor:
    """A tensor with one finite digit for each axis, before the width where there is one."""
    axes = tuple((c,) if w is None else (c, w) for c, w in zip(entries.shape, widths, strict=True))
    return Tensor(axes, entries)


def empty(shape: Sequence[int]) -> Objects:
    return np.empty(tuple(shape), dtype=object)


def filled(shape: Sequence[int], entries: Iterable[Any]) -> Objects:
    """An array of these entries in the order of its indices."""
    return np.fromiter(entries, dtype=object, count=math.prod(shape)).reshape(tuple(shape))


class Interleaved(Refusal):
    """A view that would need `inner` neighbouring entries of an axis to be one unit of the width."""

    def __init__(self, *texts: str, inner: int):
        super().__init__(*texts)
        self.inner = inner


def of_sizes(sizes: Sequence[Size], entries: Objects) -> Tensor:
    """A tensor with axes of these sizes; of two that are the width the first is that of the rows."""
    labels = iter((ROW, COLUMN))
    return Tensor(tuple((s.c, next(labels)) if s.width else (s.c,) for s in sizes), entries)


def reshape(t: Tensor, sizes: Sequence[Size]) -> Tensor:
    """The tensor with its digits grouped anew; refused where a width would be cut otherwise than in blocks."""
    digits: list[Digit] = [d for axis in t.axes for d in axis if is_width(d) or d != 1]
    axes: list[Axis] = []
    shape: list[int] = []
    at = 0
    for size in sizes:
        need, width = size.c, size.width
        axis: list[Digit] = []
        while need > 1 or width:
            if at == len(digits):
                raise Refusal("a view cuts the width in a way that is not understood")
            d = digits[at]
            if isinstance(d, str) or need == 1:
                if not width or not isinstance(d, str):
                    raise Interleaved(
                        "a view interleaves units of the width: it takes neighbouring ones apart",
                        "blocks of n neighbouring units are understood, such as heads·n as (heads, n), and groups of "
                        "neighbours where they come from a linear layer",
                        inner=d if isinstance(d, int) else 1,
                    )
                width = False
                axis.append(d)
                at += 1
            elif need % d == 0:
                need //= d
                axis.append(d)
                shape.append(d)
                at += 1
            elif d % need == 0:
                axis.append(need)
                shape.append(need)
                digits[at] = d // need
                need = 1
            else:
                raise Refusal("a view regroups axes in a way that is not understood")
        axes.append(tuple(axis) or (1,))
        if not axis:
            shape.append(1)
    if at != len(digits):
        raise Refusal("a view cuts the width in a way that is not understood")
    return Tensor(tuple(axes), t.entries.reshape(shape))


def aligned(tensors: Sequence[Tensor]) -> tuple[list[Objects], tuple[Axis, ...]]:
    """The entries of tensors that are broadcast against each other, over common digits."""
    rank = max(t.ndim for t in tensors)
    axes: list[Axis] = []
    digits: list[list[int]] = []
    padded = [((1,),) * (rank - t.ndim) + t.axes for t in tensors]
    for i in range(rank):
        options = [p[i] for p in padded]
        wide = [a for a in options if any(is_width(d) for d in a)]
        best = _refined([a for a in options if any(is_width(d) or d != 1 for d in a)])
        if len({"".join(str(d) for d in a if is_width(d)) for a in wide}) > 1:
            raise Refusal("two different widths meet in one operation")
        axes.append(best)
        digits.append([int(d) for d in best if not is_width(d)])
    out = []
    for t, axes_of in zip(tensors, padded, strict=True):
        shape: list[int] = []
        for i in range(rank):
            size = blocks(axes_of[i])
            target = math.prod(digits[i])
            shape += digits[i] if size == target else [1] * len(digits[i])
        out.append(t.entries.reshape(shape))
    return out, tuple(axes)


def _refined(options: list[Axis]) -> Axis:
    """The finest digits among axes of one size."""
    if not options:
        return (1,)
    best = max(options, key=len)
    for a in options:
        places = [next((i for i, d in enumerate(x) if is_width(d)), None) for x in (a, best)]
        if None in places:
            continue
        before = [blocks(x[:p]) for x, p in zip((a, best), places)]
        if before[0] != before[1]:
            raise Refusal("two tensors whose units are laid out differently meet in one operation")
    return next((a for a in options if len(a) == len(best) and any(is_width(d) for d in a)), best)

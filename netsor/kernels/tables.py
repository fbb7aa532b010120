"""Kernels over all pairs of rows from the steps of a template, tile by tile, with independent entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Clock, Unsettled
from netsor.kernels.pairs import Pairs, Template
from netsor.limit.many.frames import BLOCK, Frame, Step
from netsor.shown import Shown

Array = np.ndarray
# Steps by name, and by the outputs of the left and of the right example.
Asked = Mapping[str, list[list[Step]]]


@dataclass(frozen=True, repr=False)
class Kernel(Shown):
    """Values of shape (N, M), or (N, M, outputs, outputs) for several readouts, with |value − limit| ≤ error."""

    value: Array
    error: Array

    def as_dict(self) -> dict[str, object]:
        return {"value": self.value.tolist(), "error": float(self.error.max(initial=0.0))}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The values as numpy takes it."""
        return np.array(self.value, dtype=dtype, copy=copy)


@dataclass(frozen=True)
class Request:
    """Kernels that are computed together, by name: for two different inputs (`across`) and for one with itself (`own`).

    Expectations that diverge meanwhile are turned into diagnostics by `guard`.
    """

    across: Asked
    own: Asked
    guard: Callable[[], AbstractContextManager[None]]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys((*self.across, *self.own)))


def tabulate(
    pairs: Pairs, across: Template | None, within: Template | None, requests: list[Request], outputs: int,
    clock: Clock, progress: Callable[[str], None] | None = None,
) -> list[dict[str, Kernel]]:  # fmt: skip
    """The kernels of each request.

    No entry depends on the other rows, except through a time limit that is reached.
    """
    shape = (len(pairs.rows), len(pairs.columns)) + (outputs, outputs) * (outputs > 1)
    made = [{name: Kernel(np.zeros(shape), np.zeros(shape)) for name in r.names} for r in requests]
    single = None if across is None else Frame.whole(across.inputs, clock)
    if within is not None:
        # A frame of all inputs has the numbers that a tile needs of each of them.
        same = across is not None and within.inputs is across.inputs
        frame = single if single is not None and same else Frame.whole(within.inputs, clock)
        i, j = (np.searchsorted(x, pairs.own) for x in (pairs.rows, pairs.columns))
        for request, tables in zip(requests, made, strict=True):
            with request.guard():
                for name, a, b, q in _values(frame, request.own):
                    for table, x in ((tables[name].value, q.value), (tables[name].error, q.error)):
                        _of_outputs(table, a, b)[i, j] = np.broadcast_to(x, (len(i), 1))[:, 0]
    if across is not None and single is not None:
        tiles = list(pairs.tiles())
        for k, (rows, columns) in enumerate(tiles):
            if progress and len(tiles) > 1:
                progress(f"part {k + 1} of {len(tiles)}")
            left = clock.left()
            mine = clock if not np.isfinite(left) else Clock(max(left, 0.0) / (len(tiles) - k))
            _tile(pairs, single, rows, columns, requests, made, mine)
    for request, tables in zip(requests, made, strict=True):
        with request.guard():
            if not all(np.all(np.isfinite(k.value)) and not np.any(np.isnan(k.error)) for k in tables.values()):
                raise Unsettled("numbers beyond 1.8e308, the largest number, arose on the way")
    return [{name: Kernel(*(_arranged(x, pairs) for x in (k.value, k.error))) for name, k in t.items()} for t in made]


def tabulate_own(within: Template, request: Request, shape: tuple[int, ...], clock: Clock) -> Kernel:
    """The kernel of a request for every input of `within` with itself, of the given shape (inputs, …)."""
    out = Kernel(np.zeros(shape), np.zeros(shape))
    frame = Frame.whole(within.inputs, clock)
    with request.guard():
        for name, a, b, q in _values(frame, request.own):
            if name == "":
                for table, x in ((out.value, q.value), (out.error, q.error)):
                    part = table if table.ndim == 1 else table[:, a, b]
                    part[...] = np.broadcast_to(x, (shape[0], 1))[:, 0]
    return out


def _of_outputs(table: Array, a: int, b: int) -> Array:
    return table if table.ndim == 2 else table[:, :, a, b]


def _arranged(table: Array, pairs: Pairs) -> Array:
    """The table for the rows and columns that were asked for, filled in blocks of rows."""
    if all(np.array_equal(p, np.arange(n)) for p, n in zip((pairs.row, pairs.column), table.shape, strict=False)):
        return table
    out = np.empty((len(pairs.row), len(pairs.column), *table.shape[2:]))
    for i in range(0, len(out), BLOCK):
        # With another mode numpy would write to a copy first; all columns are there.
        np.take(table[pairs.row[i : i + BLOCK]], pairs.column, axis=1, out=out[i : i + BLOCK], mode="wrap")
    return out


def _tile(
    pairs: Pairs, single: Frame, rows: slice, columns: slice, requests: list[Request],
    made: list[dict[str, Kernel]], clock: Clock,
) -> None:  # fmt: skip
    """Fill in one tile; the first example of a pair is always the input that is first in order."""
    one, other = pairs.rows[rows], pairs.columns[columns]
    ahead = one[:, None] < other
    behind = (one[:, None] > other) if not pairs.symmetric else np.zeros_like(ahead)
    for where, swapped in ((ahead, False), (behind, True)):
        if not where.any():
            continue
        i, j = np.nonzero(where)
        if where.all():
            left, right = (other, one) if swapped else (one, other)
        else:
            left, right = (other[j], one[i]) if swapped else (one[i], other[j])
        frame = Frame(single.inputs, left, right, not where.all(), clock, single)
        for request, tables in zip(requests, made, strict=True):
            with request.guard():
                for name, a, b, q in _values(frame, request.across):
                    for table, x in ((tables[name].value, q.value), (tables[name].error, q.error)):
                        x = np.broadcast_to(x, frame.shape)
                        part = _of_outputs(table, *((b, a) if swapped else (a, b)))[rows, columns]
                        below = _of_outputs(table, b, a)[columns, rows] if pairs.symmetric else None
                        if frame.paired:
                            part[i, j] = x[:, 0]
                            if below is not None:
                                below[j, i] = x[:, 0]
                        else:
                            part[...] = x.T if swapped else x
                            if below is not None:
                                below[...] = x.T


def _values(frame: Frame, asked: Asked) -> Iterator[tuple[str, int, int, Bounded]]:
    frame.ensure(step for table in asked.values() for row in table for step in row)
    for name, table in asked.items():
        for a, row in enumerate(table):
            for b, step in enumerate(row):
                yield name, a, b, frame.value(step)

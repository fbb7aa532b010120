"""Kernels over all pairs of rows from the steps of a template, tile by tile, with independent entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netsor.deadline import TimeOver
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Clock, OutOfRange
from netsor.kernels.pairs import Pairs, Template
from netsor.limit.many.drawn import needs_points, of_one_example, replicate
from netsor.limit.many.frames import Frame, Step
from netsor.shown import Shown

Array = np.ndarray
# Steps by name, and by the outputs of the left and of the right example.
Asked = Mapping[str, list[list[Step]]]
# Pairs of a list whose numbers are computed in replicates, each of which has all of them.
_LIST = 64
# Bytes of an array that makes arrays up to this size be kept.
_KEPT = 2**24


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
    pairs: Pairs, across: Template | None, within: Template | None, requests: list[Request], outputs: int, clock: Clock,
) -> list[dict[str, Kernel]]:  # fmt: skip
    """The kernels of each request; entries for which there was no time are NaN, with infinite errors.

    No entry depends on the other rows, except through a time limit that is reached. Raises TimeOver where it is before
    any tile of entries is known.
    """
    _keep_memory()
    shape = (len(pairs.rows), len(pairs.columns)) + (outputs, outputs) * (outputs > 1)
    made = [{name: Kernel(np.zeros(shape), np.zeros(shape)) for name in r.names} for r in requests]
    single = None if across is None else Frame.whole(across.inputs, clock)
    tol = next((t.evaluator.tol for t in (across, within) if t is not None), 0.0)
    # A frame of all inputs has the numbers that a tile needs of each of them.
    same = across is not None and within is not None and within.inputs is across.inputs
    frame = single if same else None if within is None else Frame.whole(within.inputs, clock)
    _compute_inputs(pairs, requests, single, frame, clock, tol)
    own: list[Entries] = [{} for _ in requests]
    if frame is not None:
        for k, request in enumerate(requests):
            with request.guard():
                own[k] = {key: _broadcast(q, (len(pairs.own), 1)) for key, q in _values(frame, request.own)}
    asked, points = list(_steps(requests, "across")), None
    tiles = list(pairs.tiles())
    known: list[set[int]] = [set() for _ in requests]
    try:
        for k in clock.counts.count("part", range(len(tiles))):
            rows, columns = tiles[k]
            left = clock.left()
            mine = clock if not np.isfinite(left) else clock.of(max(left, 0.0) / (len(tiles) - k))
            tile = _Tile.of(pairs, rows, columns)
            parts = [] if single is None else tile.parts(single, mine, needs_points(asked))
            with requests[-1].guard():
                points = _replicate_pairs([p.frame for p in parts], asked, mine, tol, points)
            for request, tables, numbers, done in zip(requests, made, own, known, strict=True):
                with request.guard():
                    for (name, a, b), q in tile.entries(parts, request, numbers).items():
                        if not np.all(np.isfinite(q.value)) or np.any(np.isnan(q.error)):
                            raise OutOfRange("numbers beyond 1.8e308, the largest number, arose on the way")
                        _write(tables[name], a, b, rows, columns, q)
                        if tile.symmetric and rows != columns:
                            _write(tables[name], b, a, columns, rows, _transposed(q))
                done.add(k)
    except TimeOver:
        if not any(known):
            raise
        for tables, done in zip(made, known, strict=True):
            for k in set(range(len(tiles))) - done:
                rows, columns = tiles[k]
                for kernel in tables.values():
                    for one, other in ((rows, columns), (columns, rows)) if pairs.symmetric else ((rows, columns),):
                        kernel.value[one, other], kernel.error[one, other] = np.nan, np.inf
    return _as_asked(pairs, made)


def _keep_memory() -> None:
    """Have the arrays of a tile take the memory of those of the tile before.

    glibc takes arrays of more than 128 KiB from the system and gives them back, which costs more than to compute them,
    until a larger one was freed. This one is never touched.
    """
    np.empty(_KEPT, np.uint8)


def _steps(requests: Sequence[Request], kind: str) -> Iterator[Step]:
    """The steps that requests ask for, "across" or "own"."""
    for request in requests:
        for table in getattr(request, kind).values():
            yield from (step for row in table for step in row)


def _compute_inputs(
    pairs: Pairs, requests: Sequence[Request], single: Frame | None, frame: Frame | None, clock: Clock, tol: float
) -> None:
    """Compute what depends on one input, in the part of the time that is due to it, where it takes what time there is.

    `single` has what the pairs need, and `frame` what is asked for.
    """
    alone = of_one_example(_steps(requests, "across")) if single is not None else []
    own = list(_steps(requests, "own"))
    both = [(single, own, alone)] if frame is single else [(single, [], alone), (frame, own, [])]
    work = [
        (f, asked, others)
        for f, asked, others in both
        if f is not None and any(s.slow or s.points for s in (*asked, *others))
    ]
    many = len(pairs.rows) * len(pairs.columns) / (2 if pairs.symmetric else 1) if single is not None else 0
    for k, (f, asked, others) in enumerate(work):
        # A pair has about twice the variables of an input.
        f.clock = clock.share(f.inputs.count / (f.inputs.count * (len(work) - k) + 2 * many))
        with requests[-1].guard():
            replicate(f, asked, tol, others=others)


def _replicate_pairs(
    frames: Sequence[Frame], asked: Sequence[Step], clock: Clock, tol: float, points: int | None
) -> int | None:
    """Compute in replicates what depends on pairs, which need so many points; returns how many there were."""
    if needs_points(asked):
        left = sum(len(f.left) for f in frames)
        for f in frames:
            f.clock = clock.share(len(f.left) / left)
            points = replicate(f, asked, tol, points)
            f.replicated = None
            left -= len(f.left)
    return points


def _write(kernel: Kernel, a: int, b: int, rows: slice, columns: slice, q: Bounded) -> None:
    """Write a tile into a kernel over distinct inputs."""
    for table, x in ((kernel.value, q.value), (kernel.error, q.error)):
        (table if table.ndim == 2 else table[:, :, a, b])[rows, columns] = x


def _as_asked(pairs: Pairs, made: list[dict[str, Kernel]]) -> list[dict[str, Kernel]]:
    """The kernels over the rows and columns that were asked for, from those over distinct inputs in their order."""
    if all(np.array_equal(x, np.arange(len(x))) for x in (pairs.row, pairs.column)):
        return made
    spare: Array | None = None
    out: list[dict[str, Kernel]] = []
    for tables in made:
        out.append({})
        for name, kernel in tables.items():
            placed = []
            for table in (kernel.value, kernel.error):
                shape = (len(pairs.row), len(pairs.column), *table.shape[2:])
                # Each table is put into the memory of the one before it.
                to = spare if spare is not None and spare.shape == shape else np.empty(shape)
                # Row by row: all other orders touch memory far apart. Where it need not raise, numpy writes in place.
                for i, k in enumerate(pairs.row.tolist()):
                    np.take(table[k], pairs.column, axis=0, out=to[i], mode="wrap")
                placed.append(to)
                spare = table
            out[-1][name] = Kernel(*placed)
    return out


def tabulate_own(within: Template, request: Request, shape: tuple[int, ...], clock: Clock) -> Kernel:
    """The kernel of a request for every input of `within` with itself, of the given shape (inputs, …)."""
    out = Kernel(np.zeros(shape), np.zeros(shape))
    frame = Frame.whole(within.inputs, clock)
    with request.guard():
        steps = list(_steps([request], "own"))
        if needs_points(steps):
            replicate(frame, steps, within.evaluator.tol)
        for (name, a, b), q in _values(frame, request.own):
            if name == "":
                for table, x in ((out.value, q.value), (out.error, q.error)):
                    part = table if table.ndim == 1 else table[:, a, b]
                    part[...] = np.broadcast_to(x, (shape[0], 1))[:, 0]
    return out


# Numbers by the name of a kernel and the outputs of the left and of the right example.
Entries = dict[tuple[str, int, int], Bounded]


class _Part(NamedTuple):
    """Pairs of a tile in a frame: all of them, or those at (i, j); `swapped` where the examples are exchanged."""

    frame: Frame
    swapped: bool
    i: Array | None = None
    j: Array | None = None


@dataclass(frozen=True)
class _Tile:
    """The pairs of some inputs, the rows, with some others, the columns.

    The first example of a pair is always the input that is first in order. Where that is the column, the examples and
    the outputs are exchanged; of a symmetric kernel these entries are mirror images of the others.
    """

    one: Array
    other: Array
    symmetric: bool
    # Of the inputs that are a row and a column: their places in the tile, and in the numbers of inputs with themselves.
    same: tuple[Array, Array]
    own: Array

    @classmethod
    def of(cls, pairs: Pairs, rows: slice, columns: slice) -> _Tile:
        one, other = pairs.rows[rows], pairs.columns[columns]
        _, *same = np.intersect1d(one, other, assume_unique=True, return_indices=True)
        return cls(one, other, pairs.symmetric, (same[0], same[1]), np.searchsorted(pairs.own, one[same[0]]))

    def parts(self, single: Frame, clock: Clock, points: bool) -> list[_Part]:
        """The pairs of different inputs, in at most two frames; in short lists where they need `points`."""
        out = []
        for swapped in (False, True):
            mask = self.one[:, None] > self.other if swapped else self.one[:, None] < self.other
            if not mask.any() or swapped and self.symmetric:
                continue
            whole = bool(mask.all())
            lists: list[tuple[Array | None, Array | None]] = [(None, None)]
            if points or not whole:
                all_i, all_j = np.nonzero(mask)
                step = _LIST if points else len(all_i)
                lists = [(all_i[k : k + step], all_j[k : k + step]) for k in range(0, len(all_i), step)]
            for i, j in lists:
                left, right = (self.one, self.other) if i is None else (self.one[i], self.other[j])
                if swapped:
                    left, right = right, left
                out.append(_Part(Frame(single.inputs, left, right, i is not None, clock, single), swapped, i, j))
        return out

    def entries(self, parts: Sequence[_Part], request: Request, own: Entries) -> Entries:
        """The numbers of the whole tile."""
        out: Entries = {}
        for frame, swapped, i, j in parts:
            for (name, a, b), q in _values(frame, request.across):
                q = _broadcast(q, frame.shape)
                key = (name, b, a) if swapped else (name, a, b)
                if i is None or j is None:
                    out[key] = _transposed(q) if swapped else q
                    continue
                self._put(out, key, i, j, q)
                if self.symmetric:
                    self._put(out, (name, b, a), j, i, q)
        for key, q in own.items():
            if len(self.own):
                self._put(out, key, *self.same, q.at(self.own))
        return out

    def _put(self, entries: Entries, key: tuple[str, int, int], i: Array, j: Array, q: Bounded) -> None:
        if key not in entries:
            shape = len(self.one), len(self.other)
            entries[key] = Bounded(np.zeros(shape), np.zeros(shape))
        entries[key].value[i, j], entries[key].error[i, j] = q.value[:, 0], q.error[:, 0]


def _broadcast(q: Bounded, shape: tuple[int, ...]) -> Bounded:
    return Bounded(np.broadcast_to(q.value, shape), np.broadcast_to(q.error, shape))


def _transposed(q: Bounded) -> Bounded:
    return Bounded(q.value.T, q.error.T)


def _values(frame: Frame, asked: Asked) -> Iterator[tuple[tuple[str, int, int], Bounded]]:
    frame.ensure(step for table in asked.values() for row in table for step in row)
    for name, table in asked.items():
        for a, row in enumerate(table):
            for b, step in enumerate(row):
                yield (name, a, b), frame.value(step)

"""Kernels that are too large for memory: written to .npy files tile by tile, by several processes, and resumed.

An entry does not depend on the tile it is computed in, so the files are the same whatever the tiles, whoever computes
them, and however often the work was interrupted. Workers compute tiles and send them back; this process alone writes.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.deadline import End, TimeOver, until, verify_time
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.limits import tiles_missing
from netsor.diagnostics.catalogue.warnings import Bound, kernels_not_reached
from netsor.finite.executors import WorkersLostError, abandon, completed, lost_workers
from netsor.kernels.advice import ROUNDING
from netsor.kernels.kernel import Kernel, infer_kernels, infer_nngp, verify_network
from netsor.kernels.pairs import as_inputs, flat_rows
from netsor.kernels.tile_files import TileFiles, locked, open_files

Array = np.ndarray
TILE = 1000
# No tolerance asks for more than sums of products keep.
# Rows on which the time for a pair is measured before the work begins.
_TRIED = 128


@dataclass(frozen=True)
class Plan:
    """What is to be computed: the network, rows (N, D), rows of the second argument or None, and which kernels."""

    network: Program
    rows: Array = field(repr=False)
    columns: Array | None = field(repr=False)
    nngp_alone: bool
    tile: int
    tol: float

    @property
    def kernels(self) -> tuple[str, ...]:
        return ("nngp",) if self.nngp_alone else ("nngp", "ntk")

    @property
    def shape(self) -> tuple[int, ...]:
        q = len(self.network.readouts)
        other = self.rows if self.columns is None else self.columns
        return (len(self.rows), len(other)) + (q, q) * (q > 1)

    @cached_property
    def tiles(self) -> list[tuple[int, int]]:
        """The first row and column of each tile; of a symmetric kernel those on and above the diagonal."""
        n, m = self.shape[:2]
        first = range(0, n, self.tile)
        return [(i, j) for i in first for j in range(i if self.columns is None else 0, m, self.tile)]

    def task(self, k: int, key: str) -> Task:
        """What a worker needs for tile number k."""
        i, j = self.tiles[k]
        rows = self.rows[i : i + self.tile]
        columns: Array | None
        if self.columns is not None:
            columns = self.columns[j : j + self.tile]
        else:
            columns = None if i == j else self.rows[j : j + self.tile]
        return Task(key, k, self.network, rows, columns, self.nngp_alone, self.tol)

    def fingerprint(self) -> str:
        """A digest of all that the numbers depend on."""
        digest = hashlib.blake2b(repr((self.network, self.kernels, self.tol, self.shape)).encode(), digest_size=16)
        for x in (self.rows, self.columns):
            digest.update(b"" if x is None else np.ascontiguousarray(x).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Task:
    """One tile, with all that a worker needs for it; `key` is the same for all tiles of the same kernels."""

    key: str
    number: int
    network: Program = field(repr=False)
    rows: Array = field(repr=False)
    columns: Array | None = field(repr=False)
    nngp_alone: bool
    tol: float


@dataclass(frozen=True)
class Tile:
    """The values of one tile and the largest bound on their errors, for each kernel; or the faults alone."""

    values: tuple[Array, ...]
    errors: tuple[float, ...]
    diagnostics: tuple[Diagnostic, ...]


def compute_tile(task: Task) -> Tile:
    """Compute a tile, in this process or in a worker."""
    network = _network_of(task)
    x, y = (None if rows is None else as_inputs(network, rows) for rows in (task.rows, task.columns))
    kernels: tuple[Kernel | None, ...]
    try:
        if task.nngp_alone:
            found = infer_nngp(network, x, y, task.tol)
            kernels, said = (found.nngp,), found.diagnostics
        else:
            both = infer_kernels(network, x, y, tol=task.tol)
            kernels, said = (both.nngp, both.ntk), both.diagnostics
    except NetsorError as fault:
        return Tile((), (), tuple(fault.diagnostics))
    there = tuple(k for k in kernels if k is not None)
    if len(there) < len(kernels):
        return Tile((), (), tuple(d for d in said if d.is_error))
    return Tile(tuple(k.value for k in there), tuple(float(k.error.max(initial=0.0)) for k in there), said)


def _network_of(task: Task) -> Program:
    """The network of a task, as one object for all tiles, so that a worker plans it once."""
    if task.key not in _networks:
        _networks.clear()
        _networks[task.key] = task.network
    return _networks[task.key]


# The network whose kernels this process works for, by the key of its tasks.
_networks: dict[str, Program] = {}


@dataclass(frozen=True)
class Estimate:
    """What the work takes, told before it begins: entries, bytes of all files, and seconds."""

    rows: int
    columns: int
    tiles: int
    left: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Written:
    """The files of the kernels, the largest error of each (NaN where tiles are missing), and how many were computed."""

    inputs: int
    files: dict[str, Path]
    error: dict[str, float]
    computed: int
    diagnostics: tuple[Diagnostic, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {"inputs": self.inputs, "tiles": self.computed}
        errors = {k: None if math.isnan(e) else e for k, e in self.error.items()}
        return out | {k: {"file": str(path), "error": errors[k]} for k, path in self.files.items()}


def write_kernels(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    *,
    out: str | Path,
    nngp: bool = False,
    tile: int = TILE,
    resume: bool = False,
    tol: float = 1e-10,
    end: End | None = None,
    executor: Executor | None = None,
    before: Callable[[Estimate], None] | None = None,
    progress: Callable[..., None] | None = None,
) -> Written:
    """The NNGP and, unless `nngp` asks for it alone, the NTK on all rows, in the files OUT.nngp.npy and OUT.ntk.npy.

    Tiles have `tile` by `tile` entries, and memory is that of a few of them. They are computed by an `executor` (see
    `netsor.finite.executors`), or one at a time in this process without one. With `resume`, tiles that an earlier call
    has written are not computed again. `before` gets an estimate when all is ready to begin, with the seconds of one
    core. Tiles that are not finished by `end` are left for `resume` (E804 in `diagnostics`). Raises NetsorError: files
    that are there already, or are of something else (E668), or are being written by another process (E669), no room on
    the disk (E670), and what `infer_kernels` raises.
    """
    verify_network(network)
    rows = flat_rows(network, inputs)
    columns = None if inputs2 is None else flat_rows(network, inputs2)
    plan = Plan(network, rows, columns, nngp, max(1, tile), tol)
    prefix = Path(out)
    tiles = len(plan.tiles)
    about = {"fingerprint": plan.fingerprint(), "tile": plan.tile, "shape": list(plan.shape)}
    with locked(prefix):
        files = open_files(prefix, plan.kernels, plan.shape, tiles, about, resume=resume)
        left = [k for k in range(tiles) if np.isnan(files.done[k]).any()]
        said: list[Diagnostic] = []
        with suppress(TimeOver), until(end):
            if before:
                before(_estimate(plan, tiles, len(left)))
            _work(plan, files, left, said, executor, progress)
        missing = np.isnan(files.done).any(axis=(1, 2))
        if missing.any():
            said.append(tiles_missing(network.name, int(missing.sum()), tiles))
        errors, sizes = files.done[..., 0].max(axis=0), files.done[..., 1].max(axis=0)
        said += _not_reached(plan, errors, sizes)
        files.sync()
    error = dict(zip(plan.kernels, errors.tolist(), strict=True))
    computed = len(left) - int(missing.sum())
    return Written(len(rows), files.files, error, computed, tuple({(d.code, d.message): d for d in said}.values()))


def _not_reached(plan: Plan, errors: Array, sizes: Array) -> list[Diagnostic]:
    """W901 where the bound on the error of a kernel is larger than was asked for."""
    bounds = [
        Bound(name.upper(), float(error), plan.tol * float(size))
        for name, error, size in zip(plan.kernels, errors, sizes, strict=True)
        if error > max(plan.tol, ROUNDING) * size
    ]
    return [kernels_not_reached(plan.network.name, bounds, plan.tol)] if bounds else []


def _estimate(plan: Plan, tiles: int, left: int) -> Estimate:
    """The time from that of a small kernel, second call, since the first one thinks about the network."""
    n, m = plan.shape[:2]
    small = Task(plan.fingerprint(), 0, plan.network, plan.rows[:_TRIED], None, plan.nngp_alone, plan.tol)
    pairs = len(small.rows) * (len(small.rows) + 1) / 2
    seconds = 0.0
    if left:
        compute_tile(small)
        begun = time.monotonic()
        compute_tile(small)
        every = n * (n + 1) / 2 if plan.columns is None else n * m
        seconds = (time.monotonic() - begun) / pairs * every * left / tiles
    return Estimate(n, m, tiles, left, 8 * math.prod(plan.shape) * len(plan.kernels), seconds)


def _work(
    plan: Plan, files: TileFiles, left: list[int], said: list[Diagnostic], executor: Executor | None,
    progress: Callable[..., None] | None,
) -> None:  # fmt: skip
    """Compute and write the tiles that are left, and note what was said about them; raises TimeOver."""
    key, waiting = plan.fingerprint(), list(left)

    def take(found: Iterable[tuple[Task, Tile]]) -> None:
        for task, tile in found:
            # What was computed within less time than it takes is not what another call would find.
            verify_time()
            k, count = task.number, len(left) - len(waiting) + 1
            if not tile.values:
                raise NetsorError(tile.diagnostics)
            i, j = plan.tiles[k]
            files.write(k, (i, j), tile.values, tile.errors, mirror=plan.columns is None and i != j)
            said.extend(d for d in tile.diagnostics if d.code != "W901")
            count += 1
            if progress:
                progress(count / len(left), f"tile {count} of {len(left)}")
            waiting.remove(k)

    def tasks() -> Iterator[Task]:
        return (plan.task(k, key) for k in list(waiting))

    try:
        if executor is not None:
            try:
                take(completed(compute_tile, tasks(), executor))
            except WorkersLostError as e:
                said.append(lost_workers(e, len(waiting), "these kernels"))
        take((task, compute_tile(task)) for task in tasks())
    except BaseException:
        if executor is not None:
            abandon(executor)
        raise

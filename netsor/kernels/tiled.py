"""Kernels that are too large for memory: written to .npy files tile by tile, by several processes, and resumed.

An entry does not depend on the tile it is computed in, so the files are the same whatever the tiles and however often
the work was interrupted. Beside the files PREFIX.nngp.npy and PREFIX.ntk.npy stand PREFIX.tiles.npy, with the largest
error and the largest entry of every tile that is written, NaN where it is not, and PREFIX.json, which says what the
files are the kernels of.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.kernels.kernel import infer_kernels, infer_nngp, verify_network
from netsor.kernels.pairs import as_inputs, flat_rows

Array = np.ndarray
TILE = 1000
# No tolerance asks for more than sums of products keep.
_ROUNDING = 1e-12
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

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """The first row and column of each tile; of a symmetric kernel those on and above the diagonal."""
        n, m = self.shape[:2]
        first = range(0, n, self.tile)
        return [(i, j) for i in first for j in range(i if self.columns is None else 0, m, self.tile)]

    def compute(self, i: int, j: int) -> tuple[list[tuple[Array, Array]], tuple[Diagnostic, ...]]:
        """Values and errors of one tile, for each kernel."""
        x = as_inputs(self.network, self.rows[i : i + self.tile])
        if self.columns is not None:
            y = as_inputs(self.network, self.columns[j : j + self.tile])
        else:
            y = None if i == j else as_inputs(self.network, self.rows[j : j + self.tile])
        if self.nngp_alone:
            found = infer_nngp(self.network, x, y, self.tol)
            return [(found.value, found.error)], found.diagnostics
        both = infer_kernels(self.network, x, y, tol=self.tol)
        if both.nngp is None:
            raise NetsorError(d for d in both.diagnostics if d.is_error)
        return [(k.value, k.error) for k in (both.nngp, both.ntk)], both.diagnostics

    def fingerprint(self) -> str:
        """A digest of all that the numbers depend on."""
        digest = hashlib.blake2b(repr((self.network, self.kernels, self.tol, self.shape)).encode(), digest_size=16)
        for x in (self.rows, self.columns):
            digest.update(b"" if x is None else np.ascontiguousarray(x).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Estimate:
    """What the work takes, told before it begins: entries, bytes of all files, and seconds."""

    rows: int
    columns: int
    tiles: int
    left: int
    bytes: int
    seconds: float
    workers: int


@dataclass(frozen=True)
class Written:
    """The files of the kernels, with the largest error of each and the number of tiles computed by this call."""

    inputs: int
    files: dict[str, Path]
    error: dict[str, float]
    computed: int
    diagnostics: tuple[Diagnostic, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {"inputs": self.inputs, "tiles": self.computed}
        return out | {k: {"file": str(path), "error": self.error[k]} for k, path in self.files.items()}


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
    workers: int | None = None,
    before: Callable[[Estimate], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Written:
    """The NNGP and, unless `nngp` asks for it alone, the NTK on all rows, in the files OUT.nngp.npy and OUT.ntk.npy.

    Memory is that of a tile of `tile` by `tile` entries for each of the `workers` (one a core). With `resume`, tiles
    that an earlier call has written are not computed again. `before` gets an estimate when all is ready to begin.
    Raises NetsorError: files that are there already, or are of something else (E668), or are being written by another
    process (E669), no room on the disk (E670), and what `infer_kernels` raises.
    """
    verify_network(network)
    rows = flat_rows(network, inputs)
    columns = None if inputs2 is None else flat_rows(network, inputs2)
    plan = Plan(network, rows, columns, nngp, max(1, tile), tol)
    prefix = Path(out)
    with _locked(prefix):
        state = _open(plan, prefix, resume)
        tiles = plan.tiles
        left = [k for k in range(len(tiles)) if np.isnan(state.done[k]).any()]
        used = min(workers or _cores(), max(1, len(left)))
        if before:
            before(_estimate(plan, len(tiles), len(left), used))
        said = _work(plan, state, left, used, progress)
        errors, sizes = state.done[..., 0].max(axis=0), state.done[..., 1].max(axis=0)
        said += _not_reached(plan, errors, sizes)
        state.sync()
    error = dict(zip(plan.kernels, errors.tolist(), strict=True))
    return Written(len(rows), state.files, error, len(left), tuple({(d.code, d.message): d for d in said}.values()))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _not_reached(plan: Plan, errors: Array, sizes: Array) -> list[Diagnostic]:
    """W901 where the bound on the error of a kernel is larger than was asked for."""
    out = []
    for name, error, size in zip(plan.kernels, errors, sizes, strict=True):
        if error > max(plan.tol, _ROUNDING) * size:
            out.append(
                Diagnostic(
                    "W901", f"the {name.upper()} of `{plan.network.name}` was not reached to the tolerance asked for",
                    severity="warning",
                    notes=(f"the error bound is {error:.1e}, and {plan.tol:.1e} of the largest entry is "
                           f"{plan.tol * size:.1e}",),
                    hint="accept this error with a larger `--tol`",
                )
            )  # fmt: skip
    return out


# --- files ----------------------------------------------------------------------------------------------------------


@dataclass
class _State:
    """The files, and what is done: the largest error and the largest entry (tiles, kernels, 2), NaN where not done."""

    files: dict[str, Path]
    record: Path
    offsets: dict[str, int]
    done: Array

    def mark(self, k: int, found: list[tuple[float, float]]) -> None:
        """A tile is written: told to the file of records, one write."""
        self.done[k] = found
        with self.record.open("r+b") as file:
            os.pwrite(file.fileno(), self.done[k].tobytes(), self.offsets[""] + k * self.done[k].nbytes)

    def sync(self) -> None:
        for path in (*self.files.values(), self.record):
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def _open(plan: Plan, prefix: Path, resume: bool) -> _State:
    files = {k: prefix.with_name(f"{prefix.name}.{k}.npy") for k in plan.kernels}
    record, about = (prefix.with_name(f"{prefix.name}.{end}") for end in ("tiles.npy", "json"))
    wanted = {"fingerprint": plan.fingerprint(), "tile": plan.tile, "shape": list(plan.shape)}
    there = [p for p in (*files.values(), record, about) if p.exists()]
    offsets: dict[str, int] = {}
    if resume and about.exists():
        try:
            known = json.loads(about.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if known != wanted or len(there) < len(files) + 2:
            raise _other(prefix, "they belong to another network, other rows or other options")
        done = np.load(record)
        for name, path in (*files.items(), ("", record)):
            with path.open("rb") as file:
                offsets[name] = _data_offset(file)
        return _State(files, record, offsets, done)
    if there:
        begun = "an earlier call was stopped before it began" if resume and record in there else ""
        raise _other(prefix, begun or "they are there already")
    size = 8 * math.prod(plan.shape)
    free = shutil.disk_usage(prefix.parent).free
    if len(files) * size > free:
        raise _no_room(prefix, len(files) * size, free)
    try:
        for name, path in files.items():
            offsets[name] = _allocate(path, plan.shape, size)
        done = np.full((len(plan.tiles), len(files), 2), np.nan)
        np.save(record, done)
        with record.open("rb") as file:
            offsets[""] = _data_offset(file)
        # The last file to be written: without it there is nothing to resume.
        about.write_text(json.dumps(wanted), encoding="utf-8")
    except OSError as fault:
        for path in (*files.values(), record, about):
            path.unlink(missing_ok=True)
        if fault.errno in (28, 122):  # ENOSPC, EDQUOT
            raise _no_room(prefix, len(files) * size, shutil.disk_usage(prefix.parent).free) from None
        raise
    return _State(files, record, offsets, done)


def _allocate(path: Path, shape: tuple[int, ...], size: int) -> int:
    """A .npy file of zeros with its room on the disk taken; returns where the numbers begin."""
    with path.open("xb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(np.dtype(float)), "fortran_order": False, "shape": shape}
        )
        start = file.tell()
        if hasattr(os, "posix_fallocate"):
            file.flush()
            os.posix_fallocate(file.fileno(), 0, max(1, start + size))
        else:
            file.truncate(start + size)
    return start


def _data_offset(file: Any) -> int:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return int(file.tell())


def _other(prefix: Path, why: str) -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E668", f"the files `{prefix}.*` cannot be written: {why}",
            hint="`--resume` goes on with files of the same kernel; else remove them, or give another `--out`",
        )
    )  # fmt: skip


def _no_room(prefix: Path, needed: int, free: int) -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E670", f"the kernels take {needed / 1e9:.3g} GB, and the disk of `{prefix}` has {free / 1e9:.3g} GB left",
            hint="give another disk with `--out`, fewer rows, or `--nngp` for that kernel alone",
        )
    )  # fmt: skip


@contextmanager
def _locked(prefix: Path) -> Iterator[None]:
    """One process writes to a prefix; the lock goes with the process, however it ends."""
    path = prefix.with_name(f"{prefix.name}.lock")
    try:
        import fcntl
    except ImportError:  # no such locks here
        yield
        return
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NetsorError(
                Diagnostic(
                    "E669", f"another process is writing the files `{prefix}.*`",
                    hint="wait for it, or give another `--out`",
                )
            ) from None  # fmt: skip
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


# --- work -----------------------------------------------------------------------------------------------------------


def _estimate(plan: Plan, tiles: int, left: int, workers: int) -> Estimate:
    """The time from that of a small kernel, second call, since the first one thinks about the network."""
    n, m = plan.shape[:2]
    small = Plan(plan.network, plan.rows[:_TRIED], None, plan.nngp_alone, _TRIED, plan.tol)
    pairs = len(small.rows) * (len(small.rows) + 1) / 2
    seconds = 0.0
    if left:
        small.compute(0, 0)
        begun = time.monotonic()
        small.compute(0, 0)
        every = n * (n + 1) / 2 if plan.columns is None else n * m
        seconds = (time.monotonic() - begun) / pairs * every * left / tiles / workers
    return Estimate(n, m, tiles, left, 8 * math.prod(plan.shape) * len(plan.kernels), seconds, workers)


def _work(
    plan: Plan, state: _State, left: list[int], workers: int, progress: Callable[[str], None] | None
) -> list[Diagnostic]:
    tiles, said, begun = plan.tiles, [], time.monotonic()

    def finished(k: int, found: _Done, count: int) -> None:
        if found[0] == "fault":
            raise NetsorError(found[1])
        state.mark(k, found[1])
        said.extend(found[2])
        if progress:
            seconds = (time.monotonic() - begun) / count * (len(left) - count)
            progress(f"tile {count} of {len(left)}, {duration(seconds)} left")

    if workers == 1:
        for count, k in enumerate(left, start=1):
            finished(k, _tile(plan, state.files, state.offsets, *tiles[k]), count)
        return [d for d in said if d.code != "W901"]
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(plan, state.files, state.offsets)
    )
    try:
        waiting: dict[Future[_Done], int] = {}
        queue = iter(left)
        count = 0
        while True:
            # Few tiles wait at a time, so that an interruption loses little.
            for k in itertools.islice(queue, max(0, 2 * workers - len(waiting))):
                waiting[pool.submit(_tile_of_worker, *tiles[k])] = k
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                count += 1
                finished(waiting.pop(future), future.result(), count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [d for d in said if d.code != "W901"]


# A tile that was written, with its largest errors and entries, or what is wrong.
_Done = tuple[str, Any, Any]
_GIVEN: list[Any] = []


def _begin(*given: Any) -> None:
    """Of a worker: what all its tiles are of."""
    _GIVEN[:] = given


def _tile_of_worker(i: int, j: int) -> _Done:
    plan, files, offsets = _GIVEN
    return _tile(plan, files, offsets, i, j)


def _tile(plan: Plan, files: dict[str, Path], offsets: dict[str, int], i: int, j: int) -> _Done:
    """Computes a tile and writes it, and of a symmetric kernel its mirror image."""
    try:
        found, said = plan.compute(i, j)
    except NetsorError as fault:
        return ("fault", tuple(fault.diagnostics), ())
    width = math.prod(plan.shape[1:])
    inner = math.prod(plan.shape[2:])
    for (value, _), (name, path) in zip(found, files.items(), strict=True):
        with path.open("r+b") as file:
            _write(file.fileno(), offsets[name], value, i, j * inner, width)
            if plan.columns is None and i != j:
                mirror = value.T if value.ndim == 2 else value.transpose(1, 0, 3, 2)
                _write(file.fileno(), offsets[name], mirror, j, i * inner, width)
    largest = [(float(e.max(initial=0.0)), float(np.abs(v).max(initial=0.0))) for v, e in found]
    return ("done", largest, said)


def _write(file: int, offset: int, values: Array, row: int, column: int, width: int) -> None:
    for k, line in enumerate(np.ascontiguousarray(values)):
        data = line.tobytes()
        at = offset + 8 * ((row + k) * width + column)
        while data:
            written = os.pwrite(file, data, at)
            data, at = data[written:], at + written


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

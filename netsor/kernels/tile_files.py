"""The files of kernels that are written tile by tile: made whole, locked, and filled as tiles are finished.

Beside the files PREFIX.nngp.npy and PREFIX.ntk.npy stand PREFIX.tiles.npy, with the largest error and the largest
entry of every tile that is written, NaN where it is not, and PREFIX.json, which says what the files are the kernels
of.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived

Array = np.ndarray


@dataclass
class TileFiles:
    """The files, and what is done: the largest error and the largest entry (tiles, kernels, 2), NaN where not done."""

    files: dict[str, Path]
    record: Path
    offsets: dict[str, int]
    shape: tuple[int, ...]
    done: Array

    def write(
        self, k: int, corner: tuple[int, int], values: Sequence[Array], errors: Sequence[float], *, mirror: bool
    ) -> None:
        """Tile number k, a block of values with its largest error for each kernel; with `mirror` its transpose too."""
        width, inner = math.prod(self.shape[1:]), math.prod(self.shape[2:])
        row, column = corner
        for value, (name, path) in zip(values, self.files.items(), strict=True):
            with path.open("r+b") as file:
                _write(file.fileno(), self.offsets[name], value, row, column * inner, width)
                if mirror:
                    turned = value.T if value.ndim == 2 else value.transpose(1, 0, 3, 2)
                    _write(file.fileno(), self.offsets[name], turned, column, row * inner, width)
        sizes = [float(np.abs(v).max(initial=0.0)) for v in values]
        self.done[k] = list(zip(errors, sizes, strict=True))
        with self.record.open("r+b") as file:
            os.pwrite(file.fileno(), self.done[k].tobytes(), self.offsets[""] + k * self.done[k].nbytes)

    def sync(self) -> None:
        for path in (*self.files.values(), self.record):
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def _write(file: int, offset: int, values: Array, row: int, column: int, width: int) -> None:
    for k, line in enumerate(np.ascontiguousarray(values)):
        data = line.tobytes()
        at = offset + 8 * ((row + k) * width + column)
        while data:
            written = os.pwrite(file, data, at)
            data, at = data[written:], at + written


def open_files(
    prefix: Path, kernels: Sequence[str], shape: tuple[int, ...], tiles: int, about: dict[str, Any], *, resume: bool
) -> TileFiles:
    """The files of kernels of a shape, made or, with `resume`, found; `about` is what the numbers depend on.

    Raises NetsorError: files that are there already or are of something else (E668), no room on the disk (E670).
    """
    files = {k: prefix.with_name(f"{prefix.name}.{k}.npy") for k in kernels}
    record, named = (prefix.with_name(f"{prefix.name}.{end}") for end in ("tiles.npy", "json"))
    there = [p for p in (*files.values(), record, named) if p.exists()]
    offsets: dict[str, int] = {}
    if resume and named.exists():
        try:
            known = json.loads(named.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if known != about or len(there) < len(files) + 2:
            raise NetsorError(
                derived.kernel_files(prefix, "they belong to another network, other rows or other options")
            )
        done = np.load(record)
        for name, path in (*files.items(), ("", record)):
            with path.open("rb") as file:
                offsets[name] = _data_offset(file)
        return TileFiles(files, record, offsets, shape, done)
    if there:
        begun = "an earlier call was stopped before it began" if resume and record in there else ""
        raise NetsorError(derived.kernel_files(prefix, begun or "they are there already"))
    size = 8 * math.prod(shape)
    free = shutil.disk_usage(prefix.parent).free
    if len(files) * size > free:
        raise NetsorError(derived.no_room(prefix, len(files) * size, free))
    try:
        for name, path in files.items():
            offsets[name] = _allocate(path, shape, size)
        done = np.full((tiles, len(files), 2), np.nan)
        np.save(record, done)
        with record.open("rb") as file:
            offsets[""] = _data_offset(file)
        # The last file to be written: without it there is nothing to resume.
        named.write_text(json.dumps(about), encoding="utf-8")
    except OSError as fault:
        for path in (*files.values(), record, named):
            path.unlink(missing_ok=True)
        if fault.errno in (28, 122):  # ENOSPC, EDQUOT
            raise NetsorError(
                derived.no_room(prefix, len(files) * size, shutil.disk_usage(prefix.parent).free)
            ) from None
        raise
    return TileFiles(files, record, offsets, shape, done)


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


@contextmanager
def locked(prefix: Path) -> Iterator[None]:
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
            raise NetsorError(derived.kernel_files_in_use(prefix)) from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

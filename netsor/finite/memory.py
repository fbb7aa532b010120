"""The memory that a run will take, computed before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from netsor.core import Moment
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue.finite import too_little_memory
from netsor.diagnostics.catalogue.words import whole
from netsor.finite.initial import Initial
from netsor.finite.plan import Plan
from netsor.finite.streams import CHUNK
from netsor.finite.sweep import BLOCK

# How many intermediate float64 vectors of one ψ a device holds at once.
DEVICE_SCRATCH = 8
# Bytes of address space that a run takes beside its arrays, as stacks of threads and mapped libraries.
RESERVE = 100_000_000


def available() -> int:
    """The bytes that can be allocated without swapping, within the limits of a container."""
    return max(0, min([_meminfo(), *_container(), *_process()]))


def _process() -> Iterator[int]:
    """What is left of the limit of this process (`ulimit -v`)."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            yield limit - used - RESERVE
    except (ImportError, OSError, ValueError):
        return


CGROUPS = Path("/sys/fs/cgroup")


def _container() -> Iterator[int]:
    """What the limits of a container leave; the file cache counts as free, since the system reclaims it when needed."""
    for folder, limit, used, cache in (
        (CGROUPS, "memory.max", "memory.current", "inactive_file"),
        (CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            left = int((folder / limit).read_text()) - int((folder / used).read_text())
            stat = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines())
            yield left + int(stat.get(cache, 0))
        except (OSError, ValueError):
            continue


def _meminfo() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 0.8)
    except (AttributeError, ValueError, OSError):
        return 1 << 62


def peak_vectors(plan: Plan, dense: bool) -> tuple[int, int]:
    """The most vectors that exist at once, including the copies that a product makes, and the most matrices."""
    live: set[str] = set()
    matrices: set[str] = set()
    most = most_matrices = 0
    for stage in plan.stages:
        live |= stage.kept
        most = max(most, len(live))
        live -= set(stage.free_sweep)
        for p in stage.products:
            matrices.add(p.matrix)
            most_matrices = max(most_matrices, len(matrices))
            # The dense engine copies the k arguments of a batch into one array and its k results out of one; the lazy
            # engine needs a few vectors of scratch.
            k = len(p.names)
            most = max(most, len(live) + ((3 * k if k > 1 else 2) if dense else k + 3))
            live |= set(p.names)
        live -= set(stage.free)
        matrices -= set(stage.free_matrices)
    return most, most_matrices


def estimate(
    plan: Plan,
    initial: Mapping[int, Initial],
    n: int,
    itemsize: int,
    engine: str,
    threads: int,
    on_device: bool = False,
) -> int:
    """A bound on the bytes that a run of one draw allocates; `on_device` says that sweeps run over whole vectors."""
    vectors, matrices = peak_vectors(plan, engine == "dense")
    steps = max((len(s.body) for s in plan.stages), default=0)
    # One float64 for each block and MOMENT, added up at the end of the sweep.
    sums = max((sum(isinstance(i, Moment) for i in s.body) for s in plan.stages), default=0) * (n // BLOCK + 1) * 8
    blocks = threads * (max((i.block_bytes() for i in initial.values()), default=0) + BLOCK * 8 * (steps + 40))
    total = sums + vectors * n * itemsize + min(blocks, n * 8 * 200 + blocks // threads)
    if on_device:
        # Drawn vectors exist on the host and on the device, computed ones as a whole, and ψ needs a few float64
        # vectors.
        whole_vectors = max((2 * len(s.draws) + len(s.body) for s in plan.stages), default=0)
        total += whole_vectors * n * itemsize + DEVICE_SCRATCH * n * 8
    if engine == "dense":
        return total + matrices * n * n * itemsize + (threads * 8 * max(4 * CHUNK, n) if matrices else 0)
    return total + basis_rows(plan, n) * n * itemsize + small_matrices(plan, n)


def basis_rows(plan: Plan, n: int) -> int:
    """The number of vectors that the lazy engine keeps: a direction and the normals of its product for each query."""
    return sum(2 * min(count, n) for count in plan.queries().values())


def small_matrices(plan: Plan, n: int) -> int:
    """The bytes of the numbers that the lazy engine keeps of its vectors (`netsor.finite.lazy.Side`)."""
    counts = {at: min(count, n) for at, count in plan.queries().items()}
    own = sum(2 * q * q for q in counts.values())
    return 8 * (own + 3 * sum(counts.get((m, False), 0) * counts.get((m, True), 0) for m in plan.matrices()))


def text(size: int | float) -> str:
    """A size with its unit, such as 3.2 GB."""
    if size >= 10**21:
        return f"{whole(int(size))} bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} EB"


def refuse(program: str, n: int, needs: Mapping[str, int], limit: int, widest: Mapping[str, int]) -> NetsorError:
    """The error for a run that does not fit the memory; `widest` has the largest width that fits for each engine."""
    best = min(needs, key=lambda e: needs[e])
    engines = {engine: text(size) for engine, size in needs.items()}
    return NetsorError(too_little_memory(program, n, engines[best], text(limit), engines, widest))

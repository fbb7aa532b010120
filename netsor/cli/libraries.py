"""The libraries of linear algebra, loaded while there is memory for them.

Where memory is limited (`ulimit -v`), OpenBLAS asks again without an end for what it was refused, in numpy, in scipy
and in its threads. So what it takes is taken at the start, or these libraries are not loaded at all.
"""

from __future__ import annotations

import mmap
import os
import sys
from importlib.abc import MetaPathFinder

# Bytes of address space that numpy or scipy take at most, and each of their threads with its stack.
_LIBRARY, _THREAD = 96_000_000, 48_000_000
# What is left for the work itself; with less, a command that needs no scipy is better off without it.
_WORK = 128_000_000
# The order of matrices that are large enough for all threads to begin.
_ORDER = 256


def take_memory_for_libraries() -> None:
    """Load numpy and scipy in a process of limited memory; what has no room there cannot be imported later."""
    if not _is_limited():
        return
    threads = _threads()
    for name, work in (("numpy", 0), ("scipy", _WORK)):
        try:
            mmap.mmap(-1, _LIBRARY + threads * _THREAD + work).close()
        except (OSError, MemoryError, ValueError):
            sys.meta_path.insert(0, _NoRoomFor(name))
            continue
        import numpy as np

        matrix = np.eye(_ORDER)
        if name == "numpy":
            matrix @ matrix
        else:
            from scipy.linalg import cholesky

            cholesky(matrix)


class _NoRoomFor(MetaPathFinder):
    """Refuses to import a package for lack of memory."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name.partition(".")[0] == self.package:
            raise MemoryError


def _threads() -> int:
    """How many threads OpenBLAS begins."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if (given := os.environ.get(name, "")).isdecimal() and int(given):
            return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_limited() -> bool:
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY

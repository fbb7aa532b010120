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
# The order of matrices that are large enough for all threads to begin.
_ORDER = 256


def take_memory_for_libraries() -> None:
    """Load numpy and scipy in a process of limited memory; what has no room there cannot be imported later."""
    if not _is_limited():
        return
    threads = os.cpu_count() or 1
    for name in ("numpy", "scipy"):
        try:
            mmap.mmap(-1, _LIBRARY + threads * _THREAD).close()
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


def _is_limited() -> bool:
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY

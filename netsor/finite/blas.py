"""How many threads the BLAS of numpy uses.

The threads of a run share the stripes of a product among them, so that a BLAS with threads of its own would compete
with them, and the order of its sums would depend on how many there are.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

# The spellings of OpenBLAS's functions: numpy's wheels have a prefix, and a suffix for 64-bit integers.
_SPELLINGS = tuple(
    (f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
    for prefix in ("scipy_", "")
    for suffix in ("64_", "")
)

_lock = Lock()
_users = 0
_before = 1


@cache
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """OpenBLAS's functions for the number of its threads, or None where numpy has another BLAS."""
    try:
        # The symbols of the libraries that numpy's extension module is linked with are found through the module.
        library = ctypes.CDLL(sys.modules["numpy._core._multiarray_umath"].__file__)
    except (KeyError, OSError, TypeError):
        return None
    for get, put in _SPELLINGS:
        if hasattr(library, get) and hasattr(library, put):
            return getattr(library, get), getattr(library, put)
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenBLAS use one thread for each call until the last such `with` ends; another BLAS stays as it is."""
    global _users, _before
    functions = _functions()
    if functions is None:
        yield
        return
    get, put = functions
    with _lock:
        if not _users:
            _before = get()
            put(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                put(_before)

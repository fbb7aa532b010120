"""Arrays that a run is done with, to be written again.

The system clears memory before it hands it out, at a rate near that of drawing normals: a vector that is written into
memory of an earlier one, of this draw or of the one before, costs no more than the writing.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Spare:
    """Uninitialised arrays, new or used; there are never more than were in use at once."""

    def __init__(self) -> None:
        self._free: dict[tuple[Any, ...], list[Array]] = defaultdict(list)
        self._in_use: dict[tuple[Any, ...], int] = defaultdict(int)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialised array of this shape."""
        key = shape, np.dtype(dtype)
        self._in_use[key] += 1
        return self._free[key].pop() if self._free[key] else np.empty(shape, dtype)

    def keep(self, x: Any) -> None:
        """Use an array again, unless something else than the caller's expression still refers to it or to a part."""
        # One reference is that of this function, one that of the call below.
        if isinstance(x, np.ndarray) and x.base is None and sys.getrefcount(x) <= 2:
            key = x.shape, x.dtype
            if self._in_use[key]:
                self._in_use[key] -= 1
                self._free[key].append(x)

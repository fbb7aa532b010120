"""Random draws that depend on a seed and a name alone (Setup B.2).

Every named variable owns a sequence of substreams, one for each stretch of `CHUNK` numbers, so that a draw is the
same whatever the order, the number of threads or the other variables asked for. Normals are drawn in float64 and
rounded: float32 costs nothing less to draw, and both precisions see one set of draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

# A substream costs 20 µs to set up and 0.7 ms to use up.
CHUNK = 1 << 16

Array = np.ndarray[Any, Any]


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[int, ...]:
    digest = blake2b(text.encode(), digest_size=16).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


def spans(total: int, size: int) -> Iterator[tuple[int, int]]:
    """The consecutive ranges [lo, hi) of at most `size` numbers that make up `total`."""
    for lo in range(0, total, size):
        yield lo, min(lo + size, total)


@dataclass(frozen=True)
class Streams:
    """The draws of one seed at one width: `seed` is the run's, `index` counts the draws of a run."""

    seed: int
    index: int
    width: int

    def generator(self, name: str, chunk: int) -> np.random.Generator:
        """The generator of one stretch of a named variable."""
        # The width is part of the key: runs at several widths are then independent of each other.
        key = [*_split(self.seed), *_split(self.index), *_split(self.width), *_words(name), *_split(chunk)]
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))

    def normals(self, name: str, chunk: int, count: int) -> Array:
        """The first `count` ≤ `CHUNK` standard normals of one stretch."""
        return self.generator(name, chunk).standard_normal(count)


def _split(value: int) -> tuple[int, int]:
    # Two words of fixed place, so that no two keys can run into each other.
    return value & 0xFFFFFFFF, (value >> 32) & 0xFFFFFFFF

"""Random draws that depend on the seed, the draw, the width and a name alone (Setup B.2).

Every named variable owns a sequence of substreams, one for each stretch of `CHUNK` numbers, so that a draw does not
depend on the order, the number of threads or the other variables asked for. Normals are drawn in float64 and then
rounded: float32 would not be faster to draw, and both precisions use the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

# Numbers in a substream; setting one up takes 20 µs, and drawing all its numbers 0.7 ms.
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
    """The streams of one draw at one width: `seed` is the run's, and `index` the number of the draw in the run."""

    seed: int
    index: int
    width: int

    def generator(self, name: str, chunk: int) -> np.random.Generator:
        """The generator of one stretch of a named variable."""
        # The width is part of the key, so that runs at several widths are independent of each other.
        key = [*_split(self.seed), *_split(self.index), *_split(self.width), *_words(name), *_split(chunk)]
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))

    def normals(self, name: str, chunk: int, count: int) -> Array:
        """The first `count` ≤ `CHUNK` standard normals of one stretch."""
        return self.generator(name, chunk).standard_normal(count)


def fill(generator: np.random.Generator, out: Array) -> None:
    """Fill `out` with the next standard normals of a generator."""
    if out.dtype == np.float64:
        generator.standard_normal(out=out)
    else:
        out[:] = generator.standard_normal(len(out))


def _split(value: int) -> tuple[int, int]:
    # Always two words, so that two different lists of numbers cannot give the same key.
    return value & 0xFFFFFFFF, (value >> 32) & 0xFFFFFFFF

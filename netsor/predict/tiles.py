"""A kernel of many rows on disk, of which products read some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netsor.predict.rounding import PANEL, UNIT, Array, in_panels

# Bytes of a kernel that are in memory at a time.
_AT_ONCE = 2**28


@dataclass(frozen=True)
class Stored:
    """A kernel (N, N) or (N, N, q, q) in a .npy file, with one bound on the errors of all its entries."""

    path: Path
    error: float


@dataclass(frozen=True)
class Tiles:
    """D K D for the kernel K of a group of outputs, output after output in each row, and a diagonal D.

    It has what `Matrix` has, without the matrix: |entry − truth| ≤ error d_i d_j.
    """

    stored: Stored
    group: tuple[int, ...]
    diagonal_of_scale: Array
    _array: Array = field(repr=False)

    @classmethod
    def of(cls, stored: Stored, group: list[int]) -> Tiles:
        array = np.load(stored.path, mmap_mode="r")
        return cls(stored, tuple(group), np.ones(len(array) * len(group)), array)

    def __len__(self) -> int:
        return len(self.diagonal_of_scale)

    def scaled(self, d: Array) -> Tiles:
        return Tiles(self.stored, self.group, self.diagonal_of_scale * d, self._array)

    @property
    def spread(self) -> Array:
        """φ with error ≤ φ φᵀ, entry by entry."""
        return np.sqrt(self.stored.error) * self.diagonal_of_scale * (1 + 2 * UNIT)

    @property
    def scales(self) -> Array:
        """σ with |value| ≤ σ σᵀ: K is positive semidefinite to within its error."""
        return np.sqrt(self.diagonal() + self.stored.error * self.diagonal_of_scale**2) * (1 + 4 * UNIT)

    @property
    def distance(self) -> float:
        """A bound on ‖value − truth‖₂."""
        return float(self.spread @ self.spread) * (1 + len(self) * UNIT)

    @property
    def norm(self) -> float:
        """A bound on ‖value‖₂, the trace and the error."""
        return float(self.scales @ self.scales) * (1 + len(self) * UNIT)

    def diagonal(self) -> Array:
        array, group = self._array, list(self.group)
        i = np.arange(len(array))
        own = np.array(array[i, i])
        own = own[:, group, group].ravel() if array.ndim == 4 else own
        return np.maximum(own, 0.0) * self.diagonal_of_scale**2

    def column(self, k: int) -> Array:
        row, place = divmod(k, len(self.group))
        found = np.array(self._array[row])
        if found.ndim == 3:
            found = found[:, self.group[place], list(self.group)].ravel()
        return np.asarray(found * self.diagonal_of_scale * self.diagonal_of_scale[k])

    @property
    def depth(self) -> int:
        """Operations behind an entry of a product: a sum of some rows or of a panel, and then of these."""
        rows = self._rows * len(self.group)
        return min(max(rows, PANEL), len(self)) + len(self) // PANEL + len(self) // rows + 8

    @property
    def _rows(self) -> int:
        """Rows that are read at once."""
        return max(1, _AT_ONCE // (8 * self._array[0].size)) if len(self._array) else 1

    def times(self, x: Array) -> Array:
        """The product with columns x, for which entries on and below the diagonal are read."""
        width, d = len(self.group), self.diagonal_of_scale[:, None]
        scaled, out = d * x, np.zeros_like(x)
        for i in range(0, len(self._array), self._rows):
            block = np.asarray(self._array[i : i + self._rows, : i + self._rows])
            if block.ndim == 4:
                group = list(self.group)
                block = block[:, :, group][..., group].transpose(0, 2, 1, 3).reshape(len(block) * width, -1)
            start = i * width
            own = slice(start, start + len(block))
            for j in range(0, start, PANEL):
                panel = slice(j, min(j + PANEL, start))
                out[panel] += block[:, panel].T @ scaled[own]
            out[own] += in_panels(block, scaled[: own.stop])
        return np.asarray(d * out)

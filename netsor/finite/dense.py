"""Products with the matrix itself (Setup B.2): W is drawn when first needed and dropped after its last product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.finite.initial import draw_matrix
from netsor.finite.plan import Product
from netsor.finite.streams import Array, Streams
from netsor.finite.workers import Workers


class Dense:
    """The matrices of one seed; `given` replaces draws by arrays of shape (n, n)."""

    name = "dense"

    def __init__(
        self,
        program: Program,
        streams: Streams,
        dtype: Any,
        workers: Workers,
        given: Mapping[str, Array],
    ):
        self._program, self._streams, self._dtype, self._workers = program, streams, dtype, workers
        self._given = given
        self._matrix: dict[str, Array] = {}

    def multiply(self, p: Product, xs: list[Array]) -> list[Array]:
        """W x for each x, or Wᵀ x of the same W, as one product of matrices; shapes (n,)."""
        w = self._matrix.get(p.matrix)
        if w is None:
            w = self._matrix[p.matrix] = self._draw(p.matrix)
        self._workers.check()
        with np.errstate(all="ignore"):
            if len(xs) == 1:
                return [xs[0] @ w if p.transposed else w @ xs[0]]
            rows = np.stack(xs)
            out = rows @ (w if p.transposed else w.T)
        return [row.copy() for row in out]

    def _draw(self, name: str) -> Array:
        if name in self._given:
            return np.asarray(self._given[name], self._dtype)
        m = self._program.matrix[name]
        return draw_matrix(self._streams, name, m.variance, self._dtype, self._workers)

    def release(self, name: str) -> None:
        """Forget a matrix that no product needs any more."""
        self._matrix.pop(name, None)

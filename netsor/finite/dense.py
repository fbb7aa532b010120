"""Products with the matrix itself (Setup B.2); W is drawn at its first product and dropped after its last."""

from __future__ import annotations

from collections.abc import Mapping
from math import ldexp, sqrt
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.finite.initial import draw_matrix
from netsor.finite.plan import Product
from netsor.finite.scales import exponent, largest, times_power
from netsor.finite.streams import Array, Streams, spans
from netsor.finite.workers import Workers

# Rows of a matrix that are changed at once.
ROWS = 1024


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
        self._matrix: dict[str, tuple[Array, int]] = {}

    def multiply(self, p: Product, xs: list[Array]) -> list[Array]:
        """W x for each x, or Wᵀ x for each x, computed as one product of matrices; shapes (n,)."""
        w, s = self._drawn(p.matrix)
        self._workers.check()
        with np.errstate(all="ignore"):
            powers = [exponent(largest(x), self._dtype) for x in xs]
            xs = [times_power(x, -e) for x, e in zip(xs, powers, strict=True)]
            if len(xs) == 1:
                out = [xs[0] @ w if p.transposed else w @ xs[0]]
            else:
                out = [row.copy() for row in np.stack(xs) @ (w if p.transposed else w.T)]
            return [times_power(y, e + s) for y, e in zip(out, powers, strict=True)]

    def add(self, name: str, scale: float, a: Array, b: Array) -> None:
        """W := W + scale Σ_i a_i b_iᵀ over the rows of a and b."""
        w, s = self._drawn(name)
        for lo, hi in spans(len(w), ROWS):
            w[lo:hi] += (a[:, lo:hi].T * w.dtype.type(scale * 2.0**-s)) @ b

    def _drawn(self, name: str) -> tuple[Array, int]:
        found = self._matrix.get(name)
        if found is None:
            found = self._matrix[name] = drawn_or_given(
                self._program, self._streams, name, self._dtype, self._workers, self._given
            )
        return found

    def release(self, name: str) -> None:
        """Drop a matrix that no later product needs."""
        if name in self._matrix:
            self._workers.spare.keep(self._matrix.pop(name)[0])


def drawn_or_given(
    program: Program, streams: Streams, name: str, dtype: Any, workers: Workers, given: Mapping[str, Array]
) -> tuple[Array, int]:
    """The pair of the array 2^-s W and the exponent s, where W is drawn, or given by the caller (Setup B.2)."""
    if name in given:
        return np.asarray(given[name], dtype), 0
    variance = program.matrix[name].variance
    s = exponent(sqrt(variance), dtype)
    return draw_matrix(streams, name, ldexp(variance, -2 * s), dtype, workers), s

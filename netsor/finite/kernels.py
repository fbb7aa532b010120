"""Inner products and linear combinations of long rows, in which the lazy engine spends most of its time.

Rows are worked on in stripes of columns, and a stripe in pieces so small that the BLAS uses one thread for each. The
threads can then share the stripes, and the order of every sum is fixed, however many threads there are. Sums over
stripes are added in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netsor.finite.scales import largest
from netsor.finite.streams import CHUNK, Array, Streams, spans
from netsor.finite.workers import Workers

# The most entries of a piece: OpenBLAS uses several threads for a matrix–vector product of 9216 entries or more.
PIECE = 9000


def stripe(rows: int) -> int:
    """How many columns of so many rows are worked on at a time; they should stay in a cache between two uses."""
    return max(2048, min(16384, (1 << 18) // max(rows, 1) // 1024 * 1024))


def _pieces(rows: int, columns: int) -> tuple[int, int]:
    """The width of a piece, and the number of whole pieces in a stripe."""
    width = max(16, PIECE // max(rows, 1) // 16 * 16)
    if columns <= width:
        return columns, 1
    return width, columns // width


def _dots(x: Array, basis: Array) -> Array:
    """⟨x_i, basis_j⟩ over one stripe; (q, t)."""
    t, columns = basis.shape
    q = len(x)
    width, count = _pieces(t, columns)
    if columns == width:
        return np.matmul(x, basis.T).astype(np.float64, copy=False)
    whole = width * count
    stack = basis[:, :whole].reshape(t, count, width).transpose(1, 0, 2)
    columns_of_x = x[:, :whole].reshape(q, count, width).transpose(1, 2, 0)
    total = np.matmul(stack, columns_of_x).sum(axis=0, dtype=np.float64).T
    if whole < columns:
        total = total + np.matmul(x[:, whole:], basis[:, whole:].T)
    return total


def _combine(c: Array, basis: Array) -> Array:
    """Σ_j c_ij basis_j over one stripe; (q, columns)."""
    t, columns = basis.shape
    width, count = _pieces(t, columns)
    if columns == width:
        return np.matmul(c, basis)
    whole = width * count
    out = np.empty((len(c), columns), basis.dtype)
    stack = basis[:, :whole].reshape(t, count, width).transpose(1, 0, 2)
    np.matmul(c, stack, out=out[:, :whole].reshape(len(c), count, width).transpose(1, 0, 2))
    if whole < columns:
        np.matmul(c, basis[:, whole:], out=out[:, whole:])
    return out


class Kernels:
    """Operations on numpy arrays of one precision, shared among the workers of a run.

    `netsor.finite.device.DeviceKernels` has the same operations for other arrays.
    """

    def __init__(self, workers: Workers, dtype: Any):
        self._workers = workers
        self.dtype = np.dtype(dtype)
        self.eps = float(np.finfo(dtype).eps)

    def empty(self, rows: int, n: int) -> Array:
        """Uninitialised rows; the system gives them memory only when they are written."""
        return np.empty((rows, n), self.dtype)

    def constant(self, n: int, value: float) -> Array:
        """A vector whose coordinates all equal `value`."""
        return np.full(n, value, self.dtype)

    def largest(self, x: Array) -> float:
        """max |x_α|, or NaN where a coordinate is NaN."""
        return largest(x)

    def multiply(self, x: Array, factor: float) -> None:
        """x := factor x."""
        x *= x.dtype.type(factor)

    def divide(self, x: Array, divisor: float, out: Array) -> None:
        """out := x / divisor."""
        np.divide(x, x.dtype.type(divisor), out=out)

    def normals(self, streams: Streams, names: list[str], rows: Array) -> None:
        """Independent standard normals into each row, from the substreams of its name."""
        stretches = list(enumerate(spans(rows.shape[1], CHUNK)))
        tasks = [(row, name, k, lo, hi) for row, name in zip(rows, names, strict=True) for k, (lo, hi) in stretches]

        def fill(i: int) -> None:
            row, name, k, lo, hi = tasks[i]
            row[lo:hi] = streams.normals(name, k, hi - lo)

        self._workers.each(len(tasks), fill)

    def inner(self, x: Array, basis: Array) -> Array:
        """All inner products ⟨x_i, basis_j⟩, float64; shape (q, t)."""
        ranges = list(spans(x.shape[1], stripe(len(basis))))
        parts = np.zeros((len(ranges), len(x), len(basis)))

        def work(i: int) -> None:
            lo, hi = ranges[i]
            parts[i] = _dots(x[:, lo:hi], basis[:, lo:hi])

        self._workers.each(len(ranges), work)
        return parts.sum(axis=0)

    def project(self, x: Array, basis: Array, c: Array) -> Array:
        """Subtract Σ_j c_ij basis_j from each row of `x`, and return the inner products of the remainder."""
        ranges = list(spans(x.shape[1], stripe(len(basis))))
        parts = np.zeros((len(ranges), *c.shape))
        factors = c.astype(x.dtype)

        def work(i: int) -> None:
            lo, hi = ranges[i]
            part, columns = x[:, lo:hi], basis[:, lo:hi]
            part -= _combine(factors, columns)
            parts[i] = _dots(part, columns)

        self._workers.each(len(ranges), work)
        return parts.sum(axis=0)

    def add(self, x: Array, basis: Array, c: Array, scale: float = 1.0) -> None:
        """x_i := scale x_i + Σ_j c_ij basis_j."""
        ranges = list(spans(x.shape[1], stripe(len(basis))))
        factors = c.astype(x.dtype)
        factor = x.dtype.type(scale)

        def work(i: int) -> None:
            lo, hi = ranges[i]
            part = x[:, lo:hi]
            if scale != 1.0:
                part *= factor
            part += _combine(factors, basis[:, lo:hi])

        self._workers.each(len(ranges), work)

    def combine(self, c: Array, basis: Array) -> list[Array]:
        """Σ_j c_ij basis_j as separate arrays, so that the memory of each can be freed alone."""
        n = basis.shape[1]
        out = [np.empty(n, basis.dtype) for _ in c]
        ranges = list(spans(n, stripe(len(basis))))
        factors = c.astype(basis.dtype)

        def work(i: int) -> None:
            lo, hi = ranges[i]
            for y, part in zip(out, _combine(factors, basis[:, lo:hi]), strict=True):
                y[lo:hi] = part

        self._workers.each(len(ranges), work)
        return out

    def norms(self, x: Array) -> Array:
        """Euclidean norms of rows, float64; (q,)."""
        ranges = list(spans(x.shape[1], CHUNK))
        parts = np.zeros((len(ranges), len(x)))

        def work(i: int) -> None:
            lo, hi = ranges[i]
            part = x[:, lo:hi]
            parts[i] = np.einsum("ij,ij->i", part, part)

        self._workers.each(len(ranges), work)
        return np.sqrt(parts.sum(axis=0))

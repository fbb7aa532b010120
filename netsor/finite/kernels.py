"""Inner products and linear combinations of long rows, in which the lazy engine spends most of its time.

Rows are worked on in stripes of columns that the threads of a run share. What is done with a stripe is done while it is
in a cache, and the order of every sum is fixed, however many threads there are. Sums over stripes are added in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsor.finite.blas import one_thread
from netsor.finite.scales import largest, times_power
from netsor.finite.streams import CHUNK, Array, Streams, fill, spans
from netsor.finite.workers import Workers

# Columns worked on at a time where each entry is used once: long enough for products to be fast, and few enough for the
# threads to share. It divides CHUNK.
STRIPE = 1 << 14
# Entries of a stripe that is used twice: they should stay in a cache from one use to the next.
CACHED = 1 << 17


def cached_stripe(rows: int) -> int:
    """How many columns of so many rows are worked on at a time where each entry is used twice; a power of 2."""
    width = STRIPE
    while width > 1 << 11 and width * rows > CACHED:
        width //= 2
    return width


def _dots(x: Array, basis: Array) -> Array:
    """⟨x_i, basis_j⟩ over one stripe; (q, t)."""
    # A product with one vector runs at the speed of the memory; one of two matrices copies its arguments first.
    return (basis @ x[0])[None, :] if len(x) == 1 else x @ basis.T


def _combine(c: Array, basis: Array) -> Array:
    """Σ_j c_ij basis_j over one stripe; (q, columns)."""
    return (c[0] @ basis)[None, :] if len(c) == 1 else c @ basis


def _squares(x: Array) -> list[float]:
    """‖x_i‖² over one stripe."""
    return [float(row @ row) for row in x]


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
        return self._workers.spare.empty((rows, n), self.dtype)

    def constant(self, n: int, value: float) -> Array:
        """A vector whose coordinates all equal `value`."""
        return np.full(n, value, self.dtype)

    def stacked(self, xs: Sequence[Array]) -> Array:
        """The vectors as the rows of a new array."""
        return np.stack(xs)

    def largest(self, x: Array) -> float:
        """max |x_α|, or NaN where a coordinate is NaN."""
        return largest(x)

    def products(self, xs: Sequence[Array], powers: Sequence[int], basis: Array) -> tuple[Array, Array]:
        """⟨y_i, basis_j⟩, (q, t), and ‖y_i‖², (q,), in float64, where y_i = 2^-power_i x_i."""
        n = basis.shape[1]
        dots, squares = self._sums(len(xs), n, STRIPE, len(basis)), self._sums(len(xs), n, STRIPE)

        def work(k: int, lo: int, hi: int) -> None:
            part = self._part(xs, powers, lo, hi)
            squares[k] = _squares(part)
            dots[k] = _dots(part, basis[:, lo:hi])

        self._stripes(n, STRIPE, work)
        return dots.sum(axis=0), squares.sum(axis=0)

    def project(
        self, xs: Sequence[Array], powers: Sequence[int], out: Array, basis: Array, c: Array, others: Array
    ) -> tuple[Array, Array, Array]:
        """out_i := 2^-power_i x_i − Σ_j c_ij basis_j; returns ⟨out_i, basis_j⟩, ‖out_i‖² and ⟨out_i, others_j⟩.

        Their shapes are (q, t), (q,) and (q, rows of `others`).
        """
        q, n, size = len(xs), out.shape[1], cached_stripe(len(basis))
        dots, squares = self._sums(q, n, size, len(basis)), self._sums(q, n, size)
        along = self._sums(q, n, size, len(others))
        factors = c.astype(self.dtype)

        def work(k: int, lo: int, hi: int) -> None:
            part, columns = out[:, lo:hi], basis[:, lo:hi]
            np.subtract(self._part(xs, powers, lo, hi), _combine(factors, columns), out=part)
            dots[k], squares[k] = _dots(part, columns), _squares(part)
            along[k] = _dots(part, others[:, lo:hi])

        self._stripes(n, size, work)
        return dots.sum(axis=0), squares.sum(axis=0), along.sum(axis=0)

    def inner(self, x: Array, basis: Array) -> Array:
        """All inner products ⟨x_i, basis_j⟩, float64; shape (q, t)."""
        dots = self._sums(len(x), x.shape[1], STRIPE, len(basis))

        def work(k: int, lo: int, hi: int) -> None:
            dots[k] = _dots(x[:, lo:hi], basis[:, lo:hi])

        self._stripes(x.shape[1], STRIPE, work)
        return dots.sum(axis=0)

    def remove(self, x: Array, basis: Array, c: Array) -> Array:
        """x_i := x_i − Σ_j c_ij basis_j; returns ‖x_i‖² of what is left, (q,)."""
        squares = self._sums(len(x), x.shape[1], STRIPE)
        factors = c.astype(x.dtype)

        def work(k: int, lo: int, hi: int) -> None:
            part = x[:, lo:hi]
            part -= _combine(factors, basis[:, lo:hi])
            squares[k] = _squares(part)

        self._stripes(x.shape[1], STRIPE, work)
        return squares.sum(axis=0)

    def fresh(self, streams: Streams, names: Sequence[str], g: Array, basis: Array) -> Array:
        """Standard normals into the rows of `g`, from the substreams of their names; returns ⟨g_i, basis_j⟩, (q, t)."""
        n, size = g.shape[1], cached_stripe(len(g) + len(basis))
        dots = self._sums(len(g), n, CHUNK, len(basis))

        def work(k: int, lo: int, hi: int) -> None:
            generators = [streams.generator(name, k) for name in names]
            for a, z in ((lo + a, lo + z) for a, z in spans(hi - lo, size)):
                for row, generator in zip(g, generators, strict=True):
                    fill(generator, row[a:z])
                dots[k] += _dots(g[:, a:z], basis[:, a:z])

        self._stripes(n, CHUNK, work)
        return dots.sum(axis=0)

    def add(self, x: Array, basis: Array, c: Array, scale: float = 1.0) -> None:
        """x_i := scale x_i + Σ_j c_ij basis_j."""
        factors = c.astype(x.dtype)
        factor = x.dtype.type(scale)

        def work(_: int, lo: int, hi: int) -> None:
            part = x[:, lo:hi]
            if scale != 1.0:
                part *= factor
            part += _combine(factors, basis[:, lo:hi])

        self._stripes(x.shape[1], STRIPE, work)

    def combine(self, c: Array, basis: Array, more: Array, others: Array) -> list[Array]:
        """Σ_j c_ij basis_j + Σ_j more_ij others_j as separate arrays, so that the memory of each can be freed alone."""
        n = basis.shape[1]
        out = [self._workers.spare.empty((n,), basis.dtype) for _ in c]
        factors, further = c.astype(basis.dtype), more.astype(basis.dtype)

        def work(_: int, lo: int, hi: int) -> None:
            if len(out) == 1:
                y = out[0][lo:hi]
                np.matmul(factors[0], basis[:, lo:hi], out=y)
                if len(others):
                    y += further[0] @ others[:, lo:hi]
                return
            parts = factors @ basis[:, lo:hi]
            if len(others):
                parts += further @ others[:, lo:hi]
            for y, part in zip(out, parts, strict=True):
                y[lo:hi] = part

        self._stripes(n, STRIPE, work)
        return out

    def _stripes(self, n: int, size: int, work: Callable[[int, int, int], None]) -> None:
        """Call work(k, lo, hi) for the k-th stripe [lo, hi) of `size` columns, on the threads of the run."""

        def task(k: int) -> None:
            with np.errstate(all="ignore"):
                work(k, k * size, min((k + 1) * size, n))

        with one_thread():
            self._workers.each(-(-n // size), task)

    @staticmethod
    def _part(xs: Sequence[Array], powers: Sequence[int], lo: int, hi: int) -> Array:
        """The stripe [lo, hi) of 2^-power_i x_i; (q, hi − lo)."""
        if len(xs) == 1:
            return np.asarray(times_power(xs[0][lo:hi], -powers[0]))[None, :]
        return np.stack([times_power(x[lo:hi], -e) for x, e in zip(xs, powers, strict=True)])

    @staticmethod
    def _sums(q: int, n: int, size: int, *columns: int) -> Array:
        """Room for what each stripe of q rows adds to a sum."""
        return np.zeros((-(-n // size), q, *columns))

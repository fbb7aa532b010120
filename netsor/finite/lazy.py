"""Products without the matrix, exact in distribution (the principle of deferred decisions).

Condition a matrix W with iid N(0, σ²/n) entries on the products known so far, W v_i = a_i and Wᵀ u_j = b_j with
orthonormal v's and orthonormal u's. A new x is Σ c_i v_i + ρ v with a unit vector v orthogonal to the v's, and

    W x = Σ c_i a_i + ρ W v,     W v = Σ_j u_j ⟨b_j, v⟩ + (σ/√n) (g − Σ_j u_j ⟨u_j, g⟩),     g ~ N(0, I),

because ⟨u_j, W v⟩ = ⟨b_j, v⟩ is known and the component of W v orthogonal to the u's is a fresh Gaussian (the argument
in the proof of the Master Theorem; Y. M. Lu, "Householder Dice", IEEE Trans. Inf. Theory 2021). T products take O(nT)
memory and O(nT²) time.
"""

from __future__ import annotations

from math import ldexp, sqrt

import numpy as np

from netsor.core import Program
from netsor.finite.device import DeviceKernels
from netsor.finite.kernels import Kernels
from netsor.finite.plan import Product
from netsor.finite.scales import exponent, times_power
from netsor.finite.streams import Array, Streams
from netsor.finite.workers import Workers

# What is left of a vector after projection counts as rounding error below this many machine epsilons of its length.
DEPENDENT = 16.0
# A vector that keeps less than this share of its length, once the new directions of its batch are subtracted, has lost
# orthogonality to the old directions through cancellation and is projected again.
LOSS = 0.1


class Side:
    """What is known on one side: orthonormal `directions` v and their `images` W v, in their first `count` rows."""

    def __init__(self, capacity: int, n: int, kernels: Kernels | DeviceKernels):
        self.directions = kernels.empty(capacity, n)
        self.images = kernels.empty(capacity, n)
        self.count = 0


class Asked:
    """The known products of one matrix: side 0 holds directions v with W v, side 1 directions u with Wᵀ u."""

    def __init__(self, variance: float, queries: tuple[int, int], streams: Streams, kernels: Kernels | DeviceKernels):
        self.n = streams.width
        self.streams, self.kernels = streams, kernels
        # The images are those of 2^-power W, whose entries are within a safe range.
        self.power = exponent(sqrt(variance), kernels.dtype)
        self.deviation = sqrt(ldexp(variance, -2 * self.power) / self.n)
        self.sides = tuple(Side(min(q, self.n), self.n, kernels) for q in queries)

    def multiply(self, transposed: bool, names: list[str], xs: list[Array]) -> list[Array]:
        """W x (or Wᵀ x) for each x, as one batch; the fresh Gaussians are drawn from the streams `names`."""
        side, other = self.sides[transposed], self.sides[not transposed]
        sizes = [self.kernels.largest(x) for x in xs]
        asked = [i for i, size in enumerate(sizes) if np.isfinite(size)]
        powers = [exponent(sizes[i], self.kernels.dtype) for i in asked]
        rows = [times_power(xs[i], -e) for i, e in zip(asked, powers, strict=True)]
        out: list[Array | None] = [None] * len(xs)
        known = self._ask(side, other, [names[i] for i in asked], rows) if rows else []
        for i, e, y in zip(asked, powers, known, strict=True):
            out[i] = times_power(y, e + self.power)
        return [self.kernels.constant(self.n, np.nan) if y is None else y for y in out]

    def _ask(self, side: Side, other: Side, names: list[str], xs: list[Array]) -> list[Array]:
        r, q = side.count, len(xs)
        fits = r + q <= side.directions.shape[0]
        work = side.directions[r : r + q, :] if fits else self.kernels.empty(q, self.n)
        for i, x in enumerate(xs):
            work[i, :] = x
        coefficients, fresh = orthogonalise(self.kernels, side, work, self.n)
        m = len(fresh)
        if m:
            self._image(side, other, [names[i] for i in fresh], r)
        side.count = r + m
        images = side.images[: r + m, :]
        if not side.count:
            return [self.kernels.constant(self.n, 0.0) for _ in xs]
        return self.kernels.combine(coefficients, images)

    def _image(self, side: Side, other: Side, names: list[str], r: int) -> None:
        """Rows r… of the images: W v for the new directions v."""
        directions, w = side.directions[r : r + len(names), :], side.images[r : r + len(names), :]
        self.kernels.normals(self.streams, names, w)
        if other.count:
            u, b = other.directions[: other.count, :], other.images[: other.count, :]
            full = other.count == self.n
            deviation = 0.0 if full else self.deviation
            known = self.kernels.inner(directions, b)
            self.kernels.add(w, u, known - deviation * self.kernels.inner(w, u), deviation)
        else:
            self.kernels.multiply(w, self.deviation)


class Lazy:
    """The products with the matrices of one seed, none of which is ever formed."""

    name = "lazy"

    def __init__(
        self,
        program: Program,
        streams: Streams,
        kernels: Kernels | DeviceKernels,
        workers: Workers,
        queries: dict[tuple[str, bool], int],
    ):
        self._program, self._streams, self._kernels, self._workers = program, streams, kernels, workers
        self._queries = queries
        self._asked: dict[str, Asked] = {}

    def multiply(self, p: Product, xs: list[Array]) -> list[Array]:
        """W x for each x, or Wᵀ x for each x; shapes (n,)."""
        self._workers.check()
        asked = self._asked.get(p.matrix)
        if asked is None:
            counts = self._queries.get((p.matrix, False), 0), self._queries.get((p.matrix, True), 0)
            variance = self._program.matrix[p.matrix].variance
            asked = Asked(variance, counts, self._streams, self._kernels)
            self._asked[p.matrix] = asked
        with np.errstate(all="ignore"):
            return asked.multiply(p.transposed, p.names, xs)

    def release(self, name: str) -> None:
        """Drop what is known of a matrix that no later product needs."""
        self._asked.pop(name, None)


def orthogonalise(k: Kernels | DeviceKernels, side: Side, work: Array, n: int) -> tuple[Array, list[int]]:
    """Split each row of `work` along the directions of a side, and append the new directions.

    Returns the coefficients (rows, old + new directions), and which rows brought a new direction. Every projection is
    done twice: done once, it loses orthogonality by cancellation after some thirty slowly drifting vectors.
    """
    r, q = side.count, work.shape[0]
    old = side.directions[:r, :]
    c = np.zeros((q, r + q))
    length = k.norms(work)
    if r:
        c[:, :r] = k.inner(work, old)
        again = k.project(work, old, c[:, :r])
        k.add(work, old, -again)
        c[:, :r] += again
    tiny = DEPENDENT * k.eps * length
    fresh: list[int] = []
    for i in range(q):
        x = work[i : i + 1, :]
        before = k.norms(x)[0]
        new = side.directions[r : r + len(fresh), :]
        for _ in range(2 if fresh else 0):
            step = k.inner(x, new)
            k.add(x, new, -step)
            c[i, r : r + len(fresh)] += step[0]
        rho = k.norms(x)[0] if fresh else before
        while tiny[i] < rho < LOSS * before:
            # Most of the vector lay in the new directions of its batch, so that by cancellation the remainder is no
            # longer orthogonal to the others.
            everything = side.directions[: r + len(fresh), :]
            step = k.inner(x, everything)
            k.add(x, everything, -step)
            c[i, : r + len(fresh)] += step[0]
            before, rho = rho, k.norms(x)[0]
        if rho <= tiny[i] or r + len(fresh) >= n:
            continue
        c[i, r + len(fresh)] = rho
        k.divide(x[0, :], rho, side.directions[r + len(fresh), :])
        fresh.append(i)
    return c[:, : r + len(fresh)], fresh

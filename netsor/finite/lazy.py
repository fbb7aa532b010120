"""Products without the matrix, exact in distribution (the principle of deferred decisions).

Condition a matrix W with iid N(0, σ²/n) entries on the products known so far, W v_i = a_i and Wᵀ u_j = b_j with
orthonormal v's and orthonormal u's. A new x is Σ c_i v_i + ρ v with a unit vector v orthogonal to the v's, and

    W x = Σ c_i a_i + ρ W v,     W v = Σ_j u_j ⟨b_j, v⟩ + (σ/√n) (g − Σ_j u_j ⟨u_j, g⟩),     g ~ N(0, I),

because ⟨u_j, W v⟩ = ⟨b_j, v⟩ is known and the component of W v orthogonal to the u's is a fresh Gaussian (the argument
in the proof of the Master Theorem; Y. M. Lu, "Householder Dice", IEEE Trans. Inf. Theory 2021). Of W v the Gaussian g
and the coefficients of the u's are kept, so that W x is a combination of g's and u's and no other vector is written.
Fresh Gaussians depend on no x, so that those of several products are drawn ahead, and their products with the
directions of the other side take one pass over these. T products take O(nT) memory and O(nT²) time, which is that of
reading the rows for each product: x's directions twice, the directions of the other side and all the g's once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ldexp, sqrt

import numpy as np

from netsor.core import Program
from netsor.finite.device import DeviceKernels
from netsor.finite.kernels import Kernels
from netsor.finite.plan import Product
from netsor.finite.scales import exponent, is_safe, times_power
from netsor.finite.streams import Array, Streams
from netsor.finite.workers import Workers

# What is left of a vector after projection counts as rounding error below this many machine epsilons of its length.
DEPENDENT = 16.0
# A remainder whose inner products with the directions, which are measured, are together below this share of its length
# is made orthogonal by small numbers, without another pass over the rows; else it is projected once more.
NEARLY = 1e-3
# A vector that keeps less than this share of its length, once the new directions of its batch are subtracted, has lost
# orthogonality to the old directions through cancellation and is projected again.
LOSS = 0.1
# Fresh Gaussians drawn at a time, where so many may be asked for.
AHEAD = 8


class Side:
    """What is known on one side: orthonormal directions v and the products W v, each in its first `count` rows.

    The directions are T `rows` with a lower triangular matrix T, `triangle`: a row is what a projection left of a
    vector, and T holds the lengths and the corrections by which rounding errors of the projection are made up for.
    `shift` are these corrections in terms of the directions before. W v_k = `deviations`_k `normals`_k + Σ_j
    `mixing`_kj r_j with the rows r_j of the other side, and `pairs` are the numbers ⟨u, W v⟩ of each v of this side and
    each u of the other. The first `drawn` normals are drawn, and `ahead` are the inner products of those that no
    direction has yet with the rows of the other side.
    """

    def __init__(self, name: str, capacity: int, n: int, kernels: Kernels | DeviceKernels):
        self.name = name
        self.rows = kernels.empty(capacity, n)
        self.normals = kernels.empty(capacity, n)
        self.deviations = np.zeros(capacity)
        self.mixing = np.zeros((capacity, 0))
        self.triangle = np.zeros((capacity, capacity))
        self.shift = np.zeros((capacity, capacity))
        self.pairs = np.zeros((capacity, 0))
        self.count = self.drawn = 0
        self.ahead = np.zeros((0, 0))

    @property
    def directions(self) -> Array:
        """The orthonormal directions themselves, which no product needs; (rows that are written, n)."""
        written = int(np.count_nonzero(self.triangle.diagonal()))
        return self.triangle[:written, :written].astype(self.rows.dtype) @ self.rows[:written]

    def along(self, products: Array) -> Array:
        """The inner products with the directions, from those with the rows; (q, t)."""
        t = products.shape[1]
        return products @ self.triangle[:t, :t].T

    def by_row(self, coefficients: Array) -> Array:
        """The coefficients of the rows in Σ c_j v_j; (q, t)."""
        t = coefficients.shape[1]
        return coefficients @ self.triangle[:t, :t]


class Asked:
    """The known products of one matrix: side 0 holds directions v with W v, side 1 directions u with Wᵀ u."""

    def __init__(
        self,
        name: str,
        variance: float,
        queries: tuple[int, int],
        streams: Streams,
        kernels: Kernels | DeviceKernels,
    ):
        self.n = streams.width
        self.streams, self.kernels = streams, kernels
        # What is kept is that of 2^-power W, whose entries are within a safe range.
        self.power = exponent(sqrt(variance), kernels.dtype)
        self.deviation = sqrt(ldexp(variance, -2 * self.power) / self.n)
        sides = zip((name, f"{name}ᵀ"), queries, strict=True)
        self.sides = tuple(Side(side, min(q, self.n), self.n, kernels) for side, q in sides)
        size = len(self.sides[0].pairs), len(self.sides[1].pairs)
        pairs = np.zeros(size)
        self.sides[0].pairs, self.sides[1].pairs = pairs, pairs.T
        self.sides[0].mixing, self.sides[1].mixing = np.zeros(size), np.zeros(size[::-1])

    def multiply(self, transposed: bool, xs: list[Array]) -> list[Array]:
        """W x (or Wᵀ x) for each x, as one batch."""
        side, other = self.sides[transposed], self.sides[not transposed]
        k, known = self.kernels, side.rows[: side.count, :]
        powers, bad = [0] * len(xs), [False] * len(xs)
        products, squares = k.products(xs, powers, known)
        if not all(is_safe(float(s), k.dtype) for s in squares):
            sizes = [k.largest(x) for x in xs]
            bad = [not np.isfinite(size) for size in sizes]
            powers = [exponent(size, k.dtype) for size in sizes]
            xs = [k.constant(self.n, 0.0) if none else x for x, none in zip(xs, bad, strict=True)]
            products, squares = k.products(xs, powers, known)
        r = side.count
        found = orthogonalise(k, side, xs, powers, products, squares, other.normals[: other.drawn, :])
        if found.fresh:
            self._image(side, other, found)
        side.count = r + len(found.fresh)
        if not side.count:
            ys = [k.constant(self.n, 0.0) for _ in xs]
        else:
            known = slice(side.count)
            by_row = found.coefficients @ side.mixing[known, : other.count]
            of_normals = found.coefficients * side.deviations[known]
            ys = k.combine(of_normals, side.normals[known, :], by_row, other.rows[: other.count, :])
        out = [times_power(y, e + self.power) for y, e in zip(ys, powers, strict=True)]
        return [k.constant(self.n, np.nan) if none else y for y, none in zip(out, bad, strict=True)]

    def _image(self, side: Side, other: Side, split: Split) -> None:
        """W v for the new directions v, which come after the first `count` of their side."""
        r, t = side.count, other.count
        new = slice(r, r + len(split.fresh))
        along = split.along
        if along is None:
            along = self.kernels.inner(side.rows[new, :], other.normals[: other.drawn, :])
        drawn = self._fresh(side, other, len(split.fresh))
        images = along[:, :t] * other.deviations[:t] + split.by_rows @ other.mixing[:t, :r].T
        known = side.triangle.diagonal()[new, None] * images - side.shift[new, :r] @ side.pairs[:r, :t]
        deviation = 0.0 if t == self.n else self.deviation
        side.pairs[new, :t], side.deviations[new] = known, deviation
        side.mixing[new, :t] = other.by_row(known - deviation * other.along(drawn))
        other.ahead = np.hstack([other.ahead, along[:, t:].T])

    def _fresh(self, side: Side, other: Side, count: int) -> Array:
        """The inner products of the normals of so many new directions with the rows of the other side; (count, t)."""
        rows = other.rows[: other.count, :]
        lacking = count - len(side.ahead)
        if lacking > 0:
            more = slice(side.drawn, min(side.drawn + max(lacking, AHEAD), side.normals.shape[0]))
            # Named by their number, whatever the products are called that need them.
            names = [f"{side.name} {k}" for k in range(more.start, more.stop)]
            drawn = self.kernels.fresh(self.streams, names, side.normals[more, :], rows)
            side.ahead, side.drawn = np.vstack([side.ahead, drawn]), more.stop
        found, side.ahead = side.ahead[:count], side.ahead[count:]
        return found


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
            asked = Asked(p.matrix, variance, counts, self._streams, self._kernels)
            self._asked[p.matrix] = asked
        with np.errstate(all="ignore"):
            return asked.multiply(p.transposed, xs)

    def release(self, name: str) -> None:
        """Drop what is known of a matrix that no later product needs."""
        asked = self._asked.pop(name, None)
        for side in asked.sides if asked else ():
            # Taken out of the side, so that nothing refers to them any more.
            for array in ("rows", "normals"):
                self._workers.spare.keep(side.__dict__.pop(array))


@dataclass(frozen=True)
class Split:
    """Vectors along the directions of a side, to which those of the numbers `fresh` brought a new one each.

    `coefficients` has shape (vectors, old + new directions). `by_rows` are the inner products of the new rows with the
    old ones, and `along` those with all drawn normals of the other side, or None where they were not computed.
    """

    coefficients: Array
    fresh: list[int]
    by_rows: Array
    along: Array | None


def orthogonalise(
    k: Kernels | DeviceKernels,
    side: Side,
    xs: list[Array],
    powers: list[int],
    products: Array,
    squares: Array,
    normals: Array,
) -> Split:
    """Split each vector 2^-power x along the directions of a side, and append the new directions.

    `products` are the inner products of the vectors with the rows so far, `squares` their squared lengths, and
    `normals` those of the other side. What a projection leaves of a vector that drifts slowly is not orthogonal, by
    cancellation: every remainder is measured.
    """
    r, q, n = side.count, len(xs), side.rows.shape[1]
    old = side.rows[:r, :]
    c = np.hstack([side.along(products), np.zeros((q, q))])
    tiny = DEPENDENT * k.eps * np.sqrt(squares)
    fits = r + q <= side.rows.shape[0]
    work = side.rows[r : r + q, :] if fits else k.empty(q, n)
    # The remainder of a vector alone is what is kept; those of a batch change below.
    along: Array | None = None
    by_rows, squares, measured = k.project(
        xs, powers, work, old, side.by_row(c[:, :r]), normals[: None if q == 1 else 0, :]
    )
    if q == 1:
        along = measured
    again = side.along(by_rows)
    c[:, :r] += again
    left = squares - np.sum(again**2, axis=1)
    # In a batch the remainders themselves are subtracted from each other, and need to be orthogonal as they stand.
    if r and (q > 1 or not tiny[0] ** 2 < left[0] or np.sum(again**2) > NEARLY**2 * left[0]):
        left = k.remove(work, old, side.by_row(again))
        again[:], by_rows[:], along = 0.0, 0.0, None
    fresh: list[int] = []
    for i in range(q):
        x = work[i : i + 1, :]
        before = rho = float(np.sqrt(left[i]))
        m = r + len(fresh)
        if fresh:
            new, inverse = side.rows[r:m, :], side.triangle.diagonal()[r:m]
            for _ in range(2):
                step = k.inner(x, new) * inverse
                rho = float(np.sqrt(k.remove(x, new, step * inverse)[0]))
                c[i, r:m] += step[0]
        while tiny[i] < rho < LOSS * before:
            # Most of the vector lay in the new directions of its batch, so that by cancellation the remainder is no
            # longer orthogonal to the others.
            everything = side.rows[:m, :]
            step = side.along(k.inner(x, everything))
            c[i, :m] += step[0]
            before, rho = rho, float(np.sqrt(k.remove(x, everything, side.by_row(step))[0]))
            along = None
        if rho <= tiny[i] or m >= n:
            continue
        c[i, m] = rho
        if not fits or m != r + i:
            side.rows[m, :] = x[0, :]
        side.triangle[m, m] = 1 / rho
        side.shift[m, :r] = again[i] / rho
        side.triangle[m, :r] = -side.by_row(side.shift[m : m + 1, :r])[0]
        fresh.append(i)
    return Split(c[:, : r + len(fresh)], fresh, by_rows[fresh], along)

"""Samples of the initial sets 𝒱 and 𝒲 at width n (Setup B.2): groups, embeddings and matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from netsor.core import Embedding, Group, InputMatrix, Program
from netsor.finite.streams import CHUNK, Array, Streams, spans
from netsor.finite.workers import Workers


@dataclass(frozen=True)
class Root:
    """The law of a group as name_i = mean_i + Σ_j factor[i][j] · z_j, with independent standard normals z_j.

    `row[i]` holds the pairs (j, factor) with a non-zero factor; `latent[j]` names the stream of z_j.
    """

    mean: tuple[float, ...]
    row: tuple[tuple[tuple[int, float], ...], ...]
    latent: tuple[str, ...]


@lru_cache(maxsize=256)
def root(group: Group) -> Root:
    """The pivoted Cholesky factor of the covariance of a group, which may be singular.

    It is computed as L D^{1/2} with L unit lower triangular up to a permutation. Two variables with equal rows of the
    covariance then get equal rows of L and hence the same vector, and a variance of zero gives a constant.
    """
    c = np.array(group.covariance, dtype=float).reshape(len(group.names), len(group.names))
    k = len(c)
    rest = c.copy()
    scale = float(np.max(np.diag(c))) if k else 0.0
    lower = np.zeros((k, k))
    latent: list[str] = []
    deviation: list[float] = []
    open_ = list(range(k))
    while open_:
        pivot = max(open_, key=lambda i: (rest[i, i], -i))
        d = rest[pivot, pivot]
        if not d > 4 * k * np.finfo(float).eps * scale:
            break
        j = len(latent)
        column = rest[:, pivot] / d
        column[pivot] = 1.0
        done = [i for i in range(k) if i not in open_]
        column[done] = 0.0
        lower[:, j] = column
        rest = rest - d * np.outer(column, column)
        deviation.append(float(np.sqrt(d)))
        latent.append(group.names[pivot])
        open_.remove(pivot)
    scaled = lower[:, : len(latent)] * np.array(deviation)
    rows = tuple(tuple((j, float(f)) for j, f in enumerate(row) if f != 0.0) for row in scaled)
    return Root(tuple(float(m) for m in group.mean), rows, tuple(latent))


class Initial:
    """The initial vectors of one program, drawn one stretch of CHUNK coordinates at a time.

    `rows` gives the numbers that each embedding multiplies; `given` replaces draws by arrays: vectors (n,), input
    matrices (n, d).
    """

    def __init__(self, program: Program, names: Iterable[str], rows: Mapping[str, Array], given: Mapping[str, Array]):
        wanted = set(names)
        self.given = {k: v for k, v in given.items() if k in wanted}
        wanted -= set(self.given)
        members: dict[int, list[tuple[int, str]]] = {}
        groups: dict[int, Group] = {}
        for name in sorted(wanted & program.group_of.keys(), key=lambda name: program.group_of[name][1]):
            g, i = program.group_of[name]
            groups[id(g)] = g
            members.setdefault(id(g), []).append((i, name))
        self._groups = [(root(g), members[k]) for k, g in groups.items() if g.bounds is None]
        self._uniform = [(g.names[0], g.bounds) for g in groups.values() if g.bounds is not None]
        self._embeddings: list[tuple[InputMatrix, list[Embedding], Array]] = []
        by_matrix: dict[str, list[Embedding]] = {}
        for name in sorted(wanted & program.embedding.keys()):
            by_matrix.setdefault(program.embedding[name].matrix, []).append(program.embedding[name])
        for matrix, embeddings in by_matrix.items():
            u = program.input_matrix[matrix]
            coefficients = np.stack([rows[e.name] for e in embeddings])
            self._embeddings.append((u, embeddings, coefficients))
        self._input_given = {u.name: given[u.name] for u in program.input_matrices if u.name in given}

    def block_bytes(self) -> int:
        """The most bytes that `draw` takes for one stretch, its results not counted."""
        latents = max((len(r.latent) for r, _ in self._groups), default=0)
        columns = max((u.columns for u, *_ in self._embeddings), default=0)
        results = max((len(m) for _, m, _ in self._embeddings), default=0)
        return 8 * (CHUNK * (latents + results + 1) + max(CHUNK, columns) * (2 if columns else 0))

    def draw(self, streams: Streams, chunk: int, lo: int, hi: int, dtype: Any) -> dict[str, Array]:
        """All the vectors at the coordinates [lo, hi), which are stretch number `chunk`."""
        out: dict[str, Array] = {name: v[lo:hi].astype(dtype) for name, v in self.given.items()}
        for r, members in self._groups:
            latents: dict[int, Array] = {}
            made: dict[tuple[Any, ...], Array] = {}
            for i, name in members:
                key = (r.mean[i], r.row[i])
                x = made.get(key)
                if x is None:
                    x = np.full(hi - lo, r.mean[i])
                    for j, factor in r.row[i]:
                        if j not in latents:
                            latents[j] = streams.normals(r.latent[j], chunk, hi - lo)
                        # Added one term at a time, so that rounding does not depend on which other members are asked
                        # for.
                        x += latents[j] if factor == 1.0 else factor * latents[j]
                    made[key] = x = x.astype(dtype, copy=False)
                out[name] = x
        for name, bounds in self._uniform:
            z = streams.normals(name, chunk, hi - lo)
            out[name] = _uniform_of(z, bounds).astype(dtype, copy=False)
        for matrix, embeddings, coefficients in self._embeddings:
            u, columns = matrix.name, matrix.columns
            values = np.empty((len(embeddings), hi - lo))
            step = max(1, CHUNK // columns)
            # A substream holds `step` rows of U, counted from row 0, so that a row does not depend on the bounds lo and
            # hi.
            for a in range(lo - lo % step, hi, step):
                if u in self._input_given:
                    block = np.asarray(self._input_given[u][a : a + step], float)
                else:
                    block = input_block(streams, matrix, a, min(a + step, streams.width))
                first, last = max(a, lo), min(a + step, hi)
                values[:, first - lo : last - lo] = coefficients @ block[first - a : last - a].T
            for e, x in zip(embeddings, values, strict=True):
                out[e.name] = x.astype(dtype, copy=False)
        return out


def _uniform_of(z: Array, bounds: tuple[float, float]) -> Array:
    """a + (b − a) Φ(z), uniform where z is standard normal."""
    from scipy.special import ndtr

    low, high = map(float, bounds)
    return low + (high - low) * ndtr(z)


def input_block(streams: Streams, u: InputMatrix, lo: int, hi: int) -> Array:
    """Rows [lo, hi) of an input matrix, `lo` a multiple of CHUNK // columns."""
    step = max(1, CHUNK // u.columns)
    z = streams.generator(u.name, lo // step).standard_normal((hi - lo, u.columns))
    return float(np.sqrt(u.variance)) * z if u.bounds is None else _uniform_of(z, u.bounds)


def input_matrix(streams: Streams, u: InputMatrix) -> Array:
    """The whole input matrix, (n, columns)."""
    step = max(1, CHUNK // u.columns)
    return np.concatenate([input_block(streams, u, a, b) for a, b in spans(streams.width, step)])


def rows_per_stretch(n: int) -> int:
    """How many rows of an n×n matrix are drawn from one substream."""
    return max(1, 4 * CHUNK // n)


def draw_matrix(
    streams: Streams,
    name: str,
    variance: float,
    dtype: Any,
    workers: Workers,
) -> Array:
    """An n×n matrix with iid N(0, variance/n) entries (Setup B.2)."""
    n = streams.width
    w = workers.spare.empty((n, n), dtype)
    step = rows_per_stretch(n)
    ranges = list(spans(n, step))
    deviation = (variance / n) ** 0.5

    def fill(i: int) -> None:
        lo, hi = ranges[i]
        block = streams.generator(name, lo // step).standard_normal((hi - lo, n))
        np.multiply(block, deviation, out=w[lo:hi], casting="same_kind")

    workers.each(len(ranges), fill)
    return w

"""Vectors of several draws at two widths, with which a law of coordinates is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.finite import cost
from netsor.finite.bias import decays
from netsor.finite.prepare import prepare
from netsor.finite.run import run_vectors
from netsor.finite.streams import Array
from netsor.finite.workers import cores

# Where the caller names no number of draws: as many as take SECONDS, at least LEAST, which a verdict needs, and at most
# MOST.
SECONDS, MOST, LEAST = 1.0, 64, 8
# Where LEAST draws would take more seconds than this, only one is made, and there is no verdict.
PATIENCE = 10.0


@dataclass(frozen=True)
class Samples:
    """Coordinates by name, one mapping for each draw: `runs` at `width`, `narrower` at a quarter of it (empty: no
    verdict).

    `ratios` are the factors by which a bias is smaller at `width` than at the quarter, one for each rate that may
    occur.
    """

    width: int
    runs: list[dict[str, Array]]
    narrower: list[dict[str, Array]]
    ratios: tuple[float, ...]


def sample(
    program: Program,
    width: int,
    seed: int,
    names: Sequence[str],
    seeds: int | None = None,
    dtype: str = "float64",
    engine: str = "auto",
) -> Samples:
    """Several draws of some vectors at a width and at a quarter of it; as many as are cheap where `seeds` is None.

    Raises as `netsor.finite.run.run` does.
    """
    if seeds is None:
        job, _ = prepare(program, width, [], list(names), dtype, engine, None, None, None, cores())
        one = cost.draw_seconds(job.plan, width, np.dtype(dtype).itemsize, job.engine, cores())
        seeds = int(min(MOST, max(LEAST, SECONDS / one))) if LEAST * one <= PATIENCE else 1
    quarter = width // 4

    def draw(n: int, k: int) -> dict[str, Array]:
        found: dict[str, Any] = run_vectors(program, n, seed, names, draw=k, dtype=dtype, engine=engine)
        return found

    runs = [draw(width, k) for k in range(seeds)]
    narrower = [draw(quarter, k) for k in range(seeds)] if quarter >= 2 and seeds >= LEAST else []
    ratios = tuple(g[1] / g[0] for g in decays(program, names, (quarter, width))) if narrower else ()
    return Samples(width, runs, narrower, ratios)

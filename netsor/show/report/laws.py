"""The coordinates of one vector at a finite width against the law of its Z (Theorem B.4, part 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.expr import Expr
from netsor.expr.arrays import lambdify
from netsor.limit import Limit

_SAMPLES = 200_000
_MOST = 40


@dataclass(frozen=True)
class CoordinateLaw:
    """Samples of Z^x (seeded), the coordinates of x at a width, and the moments of both."""

    name: str
    width: int
    samples: Any
    coordinates: Any


def coordinate_law(program: Program, name: str, width: int, seed: int) -> CoordinateLaw | None:
    """The two samples, or None where Z rests on more Gaussians than can be drawn here."""
    from netsor.finite.run import run_vectors

    try:
        samples = limit_samples(program, name, _SAMPLES, seed)
        coordinates = run_vectors(program, width, seed, [name])[name]
    except NetsorError:
        return None
    return None if samples is None else CoordinateLaw(name, width, samples, np.asarray(coordinates))


def limit_samples(program: Program, name: str, count: int, seed: int) -> Any:
    """Draws of Z^x as a function of its Ẑ's, which are jointly Gaussian."""
    limit = Limit(program)
    z: Expr = limit.z(name)
    free = sorted(z.free, key=str)
    gaussians = [s for s in free if limit.is_gaussian(s)]
    if len(gaussians) > _MOST:
        return None
    fixed = {s: limit.scalar(s).value for s in free if s not in gaussians}
    covariance = np.array([[limit.covariance(a, b).value for b in gaussians] for a in gaussians]).reshape(len(gaussians), -1)
    # A singular covariance is normal here, and rounding may leave a root below zero.
    values, vectors = np.linalg.eigh(covariance) if gaussians else (np.zeros(0), np.zeros((0, 0)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = np.random.default_rng(seed).standard_normal((count, len(gaussians))) @ root.T
    values_of = [draws[:, gaussians.index(s)] if s in gaussians else np.full(count, fixed[s]) for s in free]
    (found,) = lambdify((z,), tuple(free))(*values_of)
    return np.broadcast_to(np.asarray(found, dtype=float), (count,)).copy()

"""The coordinates of a vector at a finite width against the law of its Z (Theorem B.4, part 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.core import Program
from netsor.finite.run import run_vectors
from netsor.gaussian import Estimate
from netsor.limit.coordinates import agreement, compare
from netsor.limit.law import CoordinateLaw

_DRAWS = 200_000


@dataclass(frozen=True)
class LawSample:
    """Draws of Z^x, the coordinates of x at a width, the moments of Z^x, and how far test functions lie apart."""

    name: str
    width: int
    samples: np.ndarray
    coordinates: np.ndarray
    mean: Estimate
    variance: Estimate
    apart: float
    allowed: float
    agrees: bool


def coordinate_law(program: Program, name: str, width: int, seed: int, tol: float, budget: float) -> LawSample:
    """One draw at `width` against the limit; raises NetsorError where a moment does not exist."""
    law = CoordinateLaw(program, [name], tol, budget)
    coordinates = np.asarray(run_vectors(program, width, seed, [name])[name])
    apart, allowed, agrees = agreement(compare(law, [{name: coordinates}]))
    samples = law.draw(_DRAWS, seed)[name]
    return LawSample(name, width, samples, coordinates, law.mean(name), law.variance(name), apart, allowed, agrees)

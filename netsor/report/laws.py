"""The coordinates of a vector at a finite width against the law of its Z (Theorem B.4, part 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.core import Program
from netsor.finite.samples import sample
from netsor.gaussian import Estimate
from netsor.limit.coordinates import Agreement, agreement, compare
from netsor.limit.law import CoordinateLaw

_DRAWS = 200_000


@dataclass(frozen=True)
class LawSample:
    """Draws of Z^x, the coordinates of x at a width, the moments of Z^x, and the verdict of test functions."""

    name: str
    width: int
    samples: np.ndarray
    coordinates: np.ndarray
    mean: Estimate
    variance: Estimate
    seeds: int
    agreement: Agreement


def coordinate_law(program: Program, name: str, width: int, seed: int, tol: float, budget: float | None) -> LawSample:
    """Draws at `width` against the limit; raises NetsorError where a moment does not exist."""
    law = CoordinateLaw(program, [name], tol, budget)
    found = sample(program, width, seed, [name])
    verdict = agreement(compare(law, found.runs, found.narrower, found.ratios), len(found.runs))
    coordinates = np.asarray(found.runs[0][name])
    samples = law.draw(_DRAWS, seed)[name]
    moments = law.mean(name), law.variance(name)
    return LawSample(name, width, samples, coordinates, *moments, len(found.runs), verdict)

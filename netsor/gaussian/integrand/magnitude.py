"""An estimate of E|ψ|, the scale of the tolerance, which need not be accurate."""

from __future__ import annotations

import math

import numpy as np

from netsor.expr import Expr
from netsor.expr.arrays import lambdify
from netsor.gaussian.law import Law
from netsor.gaussian.symbolic.expansion import Gaussians

_DRAWS = 2048
# Draws are also scaled by these factors and reweighted, to find large values far from the mean.
_SPREADS = (1.0, 2.0)


def averaged(e: Expr, gaussians: Gaussians, law: Law) -> float:
    """An estimate of E|e| from draws of all its variables; 0 where they fail, as for a Dirac mass.

    The sizes of the terms of an expectation are not a measure of it, since the terms may cancel.
    """
    symbols = sorted(e.free & gaussians, key=lambda s: s.digest)
    scalars = sorted(e.free - gaussians, key=lambda s: s.digest)
    try:
        run = lambdify((e,), (*symbols, *scalars))
    except ValueError:
        # A Dirac mass cannot be evaluated.
        return 0.0
    n = len(symbols)
    c = np.zeros((n, n))
    for i, a in enumerate(symbols):
        for j, b in enumerate(symbols[: i + 1]):
            if i == j or not law.independent(a, b):
                c[i, j] = c[j, i] = law.covariance(a, b).value
    given = [law.scalar(s).value for s in scalars]
    if not np.isfinite(c).all():
        return 0.0
    values, vectors = np.linalg.eigh(c)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    z = np.random.default_rng(3).standard_normal((n, _DRAWS))
    size = 0.0
    for wide in _SPREADS:
        with np.errstate(all="ignore"):
            weight = wide**n * np.exp(-0.5 * (wide * wide - 1) * (z * z).sum(axis=0))
            found = float((np.abs(run(*(wide * (root @ z)), *given)[0]) * weight).mean())
        if math.isfinite(found):
            size = max(size, found)
    return size

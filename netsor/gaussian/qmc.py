"""E F(x) over many standard normals: Sobol points, scrambled several times over, their spread as the error."""

from __future__ import annotations

import math

import numpy as np

from netsor.gaussian.integrand import Integrand
from netsor.gaussian.oned import Quadrature
from netsor.gaussian.result import Clock, Divergent

_SCRAMBLINGS = 12


def integrate(f: Integrand, tol: float, clock: Clock, seed: int = 20210721) -> Quadrature:
    """The mean over scramblings; twice their standard error (Student's t widens it) bounds the distance."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    best = Quadrature(math.nan, math.inf, 0.0)
    for level in range(10, 20):
        left = clock.left()
        means, sizes = [], []
        for k in range(_SCRAMBLINGS):
            engine = qmc.Sobol(f.rank, scramble=True, rng=np.random.default_rng([seed, level, k]))
            u = engine.random_base2(level)
            x = ndtri(np.clip(u, 1e-16, 1 - 1e-16)).T
            with np.errstate(all="ignore"):
                v = f(x)
            if not np.isfinite(v).all():
                raise Divergent("the integrand has no value, or overflows, where it matters")
            means.append(float(v.mean()))
            sizes.append(float(np.abs(v).mean()))
        scale = float(np.mean(sizes))
        spread = float(np.std(means, ddof=1)) / math.sqrt(_SCRAMBLINGS)
        error = 3.1 * spread + 4e-16 * scale
        if error < best.error:
            best = Quadrature(float(np.mean(means)), error, scale)
        if error <= tol * scale:
            break
        took = left - clock.left() if math.isfinite(left) else 0.0
        if 2.5 * took > clock.left():
            break
    return best


def rough(f: Integrand) -> Quadrature:
    """One scrambling of 2¹⁴ points, always the same: differences of two integrands are far better than either."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    u = qmc.Sobol(f.rank, scramble=True, rng=np.random.default_rng(7)).random_base2(14)
    v = f(ndtri(np.clip(u, 1e-16, 1 - 1e-16)).T)
    scale = float(np.abs(v).mean())
    return Quadrature(float(v.mean()), scale, scale)

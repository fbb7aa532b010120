"""E F(x) over many standard normals: independent scramblings of Sobol points, with their spread as the error."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from netsor.gaussian.arithmetic.normal_quantile import normal_quantile
from netsor.gaussian.integrand import missing
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
SCRAMBLINGS = 12
# Student's t with 11 degrees of freedom for 1 in 1,000.
STUDENT = 4.44
# A region that would contain this many draws on average is practically certain to be seen.
UNSEEN = 5.0
_LEVELS = (10, 12, 14, 15, 16, 17, 18, 19)
# The number of points for which there is always time, and the seconds that it takes to set up Sobol's points.
_GLANCE, _SETUP = 256, 1.0


class QuasiMonteCarlo(Rule):
    """Scrambled Sobol points (Owen 1997); the spread of independent scramblings is the error (Owen 2013, ch. 17)."""

    integrands = "three or more variables, where the other rules fall short"
    does = "scrambled Sobol points (Owen 1997)"
    method = Method.QMC

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return SCRAMBLINGS * 2.0 ** _LEVELS[0] if probe.rank > 2 else None

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return integrate(probe.f, goal.aim, goal.clock)


def integrate(
    f: Integrand, tol: float, clock: Clock, seed: int = 20210721, share: float = 1.0, levels: tuple[int, ...] = _LEVELS
) -> Quadrature:
    """The mean over scramblings, with their standard error times Student's t (for 1 in 1,000) as the error.

    It uses at most `share` of the time that is left, except for the first two levels.
    """
    if clock.left() < _SETUP:
        return glance(f, clock)
    from scipy.special import ndtri
    from scipy.stats import qmc

    best = Quadrature(math.nan, math.inf, 0.0)
    rare = bool(f.surfaces or f.given) or any(p.kind in ("jump", "kink") and p.soft == 0 for p in f.planes)
    allowed = share * clock.left()
    start = clock.left()
    for level, after in zip(levels, (*levels[1:], None), strict=True):
        left = clock.left()
        means, sizes, top = [], [], 0.0
        for k in range(SCRAMBLINGS):
            engine = qmc.Sobol(f.rank, scramble=True, rng=np.random.default_rng([seed, level, k]))
            u = engine.random_base2(level)
            x = ndtri(np.clip(u, 1e-16, 1 - 1e-16)).T
            with np.errstate(all="ignore"):
                v = f(x)
            missing.verify(f, x, v)
            means.append(float(v.mean()))
            sizes.append(float(np.abs(v).mean()))
            top = max(top, float(np.abs(v).max()))
        scale = float(np.mean(sizes))
        spread = float(np.std(means, ddof=1)) / math.sqrt(SCRAMBLINGS)
        error = STUDENT * spread + 4e-16 * scale
        if rare:
            # A region of the same height may lie where no draw fell.
            error += UNSEEN * (top or _farther_out(f, x)) / (SCRAMBLINGS * 2**level)
        # The finest level is taken, since the smallest of several estimated errors is not a bound.
        if error < 3 * best.error:
            best = Quadrature(float(np.mean(means)), error, scale)
        if error <= tol * scale or after is None:
            break
        took = left - clock.left() if math.isfinite(left) else 0.0
        if (
            level != levels[0]
            and math.isfinite(start)
            and took * 1.1 * 2.0 ** (after - level) > allowed - (start - clock.left())
        ):
            break
    return best


def glance(f: Integrand, clock: Clock) -> Quadrature:
    """The same with few points: randomly shifted Kronecker sequences, which need no set-up time (Niederreiter 1992, §3;
    Cranley & Patterson 1976).
    """
    points = _GLANCE
    while True:
        left = clock.left()
        found = _shifted(f, points)
        took = left - clock.left()
        points *= 4
        if 5 * took > clock.left() or points > 256 * _GLANCE:
            return found


def _shifted(f: Integrand, points: int) -> Quadrature:
    x = shifted_normals(f.rank, points).reshape(f.rank, -1)
    with np.errstate(all="ignore"):
        v = f(x)
    missing.verify(f, x, v)
    means, size, top = v.reshape(SCRAMBLINGS, points).mean(axis=1), np.abs(v), float(np.abs(v).max())
    error = float(spread_of(means)) + 4e-16 * float(size.mean())
    error += UNSEEN * (top or _farther_out(f, x)) / len(v)
    return Quadrature(float(means.mean()), error, float(size.mean()))


@lru_cache(maxsize=16)
def shifted_normals(d: int, points: int) -> Array:
    """Normals (d, 12, points) from one Kronecker sequence under twelve random shifts."""
    steps = _generalized_golden_ratio(d) ** -np.arange(1.0, d + 1)
    k = np.arange(1.0, points + 1)
    shifts = np.random.default_rng(41).random((SCRAMBLINGS, d, 1))
    return normal_quantile(np.clip((steps[:, None] * k + shifts) % 1.0, 1e-16, 1 - 1e-16)).transpose(1, 0, 2)


def spread_of(means: Array) -> Array:
    """A bound (1 in 1,000) on the distance of the mean of independent means, along the last axis, by Student's t."""
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite bound says that nothing is known
        return STUDENT * means.std(axis=-1, ddof=1) / math.sqrt(means.shape[-1])


def _generalized_golden_ratio(d: int) -> float:
    """The root of x^{d+1} = x + 1, whose powers are simultaneously badly approximable."""
    x = 2.0
    for _ in range(40):
        x = (1 + x) ** (1 / (d + 1))
    return x


def _farther_out(f: Integrand, x: Array) -> float:
    """The largest modulus among draws with a wider spread than the law."""
    with np.errstate(all="ignore"):
        v = np.abs(f(2.5 * x))
    return float(v[np.isfinite(v)].max(initial=0.0))


def rough(f: Integrand) -> Quadrature:
    """One scrambling of 2¹⁴ fixed points, so that differences of two integrals are better than either."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    u = qmc.Sobol(f.rank, scramble=True, rng=np.random.default_rng(7)).random_base2(14)
    v = f(ndtri(np.clip(u, 1e-16, 1 - 1e-16)).T)
    scale = float(np.abs(v).mean())
    return Quadrature(float(v.mean()), scale, scale)

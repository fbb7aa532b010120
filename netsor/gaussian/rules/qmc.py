"""E F(x) over many standard normals: Sobol points, scrambled several times over, their spread as the error."""

from __future__ import annotations

import math

import numpy as np

from netsor.gaussian.integrand import missing
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method, Unsettled
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
_SCRAMBLINGS = 12
# With this many expected draws in it a region is as good as sure to be seen.
_UNSEEN = 5.0
_LEVELS = (10, 12, 14, 15, 16, 17, 18, 19)
# Points of a sequence that are affordable after all time is spent; seconds that it takes to set up Sobol's.
_GLANCE, _SETUP = 256, 1.0


class QuasiMonteCarlo(Rule):
    """Scrambled Sobol points (Owen 1997), the spread of independent scramblings as the error (Owen 2013, ch. 17)."""

    integrands = "three variables and more, where these fall short"
    does = "scrambled Sobol points (Owen 1997)"
    method = Method.QMC

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return _SCRAMBLINGS * 2.0 ** _LEVELS[0] if probe.rank > 2 else None

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return integrate(probe.f, goal.aim, goal.clock)


def integrate(
    f: Integrand, tol: float, clock: Clock, seed: int = 20210721, share: float = 1.0, levels: tuple[int, ...] = _LEVELS
) -> Quadrature:
    """The mean over scramblings; their standard error times Student's t (1 in 100) bounds the distance.

    It spends at most `share` of what is left of the clock, the first two levels apart.
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
        for k in range(_SCRAMBLINGS):
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
        spread = float(np.std(means, ddof=1)) / math.sqrt(_SCRAMBLINGS)
        error = 3.1 * spread + 4e-16 * scale
        if rare:
            # Something as high may stand where no draw fell.
            error += _UNSEEN * (top or _farther_out(f, x)) / (_SCRAMBLINGS * 2**level)
        # The finest level, not the luckiest: the least of several spreads is no bound.
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
    """The same, with the error found the same way, by few points: randomly shifted Kronecker sequences, which take no
    time to set up (Niederreiter 1992, §3; Cranley and Patterson 1976).
    """
    points = _GLANCE
    while True:
        left = clock.left()
        found = _shifted(f, points)
        took = left - clock.left()
        points *= 4
        if 5 * took > clock.left() or points > 256 * _GLANCE:
            if found.scale == 0:
                # Zeros at a few points say nothing of what stands between them.
                raise Unsettled("the time ended before a point was found where the integrand is not 0")
            return found


def _shifted(f: Integrand, points: int) -> Quadrature:
    from scipy.special import ndtri

    steps = _generalized_golden_ratio(f.rank) ** -np.arange(1.0, f.rank + 1)
    k = np.arange(1.0, points + 1)
    shifts = np.random.default_rng(41).random((_SCRAMBLINGS, f.rank, 1))
    x = ndtri(np.clip((steps[:, None] * k + shifts) % 1.0, 1e-16, 1 - 1e-16))
    x = np.concatenate(list(x), axis=1)
    with np.errstate(all="ignore"):
        v = f(x)
    missing.verify(f, x, v)
    means, size, top = v.reshape(_SCRAMBLINGS, points).mean(axis=1), np.abs(v), float(np.abs(v).max())
    error = 3.1 * float(means.std(ddof=1)) / math.sqrt(_SCRAMBLINGS) + 4e-16 * float(size.mean())
    error += _UNSEEN * (top or _farther_out(f, x)) / len(v)
    return Quadrature(float(means.mean()), error, float(size.mean()))


def _generalized_golden_ratio(d: int) -> float:
    """The root of x^{d+1} = x + 1, whose powers are badly approximable together."""
    x = 2.0
    for _ in range(40):
        x = (1 + x) ** (1 / (d + 1))
    return x


def _farther_out(f: Integrand, x: Array) -> float:
    """The highest modulus among draws that are spread wider than the law's."""
    with np.errstate(all="ignore"):
        v = np.abs(f(2.5 * x))
    return float(v[np.isfinite(v)].max(initial=0.0))


def rough(f: Integrand) -> Quadrature:
    """One scrambling of 2¹⁴ points, always the same: differences of two integrands are far better than either."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    u = qmc.Sobol(f.rank, scramble=True, rng=np.random.default_rng(7)).random_base2(14)
    v = f(ndtri(np.clip(u, 1e-16, 1 - 1e-16)).T)
    scale = float(np.abs(v).mean())
    return Quadrature(float(v.mean()), scale, scale)

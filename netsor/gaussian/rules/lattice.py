"""E F(x) for smooth F: the trapezoidal rule on the body-centred lattice, randomly rotated and shifted.

The points are h (ℤᵈ ∪ (ℤᵈ + ½)) inside a ball, weighted by the density. For analytic F the error decays like e^{−c/h};
it is estimated from three random rotations, the change from the coarser lattice before, and the outermost shell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from netsor.gaussian.constants import LATTICE_ENOUGH, LATTICE_SLOPE
from netsor.gaussian.integrand import missing
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method, OutOfTime
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
_FIRST, _FINER = 1.3, 0.8
_ROTATIONS = 3
_CHUNK = 1 << 17


class Lattice(Rule):
    """The trapezoidal rule on the body-centred lattice, randomly rotated and shifted (Sloan & Joe 1994, ch. 4)."""

    integrands = "two to six variables, smooth"
    does = "the trapezoidal rule on a body-centred lattice, randomly rotated"
    method = Method.LATTICE

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        smooth = 2 <= probe.rank <= 6 and not probe.sharp and not probe.steep
        if not smooth or probe.slope >= LATTICE_SLOPE and probe.rank <= 4:
            return None
        return _ROTATIONS * count(probe.rank, _FIRST / max(1.0, probe.slope**0.75), math.sqrt(probe.rank) + 4)

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return integrate(probe.f, probe.rank, goal.aim, goal.clock, probe.slope)

    def enough(self, probe: Probe, goal: Goal) -> float:
        return LATTICE_ENOUGH[probe.rank]


def _grid(d: int, radius: float, shift: Array) -> Array:
    """Points of ℤᵈ + shift with a length of at most `radius`, as columns."""
    points = np.zeros((0, 1))
    length = np.zeros(1)
    for k in range(d):
        t = np.arange(math.ceil(-radius - shift[k]), math.floor(radius - shift[k]) + 1) + shift[k]
        total = length[:, None] + t * t
        i, j = np.nonzero(total <= radius * radius)
        points = np.concatenate([points[:, i], t[j][None]])
        length = total[i, j]
    return points


def count(d: int, h: float, reach: float) -> float:
    """The approximate number of points of the rule with spacing h."""
    return 2 * math.pi ** (d / 2) / math.gamma(d / 2 + 1) * (reach / h) ** d


@lru_cache(maxsize=256)
def _points(d: int, h: float, reach: float, seed: int) -> tuple[Array, Array]:
    """Points (as columns) and weights of the rule, randomly rotated and shifted."""
    rng = np.random.default_rng([d, seed])
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    q = q * np.sign(np.diag(r))
    offset = rng.uniform(-0.5, 0.5, d)
    parts = [_grid(d, reach / h, offset + half) for half in (0.0, 0.5)]
    x = h * (q @ np.concatenate(parts, axis=1))
    weight = np.exp(-0.5 * (x * x).sum(axis=0)) * (h / math.sqrt(2 * math.pi)) ** d / 2
    return x, weight


def _points_of(d: int, h: float, reach: float, seed: int) -> tuple[Array, Array]:
    if count(d, h, reach) < 30_000:
        return _points(d, h, reach, seed)
    return _points.__wrapped__(d, h, reach, seed)


def _sum(
    f: Callable[[Array], Array], d: int, h: float, reach: float, seed: int, clock: Clock | None = None
) -> tuple[float, float, float]:
    x, weight = _points_of(d, h, reach, seed)
    total = modulus = shell = 0.0
    for i in range(0, x.shape[1], _CHUNK):
        if clock is not None and clock.left() <= 0:
            raise OutOfTime
        part, w = x[:, i : i + _CHUNK], weight[i : i + _CHUNK]
        with np.errstate(all="ignore"):
            v = f(part)
        missing.verify(f, part, v)
        vw = v * w
        total += float(vw.sum())
        modulus += float(np.abs(vw).sum())
        shell += float(np.abs(vw[(part * part).sum(axis=0) > (reach - h) ** 2]).sum())
    return total, modulus, shell


def integrate(
    f: Callable[[Array], Array],
    d: int,
    tol: float,
    clock: Clock,
    slope: float = 1.0,
    most: float = 6e7,
) -> Quadrature:
    """E f(x), x ∈ ℝᵈ; `slope` is the steepest slope of the integrand relative to tanh(x₁)."""
    # Large enough for the mass of a chi distribution beyond the ball to be negligible.
    reach = math.sqrt(d) + 0.75 * math.sqrt(-2 * math.log(min(tol, 1e-2))) + 0.5
    reach = min(reach, 8.5 + 0.12 * d)
    h = _FIRST / max(1.0, slope**0.75)
    best = Quadrature(math.nan, math.inf, 0.0)
    before: list[float] | None = None
    level = 0
    while level < 16 and count(d, h, reach) * _ROTATIONS <= most:
        left = clock.left()
        try:
            sums = [_sum(f, d, h, reach, 10 * level + k, clock) for k in range(_ROTATIONS)]
        except OutOfTime:
            break
        level += 1
        values = [s[0] for s in sums]
        scale = sum(s[1] for s in sums) / _ROTATIONS
        # The mass beyond the ball is less than that in the outermost shell.
        shell = 0.3 * max(s[2] for s in sums)
        mean = sum(values) / _ROTATIONS
        spread = max(values) - min(values)
        took = left - clock.left() if math.isfinite(left) else 0.0
        if shell > 0.2 * tol * scale and reach < 14.0 and (before is None or 1.5 * spread < 3 * shell):
            # Growing integrands have mass farther out.
            reach += 0.7
            continue
        if before is not None:
            change = abs(mean - sum(before) / _ROTATIONS)
            # Convergence is geometric: the spread estimates the error of this level, and the change that of the level
            # before.
            error = 1.5 * spread + 0.05 * change + shell + 2e-15 * scale
            if error < best.error:
                best = Quadrature(mean, error, scale)
            if error <= tol * scale:
                break
            if level >= 5 and error > 0.7 * best.error and error > 1e-3 * scale:
                break
        before = values
        # Enough time must be left for another rule in case this one fails.
        if took * _FINER**-d > 0.6 * clock.left():
            break
        h *= _FINER
    return best


def rough(f: Callable[[Array], Array], d: int) -> Quadrature:
    """One rule with about 20 000 fixed points, so that differences of two integrals are better than either."""
    reach = math.sqrt(d) + 3.2
    h = reach * (2 * math.pi ** (d / 2) / math.gamma(d / 2 + 1) / 20_000) ** (1 / d)
    value, scale, _ = _sum(f, d, round(h, 6), reach, 1)
    return Quadrature(value, scale, scale)

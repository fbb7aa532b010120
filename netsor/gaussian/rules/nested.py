"""E F(x) for several standard normals by nested Gauss–Legendre rules, with every level cut where F breaks.

At level k, given x₁ … x_{k−1}, the plane a·x + b = 0 appears at c = −(b + Σ_{i<k} a_i x_i)/a_k, with the width
√(w² + |a_{>k}|²)/|a_k|, because the later variables are integrated out. Planes without later components cut sharply,
and so do the projections of the lines in which two such planes meet. Where a factor is zero, the inner levels are
skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from netsor.deadline import now
from netsor.gaussian.constants import NESTED_SHARE
from netsor.gaussian.integrand import missing
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.levels import (
    Level,
    cuts_at,
    levels_of,
    nodes_between,
    panel_ends,
    poles_at,
    with_tips,
    without_poles,
)
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method, OutOfTime, Unsettled
from netsor.gaussian.rules.panels import Quadrature, legendre
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
# Ends of panels around a Gaussian edge, in widths; beyond the last ones it has decayed, so that no panel misses a
# remainder.
_EDGES = (-8.0, -3.5, -1.2, 1.2, 3.5, 8.0)
_WIDEST = 0.35
_CHUNK = 1 << 18
# The number of panel ends between which features are sought.
_LOOKED_AT = 9
# Nodes of a panel, from run to run.
_NODES = (7, 10, 14, 19, 25, 33, 43, 56, 72, 92)


class Nested(Rule):
    """Nested Gauss–Legendre panels (Davis & Rabinowitz 1984, 5.6), with a fixed number of nodes each."""

    integrands = "three to six variables; three only where every break is known beforehand and nothing is steep"
    does = "nested panels with a fixed number of nodes, cut where planes and curves break the integrand"
    method = Method.PANELS

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        if not 3 <= probe.rank <= 6 or probe.rank == 3 and not self._sees_all(probe):
            return None
        return float((2 * _NODES[0]) ** probe.rank)

    def _sees_all(self, probe: Probe) -> bool:
        if not probe.wary:
            return True
        return not probe.steep and bool(probe.f.given) and not probe.singular_at_origin and knows_all_breaks(probe.f)

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        seconds = goal.share(NESTED_SHARE[probe.rank])
        return integrate(probe.f, goal.aim, goal.clock, probe.wary, seconds, goal.floor)


class Sums(NamedTuple):
    """The integral, the integral of the modulus, and the part of the latter near the outer boundary."""

    value: float
    scale: float
    shell: float


def one_pass(
    levels: tuple[Level, ...],
    nodes: int,
    reach: float,
    drop: float,
    late: Callable[[], bool] = lambda: False,
) -> Sums:
    """One run with a fixed number of nodes per panel; nodes with a weight below `drop` are left out.

    Raises OutOfTime as soon as it is `late`.
    """
    total = [0.0, 0.0, 0.0]

    def descend(x: Array, value: Array, weight: Array, outer: Array, k: int) -> None:
        if k == len(levels):
            v = value * weight
            size = np.abs(v)
            total[0] += float(v.sum())
            total[1] += float(size.sum())
            total[2] += float(size[outer | (weight < 1e3 * drop)].sum())
            return
        level = levels[k]
        per = (1 + 6 * len(level.planes) + 6 * len(level.curves)) * nodes
        step = max(1, _CHUNK // per)
        for i in range(0, x.shape[1], step):
            if late():
                raise OutOfTime
            part = slice(i, i + step)
            owner, at, w = _nodes(level, x[:, part], weight[part], k, reach, nodes, drop, late)
            points = np.concatenate([x[:, part][:, owner], at[None]])
            v, far = value[part][owner], outer[part][owner] | (np.abs(at) > reach - 1)
            if level.factor is not None:
                with np.errstate(all="ignore"):
                    v = v * without_poles(level, points, level.factor(points))
                missing.verify(level.factor, points, v)
                alive = np.flatnonzero(v)
                if len(alive) < len(v):
                    points, v, w, far = points[:, alive], v[alive], w[alive], far[alive]
            descend(points, v, w, far, k + 1)

    descend(np.zeros((0, 1)), np.ones(1), np.ones(1), np.zeros(1, bool), 0)
    return Sums(*total)


def _nodes(
    level: Level, x: Array, weight: Array, k: int, reach: float, nodes: int, drop: float, late: Callable[[], bool]
) -> tuple[Array, Array, Array]:
    """(columns of x that the nodes belong to, x_k, weights) of the nodes of a level."""
    n = x.shape[1]
    straight = cuts_at(level, x, k, reach, _EDGES, _WIDEST)
    if level.features is not None:
        base = np.broadcast_to(np.linspace(-reach, reach, _LOOKED_AT), (n, _LOOKED_AT))
        straight = np.concatenate([straight, level.features.cuts(x, reach, base, late)], axis=1)
    table = [straight, *(b.cuts(x, reach) for b in level.bands)]
    poles = [poles_at(level, x, k, reach)]
    for c in level.curves:
        (poles if c.kind == "singular" else table).append(c.cuts(x, reach, 48, straight))
    poles = [p for p in poles if p.shape[1]]
    tips = [c.cuts(x, reach, 48) for c in level.tips]
    if tips or poles or any(cuts.shape[1] for cuts in table):
        ends = np.broadcast_to((-reach, reach), (n, 2))
        low, high, code = panel_ends([ends, *table], tips, poles, reach, 0.0)
        t, w = legendre(nodes)
        at, slopes = nodes_between(low, high, code, (1 + t) / 2)
        w = 0.5 * (high - low)[:, :, None] * slopes * w
    else:
        # Nothing breaks here, and on a whole line the trapezoidal rule is the best.
        step = 2 * reach / (nodes + 2)
        at = np.broadcast_to(step * (np.arange(nodes + 2) + 0.5) - reach, (n, 1, nodes + 2))
        w = np.full(at.shape, step)
    weights = w * np.exp(-0.5 * at * at) / math.sqrt(2 * math.pi) * weight[:, None, None]
    flat = weights.reshape(-1)
    keep = np.flatnonzero(flat > drop)
    return keep // (weights.shape[1] * weights.shape[2]), at.reshape(-1)[keep], flat[keep]


def knows_all_breaks(f: Integrand) -> bool:
    """Whether all curves that cut, or end over something, have zeros in closed form."""
    levels = with_tips(f, levels_of(f))
    return all(c.degree is not None for level in levels for c in (*level.curves, *level.tips))


def integrate(
    f: Integrand, tol: float, clock: Clock, wary: bool = False, seconds: float | None = None, floor: float = 0.0
) -> Quadrature:
    """E F(x), refined until two resolutions differ by less than tol · E|F|, or by less than the `floor`.

    The finer of two results is better than their difference suggests, by the factor by which the differences decrease.
    At most a factor of ten of this is used, and none (`wary`) where F breaks in places that are not cut. Beyond a
    distance t a Gaussian tail has less than a tenth of the mass of the unit before it. The rule stops after `seconds`,
    or when the time of the clock is over, possibly without a value. Raises Unsettled where the integrand overflows, or
    grows nearly as fast as the density falls.
    """
    start = now()
    allowed = clock.left() if seconds is None else min(seconds, clock.left())

    def late() -> bool:
        return clock.left() <= 0 or now() - start > allowed

    levels = with_tips(f, levels_of(f))
    reach = min(8.4, math.sqrt(-2 * math.log(min(tol, 1e-3))) + 0.6)
    spare = 1e-3 * min(tol, 1e-3)
    before: float | None = None
    size = 0.0
    change, farther = math.inf, math.inf
    best = Quadrature(math.nan, math.inf, 0.0)
    step = 0
    while step < len(_NODES):
        nodes = _NODES[step]
        # All nodes left out together have less weight than a thousandth of the tolerance.
        drop = spare / nodes**f.rank
        began = now()
        try:
            value, scale, shell = one_pass(levels, nodes, reach, drop, late)
        except OutOfTime:
            break
        if not math.isfinite(value):
            raise Unsettled("the integrand overflows")
        if 0.1 * shell > 0.3 * tol * scale and reach < 20:
            # Growing integrands need a larger reach than the density alone.
            if reach > 12 and shell > 0.5 * farther:
                raise Unsettled("the integrand grows nearly as fast as the Gaussian density falls")
            if reach <= 12:
                reach, farther = reach + 1.0, shell
                spare *= 1e-3
                continue
        if before is not None:
            gap = abs(value - before)
            # While the integral of the modulus still changes, an integral that does not change is a coincidence.
            unsettled = abs(scale - size)
            if change < math.inf:
                trusted = 4.0 if wary else min(1.0, max(10 * gap / change, 0.1)) if change > 0 else 1.0
                # A change far below the one before may be a coincidence too.
                last = max(1e-3, min(1.0, 10 * unsettled / scale) if scale > 0 else 1.0) * change
            else:
                trusted, last = 10.0, 0.1 * unsettled
            error = max(gap * trusted, last) + 0.1 * shell + 5e-13 * scale
            change = gap
            if error < best.error:
                best = Quadrature(value, error, scale)
            if best.error <= max(max(tol, 1e-12) * scale, floor):
                break
        before, size = value, scale
        step += 1
        took = now() - began
        rest = allowed - (now() - start)
        if took * 1.35**f.rank > rest and math.isfinite(best.error):
            break
    return best

"""E F(x) for two to four standard normals by nested panels that are halved where they are not resolved.

Every level is cut where planes and curves break F, for all points of the outer levels at once. Where the structure of
an inner level changes (two curves meet, or one turns back) the outer level has a kink or a root that is in no list of
breaks, and halving resolves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.deadline import now
from netsor.gaussian.constants import ADAPTIVE_SHARE
from netsor.gaussian.integrand import missing
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.levels import (
    COINCIDE,
    POLE,
    Band,
    Curve,
    Level,
    closing_in,
    code,
    cuts_at,
    ends_of,
    levels_of,
    nodes_between,
    panel_ends,
    poles_at,
    with_tips,
    without_poles,
)
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method, OutOfTime, Unsettled
from netsor.gaussian.rules.panels import Quadrature, coefficient_rows, legendre, lobatto, nodes_of
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
EPS = 2.0**-52
_EDGES = (-8.0, -3.0, -1.0, 1.0, 3.0, 8.0)
_WIDEST = 0.6
_NARROWEST, _WIDER = 1.6, 1.2
_MOST_PANELS = 2000
# By dimension, how much more a run at the final tolerance may cost than a rough one.
_DEARER = {2: 20, 3: 15, 4: 60}
_ROWS, _POINTS = 20_000, 1 << 15
# The number of values in one search for roots, before its grid is refined.
_GRID = 1 << 19
# Nodes of a panel in an estimate of E|F|; the largest share of a sample that a single draw may have in it.
_ROUGH, _FEW = 6, 0.1
_SQRT_2PI = math.sqrt(2 * math.pi)


class Adaptive(Rule):
    """Nested panels that are halved where their Legendre coefficients do not decay (Davis & Rabinowitz 1984, 6.3)."""

    integrands = "two to four variables"
    does = "nested panels, cut where planes and curves break the integrand or it is steep, halved where not resolved"
    method = Method.ADAPTIVE

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return float((6 * 10) ** probe.rank) if 2 <= probe.rank <= 4 else None

    def is_on_all_scales(self, probe: Probe) -> bool:
        return probe.has_crossed_poles

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        aim = 0.3 * goal.tol if probe.rank == 4 else goal.aim
        part = ADAPTIVE_SHARE[probe.rank]
        return integrate(probe.f, aim, goal.clock, None if part is None else goal.share(part), goal.floor)


class NodeSet(NamedTuple):
    """Nodes and weights on [−1, 1], and rows for nine Legendre coefficients: three in the middle, the last six."""

    nodes: Array
    weights: Array
    rows: Array
    ends: bool


@lru_cache(maxsize=64)
def rule(n: int, ends: bool) -> NodeSet:
    """The n-point rule of Gauss, or of Lobatto, which has the `ends` among its nodes."""
    x, w = (lobatto if ends else legendre)(n)
    rows = coefficient_rows(n, ends)
    m = n // 2
    return NodeSet(x, w, np.concatenate([rows[m - 2 : m + 1], rows[-6:]]), ends)


def resolution(values: Array, half: Array, noise: Array | float, r: NodeSet) -> tuple[Array, Array]:
    """(integral, error estimate) of each panel, from values (panels, nodes) that are accurate to `noise`.

    The error of the rule depends on the coefficients from 2n on. Their size relative to the last ones, t, is estimated
    from the decay between the middle and the end. As a weak kink shows only where smooth parts have decayed, the decay
    of the last six alone is used too. Where the decay is geometric, the estimate is far larger than the error. For
    kinks and roots at random places it covers the error in 98 of 100 panels, by an order of magnitude on average.
    """
    integral = half * (values @ r.weights)
    size = np.abs(values @ r.rows.T)
    middle, before, tail = (size[:, i : i + 3].max(axis=1) for i in (0, 3, 6))
    with np.errstate(all="ignore"):
        fall = np.where(tail < middle, tail / middle, 1.0)
        late = np.where(tail < before, tail / before, 1.0)
    part = np.minimum(2.0, np.maximum(10 * fall**1.25, 7 * late**2))
    # Coefficients below the noise of the values contain no information.
    return integral, half * np.where(tail <= 3 * noise, 0.0, tail * part)


class Panels(NamedTuple):
    """Panels [low, high] of the rows `owner`, with nodes that close in on their ends, see `closing_in`."""

    owner: Array
    low: Array
    high: Array
    code: Array

    def part(self, which: Array | slice) -> Panels:
        return Panels(*(v[which] for v in self))

    def nodes(self, n: int, ends: bool) -> tuple[Array, Array | float]:
        """(nodes (P, n), the derivative of the clustering map there, divided by √2π)."""
        at = nodes_of(self.low, self.high, n, ends)
        if not self.code.any():
            return at, 1 / _SQRT_2PI
        rows = np.flatnonzero(self.code)
        s = (1 + (lobatto if ends else legendre)(n)[0]) / 2
        places, slopes = nodes_between(self.low[rows], self.high[rows], self.code[rows], s)
        at[rows] = np.clip(places, at[rows, :1], at[rows, -1:]) if ends else places
        stretch = np.full(at.shape, 1 / _SQRT_2PI)
        stretch[rows] *= slopes
        return at, stretch

    def halved(self) -> Panels:
        """Each panel split into two, at the middle of its nodes."""
        places = closing_in(np.array([0.5]))[0][:, 0]
        middle = self.low + (self.high - self.low) * places[self.code]
        low, high = ends_of(self.code)
        return Panels(
            np.tile(self.owner, 2),
            np.concatenate([self.low, middle]),
            np.concatenate([middle, self.high]),
            np.concatenate([code(low, 0 * low), code(0 * high, high)]),
        )


class _Pass:
    """One run with an absolute tolerance; the sums of a level are arrays with one entry for each row."""

    def __init__(self, levels: tuple[Level, ...], reach: float, nodes: int, base: Array, late: Callable[[], bool]):
        self.levels, self.reach, self.nodes, self.late = levels, reach, nodes, late
        self.base = base
        self.rules = [rule(nodes, not _is_singular(level)) for level in levels]
        # The number of panels at the start, and the number added by halving.
        self.first = self.more = 0

    def level(self, k: int, x: Array, tolerance: Array) -> Array:
        """(4, N): integral, error bound, integral of |F|, and that over the outermost unit, for each column of x."""
        n = x.shape[1]
        if n > _ROWS:
            parts = [self.level(k, x[:, i : i + _ROWS], tolerance[i : i + _ROWS]) for i in range(0, n, _ROWS)]
            return np.concatenate(parts, axis=1)
        panels = self._first_panels(k, x)
        self.first += len(panels.owner)
        inner = k + 1 < len(self.levels)
        mine = 0.5 * tolerance if inner else tolerance
        out = np.zeros((4, n))
        done = np.zeros(n)
        count = np.bincount(panels.owner, minlength=n)
        while len(panels.owner):
            owner, low, high, _ = panels
            sums, error = self._panels(k, x, tolerance, panels)
            total = done + np.bincount(owner, error, minlength=n)
            # The tolerance that is left is divided equally among the panels.
            share = np.maximum(mine - done, 0.1 * mine) / np.maximum(2 * np.bincount(owner, minlength=n), 1)
            bad = (total > mine)[owner] & (error > share[owner])
            # Beside a pole that is off 0 the digits of the distance are lost before those of the place.
            least = np.where(panels.code >= POLE, COINCIDE, 8 * EPS) * np.maximum(np.abs(low), np.abs(high))
            bad &= (high - low > least) & (count < _MOST_PANELS)[owner]
            good = ~bad
            done += np.bincount(owner[good], error[good], minlength=n)
            for i in range(4):
                out[i] += np.bincount(owner[good], sums[i, good], minlength=n)
            panels = panels.part(bad).halved()
            self.more += len(panels.owner)
            count = count + np.bincount(panels.owner, minlength=n)
        out[1] += done
        return out

    def _first_panels(self, k: int, x: Array) -> Panels:
        level, n = self.levels[k], x.shape[1]
        base = np.broadcast_to(self.base, (n, len(self.base)))
        known = [cuts_at(level, x, k, self.reach, _EDGES, _WIDEST)]
        known += [self._in_time(b, x) for b in level.bands]
        if level.features is not None:
            known.append(level.features.cuts(x, self.reach, np.concatenate([base, *known], axis=1), self.late))
        events = np.concatenate(known, axis=1)
        edges = [base, events]
        poles = [poles_at(level, x, k, self.reach)]
        for c in level.curves:
            (poles if c.kind == "singular" else edges).append(self._in_time(c, x, events))
        tips = [self._in_time(t, x) for t in level.tips]
        least = 4 * EPS * self.reach
        low, high, ends = panel_ends(edges, tips, [p for p in poles if p.shape[1]], self.reach, least)
        # Near 0 even tiny panels have distinct end points, so that widths are compared with the ends.
        owner, column = np.nonzero(high - low > 4 * EPS * np.maximum(np.abs(low), np.abs(high)))
        return Panels(owner, low[owner, column], high[owner, column], ends[owner, column])

    def _in_time(self, cutting: Curve | Band, x: Array, also: Array | None = None) -> Array:
        """The cuts of all rows, of so many at a time that memory and the time between two looks at the clock are small.

        Unused entries are at the reach.
        """
        n = x.shape[1]
        step = max(1, _GRID // (64 + (0 if also is None else also.shape[1])))
        parts = []
        for i in range(0, max(n, 1), step):
            if self.late():
                raise OutOfTime
            here = slice(i, i + step)
            if isinstance(cutting, Band):
                parts.append(cutting.cuts(x[:, here], self.reach))
            else:
                parts.append(cutting.cuts(x[:, here], self.reach, also=None if also is None else also[here]))
        most = max(p.shape[1] for p in parts)
        return np.concatenate([np.pad(p, ((0, 0), (0, most - p.shape[1])), constant_values=self.reach) for p in parts])

    def _panels(self, k: int, x: Array, tolerance: Array, panels: Panels) -> tuple[Array, Array]:
        """((4, P) sums without the error of the panels themselves, (P,) that error)."""
        step = max(1, _POINTS // self.nodes)
        if len(panels.owner) > step:
            parts = [
                self._panels(k, x, tolerance, panels.part(slice(i, i + step)))
                for i in range(0, len(panels.owner), step)
            ]
            return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts])
        if self.late():
            raise OutOfTime
        r = self.rules[k]
        w = r.weights
        owner = panels.owner
        half = (panels.high - panels.low) / 2
        at, stretch = panels.nodes(self.nodes, r.ends)
        shape = at.shape
        points = np.concatenate([np.repeat(x[:, owner], self.nodes, axis=1), at.reshape(1, -1)])
        density = np.exp(-0.5 * at * at) * stretch
        factor = self.levels[k].factor
        with np.errstate(all="ignore"):
            values = factor(points).reshape(shape) if factor else np.ones(shape)
        if factor:
            values = without_poles(self.levels[k], points, values.ravel()).reshape(shape)
            missing.verify(factor, points, values.ravel())
        values = values * density
        size = np.abs(values)
        outer = np.abs(at) > self.reach - 1
        if k + 1 == len(self.levels):
            integral, error = resolution(values, half, EPS * size.max(axis=1, initial=0.0), r)
            modulus = half * (size @ w)
            shell = half * ((size * outer) @ w)
            return np.stack([integral, 2 * EPS * modulus, modulus, shell]), error
        alive = np.flatnonzero(values.ravel())
        # A narrow panel has an equal share of the tolerance but little weight, so that its inner integrals may be less
        # accurate.
        narrow = 0.25 / np.maximum(2 * half * np.bincount(owner)[owner], np.finfo(float).tiny)
        allowed = (0.5 * tolerance[owner])[:, None] * np.maximum(
            np.maximum(density, 1 / (2 * self.reach)), narrow[:, None]
        )
        with np.errstate(all="ignore"):
            inside = self.level(k + 1, points[:, alive], (allowed / size).ravel()[alive])
        every = np.zeros((4, values.size))
        every[:, alive] = inside
        value, bound, modulus, shell = (every[i].reshape(shape) for i in range(4))
        whole = values * value
        noise = (size * bound).max(axis=1)
        integral, error = resolution(whole, half, np.maximum(noise, EPS * np.abs(whole).max(axis=1)), r)
        modulus = size * modulus
        return (
            np.stack(
                [
                    integral,
                    half * ((size * bound) @ w),
                    half * (modulus @ w),
                    half * (np.where(outer, modulus, size * shell) @ w),
                ]
            ),
            error,
        )


def _is_singular(level: Level) -> bool:
    """Whether panels may have a singularity at their ends, where nodes must be avoided."""
    return any(p.kind == "singular" for p in level.planes) or any(c.kind == "singular" for c in level.curves)


def integrate(f: Integrand, tol: float, clock: Clock, seconds: float | None = None, floor: float = 0.0) -> Quadrature:
    """E F(x) to tol · E|F|, or to the `floor`, by a rough run and then finer ones.

    The error estimate of each run is checked against the next one. The rule stops after `seconds`, or when the time of
    the clock is over, with the best result so far (if there is none, an infinite error). Raises Unsettled where the
    integrand overflows, or grows nearly as fast as the density falls.
    """
    start = now()
    allowed = clock.left() if seconds is None else min(seconds, clock.left())

    def late() -> bool:
        return clock.left() <= 0 or now() - start > allowed

    levels = with_tips(f, levels_of(f))
    reach = min(8.6, math.sqrt(-2 * math.log(min(tol, 1e-3))) + 1.3)
    best = Quadrature(math.nan, math.inf, 0.0)
    before: tuple[float, float] | None = None
    try:
        scale = _size(f, levels, reach, late)
    except OutOfTime:
        return best
    nodes = 16 if tol < 1e-11 else 12
    targets = [t for t in (1e-4, 1e-6, 1e-8, 1e-10) if t > 30 * tol] + [tol]
    step, runs, again, farther = 0, 0, 2, math.inf
    disputed = False
    while step < len(targets):
        goal = targets[step]
        began = now()
        try:
            # No two runs use the same panels, so that a feature missed by one may be found by another.
            run = _Pass(levels, reach, 10 if goal > 1e-7 else nodes, _first_edges(reach, runs), late)
            runs += 1
            value, bound, size, shell = run.level(0, np.zeros((0, 1)), np.array([0.5 * max(goal * scale, floor)]))[:, 0]
        except OutOfTime:
            break
        if not math.isfinite(value):
            raise Unsettled("the integrand overflows")
        if 0.1 * shell > 0.3 * max(goal * size, floor) and reach < 20:
            # Growing integrands need a larger reach than the density alone.
            if reach > 12 and shell > 0.5 * farther:
                raise Unsettled("the integrand grows nearly as fast as the Gaussian density falls")
            if reach <= 12:
                reach, farther = reach + 1.0, shell
                continue
        own = error = bound + 0.1 * shell + 5e-14 * size
        if before is not None:
            # Each run is compared with the error that the other estimated for itself, not with an error raised in
            # between.
            gap = abs(value - before[0])
            disputed = gap > before[1] + own
            if disputed:
                error = max(own, gap)
                best = best._replace(error=max(best.error, 2 * gap))
        before = (value, own)
        if size > 0 and (size > 4 * scale or size < scale / 4):
            # The tolerance was set for an estimate of E|F| that turned out wrong, and the run is repeated.
            far = size < scale / 4
            scale = size
            if far and error > goal * size:
                if error < best.error:
                    best = Quadrature(float(value), float(error), float(size))
                continue
        if error < best.error or error <= tol * size:
            best = Quadrature(float(value), float(error), float(size))
        if best.error <= max(tol * best.scale, floor):
            break
        if disputed and again:
            # One of the two is wrong; a third run with other panels decides.
            again -= 1
        else:
            step += 1
        took, left = now() - began, allowed - (now() - start)
        # The next run would cost several times as much as this one, and another rule may use the time better.
        if 2 * took > left and math.isfinite(best.error):
            break
        if took * _DEARER[f.rank] < left and (f.rank == 2 or run.more < 0.3 * run.first):
            # There is enough time to go directly to the final tolerance.
            step = max(step, len(targets) - 1)
    return best


def _first_edges(reach: float, which: int) -> Array:
    """Panels that widen outwards, where the density leaves less to resolve; each run has different ones."""
    out = [_NARROWEST * (0.0, 0.5, 0.25, 0.4)[which % 4]]
    while out[-1] < reach - 0.4 * _NARROWEST:
        out.append(out[-1] + _NARROWEST * _WIDER ** (len(out) - 1))
    half = np.array(out) * reach / out[-1]
    return np.unique(np.concatenate([-half, half]))


def _size(f: Integrand, levels: tuple[Level, ...], reach: float, late: Callable[[], bool]) -> float:
    """An estimate of E|F|, to which tolerances are relative until it is known.

    A few draws suffice if none of them dominates; otherwise E|F| is integrated roughly over the first panels.
    """
    with np.errstate(all="ignore"):
        v = np.abs(f(np.random.default_rng(5).standard_normal((f.rank, 512))))
    v = v[np.isfinite(v)]
    if len(v) and v.max() < _FEW * v.sum():
        return float(v.mean())
    run = _Pass(levels, reach, _ROUGH, _first_edges(reach, 0), late)
    size = float(run.level(0, np.zeros((0, 1)), np.array([math.inf]))[2, 0])
    return size if 0 < size < math.inf else 1e-6

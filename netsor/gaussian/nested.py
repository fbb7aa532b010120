"""E F(x) for a few standard normals by nested Gauss–Legendre rules, every level cut where F breaks.

At level k, given x₁ … x_{k−1}, the plane a·x + b = 0 shows at c = −(b + Σ_{i<k} a_i x_i)/a_k, over the width
√(w² + |a_{>k}|²)/|a_k| because what lies beyond level k is integrated out. Planes without later components cut sharply;
so do the shadows of the lines in which two such planes meet.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

import numpy as np

from netsor.gaussian.integrand import Integrand, Plane
from netsor.gaussian.oned import Quadrature, legendre, roots_of
from netsor.gaussian.result import Clock, Divergent

Array = np.ndarray
_EDGE_WIDTHS = (-8.0, -3.0, -1.0, 1.0, 3.0, 8.0)
# In many dimensions panels are dear, and accuracy is asked for in proportion.
_EDGE_WIDTHS_DEEP = (-4.0, -1.2, 1.2, 4.0)
_MOST_PLANES = 24
_CHUNK = 1 << 19


class OutOfTime(Exception):
    """A pass was given up."""


def _levels(planes: list[Plane], rank: int) -> list[list[Plane]]:
    """For each level the planes that cut it: their last component is there."""
    sharp = [p for p in planes if p.soft == 0 and np.abs(p.a).max(initial=0) > 0]
    out: list[list[Plane]] = [[] for _ in range(rank)]
    current = [Plane(p.kind, p.a / n, p.b / n) for p in sharp if (n := float(np.abs(p.a).max())) > 0]
    for k in range(rank - 1, -1, -1):
        here = [p for p in current if abs(p.a[k]) > 1e-12]
        rest = [p for p in current if abs(p.a[k]) <= 1e-12]
        out[k] = here
        shadows = []
        if len(here) <= _MOST_PLANES:
            for p, q in itertools.combinations(here, 2):
                a = p.a * q.a[k] - q.a * p.a[k]
                b = p.b * q.a[k] - q.b * p.a[k]
                a[k:] = 0.0
                n = float(np.abs(a).max())
                if n > 1e-9:
                    shadows.append(Plane("kink", a / n, b / n))
        current = _distinct(rest + shadows)
    soft = [p for p in planes if p.soft > 0]
    for k in range(rank):
        out[k] = _distinct(out[k])[: 2 * _MOST_PLANES] + [p for p in soft if abs(p.a[k]) > 1e-12]
        # Sharp planes of later levels are seen blurred here.
        out[k] += [p for p in sharp if abs(p.a[k]) > 1e-12 and np.abs(p.a[k + 1 :]).max(initial=0) > 1e-12]
    return out


def _distinct(planes: list[Plane]) -> list[Plane]:
    kept: list[Plane] = []
    for p in sorted(planes, key=lambda p: p.kind != "singular"):
        v = np.append(p.a, p.b)
        if not any(
            np.abs(v - np.append(q.a, q.b)).max() < 1e-11 or np.abs(v + np.append(q.a, q.b)).max() < 1e-11 for q in kept
        ):
            kept.append(p)
    return kept


def _straight(p: Plane) -> Callable[[Array], tuple[Array, Array]]:
    return lambda t: (np.full(t.shape, p.a[1]), p.b + p.a[0] * t)


def crossings(f: Integrand, reach: float) -> list[Plane]:
    """Two variables: the x₁ at which breaks α_i(x₁) x₂ + β_i(x₁) = 0 meet, curved ones included."""
    sharp = [p for p in f.planes if p.soft == 0 and abs(p.a[1]) > 1e-12]
    lines: list[Callable[[Array], tuple[Array, Array]]] = [_straight(p) for p in sharp]
    for s in f.surfaces:
        at = f.on_surface(s)

        def curve(t: Array, at: Callable[[Array], Array] = at) -> tuple[Array, Array]:
            below = at(np.stack([t, np.zeros_like(t)]))
            return at(np.stack([t, np.ones_like(t)])) - below, below

        lines.append(curve)
    found: list[Plane] = []
    for i in range(len(sharp), len(lines)):
        for j in range(i):

            def determinant(t: Array, p: Callable = lines[i], q: Callable = lines[j]) -> Array:
                (a, b), (c, d) = p(t), q(t)
                return a * d - b * c

            found += [Plane("kink", np.array([1.0, 0.0]), -x) for x in roots_of(determinant, reach)]
    return found


def cuts_at(level: list[Plane], x: Array, k: int, reach: float) -> Array:
    """The cut points (N, J) of level k given the columns of x (k, N)."""
    columns: list[Array] = []
    n = x.shape[1]
    for p in level:
        centre = -(p.b + p.a[:k] @ x) / p.a[k] if k else np.full(n, -p.b / p.a[k])
        width = math.sqrt(p.soft**2 + float((p.a[k + 1 :] ** 2).sum())) / abs(p.a[k])
        if width == 0:
            columns.append(centre)
            if p.kind == "singular":
                # Panels that close in: |t|^{−α} on a panel whose ends are as 1 to 10 is smooth enough.
                ends = 10.0 ** -np.arange(0.0, 12.0, 1.0 if p.a.size < 3 else 2.0)
                columns.extend(centre + sign * t for t in ends for sign in (-1, 1))
        elif width < (0.6 if p.a.size < 3 else 0.35):
            columns.extend(
                centre + w * width for w in (_EDGE_WIDTHS if p.a.size < 3 else _EDGE_WIDTHS_DEEP) if abs(w) * width < 4
            )
    if not columns:
        return np.zeros((n, 0))
    return np.clip(np.stack(columns, axis=1), -reach, reach)


def expand_level(x: Array, weight: Array, cuts: Array, base: Array, nodes: int, drop: float) -> tuple[Array, Array]:
    """All nodes of the next level: (k+1, M) points and their weights; negligible ones are dropped."""
    n = x.shape[1]
    edges = np.sort(np.concatenate([np.broadcast_to(base, (n, len(base))), cuts], axis=1), axis=1)
    half = np.diff(edges, axis=1) / 2
    mid = (edges[:, 1:] + edges[:, :-1]) / 2
    # Long panels of the base grid keep their nodes; the slivers between close cuts can do with fewer.
    t, w = legendre(nodes)
    points = mid[:, :, None] + half[:, :, None] * t
    weights = half[:, :, None] * w * np.exp(-0.5 * points**2) / math.sqrt(2 * math.pi) * weight[:, None, None]
    flat = weights.reshape(-1)
    keep = np.flatnonzero(flat > drop)
    owner = keep // (weights.shape[1] * weights.shape[2])
    return np.concatenate([x[:, owner], points.reshape(-1)[keep][None]]), flat[keep]


def one_pass(
    f: Integrand,
    levels: list[list[Plane]],
    nodes: int,
    reach: float,
    panels: int,
    drop: float,
    late: Callable[[], bool] = lambda: False,
) -> tuple[float, float, float]:
    """(integral, integral of the modulus, that over the outermost unit) with fixed numbers of nodes.

    Raises OutOfTime as soon as it is `late`.
    """
    base = np.linspace(-reach, reach, panels + 1)
    total = [0.0, 0.0, 0.0]

    def descend(x: Array, weight: Array, k: int) -> None:
        if k == f.rank:
            with np.errstate(all="ignore"):
                v = f(x) * weight
            if not np.isfinite(v).all():
                raise Divergent("the integrand has no value, or overflows, where it matters")
            size = np.abs(v)
            total[0] += float(v.sum())
            total[1] += float(size.sum())
            total[2] += float(size[np.abs(x).max(axis=0) > reach - 1].sum())
            return
        per = (panels + 6 * len(levels[k])) * nodes
        step = max(1, _CHUNK // per)
        for i in range(0, x.shape[1], step):
            if late():
                raise OutOfTime
            part = x[:, i : i + step]
            cuts = cuts_at(levels[k], part, k, reach)
            if k == f.rank - 1:
                for s in f.surfaces:
                    cuts = np.concatenate([cuts, surface_cuts(f.on_surface(s), part, reach)], axis=1)
            descend(*expand_level(part, weight[i : i + step], cuts, base, nodes, drop), k + 1)

    descend(np.zeros((0, 1)), np.ones(1), 0)
    return total[0], total[1], total[2]


def surface_cuts(f, x: Array, reach: float, points: int = 48, most: int = 4) -> Array:  # noqa: ANN001
    """Where f(x, ·) changes sign along the next coordinate, at most `most` times, for each column of x."""
    n = x.shape[1]
    grid = np.linspace(-reach, reach, points) + 1e-9
    every = np.concatenate([np.repeat(x, points, axis=1), np.tile(grid, n)[None]])
    with np.errstate(all="ignore"):
        v = f(every).reshape(n, points)
    change = np.sign(v[:, 1:]) * np.sign(v[:, :-1]) < 0
    out = np.full((n, most), reach)
    rows, columns = np.nonzero(change)
    if not len(rows):
        return out
    a, b, fa = grid[columns], grid[columns + 1], v[rows, columns]
    for _ in range(45):
        mid = (a + b) / 2
        with np.errstate(all="ignore"):
            fm = f(np.concatenate([x[:, rows], mid[None]]))
        left = fa * fm <= 0
        b = np.where(left, mid, b)
        a, fa = np.where(left, a, mid), np.where(left, fa, fm)
    rank_in_row = np.zeros(len(rows), int)
    rank_in_row[1:] = np.where(rows[1:] == rows[:-1], 1, 0)
    for i in range(1, len(rows)):
        rank_in_row[i] = rank_in_row[i - 1] + 1 if rows[i] == rows[i - 1] else 0
    good = rank_in_row < most
    out[rows[good], rank_in_row[good]] = ((a + b) / 2)[good]
    return out


def integrate(f: Integrand, tol: float, clock: Clock, wary: bool = False, seconds: float | None = None) -> Quadrature:
    """E F(x), refined until two resolutions differ by less than tol · E|F|.

    The finer of two is better than their difference says by the factor by which the differences fall, of which a
    tenth is trusted, or nothing of it (`wary`) where F breaks in places that are not cut. Beyond a distance t a
    Gaussian tail holds less than a tenth of the unit before it. With `seconds`, where another rule can take over, it
    gives up after them, if need be with no value at all.
    """
    start = time.monotonic()

    def late() -> bool:
        return seconds is not None and time.monotonic() - start > seconds

    levels = _levels(f.planes, f.rank)
    if f.rank == 2 and f.surfaces:
        levels[0] = levels[0] + crossings(f, 9.0)[:40]
    deep = f.rank >= 3
    reach = min(8.4, math.sqrt(-2 * math.log(min(tol, 1e-3))) + 0.6)
    plan = (
        [(5, 4), (7, 5), (10, 6), (14, 6), (18, 8), (24, 10)]
        if deep
        else [(8, 6), (12, 7), (16, 9), (22, 12), (32, 16)]
    )
    before: float | None = None
    change = math.inf
    best = Quadrature(math.nan, math.inf, 0.0)
    step = 0
    while step < len(plan):
        nodes, panels = plan[step]
        began = time.monotonic()
        try:
            value, scale, shell = one_pass(f, levels, nodes, reach, panels, min(1e-17, 1e-6 * tol**2), late)
        except OutOfTime:
            break
        if not math.isfinite(value):
            raise Divergent("the integrand overflows")
        if 0.1 * shell > 0.3 * tol * scale and reach < 20:
            # Heavy integrands reach farther than the density.
            reach += 1.0
            if reach > 12:
                raise Divergent("the integrand grows as fast as the Gaussian density falls")
            continue
        if before is not None:
            now = abs(value - before)
            trusted = 4.0 if wary else min(1.0, max(10 * now / change, 0.1)) if 0 < change < math.inf else 1.0
            error = now * trusted + 0.1 * shell + 5e-13 * scale
            change = now
            if error < best.error:
                best = Quadrature(value, error, scale)
            if best.error <= max(tol, 1e-12) * scale:
                break
        before = value
        step += 1
        took = time.monotonic() - began
        rest = clock.left() if seconds is None else seconds - (time.monotonic() - start)
        if took * 1.6**f.rank > rest and math.isfinite(best.error):
            break
    return best

"""E F for two variables where F is singular on one or both of two lines, or where these meet.

With p = ±e^s and q = ±e^t for the two linear forms p, q that vanish there, a function such as 1/(|p| + q²) is smooth on
the scale 1 in (s, t) everywhere, and falls like e^{μ s} towards the singularity if it is integrable. The trapezoidal
rule then converges exponentially (Stenger 1993, ch. 3), and what lies beyond its farthest node is a geometric series.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netsor.expr import FUNCTIONS, Add, Call, Expr, Sym, postorder
from netsor.expr.intervals import infer_range
from netsor.gaussian.existence.integrability import flats_of
from netsor.gaussian.integrand.integrand import Integrand, Plane
from netsor.gaussian.integrand.probe import Probe, divisors_of
from netsor.gaussian.problem import EPS, Method, OutOfTime, SingularSums
from netsor.gaussian.rules.panels import Quadrature, slower
from netsor.gaussian.rules.rule import Goal, Rule

Array = np.ndarray
# Nodes in a unit of the logarithm from run to run; how far they go towards the singularity in log|q|, and how many
# times as far in log|p|, so that the p beyond are small beside a power of the least q.
_NODES, _DEPTHS, _RATIOS = (2, 4, 8, 16), (40, 80, 120, 160), (1, 2, 4)
# Standard deviations that the nodes reach.
_REACH = 37.5
# Units of the logarithm over which the decay of what lies beyond the farthest node is measured, twice.
_DECAY = 8
_CHUNK = 1 << 18
# A row of this share of the whole is not followed beyond the farthest node.
_NOTHING = 1e-25
# Forms with a smaller share of one of the two than this are functions of the other.
_ROUNDED = 1e-14


class LogTrapezoid(Rule):
    """The trapezoidal rule in the logarithms of two linear forms (Stenger 1993, ch. 3)."""

    integrands = "two variables, singular where one or both of two linear forms vanish, such as 1/(|x| + y²)"
    does = "the trapezoidal rule in the logarithms of the two forms, on all scales (Stenger 1993)"
    method = Method.LOGARITHMIC

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return 1e6 if probe.rank == 2 and not goal.late and axes_of(probe.f) is not None else None

    def is_on_all_scales(self, probe: Probe) -> bool:
        return True  # it knows what lies beyond its nodes

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature | None:
        axes = axes_of(probe.f)
        assert axes is not None
        return integrate(axes, goal)


@dataclass(frozen=True)
class Axes:
    """The forms p and q of an integrand: all its forms are `mix` @ (p, q) + `offset`, and (p, q) = root x + shift."""

    f: Integrand
    root: Array
    shift: Array
    mix: Array
    offset: Array

    def weighted(self, p: Array, q: Array) -> Array:
        """F times the density of (p, q)."""
        x = np.linalg.solve(self.root, np.stack([p - self.shift[0], q - self.shift[1]]))
        forms = self.mix[:, :1] * p + self.mix[:, 1:] * q + self.offset[:, None]
        density = np.exp(-0.5 * (x * x).sum(axis=0)) / (2 * math.pi * abs(np.linalg.det(self.root)))
        with np.errstate(all="ignore"):
            # Where the density is zero, F may be out of range.
            return np.where(density > 0, self.f.of_forms(forms, x) * density, 0.0)


def axes_of(f: Integrand) -> Axes | None:
    """The two forms on whose zeros all breaks lie; None where there are others, or nothing is singular."""
    if f.rank != 2 or f.radial or f.given or any(s.kind != "singular" for s in f.surfaces):
        return None
    divisors, known = divisors_of(f), frozenset(f.forms)
    if not all(_vanishes_with_forms(base, known) for base in divisors):
        return None
    singular = sorted({s for base in divisors for s in base.free & known}, key=lambda s: s.digest)
    planes = [p for p in f.planes if p.kind not in ("soft", "removable")]
    if not singular and not any(p.kind == "singular" for p in planes):
        return None
    chosen = [f.forms.index(s) for s in singular]
    for plane in planes:
        i = next((i for i in range(len(f.forms)) if _is_zero_of(f, i, plane)), None)
        if i is None:
            return None
        chosen.append(i)
    rows: list[int] = []
    for i in chosen:
        if not any(_parallel(f, i, j) for j in rows):
            rows.append(i)
    # Any other form serves as the second one.
    rows += [i for i in range(len(f.forms)) if len(rows) == 1 and not _parallel(f, i, rows[0])][:1]
    if len(rows) > 2 or any(not f.root[i].any() for i in rows):
        return None
    root, shift = f.root[rows], f.shift[rows]
    if len(rows) == 1:
        root, shift = np.stack([root[0], [-root[0, 1], root[0, 0]]]), np.array([shift[0], 0.0])
    mix = np.linalg.solve(root.T, f.root.T).T
    mix[np.abs(mix) * np.linalg.norm(root, axis=1) < _ROUNDED * np.linalg.norm(f.root, axis=1)[:, None]] = 0.0
    offset = f.shift - mix @ shift
    offset[np.abs(offset) <= _ROUNDED * (np.abs(f.shift) + np.abs(mix) @ np.abs(shift))] = 0.0
    for k, i in enumerate(rows):
        mix[i], offset[i] = np.eye(2)[k], 0.0
    return Axes(f, root, shift, mix, offset)


def _vanishes_with_forms(base: Expr, forms: frozenset[Sym]) -> bool:
    """Whether a divisor has no zero where no form vanishes: it is not negative, and none of its parts changes sign."""
    if isinstance(base, Sym) or flats_of(base, forms):
        return True
    signed = [c for node in postorder(base) if isinstance(node, Call) and FUNCTIONS[node.fn].is_kinked
              for c in node.children if isinstance(c, Add)]  # fmt: skip
    return infer_range(base, {})[0] >= 0 and not any(c.free & forms for c in signed)


def _parallel(f: Integrand, i: int, j: int) -> bool:
    a, b = f.root[i], f.root[j]
    return bool(abs(a[0] * b[1] - a[1] * b[0]) <= _ROUNDED * np.linalg.norm(a) * np.linalg.norm(b))


def _is_zero_of(f: Integrand, i: int, plane: Plane) -> bool:
    """Whether the plane is where form i vanishes."""
    a, b = f.root[i], plane.a
    size = np.linalg.norm(a) * np.linalg.norm(b)
    off = np.linalg.norm(a) * plane.b - math.copysign(np.linalg.norm(b), a @ b) * f.shift[i]
    return bool(size and abs(a[0] * b[1] - a[1] * b[0]) <= _ROUNDED * size and abs(off) <= _ROUNDED * size)


class _Pass(NamedTuple):
    """The sum over a grid, and the sums over units of s of the integrand and of its modulus, for each node of t."""

    columns: Array
    sizes: Array


def integrate(axes: Axes, goal: Goal) -> Quadrature | None:
    """E F; None where the time ends first, SingularSums where the sums over the farthest nodes do not decrease."""
    found: Quadrature | None = None
    for depth in _DEPTHS:
        try:
            # The shape of the grid that knows best what lies beyond it.
            coarse = {ratio: _sum(axes, goal, (ratio * depth, depth), _NODES[0], 0.0, 0.0) for ratio in _RATIOS}
            ratio = min(_RATIOS, key=lambda r: coarse[r].error)
            now = _at_depth(axes, goal, (ratio * depth, depth), coarse[ratio])
        except OutOfTime:
            break
        if found is None or now.error < found.error:
            found = now
        if found.error <= max(goal.aim * found.scale, goal.floor):
            break
    if found is not None and not math.isfinite(found.error):
        raise SingularSums("the integrand is so singular that its sums do not converge")
    return found


def _at_depth(axes: Axes, goal: Goal, depths: tuple[int, int], first: _Sum) -> Quadrature:
    """Runs with more and more nodes, until the four shifted grids of which a run consists agree."""
    coarse: tuple[_Sum, ...] = (first,)
    best = Quadrature(0.0, math.inf, 0.0)
    for nodes in _NODES:
        shifts = list(itertools.product((0.0, 0.5), repeat=2))
        # The grid of the run before is one of the four.
        grids = [*coarse, *(_sum(axes, goal, depths, nodes, a, b) for a, b in shifts[len(coarse) :])]
        value = sum(g.value for g in grids) / 4
        scale = sum(g.scale for g in grids) / 4
        spread = max(abs(g.value - value) for g in grids)
        beyond = max(g.error for g in grids)
        error = spread + beyond + 16 * EPS * scale
        if error < best.error:
            best = Quadrature(value, error, scale)
        if spread <= max(goal.aim * scale, goal.floor) or not math.isfinite(beyond):
            break
        coarse = (_Sum(value, scale, beyond),)
    return best


class _Sum(NamedTuple):
    """The sum over a grid with what lies beyond it, the sum of the moduli, and the error of what lies beyond."""

    value: float
    scale: float
    error: float


def _sum(axes: Axes, goal: Goal, depths: tuple[int, int], nodes: int, first: float, second: float) -> _Sum:
    total, scale, error = 0.0, 0.0, 0.0
    farthest = np.abs(axes.shift) + _REACH * np.linalg.norm(axes.root, axis=1)
    tops = np.ceil(np.log(farthest)).astype(int)
    s, t = (
        top - depth + (np.arange(depth * nodes) + shift) / nodes
        for top, depth, shift in zip(tops.tolist(), depths, (first, second), strict=True)
    )
    for signs in itertools.product((1, -1), repeat=2):
        p, q = signs[0] * np.exp(s), signs[1] * np.exp(t)
        columns, sizes = _columns(axes, goal, p, q, nodes)
        part, size, off = _with_rest(columns, sizes, nodes)
        total, scale, error = total + part, scale + size, error + off
    return _Sum(total, scale, error)


def _columns(axes: Axes, goal: Goal, p: Array, q: Array, nodes: int) -> _Pass:
    """Sums over each unit of log|p|, for each q."""
    units = len(p) // nodes
    out, sizes = np.zeros((units, len(q))), np.zeros((units, len(q)))
    step = max(1, _CHUNK // (nodes * len(q)))
    for i in range(0, units, step):
        if goal.late:
            raise OutOfTime
        here = p[i * nodes : (i + step) * nodes]
        pp, qq = np.repeat(here, len(q)), np.tile(q, len(here))
        with np.errstate(all="ignore"):
            values = (axes.weighted(pp, qq) * np.abs(pp * qq) / nodes**2).reshape(-1, nodes, len(q))
        out[i : i + step], sizes[i : i + step] = values.sum(axis=1), np.abs(values).sum(axis=1)
    return _Pass(out, sizes)


def _with_rest(columns: Array, sizes: Array, nodes: int) -> tuple[float, float, float]:
    """The sum of all columns and of what lies beyond their farthest units, the size, and an error of the latter."""
    scale = float(sizes.sum())
    if not math.isfinite(scale):
        return 0.0, 0.0, math.inf
    rest, off = _beyond(columns, sizes, _NOTHING * scale)
    rows = (columns.sum(axis=0) + rest).reshape(-1, nodes).sum(axis=1)
    spread = off.reshape(-1, nodes).sum(axis=1)
    moduli = (sizes.sum(axis=0) + np.abs(rest)).reshape(-1, nodes).sum(axis=1)
    last, error = _beyond(rows[:, None], moduli[:, None], _NOTHING * scale)
    more, _ = _beyond(spread[:, None], spread[:, None], _NOTHING * scale)
    return (
        float(rows.sum() + last[0]),
        float(moduli.sum() + abs(last[0])),
        float(spread.sum() + error[0] + abs(more[0])),
    )


def _beyond(sums: Array, sizes: Array, nothing: float) -> tuple[Array, Array]:
    """What a series of sums over units adds beyond its first, and an error of that, for each column.

    It is continued as a geometric series, whose ratio is compared with that of the units before.
    """
    near, middle, far = sizes[0], sizes[_DECAY], sizes[2 * _DECAY]
    counts = near > nothing
    rest, error = np.zeros(sums.shape[1]), np.where(counts, np.inf, near * _DECAY)
    with np.errstate(all="ignore"):
        ratio, before = (near / middle) ** (1 / _DECAY), (middle / far) ** (1 / _DECAY)
        here, there = (near * r / (1 - r) for r in (ratio, before))
        known = counts & (ratio < 1) & (before < 1) & np.isfinite(here + there)
        same = np.where(np.abs(sums[0]) == near, np.sign(sums[0]), 0.0)
    here, there, same = here[known], there[known], same[known]
    rest[known] = same * here
    off = slower(np.abs(here - there), here > there, 1 - ratio[known], len(sums), _DECAY)
    error[known] = off + 1e-11 * here + np.where(same == 0, here, 0.0)
    return rest, error

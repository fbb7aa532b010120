"""E f(u) g(v) of many pairs at once: panels in u, with g smoothed in closed form.

The rule ends at a reach, evaluates the integrand at places beyond, and is repeated with a larger reach where these
matter. Where the integrand varies on a shorter length than the rule resolves, or overflows, the error is infinite, and
adaptive rules are used instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netsor.expr import Expr, Sym, add
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute
from netsor.expr.rounding import running_error
from netsor.gaussian.problem import EPS
from netsor.gaussian.reductions.truncated_moments import Smoothing
from netsor.gaussian.rules.panels import legendre, panel_sums
from netsor.gaussian.vectorized.scales import Scales

Array = np.ndarray
Found = tuple[Array, Array, Array]
_SQRT_2PI = math.sqrt(2 * math.pi)
# The reaches of the rule that are tried in turn.
_REACHES = (8.5, 12.5, 18.5, 27.5, 37.5)
# The length of a panel and its nodes: a pole at a distance of one is resolved to 1e-12 or better.
_PANEL, _NODES = 1.6, 24
# The number of places beyond a reach; a density there above this share of the whole matters.
_LOOKS, _COUNTS = 14, 1e-17
# Ends of panels around a steep transition, in its widths; beyond them it has decayed or is linear.
_TURNS = (-400, -130, -40, -16, -5, -1.6, 0, 1.6, 5, 16, 40, 130, 400)
# Ends of panels around a kink that was smoothed by a Gaussian, in its widths.
_KINKS = (-8.0, -3.0, 0.0, 3.0, 8.0)
# Where E|F| is smaller than this, the nodes may have missed where F is not zero.
NOTHING = 1e-280
# The smallest √(1 − ρ²) of a rule; a smaller one is replaced by it, which changes the variance by its square.
LEAST_SPREAD = 1e-13
# The width from which a feature is resolved without cuts, and the largest rate of waves that is resolved.
_NARROW, _QUICK = 0.7, 1.5


@dataclass(frozen=True)
class Side:
    """A function of one of the two variables, its scales, and the standard deviations of the variable."""

    f: Expr
    u: Sym
    scales: Scales
    sd: Array

    def values(self) -> Callable[[Array], Array]:
        f = lambdify((self.f,), (self.u,))
        return lambda x: f(x)[0] + np.zeros(np.shape(x))

    def sizes(self) -> Callable[[Array], Array]:
        """The size that its rounding is relative to, in units of the last place."""
        g = lambdify((add(absolute(self.f), running_error(self.f)),), (self.u,))
        return lambda x: g(x)[0] + np.zeros(np.shape(x))

    def at(self, rows: Array) -> Side:
        return Side(self.f, self.u, self.scales, self.sd[rows])


def by_panels(f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array) -> Found:
    """(value, error, E|f ĝ|) of ∫ f(σ_u x) ĝ(σ_v ρ x, σ_v s) φ(x) dx, ĝ(c, s) = E g(c + s z), for every row."""

    def rule(rows: Array, reach: float) -> tuple[Array, Array, Array, Array]:
        return _panels(f.at(rows), g.at(rows), smoothed, rho[rows], spread[rows], reach)

    return reaching(rule, len(rho))


def reaching(rule: Callable[[Array, float], tuple[Array, Array, Array, Array]], count: int) -> Found:
    """A rule with the reach that each row needs; `rule` gives values, errors, sizes, and bounds on the rest beyond."""
    value, error, size = np.zeros(count), np.full(count, np.inf), np.zeros(count)
    rows = np.arange(count)
    for reach in _REACHES:
        if not len(rows):
            break
        v, e, s, beyond = rule(rows, reach)
        sound = np.isfinite(v) & np.isfinite(s)
        done = sound & (beyond <= 1e-14 * s)
        value[rows[done]], error[rows[done]], size[rows[done]] = v[done], (e + beyond)[done], s[done]
        # Where the integrand is not resolved, a larger reach does not help.
        rows = rows[sound & ~done & np.isfinite(e)]
    return value, error, size


def _panels(
    f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array, reach: float
) -> tuple[Array, Array, Array, Array]:
    cuts, seen = _cuts(f, g, smoothed, rho, spread)
    compiled, sizes = f.values(), f.sizes()
    sv = np.maximum(g.sd * spread, LEAST_SPREAD * g.sd)

    def integrand(part: slice, x: Array, size: bool) -> Array:
        extra = (slice(None),) + (None,) * (x.ndim - 1)
        su, c, s = f.sd[part][extra], (g.sd * rho)[part][extra], sv[part][extra]
        centres, widths = np.broadcast_arrays(c * x, s)
        inner = (smoothed.size if size else smoothed)(centres.ravel(), widths.ravel()).reshape(x.shape)
        return (sizes if size else compiled)(su * x) * inner * np.exp(-0.5 * x * x) / _SQRT_2PI

    return on_panels(integrand, cuts, seen, reach)


def on_panels(
    integrand: Callable[[slice, Array, bool], Array], cuts: list[Array], seen: Array, reach: float
) -> tuple[Array, Array, Array, Array]:
    """(value, error, size, bound on what lies beyond the reach) of ∫ F, row by row, with panels that end at the cuts.

    `integrand` gives F for the rows of a slice at x, whose first axis are these rows, or the size that its rounding is
    relative to. The error is infinite for rows that are not `seen` to be resolved.
    """
    n = len(seen)
    base = np.linspace(-reach, reach, math.ceil(2 * reach / _PANEL) + 1)
    ends = [np.broadcast_to(base, (n, len(base))), *(np.clip(c, -reach, reach)[:, None] for c in cuts)]
    edges = np.sort(np.concatenate(ends, axis=1), axis=1)
    value, error, scale, beyond = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    step = max(1, 400_000 // (edges.shape[1] * _NODES))
    with np.errstate(all="ignore"):
        for i in range(0, n, step):
            part = slice(i, i + step)
            half = np.diff(edges[part], axis=1) / 2
            middle = (edges[part, 1:] + edges[part, :-1]) / 2
            x = middle[:, :, None] + half[:, :, None] * legendre(_NODES)[0]
            parts = panel_sums(integrand(part, x, False).reshape(-1, _NODES), half.ravel())
            value[part], own, scale[part] = (np.where(half > 0, p.reshape(half.shape), 0.0).sum(axis=1) for p in parts)
            # The rounding of terms that cancel, estimated at the middles of the panels.
            lost = 4 * EPS * np.nansum(integrand(part, middle, True) * 2 * half, axis=1)
            error[part] = own + lost + 2e-14 * scale[part]
            beyond[part] = _beyond(lambda at, part=part: integrand(part, at, False), reach, scale[part])  # type: ignore[misc]
    return value, np.where(seen, error, np.inf), scale, beyond


def _beyond(integrand: Callable[[Array], Array], reach: float, scale: Array) -> Array:
    """A bound on the integral beyond the reach; infinite where the integrand matters there and does not decay."""
    farther = reach + (_REACHES[-1] + 1.5 - reach) * np.linspace(0, 1, _LOOKS + 1)[1:]
    at = np.concatenate([[reach - 0.5, reach], farther])
    out = np.zeros(len(scale))
    for side in (at, -at):
        v = np.abs(integrand(np.broadcast_to(side, (len(scale), len(side)))))
        # Values may overflow at distant places; these are ignored, and growth is recognised at the places before them.
        v = np.where(np.isfinite(v), v, 0.0)
        out += _left(v[:, 1], v[:, 0])
        out += np.where((v[:, 2:] > _COUNTS * scale[:, None]).any(axis=1), np.inf, 0.0)
    return out


def _left(edge: Array, inside: Array) -> Array:
    """The integral of a density beyond an edge, assuming that it decays as it does from 0.5 inside to the edge."""
    fall = np.where((edge > 0) & (edge < inside), 2 * np.log(np.where(edge > 0, inside / edge, 1.0)), 0.0)
    return np.where(fall > 0.2, edge / np.maximum(fall, 0.2), edge * 5)


def cuts_of(f: Side) -> tuple[list[Array], Array]:
    """Ends of panels for a function of the variable x of the rule itself, and the rows that are resolved with them.

    An end beyond every reach stands for none.
    """
    cuts = [t / f.sd for t in f.scales.edges]
    for t, slope in f.scales.turns:
        cuts += _about(t / f.sd, 1 / (slope * f.sd), _TURNS)
    return cuts, f.scales.rate * f.sd <= _QUICK


def _about(centre: Array, width: Array, ends: tuple[float, ...]) -> list[Array]:
    return [np.where(width < _NARROW, centre + w * width, np.inf) for w in ends]


def _cuts(f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array) -> tuple[list[Array], Array]:
    """Ends of panels for every row, and the rows whose integrands are resolved with them."""
    cuts, seen = cuts_of(f)
    steep = np.where(np.abs(rho) > 1e-8, rho, 1e-8)
    blur = np.maximum(spread, LEAST_SPREAD) / np.abs(steep)
    for t in smoothed.edges:
        cuts += _about(t / (g.sd * steep), blur, _KINKS)
    for t, slope in g.scales.turns:
        cuts += _about(t / (g.sd * steep), np.hypot(blur, 1 / (slope * g.sd * np.abs(steep))), _TURNS)
    seen = seen & ((g.scales.rate * g.sd * np.abs(rho) <= _QUICK) | (blur > _NARROW))
    return cuts, seen

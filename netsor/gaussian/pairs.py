"""E f(u) g(v) of many pairs at once: panels in u with g smoothed in closed form, or a grid for smooth f and g.

Both rules end at a reach, look beyond it, and go on where there is something. What they do not see, because it turns
on a shorter length or overflows, has an infinite error, and is for rules that search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netsor.expr import Expr, Sym, add, call
from netsor.expr.arrays import lambdify
from netsor.expr.rounding import adds_up, running_error
from netsor.gaussian.oned import legendre
from netsor.gaussian.outcome import EPS
from netsor.gaussian.scales import Scales
from netsor.gaussian.smooth import Smoothing

Array = np.ndarray
Found = tuple[Array, Array, Array]
_SQRT_2PI = math.sqrt(2 * math.pi)
# Where the rules end, and where they end at last.
_REACHES = (8.5, 12.5, 18.5, 27.5, 37.5)
_PANEL = 2.5
# Places beyond a reach; a density there above this part of the whole counts.
_LOOKS, _COUNTS = 14, 1e-17
# Panels about a steep turn, in its widths: exponentials have died away beyond, and what falls slower is straight.
_TURNS = (-400, -130, -40, -16, -5, -1.6, 1.6, 5, 16, 40, 130, 400)
# About a kink that was smoothed by a Gaussian.
_KINKS = (-8.0, -3.0, 0.0, 3.0, 8.0)
# Features of this width are seen by panels without cuts, waves and the like up to that rate.
_NARROW, _QUICK = 0.7, 1.5
# Grids are for features a third as wide as the law, and no narrower.
_STEEPEST = 3.0


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

    def has_terms(self) -> bool:
        """Whether it holds sums that may cancel."""
        return adds_up(self.f)

    def sizes(self) -> Callable[[Array], Array]:
        """What its rounding is relative to, in units of the last place."""
        g = lambdify((add(call("abs", self.f), running_error(self.f)),), (self.u,))
        return lambda x: g(x)[0] + np.zeros(np.shape(x))

    def at(self, rows: Array) -> Side:
        return Side(self.f, self.u, self.scales, self.sd[rows])


def by_panels(f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array) -> Found:
    """(value, error, E|f ĝ|) of ∫ f(σ_u x) ĝ(σ_v ρ x, σ_v s) φ(x) dx, ĝ(c, s) = E g(c + s z), for every row."""

    def rule(rows: Array, reach: float) -> tuple[Array, Array, Array, Array]:
        return _panels(f.at(rows), g.at(rows), smoothed, rho[rows], spread[rows], reach)

    return _reaching(rule, len(rho))


def by_grid(f: Side, g: Side, rho: Array, spread: Array) -> Found:
    """(value, error, E|f g|) of smooth f and g for every row, by two grids that have no point in common."""

    def rule(rows: Array, reach: float) -> tuple[Array, Array, Array, Array]:
        return _grids(f.at(rows), g.at(rows), rho[rows], spread[rows], reach)

    return _reaching(rule, len(rho))


def _reaching(rule: Callable[[Array, float], tuple[Array, Array, Array, Array]], count: int) -> Found:
    """A rule with the reach that each row needs; `rule` gives values, errors, sizes, and what there is beyond."""
    value, error, size = np.zeros(count), np.full(count, np.inf), np.zeros(count)
    rows = np.arange(count)
    for reach in _REACHES:
        if not len(rows):
            break
        v, e, s, beyond = rule(rows, reach)
        sound = np.isfinite(v) & np.isfinite(s)
        done = sound & (beyond <= 1e-14 * s)
        value[rows[done]], error[rows[done]], size[rows[done]] = v[done], (e + beyond)[done], s[done]
        # A rule that does not see the integrand sees it no better farther out.
        rows = rows[sound & ~done & np.isfinite(e)]
    return value, error, size


def _panels(
    f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array, reach: float
) -> tuple[Array, Array, Array, Array]:
    n = len(rho)
    cuts, seen = _cuts(f, g, smoothed, rho, spread, reach)
    base = np.linspace(-reach, reach, math.ceil(2 * reach / _PANEL) + 1)
    ends = [np.broadcast_to(base, (n, len(base))), *(np.clip(c, -reach, reach)[:, None] for c in cuts)]
    edges = np.sort(np.concatenate(ends, axis=1), axis=1)
    compiled, sizes = f.values(), f.sizes()
    value, error, scale, beyond = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    step = max(1, 400_000 // (edges.shape[1] * 16))
    sv = np.maximum(g.sd * spread, 1e-13 * g.sd)
    with np.errstate(all="ignore"):
        for i in range(0, n, step):
            part = slice(i, i + step)
            su, c, s = f.sd[part, None], (g.sd * rho)[part, None], sv[part, None]

            def integrand(x: Array, su: Array = su, c: Array = c, s: Array = s) -> Array:
                extra = (...,) + (None,) * (x.ndim - 2)
                centres, widths = np.broadcast_arrays(c[extra] * x, s[extra])
                inner = smoothed(centres.ravel(), widths.ravel()).reshape(x.shape)
                return compiled(su[extra] * x) * inner * np.exp(-0.5 * x * x) / _SQRT_2PI

            def terms(x: Array, su: Array = su, c: Array = c, s: Array = s) -> Array:
                centres, widths = np.broadcast_arrays(c[..., None] * x, s[..., None])
                inner = smoothed.size(centres.ravel(), widths.ravel()).reshape(x.shape)
                return sizes(su[..., None] * x) * inner * np.exp(-0.5 * x * x) / _SQRT_2PI

            half = np.diff(edges[part], axis=1)[:, :, None] / 2
            middle = (edges[part, 1:, None] + edges[part, :-1, None]) / 2
            sums = []
            for nodes in (16, 11):
                points, w = legendre(nodes)
                x = middle + half * points
                v = np.where(half > 0, integrand(x) * half * w, 0.0)
                sums.append(v.sum(axis=2))
                if nodes == 16:
                    scale[part] = np.abs(v).sum(axis=(1, 2))
            # Terms that cancel leave their rounding; the middles of panels tell how much.
            error[part] = 4 * EPS * np.nansum(terms(middle) * 2 * half, axis=(1, 2))
            value[part] = sums[0].sum(axis=1)
            change = np.abs(sums[0] - sums[1]).sum(axis=1)
            # 16 nodes a panel against 11: the error of the finer rule is the change to the power 16/11, about.
            better = np.where(scale[part] > 0, 30 * scale[part] * (change / scale[part]) ** 1.4, 0.0)
            error[part] += np.minimum(change, better) + 2e-14 * scale[part]
            beyond[part] = _beyond(integrand, reach, scale[part])
    return value, np.where(seen, error, np.inf), scale, beyond


def _beyond(integrand: Callable[[Array], Array], reach: float, scale: Array) -> Array:
    """A bound on what lies beyond the reach, from values farther out; infinite where that counts and does not fall."""
    farther = reach + (_REACHES[-1] + 1.5 - reach) * np.linspace(0, 1, _LOOKS + 1)[1:]
    at = np.concatenate([[reach - 0.5, reach], farther])
    out = np.zeros(len(scale))
    for side in (at, -at):
        v = np.abs(integrand(np.broadcast_to(side, (len(scale), len(side)))))
        # What overflows so far out is seen where it does not.
        v = np.where(np.isfinite(v), v, 0.0)
        out += _left(v[:, 1], v[:, 0])
        out += np.where((v[:, 2:] > _COUNTS * scale[:, None]).any(axis=1), np.inf, 0.0)
    return out


def _left(edge: Array, inside: Array) -> Array:
    """What a density leaves beyond an edge, where it falls at least as it does from a place 0.5 inside."""
    fall = np.where((edge > 0) & (edge < inside), 2 * np.log(np.where(edge > 0, inside / edge, 1.0)), 0.0)
    return np.where(fall > 0.2, edge / np.maximum(fall, 0.2), edge * 5)


def _cuts(
    f: Side, g: Side, smoothed: Smoothing, rho: Array, spread: Array, reach: float
) -> tuple[list[Array], Array]:
    """Ends of panels for every row, and the rows whose integrand panels with these ends see."""
    cuts: list[Array] = []
    seen = np.ones(len(rho), bool)

    def about(centre: Array, width: Array, ends: tuple[float, ...]) -> None:
        cuts.extend(np.where(width < _NARROW, centre + w * width, reach) for w in ends)

    cuts.extend(t / f.sd for t in f.scales.edges)
    for t, slope in f.scales.turns:
        about(t / f.sd, 1 / (slope * f.sd), _TURNS)
    seen &= f.scales.rate * f.sd <= _QUICK
    steep = np.where(np.abs(rho) > 1e-8, rho, 1e-8)
    blur = np.maximum(spread, 1e-13) / np.abs(steep)
    for t in smoothed.edges:
        about(t / (g.sd * steep), blur, _KINKS)
    for t, slope in g.scales.turns:
        about(t / (g.sd * steep), np.hypot(blur, 1 / (slope * g.sd * np.abs(steep))), _TURNS)
    seen &= (g.scales.rate * g.sd * np.abs(rho) <= _QUICK) | (blur > _NARROW)
    return cuts, seen


def _grids(f: Side, g: Side, rho: Array, spread: Array, reach: float) -> tuple[Array, Array, Array, Array]:
    n = len(rho)
    rates = [max([s.scales.rate, *(slope for _, slope in s.scales.turns)], default=0.0) * s.sd for s in (f, g)]
    seen = np.maximum(*rates) <= _STEEPEST
    value, error, scale = np.zeros(n), np.full(n, np.inf), np.full(n, np.inf)
    beyond = np.zeros(n)
    if seen.any():
        index = np.flatnonzero(seen)
        h = 0.28 / max(1.0, float(np.maximum(*rates)[index].max()))
        law = (f.at(index), g.at(index), rho[index], spread[index], reach)
        fine, scale[index], terms, beyond[index] = _grid(*law, h, 0.0, True)
        other, *_ = _grid(*law, 1.37 * h, 0.31, False)
        value[index] = fine
        change = np.abs(fine - other)
        with np.errstate(all="ignore"):
            # The error of a step h is e^{−c/h}: that of the finer grid is the change to the power 1.37.
            better = np.where(scale[index] > 0, 30 * scale[index] * (change / scale[index]) ** 1.3, 0.0)
        error[index] = np.minimum(change, better) + 4e-15 * scale[index] + 4 * EPS * terms
    return value, error, np.where(seen, scale, 0.0), beyond


def _grid(
    f: Side, g: Side, rho: Array, spread: Array, reach: float, h: float, offset: float, whole: bool
) -> tuple[Array, Array, Array, Array]:
    """(value, E|f g|, E of the moduli of terms, what is beyond) over the points h (k + offset) in both coordinates.

    Without `whole` it is the value alone.
    """
    n = len(rho)
    half = math.ceil(reach / h)
    x = h * (np.arange(-half, half + 1) + offset)
    w = np.exp(-0.5 * x * x) * h / _SQRT_2PI
    ff, gg, sizes, sizes_of_g = f.values(), g.values(), f.sizes(), g.sizes()
    cancels = f.has_terms() or g.has_terms()
    value, scale, terms, beyond = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    step = max(1, 600_000 // len(x) ** 2)
    with np.errstate(all="ignore"):
        for i in range(0, n, step):
            part = slice(i, i + step)
            left = ff(f.sd[part, None] * x) * w
            at = g.sd[part, None, None] * (rho[part, None, None] * x[:, None] + spread[part, None, None] * x)
            inner = gg(at)
            value[part] = (left * (inner @ w)).sum(axis=1)
            if not whole:
                continue
            moduli = np.abs(inner)
            rows = np.abs(left) * (moduli @ w)
            scale[part] = rows.sum(axis=1)
            if cancels:
                terms[part] = (sizes(f.sd[part, None] * x) * w * (sizes_of_g(at) @ w)).sum(axis=1)
            # Lines near the ends of the grid: what lies beyond falls at least as they do.
            k = round(0.5 / h)
            lines = [0, k, -1, -1 - k]
            columns = np.einsum("ki,kij->kj", np.abs(left), moduli[:, :, lines]) * w[lines]
            for edge, inside in (*rows[:, lines].T.reshape(2, 2, -1), *columns.T.reshape(2, 2, -1)):
                beyond[part] += _left(edge / h, inside / h)
    return value, scale, terms, beyond

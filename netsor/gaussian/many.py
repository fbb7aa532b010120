"""The same expectation at many covariances: closed forms and panels vectorised, Chebyshev series in the angle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from netsor.expr import Expr, Sym, canonical, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.engine import expectation
from netsor.gaussian.oned import legendre
from netsor.gaussian.outcome import Outcome, Task
from netsor.gaussian.result import Clock, Divergent
from netsor.gaussian.shape import affine, breaks_of
from netsor.gaussian.smooth import Smoothing, smoothing
from netsor.gaussian.state import ROUNDED, State
from netsor.gaussian.terms import expand, factors_of

Array = np.ndarray
_FEW = 160
_DEGREES = (40, 80, 160)
_REACH = 8.5
# Panels about a steep turn, in its widths: exponentials have died away beyond, and what falls slower is straight.
_TURNS = (-400, -130, -40, -16, -5, -1.6, 1.6, 5, 16, 40, 130, 400)
# Standard deviations beyond three need finer grids than are worth it here.
_WIDEST = 9.0


def expect_many(
    integrand: Expr,
    symbols: Sequence[Sym],
    covariances: Array,
    scalars: Mapping[Sym, float | Array] | None = None,
    tol: float = 1e-12,
) -> tuple[Array, Array]:
    """(values, errors) of E integrand for each of N covariances (N, d, d) of `symbols`, d ≤ 4.

    Scalars are numbers or arrays of length N. Perfect correlation and zero variances are allowed.
    """
    e = canonical(integrand)
    symbols = tuple(symbols)
    c = np.asarray(covariances, float)
    n, d = c.shape[:2]
    if not np.isfinite(c).all():
        raise Divergent("a covariance is not finite")
    given = {s: np.broadcast_to(np.asarray(v, float), n) for s, v in (scalars or {}).items() if s in e.free}
    used = [i for i, s in enumerate(symbols) if s in e.free]
    symbols, c = tuple(symbols[i] for i in used), c[:, used][:, :, used]
    d = len(used)
    # Equal problems are solved once.
    rows, columns = np.tril_indices(d)
    table = np.concatenate([c[:, rows, columns], *(v[:, None] for v in given.values())], axis=1)
    if not table.shape[1]:
        table = np.zeros((n, 1))
    if d == 2 and not given:
        # The variances' order of symbols stays; the correlation is what there are many of.
        values, errors = _pairs(e, symbols, c, tol)
        return values, errors
    distinct, where = np.unique(table, axis=0, return_inverse=True)
    first = np.zeros(len(distinct), int)
    first[where.ravel()[::-1]] = np.arange(n)[::-1]
    values, errors = np.zeros(len(distinct)), np.zeros(len(distinct))
    for k, i in enumerate(first):
        o = _one(e, symbols, c[i], {s: float(v[i]) for s, v in given.items()}, tol)
        values[k], errors[k] = o.value, o.error
    return values[where.ravel()], errors[where.ravel()]


def _one(e: Expr, symbols: tuple[Sym, ...], c: Array, env: Mapping[Sym, float], tol: float) -> Outcome:
    task = Task(frozenset(symbols), env, tol, Clock(None), ROUNDED)
    return expectation(e, State.centred(symbols, c), task)


def _pairs(e: Expr, symbols: tuple[Sym, ...], c: Array, tol: float) -> tuple[Array, Array]:
    """Pairs of variables: by groups of equal variances where these are large, directly otherwise."""
    a, b, r = c[:, 0, 0], c[:, 1, 1], c[:, 0, 1]
    values, errors = np.zeros(len(c)), np.zeros(len(c))
    variances = np.stack([a, b], axis=1)
    if len(c) and (variances == variances[0]).all():
        groups, order, bounds = variances[:1], np.arange(len(c)), np.array([0, len(c)])
    else:
        groups, where = np.unique(variances, axis=0, return_inverse=True)
        where = where.ravel()
        order = np.argsort(where, kind="stable")
        bounds = np.searchsorted(where[order], np.arange(len(groups) + 1))
    rest: list[Array] = []
    for k, (p, q) in enumerate(groups):
        index = order[bounds[k] : bounds[k + 1]]
        if p > 0 and q > 0 and len(index) > _FEW:
            series = _series(e, symbols, float(p), float(q), tol)
            if series is not None:
                values[index] = series(_angle(r[index], math.sqrt(p * q)))
                errors[index] = series.error
                continue
        rest.append(index)
    if not rest:
        return values, errors
    index = np.concatenate(rest)
    flat = (a[index] <= 0) | (b[index] <= 0)
    direct = index[~flat]
    looped = index[flat]
    if len(direct) > 8:
        got = _direct(e, symbols, a[direct], b[direct], r[direct])
        if got is not None:
            values[direct], errors[direct] = got
            size = np.abs(values[direct])
            bad = errors[direct] > 1e-10 * np.maximum(size, np.median(size))
            direct = direct[bad]
    looped = np.concatenate([looped, direct])
    known: dict[tuple[float, float, float], Outcome] = {}
    for i in looped:
        key = (float(a[i]), float(b[i]), float(r[i]))
        if key not in known:
            known[key] = _one(e, symbols, c[i], {}, tol)
        values[i], errors[i] = known[key].value, known[key].error
    return values, errors


def _angle(r: Array, size: float) -> Array:
    """arccos(r / size), accurate near ±size."""
    rho = np.clip(r / size, -1.0, 1.0)
    near = 2 * np.arcsin(np.sqrt(np.maximum((1 - rho) / 2, 0.0)))
    far = math.pi - 2 * np.arcsin(np.sqrt(np.maximum((1 + rho) / 2, 0.0)))
    return np.where(rho > 0, near, far)


class _Series:
    """A Chebyshev series on the angle φ ∈ [0, π]; `error` bounds what is left out and what the nodes lack."""

    def __init__(self, coefficients: Array, error: float):
        self.coefficients, self.error = coefficients, error

    def __call__(self, angle: Array) -> Array:
        return np.polynomial.chebyshev.chebval(2 * angle / math.pi - 1, self.coefficients)


@lru_cache(maxsize=64)
def _series(e: Expr, symbols: tuple[Sym, ...], p: float, q: float, tol: float) -> _Series | None:
    known: dict[float, Outcome] = {}
    size = math.sqrt(p * q)
    for degree in _DEGREES:
        t = np.cos(math.pi * np.arange(degree + 1) / degree)
        got = []
        for x in t:
            key = round(float(x), 15)
            if key not in known:
                rho = math.cos(math.pi * (1 + float(x)) / 2) if abs(x) < 1 else -float(x)
                known[key] = _one(e, symbols, np.array([[p, rho * size], [rho * size, q]]), {}, tol)
            got.append(known[key])
        values = np.array([o.value for o in got])
        coefficients = _chebyshev(values)
        scale = max(o.scale for o in got)
        tail = float(np.abs(coefficients[-degree // 8 :]).max())
        node = max(o.error for o in got)
        if tail <= 2e-13 * scale:
            # The Lebesgue constant of these nodes is below (2/π) log(degree) + 1.
            return _Series(coefficients, 4 * tail + node * (1 + 0.64 * math.log(degree)) + 4e-15 * scale)
    return None


def _chebyshev(values: Array) -> Array:
    """Chebyshev coefficients from the values at cos(πk/N), k = 0 … N."""
    n = len(values) - 1
    extended = np.concatenate([values, values[-2:0:-1]])
    spectrum = np.fft.rfft(extended).real / n
    spectrum[0] /= 2
    spectrum[n] /= 2
    return spectrum[: n + 1]


def _direct(e: Expr, symbols: tuple[Sym, ...], a: Array, b: Array, r: Array) -> tuple[Array, Array] | None:
    """Sums of products f(u) g(v): panels in u, g smoothed in closed form; None where the integrand is not that."""
    only = frozenset(symbols)
    total, error = np.zeros(len(a)), np.zeros(len(a))
    for t in expand(e, only):
        if t.scalar.free:
            return None
        if not t.product.free:
            total += float(t.coefficient)
            continue
        sides = _sides(t.product, symbols)
        if sides is None:
            smooth = _smooth_sides(t.product, symbols)
            if smooth is None or max(a.max(), b.max()) > _WIDEST:
                return None
            value, bound = _grid_pairs(*smooth, symbols, np.sqrt(a), np.sqrt(b), r / np.sqrt(a * b))
            total += t.coefficient * value
            error += abs(t.coefficient) * bound
            continue
        f, g, swap = sides
        p, q = (b, a) if swap else (a, b)
        u = symbols[1] if swap else symbols[0]
        value, bound = _panel_pairs(f, u, g, np.sqrt(p), np.sqrt(q), r / np.sqrt(p * q))
        total += t.coefficient * value
        error += abs(t.coefficient) * bound
    return total, error


def _sides(product: Expr, symbols: tuple[Sym, ...]) -> tuple[Expr, Smoothing, bool] | None:
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for f in factors_of(product):
        if len(f.free) != 1:
            return None
        groups[next(iter(f.free))].append(f)
    parts = [canonical(mul(*groups[s])) for s in symbols]
    smooth = [smoothing(g, s) for g, s in zip(parts, symbols)]
    # The side with more edges is smoothed; the other needs panels.
    best = [i for i in (1, 0) if smooth[i] is not None]
    if not best:
        return None
    i = max(best, key=lambda i: len(smooth[i].edges))  # type: ignore[union-attr]
    if any(
        x.kind in ("singular", "pole") or affine(x.at, frozenset((symbols[1 - i],))) is None
        for x in breaks_of(parts[1 - i], frozenset((symbols[1 - i],)))
    ):
        return None
    return parts[1 - i], smooth[i], i == 0  # type: ignore[return-value]


def _smooth_sides(product: Expr, symbols: tuple[Sym, ...]) -> tuple[Expr, Expr] | None:
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for f in factors_of(product):
        if len(f.free) != 1:
            return None
        groups[next(iter(f.free))].append(f)
    parts = [canonical(mul(*groups[s])) for s in symbols]
    if any(b.kind != "soft" for g, s in zip(parts, symbols) for b in breaks_of(g, frozenset((s,)))):
        return None
    return parts[0], parts[1]


def _grid_pairs(f: Expr, g: Expr, symbols: tuple[Sym, ...], su: Array, sv: Array, rho: Array) -> tuple[Array, Array]:
    """Σ f(σ_u x) g(σ_v (ρx + √(1−ρ²) y)) over a grid of step h (every other point gives the error), smooth f and g."""
    rho = np.clip(rho, -1.0, 1.0)
    spread = np.sqrt((1 - rho) * (1 + rho))
    ff, gg = lambdify((f,), (symbols[0],)), lambdify((g,), (symbols[1],))
    fine, coarse, scale = np.zeros(len(rho)), np.zeros(len(rho)), np.zeros(len(rho))
    widest = max(1.0, float(su.max()), float(sv.max()))
    h = 0.28 / widest
    half = math.ceil(_REACH / h / 2) * 2
    x = h * np.arange(-half, half + 1)
    w = np.exp(-0.5 * x * x) * h / math.sqrt(2 * math.pi)
    even = np.zeros(len(x))
    even[::2] = 2 * w[::2]
    step = max(1, 600_000 // len(x) ** 2)
    for i in range(0, len(rho), step):
        part = slice(i, i + step)
        left = ff(su[part, None] * x)[0] * np.ones((1, len(x)))
        inner = gg(sv[part, None, None] * (rho[part, None, None] * x[:, None] + spread[part, None, None] * x))[0]
        inner = inner * np.ones((1, len(x), len(x)))
        fine[part] = ((left * w) * (inner @ w)).sum(axis=1)
        coarse[part] = ((left * even) * (inner @ even)).sum(axis=1)
        scale[part] = ((np.abs(left) * w) * (np.abs(inner) @ w)).sum(axis=1)
    if not np.isfinite(fine).all():
        raise Divergent("the integrand overflows")
    # Halving the step squares the relative error.
    change = np.abs(fine - coarse)
    with np.errstate(all="ignore"):
        squared = np.where(scale > 0, 30 * change * change / scale, 0.0)
    return fine, np.minimum(change, squared) + 4e-15 * scale


def _panel_pairs(f: Expr, u: Sym, g: Smoothing, su: Array, sv: Array, rho: Array) -> tuple[Array, Array]:
    """∫ f(σ_u x) E g(σ_v (ρx + √(1−ρ²) z)) φ(x) dx for every triple."""
    rho = np.clip(rho, -1.0, 1.0)
    spread = np.maximum(np.sqrt((1 - rho) * (1 + rho)), 1e-13)
    n = len(rho)
    cuts: list[Array] = []
    for b in breaks_of(f, frozenset((u,))):
        parts = affine(b.at, frozenset((u,)))
        if parts is None:
            continue
        from netsor.expr import evaluate

        slope, offset = evaluate(parts[0][u]), evaluate(parts[1])
        centre = -offset / (slope * su)
        if b.kind != "soft":
            cuts.append(centre)
        else:
            width = 1 / (abs(slope) * su)
            cuts += [np.where(width < 0.7, centre + w * width, _REACH) for w in _TURNS]
    steep = np.where(np.abs(rho) > 1e-8, rho, 1e-8)
    for t in g.edges:
        centre, width = t / (sv * steep), spread / np.abs(steep)
        cuts += [np.where(width < 0.7, centre + w * width, _REACH) for w in (-8.0, -3.0, -0.0, 3.0, 8.0)]
    base = np.linspace(-_REACH, _REACH, 8)
    edges = np.sort(
        np.concatenate([np.broadcast_to(base, (n, 8)), np.clip(np.stack(cuts, axis=1), -_REACH, _REACH)], axis=1)
        if cuts
        else np.broadcast_to(base, (n, 8)),
        axis=1,
    )
    compiled = lambdify((f,), (u,))
    fine, coarse, scale = np.zeros(n), np.zeros(n), np.zeros(n)
    step = max(1, 400_000 // (edges.shape[1] * 16))
    for i in range(0, n, step):
        part = slice(i, i + step)
        for nodes, out in ((16, fine), (11, coarse)):
            points, w = legendre(nodes)
            half = np.diff(edges[part], axis=1)[:, :, None] / 2
            x = (edges[part, 1:, None] + edges[part, :-1, None]) / 2 + half * points
            weight = half * w * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
            keep = weight > 1e-19
            row = np.nonzero(keep)[0] + i
            x, weight = x[keep], weight[keep]
            with np.errstate(all="ignore"):
                v = compiled(su[row] * x)[0] * g(sv[row] * rho[row] * x, sv[row] * spread[row]) * weight
            if not np.isfinite(v).all():
                raise Divergent("the integrand overflows")
            out[part] = np.bincount(row - i, v, minlength=len(out[part]))
            if nodes == 16:
                scale[part] = np.bincount(row - i, np.abs(v), minlength=len(out[part]))
    # 16 nodes a panel against 11: the error of the finer rule is the change to the power 16/11, about.
    change = np.abs(fine - coarse)
    with np.errstate(all="ignore"):
        better = np.where(scale > 0, 30 * scale * (change / scale) ** 1.4, 0.0)
    return fine, np.minimum(change, better) + 2e-14 * scale

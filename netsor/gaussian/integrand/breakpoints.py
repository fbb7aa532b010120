"""Sign changes of a function along one coordinate, vectorised over many rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
_FINEST = 1000
_GOLDEN = 0.3819660112501051


def roots_of_degree(
    degree: int | None,
    f: Callable[[Array], Array],
    x: Array,
    reach: float,
    points: int = 64,
    also: Array | None = None,
) -> Array:
    """The zeros along the next coordinate of a function of degree one or two, or (None) of unknown form."""
    if degree is None:
        return roots_along(f, x, reach, points, also=also)
    return (straight_roots if degree < 2 else quadratic_roots)(f, x, reach)


def straight_roots(f: Callable[[Array], Array], x: Array, reach: float) -> Array:
    """(N, 1): the zero of f(x, ·), which is affine in the next coordinate; ±`reach` where it lies beyond."""
    n = x.shape[1]
    with np.errstate(all="ignore"):
        below = f(np.concatenate([x, np.zeros((1, n))]))
        slope = f(np.concatenate([x, np.ones((1, n))])) - below
        at = -below / slope
    return np.where(np.isfinite(at), np.clip(at, -reach, reach), reach)[:, None]


def quadratic_roots(f: Callable[[Array], Array], x: Array, reach: float) -> Array:
    """(N, 2): the zeros of f(x, ·), of degree ≤ 2 in the next coordinate; ±`reach` where they lie beyond."""
    n = x.shape[1]
    with np.errstate(all="ignore"):
        low, c, high = (f(np.concatenate([x, np.full((1, n), t)])) for t in (-1.0, 0.0, 1.0))
        a, b = (low + high) / 2 - c, (high - low) / 2
        # A leading coefficient at rounding level would give a spurious second root.
        a = np.where(np.abs(a) <= 1e-14 * (np.abs(low) + np.abs(c) + np.abs(high)), 0.0, a)
        q = -0.5 * (b + np.copysign(np.sqrt(b * b - 4 * a * c), b))
        out = np.stack([q / a, c / q], axis=1)
        # The coefficients are rounded differences; one Newton step with the function itself improves the roots.
        rows = np.flatnonzero((np.abs(out) < reach).any(axis=1))
        if len(rows):
            t, a, b, at = out[rows], a[rows, None], b[rows, None], x[:, rows].repeat(2, axis=1)
            step = f(np.concatenate([at, t.reshape(1, -1)])).reshape(t.shape) / (2 * a * t + b)
            out[rows] -= np.where(np.abs(step) < 1e-3 * (1e-3 + np.abs(t)), step, 0.0)
    return np.where(np.isfinite(out), np.clip(out, -reach, reach), reach)


def roots_along(
    f: Callable[[Array], Array], x: Array, reach: float, points: int = 64, most: int = 200, also: Array | None = None
) -> Array:
    """(N, ≤ most): the sign changes of f(x, ·) along the next coordinate; unused entries are `reach`.

    Two roots between neighbours of the grid, which includes the places `also` (N, J), show as a dip of |f|, whose
    minimum is then searched for.
    """
    n = x.shape[1]
    t = np.linspace(-1, 1, points)
    grid = np.broadcast_to(reach * (0.55 * t + 0.45 * t**3) + 1e-9, (n, points))
    if also is not None and also.shape[1]:
        grid = np.sort(np.concatenate([grid, also], axis=1), axis=1)
    every = np.concatenate([np.repeat(x, grid.shape[1], axis=1), grid.reshape(1, -1)])
    with np.errstate(all="ignore"):
        v = f(every).reshape(grid.shape)
    changes = np.sign(v[:, 1:]) * np.sign(v[:, :-1]) < 0
    if points < _FINEST and changes.sum(axis=1).max(initial=0) > points / 8:
        # Where the sign changes this often, a finer grid may show further changes.
        return roots_along(f, x, reach, 4 * points, most, also)
    rows, columns = np.nonzero(changes)
    a, b = grid[rows, columns], grid[rows, columns + 1]
    fa, fb = v[rows, columns], v[rows, columns + 1]
    more = _dips(f, x, grid, v)
    if more is not None:
        rows, a, b, fa, fb = (np.concatenate(p) for p in zip((rows, a, b, fa, fb), more))
    if not len(rows):
        return np.full((n, 1), reach)
    at = bracketed(lambda t, i: f(np.concatenate([x[:, rows[i]], t[None]])), a, b, fa, fb)
    order = np.argsort(rows, kind="stable")
    rows, at = rows[order], at[order]
    first = np.searchsorted(rows, rows)
    place = np.arange(len(rows)) - first
    good = place < most
    out = np.full((n, min(most, int(place.max()) + 1)), reach)
    out[rows[good], place[good]] = at[good]
    return out


def _dips(f: Callable[[Array], Array], x: Array, grid: Array, v: Array) -> tuple[Array, ...] | None:
    """Brackets (rows, a, b, f(a), f(b)) of pairs of roots, found by minimising |f| in its dips."""
    size = np.abs(v)
    sign = np.sign(v)
    same = (sign[:, 1:-1] == sign[:, :-2]) & (sign[:, 1:-1] == sign[:, 2:]) & (sign[:, 1:-1] != 0)
    low = (size[:, 1:-1] <= size[:, :-2]) & (size[:, 1:-1] <= size[:, 2:])
    # Only dips whose parabola through three points comes near zero are searched.
    with np.errstate(all="ignore"):
        depth = np.maximum(size[:, :-2] - size[:, 1:-1], size[:, 2:] - size[:, 1:-1])
    rows, columns = np.nonzero(same & low & (size[:, 1:-1] < 1.5 * depth))
    if not len(rows):
        return None
    columns = columns + 1
    a, m, b = grid[rows, columns - 1], grid[rows, columns], grid[rows, columns + 1]
    fm, side = size[rows, columns], sign[rows, columns]
    at = x[:, rows]
    found = np.zeros(len(rows), bool)
    for _ in range(40):
        wide = b - m > m - a
        probe = np.where(wide, m + _GOLDEN * (b - m), m - _GOLDEN * (m - a))
        live = ~found
        with np.errstate(all="ignore"):
            fp = np.where(live, side * f(np.concatenate([at, probe[None]])), fm)
        better = live & (fp < fm)
        worse = live & ~better
        a = np.where(better & wide, m, np.where(worse & ~wide, probe, a))
        b = np.where(better & ~wide, m, np.where(worse & wide, probe, b))
        m, fm = np.where(better, probe, m), np.where(better, fp, fm)
        found |= fm < 0
        if found.all() or not (b - a > 1e-9).any():
            break
    if not found.any():
        return None
    i = np.flatnonzero(found)
    lo, hi = grid[rows[i], columns[i] - 1], grid[rows[i], columns[i] + 1]
    flo, fhi = v[rows[i], columns[i] - 1], v[rows[i], columns[i] + 1]
    bottom = side[i] * fm[i]
    return (
        np.concatenate([rows[i], rows[i]]),
        np.concatenate([lo, m[i]]),
        np.concatenate([m[i], hi]),
        np.concatenate([flo, bottom]),
        np.concatenate([bottom, fhi]),
    )


def bracketed(f: Callable[[Array, Array], Array], a: Array, b: Array, fa: Array, fb: Array) -> Array:
    """The roots in brackets [a, b], by inverse quadratic interpolation or bisection (Chandrupatla 1997), vectorised.

    `f` takes points, and the indices of the brackets that they belong to.
    """
    x1, x2, f1, f2 = b.copy(), a.copy(), fb.copy(), fa.copy()
    x3, f3 = x1.copy(), f1.copy()
    t = np.full(len(a), 0.5)
    best = np.where(np.abs(f1) < np.abs(f2), x1, x2)
    live = np.arange(len(a))
    for _ in range(80):
        p1, p2 = x1[live], x2[live]
        x = p1 + t[live] * (p2 - p1)
        with np.errstate(all="ignore"):
            fx = f(x, live)
        same = np.sign(fx) == np.sign(f1[live])
        x3[live] = np.where(same, p1, p2)
        f3[live] = np.where(same, f1[live], f2[live])
        x2[live] = np.where(same, p2, p1)
        f2[live] = np.where(same, f2[live], f1[live])
        x1[live], f1[live] = x, fx
        q1, q2, q3, g1, g2, g3 = x1[live], x2[live], x3[live], f1[live], f2[live], f3[live]
        nearer = np.abs(g2) < np.abs(g1)
        root = np.where(nearer, q2, q1)
        best[live] = root
        tolerance = 4e-16 * np.abs(root) + 1e-300
        with np.errstate(all="ignore"):
            part = tolerance / np.abs(q2 - q1)
            xi, phi = (q1 - q2) / (q3 - q2), (g1 - g2) / (g3 - g2)
            inside = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi)
            step = g1 / (g2 - g1) * g3 / (g2 - g3) + (q3 - q1) / (q2 - q1) * g1 / (g3 - g1) * g2 / (g3 - g2)
        step = np.where(inside & np.isfinite(step), step, 0.5)
        t[live] = np.clip(step, part, 1 - part)
        done = (part > 0.5) | (np.where(nearer, g2, g1) == 0) | ~np.isfinite(part)
        live = live[~done]
        if not len(live):
            break
    return best


def roots_of(f: Callable[[Array], Array], reach: float, points: int = 1501) -> list[float]:
    """The sign changes of a function on [−reach, reach], found on a grid."""
    # The grid is denser near 0 and has no node there, so that a root at 0 is a change of sign.
    t = np.linspace(-1, 1, points + 1)
    grid = reach * (0.2 * t + 0.8 * t**3) + 1e-9
    with np.errstate(all="ignore"):
        v = f(grid)
    i = np.flatnonzero((np.sign(v[:-1]) * np.sign(v[1:]) <= 0) & np.isfinite(v[:-1]) & np.isfinite(v[1:]))
    return sorted({float(r) for r in bracketed(lambda x, _: f(x), grid[i], grid[i + 1], v[i], v[i + 1])})

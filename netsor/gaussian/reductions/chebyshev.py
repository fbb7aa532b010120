"""c ↦ E g(c + s z) for g without a closed form: computed at Chebyshev nodes and interpolated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from netsor.expr import Expr, Sym, evaluate
from netsor.gaussian.arithmetic import extended_range
from netsor.gaussian.problem import OutOfTime
from netsor.gaussian.rules.panels import legendre
from netsor.gaussian.symbolic.structure import affine, breaks_of

Array = np.ndarray
_ORDER = 12
_REACH = 8.8
_MOST_PANELS, _SOME = 3000, 200
_MOST_KNOWN = 256


class Table:
    """Piecewise polynomials for c ↦ E g(c + s z) on [low, high]; `error` bounds |table − exact value|."""

    def __init__(self, low: float, width: float, coefficients: Array, error: float):
        self.low, self.width, self.coefficients, self.error = low, width, coefficients, error
        self.edges: tuple[float, ...] = ()

    def __call__(self, c: Array, s: Any = None) -> Array:
        """Values at an array; `s` is ignored, since the table belongs to one s."""
        at = (np.asarray(c, float) - self.low) / self.width
        panel = np.clip(at.astype(int), 0, self.coefficients.shape[1] - 1)
        t = 2 * (at - panel) - 1
        # Clenshaw's recurrence with the coefficients of each place's panel.
        b1 = np.zeros_like(t)
        b2 = np.zeros_like(t)
        for row in self.coefficients[:0:-1]:
            b1, b2 = 2 * t * b1 - b2 + row[panel], b1
        return t * b1 - b2 + self.coefficients[0][panel]


_Scalars = tuple[tuple[Sym, float], ...]
_known: dict[tuple[Expr, Sym, float, float, _Scalars], Table | None] = {}


def table(
    g: Expr, u: Sym, s: float, reach: float, scalars: _Scalars = (), late: Callable[[], bool] = lambda: False
) -> Table | None:
    """The table for |c| ≤ reach; None where g is singular, overflows, has curved breaks, or needs too many panels.

    Raises OutOfTime as soon as it is `late`; tables that are known are there at any time.
    """
    key = (g, u, s, reach, scalars)
    if key not in _known:
        made = _table(g, u, s, reach, scalars, late)
        while len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[key] = made
    return _known[key]


def _table(g: Expr, u: Sym, s: float, reach: float, scalars: _Scalars, late: Callable[[], bool]) -> Table | None:
    names = tuple(t for t, _ in scalars)
    values = tuple(v for _, v in scalars)
    kinks: list[float] = []
    for b in breaks_of(g, frozenset((u,))):
        if b.kind == "soft":
            continue
        parts = affine(b.at, frozenset((u,)))
        if b.kind == "singular" or parts is None:
            return None
        env = dict(scalars)
        kinks.append(-evaluate(parts[1], env) / evaluate(parts[0][u], env))
    if kinks and s < 1e-3:
        return None
    compiled = extended_range.compiled(g, (u, *names))
    width = 0.8 * max(1.0, s)
    if kinks:
        width = min(width, 0.8 * s)
    x = np.cos(math.pi * (np.arange(_ORDER) + 0.5) / _ORDER)
    # The matrix from values at Chebyshev nodes to coefficients.
    transform = 2 / _ORDER * np.cos(math.pi * np.outer(np.arange(_ORDER), np.arange(_ORDER) + 0.5) / _ORDER)
    transform[0] /= 2
    fine: int | None = None
    for _ in range(5):
        panels = math.ceil(2 * reach / width)
        if panels > _MOST_PANELS:
            return None
        low = -reach
        nodes = low + width * (np.arange(panels)[:, None] + 0.5 + 0.5 * x)
        every = nodes.ravel()
        if fine is None:
            fine = _panels_needed(lambda c, m: _smoothed(compiled, values, c, s, kinks, m, late), every, s)
        if fine is None:
            return None
        v = _smoothed(compiled, values, every, s, kinks, fine, late).reshape(nodes.shape)
        if not np.isfinite(v).all():
            # Overflow occurs at a distant c that may have no weight; other methods then apply.
            return None
        coefficients = transform @ v.T
        size = float(np.abs(v).max())
        tail = float(np.abs(coefficients[-2:]).max())
        if tail <= 3e-14 * size:
            return Table(low, width, coefficients, 4 * tail + 1e-15 * size)
        width /= 1.7
    return None


def _panels_needed(smoothed: Callable[[Array, int], Array], c: Array, s: float) -> int | None:
    """The number of panels that resolves the smoothing, by comparison with twice as many at some places; or None."""
    some = c[np.random.default_rng(2).permutation(len(c))[:_SOME]]
    # Panels are of width 1 in the argument of g, so that a wide smoothing needs many; other methods then are better.
    panels = math.ceil(_REACH * max(1.0, s))
    if panels > _MOST_PANELS:
        return None
    before = smoothed(some, panels)
    for _ in range(6):
        now = smoothed(some, 2 * panels)
        if np.abs(now - before).max() <= 4e-15 * np.abs(now).max():
            return panels
        panels, before = 2 * panels, now
    return None


def _smoothed(
    compiled: Any, values: tuple[float, ...], c: Array, s: float, kinks: list[float], panels: int,
    late: Callable[[], bool],
) -> Array:  # fmt: skip
    base = np.linspace(-_REACH, _REACH, panels + 1)
    t, w = legendre(16)
    out = np.zeros(len(c))
    step = max(1, 200_000 // (16 * (len(base) + len(kinks))))
    for i in range(0, len(c), step):
        if late():
            raise OutOfTime
        part = c[i : i + step, None]
        edges = np.broadcast_to(base, (len(part), len(base)))
        if kinks:
            cuts = np.clip((np.array(kinks) - part) / s, -_REACH, _REACH)
            edges = np.sort(np.concatenate([edges, cuts], axis=1), axis=1)
        half = np.diff(edges, axis=1)[:, :, None] / 2
        z = (edges[:, 1:, None] + edges[:, :-1, None]) / 2 + half * t
        with np.errstate(all="ignore"):
            v = compiled(part[:, :, None] + s * z, *values) * np.exp(-0.5 * z * z)
        out[i : i + step] = (v * half * w).sum(axis=(1, 2)) / math.sqrt(2 * math.pi)
    return out

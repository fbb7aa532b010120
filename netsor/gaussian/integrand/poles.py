"""Whether an integrand of several variables is too singular where a divisor, or the argument of a log, vanishes.

Near such a surface |F| behaves like t^{−α} with the distance t, and the expectation exists only if α < 1. (In one
variable the panels at the singular point decide this; powers of quadratic forms are reduced separately.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netsor.gaussian.integrand.breakpoints import roots_of
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.problem import Unsettled

Array = np.ndarray
_NEAR, _NEARER = 1e-4, 1e-7
_TRIALS = 24


def refuse(f: Integrand) -> None:
    """Raise Unsettled where F seems to grow like the inverse distance to a surface, or faster."""
    rng = np.random.default_rng(3)
    for p in f.planes:
        length = float(np.linalg.norm(p.a))
        if p.soft or length == 0 or p.kind != "singular":
            continue
        normal = p.a / length
        x = rng.standard_normal((f.rank, _TRIALS))
        x = x - np.outer(normal, (normal @ x) + p.b / length)
        _test(f, x, np.repeat(normal[:, None], _TRIALS, axis=1))
    for s in f.surfaces:
        if s.kind != "singular":
            continue
        at = f.on_surface(s)
        points, directions = [], []
        for _ in range(_TRIALS):
            start, way = rng.standard_normal(f.rank), rng.standard_normal(f.rank)
            way /= np.linalg.norm(way)
            for root in roots_of(_along(at, start, way), 4.0, 200)[:1]:
                points.append(start + root * way)
                directions.append(way)
        if points:
            _test(f, np.stack(points, axis=1), np.stack(directions, axis=1))


def _test(f: Integrand, x: Array, way: Array) -> None:
    for sign in (1.0, -1.0):
        with np.errstate(all="ignore"):
            near, nearer = (np.abs(f(x + sign * t * way)) for t in (_NEAR, _NEARER))
            slope = np.log(nearer / near) / np.log(_NEAR / _NEARER)
        slope = slope[np.isfinite(slope)]
        if len(slope) and float(np.median(slope)) > 0.97:
            raise Unsettled("the integrand is too singular on a surface for every quadrature rule")


def _along(at: Callable[[Array], Array], start: Array, way: Array) -> Callable[[Array], Array]:
    return lambda t: at(start[:, None] + way[:, None] * t)

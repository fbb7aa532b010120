"""The same expectation at many covariances, by array rules in the order of their plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netsor.expr import Expr, Sym, canonical
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import OutOfRange
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.plan import Part, ways

Array = np.ndarray


def expect_many(
    integrand: Expr,
    symbols: Sequence[Sym],
    covariances: Array,
    scalars: Mapping[Sym, float | Array] | None = None,
    tol: float = 1e-12,
) -> tuple[Array, Array]:
    """(values, errors) of E integrand for each of N covariances (N, d, d) of `symbols`.

    Scalars are numbers or arrays of length N. Perfect correlation and zero variances are allowed. A value does not
    depend on which others are computed with it. Raises Divergent where an expectation does not exist, and Unsettled
    where a covariance is not finite, or no number was found.
    """
    e = canonical(integrand)
    c = np.asarray(covariances, float)
    if not np.isfinite(c).all():
        raise OutOfRange("a covariance is not finite")
    used = tuple(s for s in symbols if s in e.free)
    place = {s: i for i, s in enumerate(symbols)}
    covs = {(a, b): Bounded.exact(c[:, place[a], place[b]][:, None].copy()) for a in used for b in used}
    given = {
        s: Bounded.exact(np.broadcast_to(np.asarray(v, float), len(c))[:, None].copy())
        for s, v in (scalars or {}).items()
        if s in e.free
    }
    out = _family(e, used, Laws((len(c), 1), covs, given, tol))
    return out.value[:, 0], out.error[:, 0]


def _family(e: Expr, symbols: Sequence[Sym], laws: Laws) -> Bounded:
    """E e for every one of the laws, each by the first method that applies to it."""
    value, error = np.zeros(laws.shape), np.full(laws.shape, np.inf)
    left = np.ones(laws.shape[0], bool)
    for way in ways(e, symbols):
        now = laws.at(left[:, None]) if not left.all() else laws
        found = way.run(now, [_part(p, now) for p in way.parts])
        v, r = np.broadcast_to(found.value, now.shape), np.broadcast_to(found.error, now.shape)
        value[left], error[left] = v, r
        left = ~np.isfinite(error[:, 0])
        if not left.any():
            break
    return Bounded(value, error)


def _part(part: Part, laws: Laws) -> Any:
    _, free, make = part
    if isinstance(make, Expr):
        return _family(make, [s for s in free if (s, s) in laws.covariances], laws)
    return make(laws)

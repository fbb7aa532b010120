"""Means over draws: what can be said of many expectations when the time is spent, and what errors of their laws do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.rules.qmc import shifted_normals, spread_of
from netsor.gaussian.vectorized.laws import Laws

Array = np.ndarray
# An integrand as a function of arrays: the variables, then the scalars.
Run = Callable[..., Sequence[Array]]
# Points of each sequence for a mean where few laws are asked for, and the fewest for each of many; all laws together
# take twelve times so many values.
_MOST, _FEWEST, _VALUES = 2**11, 2**5, 2**20
# Draws that show what an error of the law does: enough to see a slope to a tenth.
_SLOPE_DRAWS = 2**11
# Values that are held at a time.
_CHUNK = 2**20
# Standard errors that bound the distance of a slope. A region that no draw met has at most so many expected draws in
# it, but for one time in a hundred.
_SLOPE_DEVIATIONS, _UNSEEN = 4.0, 5.0
# How far variances and covariances are moved to see a slope, as a part of the variances.
_STEP = 1e-3


class _Numbers(NamedTuple):
    """Covariances (K, d, d) and scalars (K, S) of the laws, each with its errors."""

    covariance: Array
    covariance_errors: Array
    scalars: Array
    scalar_errors: Array


def sampled(block: Expr, symbols: Sequence[Sym], laws: Laws) -> Bounded:
    """E block under every law, from the same few shifted Kronecker sequences for all of them (Niederreiter 1992).

    The error is that of the spread over the shifts, room for what no point met, and what the errors of the law do.
    """
    numbers, run = _numbers(block, symbols, laws), _evaluator(block, tuple(symbols), _scalars_of(block, laws))
    count = len(numbers.covariance)
    points = max(_FEWEST, min(_MOST, _VALUES // max(count, 1)))
    z = shifted_normals(len(symbols), points)
    value, error = np.zeros(count), np.zeros(count)
    for part, v in _values(run, numbers.covariance, numbers.scalars, z.reshape(len(symbols), -1)):
        with np.errstate(all="ignore"):
            means = v.reshape(len(v), *z.shape[1:]).mean(axis=2)
            value[part] = means.mean(axis=1)
            error[part] = spread_of(means) + _UNSEEN * np.abs(v).max(axis=1) / v.shape[1]
    error = error + carried(block, symbols, laws).ravel()
    return Bounded(value.reshape(laws.shape), np.where(np.isfinite(value), error, np.inf).reshape(laws.shape))


def carried(block: Expr, symbols: Sequence[Sym], laws: Laws) -> Array:
    """What the errors of variances, covariances and scalars do to E block, to first order; shape (K,).

    Each kind is moved both ways with the same draws: the mean of the differences is the slope, and its standard errors
    are added. Infinite where there is no value at a moved law.
    """
    numbers, run = _numbers(block, symbols, laws), _evaluator(block, tuple(symbols), _scalars_of(block, laws))
    c, slack = numbers.covariance, numbers.covariance_errors
    deviation = np.sqrt(np.maximum(np.diagonal(c, axis1=1, axis2=2), 0.0))
    reach = _STEP * deviation[:, :, None] * deviation[:, None, :]
    eye = np.eye(len(symbols), dtype=bool)
    total = np.zeros(len(c))
    for entries in (eye, ~eye):
        step = np.where(entries & (slack > 0), reach, 0.0)
        if step.any():
            times = np.divide(slack, step, out=np.zeros_like(slack), where=step > 0).max(axis=(1, 2), initial=0.0)
            total += times * _slope(run, [(c + step, numbers.scalars), (c - step, numbers.scalars)])
        # An error of a variance that is 0 acts as its root does, which no slope shows.
        total = np.where((entries & (slack > 0) & (reach == 0)).any(axis=(1, 2)), np.inf, total)
    for s in range(numbers.scalars.shape[1]):
        errors = numbers.scalar_errors[:, s]
        if errors.any():
            step = np.zeros_like(numbers.scalars)
            step[:, s] = _STEP * np.maximum(np.abs(numbers.scalars[:, s]), 1e-2)
            moved = [(c, numbers.scalars + step), (c, numbers.scalars - step)]
            total += errors / step[:, s] * _slope(run, moved)
    return 1.1 * total


def _slope(run: Run, moved: Sequence[tuple[Array, Array]]) -> Array:
    """|half the difference of the two means|, with its standard errors, for each law."""
    size = np.zeros(len(moved[0][0]))
    z = _normals(moved[0][0].shape[1])
    both = zip(*(_values(run, c, scalars, z) for c, scalars in moved), strict=True)
    for (part, one), (_, two) in both:
        with np.errstate(all="ignore"):
            apart = 0.5 * (one - two)
            spread = _SLOPE_DEVIATIONS * apart.std(axis=1) / math.sqrt(_SLOPE_DRAWS)
            size[part] = np.abs(apart.mean(axis=1)) + spread
    return np.where(np.isfinite(size), size, np.inf)


def _values(run: Run, c: Array, scalars: Array, z: Array) -> Iterator[tuple[slice, Array]]:
    """Values (laws, draws) of the integrand, some laws at a time."""
    at_once = max(1, _CHUNK // z.shape[1])
    for start in range(0, len(c), at_once):
        part = slice(start, start + at_once)
        squares, vectors = np.linalg.eigh(c[part])
        x = (vectors * np.sqrt(np.maximum(squares, 0.0))[:, None, :]) @ z
        with np.errstate(all="ignore"):
            v = run(*np.moveaxis(x, 1, 0), *np.moveaxis(scalars[part, :, None], 1, 0))[0]
        yield part, np.broadcast_to(v, (len(x), z.shape[1]))


@lru_cache(maxsize=16)
def _normals(d: int) -> Array:
    return np.random.default_rng(20210721).standard_normal((d, _SLOPE_DRAWS))


@lru_cache(maxsize=1024)
def _evaluator(block: Expr, symbols: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> Run:
    return lambdify((block,), (*symbols, *scalars))


def _scalars_of(block: Expr, laws: Laws) -> tuple[Sym, ...]:
    return tuple(s for s in laws.scalars if s in block.free)


def _numbers(block: Expr, symbols: Sequence[Sym], laws: Laws) -> _Numbers:
    def flat(x: Array) -> Array:
        return np.broadcast_to(x, laws.shape).ravel()

    count, d = math.prod(laws.shape), len(symbols)
    c = [[laws.cov(a, b) for b in symbols] for a in symbols]
    value, error = np.zeros((count, d, d)), np.zeros((count, d, d))
    for i in range(d):
        for j in range(d):
            value[:, i, j], error[:, i, j] = flat(c[i][j].value), flat(c[i][j].error)
    given = [laws.scalars[s] for s in _scalars_of(block, laws)]
    scalars, errors = np.zeros((count, len(given))), np.zeros((count, len(given)))
    for k, q in enumerate(given):
        scalars[:, k], errors[:, k] = flat(q.value), flat(q.error)
    return _Numbers(value, error, scalars, errors)

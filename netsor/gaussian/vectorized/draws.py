"""Means over draws: what can be said of many expectations when the time is spent, and what errors of their laws do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.deadline import verify_time
from netsor.expr import Expr, Sym
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.rules.qmc import UNSEEN, shifted_normals, spread_of
from netsor.gaussian.vectorized.laws import Laws

Array = np.ndarray
# An integrand as a function of arrays: the variables, then the scalars.
Run = Callable[..., Sequence[Array]]
# Points of each sequence for a mean where few laws are asked for, and the fewest for each of many; all laws together
# take twelve times so many values.
_MOST, _FEWEST, _VALUES = 2**11, 2**5, 2**20
# Draws that show what an error of the law does, twice as many for all of its numbers together: enough to see a slope to
# a tenth where they are few.
_SLOPE_DRAWS, _FEWEST_SLOPE_DRAWS = 2**11, 2**8
# Values that are held at a time.
_CHUNK = 2**20
# Standard errors that bound the distance of a slope.
_SLOPE_DEVIATIONS = 4.0
# How far variances and covariances are moved to see a slope, as a part of the variances.
_STEP = 1e-3
# The most numbers of a law that are moved one by one; others are moved together in so many ways. The seventh of the
# moduli of twelve Cauchy variables of scale 1 is smaller than _LEAST_MEDIAN in 1 of 100 cases.
_MOST_MOVES, _SKETCHES, _LEAST_MEDIAN = 28, 12, 0.388


class Numbers(NamedTuple):
    """Covariances (K, d, d) and scalars (K, S) of the laws, each with its errors."""

    covariance: Array
    covariance_errors: Array
    scalars: Array
    scalar_errors: Array


def sampled(block: Expr, symbols: Sequence[Sym], laws: Laws) -> Bounded:
    """E block under every law, from the same few shifted Kronecker sequences for all of them (Niederreiter 1992).

    The error is that of the spread over the shifts, room for what no point met, and what the errors of the law do.
    """
    scalars = _scalars_of(block, laws)
    numbers, run = numbers_of(symbols, scalars, laws), _evaluator(block, tuple(symbols), scalars)
    count = len(numbers.covariance)
    points = max(_FEWEST, min(_MOST, _VALUES // max(count, 1)))
    z = shifted_normals(len(symbols), points)
    value, error = np.zeros(count), np.zeros(count)
    flat = z.reshape(len(symbols), -1)
    at_once = max(1, _CHUNK // flat.shape[1])
    for start in range(0, count, at_once):
        part = slice(start, start + at_once)
        x = _symmetric_root(numbers.covariance[part]) @ flat
        with np.errstate(all="ignore"):
            v = np.broadcast_to(values_at(run, x, numbers.scalars[part])[0], (len(x), flat.shape[1]))
            means = v.reshape(len(v), *z.shape[1:]).mean(axis=2)
            value[part] = means.mean(axis=1)
            error[part] = spread_of(means) + UNSEEN * np.abs(v).max(axis=1) / v.shape[1]
    error = error + carried(block, symbols, laws).ravel()
    return Bounded(value.reshape(laws.shape), np.where(np.isfinite(value), error, np.inf).reshape(laws.shape))


def carried(block: Expr, symbols: Sequence[Sym], laws: Laws) -> Array:
    """What the errors of variances, covariances and scalars do to E block, to first order; shape (K,).

    Infinite where there is no value at a moved law.
    """
    scalars = _scalars_of(block, laws)
    numbers, run = numbers_of(symbols, scalars, laws), _evaluator(block, tuple(symbols), scalars)
    return carried_by(run, 1, numbers)[0]


def carried_by(run: Run, count: int, numbers: Numbers, most: int = _SLOPE_DRAWS) -> Array:
    """What the errors of the laws do at most to each of so many means, to first order: (B, K).

    Each number is moved both ways with the same draws: the mean of the differences is its slope, and its standard
    errors are added. Where there are many numbers, all are moved at once: their errors times independent Cauchy
    variables change a mean by a Cauchy variable whose scale is the sum of the moduli of what each error does (Indyk
    2006), and the median of its modulus is its scale. At most `most` draws are taken for each.
    """
    directions, together = _directions(numbers)
    changes = np.zeros((len(directions), count, len(numbers.covariance)))
    draws = min(max(2 * _SLOPE_DRAWS // max(len(directions), 1), _FEWEST_SLOPE_DRAWS), most)
    z = _normals(numbers.covariance.shape[1], draws)
    at_once = max(1, _CHUNK // z.shape[1] // count)
    for change, direction in zip(changes, directions, strict=True):
        moves, times = _moves(numbers, direction)
        for i in range(0, len(times), at_once):
            verify_time()
            part = slice(i, i + at_once)
            c, scalars = numbers.covariance[part], numbers.scalars[part]
            sides = [
                values_at(run, _symmetric_root(c + sign * moves[0][part]) @ z, scalars + sign * moves[1][part])
                for sign in (1, -1)
            ]
            for b, (one, two) in enumerate(zip(*sides, strict=True)):
                with np.errstate(all="ignore"):
                    apart = 0.5 * np.broadcast_to(one - two, (len(c), z.shape[1]))
                    spread = _SLOPE_DEVIATIONS * apart.std(axis=1) / math.sqrt(z.shape[1])
                    found = np.where(times[part] > 0, times[part] * (np.abs(apart.mean(axis=1)) + spread), 0.0)
                change[b, part] = np.where(np.isfinite(found), found, np.inf)
    if together:
        return np.sort(changes, axis=0)[len(changes) // 2] / _LEAST_MEDIAN
    return 1.1 * changes.sum(axis=0)


def _directions(numbers: Numbers) -> tuple[list[tuple[Array, Array]], bool]:
    """In what proportion to their errors covariances and scalars are moved, and whether all are moved together."""
    d, count = numbers.covariance.shape[1], numbers.scalars.shape[1]
    entries = np.argwhere(np.triu(numbers.covariance_errors.any(axis=0)))
    others = np.flatnonzero(numbers.scalar_errors.any(axis=0))
    if len(entries) + len(others) <= _MOST_MOVES:
        single = [(np.zeros((d, d)), np.zeros(count)) for _ in range(len(entries) + len(others))]
        for (c, _), (i, j) in zip(single, entries, strict=False):
            c[i, j] = c[j, i] = 1.0
        for (_, s), k in zip(single[len(entries) :], others, strict=True):
            s[k] = 1.0
        return single, False
    rng = np.random.default_rng(20210721)
    cauchy = [np.triu(rng.standard_cauchy((d, d))) for _ in range(_SKETCHES)]
    return [(c + np.triu(c, 1).T, np.asarray(rng.standard_cauchy(count))) for c in cauchy], True


def _moves(numbers: Numbers, direction: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
    """Small moves of covariances and scalars of every law, and what they have to be multiplied by: (K,)."""
    covariance, scalars = direction[0] * numbers.covariance_errors, direction[1] * numbers.scalar_errors
    deviation = np.sqrt(np.maximum(np.diagonal(numbers.covariance, axis1=1, axis2=2), 0.0))
    reach = _STEP * deviation[:, :, None] * deviation[:, None, :]
    far = _STEP * np.maximum(np.abs(numbers.scalars), 1e-2)
    # An error of a variance that is 0 acts as its root does, which no slope shows.
    parts = np.divide(np.abs(covariance), reach, out=np.where(covariance != 0, np.inf, 0.0), where=reach > 0)
    times = np.maximum(parts.max(axis=(1, 2), initial=0.0), (np.abs(scalars) / far).max(axis=1, initial=0.0))
    by = np.divide(1.0, times, out=np.zeros_like(times), where=times > 0)
    return (covariance * by[:, None, None], scalars * by[:, None]), times


def values_at(run: Run, x: Array, scalars: Array) -> Sequence[Array]:
    """The values (laws, draws) of all integrands at x (laws, d, draws)."""
    with np.errstate(all="ignore"):
        return run(*np.moveaxis(x, 1, 0), *np.moveaxis(scalars[:, :, None], 1, 0))


def _symmetric_root(c: Array) -> Array:
    """C^{1/2} of each matrix, which moves little where C does; the axes of a matrix may turn."""
    squares, vectors = np.linalg.eigh(c)
    return (vectors * np.sqrt(np.maximum(squares, 0.0))[:, None, :]) @ vectors.transpose(0, 2, 1)


@lru_cache(maxsize=16)
def _normals(d: int, count: int) -> Array:
    return np.random.default_rng(20210721).standard_normal((d, count))


@lru_cache(maxsize=1024)
def _evaluator(block: Expr, symbols: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> Run:
    return lambdify((block,), (*symbols, *scalars))


def _scalars_of(block: Expr, laws: Laws) -> tuple[Sym, ...]:
    return tuple(s for s in laws.scalars if s in block.free)


def numbers_of(symbols: Sequence[Sym], scalars: Sequence[Sym], laws: Laws) -> Numbers:
    """The numbers of the laws in arrays, in the order of the symbols."""

    def flat(x: Array) -> Array:
        return np.broadcast_to(x, laws.shape).ravel()

    count, d = math.prod(laws.shape), len(symbols)
    c = [[laws.cov(a, b) for b in symbols] for a in symbols]
    value, error = np.zeros((count, d, d)), np.zeros((count, d, d))
    for i in range(d):
        for j in range(d):
            value[:, i, j], error[:, i, j] = flat(c[i][j].value), flat(c[i][j].error)
    numbers, errors = np.zeros((count, len(scalars))), np.zeros((count, len(scalars)))
    for k, s in enumerate(scalars):
        numbers[:, k], errors[:, k] = flat(laws.scalars[s].value), flat(laws.scalars[s].error)
    return Numbers(value, error, numbers, errors)

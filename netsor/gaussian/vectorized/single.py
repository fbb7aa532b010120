"""Expectations of one variable at many variances: by homogeneity, or on a grid for smooth functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.expr import (
    Expr,
    Sym,
    add,
    canonical,
    substitute,
)
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute
from netsor.expr.rounding import running_error
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.expectation import expect
from netsor.gaussian.law.fixed import FixedLaw
from netsor.gaussian.problem import NoNumber, Settings
from netsor.gaussian.symbolic.degrees import homogeneous_degrees
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.steepness import is_smooth, steepness

Array = np.ndarray
_EPS = 2.0**-52
_REACH, _STEP = 13.0, 0.05
# The grid may miss transitions on a length below this fraction (1/12) of a standard deviation.
_STEEPEST = 12.0
_CHUNK = 256
_UNIT = Sym("z")
_SQRT_2PI = math.sqrt(2 * math.pi)


def homogeneous_moment(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for a positively homogeneous function: E f(σz) = σ^p E f(z)."""
    if len(symbols) != 1 or block.free != frozenset(symbols):
        return None
    degrees = homogeneous_degrees(block, symbols)
    if degrees is None or degrees[0] < 0:
        return None
    unit = _at_unit_variance(canonical(substitute(block, {symbols[0]: _UNIT})))
    return None if unit is None else _Homogeneous(symbols[0], degrees[0], *unit)


@lru_cache(maxsize=1024)
def _at_unit_variance(block: Expr) -> tuple[float, float] | None:
    try:
        unit = expect(block, FixedLaw((_UNIT,), [[1.0]]), Settings(1e-14))
    except NoNumber:
        return None
    return unit.value, unit.error


@dataclass(frozen=True)
class _Homogeneous:
    u: Sym
    degree: int
    value: float
    error: float

    def __call__(self, laws: Laws) -> Bounded:
        a = laws.var(self.u)
        if self.degree == 2:
            size, error = a.value, a.error
        else:
            size = np.maximum(a.value, 0.0) ** (self.degree / 2)
            with np.errstate(divide="ignore", invalid="ignore"):
                error = 0.5 * self.degree * np.where(size > 0, size * a.error / (a.value - a.error), 0.0)
        good = (a.value > 2 * a.error) if self.degree != 2 else (a.value >= 0)
        bound = abs(self.value) * error + (self.error + 4 * _EPS * abs(self.value)) * (size + error)
        return Bounded(self.value * size, np.where(good, bound, np.inf))


def grid(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for a smooth function of one variable and of scalars: the trapezoidal rule (Trefethen & Weideman 2014).

    Its error for a step h decays like e^{−c/h}, so that the error of two interleaved grids together is about the square
    of their difference.
    """
    if len(symbols) != 1 or not is_smooth(block, symbols):
        return None
    return _Grid(block, symbols[0])


@dataclass(frozen=True)
class _Grid:
    block: Expr
    u: Sym

    def __call__(self, laws: Laws) -> Bounded:
        scalars = tuple(s for s in laws.scalars if s in self.block.free)
        a = laws.var(self.u)
        parts = np.broadcast_arrays(a.value, *(laws.scalars[s].value for s in scalars))
        errors = [np.broadcast_to(q.error, parts[0].shape) for q in (a, *(laws.scalars[s] for s in scalars))]
        at = [p.ravel() for p in parts]
        value, error, scale = self._sums(scalars, at)
        seen = (error <= laws.enough * scale) & (steepness(self.block, self.u, scalars, at) <= _STEEPEST)
        for k, e in enumerate(errors):
            if e.any():
                change = np.zeros(len(value))
                for sign in (1.0, -1.0):
                    moved = [p + sign * e.ravel() if i == k else p for i, p in enumerate(at)]
                    moved[0] = np.maximum(moved[0], 0.0)
                    change = np.maximum(change, np.abs(self._values(scalars, moved) - value))
                # A function that is smooth on the scale of a small error changes linearly in it.
                error = error + 1.01 * change
        error = np.where(np.isfinite(error) & (at[0] >= 0) & seen, error, np.inf)
        return Bounded(value.reshape(parts[0].shape), error.reshape(parts[0].shape))

    def _values(self, scalars: tuple[Sym, ...], at: list[Array]) -> Array:
        """The values alone, by the same sum."""
        f = lambdify((self.block,), (self.u, *scalars))
        z, w = _points()
        value = np.zeros(len(at[0]))
        for i in range(0, len(at[0]), _CHUNK):
            part = slice(i, i + _CHUNK)
            sigma = np.sqrt(np.maximum(at[0][part], 0.0))[:, None]
            with np.errstate(all="ignore"):
                v = np.asarray(f(sigma * z, *(p[part, None] for p in at[1:]))[0]) * w
                value[part] = (v + np.zeros((len(sigma), len(z)))).sum(axis=1)
        return value

    def _sums(self, scalars: tuple[Sym, ...], at: list[Array]) -> tuple[Array, Array, Array]:
        """Values, errors and E|f|."""
        sizes = add(absolute(self.block), running_error(self.block))
        f = lambdify((self.block, sizes), (self.u, *scalars))
        z, w = _points()
        value, error, scale = (np.zeros(len(at[0])) for _ in range(3))
        for i in range(0, len(at[0]), _CHUNK):
            part = slice(i, i + _CHUNK)
            sigma = np.sqrt(np.maximum(at[0][part], 0.0))[:, None]
            with np.errstate(all="ignore"):
                values, lost = (np.asarray(x) * w for x in f(sigma * z, *(p[part, None] for p in at[1:])))
                v = values + np.zeros((len(sigma), len(z)))
                value[part], scale[part] = v.sum(axis=1), np.abs(v).sum(axis=1)
                even, odd = 2 * v[:, ::2].sum(axis=1), 2 * v[:, 1::2].sum(axis=1)
                apart = np.abs(even - odd) / np.where(scale[part] > 0, scale[part], 1.0)
                beyond = np.abs(v[:, [0, -1]]).max(axis=1) / _STEP
                rounding = _EPS * (4 * (lost + np.zeros_like(v)).sum(axis=1) + 2 * scale[part])
                error[part] = np.where(apart < 0.1, 10 * apart**1.8 * scale[part], np.inf) + beyond + rounding
        return value, error, scale


@lru_cache(maxsize=1)
def _points() -> tuple[Array, Array]:
    z = _STEP * (np.arange(-math.ceil(_REACH / _STEP), math.ceil(_REACH / _STEP) + 1) + 0.25)
    return z, np.exp(-0.5 * z * z) * (_STEP / _SQRT_2PI)

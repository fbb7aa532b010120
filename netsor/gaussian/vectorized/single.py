"""Expectations of one variable at many variances: by homogeneity, or on a grid for smooth functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.expr import (
    Add,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    diff,
    is_singular,
    mul,
    postorder,
    power,
    substitute,
)
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute, is_log
from netsor.expr.rounding import running_error
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.expectation import expect
from netsor.gaussian.law.fixed import FixedLaw
from netsor.gaussian.problem import NoNumber, Settings
from netsor.gaussian.symbolic.degrees import homogeneous_degrees
from netsor.gaussian.symbolic.structure import breaks_of
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.scales import scales_of

Array = np.ndarray
_EPS = 2.0**-52
_REACH, _STEP = 13.0, 0.05
# The grid may miss transitions on a length below this fraction (1/12) of a standard deviation.
_STEEPEST = 12.0
# The step at which the arguments of functions are examined.
_LOOK = 0.1
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


def steepness(f: Expr, u: Sym, scalars: Sequence[Sym], at: Sequence[Array]) -> Array:
    """How many times per standard deviation a smooth f varies, for variances and scalars `at`; infinite if unknown."""
    sigma = np.sqrt(np.maximum(at[0], 0.0))
    if u not in f.free:
        return np.zeros(len(sigma))
    scales = None if scalars else scales_of(f, u)
    if scales is not None and not scales.edges:
        return sigma * max(scales.rate, *(slope for _, slope in scales.turns), 0.0)
    rates = _rates(f, u)
    if rates is None:
        return np.full(len(sigma), math.inf)
    run = lambdify(rates, (u, *scalars))
    z = _LOOK * np.arange(-math.ceil(_REACH / _LOOK), math.ceil(_REACH / _LOOK) + 1)
    steepest = np.zeros(len(sigma))
    with np.errstate(all="ignore"):
        for rate in run(sigma[:, None] * z, *(p[:, None] for p in at[1:])):
            steepest = np.fmax(steepest, np.max(rate + np.zeros((len(sigma), len(z))), axis=1))
    return np.where(np.isfinite(steepest), steepest * sigma, math.inf)


@lru_cache(maxsize=1024)
def _rates(f: Expr, u: Sym) -> tuple[Expr, ...] | None:
    """The rates of the arguments of the functions in a composition, each of which can be examined at points.

    A function that varies when its argument changes by one has no narrow feature where the argument changes slowly, and
    by the same reasoning the argument has none. None for functions that vary on other scales.
    """
    out: list[Expr] = []
    for node in postorder(f):
        if u not in node.free or isinstance(node, (Add, Mul, Sym)):
            continue
        if isinstance(node, Call) and len(node.children) == 1:
            inner = node.children[0]
            rate = canonical(diff(inner, u))
            out.append(absolute(mul(rate, power(inner, Const(-1))) if is_log(node) else rate))
        elif isinstance(node, Pow) and isinstance(node.exponent, Const):
            if isinstance(node.exponent.value, int) and node.exponent.value > 0:
                continue
            out.append(absolute(mul(canonical(diff(node.base, u)), power(node.base, Const(-1)))))
        else:
            return None
    return tuple(out)


def is_smooth(e: Expr, symbols: Sequence[Sym]) -> bool:
    """Whether an integrand has no kinks, jumps or singularities in these variables."""
    return not is_singular(e) and all(b.kind == "soft" for b in breaks_of(e, frozenset(symbols) & e.free))


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

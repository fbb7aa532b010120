"""E Π w^m f(u) g(v) for polynomials in any variables and positively homogeneous f and g, such as relu and step.

With (x)₊ᵃ = xᵃ for x > 0 and 0 elsewhere, f(u) = p (u)₊ᵃ + q (−u)₊ᵃ. Stein's lemma (1981),

    E w F(w', u, v) = Σ Cov(w, w') E ∂F/∂w' + Cov(w, u) E ∂F/∂u + Cov(w, v) E ∂F/∂v,

takes the variables of the polynomial away one by one. What is left are K_ab = E (u)₊ᵃ (v)₊ᵇ, and those where a
derivative is a Dirac mass. For variances 1 and the correlation ρ = cos θ, by the same lemma,

    K_00 = (π − θ)/(2π),  K_01 = (1 + ρ)/√(8π),  K_0b = (b−1) K_0,b−2 + ρ D_b−1,
    K_1b = D_b + ρ b K_0,b−1,  K_ab = (a−1) K_a−2,b + ρ b K_a−1,b−1,
    D_b = E δ(u) (v)₊ᵇ = sinᵇθ E (z)₊ᵇ/√(2π).

Cho & Saul (2009) have K_aa. They hold at all correlations, ±1 included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym, canonical, evaluate, mul
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.degrees import halves
from netsor.gaussian.symbolic.expansion import factors_of, integer_power
from netsor.gaussian.vectorized.closed import determinant
from netsor.gaussian.vectorized.laws import Laws, Rule

Array = np.ndarray
_EPS = 2.0**-52
_HIGHEST = 12
_SQRT_2PI = math.sqrt(2 * math.pi)
# |arccos x − arccos y| ≤ (π/√2) √|x − y|.
_HOLDER = math.pi / math.sqrt(2)
_MASS = -1


class _Half(NamedTuple):
    """p (x)₊ᵏ + q (−x)₊ᵏ; for k = −1 it is p δ(x)."""

    degree: int
    above: float
    below: float

    def derivative(self) -> _Half | None:
        """None where it is a derivative of a Dirac mass."""
        k = self.degree
        if k > 0:
            return _Half(k - 1, k * self.above, -k * self.below)
        return _Half(_MASS, self.above - self.below, 0.0) if k == 0 else None

    @property
    def vanishes(self) -> bool:
        return self.above == 0 == self.below


_CONSTANT = _Half(0, 1.0, 1.0)


def truncated_moment(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for powers of variables times homogeneous functions of one variable each, of at most two."""
    if not block.free <= frozenset(symbols):
        return None
    number = 1.0
    powers: dict[Sym, int] = {}
    others: dict[Sym, list[Expr]] = {}
    for factor in factors_of(block):
        base, k = integer_power(factor)
        if not factor.free:
            number *= float(evaluate(factor, {}))
        elif isinstance(base, Sym):
            powers[base] = powers.get(base, 0) + k
        elif len(factor.free) == 1:
            others.setdefault(next(iter(factor.free)), []).append(factor)
        else:
            return None
    if not others or len(others) > 2 or not math.isfinite(number):
        return None
    halves: list[tuple[Sym, _Half]] = []
    for s, factors in others.items():
        half = _half(canonical(mul(*factors)), s, powers.pop(s, 0))
        if half is None:
            return None
        halves.append((s, half))
    rest = tuple(s for s, k in powers.items() for _ in range(k))
    if len(rest) + sum(h.degree for _, h in halves) > _HIGHEST:
        return None
    if len(halves) == 1:
        halves.append((halves[0][0], _CONSTANT))
    (u, f), (v, g) = halves
    return _Truncated(number, rest, u, v, f, g)


def _half(f: Expr, u: Sym, more: int) -> _Half | None:
    """u^more f(u), if that is homogeneous of a nonnegative degree."""
    found = halves(f, u)
    if found is None:
        return None
    degree, above, below = found
    if degree + more < 0 or not math.isfinite(above) or not math.isfinite(below):
        return None
    return _Half(degree + more, above, (-1.0) ** more * below)


@dataclass(frozen=True)
class _Truncated:
    """number · E Π rest · f(u) g(v); u and v are one variable where g is 1."""

    number: float
    rest: tuple[Sym, ...]
    u: Sym
    v: Sym
    f: _Half
    g: _Half

    def __call__(self, laws: Laws) -> Bounded:
        pair = _Pair(laws, self.u, self.v)
        with np.errstate(all="ignore"):
            found = self._moment(self.rest, self.f, self.g, laws, pair, {}).times(self.number)
        # A product with an infinite error is not known.
        return Bounded(found.value, np.where(np.isfinite(found.error), found.error, np.inf))

    def _moment(
        self, rest: tuple[Sym, ...], f: _Half, g: _Half, laws: Laws, pair: _Pair, known: dict[object, Bounded]
    ) -> Bounded:
        if f.vanishes or g.vanishes:
            return Bounded.exact(np.zeros((1, 1)))
        if not rest:
            return pair.of(f, g)
        found = known.get((rest, f, g))
        if found is not None:
            return found
        w, left = rest[0], rest[1:]
        total: Bounded | None = None
        for i, s in enumerate(left):
            inner = self._moment(left[:i] + left[i + 1 :], f, g, laws, pair, known)
            total = _plus(total, laws.cov(w, s) * inner)
        for s, d, e in ((self.u, f.derivative(), g), (self.v, f, g.derivative())):
            c = laws.cov(w, s)
            if not (c.value.any() or c.error.any()):
                continue
            if d is None or e is None:
                # There is no formula for the derivative of a Dirac mass.
                return Bounded(np.zeros((1, 1)), np.full((1, 1), np.inf))
            if not (d.vanishes or e.vanishes):
                total = _plus(total, c * self._moment(left, d, e, laws, pair, known))
        found = known[rest, f, g] = Bounded.exact(np.zeros((1, 1))) if total is None else total
        return found


def _plus(total: Bounded | None, more: Bounded) -> Bounded:
    return more if total is None else total + more


class _Pair:
    """E f(u) g(v) for halves f and g under many laws."""

    def __init__(self, laws: Laws, u: Sym, v: Sym):
        a, b, c = laws.var(u), laws.var(v), laws.cov(u, v)
        self.a, self.b = a, b
        self.good = laws.moderate(u, v)
        with np.errstate(all="ignore"):
            self.roots = np.sqrt(np.maximum(a.value, 0.0)), np.sqrt(np.maximum(b.value, 0.0))
            self.parts = a.error / a.value, b.error / b.value
            root = self.roots[0] * self.roots[1]
            self.cosine = np.clip(c.value / root, -1.0, 1.0)
            relative = self.parts[0] + self.parts[1]
            # δ cos θ, and δ sin² θ.
            self.moved = c.error / root + abs(self.cosine) * (0.51 * relative + 3 * _EPS)
            if u is v:
                self.cosine, square = np.ones_like(root), Bounded.exact(np.zeros_like(root))
                self.moved = np.zeros_like(root)
            else:
                square = determinant(a, b, c)
                square = Bounded(square.value / root**2, square.error / root**2 + square.value / root**2 * relative)
        self.square = square
        self.sine = np.sqrt(np.minimum(square.value, 1.0))
        # The least sine: sin θ is at least this at the true covariances.
        self.least = np.sqrt(np.maximum(square.value - square.error, 0.0))
        with np.errstate(all="ignore"):
            by_slope = np.where(self.least > 0, square.error / self.least, np.inf)
        self.spread = np.minimum(by_slope, np.sqrt(square.error)) + 2 * _EPS * self.sine
        self.angle = np.arctan2(self.sine, self.cosine)

    def of(self, f: _Half, g: _Half) -> Bounded:
        """E f(u) g(v)."""
        if f.degree == _MASS or g.degree == _MASS:
            return self._with_mass(f, g)
        same, across = f.above * g.above + f.below * g.below, f.above * g.below + f.below * g.above
        value, most = np.zeros((1, 1)), 0.0
        for weight, c, angle in ((same, self.cosine, self.angle), (across, -self.cosine, math.pi - self.angle)):
            if weight:
                value = value + weight * _both(f.degree, g.degree, c, self.sine, angle)
                most += abs(weight) * _most(f.degree, g.degree)
        error = self._bend(f.degree, g.degree, abs(same) + abs(across), abs(same - across))
        error = error + 8 * _EPS * (1 + f.degree + g.degree) * most
        return self._scaled(value, error, f.degree, g.degree)

    def _bend(self, i: int, j: int, size: float, odd: float) -> Array:
        """What the error of the correlation does: its slope is i j K_{i−1,j−1}, and for i = 0 it is j D_{j−1}."""
        i, j = min(i, j), max(i, j)
        if i > 0:
            return size * i * j * _most(i - 1, j - 1) * self.moved
        if j > 0:
            return odd * j * _moment(j - 1) / _SQRT_2PI * self.moved
        with np.errstate(all="ignore"):
            slope = np.where(self.least > 0, self.moved / self.least, np.inf)
        # The angle follows from the cosine, and near 0 and π better from the sine.
        slope = np.minimum(slope, 2 * self.spread + self.sine * self.moved)
        return odd / (2 * math.pi) * np.minimum(slope, _HOLDER * np.sqrt(self.moved))

    def _with_mass(self, f: _Half, g: _Half) -> Bounded:
        if f.degree == _MASS and g.degree == _MASS:
            with np.errstate(all="ignore"):
                value = f.above * g.above / (2 * math.pi * self.sine)
                part = self.square.error / (self.least * self.least)
                bound = np.where(self.least > 0, abs(value) * (0.5 * part + 6 * _EPS), np.inf)
            return self._scaled(value, bound, _MASS, _MASS)
        k = g.degree if f.degree == _MASS else f.degree
        mass, half = (f, g) if f.degree == _MASS else (g, f)
        front = mass.above * (half.above + half.below) * _moment(k) / _SQRT_2PI
        top = np.minimum(self.sine + self.spread, 1.0)
        error = abs(front) * (k * top ** max(k - 1, 0) * self.spread + 6 * _EPS * (k + 1))
        return self._scaled(front * self.sine**k + np.zeros((1, 1)), error, f.degree, g.degree)

    def _scaled(self, value: Array, error: Array, i: int, j: int) -> Bounded:
        """Times (Var u)^{i/2} (Var v)^{j/2}, each with its error."""
        with np.errstate(all="ignore"):
            size = self.roots[0] ** float(i) * self.roots[1] ** float(j)
            relative = abs(i) * self.parts[0] + abs(j) * self.parts[1] + 2 * _EPS * (abs(i) + abs(j))
            bound = size * (error + abs(value) * relative) * (1 + relative)
        good = self.good & (relative < 0.1)
        return Bounded(np.where(good, size * value, 0.0), np.where(good, bound, np.inf))


def _moment(k: int) -> float:
    """E (z)₊ᵏ."""
    low = (0.5, 1 / _SQRT_2PI)
    return low[k] if k < 2 else (k - 1) * _moment(k - 2)


def _most(i: int, j: int) -> float:
    """K_ij at the correlation 1, its largest value."""
    return _moment(i + j)


def _both(i: int, j: int, c: Array, s: Array, angle: Array) -> Array:
    """K_ij at variances 1."""
    i, j = min(i, j), max(i, j)
    if i == 0 and j == 0:
        return (math.pi - angle) / (2 * math.pi)
    if i == 0 and j == 1:
        return (1 + c) / (2 * _SQRT_2PI)
    if i == 0:
        return (j - 1) * _both(0, j - 2, c, s, angle) + c * _mass(j - 1, s)
    if i == 1:
        return _mass(j, s) + c * j * _both(0, j - 1, c, s, angle)
    return (i - 1) * _both(i - 2, j, c, s, angle) + c * j * _both(i - 1, j - 1, c, s, angle)


def _mass(k: int, s: Array) -> Array:
    """D_k."""
    return s**k * (_moment(k) / _SQRT_2PI)

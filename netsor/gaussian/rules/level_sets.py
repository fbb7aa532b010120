"""Dirac masses on curves and surfaces: integrals over a level set g = 0, along rays from the mean."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from netsor.deadline import verify_time
from netsor.expr import (
    FUNCTIONS,
    ZERO,
    Call,
    Cond,
    Const,
    Expr,
    Sym,
    add,
    canonical,
    diff,
    is_singular,
    mul,
    postorder,
    rewrite,
    substitute,
)
from netsor.expr.arrays import lambdify
from netsor.expr.functions import is_mass
from netsor.gaussian.integrand.breakpoints import bracketed
from netsor.gaussian.problem import Divergent, Method, NotTaken, Outcome, Step
from netsor.gaussian.rules import panels

Array = np.ndarray
_STEPS = (Step(Method.DIRAC),)

_TOUCHES = "the argument of a Dirac mass touches zero"
_UNCLEAR = "it has a Dirac mass whose argument touches zero, or nearly does"
_BESIDE = 0.45
_POINTS = 600
# How often a bracket of a least value is cut.
_CUTS = 60
# By dimension, the first and the last number of directions, which doubles from run to run; two runs agree if their
# relative difference is at most `_AGREES`.
_FIRST, _LAST = {2: 32, 3: 16}, {2: 4096, 3: 128}
_AGREES = 1e-9
# Grids on rays and lines, denser near the centre and without a node on it.
_RAY = panels.REACH * (0.2 * (_t := np.linspace(0, 1, _POINTS + 1)) + 0.8 * _t**2) + 1e-9
_LINE = panels.REACH * (0.2 * (_t := np.linspace(-1, 1, 4 * _POINTS + 1)) + 0.8 * _t**3) + 1e-9


def integrate(g: Expr, weight: Expr, variables: tuple[Sym, ...]) -> Outcome:
    """E δ(g(t)) F(t) for standard normal t, where g and F are expressions in one to three variables.

    The sum over directions is the trapezoidal rule on the circle (spectrally accurate for curves to which no ray is
    tangent), and Gauss's rule in the height on the sphere. Rays start at the mean, or beside it where the rule does not
    converge from there. Raises `Divergent` where ∂g = 0 on g = 0, and `NotTaken` where that is possible.
    """
    k = len(variables)
    if k == 1:
        value, error, size = _Rays(g, weight, variables, (0.0,)).sum(1)
        return Outcome(value, error + 1e-14 * size, size, 1, _STEPS)
    if any(isinstance(e, Cond) or isinstance(e, Call) and FUNCTIONS[e.fn].jumps for e in postorder(mul(g, weight))):
        # Sums over directions of a function with jumps may agree by chance.
        raise NotTaken("it has a Dirac mass on a curve, and a jump")
    centres = [(0.0,) * k] + [
        tuple(shift if i == j else 0.0 for i in range(k)) for j in range(k) for shift in (_BESIDE, -_BESIDE)
    ]
    why = NotTaken("it has a Dirac mass on a curve to which rays from near the mean are tangent")
    for centre in centres:
        try:
            found = _doubled(_Rays(g, weight, variables, centre))
        except NotTaken as fault:
            why = fault
            continue
        if found is not None:
            return found
    raise why


def _doubled(rays: _Rays) -> Outcome | None:
    """The value on which a run and one with twice as many directions agree; None where they do not."""
    rays.verify()
    n = _FIRST[rays.k]
    before = rays.sum(n)
    gaps: list[float] = []
    while n < _LAST[rays.k]:
        n *= 2
        now = rays.sum(n)
        gaps.append(abs(now[0] - before[0]))
        if gaps[-1] <= _AGREES * now[2]:
            return Outcome(now[0], 10 * gaps[-1] + now[1] + 1e-13 * now[2], now[2], rays.k, _STEPS)
        before = now
    # At corners of the level set the runs converge slowly.
    error = 10 * max(gaps[-3:])
    return Outcome(before[0], error + before[1], before[2], rays.k, _STEPS) if error <= 1e-4 * before[2] else None


class _Rays:
    """Sums over the roots of g on rays from a centre; in one variable over all roots on the line."""

    def __init__(self, g: Expr, weight: Expr, variables: tuple[Sym, ...], centre: tuple[float, ...]):
        self.g, self.variables, self.k = g, variables, len(variables)
        self.centre = np.array(centre)
        r = Sym(("radius", 0))
        w = tuple(Sym(("direction", j)) for j in range(self.k))
        ray: dict[Sym, Expr] = {t: add(mul(r, x), Const(c)) for t, x, c in zip(variables, w, centre, strict=True)}
        there = substitute(g, ray)
        first = diff(there, r)
        if is_singular(first):
            raise NotTaken("the argument of a Dirac mass jumps")
        # The Dirac masses of the second derivative lie at kinks, which are met with probability zero.
        second = rewrite(diff(first, r), lambda e: ZERO if is_mass(e) else e)
        self._g = lambdify((there,), (r, *w))
        self._all = lambdify((there, first, second, substitute(weight, ray)), (r, *w))

    def at(self, r: Array, w: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self._g(r, *w)[0], float), np.broadcast_shapes(r.shape, w[0].shape))

    def verify(self) -> None:
        """Raise NotTaken where g is zero at the centre, since the rays do not detect a level set there."""
        w, _ = self.directions(16)
        middle, about = self.at(np.zeros(1), w[:, :1]), self.at(np.ones(w.shape[1]), w)
        if not abs(float(middle[0])) > 1e-9 * float(np.nanmax(np.abs(about), initial=0.0)):
            raise NotTaken("it has a Dirac mass on a curve through the mean")

    def directions(self, n: int) -> tuple[Array, Array]:
        """Points on the unit sphere, and weights whose sum is its area."""
        if self.k == 1:
            return np.ones((1, 1)), np.ones(1)
        angle = 2 * np.pi * (np.arange(n) + 0.3819660113) / n
        if self.k == 2:
            return np.stack([np.cos(angle), np.sin(angle)]), np.full(n, 2 * np.pi / n)
        z, wz = panels.legendre(n // 2)
        ring = np.sqrt(1 - z**2)[:, None]
        points = np.stack([ring * np.cos(angle), ring * np.sin(angle), np.repeat(z[:, None], n, axis=1)])
        return points.reshape(3, -1), np.repeat(wz * 2 * np.pi / n, n)

    def sum(self, n: int) -> tuple[float, float, float]:
        """The value, the error due to the roots, and the integral of the modulus."""
        w, share = self.directions(n)
        verify_time()
        parts = [self._on(w[:, i : i + 2048], share[i : i + 2048]) for i in range(0, w.shape[1], 2048)]
        v, e = (np.concatenate(x) for x in zip(*parts, strict=True))
        return math.fsum(v), math.fsum(e), math.fsum(np.abs(v))

    def _on(self, w: Array, share: Array) -> tuple[Array, Array]:
        grid = _LINE if self.k == 1 else _RAY
        v = self.at(grid[:, None], w[:, None, :])
        here, after = v[:-1], v[1:]
        i, ray = np.nonzero((np.sign(here) * np.sign(after) <= 0) & np.isfinite(here) & np.isfinite(after))
        a, b, fa, at = grid[i], grid[i + 1], here[i, ray], ray
        more = self._pairs(grid, v, w)
        a, b, fa, at = (np.concatenate(x) for x in zip((a, b, fa, at), *more, strict=True))
        wr = w[:, at]
        r = bracketed(lambda x, k: self.at(x, wr[:, k]), a, b, fa, self.at(b, wr))
        with np.errstate(all="ignore"):
            g, slope, bend, top = (np.broadcast_to(np.asarray(x, float), r.shape) for x in self._all(r, *wr))
            # The error of a root, and its effect on the terms there.
            off = 2e-20 + 4e-16 * np.abs(r) + np.abs(g) / np.abs(slope)
            loose = np.abs(bend) * off / np.abs(slope)
            if (np.abs(g) > 1e-6 * (1 + np.abs(r)) * np.abs(slope)).any() and (slope != 0).all():
                # The values do not vanish at the sign change, so that g is not continuous there.
                raise NotTaken("the argument of a Dirac mass jumps")
        for j in np.flatnonzero(~(loose < 0.1)):
            self._decide(float(r[j]), wr[:, j])
        points = self.centre[:, None] + r * wr
        density = np.exp(-0.5 * (points**2).sum(axis=0)) / (2 * math.pi) ** (self.k / 2)
        terms = top * density * np.abs(r) ** (self.k - 1) * share[at] / np.abs(slope)
        if not np.isfinite(terms).all():
            raise Divergent(_TOUCHES)
        return terms, np.abs(terms) * loose

    def _pairs(self, grid: Array, v: Array, w: Array) -> list[tuple[Array, Array, Array, Array]]:
        """Brackets of two roots between nodes; raises an error where g touches zero without a change of sign."""
        size = np.abs(v)
        low = (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:])
        low &= (np.sign(v[:-2]) == np.sign(v[1:-1])) & (np.sign(v[2:]) == np.sign(v[1:-1])) & (v[1:-1] != 0)
        i, ray = np.nonzero(low)
        if not len(i):
            return []
        sign, wr = np.sign(v[i + 1, ray]), w[:, ray]
        a, b = grid[i], grid[i + 2]
        for _ in range(_CUTS):
            p, q = a + (b - a) / 3, b - (b - a) / 3
            left = sign * self.at(p, wr) <= sign * self.at(q, wr)
            a, b = np.where(left, a, p), np.where(left, q, b)
        mid = (a + b) / 2
        least = sign * self.at(mid, wr)
        # A minimum is located to the square root of rounding, so that its value is accurate to rounding.
        if (np.abs(least) <= 1e-11 * np.maximum(size[i, ray], size[i + 2, ray])).any():
            raise Divergent(_TOUCHES) if self.k == 1 else NotTaken(_UNCLEAR)
        two = least < 0
        first = (grid[i][two], mid[two], v[i, ray][two], ray[two])
        second = (mid[two], grid[i + 2][two], (sign * least)[two], ray[two])
        return [first, second]

    def _decide(self, r: float, w: Array) -> None:
        """Raise Divergent if a simple rational number near a root is an exact root of g and ∂g, otherwise NotTaken."""
        if self.k == 1:
            t = self.variables[0]
            x = Const(float(Fraction(float(w[0]) * r).limit_denominator(1000)))
            values: list[Expr] = [canonical(substitute(e, {t: x})) for e in (self.g, diff(self.g, t))]
            if all(isinstance(e, Const) and e.value == 0 for e in values):
                raise Divergent(_TOUCHES)
        raise NotTaken(_UNCLEAR)

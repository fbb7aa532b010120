"""Divisors that vanish so fast that E|ψ| is infinite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from netsor.expr import Call, Const, Expr, Pow, Sym, add, canonical, diff, mul, postorder, substitute
from netsor.expr.arrays import lambdify
from netsor.expr.functions import FUNCTIONS, TooSingular, is_absolute, is_singular
from netsor.expr.growth import coefficient, growth, iterated_log
from netsor.expr.intervals import infer_range
from netsor.gaussian.existence.integrability import flats_of
from netsor.gaussian.existence.rational_basis import Basis, leading
from netsor.gaussian.integrand.breakpoints import roots_of
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of
from netsor.gaussian.symbolic.structure import affine
from netsor.gaussian.symbolic.zero_sets import zeros_of

Array = np.ndarray
# Random segments on which a divisor is tested for a change of sign, their half-length in standard deviations in several
# variables and in one.
_SEGMENTS, _LENGTH, _ALONE = 24, 4.0, 12.0
_POINTS, _MOST_ROOTS = 600, 6
_BOXES = (1e-2, 1e-4, 1e-6)


def divides(e: Expr, gaussians: Gaussians) -> bool:
    return any(
        is_divisor(node, gaussians) or isinstance(node, Call) and FUNCTIONS[node.fn].quotient is not None
        for node in postorder(e)
    )


def is_divisor(node: Expr, gaussians: Gaussians) -> bool:
    if not (isinstance(node, Pow) and isinstance(node.exponent, Const) and node.exponent.value < 0):
        return False
    return bool(node.free & gaussians)


def blows_up(e: Expr, gaussians: Gaussians, basis: Basis) -> bool:
    """Whether |e| grows like t^{−m} or faster at distances t from a flat of codimension m where a divisor vanishes.

    This is decided on a ray from a point of the flat, with generic coordinates for both.
    """
    for flat in _flats(e, gaussians, basis):
        for sign in (1, -1) if basis.rank == 1 else (1,):
            start, way = flat.point(), [sign * x for x in _generic(basis.rank, 7)]
            terms = leading(e, basis.along(way, start))
            # With t = 1/n the integral over distances is ∫ |e| t^{m−1} dt = ∫ |e| n^{−m−1} dn.
            if terms and growth(terms[0][0].times(iterated_log(0), Fraction(-len(flat.rows)))) >= 0:
                return True
    return False


class _Flat:
    """An affine set of points w, by equations in reduced row echelon form: pivot, coefficients, constant."""

    def __init__(self, rank: int, rows: dict[int, tuple[list[Fraction], Fraction]]):
        self.rank, self.rows = rank, rows

    def point(self) -> list[Fraction]:
        """A generic point of the flat."""
        w = _generic(self.rank, 5)
        for p, (row, c) in self.rows.items():
            w[p] = c - sum((a * x for j, (a, x) in enumerate(zip(row, w)) if j not in self.rows), Fraction(0))
        return w


def _generic(rank: int, seed: int) -> list[Fraction]:
    draws = np.random.default_rng([seed, rank]).uniform(0.5, 1.5, rank)
    return [Fraction(float(x)).limit_denominator(1000) for x in draws]


def _flats(e: Expr, gaussians: Gaussians, basis: Basis) -> Iterator[_Flat]:
    """The flats on which divisors are known to vanish."""
    seen: set[tuple[Any, ...]] = set()
    for node in postorder(e):
        if not is_divisor(node, gaussians):
            continue
        assert isinstance(node, Pow)
        equations: list[list[tuple[dict[Sym, Fraction], Fraction]]] = [
            [(dict(row), c) for row, c in flat] for flat in flats_of(node.base, gaussians)
        ]
        for zero in zeros_of(canonical(node.base), gaussians):
            parts = affine(zero, gaussians)
            if parts is not None and all(isinstance(c, Const) for c in (*parts[0].values(), parts[1])):
                row = {s: _rational(c) for s, c in parts[0].items()}
                equations.append([(row, -_rational(parts[1]))])
        for rows in equations:
            flat = _echelon([([_dot(row, basis, j) for j in range(basis.rank)], c) for row, c in rows], basis.rank)
            key = tuple((p, *row, c) for p, (row, c) in flat.rows.items()) if flat is not None else ()
            if flat is not None and flat.rows and key not in seen:
                seen.add(key)
                yield flat


def _rational(c: Expr) -> Fraction:
    assert isinstance(c, Const)
    return Fraction(coefficient(c.value).value)


def _dot(row: Mapping[Sym, Fraction], basis: Basis, j: int) -> Fraction:
    return sum((a * basis.rows[s][j] for s, a in row.items()), Fraction(0))


def _echelon(equations: list[tuple[list[Fraction], Fraction]], rank: int) -> _Flat | None:
    """The flat of some equations; None where they contradict each other."""
    rows: dict[int, tuple[list[Fraction], Fraction]] = {}
    for row, c in equations:
        for p, (other, d) in rows.items():
            f = row[p]
            row, c = [x - f * y for x, y in zip(row, other)], c - f * d
        p = next((j for j in range(rank) if row[j]), -1)
        if p < 0:
            if c:
                return None
            continue
        row, c = [x / row[p] for x in row], c / row[p]
        rows = {q: ([x - other[p] * y for x, y in zip(other, row)], d - other[p] * c) for q, (other, d) in rows.items()}
        rows[p] = (row, c)
    return _Flat(rank, rows)


def changes_sign(e: Expr, gaussians: Gaussians, basis: Basis) -> bool:
    """Whether a divisor changes sign where no other factor vanishes.

    If its gradient is bounded by M near such a point, the divisor is at most M times the distance from its zero on each
    of a bundle of parallel lines, and ∫ dt/(M t) is infinite.
    """
    w = tuple(Sym(("basis", i)) for i in range(basis.rank))
    here = {s: add(*(mul(Const(float(c)), x) for c, x in zip(basis.rows[s], w) if c)) for s in basis.symbols}
    factors = factors_of(canonical(substitute(e, here)))
    known = frozenset(w)
    for f in factors:
        if not is_divisor(f, known):
            continue
        assert isinstance(f, Pow) and isinstance(f.exponent, Const)
        base = f.base.children[0] if is_absolute(f.base) else f.base
        if f.exponent.value > -1 or not base.free & known:
            continue
        others = [g for g in factors if g is not f]
        try:
            slopes = [diff(base, x) for x in w]
        except TooSingular:
            continue
        if any(map(is_singular, slopes)):
            continue
        for point, way in _crossings(base, w, basis):
            if any(_is_simple(base, slopes, others, w, point, way, size) for size in _BOXES):
                return True
    return False


def _crossings(base: Expr, w: tuple[Sym, ...], basis: Basis) -> Iterator[tuple[Array, Array]]:
    """Points where a function changes sign on segments about the mean, and the directions of the segments."""
    run = lambdify((base,), w)
    rng = np.random.default_rng(3)
    for _ in range(_SEGMENTS if basis.rank > 1 else 1):
        start = basis.root @ rng.standard_normal(basis.rank) if basis.rank > 1 else np.zeros(1)
        way = basis.root @ rng.standard_normal(basis.rank) if basis.rank > 1 else basis.root[:, 0]

        def on(t: Array, start: Array = start, way: Array = way) -> Array:
            return np.asarray(run(*(start[:, None] + way[:, None] * t))[0], float) + np.zeros(t.shape)

        roots = roots_of(on, _LENGTH if basis.rank > 1 else _ALONE, _POINTS)
        for root in sorted(roots, key=abs)[: 1 if basis.rank > 1 else _MOST_ROOTS]:
            yield start + root * way, way / np.linalg.norm(way)


def _is_simple(
    base: Expr,
    slopes: Sequence[Expr],
    others: Sequence[Expr],
    w: tuple[Sym, ...],
    point: Array,
    way: Array,
    size: float,
) -> bool:
    """Whether in a box a function changes sign and has bounded slopes, and no other factor vanishes."""
    length = size * max(1.0, float(np.abs(point).max()))
    box = {s: (float(x) - length, float(x) + length) for s, x in zip(w, point)}
    if any(not all(map(math.isfinite, infer_range(g, box))) for g in slopes):
        return False
    if not all(low > 0 or high < 0 for low, high in (infer_range(g, box) for g in others)):
        return False
    run = lambdify((base,), w)
    ends = [float(run(*(point + sign * 0.5 * length * way))[0]) for sign in (-1, 1)]
    return ends[0] * ends[1] < 0

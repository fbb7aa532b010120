"""Where the levels of a nested integral break although no break cuts them: over ends and crossings of inner curves.

Suppose the integrand over x_k breaks at the zeros of p(x₁ … x_k). The integral over x_k has a square-root singularity
where two zeros meet, Disc p = 0, and a kink where zeros of p and q cross, Res(p, q) = 0; where a leading coefficient
vanishes one zero goes to infinity. These are functions of x₁ … x_{k−1}, whose zeros cut the outer levels, and so on
outwards (the projection of cylindrical algebraic decomposition, for curves of degree one and two in their newest
coordinate).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.expr import (
    HALF,
    MINUS_ONE,
    TWO,
    ZERO,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    diff,
    mul,
    power,
    substitute,
)
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.symbolic.structure import degree_in

# With more curves than this on one level, their crossings are not computed.
_MOST = 8
# A coefficient below this share of the largest in its row is the rounding error of zero.
_NOTHING = 4e-15
# Values of an integrated coordinate at which a passing curve matters.
PLACES = (-8, -7, -5.5, -4, -2, 0, 2, 4, 5.5, 7, 8)


@lru_cache(maxsize=64)
def coordinate(k: int) -> Sym:
    """The k-th coordinate as a symbol."""
    return Sym(("coordinate", k))


def in_coordinates(f: Integrand, at: Expr) -> Expr:
    """A function of the forms as a function of the coordinates, with numbers for the scalars."""
    known: dict[Sym, Expr] = {s: Const(v) for s, v in zip(f.scalars, f.values)}
    for s, row, shift in zip(f.forms, f.root, f.shift):
        known[s] = linear(row, float(shift))
    return substitute(at, known)


def linear(row: np.ndarray, shift: float) -> Expr:
    """Σ row_j x_j + shift."""
    size = _NOTHING * float(np.abs(row).max(initial=0.0))
    return add(*(mul(Const(float(a)), coordinate(j)) for j, a in enumerate(row) if abs(a) > size), Const(shift))


@dataclass(frozen=True)
class _Polynomial:
    """a x² + b x + c in the newest coordinate x, with coefficients that are functions of the coordinates before it."""

    a: Expr
    b: Expr
    c: Expr


def _polynomial(e: Expr, k: int) -> _Polynomial | None:
    x = coordinate(k)
    if degree_in(e, frozenset((x,))) is None:
        return None

    def at_zero(g: Expr) -> Expr:
        return canonical(substitute(g, {x: ZERO}))

    first = diff(e, x)
    return _Polynomial(at_zero(mul(HALF, diff(first, x))), at_zero(first), at_zero(e))


def _own(p: _Polynomial) -> Iterable[Expr]:
    if p.a is ZERO:
        yield p.b
    else:
        yield p.a
        yield add(power(p.b, TWO), mul(Const(-4), p.a, p.c))


def _resultant(p: _Polynomial, q: _Polynomial) -> Expr:
    """An expression that is zero where p and q have a common zero."""

    def minor(u: Expr, v: Expr, r: Expr, s: Expr) -> Expr:
        return add(mul(u, s), mul(MINUS_ONE, v, r))

    ab, ac, bc = minor(p.a, p.b, q.a, q.b), minor(p.a, p.c, q.a, q.c), minor(p.b, p.c, q.b, q.c)
    if p.a is ZERO and q.a is ZERO:
        return bc
    if p.a is ZERO:
        p, q = q, p
    if q.a is ZERO:
        return add(mul(p.a, power(q.c, TWO)), mul(MINUS_ONE, p.b, q.b, q.c), mul(p.c, power(q.b, TWO)))
    return add(power(ac, TWO), mul(MINUS_ONE, ab, bc))


def tips_of(f: Integrand, also: tuple[Expr, ...] = ()) -> list[list[Expr]]:
    """For each level the functions of the coordinates over whose zeros an inner curve ends or crosses another.

    `also` are functions of the forms over whose zeros something ends for other reasons.
    """
    curves: list[list[Expr]] = [[] for _ in range(f.rank)]
    planes: list[list[Expr]] = [[] for _ in range(f.rank)]
    for surface in f.surfaces:
        _put(curves, in_coordinates(f, surface.at))
    for p in f.planes:
        if p.soft == 0 and np.abs(p.a).max(initial=0.0) > 0:
            _put(planes, linear(p.a, p.b))
    tips: list[list[Expr]] = [[] for _ in range(f.rank)]
    for at in also:
        _put(tips, in_coordinates(f, at))
    for k in range(f.rank - 1, 0, -1):
        mine = [*curves[k], *tips[k]]
        if not mine:
            continue
        read = [q for e in mine if (q := _polynomial(e, k)) is not None]
        flat = [q for e in planes[k] if (q := _polynomial(e, k)) is not None]
        found = [e for q in read for e in _own(q)]
        if len(read) + len(flat) <= _MOST:
            pairs = itertools.chain(itertools.combinations(read, 2), itertools.product(read, flat))
            found += [_resultant(p, q) for p, q in pairs]
        for e in found:
            for g in _roots_of(canonical(e)):
                _put(tips, g)
    return tips


def _roots_of(e: Expr) -> list[Expr]:
    """Functions that vanish where a product does, and change sign there."""
    if isinstance(e, Mul):
        return [g for f in e.children for g in _roots_of(f)]
    if isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value > 0:
        return _roots_of(e.base)
    return [e]


def bands_of(f: Integrand) -> list[list[tuple[Expr, ...]]]:
    """For each level the functions that vanish where a curve of an inner level passes given places.

    The integral over x_k of an integrand that breaks at p(x₁ … x_k) = 0 changes where p(x₁ … x_{k−1}, t) vanishes for
    some |t| ≤ 8: step(y − 2 − 10⁵ (x − 0.37)²) leaves a spike at x = 0.37.
    """
    out: list[list[tuple[Expr, ...]]] = [[] for _ in range(f.rank)]
    for surface in f.surfaces:
        e = in_coordinates(f, surface.at)
        k = last_of(e, f.rank)
        for j in range(k, 0, -1):
            # The coordinates between this level and the curve's are at 0, or one of them at the given places.
            inside = [coordinate(i) for i in range(j, k + 1)]
            ways = [{x: Const(t) if x is moving else ZERO for x in inside} for moving in inside for t in PLACES]
            put_band(out, [canonical(substitute(e, dict(way))) for way in ways])
    return out


def put_band(levels: list[list[tuple[Expr, ...]]], members: list[Expr]) -> None:
    """Add functions that belong together to the last level on which some of them depend."""
    last = [last_of(e, len(levels)) for e in members]
    k = max(last)
    mine = tuple(e for e, at in zip(members, last) if at == k)
    # On inner levels, functions whose roots would have to be searched on grids are too costly; the first has one row.
    if k == 0 or k > 0 and all(degree_in(e, frozenset((coordinate(k),))) is not None for e in mine):
        levels[k].append(mine)


def last_of(e: Expr, rank: int) -> int:
    """The last coordinate that a function depends on; −1 for a constant."""
    return max((k for k in range(rank) if coordinate(k) in e.free), default=-1)


def _put(levels: list[list[Expr]], e: Expr) -> None:
    last = last_of(e, len(levels))
    if last >= 0 and e not in levels[last]:
        levels[last].append(e)

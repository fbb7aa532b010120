"""Products that are zero everywhere because their factors live on half-spaces that have no point in common."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from netsor.expr import FUNCTIONS, ZERO, Call, Cmp, Cond, Const, Expr, Logic, Pow, Sym, add, canonical, is_singular, neg
from netsor.expr.differentiate import plain_tests
from netsor.expr.rationals import meant
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of
from netsor.gaussian.symbolic.structure import affine

# The elimination may square the number of inequalities with every variable; products with more are not decided.
_MOST_ROWS = 200


class HalfSpace(NamedTuple):
    """The points with Σ coefficient · z + constant > 0, or ≥ 0 where `strict` is false."""

    coefficients: tuple[tuple[Sym, Fraction], ...]
    constant: Fraction
    strict: bool


@lru_cache(maxsize=20_000)
def is_zero_everywhere(product: Expr, gaussians: Gaussians, almost: bool = False) -> bool:
    """Whether the half-spaces outside which factors are 0 have no common point; False where that is not decided.

    With `almost` it is no common point off their boundaries, so that the product is 0 almost everywhere where the law
    has a density. A product with a Dirac mass is not a function of points, and is left to the rules for masses.
    """
    if is_singular(product):
        return False
    rows = [h for f in factors_of(product) for h in _half_spaces(f, gaussians)]
    if almost:
        # The boundary of a half-space has no volume, but 0 ≥ 0 holds everywhere.
        rows = [h._replace(strict=h.strict or bool(h.coefficients)) for h in rows]
    return len(rows) > 1 and _is_empty(rows)


def _half_spaces(factor: Expr, gaussians: Gaussians) -> Iterator[HalfSpace]:
    """Half-spaces that contain all points at which a factor is not 0."""
    while isinstance(factor, Pow) and isinstance(factor.exponent, Const) and factor.exponent.value > 0:
        factor = factor.base
    if isinstance(factor, Call):
        pieces = FUNCTIONS[factor.fn].pieces
        if pieces is None:
            return
        factor = pieces(*factor.children)
    if isinstance(factor, Cond):
        factor = plain_tests(factor)
    if isinstance(factor, Cond):
        if factor.other is ZERO:
            yield from _where(factor.test, True, gaussians)
        elif factor.then is ZERO:
            yield from _where(factor.test, False, gaussians)


def _where(test: Expr, holds: bool, gaussians: Gaussians) -> Iterator[HalfSpace]:
    """Half-spaces that contain all points at which a test holds, or fails."""
    if isinstance(test, Logic):
        if test.op == "not":
            yield from _where(test.children[0], not holds, gaussians)
        elif (test.op == "and") == holds:
            for part in test.children:
                yield from _where(part, holds, gaussians)
    elif isinstance(test, Cmp) and test.op in ("<", "<=", ">", ">="):
        left, right = test.children if test.op in (">", ">=") else test.children[::-1]
        if not holds:
            left, right = right, left
        found = affine(canonical(add(left, neg(right))), gaussians)
        if found is None or not all(isinstance(c, Const) for c in (*found[0].values(), found[1])):
            return
        linear = tuple((s, meant(c.value)) for s, c in found[0].items())  # type: ignore[attr-defined]
        yield HalfSpace(linear, meant(found[1].value), (test.op in ("<", ">")) == holds)  # type: ignore[attr-defined]


def _is_empty(rows: list[HalfSpace]) -> bool:
    """Whether no point meets all inequalities, by Fourier–Motzkin elimination (Schrijver 1986)."""
    left = {_normalized(h) for h in rows}
    while left:
        if any(not h.coefficients and (h.constant < 0 or h.strict and h.constant == 0) for h in left):
            return True
        symbols = {s for h in left for s, _ in h.coefficients}
        if not symbols:
            return False

        def products(s: Sym, rows: set[HalfSpace] = left) -> int:
            signs = [dict(h.coefficients).get(s, 0) for h in rows]
            return sum(c > 0 for c in signs) * sum(c < 0 for c in signs)

        left = _without(min(symbols, key=lambda s: (products(s), s.digest)), left)
        if len(left) > _MOST_ROWS:
            return False
    return False


def _without(s: Sym, rows: set[HalfSpace]) -> set[HalfSpace]:
    """The shadow of a polyhedron along one variable."""
    out: set[HalfSpace] = set()
    above: list[tuple[Fraction, HalfSpace]] = []
    below: list[tuple[Fraction, HalfSpace]] = []
    for h in rows:
        c = dict(h.coefficients).get(s, Fraction(0))
        if c:
            (above if c > 0 else below).append((abs(c), h))
        else:
            out.add(h)
    for p, g in above:
        for q, h in below:
            total = {t: c / p for t, c in g.coefficients if t is not s}
            for t, c in h.coefficients:
                if t is not s:
                    total[t] = total.get(t, Fraction(0)) + c / q
            linear = tuple((t, c) for t, c in total.items() if c)
            out.add(_normalized(HalfSpace(linear, g.constant / p + h.constant / q, g.strict or h.strict)))
    return out


def _normalized(h: HalfSpace) -> HalfSpace:
    """The same half-space, with its variables in order and the first coefficient ±1."""
    linear = sorted(h.coefficients, key=lambda p: p[0].digest)
    by = abs(linear[0][1]) if linear else Fraction(1)
    return HalfSpace(tuple((s, c / by) for s, c in linear), h.constant / by, h.strict)

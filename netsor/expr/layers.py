"""Layers about jumps: what a ψ adds to a mean where its branches are not those at the limit of its arguments.

In √n (step(h + d/√n) − step(h)) the branches differ where h is within |d|/√n of 0. The probability of this is of order
1/√n and the quotient is of order √n there, so that the mean has a limit, φ(0) E d for a standard normal h. In a layer
v = t + ε^κ τ about a jump at v = t (ε = n^(−1/2), κ its thickness) ψ is ε^(−κ) F(τ) + …, and the mean gains

    E δ(v − t) ∫ F(τ) dτ

(the inner expansion of the method of matched expansions: Hinch, Perturbation Methods, 1991, chapter 5). F is constant
between the places where a test changes. Functions of ψ, and several jumps at the same place, need nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from netsor.expr.build import add, call, mul, neg
from netsor.expr.canonical import canonical
from netsor.expr.cases import Signs, multiple, settled_by, split, undecided
from netsor.expr.differentiate import diff, vanishes_on
from netsor.expr.expansion import Expansion, Unsettled
from netsor.expr.functions import dirac
from netsor.expr.nodes import ZERO, Const, Expr, Sym

# (v, t): where v = t. The expression v is as `threshold` gives it.
Place = tuple[Expr, float]
TAU = Sym(("layer", "tau"))
_MOST_INTERVALS = 64


@dataclass(frozen=True)
class Layer:
    """The layer v = t + ε^thickness τ about a place."""

    place: Place
    thickness: float

    @cached_property
    def distance(self) -> Expr:
        """v − t."""
        return add(self.place[0], Const(-self.place[1]))

    @cached_property
    def pivot(self) -> tuple[Sym, Expansion] | None:
        """A symbol s in which v is linear with a number as its slope, and s where v = t + ε^thickness τ."""
        for s in sorted(self.distance.free, key=lambda s: s.digest):
            slope = diff(self.distance, s)
            if isinstance(slope, Const) and slope.value != 0:
                a = float(slope.value)
                there = canonical(add(s, mul(Const(-1 / a), self.distance)))
                terms = ((0.0, there), (self.thickness, mul(Const(1 / a), TAU)))
                return s, Expansion(tuple(t for t in terms if t[1] is not ZERO))
        return None

    def within(self, gap: Expansion) -> Expansion:
        """An expansion whose first term is a multiple of v − t, written in τ; any other expansion as it is.

        With a pivot the expansions of all symbols are in τ already.
        """
        if not gap.terms or isinstance(gap.terms[0][1], Const):
            return gap
        (k, c), *after = gap.terms
        a, v, t = multiple(c)
        if (v, t) != self.place:
            return gap
        at = k + self.thickness
        if at >= gap.rest:
            raise Unsettled
        terms = dict(after)
        terms[at] = canonical(add(mul(Const(a), TAU), terms.get(at, ZERO)))
        return Expansion(tuple(sorted(terms.items(), key=lambda term: term[0])), gap.rest, gap.inside)

    def mass(self, grown: Expr) -> Expr:
        """δ(v − t) ∫ F(τ) dτ for an F that is constant between its jumps; raises `Unsettled` for any other F."""
        lengths = _intervals(canonical(grown))
        values = [(length, self._there(e)) for length, e in lengths]
        if any(length is None and e is not ZERO or TAU in e.free for length, e in values):
            raise Unsettled
        weight = canonical(add(*(mul(length, e) for length, e in values if length is not None)))
        return ZERO if weight is ZERO else mul(dirac(self.distance), weight)

    def _there(self, e: Expr) -> Expr:
        """The value where v = t; raises `Unsettled` where it jumps there."""
        above, below = (settled_by(e, split(self.distance, {}, positive)) for positive in (True, False))
        if above is not below and not vanishes_on(add(above, neg(below)), self.distance):
            raise Unsettled
        return ZERO if vanishes_on(above, self.distance) else above


def _intervals(grown: Expr) -> list[tuple[Expr | None, Expr]]:
    """F(τ) where all tests of τ are decided, with the length of the interval; None for one that has no end."""
    found: list[tuple[Expr | None, Expr]] = []
    waiting: list[tuple[Expr, Signs, tuple[Expr, ...], tuple[Expr, ...]]] = [(grown, {}, (), ())]
    while waiting:
        e, signs, above, below = waiting.pop()
        u = undecided(e, signs, TAU)
        if u is None:
            ends = add(_extreme("min", below), neg(_extreme("max", above))) if above and below else None
            found.append((None if ends is None else call("relu", ends), e))
            continue
        slope = diff(u, TAU)
        if not isinstance(slope, Const) or slope.value == 0 or len(found) + len(waiting) > _MOST_INTERVALS:
            raise Unsettled
        root = canonical(add(TAU, mul(Const(-1 / float(slope.value)), u)))
        for positive in (True, False):
            more = split(u, signs, positive)
            over = positive == (float(slope.value) > 0)
            ends_of = ((*above, root), below) if over else (above, (*below, root))
            waiting.append((settled_by(e, more), more, *ends_of))
    return found


def _extreme(which: str, values: tuple[Expr, ...]) -> Expr:
    return values[0] if len(values) == 1 else call(which, *values)

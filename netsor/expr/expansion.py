"""Expansions in powers of ε = n^(−1/2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netsor.expr.build import neg
from netsor.expr.nodes import ZERO, Expr

_INFINITE = math.inf


@dataclass(frozen=True)
class Expansion:
    """Σ c_p ε^p over `terms` (p, c_p) in increasing p, without zero terms; the remainder is O(ε^rest).

    In thin layers about kinks and jumps, where another branch is taken than at the limit of the arguments, it is
    O(ε^inside).
    """

    terms: tuple[tuple[float, Expr], ...]
    rest: float = _INFINITE
    inside: float = _INFINITE

    def at(self, p: float) -> Expr:
        return next((c for q, c in self.terms if q == p), ZERO)

    def beyond(self, p: float) -> tuple[tuple[float, Expr], ...]:
        return tuple(t for t in self.terms if t[0] > p)

    def shifted(self, p: float) -> Expansion:
        """The expansion times ε^p."""
        return Expansion(tuple((q + p, c) for q, c in self.terms), self.rest + p, self.inside + p)

    def negated(self) -> Expansion:
        return Expansion(tuple((p, neg(c)) for p, c in self.terms), self.rest, self.inside)

    def small(self) -> Expansion:
        """The expansion without its terms of the order 1 and above."""
        return Expansion(self.beyond(0.0), self.rest, self.inside)


class Unsettled(Exception):
    """The expansion needs terms that are not known, or the fluctuation of a scalar about its limit."""

"""Scalars that may have no value, such as 1/θ with θ → 0: a product with 0 is not zero before their value is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsor.core import Moment, Nonlin
from netsor.expr import Expr, Sym


class Doubts:
    """Which lines and Ẑ's of a limit depend on such scalars; `known` are the scalars whose value was computed."""

    def __init__(self, scalars: Mapping[str, Expr], known: Mapping[Sym, object]):
        self._scalars, self._known = scalars, known
        self.scalars: set[Sym] = set()
        # For each instruction those of them that occur in it as written, even if algebra removes them, as in 0 · 1/θ.
        self.used: dict[str, frozenset[Sym]] = {}
        # For each Ẑ those of them that occur in its operand.
        self._under: dict[Sym, frozenset[Sym]] = {}

    def note_line(self, i: Nonlin | Moment) -> None:
        """Before a line is written: which of these scalars it mentions."""
        if self.scalars:
            used = frozenset(t for s in i.scalars for t in self._scalars[s].free & self.scalars)
            if used:
                self.used[i.name] = used

    def note_product(self, symbol: Sym, operand: Expr) -> None:
        if self.scalars and (under := self.among(operand.free)):
            self._under[symbol] = under

    def of(self, s: Sym) -> frozenset[Sym]:
        """The scalars that may have no value and on which a symbol depends: itself, or those in the operand of a Ẑ."""
        return frozenset((s,)) if s in self.scalars else self._under.get(s, frozenset())

    def among(self, symbols: Iterable[Sym]) -> frozenset[Sym]:
        return frozenset[Sym]().union(*map(self.of, symbols))

    def is_plain(self, s: Sym) -> bool:
        """Whether a symbol depends on no scalar that may have no value."""
        return all(t in self._known for t in self.of(s))

    def are_plain(self, symbols: Iterable[Sym]) -> bool:
        return not self.scalars or all(map(self.is_plain, symbols))

"""On which covariances of products that of two others rests: a layer of a residual stream has all layers before it."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from netsor.expr import Expr, Sym
from netsor.limit.numbers import ordered

Pair = tuple[Sym, Sym]


class _Product(Protocol):
    @property
    def operand(self) -> Expr: ...

    @property
    def family(self) -> Hashable: ...


P = TypeVar("P", bound=_Product)


class Below(Generic[P]):
    """The pairs of Ẑ's below others; `products` are those of one limit in the order of its lines, and may grow."""

    def __init__(self, products: dict[Sym, P]):
        self._products = products
        self._number: dict[Sym, int] = {}
        self._seen: set[Sym] = set()
        self._families: dict[Hashable, set[Sym]] = {}
        # For each expression its last product and, if there is one, the products that are not in its operand.
        self._tops: dict[Expr, tuple[Sym, frozenset[Sym]] | None] = {}

    def pairs(self, x: Expr, y: Expr) -> list[Pair]:
        """The pairs of Ẑ's of one matrix on whose covariances E x y may depend, in the order of the program.

        What is below the pair of the last products is left out, so that of a residual stream only what a layer adds is
        looked at.
        """
        self._note_new()
        top, other = self._top(x), self._top(y)
        if top is None or other is None:
            return []
        (s, mine), (t, yours) = top, other
        if self._products[s].family != self._products[t].family:
            mine, yours = (e.free & self._seen for e in (x, y))
        found = {ordered(a, b) for a in mine for b in self._like(a, y.free)}
        found |= {ordered(a, b) for b in yours for a in self._like(b, x.free)}
        return sorted(found, key=self._place)

    def of_family(self, family: Hashable) -> set[Sym]:
        """The Ẑ's of all products with one matrix."""
        self._note_new()
        return self._families.get(family, set())

    def _place(self, pair: Pair) -> tuple[int, int]:
        a, b = (self._number[s] for s in pair)
        return max(a, b), min(a, b)

    def _note_new(self) -> None:
        """Number the products that came since the last time."""
        new = itertools.islice(reversed(self._products), len(self._products) - len(self._number))
        for s in reversed(list(new)):
            self._number[s] = len(self._number)
            self._seen.add(s)
            self._families.setdefault(self._products[s].family, set()).add(s)

    def _top(self, e: Expr) -> tuple[Sym, frozenset[Sym]] | None:
        if e not in self._tops:
            inside = e.free & self._seen
            if inside:
                last = max(inside, key=self._number.__getitem__)
                self._tops[e] = last, inside - self._products[last].operand.free
            else:
                self._tops[e] = None
        return self._tops[e]

    def _like(self, s: Sym, among: frozenset[Sym]) -> frozenset[Sym]:
        """The Ẑ's among these that may be correlated with one of a product."""
        return among & self._families[self._products[s].family]

"""Whether E Z^x Z^y = 0 follows without numbers, decided once for all pairs of operands of one shape."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from netsor.expr import Expr, Sym, canonical, mul
from netsor.gaussian import vanishes
from netsor.gaussian.law import Law
from netsor.limit.shapes import Shapes

# The pairs of a shape's symbols whose independence a decision depends on, by position, with the answers.
Asked = dict[tuple[int, int], bool]


class Limits(Law, Protocol):
    def is_plain(self, s: Sym) -> bool:
        """Whether a symbol depends on no scalar that may have no value."""
        ...


class Uncorrelated:
    """Pairs of operands of a limit, of which some have E Z^x Z^y = 0 whatever the numbers are."""

    def __init__(self, law: Limits, shapes: Shapes):
        self._law, self._shapes = law, shapes
        self._known: dict[Hashable, list[tuple[Asked, bool]]] = {}

    def vanishes(self, x: Expr, y: Expr) -> bool:
        shape = self._shapes.of(x, y)
        if shape is None:
            return self._decide(x, y, self._law)
        symbols = shape.symbols
        key = shape.key, tuple([(self._law.is_gaussian(s), self._law.is_plain(s)) for s in symbols])
        known = self._known.setdefault(key, [])
        for asked, answer in known:
            if all(self._law.independent(symbols[i], symbols[j]) == same for (i, j), same in asked.items()):
                return answer
        questions = _Questions(self._law, symbols)
        answer = self._decide(x, y, questions)
        known.append((questions.asked, answer))
        return answer

    def _decide(self, x: Expr, y: Expr, law: Law) -> bool:
        e = canonical(mul(x, y))
        return vanishes(e, law) is not None and all(map(self._law.is_plain, e.free))


class _Questions:
    """A law that records the questions of independence that it was asked."""

    def __init__(self, law: Law, symbols: tuple[Sym, ...]):
        self._law = law
        self._number = {s: i for i, s in enumerate(symbols)}
        self.asked: Asked = {}
        self.is_gaussian = law.is_gaussian
        self.covariance = law.covariance
        self.scalar = law.scalar
        self.separated = law.separated

    def independent(self, a: Sym, b: Sym) -> bool:
        answer = self._law.independent(a, b)
        self.asked[self._number[a], self._number[b]] = answer
        return answer

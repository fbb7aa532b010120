"""Expressions up to the names of their symbols: the layers and positions of a network have the same few shapes.

What follows from an expression alone, whatever its symbols are, can be derived once for each shape.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from netsor.expr import Add, Expr, Mul, Star, Sym, postorder

# Expressions in which symbols stand at more places are not compared: long sums hardly ever have equal shapes.
_MOST = 40


class Shape(NamedTuple):
    """A key that two products share if and only if they are equal up to names, and the symbols in their order."""

    key: Hashable
    symbols: tuple[Sym, ...]


class _Skeleton(NamedTuple):
    """A number for an expression without its symbols, and the symbols in the order of their places."""

    number: int
    places: tuple[Sym, ...]
    order: tuple[int, ...]


class Shapes:
    """The shapes of the expressions of one limit; symbols are in the order in which they were first seen."""

    def __init__(self) -> None:
        self._place: dict[Sym, int] = {}
        self._numbers: dict[Hashable, int] = {}
        self._skeletons: dict[Expr, _Skeleton | None] = {}

    def place(self, s: Sym) -> int:
        """The position of a symbol in the order of the limit's symbols."""
        return self._place.setdefault(s, len(self._place))

    def of(self, *factors: Expr) -> Shape | None:
        """The shape of a product of canonical expressions; None for a long one."""
        skeletons = []
        for f in factors:
            one = self._skeleton(f)
            if one is None:
                return None
            skeletons.append(one)
        skeletons.sort(key=_by_number)
        numbers = tuple(k.number for k in skeletons)
        places = tuple(s for k in skeletons for s in k.places)
        order = tuple(i for k in skeletons for i in k.order)
        rank = {i: r for r, i in enumerate(sorted(set(order)))}
        symbols = dict(zip(order, places, strict=True))
        return Shape((numbers, tuple(rank[i] for i in order)), tuple(symbols[i] for i in rank))

    def _skeleton(self, root: Expr) -> _Skeleton | None:
        known = self._skeletons
        if root not in known:
            if _is_long(root):
                return None
            for node in postorder(root, known=known.__contains__):
                known[node] = self._find(node)
        return known[root]

    def _find(self, node: Expr) -> _Skeleton | None:
        if isinstance(node, Sym):
            return _Skeleton(0, (node,), (self.place(node),))
        if isinstance(node, Star) or _is_long(node):
            return None
        children = []
        for c in node.children:
            one = self._skeletons[c]
            if one is None:
                return None
            children.append(one)
        if isinstance(node, (Add, Mul)):
            children.sort(key=_by_number)
        places = tuple(s for c in children for s in c.places)
        if len(places) > _MOST:
            return None
        # 1 and 1.0 are different constants.
        key = (type(node), type(node.payload), node.payload, tuple(c.number for c in children))
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        return _Skeleton(number, places, tuple(i for c in children for i in c.order))


def _is_long(e: Expr) -> bool:
    return len(e.children) > _MOST or len(e.free) > _MOST


def _by_number(s: _Skeleton) -> tuple[int, tuple[int, ...]]:
    return s.number, s.order


def stand_ins(count: int) -> tuple[Sym, ...]:
    """The symbols that stand for those of a shape, in their order."""
    while len(_STAND_INS) < count:
        _STAND_INS.append(Sym(("•", len(_STAND_INS))))
    return tuple(_STAND_INS[:count])


_STAND_INS: list[Sym] = []


def numbered(symbols: Sequence[Sym]) -> dict[Sym, Expr]:
    """What replaces the symbols of a shape to write it in stand-ins."""
    return dict(zip(symbols, stand_ins(len(symbols)), strict=True))

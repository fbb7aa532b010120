"""Repeated structure: layers and steps of time as loops.

Items, each the statements of some arrays, stand in the order of the program. Where K consecutive groups of p items are
of one form, each referring to what stands outside, to itself and to the group before it in one way, they become a loop,
and their arrays become one array with an index more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netsor.importer.arrays import Array
from netsor.importer.nodes import Lin, Node, generalize_statements, indices, rename, roll


@dataclass
class Item:
    """Statements and the arrays that they define; `live` lists the indices of those that are defined."""

    defines: list[Any]
    statements: list[Node]
    skeleton: str = field(default="", compare=False)


Live = dict[Any, set[tuple[int, ...]]]


def fold(items: list[Item], live: Live) -> list[Item]:
    """The items with loops, the most saving first."""
    refused: set[tuple[int, int, int, int]] = set()
    for round_ in range(12):
        made = _fold_once(items, live, refused, f"f{round_}")
        if made is None:
            return items
        items = made
    return items


def _fold_once(items: list[Item], live: Any, refused: set[Any], variable: str) -> list[Item] | None:
    for item in items:
        item.skeleton = item.skeleton or "; ".join(map(_skeleton, item.statements))
    names = [item.skeleton for item in items]
    count = len(names)
    candidates = []
    for p in range(1, count // 2 + 1):
        i = 0
        while i + p < count:
            run = 0
            while i + run + p < count and names[i + run] == names[i + run + p]:
                run += 1
            if run >= p:
                for shift in range(min(run % p + 1, p)):
                    repeats = (run - shift) // p + 1
                    if repeats >= 2 and (repeats - 1) * p >= 2:
                        candidates.append(((repeats - 1) * p, -p, -shift, i + shift, repeats))
            i += max(1, run)
    for saved, negative, _, start, repeats in sorted(candidates, reverse=True):
        del saved
        period = -negative
        key = (start, period, repeats, count)
        if key in refused:
            continue
        for first, times in ((start, repeats), (start + period, repeats - 1), (start, repeats - 1)):
            if times >= 2 and (times - 1) * period >= 2:
                made = _folded(items, first, period, times, live, variable)
                if made is not None:
                    return made
        refused.add(key)
    return None


def _skeleton(s: Node) -> str:
    if s[0] == "assign":
        own = id(s[1][0]) if s[1][0].is_output else ""  # outputs are not part of what repeats
        return f"{own}{len(s[1][1])}:={_skeleton_of(s[2][0])}"
    return f"for({s[1][1].constant if not s[1][1].parts else '?'})[{'; '.join(map(_skeleton, s[2]))}]"


def _skeleton_of(n: Node) -> str:
    op, v, arguments = n
    if op == "var":
        return f"v{'p' + v[0].hint if v[0].parameter is not None else ''}{len(v[1])}"
    value = "" if op == "series" else repr(v)
    return f"{op}{value}({','.join(map(_skeleton_of, arguments))})"


def _folded(items: list[Item], start: int, period: int, repeats: int, live: Live, variable: str) -> list[Item] | None:
    return _Fold(items, start, period, repeats, live, variable).folded()


class _Fold:
    """An attempt to write `repeats` groups of `period` items, from the item `start` on, as one loop."""

    def __init__(self, items: list[Item], start: int, period: int, repeats: int, live: Live, variable: str):
        self.items, self.live, self.variable, self.repeats = items, live, variable, repeats
        self.groups = [items[start + r * period : start + (r + 1) * period] for r in range(repeats)]
        self.before, self.after = items[:start], items[start + repeats * period :]
        self.position: dict[Any, tuple[int, int, int]] = {}
        self.merged: dict[tuple[int, int], Array] = {}
        for r, group in enumerate(self.groups):
            for j, item in enumerate(group):
                for k, a in enumerate(item.defines):
                    self.position[a] = (r, j, k)
                    if r == 0:
                        self.merged[j, k] = Array(a.hint, (repeats, *a.shape), place=a.place)
        # What the first passes take from outside where later ones take what an earlier pass made.
        self.boundary: dict[Array, dict[int, Any]] = {}
        self.offsets: list[int] = []

    def folded(self) -> list[Item] | None:
        values = list(range(self.repeats))
        body: list[Node] = []
        for column in zip(*self.groups):
            made = generalize_statements([x.statements for x in column], self.variable, values, self._variables)
            if made is None:
                return None
            body += made
        # The loop counts as the first family that it runs through does, or from 1.
        first = self.offsets[0] if self.offsets and 0 <= self.offsets[0] <= 2 else 1
        own = set(self.merged.values())
        loop: Node = (
            "loop",
            (self.variable, Lin(first), Lin(first + self.repeats - 1)),
            tuple(_shifted(s, self.variable, first, own) for s in body),
        )
        moved: dict[Any, tuple[Any, int]] = {}
        copies = self._carried(first, moved)
        if copies is None:
            return None
        for a, (r, j, k) in self.position.items():
            moved[a] = (self.merged[j, k], first + r)
        for a, (m, i) in moved.items():
            self.live.setdefault(m, set()).update((i, *x) for x in self.live.get(a, set()))
        out = [*self.before, *copies, Item(list(self.merged.values()), [loop]), *self.after]
        return [_renamed(item, moved) for item in out]

    def _variables(self, nodes: list[Node]) -> Node | None:
        """A variable that the passes refer to: one outside, or what this or an earlier pass made."""
        arrays = [n[1][0] for n in nodes]
        values = list(range(self.repeats))
        index = indices([n[1][1] for n in nodes], self.variable, values)
        if index is None:
            return None
        if all(a is arrays[0] for a in arrays) and arrays[0] not in self.position:
            parts = [i for i in index if i.parts == ((self.variable, 1),)]
            self.offsets += [i.constant for i in parts]
            return ("var", (arrays[0], index), ())
        if arrays[-1] not in self.position:
            return None
        last, j, k = self.position[arrays[-1]]
        back = self.repeats - 1 - last
        target = self.merged[j, k]
        carried = self.boundary.get(target, {})
        for r, a in enumerate(arrays):
            if r >= back:
                if self.position.get(a) != (r - back, j, k):
                    return None
            elif a in self.position or a.parameter is not None or carried.get(r - back, a) is not a:
                return None
        for r in range(back):
            self.boundary.setdefault(target, {})[r - back] = arrays[r]
        return ("var", (target, (Lin(-back, ((self.variable, 1),)), *index)), ())

    def _carried(self, first: int, moved: dict[Any, tuple[Any, int]]) -> list[Item] | None:
        """What the first pass takes from outside becomes a member of the loop's array, by its name or as a copy."""
        copies = []
        for (j, k), target in self.merged.items():
            rank = len(next(iter(self.live.get(self.groups[0][j].defines[k], {()}))))
            for r, a in self.boundary.get(target, {}).items():
                places = self.live.get(a, set())
                if a not in moved and places and len(next(iter(places))) == rank and not a.is_output:
                    moved[a] = (target, first + r)
                    continue
                entries: dict[tuple[int, ...], Node] = {
                    (first + r, *i): ("var", (a, tuple(map(Lin, i))), ()) for i in places
                }
                if not entries:
                    return None
                copies.append(Item([], roll(entries, target)))
        return copies


def _renamed(item: Item, moved: dict[Any, tuple[Any, int]]) -> Item:
    def arrays(a: Any, index: tuple[Lin, ...]) -> tuple[Any, tuple[Lin, ...]]:
        return (moved[a][0], (Lin(moved[a][1]), *index)) if a in moved else (a, index)

    statements = [_statement(s, arrays) for s in item.statements]
    defines = [moved[a][0] if a in moved else a for a in item.defines]
    return Item(list(dict.fromkeys(defines)), statements)


def _statement(s: Node, arrays: Any) -> Node:
    if s[0] == "assign":
        return ("assign", arrays(*s[1]), (rename(s[2][0], arrays),))
    return ("loop", s[1], tuple(_statement(x, arrays) for x in s[2]))


def _shifted(s: Node, variable: str, first: int, own: set[Any]) -> Node:
    """A statement with the loop variable counted from `first`; the indices of its `own` arrays count like it."""

    def of(array: Any, index: tuple[Lin, ...]) -> tuple[Lin, ...]:
        return (index[0], *map(lin, index[1:])) if array in own else tuple(map(lin, index))

    def lin(i: Lin) -> Lin:
        return i.shifted(-first * dict(i.parts).get(variable, 0))

    def node(n: Node) -> Node:
        op, v, arguments = n
        if op == "var":
            return ("var", (v[0], of(*v)), ())
        if op == "series":
            v = (v[0], lin(v[1]), lin(v[2]))
        return (op, v, tuple(map(node, arguments)))

    if s[0] == "assign":
        return ("assign", (s[1][0], of(*s[1])), (node(s[2][0]),))
    return ("loop", (s[1][0], lin(s[1][1]), lin(s[1][2])), tuple(_shifted(x, variable, first, own) for x in s[2]))


def fuse(statements: list[Node]) -> list[Node]:
    """Neighbouring loops over one range as one loop, where nothing is used before it is made."""
    out: list[Node] = []
    for s in statements:
        if s[0] == "loop":
            s = ("loop", s[1], tuple(fuse(list(s[2]))))
        if out and out[-1][0] == "loop" and s[0] == "loop" and _same_range(out[-1], s) and _may_fuse(out[-1], s):
            previous = out.pop()
            inner = [_with_variable(x, s[1][0], previous[1][0]) for x in s[2]]
            s = ("loop", previous[1], tuple(fuse([*previous[2], *inner])))
        out.append(s)
    return out


def _same_range(a: Node, b: Node) -> bool:
    return bool(a[1][1:] == b[1][1:])


def _may_fuse(a: Node, b: Node) -> bool:
    """Whether the second loop uses of the first, in each pass, only what that pass or earlier ones made."""
    made: dict[Any, int] = {}

    def targets(s: Node) -> None:
        if s[0] == "assign":
            place = next((k for k, i in enumerate(s[1][1]) if i == Lin(0, ((a[1][0], 1),))), -1)
            made[s[1][0]] = place if made.get(s[1][0], place) == place else -1
        else:
            for x in s[2]:
                targets(x)

    targets(a)

    def fine(n: Node) -> bool:
        op, v, arguments = n
        if op == "var" and v[0] in made:
            place = made[v[0]]
            if place < 0 or place >= len(v[1]):
                return False
            index = v[1][place]
            return bool(index.parts == ((b[1][0], 1),) and index.constant <= 0)
        return all(map(fine, arguments))

    def all_fine(s: Node) -> bool:
        return fine(s[2][0]) if s[0] == "assign" else all(map(all_fine, s[2]))

    return all_fine(b)


def _with_variable(s: Node, old: str, new: str) -> Node:
    """A statement with the variable `new` in the place of `old`; loops inside that run over `new` run over `old`."""
    if old == new:
        return s
    names = {old: new, new: old}

    def lin(i: Lin) -> Lin:
        return Lin(i.constant, tuple((names.get(v, v), c) for v, c in i.parts))

    def node(n: Node) -> Node:
        op, v, arguments = n
        if op == "var":
            return ("var", (v[0], tuple(map(lin, v[1]))), ())
        if op == "series":
            v = (names.get(v[0], v[0]), lin(v[1]), lin(v[2]))
        return (op, v, tuple(map(node, arguments)))

    if s[0] == "assign":
        return ("assign", (s[1][0], tuple(map(lin, s[1][1]))), (node(s[2][0]),))
    header = (names.get(s[1][0], s[1][0]), lin(s[1][1]), lin(s[1][2]))
    return ("loop", header, tuple(_with_variable(x, old, new) for x in s[2]))

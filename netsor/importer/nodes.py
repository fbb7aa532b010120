"""Expressions with indices that may depend on loop variables, and what several of them have in common.

A node is a tuple (op, value, arguments), as a Term is, with variables ("var", (array, indices), ()) whose indices are
`Lin`, affine in loop variables. `generalize` finds the node of which given ones are the members, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Node = tuple[Any, ...]


@dataclass(frozen=True)
class Lin:
    """An index: a constant and multiples of loop variables."""

    constant: int
    parts: tuple[tuple[str, int], ...] = ()

    def plus(self, variable: str, factor: int, constant: int) -> Lin:
        parts = (*self.parts, (variable, factor)) if factor else self.parts
        return Lin(constant, parts)

    def shifted(self, by: int) -> Lin:
        return Lin(self.constant + by, self.parts)

    def at(self, variable: str, value: int) -> Lin:
        factor = dict(self.parts).get(variable, 0)
        return Lin(self.constant + factor * value, tuple(p for p in self.parts if p[0] != variable))


def affine(samples: Sequence[Lin], variable: str, values: Sequence[int]) -> Lin | None:
    """The index that has these values where the variable has those."""
    if any(s.parts != samples[0].parts for s in samples):
        return None
    if len(samples) == 1:
        return samples[0]
    factor, rest = divmod(samples[1].constant - samples[0].constant, values[1] - values[0])
    if rest:
        return None
    constant = samples[0].constant - factor * values[0]
    if any(s.constant != constant + factor * v for s, v in zip(samples, values)):
        return None
    return samples[0].plus(variable, factor, constant)


Variables = Callable[[list[Node]], Node | None]


def generalize(
    nodes: list[Node], variable: str, values: Sequence[int], variables: Variables | None = None
) -> Node | None:
    """The node in `variable` that becomes `nodes` at `values`."""
    first = nodes[0]
    if variables is None and all(n is first or n == first for n in nodes):
        return first
    ops = {n[0] for n in nodes}
    if len(ops) > 1:
        if "series" in ops:
            wrapped = _as_series(nodes)
            return None if wrapped is None else generalize(wrapped, variable, values, variables)
        return None
    op = first[0]
    if op == "var":
        if variables is not None:
            return variables(nodes)
        if any(n[1][0] is not first[1][0] for n in nodes):
            return None
        index = indices([n[1][1] for n in nodes], variable, values)
        return None if index is None else ("var", (first[1][0], index), ())
    if any(len(n[2]) != len(first[2]) for n in nodes):
        return None
    if op == "series":
        if any(n[1][0] != first[1][0] for n in nodes):
            return None
        low = affine([n[1][1] for n in nodes], variable, values)
        high = affine([n[1][2] for n in nodes], variable, values)
        if low is None or high is None:
            return None
        value: Any = (first[1][0], low, high)
    else:
        if any(n[1] != first[1] for n in nodes):
            return None
        value = first[1]
    arguments = []
    for k in range(len(first[2])):
        made = generalize([n[2][k] for n in nodes], variable, values, variables)
        if made is None:
            return None
        arguments.append(made)
    return (op, value, tuple(arguments))


def indices(samples: Sequence[tuple[Lin, ...]], variable: str, values: Sequence[int]) -> tuple[Lin, ...] | None:
    if any(len(s) != len(samples[0]) for s in samples):
        return None
    out = []
    for position in zip(*samples):
        index = affine(position, variable, values)
        if index is None:
            return None
        out.append(index)
    return tuple(out)


def _as_series(nodes: list[Node]) -> list[Node] | None:
    """Single terms among series as series of one term."""
    pattern = next(n for n in nodes if n[0] == "series")
    variable, low, high = pattern[1]
    if low.parts or high.parts:
        return None
    out = []
    for n in nodes:
        if n[0] == "series":
            out.append(n)
            continue
        near = range(low.constant - 3, high.constant + 4)
        place = next((v for v in near if at(pattern[2][0], variable, v) == n), None)
        if place is None:
            return None
        out.append(("series", (variable, Lin(place), Lin(place)), pattern[2]))
    return out


def at(node: Node, variable: str, value: int) -> Node:
    """The node where the variable has a value."""
    op, v, arguments = node
    if op == "var":
        return ("var", (v[0], tuple(i.at(variable, value) for i in v[1])), ())
    if op == "series":
        v = (v[0], v[1].at(variable, value), v[2].at(variable, value))
    return (op, v, tuple(at(a, variable, value) for a in arguments))


def rename(node: Node, arrays: Callable[[Any, tuple[Lin, ...]], tuple[Any, tuple[Lin, ...]]]) -> Node:
    op, v, arguments = node
    if op == "var":
        return ("var", arrays(*v), ())
    return (op, v, tuple(rename(a, arrays) for a in arguments))


def compress(node: Node, depth: int = 0) -> Node:
    """The node with Σ in the place of sums of terms of one form."""
    op, v, arguments = node
    arguments = tuple(compress(a, depth + 1) for a in arguments)
    if op != "sum":
        return (op, v, arguments)
    terms = _runs(list(arguments), 3)
    return terms[0] if len(terms) == 1 else ("sum", v, tuple(terms))


def _height(n: Node) -> int:
    """How many sums stand inside each other."""
    inner = max((_height(a) for a in n[2]), default=0)
    return inner + 1 if n[0] == "series" else inner


def _runs(terms: list[Node], rounds: int) -> list[Node]:
    """Runs of terms that are one term at consecutive values of a variable; again, for sums over several indices."""
    out: list[Node] = []
    i = 0
    while i < len(terms):
        best, made = 1, None
        if terms[i][0] != "num":
            for j in range(i + 2, len(terms) + 1):
                found = _series(terms[i:j], f"s{max(map(_height, terms[i:j]))}")
                if found is None:
                    break
                best, made = j - i, found
        out.append(terms[i] if made is None else made)
        i += best
    return _runs(out, rounds - 1) if rounds > 1 and 1 < len(out) < len(terms) else out


def _series(terms: list[Node], name: str) -> Node | None:
    """Σ of terms whose first index that changes is the variable itself, or it counts from 1."""
    start = _start(terms[0], terms[1])
    values = list(range(start, start + len(terms)))
    body = generalize(terms, name, values)
    if body is None or body == terms[0]:
        return None
    return ("series", (name, Lin(start), Lin(start + len(terms) - 1)), (body,))


def _start(one: Node, two: Node) -> int:
    """The value of the first index that grows by one from the one node to the other."""
    pairs = [(one, two)]
    while pairs:
        a, b = pairs.pop(0)
        if a[0] == "var" and b[0] == "var" and len(a[1][1]) == len(b[1][1]):
            for i, j in zip(a[1][1], b[1][1]):
                if j.constant - i.constant == 1 and i.parts == j.parts:
                    return int(i.constant)
        pairs = [*zip(a[2], b[2]), *pairs]
    return 1


# Statements: ("assign", (array, indices), (node,)) and ("loop", (variable, low, high), statements).


def generalize_statements(
    rows: list[list[Node]], variable: str, values: Sequence[int], variables: Variables | None = None
) -> list[Node] | None:
    if any(len(r) != len(rows[0]) for r in rows):
        return None
    out = []
    for column in zip(*rows):
        made = _generalize_statement(list(column), variable, values, variables)
        if made is None:
            return None
        out.append(made)
    return out


def _generalize_statement(
    column: list[Node], variable: str, values: Sequence[int], variables: Variables | None
) -> Node | None:
    if len({s[0] for s in column}) > 1:
        return None
    if column[0][0] == "assign":
        targets = [("var", s[1], ()) for s in column]
        target = generalize(targets, variable, values, variables)
        body = generalize([s[2][0] for s in column], variable, values, variables)
        return None if target is None or body is None else ("assign", target[1], (body,))
    if len({s[1][0] for s in column}) > 1:
        return None
    low = affine([s[1][1] for s in column], variable, values)
    high = affine([s[1][2] for s in column], variable, values)
    inner = generalize_statements([list(s[2]) for s in column], variable, values, variables)
    if low is None or high is None or inner is None:
        return None
    return ("loop", (column[0][1][0], low, high), tuple(inner))


def roll(entries: dict[tuple[int, ...], Node], array: Any, depth: int = 0, prefix: tuple[int, ...] = ()) -> list[Node]:
    """Statements that define the entries of an array, by index, with loops where they are of one form."""
    rank = len(next(iter(entries)))
    if depth == rank:
        return [("assign", (array, tuple(Lin(i) for i in prefix)), (entries[prefix],))]
    values = sorted({index[depth] for index in entries if index[:depth] == prefix})
    rows = [roll(entries, array, depth + 1, (*prefix, v)) for v in values]
    name = f"d{depth}"
    out: list[Node] = []
    i = 0
    while i < len(values):
        best: list[Node] = rows[i]
        count = 1
        for j in range(len(values), i + 1, -1):
            if values[j - 1] - values[i] != j - 1 - i:
                continue
            made = generalize_statements(rows[i:j], name, values[i:j])
            if made is not None:
                best, count = [("loop", (name, Lin(values[i]), Lin(values[j - 1])), tuple(made))], j - i
                break
        out += best
        i += count
    return out

"""Which numbers of the example are rows of inputs, and which columns of parameters are the matrices that they meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from netsor.importer.arrays import Array, Index, Integers
from netsor.importer.columns import Columns
from netsor.importer.laws import Power
from netsor.importer.operations import one_hot_row
from netsor.importer.parameters import MATRIX, Parameter
from netsor.importer.refusal import Refusal
from netsor.importer.terms import VECTOR, Term
from netsor.importer.translate import Translation


@dataclass(eq=False)
class Input:
    """An input of the network: `rows` lists the numbers of the entries of each of its members."""

    name: str
    rows: Integers
    tokens: bool = False
    hint: str = "input"
    parameter: None = None
    is_output: bool = False
    inlined: bool = False

    @property
    def dimension(self) -> int:
        return int(self.rows.shape[1])


@dataclass(eq=False)
class InputMatrices:
    """A parameter whose columns meet rows of inputs: `columns[index]` are the blocks of it that are one n×d matrix."""

    parameter: Parameter
    array: Array
    columns: dict[Index, Integers] = field(default_factory=dict)


@dataclass
class _Meeting:
    """In a sum, the list of a parameter's columns that meets a row of an input, times a factor."""

    parameter: Parameter
    columns: int
    factor: float
    source: Input
    row: int


@dataclass
class _Meetings:
    lists: dict[Parameter, list[Integers]]
    of_sum: dict[int, list[_Meeting]]


def find_inputs(translation: Translation, arrays: list[Array]) -> tuple[list[Input], dict[Parameter, InputMatrices]]:
    """The inputs and their matrices; `arrays` get products U ξ in the place of columns and numbers."""
    terms = [t for a in arrays for t in a.terms.values()]
    sums = {id(t): met for root in terms for t, met in _sums(root)}
    columns = _Table(list(sums.values()))
    chosen: list[Input] = []
    for options in _candidates(translation, columns):
        # The most numbers a row come first; rows of one number always fit.
        fitting = next((option for option in options if columns.meetings([option]) is not None), None)
        if fitting is not None and np.isin(fitting.rows, columns.numbers).any():
            chosen.append(fitting)
    meetings = columns.meetings(chosen)
    assert meetings is not None
    matrices = {p: _input_matrices(p, lists) for p, lists in meetings.lists.items()}
    indices = {p: list(m.columns) for p, m in matrices.items()}
    products = {
        t: [
            _product(matrices[m.parameter].array, indices[m.parameter][m.columns], m)
            for m in meetings.of_sum.get(k, ())
        ]
        for k, t in enumerate(sums)
    }
    for a in arrays:
        a.terms = {i: _embedded(t, products) for i, t in a.terms.items()}
    return chosen, matrices


def _candidates(translation: Translation, columns: _Table) -> Iterator[list[Input]]:
    """For each input of the module the ways to take it as rows."""
    names = iter(("ξ", "ζ", "η", "ω", "ρ", "τ"))
    for k, (shape, start) in enumerate(zip(translation.input_shapes, translation.input_starts)):
        name = next(names, f"ξ{k}")
        numbers = np.arange(start, start + int(np.prod(shape, dtype=int))).reshape(shape)
        if start in translation.vocabulary:
            tokens = [i for i in numbers.reshape(-1).tolist() if i in translation.vocabulary]
            yield [Input(name, np.stack([one_hot_row(i, translation.vocabulary[i]) for i in tokens]), True)]
        else:
            yield [Input(name, rows) for rows in (*_together(numbers, columns), *_partitions(numbers))]


def _together(numbers: Integers, columns: _Table) -> Iterator[Integers]:
    """The numbers of an input in rows of those that enter the same sums, such as patches; none where sizes differ."""
    start, size = int(numbers.flat[0]), numbers.size
    taken = (columns.numbers >= start) & (columns.numbers < start + size)
    _, which = np.unique(np.stack([k[taken] for k in columns.keys]), axis=1, return_inverse=True)
    # The sum of a random number for each key tells sets of them apart.
    tags = np.random.default_rng(1).integers(1 << 63, size=len(which), dtype=np.uint64)
    entered = np.zeros(size, np.uint64)
    np.add.at(entered, columns.numbers[taken] - start, tags[which.reshape(-1)])
    _, first, row, counts = np.unique(entered, return_index=True, return_inverse=True, return_counts=True)
    if (counts == counts[0]).all():
        yield np.argsort(first[row.reshape(-1)], kind="stable").reshape(len(counts), -1) + start


def _partitions(numbers: Integers) -> Iterator[Integers]:
    """Ways to take the numbers of an input as rows: along some of its axes, the most numbers first."""
    shape = numbers.shape
    axes = [i for i, s in enumerate(shape) if s > 1]
    subsets = [c for k in range(len(axes) + 1) for c in combinations(axes, k)]
    subsets.sort(key=lambda c: (-int(np.prod([shape[i] for i in c], dtype=int)), tuple(-i for i in c)))
    for subset in subsets:
        rest = [i for i in range(len(shape)) if i not in subset]
        yield numbers.transpose([*rest, *subset]).reshape(-1, int(np.prod([shape[i] for i in subset], dtype=int)))


def order_note(x: Input) -> str | None:
    """How an input lies in the example, where it is not in the example's own order."""
    numbers = x.rows.reshape(-1)
    if x.tokens or (np.diff(numbers) == 1).all():
        return None
    first = x.rows[0] - numbers.min() + 1
    shown = ", ".join(map(str, first[:4])) + (", …" if len(first) > 4 else "")
    row = f"{x.name}[1] holds the number{'s' if len(first) > 1 else ''} {shown}"
    return f"{row} of the example, counted along its last axis first: `.inputs(example)` of the document makes {x.name}"


# Sums of columns


def _columns(t: Term) -> tuple[float, Columns] | None:
    """The columns that a term of a sum is made of, times a factor; None where it is something else."""
    factor = 1.0
    if t.op == "prod" and len(t.args) == 2 and t.args[0].op == "num" and t.args[0].value.p == 0:
        factor, t = t.args[0].value.c, t.args[1]
    if t.op != "columns":
        return None
    if t.value.shifted:
        raise Refusal(
            "a constant is added to the input before the first layer",
            hint="add it to the data, outside of the module",
        )
    return factor, t.value


def _sums(t: Term) -> Iterator[tuple[Term, list[tuple[float, Columns]]]]:
    """The terms in which columns stand, with the columns of each."""
    parts = t.args if t.op == "sum" else (t,)
    met = [c for a in parts if (c := _columns(a)) is not None]
    if met:
        yield t, met
    if t.op == "sum" or not met:
        for a in t.args:
            if t.op != "sum" or _columns(a) is None:
                yield from _sums(a)


class _Table:
    """All columns of all sums beside each other: of which sum and parameter, with which law, number and factor."""

    def __init__(self, sums: Sequence[list[tuple[float, Columns]]]):
        parts = [(k, factor, c) for k, met in enumerate(sums) for factor, c in met]
        self.parameters = list(dict.fromkeys(c.parameter for _, _, c in parts))
        place = {p: k for k, p in enumerate(self.parameters)}

        def joined(arrays: list[Any], kind: type) -> Any:
            return np.concatenate(arrays) if arrays else np.zeros(0, kind)

        def repeated(values: list[int]) -> Integers:
            return np.repeat(np.array(values, int), [len(c.blocks) for _, _, c in parts])

        self.sums = repeated([k for k, _, _ in parts])
        self.parameter = repeated([place[c.parameter] for _, _, c in parts])
        self.laws = joined([c.parameter.laws.which.reshape(-1)[c.blocks] for _, _, c in parts], int)
        self.blocks = joined([c.blocks for _, _, c in parts], int)
        self.numbers = joined([c.numbers for _, _, c in parts], int)
        self.factors = joined([factor * c.factors for _, factor, c in parts], float)

    @property
    def keys(self) -> tuple[Any, ...]:
        """What columns that meet one row have in common."""
        return self.sums, self.parameter, self.laws, self.factors

    def meetings(self, inputs: Sequence[Input]) -> _Meetings | None:
        """Which lists of columns meet whole rows; None where the rows do not fit."""
        taken, where, row, position = _places(inputs, self.numbers)
        # By sum, parameter, input, row, law, factor; inside, by position and then as they stand.
        keys = [self.sums[taken], self.parameter[taken], where, row, self.laws[taken], self.factors[taken]]
        order = np.lexsort([position, *keys[::-1]])
        keys = [k[order] for k in keys]
        blocks, position = self.blocks[taken][order], position[order]
        if not len(order):
            return _Meetings({}, {})
        starts = np.flatnonzero(np.append(True, np.any([k[1:] != k[:-1] for k in keys], axis=0)))
        sizes = np.diff(np.append(starts, len(order)))
        dimensions = np.array([x.dimension for x in inputs])[keys[2][starts]]
        if (sizes % dimensions).any():
            return None
        # A row may meet several columns at each position, as where it is concatenated with itself.
        copies = sizes // dimensions
        within = np.arange(len(order)) - np.repeat(starts, sizes)
        if (position != within // np.repeat(copies, sizes)).any():
            return None
        lists: dict[Parameter, list[Integers]] = {p: [] for p in self.parameters}
        numbered: dict[tuple[int, bytes], int] = {}
        owner = [np.full(p.laws.which.size, -1) for p in self.parameters]
        of_sum: dict[int, list[_Meeting]] = {}
        appearance = np.minimum.reduceat(order, starts)
        for g in np.lexsort([appearance, keys[0][starts]]):
            start, size = starts[g], sizes[g]
            which = int(keys[1][start])
            p = self.parameters[which]
            for columns in blocks[start : start + size].reshape(-1, copies[g]).T:
                number = numbered.setdefault((which, columns.tobytes()), len(lists[p]))
                held = owner[which][columns]
                if number == len(lists[p]):
                    if (held >= 0).any():
                        return None
                    lists[p].append(columns)
                    owner[which][columns] = number
                source = inputs[int(keys[2][start])]
                meeting = _Meeting(p, number, float(keys[5][start]), source, int(keys[3][start]))
                of_sum.setdefault(int(keys[0][start]), []).append(meeting)
        return _Meetings({p: x for p, x in lists.items() if x}, of_sum)


def _places(inputs: Sequence[Input], numbers: Integers) -> tuple[Any, ...]:
    """Which of the numbers are of these inputs, and of those the input, the row and the position in it."""
    if not inputs:
        return (np.zeros(len(numbers), bool), *(np.zeros(0, int) for _ in range(3)))
    values = np.concatenate([x.rows.reshape(-1) for x in inputs])
    which = np.repeat(np.arange(len(inputs)), [x.rows.size for x in inputs])
    places = [np.indices(x.rows.shape).reshape(2, -1) for x in inputs]
    rows, positions = np.concatenate(places, axis=1)
    order = np.argsort(values, kind="stable")
    at = order[np.searchsorted(values[order], numbers).clip(max=len(values) - 1)]
    taken = values[at] == numbers
    at = at[taken]
    return taken, which[at], rows[at], positions[at]


def _input_matrices(p: Parameter, lists: list[Integers]) -> InputMatrices:
    """The lists as an array of matrices, over the axes of the parameter along which no matrix has its columns."""
    rank = len(p.array.shape)
    places = [np.array(np.unravel_index(columns, p.array.shape)) for columns in lists]
    varying = {frozenset(np.flatnonzero((x != x[:, :1]).any(axis=1)).tolist()) for x in places}
    kept = [k for k in range(rank) if not any(k in v for v in varying)]
    keys = [tuple(int(x[k, 0]) for k in kept) for x in places]
    array = Array(p.path, tuple(p.array.shape[k] for k in kept))
    array.parameter = p
    if len(varying) > 1 or len(set(keys)) < len(lists):
        array.shape = (len(lists),)
        keys = [(k,) for k in range(len(lists))]
    return InputMatrices(p, array, dict(zip(keys, lists)))


# Products in the place of columns


def _product(array: Array, index: Index, meeting: _Meeting) -> Term:
    matrix = Term("var", (), (array, index), MATRIX)
    row = Term("var", (), (meeting.source, (meeting.row,)), "input")
    product = Term("embed", (matrix, row), None, VECTOR, True)
    if meeting.factor == 1.0:
        return product
    return Term("prod", (Term("num", value=Power(meeting.factor)), product), kind=VECTOR, live=True)


def _embedded(t: Term, products: dict[int, list[Term]]) -> Term:
    """The term with U ξ in the place of sums of columns."""
    own = products.get(id(t))
    if own is not None:
        rest = [_embedded(a, products) for a in t.args if _columns(a) is None] if t.op == "sum" else []
        made = [*own, *rest]
        return made[0] if len(made) == 1 else Term("sum", tuple(made), kind=VECTOR, live=t.live)
    if not t.args:
        return t
    return Term(t.op, tuple(_embedded(a, products) for a in t.args), t.value, t.kind, t.live)

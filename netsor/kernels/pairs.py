"""The pairs of rows that a kernel needs, and the templates from which their entries are computed.

Equal rows are one input. A pair of an input with itself has its own template, in which both examples are one, so that
the perfect correlation is exact and need not be computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from netsor.core import DataRef, InputRef, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue.networks import uniform_inputs
from netsor.limit import Limit
from netsor.limit.many.evaluator import Evaluator
from netsor.limit.many.frames import Inputs
from netsor.transform.backward import Passes, passes
from netsor.transform.examples import fits_pixels, read_examples
from netsor.transform.forward import Instances, instances

Array = np.ndarray


# Inputs on a side of a tile: the arrays of a tile then fit into the cache.
TILE = 192


@dataclass(frozen=True)
class Pairs:
    """The distinct inputs in sorted order, and which of them the rows and columns of a kernel are.

    `rows` and `columns` are increasing indices of distinct inputs; `row` and `column` give, for each row and column
    asked for, its position in them.
    """

    inputs: Array
    rows: Array
    columns: Array
    row: Array
    column: Array

    @property
    def symmetric(self) -> bool:
        return self.rows is self.columns

    @property
    def own(self) -> Array:
        """Inputs that occur as a row and as a column."""
        return np.intersect1d(self.rows, self.columns, assume_unique=True)

    def across(self) -> bool:
        """Whether there is a pair of two different inputs."""
        return len(np.union1d(self.rows, self.columns)) > 1

    def tiles(self) -> Iterator[tuple[slice, slice]]:
        """Slices of `rows` and `columns` that cover all pairs, or of a symmetric kernel the upper triangle."""
        for i in range(0, len(self.rows), TILE):
            for j in range(i if self.symmetric else 0, len(self.columns), TILE):
                yield slice(i, i + TILE), slice(j, j + TILE)


def infer_pairs(x: Array, y: Array | None) -> Pairs:
    """The pairs of all rows of x (N, D) with all rows of y (M, D), or of x with itself."""
    both = x if y is None else np.concatenate([x, y])
    _, first, where = np.unique(both + 0.0, axis=0, return_index=True, return_inverse=True)
    where = where.ravel()
    rows, row = np.unique(where[: len(x)], return_inverse=True)
    if y is None:
        return Pairs(both[first], rows, rows, row, row)
    columns, column = np.unique(where[len(x) :], return_inverse=True)
    return Pairs(both[first], rows, columns, row, column)


@dataclass(frozen=True)
class Template:
    """A network on example inputs, the steps of the limits computed on them, and the real inputs.

    `examples` are the two that an entry is taken of, which are one for an input with itself.
    """

    made: Passes
    evaluator: Evaluator
    inputs: Inputs
    examples: tuple[int, int]
    # What was asked of it before, by the name of a kernel and the examples.
    asked: dict[Hashable, Any] = field(default_factory=dict)


@contextmanager
def templates(
    network: Program,
    pairs: Pairs,
    tol: float,
    purpose: Hashable,
    kept: frozenset[str] = frozenset(),
    backward: bool = True,
    derivatives: type[Evaluator] | None = None,
) -> Iterator[tuple[Template | None, Template | None]]:
    """The templates for two different inputs and for an input with itself; None where there are no such pairs.

    What is asked of an input with itself is read off the first of the two inputs of the other template, if there is
    one: its variables have the same names there, and the steps to its limits are the same.

    `kept` are constant vectors that stay symbols, see `Limit`. Without `backward` the templates hold the forward pass
    alone, which needs no derivatives. A template belongs to the block; the next one for this network and this `purpose`
    starts from the steps that are known at its end.
    """
    examples = 2 if pairs.across() else 1
    own = pairs.inputs[pairs.own]
    key = (examples, kept, backward, derivatives or Evaluator, tol)
    with _lent(network, (purpose, key), lambda: _written(network, pairs.inputs.shape[1], *key)) as written:
        if examples == 1:
            yield None, _filled(network, written, own, (0, 0))
            return
        across = _filled(network, written, pairs.inputs, (0, 1))
        within = None
        if len(own):
            inputs = across.inputs if len(own) == len(pairs.inputs) else across.inputs.some(pairs.own)
            within = replace(across, inputs=inputs, examples=(0, 0))
        yield across, within


@contextmanager
def own_template(
    network: Program, inputs: Array, tol: float, purpose: Hashable, backward: bool = True
) -> Iterator[Template]:
    """The template of an input with itself, for all rows of inputs (N, D)."""
    key = (1, frozenset[str](), backward, Evaluator, tol)
    with _lent(network, (purpose, key), lambda: _written(network, inputs.shape[1], *key)) as written:
        yield _filled(network, written, inputs, (0, 0))


class Written(NamedTuple):
    """The passes on one or two examples, the evaluator of their limits, and the steps that were asked for."""

    made: Passes
    evaluator: Evaluator
    asked: dict[Hashable, Any]


# The templates of the last networks, the latest last, up to so many instructions in all.
_KEPT: dict[tuple[Program, Hashable], Written] = {}
_MOST_LINES = 4_000


@contextmanager
def _lent(network: Program, key: Hashable, write: Callable[[], Written]) -> Iterator[Written]:
    """A template that was written before, or a new one; no other block has it at the same time.

    It is kept where the block ends without an exception.
    """
    written = _KEPT.pop((network, key), None) or write()
    yield written
    _KEPT[network, key] = written
    total = 0
    for known, one in reversed(list(_KEPT.items())):
        total += len(one.made.builder.instructions)
        if total > _MOST_LINES:
            _KEPT.pop(known, None)


def forget_templates() -> None:
    """Free the memory of the templates that are kept."""
    _KEPT.clear()


def _written(
    network: Program,
    dimension: int,
    examples: int,
    kept: frozenset[str],
    backward: bool,
    evaluator: type[Evaluator],
    tol: float,
) -> Written:
    """A template without inputs. Raises NetsorError for a network with uniform input matrices."""
    needed = network.needed()
    uniform = (network.input_matrix[e.matrix] for e in network.embeddings if e.name in needed)
    refused = next((u for u in uniform if u.bounds), None)
    if refused is not None:
        raise NetsorError(uniform_inputs(refused.span, refused.name))
    rows = stand_in_rows(network, examples, dimension)
    made = passes(network, rows, singular=evaluator is not Evaluator) if backward else None
    made = made or Passes(**vars(instances(network, rows)))
    limit = Limit(made.builder.build(network.name), kept=kept)
    return Written(made, evaluator(limit, sides(made), tol), {})


def stand_in_rows(network: Program, examples: int, dimension: int) -> dict[str, Array]:
    """Inputs of a template: they only have to differ from each other, and no result depends on them."""
    return shaped_rows(network, np.random.default_rng(20210721).standard_normal((examples, dimension)))


def sides(made: Instances) -> Callable[[DataRef], str]:
    """The side of the example that a row of a template belongs to, L or R; nothing for rows of the network's own."""
    known = {data: side for side, data, _ in _sources(made)}
    return lambda data: known.get(data, "")


def _sources(made: Instances) -> Iterator[tuple[str, DataRef, InputRef]]:
    """The rows of a template that stand for inputs: the side of their example, the row, and the input."""
    for side, example in zip("LR", made.examples, strict=False):
        for ref, (data, _) in example.sources.items():
            if isinstance(ref, InputRef):
                yield side, data, ref


def _filled(network: Program, written: Written, inputs: Array, examples: tuple[int, int]) -> Template:
    """A template with the inputs (N, D) that its examples range over."""
    taken = inputs_of(network, written.made, inputs)
    return Template(written.made, written.evaluator, taken, examples, written.asked)


def inputs_of(network: Program, made: Instances, inputs: Array) -> Inputs:
    """The inputs (N, D) that the examples of a template range over."""
    columns = input_columns(network)
    rows: dict[str, dict[DataRef, Array]] = {side: {} for side, _ in zip("LR", made.examples, strict=False)}
    for side, data, ref in _sources(made):
        rows[side][data] = inputs[:, columns[ref]]
    own = {
        data: np.array(numbers)
        for example in made.examples
        for ref, (data, numbers) in example.sources.items()
        if not isinstance(ref, InputRef)
    }
    return Inputs(rows, own, len(inputs))


def input_columns(network: Program) -> dict[InputRef, slice]:
    """The columns of each input in a row that holds the numbers of all inputs one after the other."""
    out: dict[InputRef, slice] = {}
    start = 0
    for i in network.inputs:
        for index in (None,) if i.indices is None else i.indices:
            out[InputRef(i.name, index)] = slice(start, start + i.dimension)
            start += i.dimension
    return out


def flat_rows(network: Program, rows: Any) -> Array:
    """Inputs as an array (N, D), one example a row; raises NetsorError (E654, E655, E662) for those that do not fit."""
    if isinstance(rows, np.ndarray) and rows.dtype == float and len(network.inputs) == 1:
        i = network.inputs[0]
        shape = (i.dimension,) if i.indices is None else (len(i.indices), i.dimension)
        if rows.size and (rows.shape[1:] == shape or fits_pixels(i, rows.shape)) and np.isfinite(rows).all():
            return rows.reshape(len(rows), -1)
    _, examples = read_examples(network, rows, {i.name: i.name for i in network.inputs})
    columns = input_columns(network)
    return np.array([[x for ref in columns for x in e.sources[ref][1]] for e in examples], float)


def named_examples(network: Program, flat: Array) -> list[dict[str, tuple[float, ...]]]:
    """For each example the rows of its inputs, by their names ξ or ξ[2], from an array (N, D)."""
    columns = {str(ref): where for ref, where in input_columns(network).items()}
    return [{name: tuple(row[where].tolist()) for name, where in columns.items()} for row in flat]


def shaped_rows(network: Program, flat: Array) -> dict[str, Array]:
    """The inputs of a network by name, (N, d) or (N, T, d), from an array (N, D)."""
    out: dict[str, Array] = {}
    start = 0
    for i in network.inputs:
        shape = (i.dimension,) if i.indices is None else (len(i.indices), i.dimension)
        size = math.prod(shape)
        out[i.name] = flat[:, start : start + size].reshape(len(flat), *shape)
        start += size
    return out


def as_inputs(network: Program, rows: Array) -> Any:
    """Rows (N, D) as the kernels take them: an array where the network has one input, else arrays by name."""
    found = shaped_rows(network, rows)
    return next(iter(found.values())) if len(found) == 1 else found

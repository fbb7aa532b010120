"""The pairs of rows that a kernel needs, and the templates from which their entries are computed.

Equal rows are one input. A pair of an input with itself has its own template, in which both examples are one, so that
the perfect correlation is exact and need not be computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netsor.core import DataRef, InputRef, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue.networks import uniform_inputs
from netsor.limit import Limit
from netsor.limit.many.evaluator import Evaluator
from netsor.limit.many.frames import Inputs
from netsor.transform.backward import Passes, passes
from netsor.transform.examples import fits_pixels, read_examples
from netsor.transform.forward import instances

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


def templates(
    network: Program,
    pairs: Pairs,
    tol: float,
    kept: frozenset[str] = frozenset(),
    backward: bool = True,
    derivatives: type[Evaluator] | None = None,
) -> tuple[Template | None, Template | None]:
    """The templates for two different inputs and for an input with itself; None where there are no such pairs.

    What is asked of an input with itself is read off the first of the two inputs of the other template, if there is
    one: its variables have the same names there, and the steps to its limits are the same.

    `kept` are constant vectors that stay symbols, see `Limit`. Without `backward` the templates hold the forward pass
    alone, which needs no derivatives.
    """
    rng = np.random.default_rng(20210721)
    # The numbers in a template only have to differ from each other; no result depends on them.
    sample = rng.standard_normal((2, pairs.inputs.shape[1]))
    own = pairs.inputs[pairs.own]
    if not pairs.across():
        return None, _template(network, sample[:1], own, (0, 0), tol, kept, backward, derivatives)
    across = _template(network, sample, pairs.inputs, (0, 1), tol, kept, backward, derivatives)
    if not len(own):
        return across, None
    everyone = len(own) == len(pairs.inputs)
    return across, replace(across, inputs=across.inputs if everyone else across.inputs.some(pairs.own), examples=(0, 0))


def own_template(network: Program, inputs: Array, tol: float, backward: bool = True) -> Template:
    """The template of an input with itself, for all rows of inputs (N, D)."""
    sample = np.random.default_rng(20210721).standard_normal((1, inputs.shape[1]))
    return _template(network, sample, inputs, (0, 0), tol, frozenset(), backward)


def _template(
    network: Program,
    sample: Array,
    inputs: Array,
    examples: tuple[int, int],
    tol: float,
    kept: frozenset[str],
    backward: bool,
    derivatives: type[Evaluator] | None = None,
) -> Template:
    needed = network.needed()
    uniform = (network.input_matrix[e.matrix] for e in network.embeddings if e.name in needed)
    refused = next((u for u in uniform if u.bounds), None)
    if refused is not None:
        raise NetsorError(uniform_inputs(refused.span, refused.name))
    rows_of_sample = shaped_rows(network, sample)
    if backward:
        made = passes(network, rows_of_sample, singular=derivatives is not None)
    else:
        made = Passes(**vars(instances(network, rows_of_sample)))
    limit = Limit(made.builder.build(network.name), kept=kept)
    columns = input_columns(network)
    rows: dict[str, dict[DataRef, Array]] = {}
    own: dict[DataRef, Array] = {}
    for side, example in zip("LR", made.examples, strict=False):
        rows[side] = {}
        for ref, (data, numbers) in example.sources.items():
            if isinstance(ref, InputRef):
                rows[side][data] = inputs[:, columns[ref]]
            else:
                own[data] = np.array(numbers)
    given = Inputs(rows, own, len(inputs))
    return Template(made, (derivatives or Evaluator)(limit, given.side, tol), given, examples)


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

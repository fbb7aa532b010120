"""Which pairs of rows a kernel needs, and the templates that serve them.

Rows that are equal are one input. A pair of an input with itself has its own template, in which both examples are one:
perfect correlation is then known and not computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import DataRef, InputRef, Program
from netsor.gaussian.result import Clock
from netsor.kernels.batch import Batch, Inputs
from netsor.limit import Limit
from netsor.transform.backward import Passes, passes
from netsor.transform.examples import read_examples
from netsor.transform.forward import instances

Array = np.ndarray


@dataclass(frozen=True)
class Pairs:
    """The distinct inputs, and the pairs u < w of them and inputs with themselves that a kernel is made of."""

    inputs: Array
    row: Array
    column: Array
    left: Array
    right: Array
    own: Array

    def assembled(self, off: Array, diagonal: Array) -> Array:
        """The matrix over rows and columns from values over pairs and over inputs; trailing axes are outputs."""
        size = len(self.inputs)
        table = np.zeros((size, size, *off.shape[1:]))
        table[self.left, self.right] = off
        table[self.right, self.left] = np.swapaxes(off, 1, 2) if off.ndim > 2 else off
        table[self.own, self.own] = diagonal
        return table[np.ix_(self.row, self.column)]


def infer_pairs(x: Array, y: Array | None) -> Pairs:
    """The pairs of all rows of x (N, D) with all rows of y (M, D), or of x with itself."""
    both = x if y is None else np.concatenate([x, y])
    _, first, where = np.unique(both + 0.0, axis=0, return_index=True, return_inverse=True)
    where = where.ravel()
    row = where[: len(x)]
    column = row if y is None else where[len(x) :]
    wanted = np.zeros((len(first), len(first)), bool)
    wanted[np.ix_(row, column)] = True
    wanted |= wanted.T
    own = np.flatnonzero(np.diag(wanted))
    left, right = np.nonzero(np.triu(wanted, 1))
    return Pairs(both[first], row, column, left, right, own)


@dataclass(frozen=True)
class Template:
    """A network on the examples of a template, and the limits of what is made of them at the real inputs."""

    made: Passes
    batch: Batch
    examples: tuple[int, int]


def templates(
    network: Program,
    pairs: Pairs,
    tol: float,
    kept: frozenset[str] = frozenset(),
    clock: Clock | None = None,
    backward: bool = True,
) -> tuple[Template | None, Template | None]:
    """The template of two different inputs and that of an input with itself; None where there are no such pairs.

    `kept` are constant vectors that stay symbols, see `Limit`. Without `backward` it is the forward pass alone, which
    asks for no derivatives.
    """
    rng = np.random.default_rng(20210721)
    # The numbers of a template's examples only have to be different; no result depends on them.
    sample = rng.standard_normal((2, pairs.inputs.shape[1]))
    across = within = None
    if len(pairs.left):
        across = _template(network, sample, pairs.inputs, pairs.left, pairs.right, (0, 1), tol, kept, clock, backward)
    if len(pairs.own):
        none = np.zeros(0, int)
        within = _template(network, sample[:1], pairs.inputs[pairs.own], none, none, (0, 0), tol, kept, clock, backward)
    return across, within


def _template(
    network: Program,
    sample: Array,
    inputs: Array,
    left: Array,
    right: Array,
    examples: tuple[int, int],
    tol: float,
    kept: frozenset[str],
    clock: Clock | None,
    backward: bool,
) -> Template:
    rows_of_sample = shaped_rows(network, sample)
    made = passes(network, rows_of_sample) if backward else Passes(**vars(instances(network, rows_of_sample)))
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
    return Template(made, Batch(limit, Inputs(rows, left, right, own), tol, clock), examples)


def input_columns(network: Program) -> dict[InputRef, slice]:
    """Where the numbers of each input stand in a row that holds those of all inputs one after the other."""
    out: dict[InputRef, slice] = {}
    start = 0
    for i in network.inputs:
        for index in (None,) if i.indices is None else i.indices:
            out[InputRef(i.name, index)] = slice(start, start + i.dimension)
            start += i.dimension
    return out


def flat_rows(network: Program, rows: Any) -> Array:
    """Inputs as an array (N, D), all numbers of an example in a row; reports shapes and numbers that do not fit."""
    _, examples = read_examples(network, rows, {i.name: i.name for i in network.inputs})
    columns = input_columns(network)
    return np.array([[x for ref in columns for x in e.sources[ref][1]] for e in examples], float)


def named_examples(network: Program, flat: Array) -> list[dict[str, tuple[float, ...]]]:
    """The rows of the inputs of every example, by their names ξ or ξ[2], from an array (N, D)."""
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

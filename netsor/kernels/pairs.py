"""Which pairs of rows a kernel needs, and the templates that serve them.

Rows that are equal are one input. A pair of an input with itself has its own template, in which both examples are one:
perfect correlation is then known and not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.core import DataRef, Program
from netsor.kernels.batch import Batch, Inputs
from netsor.limit import Limit
from netsor.transform.backward import Passes, passes

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
    """The pairs of all rows of x (N, …) with all rows of y (M, …), or of x with itself."""
    both = x if y is None else np.concatenate([x, y])
    flat = np.ascontiguousarray(both.reshape(len(both), -1)) + 0.0
    _, first, where = np.unique(flat, axis=0, return_index=True, return_inverse=True)
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
    network: Program, pairs: Pairs, tol: float, kept: frozenset[str] = frozenset()
) -> tuple[Template | None, Template | None]:
    """The template of two different inputs and that of an input with itself; None where there are no such pairs.

    `kept` are constant vectors that stay symbols, see `Limit`.
    """
    rng = np.random.default_rng(20210721)
    shape = pairs.inputs.shape[1:]
    # The numbers of a template's examples only have to be different; no result depends on them.
    sample = rng.standard_normal((2, *shape))
    across = within = None
    if len(pairs.left):
        across = _template(network, sample, pairs.inputs, pairs.left, pairs.right, (0, 1), tol, kept)
    if len(pairs.own):
        within = _template(network, sample[:1], pairs.inputs[pairs.own], pairs.own * 0, pairs.own * 0, (0, 0), tol, kept)
    return across, within


def _template(
    network: Program, sample: Array, inputs: Array, left: Array, right: Array, examples: tuple[int, int], tol: float,
    kept: frozenset[str],
) -> Template:
    made = passes(network, sample)
    limit = Limit(made.builder.build(network.name), kept=kept)
    rows: dict[str, dict[DataRef, Array]] = {}
    for side, example in zip("LR", made.examples, strict=False):
        rows[side] = {}
        for ref, (data, _) in example.sources.items():
            spec = next(i for i in network.inputs if i.name == ref.name)
            values = inputs if spec.indices is None else inputs[:, spec.indices.index(ref.index)]  # type: ignore[arg-type]
            rows[side][data] = np.asarray(values, float)
    return Template(made, Batch(limit, Inputs(rows, left, right), tol), examples)

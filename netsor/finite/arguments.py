"""Checks of what a caller passes to a run: the width, the draws, the outputs, and arrays that replace draws."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from netsor.core import InputRef, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.finite.streams import Array

Inputs = Mapping[str, Any]


def width_of(width: Any) -> int:
    """The width as an int; raises NetsorError (E701) where it is not a whole number of at least 1."""
    with suppress(TypeError):
        n = operator.index(width)
        if n >= 1 and not isinstance(width, bool):
            return n
    raise NetsorError(faults.bad_width(width))


def seed_of(seed: Any) -> int:
    """The seed as an int; raises NetsorError (E705) beyond 64 bits, where two seeds would be one stream."""
    with suppress(TypeError):
        found = operator.index(seed)
        if 0 <= found < 2**64 and not isinstance(seed, bool):
            return found
    raise NetsorError(faults.bad_seed(seed))


def draws_of(seeds: int | Sequence[int]) -> Sequence[int]:
    """The indices of the draws: the first K, or those listed. Raises NetsorError (E705)."""
    try:
        if not isinstance(seeds, Sequence):
            draws: Sequence[int] = range(operator.index(seeds))
        else:
            draws = [operator.index(s) for s in seeds]
    except TypeError:
        raise NetsorError(faults.bad_seeds(seeds)) from None
    # The length of a range may be too large for `len`, so its first and last elements are looked at instead.
    if not draws or min(draws[0], draws[-1]) < 0:
        raise NetsorError(faults.bad_seeds(seeds))
    return draws


def count_of(draws: Sequence[int]) -> int:
    """How many draws there are; `len` raises OverflowError for ranges longer than 2^63 − 1."""
    return draws.stop if isinstance(draws, range) else len(draws)


def output_names(program: Program, outputs: Sequence[str] | None) -> list[str]:
    """The names of the outputs asked for, by default of all. Raises NetsorError (E705) for one that does not exist."""
    known = [o.name for o in program.outputs] + [r.name for r in program.readouts]
    for name in outputs or ():
        if name not in known:
            raise NetsorError(faults.bad_choice("output", name, known))
    return list(known if outputs is None else outputs)


def embedding_rows(program: Program, inputs: Inputs) -> dict[str, Array]:
    """The numbers that each embedding U ξ multiplies, from the data of the program or from the inputs of a network.

    Raises NetsorError: E705 for an input that does not exist, E706 for numbers that do not fit it.
    """
    examples: dict[str, Array] = {}
    for x in program.inputs:
        if x.name not in inputs:
            continue
        shape = (x.dimension,) if x.indices is None else (len(x.indices), x.dimension)
        try:
            value = np.asarray(inputs[x.name], float)
        except (TypeError, ValueError):
            raise NetsorError(faults.bad_array(x.name, f"numbers of shape {shape} were expected")) from None
        if value.shape != shape:
            raise NetsorError(faults.bad_array(x.name, f"the shape is {value.shape}, and {shape} was expected"))
        if not np.all(np.isfinite(value)):
            raise NetsorError(faults.bad_array(x.name, "some are not finite"))
        examples[x.name] = value
    for name in inputs:
        if name not in {x.name for x in program.inputs}:
            raise NetsorError(faults.bad_choice("input", name, [x.name for x in program.inputs]))
    indices = {x.name: x.indices for x in program.inputs}
    rows: dict[str, Array] = {}
    for e in program.embeddings:
        if isinstance(e.source, InputRef):
            if e.source.name in examples:
                example = examples[e.source.name]
                family = indices[e.source.name]
                rows[e.name] = example if family is None else example[family.index(e.source.index)]
        else:
            rows[e.name] = np.array(program.row(e), float)
    return rows


def arrays_of(program: Program, n: int, given: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays that replace draws. Raises NetsorError: E705 for an unknown name, E706 for a wrong shape."""
    out: dict[str, Array] = {}
    for name, value in given.items():
        if name in program.matrix:
            shape: tuple[int, ...] = (n, n)
        elif name in program.input_matrix:
            shape = (n, program.input_matrix[name].columns)
        elif program.is_initial_vector(name):
            shape = (n,)
        else:
            known = [*program.matrix, *program.input_matrix, *program.group_of]
            raise NetsorError(faults.bad_choice("matrix or initial vector", name, known))
        array = np.asarray(value, float)
        if array.shape != shape:
            raise NetsorError(faults.bad_array(name, f"the shape is {array.shape}, and {shape} was expected"))
        out[name] = array
    return out

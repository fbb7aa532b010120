"""Rows of data as examples of a network: which numbers each of its inputs gets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from netsor.core import Data, DataRef, InputRef, NetworkInput, Program
from netsor.core.program import Row
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.transform.names import Stamp

# Nested sequences of numbers or arrays; a mapping by the names of the inputs where a network has several.
Rows = Any


@dataclass(frozen=True)
class Example:
    """One row of data: for each input of the network, the data it refers to and its numbers.

    Rows of the network's own data are the same in every example.
    """

    stamp: Stamp
    sources: Mapping[InputRef | DataRef, tuple[DataRef, Row]] = field(hash=False)

    @property
    def key(self) -> tuple[Row, ...]:
        """Equal for two examples with the same numbers."""
        return tuple(row for _, row in self.sources.values())


def plain(values: Any) -> Any:
    """An array or nested sequence as nested tuples of floats; raises NetsorError where there is anything else."""
    if hasattr(values, "tolist"):
        # Two billion rows of nothing are no bytes in an array, and sixteen gigabytes as lists.
        values = () if 0 in getattr(values, "shape", ()) else values.tolist()
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        return tuple(plain(v) for v in values)
    try:
        if isinstance(values, (str, bytes)):
            raise TypeError
        return float(values)
    except (TypeError, ValueError, OverflowError):
        raise NetsorError(derived.not_a_number(values)) from None


def shape_of(values: Any) -> tuple[int, ...]:
    """The shape of nested tuples, judged by the first element at each level."""
    shape: list[int] = []
    while isinstance(values, tuple):
        shape.append(len(values))
        if not values:
            break
        values = values[0]
    return tuple(shape)


def read_examples(
    network: Program, rows: Rows, names: Mapping[str, str], test: bool = False
) -> tuple[list[Data], list[Example]]:
    """The data of a program over these rows, under the given `names`, and its examples.

    An input has shape (N, d), or (N, T, d) where it is a family of T vectors. Raises NetsorError: E654 (shapes), E655
    (an entry that is not finite), E662 (an unknown input).
    """
    if not network.inputs:
        hint = "declare an input: `network NAME(ξ : d)`"
        raise NetsorError(
            derived.wrong_shape("the inputs", "of the network's inputs, and it has none", "anything", hint)
        )
    given = rows if isinstance(rows, Mapping) else {i.name: rows for i in network.inputs[:1]}
    for name in given:
        if all(i.name != name for i in network.inputs):
            raise NetsorError(derived.unknown_input(name, [i.name for i in network.inputs]))
    for i in network.inputs:
        if i.name not in given:
            hint = f"give every input its rows, `{i.name}` too"
            raise NetsorError(derived.wrong_shape(f"the inputs `{i.name}`", _wanted(i), "nothing", hint))
    data: list[Data] = []
    sources: list[dict[InputRef | DataRef, tuple[DataRef, Row]]] = []
    for i in network.inputs:
        values = as_pixels(i, plain(given[i.name]))
        _verify(i, values)
        name = names[i.name]
        data.append(Data(name, shape_of(values), values))
        if not sources:
            sources = [{} for _ in values]
        if len(values) != len(sources):
            rows, hint = f"({len(sources)}, …)", "an example has one row of every input"
            raise NetsorError(derived.wrong_shape(f"the inputs `{i.name}`", rows, shape_of(values), hint))
        for r, (found, row) in enumerate(zip(sources, values, strict=True), start=1):
            if i.indices is None:
                found[InputRef(i.name)] = (DataRef(name, (r,)), row)
            else:
                for k, index in enumerate(i.indices, start=1):
                    found[InputRef(i.name, index)] = (DataRef(name, (r, k)), row[k - 1])
    own = own_rows(network)
    return data, [Example(Stamp(row=r, test=test), {**s, **own}) for r, s in enumerate(sources, start=1)]


def fits_pixels(i: NetworkInput, shape: tuple[int, ...]) -> bool:
    """Whether arrays of this shape are images (N, height, width, channels) with a pixel for each member of the input.

    Images of one channel may leave that axis out.
    """
    if i.indices is None:
        return False
    size, tail = len(i.indices), shape[3:]
    of_channels = tail == (i.dimension,) or (tail == () and i.dimension == 1)
    return len(shape) in (3, 4) and of_channels and shape[1] * shape[2] == size and shape[1:] != (size, i.dimension)


def as_pixels(i: NetworkInput, values: Any) -> Any:
    """Images, row by row of each, as the members of an input; anything else as it is."""
    shape = shape_of(values)
    if not fits_pixels(i, shape):
        return values

    def pixels(row: Any) -> Any:
        flat = tuple(pixel for line in row for pixel in line)
        return flat if len(shape) == 4 else tuple((pixel,) for pixel in flat)

    try:
        return tuple(pixels(image) for image in values)
    except TypeError:
        return values


def own_rows(network: Program) -> dict[InputRef | DataRef, tuple[DataRef, Row]]:
    """The rows of the network's own data that its input matrices are applied to, such as the positions of tokens."""
    refs = (e.source for e in network.embeddings if isinstance(e.source, DataRef))
    return {ref: (ref, network.datum[ref.name].row(ref.row)) for ref in refs}


def symbolic_example(network: Program) -> tuple[list[Data], Example]:
    """One example without numbers: `data ξ : (1, d)` under the names of the network's inputs, to be filled in later."""
    data: list[Data] = []
    sources: dict[InputRef | DataRef, tuple[DataRef, Row]] = dict(own_rows(network))
    for i in network.inputs:
        members = () if i.indices is None else (len(i.indices),)
        data.append(Data(i.name, (1, *members, i.dimension), ()))
        if i.indices is None:
            sources[InputRef(i.name)] = (DataRef(i.name, (1,)), ())
        for k, index in enumerate(i.indices or (), start=1):
            sources[InputRef(i.name, index)] = (DataRef(i.name, (1, k)), ())
    return data, Example(Stamp(), sources)


def inner(x: Row, y: Row) -> float:
    """⟨x, y⟩ = Σ_k x_k y_k of the decimals as which the rows are written, rounded once; raises NetsorError (E655)."""
    (a, p), (b, q) = _whole(x), _whole(y)
    try:
        return float(Fraction(sum(i * j for i, j in zip(a, b, strict=True)), p * q))
    except OverflowError:
        raise NetsorError(derived.product_out_of_range()) from None


@lru_cache(maxsize=1024)
def _whole(row: Row) -> tuple[tuple[int, ...], int]:
    """A row as whole numbers over one denominator."""
    numbers = [Fraction(repr(x)) for x in row]
    denominator = math.lcm(*(q.denominator for q in numbers))
    return tuple(q.numerator * (denominator // q.denominator) for q in numbers), denominator


def _wanted(i: NetworkInput) -> str:
    return f"(N, {i.dimension})" if i.indices is None else f"(N, {len(i.indices)}, {i.dimension})"


def _advice(i: NetworkInput, shape: tuple[int, ...]) -> str:
    """A hint on how to change the inputs, or the network, so that they fit."""
    row = f"{i.dimension} numbers" if i.indices is None else f"{len(i.indices)} vectors of {i.dimension} numbers"
    tail = shape[1:]
    if _wanted(i) == f"(N, {', '.join(map(str, shape))})":
        return "one example is a table of one row: `[[…]]`"
    if i.indices is None and len(tail) == 1 and tail[0]:
        return f"give rows of {row}, or declare `{i.name} : {tail[0]}`"
    return f"give one row of {row} for each example"


def _verify(i: NetworkInput, values: Any) -> None:
    tail = (i.dimension,) if i.indices is None else (len(i.indices), i.dimension)
    what = f"the inputs `{i.name}`"
    if not isinstance(values, tuple) or not values or shape_of(values)[1:] != tail:
        raise NetsorError(derived.wrong_shape(what, _wanted(i), shape_of(values), _advice(i, shape_of(values))))
    for r, row in enumerate(values, start=1):
        if shape_of(row) != tail or (len(tail) == 2 and any(len(token) != tail[1] for token in row)):
            shape = f"({', '.join(map(str, tail))})"
            raise NetsorError(derived.wrong_shape(f"row {r} of {what}", shape, shape_of(row), _advice(i, ())))
        flat = row if len(tail) == 1 else [x for token in row for x in token]
        if not all(isinstance(x, float) and math.isfinite(x) for x in flat):
            raise NetsorError(derived.not_finite(what, f"row {r}"))

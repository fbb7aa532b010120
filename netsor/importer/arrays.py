"""Arrays: families of variables over the finite axes of a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from netsor.importer.refusal import Place

if TYPE_CHECKING:
    from netsor.importer.parameters import Parameter
    from netsor.importer.terms import Term

Index = tuple[int, ...]
Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(eq=False)
class Array:
    """A family of variables, one for each index of `shape`; `terms` define those that are not parameters."""

    hint: str
    shape: Index
    terms: dict[Index, Term] = field(default_factory=dict)
    place: Place = Place()
    parameter: Parameter | None = None
    is_output: bool = False
    inlined: bool = False

    def indices(self) -> Iterator[Index]:
        return product(*(range(s) for s in self.shape))

    def numbers(self, indices: Sequence[Index]) -> Integers:
        """The place of each index in the order of `indices`."""
        places = np.array(indices, int).reshape(len(indices), len(self.shape))
        return np.ravel_multi_index(tuple(places.T), self.shape) if self.shape else np.zeros(len(indices), int)

    def index(self, number: int) -> Index:
        """The index at this place in the order of `indices`."""
        return tuple(int(i) for i in np.unravel_index(number, self.shape))

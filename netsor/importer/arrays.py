"""Arrays: families of variables over the finite axes of a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from netsor.importer.refusal import Place

if TYPE_CHECKING:
    from netsor.importer.parameters import Parameter
    from netsor.importer.terms import Term

Index = tuple[int, ...]


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

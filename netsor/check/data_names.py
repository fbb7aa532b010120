"""Names in the place of numbers of data, for formulas that say ⟨ξ[1], ξ[2]⟩ and not -0.6.

A product or an entry of data is a function of no arguments whose body is the number. Such a function has no free
symbols, so that the lowering treats it as the number that it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from netsor.check.values import Scalar, Value
from netsor.core import DataRef
from netsor.expr import Apply, Const, Expr, Function, apply, postorder, rewrite


@dataclass
class DataNames:
    """The names given so far, by what stands for them in expressions."""

    refs: dict[Expr, tuple[DataRef, ...]] = field(default_factory=dict)
    # Lines of the program name their data; elsewhere, as in an index, numbers have to be numbers.
    active: bool = False

    @contextmanager
    def naming(self, active: bool) -> Iterator[None]:
        outer, self.active = self.active, active
        try:
            yield
        finally:
            self.active = outer

    def named(self, refs: tuple[DataRef, ...], value: Value) -> Value:
        """The product or entry of data under its name; zero stays, for what it multiplies is not in the core."""
        if not self.active or not isinstance(value, Scalar) or not value.number:
            return value
        made = apply(Function("ᵀ".join(map(str, refs)), (), Const(value.number)), ())
        self.refs[made] = refs
        return Scalar(made)


def with_numbers(e: Expr) -> Expr:
    """The expression with the numbers of data in the place of their names."""
    return rewrite(e, lambda node: node.function.body if isinstance(node, Apply) and not node.children else node)


def names_data(e: Expr) -> bool:
    return any(isinstance(node, Apply) and not node.children for node in postorder(e))

"""What an expression of the text denotes while it is being checked."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from netsor.core import DataRef, InputRef
from netsor.expr import Const, Expr, Function, numbers
from netsor.expr.build import nearest
from netsor.expr.constants import constant
from netsor.expr.nodes import Named, size_beyond
from netsor.expr.rationals import Rounded, as_bound, computed, number
from netsor.syntax import ast

if TYPE_CHECKING:
    from netsor.check.scope import Indices, Scope

Numbers = float | tuple[Any, ...]  # a number, or nested tuples of numbers


@dataclass(frozen=True)
class Scalar:
    """A number, known or not: an expression in scalars of the program and in n.

    A constant that is a rational number is that number, and its expression holds the float next to it. Of another
    constant, and of a scalar of constants and n, `unfolded` is the expression before any float was computed.
    """

    expr: Expr
    exact: Fraction | None = None
    unfolded: Expr | None = field(default=None, compare=False)

    @property
    def number(self) -> int | float | None:
        """The number, where it is a constant; what it was rounded from goes with it."""
        e = numbers(self.expr)
        if not isinstance(e, Const):
            return self._below_floats(e)
        value = e.value
        if not math.isfinite(value):
            # Beyond the range of floats: `netsor.check.operands.finite` tells it where it was made.
            return None
        if self.exact is not None and self.exact != value:
            return number(self.exact)
        return value if isinstance(value, Rounded) or self.rational is not None else computed(value)

    def _below_floats(self, e: Expr) -> float | None:
        """A number that is too small for a float, and is written as m · 2^k; None for another expression."""
        if e.free or (size_beyond(e) or 0) >= 0:
            return None
        if self.exact is not None:
            return number(self.exact)
        found = None if self.unfolded is None else constant(self.unfolded)
        return None if found is None else Rounded(found.value, as_bound(found.error))

    @property
    def rational(self) -> Fraction | None:
        """The rational number that a constant is; None for √2, and for what is not a constant."""
        if self.exact is not None or self.unfolded is not None:
            return self.exact
        whole = isinstance(self.expr, Const) and isinstance(self.expr.value, int)
        return Fraction(self.expr.value) if whole else None  # type: ignore[attr-defined]

    def exactly(self, q: Fraction | None) -> Scalar:
        """The same constant, known to be a rational number and rounded once; unchanged without one."""
        if q is None or self.expr.free:
            return self
        return Scalar(self.expr if Named.kind in self.expr.made_of else nearest(q), q)


@dataclass(frozen=True)
class Vector:
    """A coordinatewise expression in at least one vector."""

    expr: Expr


@dataclass(frozen=True)
class Covector:
    """xᵀ of a vector, waiting for the vector that it meets."""

    expr: Expr


@dataclass(frozen=True)
class MatrixValue:
    """W or Wᵀ."""

    name: str
    transposed: bool = False


@dataclass(frozen=True)
class InputMatrixValue:
    """An n×d matrix."""

    name: str


@dataclass(frozen=True)
class DecoderValue:
    """An n×d matrix that is only ever transposed: its columns, vectors of the program."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Bias:
    """A bias of the output, which a readout adds."""

    name: str


@dataclass(frozen=True)
class Array:
    """Fixed numbers: data, a row of data or a literal; `ref` says where a row is from."""

    values: Numbers
    shape: tuple[int, ...]
    ref: DataRef | None = None
    name: str = ""


@dataclass(frozen=True)
class InputValue:
    """An input of a network's example."""

    ref: InputRef
    dimension: int


@dataclass(frozen=True)
class FunctionValue:
    """A definition of coordinates, or a partial derivative of it."""

    function: Function
    orders: tuple[int, ...]


@dataclass(frozen=True)
class Builtin:
    """A function of the language, differentiated `order` times in its first argument."""

    name: str
    order: int = 0


@dataclass(frozen=True)
class Inlined:
    """A definition with MATMUL or MOMENT, or with steps: expanded where it is used."""

    name: str
    params: tuple[str, ...]
    scalar_params: tuple[str, ...]
    body: tuple[ast.Statement, ...]
    value: ast.Expr
    scope: Scope = field(compare=False, repr=False)


@dataclass(frozen=True)
class Family:
    """Members of a name by their indices; shared with the scope, which fills it."""

    name: str
    members: dict[Indices, Value] = field(compare=False)
    # What was said of so many members last.
    _told: dict[int, tuple[list[Indices], str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sorted(self) -> list[Indices]:
        """The indices of the members, in order."""
        return self._told_of()[0]

    def described(self, name: str) -> str:
        """The members in words, for a message."""
        return self._told_of()[1]

    def like(self, index: Sequence[int]) -> Indices:
        """The last member up to an index, or the first; () where there is none."""
        members = self.sorted
        if not members:
            return ()
        if len(index) != len(members[0]):
            return members[0]
        return members[max(bisect_right(members, tuple(index)) - 1, 0)]

    def from_the_end(self, index: int) -> Indices:
        """The member that a negative index means in Python; () where there is none."""
        members = self.sorted
        return members[index] if -len(members) <= index < 0 else ()

    def _told_of(self) -> tuple[list[Indices], str]:
        count = len(self.members)
        if count not in self._told:
            members = sorted(self.members)
            self._told.clear()
            self._told[count] = members, _in_words(self.name, members)
        return self._told[count]


def _in_words(name: str, members: Sequence[Indices]) -> str:
    if not members:
        return "no members yet"
    if len(members) > 1 and members == [(k,) for k in range(members[0][0], members[0][0] + len(members))]:
        return f"the members {members[0][0]}..{members[-1][0]}"
    shown = ", ".join(f"{name}[{', '.join(map(str, m))}]" for m in members[:4])
    return f"the members {shown}" + (", …" if len(members) > 4 else "")


class Special:
    """A built-in that is no function of coordinates."""


@dataclass(frozen=True)
class Mean(Special):
    """`mean` of a vector."""


@dataclass(frozen=True)
class Rows(Special):
    """`rows` of data."""


@dataclass(frozen=True)
class Floor(Special):
    """`floor` of a constant."""


@dataclass(frozen=True)
class Poison:
    """The value of what was already reported as faulty: nothing more is said of what uses it."""


@dataclass(frozen=True)
class Unread(Poison):
    """Data without numbers, of which the shape is known."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Itself(Poison):
    """A definition's own name inside its body."""

    name: str


Value = (
    Scalar | Vector | Covector | MatrixValue | InputMatrixValue | DecoderValue | Bias | Array | InputValue
    | FunctionValue | Builtin | Inlined | Family | Special | Poison
)  # fmt: skip

POISON = Poison()


def kind_name(value: Value) -> str:
    """The kind in the words of the user."""
    match value:
        case Scalar():
            return "a number" if value.number is not None else "a scalar"
        case Vector():
            return "a vector"
        case Covector():
            return "a transposed vector"
        case MatrixValue():
            return "a matrix"
        case InputMatrixValue() | DecoderValue():
            return "an n×d matrix"
        case Bias():
            return "a bias of the output"
        case Array():
            return "data" if value.shape else "a number"
        case InputValue():
            return "an input of the network"
        case FunctionValue() | Builtin() | Inlined() | Special():
            return "a function"
        case Family():
            return "a family"
        case _:
            return "a value"

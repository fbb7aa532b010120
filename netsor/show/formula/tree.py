"""A formula as a tree: what it says, not how it is spelled. Printers and measures are folds over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

# How strongly the outermost operation of a formula binds: a sum least.
SUM, PRODUCT, POWER, ATOM = range(4)
T = TypeVar("T")


class Tree:
    """A node; equal formulas may be different nodes, and one node may stand in several places."""

    @property
    def strength(self) -> int:
        return ATOM

    @property
    def parts(self) -> Iterator[Tree]:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Tree):
                yield value
            elif isinstance(value, tuple):
                yield from (p for p in value if isinstance(p, Tree))


class _Product(Tree):
    @property
    def strength(self) -> int:
        return PRODUCT


class _Sum(Tree):
    @property
    def strength(self) -> int:
        return SUM


class _Power(Tree):
    @property
    def strength(self) -> int:
        return POWER


# --- leaves -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Name(Tree):
    """A name of the program."""

    name: str


@dataclass(frozen=True, eq=False)
class Word(Tree):
    """Letters with their accents, as part of a name."""

    letters: str


@dataclass(frozen=True, eq=False)
class Index(Tree):
    """The indices of a name."""

    text: str


@dataclass(frozen=True, eq=False)
class Typed(Tree):
    """A name letter by letter as it is typed."""

    name: str


@dataclass(frozen=True, eq=False)
class Number(Tree):
    """A number; one with a bound, or an exponent, is not `exact`, and is shown in digits."""

    value: int | float
    exact: bool = True

    @property
    def strength(self) -> int:
        return ATOM if self.value >= 0 else SUM


@dataclass(frozen=True, eq=False)
class Sign(Tree):
    """A sign of its own: =, →, ~, ≈, ±, E, N, n, …"""

    sign: str


@dataclass(frozen=True, eq=False)
class Words(Tree):
    """Words beside a formula."""

    text: str


@dataclass(frozen=True, eq=False)
class Cut(Tree):
    """A formula that is too long, told by how it begins and by its number of characters."""

    start: str
    count: int


# --- letters with marks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Over(_Power):
    """Z^h, Ẑ^{Wx}, Ż^{Wx}: the letter, and what it belongs to."""

    letter: str
    above: Tree


@dataclass(frozen=True, eq=False)
class Applied(Tree):
    """W x, Wᵀ x, or aᵀb of data, which stand together (`tight`)."""

    matrix: Name
    transposed: bool
    vector: Name
    tight: bool = False

    @property
    def strength(self) -> int:
        return POWER


@dataclass(frozen=True, eq=False)
class Limit(Tree):
    """θ̊, the limit of a scalar."""

    of: Name

    @property
    def strength(self) -> int:
        return ATOM if graphemes(self.of.name) == 1 else POWER


@dataclass(frozen=True, eq=False)
class Subscript(Tree):
    """A letter with what stands below: κ₁, x_{1,2}."""

    base: Tree
    below: tuple[Tree, ...]


# --- operations -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sum(_Sum):
    """Terms, each with whether it is subtracted."""

    terms: tuple[Tree, ...]
    minus: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Negated(_Sum):
    inside: Tree


@dataclass(frozen=True, eq=False)
class Product(_Product):
    factors: tuple[Tree, ...]


@dataclass(frozen=True, eq=False)
class Fraction(_Product):
    above: Tree
    below: Tree


@dataclass(frozen=True, eq=False)
class Power(_Power):
    base: Tree
    exponent: Tree


@dataclass(frozen=True, eq=False)
class Root(_Power):
    inside: Tree


@dataclass(frozen=True, eq=False)
class Brackets(Tree):
    inside: Tree


@dataclass(frozen=True, eq=False)
class Row(_Sum):
    """Formulas and signs side by side."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, eq=False)
class Listed(_Sum):
    """Formulas with commas between them."""

    items: tuple[Tree, ...]


# --- expectations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mean(Tree):
    """E[…], or E … without brackets (`whole`)."""

    inside: Tree
    whole: bool = False

    @property
    def strength(self) -> int:
        return PRODUCT if self.whole else POWER


@dataclass(frozen=True, eq=False)
class Covariance(Tree):
    """Cov(a, b), or Var a without b."""

    a: Tree
    b: Tree | None

    @property
    def strength(self) -> int:
        return PRODUCT if self.b is None else POWER


@dataclass(frozen=True, eq=False)
class Derivative(_Product):
    """∂a/∂b."""

    a: Tree
    b: Tree


# --- functions and tests ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Function(Tree):
    """A function of the program with its partial derivatives as (parameter, how often); `single`: it has one."""

    name: Name
    marks: tuple[tuple[str, int], ...] = ()
    single: bool = True


@dataclass(frozen=True, eq=False)
class Builtin(Tree):
    """A function of the language."""

    name: str


@dataclass(frozen=True, eq=False)
class Call(Tree):
    """A function at arguments, then parameters behind a semicolon."""

    head: Tree
    arguments: tuple[Tree, ...]
    parameters: tuple[Tree, ...] = ()


@dataclass(frozen=True, eq=False)
class Compare(_Sum):
    op: str
    a: Tree
    b: Tree


@dataclass(frozen=True, eq=False)
class Logic(_Sum):
    """`and`, `or`, `not` of tests."""

    op: str
    tests: tuple[Tree, ...]


@dataclass(frozen=True, eq=False)
class Indicator(Tree):
    """1{test}."""

    test: Tree


@dataclass(frozen=True, eq=False)
class Branches(Tree):
    test: Tree
    then: Tree
    other: Tree


# --- laws -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Matrix(Tree):
    """Rows of equal length; a column has one entry a row and is written as a list in text."""

    entries: tuple[Tree, ...]
    columns: int
    column: bool = False

    def rows(self, done: dict[Tree, T]) -> list[list[T]]:
        """What a fold made of the entries, row by row."""
        k = self.columns
        return [[done[e] for e in self.entries[i : i + k]] for i in range(0, len(self.entries), k)]


@dataclass(frozen=True, eq=False)
class Law(Tree):
    """N(…)."""

    inside: Tree


@dataclass(frozen=True, eq=False)
class PseudoInverse(Tree):
    """C⁺ b with what C and b are (Remark B.6)."""

    c: Tree
    b: Tree


def graphemes(name: str) -> int:
    """Letters with their accents counted as one."""
    import unicodedata

    return sum(1 for c in name if not unicodedata.combining(c))


def bottom_up(root: Tree, known: dict[Tree, T]) -> Iterator[Tree]:
    """The nodes of a tree, each after its parts; those that are known are left out with all below them."""
    stack = [(root, False)]
    while stack:
        tree, ready = stack.pop()
        if tree in known:
            continue
        if ready:
            yield tree
        else:
            stack.append((tree, True))
            stack.extend((p, False) for p in tree.parts)


class Fold(Generic[T]):
    """What a tree comes to, worked out from its leaves up; `done` remembers it for every node."""

    def __init__(self) -> None:
        self.done: dict[Tree, T] = {}

    def __call__(self, tree: Tree) -> T:
        for each in bottom_up(tree, self.done):
            self.done[each] = self.node(each)
        return self.done[tree]

    def node(self, tree: Tree) -> T:
        """What a node comes to, its parts being `done`."""
        raise NotImplementedError


# --- where a row may be broken ----------------------------------------------------------------------------------------

# How an item joins the one before it: with nothing, as a factor, as a term.
GLUE, FACTOR, TERM = range(3)
Item = tuple[int, Tree]


def items_of(tree: Tree, joint: int = GLUE) -> list[Item]:
    """The terms and factors of a formula outside its brackets, each with how it joins what is before it."""
    match tree:
        case Row(items):
            return [i for k, t in enumerate(items) for i in items_of(t, GLUE if k else joint)]
        case Sum(terms, minus):
            out = items_of(Negated(terms[0]) if minus[0] else terms[0], joint)
            for term, less in zip(terms[1:], minus[1:], strict=True):
                out += [(TERM, Sign("−" if less else "+")), *items_of(term)]
            return out
        case Negated(inside):
            (_, first), *rest = items_of(inside)
            return [(joint, Negated(first)), *rest]
        case Product(factors):
            return [i for k, t in enumerate(factors) for i in items_of(t, FACTOR if k else joint)]
        case Mean(inside, True):
            return [(joint, Sign("E")), *items_of(inside, FACTOR)]
        case _:
            return [(joint, tree)]

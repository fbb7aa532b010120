"""The syntax tree: what a file says, node by node, before anything is known about its names.

Two trees are equal when they say the same: spans, spellings and the text of numbers take no part in comparisons.
Brackets leave no node; a node's span includes the brackets around it. The parser cannot know what a name is, so
`name(…)` is always an `Apply` and a juxtaposed pair always a `Juxtapose`; the checker resolves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal

from netsor.diagnostics.data import Source, Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """Anything that stands in the text."""

    span: Span = field(compare=False, repr=False, kw_only=True)

    # Once for all nodes: methods that `dataclass` makes for each of them would be a tenth of the start of a command.
    def _compared(self) -> dict[str, object]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Node) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), *self._compared().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._compared().items())})"


# --- expressions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Node):
    """A literal; an int where it is written as one, and `text` as it stands in the file."""

    value: int | float
    text: str = field(compare=False, repr=False, default="")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    """A name, normalised (`h₁` is `h1`); `span.text` is its spelling in the file."""

    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Index(Node):
    """`base[i, j]`."""

    base: Expr
    indices: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Negate(Node):
    """`-x`, which binds looser than juxtaposition and powers."""

    operand: Expr


BinaryOp = Literal["+", "-", "*", "/", "^"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    """`left op right`; `spelling` is the operator as typed (`⊙`, `·` and `*` are one operator, `-` and `−` another)."""

    op: BinaryOp
    left: Expr
    right: Expr
    spelling: str = field(compare=False, repr=False, default="")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Juxtapose(Node):
    """`left right`, folded from the right: `c Wᵀ W x` is c (Wᵀ (W x))."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatMul(Node):
    """`left @ right`, of juxtaposition's strength and folded with it from the right."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Transpose(Node):
    """`xᵀ`, `x⊤` or `x^T`."""

    operand: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Derivative(Node):
    """`φ'`, `φ''`, and the partial derivatives `ψ'[x]`, `ψ''[x, y]` by the names of parameters (`by`, else empty)."""

    function: Expr
    order: int
    by: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Apply(Node):
    """`callee(args; scalars)`, the callee a name that may bear indices, primes or a transpose."""

    callee: Expr
    args: tuple[Expr, ...]
    scalars: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sqrt(Node):
    """`√x`; `sqrt(x)` is an `Apply`, for a program may redefine that name."""

    operand: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class If(Node):
    """`if test then value else other`."""

    test: Condition
    value: Expr
    other: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inner(Node):
    """`⟨x, y⟩` or `<x, y>`."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListLiteral(Node):
    """`[a, b, …]`, nested for matrices of numbers."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Range(Node):
    """`low..high`, both ends included."""

    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sum(Node):
    """`sum(index in low..high: body)`."""

    index: Name
    range: Range
    body: Expr


Expr = (
    Number | Name | Index | Negate | Binary | Juxtapose | MatMul | Transpose | Derivative | Apply | Sqrt | If | Inner
    | ListLiteral | Sum
)  # fmt: skip


# --- conditions: what may stand between `if` and `then` -----------------------------------------------------------

CompareOp = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compare(Node):
    """`left op right`."""

    op: CompareOp
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Logic(Node):
    """`left and right`, `left or right`."""

    op: Literal["and", "or"]
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Node):
    """`not operand`."""

    operand: Condition


Condition = Compare | Logic | Not


# --- parts of statements -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Target(Node):
    """A name that a line gives a value to, with constant indices where it is a member of a family: `c[i, j]`."""

    name: str
    indices: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Declarator(Node):
    """A declared name; each index is a range (`W[1..L]`) or one constant (`x[0]`)."""

    name: str
    indices: tuple[Range | Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Normal(Node):
    """The law `N(mean, covariance)`; for a matrix the variance of an entry."""

    mean: Expr
    covariance: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Uniform(Node):
    """The law `U(low, high)` of iid uniform entries."""

    low: Expr
    high: Expr


Law = Normal | Uniform


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Promise(Node):
    """The middle of `z := ψ(x, y; θ) = …`: just these vectors and just these scalars; ψ is a placeholder."""

    placeholder: str
    vectors: tuple[Expr, ...]
    scalars: tuple[Expr, ...] = ()


LabelKind = Literal["INIT", "MATMUL", "NONLIN", "NONLIN+", "MOMENT"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LineLabel(Node):
    """The claim before the colon: `MATMUL:`."""

    kind: LabelKind


# --- other files -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Include(Node):
    """`include "blocks.netsor"`, or `include std` (`path` is then `std`); `file` is there once that file was read."""

    path: str
    standard: bool
    file: File | None = field(compare=False, repr=False, default=None)


# --- headers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProgramHeader(Node):
    """`program NAME`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkInput(Node):
    """`ξ : d`, or the family `ξ[1..T] : d`; several ranges where the example is a grid."""

    name: str
    ranges: tuple[Range, ...]
    dimension: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkHeader(Node):
    """`network NAME(ξ : 3)`."""

    name: str
    inputs: tuple[NetworkInput, ...]


# --- statements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ParamRange(Node):
    """`i in 1..N`, an axis of a family of constants."""

    index: Name
    range: Range


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Param(Node):
    """`param L = 3`, and families of constants: `param deg[i in 1..N] = …`, `param c[0] = 1`."""

    name: Name
    value: Expr
    axes: tuple[ParamRange | Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Data(Node):
    """`data X : (4, 3) = …`; without a value it comes from outside."""

    name: Name
    shape: tuple[Expr, ...]
    value: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScalarDecl(Node):
    """`scalar ε = 1/√n`."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BiasDecl(Node):
    """`scalar c ~ N(0, s)`: the bias of a network's output, a parameter."""

    declarators: tuple[Declarator, ...]
    law: Law


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatrixDecl(Node):
    """`matrix W, V[1..L] ~ N(0, 2/n)`, `matrix U : (n, 3) ~ N(0, 1/3)`; without a law N(0, 1/n)."""

    declarators: tuple[Declarator, ...]
    shape: tuple[Expr, ...] | None = None
    law: Law | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VectorDecl(Node):
    """`vector a, b ~ N([0, 1], [[1, ρ], [ρ, 2]])`."""

    declarators: tuple[Declarator, ...]
    law: Law | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FunctionDef(Node):
    """`ψ(x, y; θ) = body`."""

    name: Name
    params: tuple[Name, ...]
    scalar_params: tuple[Name, ...]
    body: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assign(Node):
    """`[LABEL:] target := [ψ(x; θ) =] value`."""

    label: LineLabel | None
    target: Target
    promise: Promise | None
    value: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Output(Node):
    """`output name`, `output expr` or `output target := expr`."""

    target: Target | None
    value: Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrainItem(Node):
    """`W`, `W[1..L]` or `b * c`."""

    declarator: Declarator
    multiplier: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Train(Node):
    """`train W, b * 1`."""

    items: tuple[TrainItem, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class For(Node):
    """`for t in 1..T:` and its block; `span` covers both, `head` the first line."""

    index: Name
    range: Range
    body: tuple[Statement, ...]
    head: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Def(Node):
    """`def name(x; θ):`, its steps and the value it returns; `returned` is the line of `return`."""

    name: Name
    params: tuple[Name, ...]
    scalar_params: tuple[Name, ...]
    body: tuple[Statement, ...]
    value: Expr
    head: Span = field(compare=False, repr=False, kw_only=True)
    returned: Span = field(compare=False, repr=False, kw_only=True)


Statement = (
    Param | Data | ScalarDecl | BiasDecl | MatrixDecl | VectorDecl | FunctionDef | Assign | Output | Train | For | Def
)  # fmt: skip
Header = ProgramHeader | NetworkHeader


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comment(Node):
    """A comment from its `#` on; `own_line` tells one that stands alone from one that trails a statement."""

    text: str
    own_line: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class File(Node):
    """A whole file; `statements` leaves out the header, before which `param` lines may stand, and what is included."""

    header: Header | None
    statements: tuple[Statement, ...]
    includes: tuple[Include, ...] = ()
    comments: tuple[Comment, ...] = field(compare=False, repr=False, default=())

    @property
    def source(self) -> Source:
        return self.span.source

    @property
    def lines(self) -> tuple[Statement | Include, ...]:
        """The statements and the includes in the order of the text."""
        if not self.includes:
            return self.statements
        return tuple(sorted((*self.statements, *self.includes), key=lambda line: line.span.start))

    def files(self) -> Iterator[File]:
        """This file and all that it includes, each once, those that are included before those that include them."""
        seen: set[int] = set()
        # A file stands on the stack once to have its includes looked at, and once more to be given.
        stack: list[tuple[File, bool]] = [(self, False)]
        while stack:
            file, ready = stack.pop()
            if ready:
                yield file
            elif id(file) not in seen:
                seen.add(id(file))
                stack.append((file, True))
                stack.extend((i.file, False) for i in reversed(file.includes) if i.file is not None)


# --- walking -----------------------------------------------------------------------------------------------------


# For each kind of nodes, the fields in which they may have others.
_PARTS: dict[type[Node], tuple[str, ...]] = {}


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of the text; what is included is not part of the text."""
    if isinstance(node, Include):
        return
    kind = type(node)
    if kind not in _PARTS:
        _PARTS[kind] = tuple(f.name for f in fields(kind) if f.name != "span")
    for part in _PARTS[kind]:
        value = getattr(node, part)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (v for v in value if isinstance(v, Node))


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first; without recursion, however deep the tree is."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(list(children(top))))

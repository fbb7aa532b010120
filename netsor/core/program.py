"""The core: a checked tensor program as plain data (Def. B.1, Setup B.2).

A `Program` holds the initial sets 𝒲 (`matrices`), 𝒱 (`groups` and `embeddings`) and 𝒞 (`constants`), and a list of
MATMUL, NONLIN⁺ and MOMENT instructions in an order in which each uses only what stands before it. A network
(Setup D.1) is the program of one example: its embeddings refer to the example's inputs, its outputs are readouts, and
it says what is trained. Names are unique over all kinds; spans never take part in comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from netsor.diagnostics import Span
from netsor.expr import WIDTH, Apply, Const, Expr, Function, Named, numbers, postorder, rewrite

Row = tuple[float, ...]


def _place() -> Span | None:
    return field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Matrix:
    """A member of 𝒲: n×n with iid N(0, variance/n) entries."""

    name: str
    variance: float = 1.0
    span: Span | None = _place()


@dataclass(frozen=True)
class InputMatrix:
    """An n×`columns` matrix with iid entries, applied to data only: N(0, variance), or uniform between `bounds`.

    `variance` is that of uniform entries too; their mean may be another than 0.
    """

    name: str
    columns: int
    variance: float
    span: Span | None = _place()
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Group:
    """Jointly Gaussian members of 𝒱: (h¹_α, …, h^k_α) ~ N(mean, covariance), iid over α; groups are independent.

    A vector whose coordinates are uniform between `bounds` is a group of its own, with its mean and its variance.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    span: Span | None = _place()
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class InputRef:
    """An input of a network's example: `name`, or its member `index` where the input is a family."""

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


@dataclass(frozen=True)
class DataRef:
    """Row `row` (counted from 1) of the data `name`; several indices where the data has more axes."""

    name: str
    row: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.row))}]"


@dataclass(frozen=True)
class Embedding:
    """A member of 𝒱 of the form U ξ; those of one U are jointly Gaussian with covariance σ_U² ⟨ξ, ξ'⟩."""

    name: str
    matrix: str
    source: DataRef | InputRef
    span: Span | None = _place()


@dataclass(frozen=True)
class Constant:
    """A member of 𝒞: an expression in n (`netsor.expr.WIDTH`) and its limit."""

    name: str
    value: Expr
    limit: float
    span: Span | None = _place()


@dataclass(frozen=True)
class Data:
    """Fixed numbers; `values` is nested tuples of `shape`."""

    name: str
    shape: tuple[int, ...]
    values: tuple[Any, ...] = field(repr=False)
    span: Span | None = _place()

    def row(self, index: tuple[int, ...]) -> Row:
        """The row at indices counted from 1."""
        out = self.values
        for i in index:
            out = out[i - 1]
        return out


@dataclass(frozen=True)
class MatMul:
    """name := W vector, or Wᵀ vector."""

    name: str
    matrix: str
    transposed: bool
    vector: str
    span: Span | None = _place()


@dataclass(frozen=True)
class Nonlin:
    """name := ψ(vectors; scalars), coordinatewise (Eq. 60); ψ's symbols are named as variables, and n may occur."""

    name: str
    psi: Expr
    vectors: tuple[str, ...]
    scalars: tuple[str, ...] = ()
    span: Span | None = _place()


@dataclass(frozen=True)
class Moment:
    """name := (1/n) Σ_α ψ(vectors_α; scalars) (Eq. 61); without vectors, ψ(; scalars)."""

    name: str
    psi: Expr
    vectors: tuple[str, ...]
    scalars: tuple[str, ...] = ()
    span: Span | None = _place()


Instruction = MatMul | Nonlin | Moment


@dataclass(frozen=True)
class Output:
    """A scalar that the program is asked for, by the name it is reported under."""

    name: str
    scalar: str
    span: Span | None = _place()


@dataclass(frozen=True)
class Readout:
    """A network's output: name = Σ coefficient · vᵀx / √n over (coefficient, v, x)."""

    name: str
    terms: tuple[tuple[float, str, str], ...]
    span: Span | None = _place()


@dataclass(frozen=True)
class NetworkInput:
    """An input of one example: a vector of `dimension` numbers, or a family of them with these indices."""

    name: str
    dimension: int
    indices: tuple[int, ...] | None = None
    span: Span | None = _place()


@dataclass(frozen=True)
class Trained:
    """A parameter that SGD updates; `multiplier` stands in the place of √σ² in the NTK parametrization, if given."""

    name: str
    multiplier: float | None = None
    span: Span | None = _place()


@dataclass(frozen=True)
class Program:
    """A checked program or network; see the module."""

    name: str
    kind: str = "program"
    matrices: tuple[Matrix, ...] = ()
    input_matrices: tuple[InputMatrix, ...] = ()
    groups: tuple[Group, ...] = ()
    embeddings: tuple[Embedding, ...] = ()
    constants: tuple[Constant, ...] = ()
    data: tuple[Data, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    outputs: tuple[Output, ...] = ()
    inputs: tuple[NetworkInput, ...] = ()
    readouts: tuple[Readout, ...] = ()
    train: tuple[Trained, ...] | None = None

    @cached_property
    def by_name(self) -> dict[str, Instruction]:
        """The instruction that makes each variable that is not initial."""
        return {i.name: i for i in self.instructions}

    @cached_property
    def products(self) -> dict[str, tuple[MatMul, ...]]:
        """The products with each matrix or its transpose, in the order of the program."""
        out: dict[str, tuple[MatMul, ...]] = {m.name: () for m in self.matrices}
        for i in self.instructions:
            if isinstance(i, MatMul):
                out[i.matrix] += (i,)
        return out

    @cached_property
    def matrix(self) -> dict[str, Matrix]:
        return {m.name: m for m in self.matrices}

    @cached_property
    def input_matrix(self) -> dict[str, InputMatrix]:
        return {m.name: m for m in self.input_matrices}

    @cached_property
    def embedding(self) -> dict[str, Embedding]:
        return {e.name: e for e in self.embeddings}

    @cached_property
    def constant(self) -> dict[str, Constant]:
        return {c.name: c for c in self.constants}

    @cached_property
    def datum(self) -> dict[str, Data]:
        return {d.name: d for d in self.data}

    @cached_property
    def group_of(self) -> dict[str, tuple[Group, int]]:
        """For each vector of a group, the group and the position in it."""
        return {name: (g, i) for g in self.groups for i, name in enumerate(g.names)}

    @cached_property
    def evaluated(self) -> Program:
        """The program with numbers in the place of products and entries of data, as the interpreters read it."""
        instructions = tuple(i if isinstance(i, MatMul) else _with_numbers(i) for i in self.instructions)
        constants = tuple(replace(c, value=numbers(c.value)) for c in self.constants)
        if instructions == self.instructions and constants == self.constants:
            return self
        return replace(self, instructions=instructions, constants=constants)

    @property
    def as_listed(self) -> Program:
        """The program as its listing prints it: with floats for constants of which more digits are known, as √2."""
        instructions = tuple(
            i if isinstance(i, MatMul) else replace(i, psi=_in_floats(i.psi)) for i in self.instructions
        )
        constants = tuple(
            replace(c, value=_in_floats(c.value), limit=float(c.limit) if isinstance(c.limit, float) else c.limit)
            for c in self.constants
        )
        return replace(self, instructions=instructions, constants=constants)

    def row(self, e: Embedding) -> Row:
        """The numbers that an embedding multiplies; an input of a network has none (LookupError)."""
        if isinstance(e.source, InputRef):
            raise LookupError(str(e.source))
        return self.datum[e.source.name].row(e.source.row)

    def is_initial_vector(self, name: str) -> bool:
        return name in self.group_of or name in self.embedding

    def kind_of(self, name: str) -> str:
        """'matrix', 'G-var', 'X-var', 'scalar' or 'data' (Def. 4.1 and B.1)."""
        if name in self.matrix or name in self.input_matrix:
            return "matrix"
        if self.is_initial_vector(name) or isinstance(self.by_name.get(name), MatMul):
            return "G-var"
        if isinstance(self.by_name.get(name), Nonlin):
            return "X-var"
        return "data" if name in self.datum else "scalar"

    def functions(self) -> list[Function]:
        """The definitions that the instructions mention, each after those it uses."""
        found: dict[Function, None] = {}
        for i in self.instructions:
            if not isinstance(i, MatMul):
                _collect(i.psi, found)
        return list(found)

    def is_plus(self, i: Nonlin | Moment) -> bool:
        """Whether an instruction has parameters: scalars, or an expression in n."""
        return bool(i.scalars) or WIDTH in i.psi.free

    def needed(self, names: Iterator[str] | list[str] | None = None) -> set[str]:
        """All variables on which the given scalars or vectors (by default the outputs) depend, themselves included."""
        if names is None:
            names = [o.scalar for o in self.outputs] + [x for r in self.readouts for _, v, h in r.terms for x in (v, h)]
        seen: set[str] = set()
        stack = list(names)
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            i = self.by_name.get(name)
            if isinstance(i, MatMul):
                stack.append(i.vector)
            elif i is not None:
                stack.extend(i.vectors)
                stack.extend(i.scalars)
        return seen


def _with_numbers(i: Nonlin | Moment) -> Nonlin | Moment:
    psi = numbers(i.psi)
    return i if psi is i.psi else replace(i, psi=psi)


def _in_floats(e: Expr) -> Expr:
    def as_float(node: Expr) -> Expr:
        return Const(float(node.value)) if isinstance(node, Const) and isinstance(node.value, float) else node

    return rewrite(e, as_float)


def _collect(e: Expr, found: dict[Function, None]) -> None:
    for node in postorder(e):
        if isinstance(node, Apply) and not isinstance(node, Named) and node.function not in found:
            _collect(node.function.body, found)
            found[node.function] = None

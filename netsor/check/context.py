"""What the functions of the checker share: names, the program so far, faults, and the place in the text."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import coroutine
from typing import Any

from netsor.check.emitter import Emitter
from netsor.check.scope import Indices, Scope, plain
from netsor.check.values import Scalar, Value, Vector
from netsor.core import Constant, Data, Embedding, InputMatrix, Matrix, NetworkInput, Output, Readout, Trained
from netsor.core.program import DataRef, InputRef
from netsor.diagnostics import Diagnostic, Source, Span
from netsor.expr import Expr, Function, Sym
from netsor.syntax import ast

# A test and the numbers and vectors it compares; None where one of them is poison.
Tested = tuple[Expr | None, tuple[Scalar | Vector, ...]]


@dataclass
class Faults:
    """The diagnostics found so far; of one place a code is told once, whichever round of a loop found it."""

    found: list[Diagnostic] = field(default_factory=list)
    _places: set[tuple[str, Source, int, int] | Diagnostic] = field(default_factory=set)

    def add(self, d: Diagnostic | None) -> None:
        if d is None:
            return
        place = d if d.span is None else (d.code, d.span.source, d.span.start, d.span.end)
        if place not in self._places:
            self._places.add(place)
            self.found.append(d)

    @property
    def has_errors(self) -> bool:
        return any(d.is_error for d in self.found)

    def in_order(self) -> list[Diagnostic]:
        """The diagnostics in the order of the text; what is of no place comes first."""
        return sorted(self.found, key=lambda d: d.span.order if d.span else ())


@dataclass
class Names:
    """What names mean at this place, and where the file gives them their values."""

    scope: Scope = field(default_factory=Scope)
    # Where each name of the file first gets a value, loops included, bodies of `def` not.
    first_place: dict[str, Span] = field(default_factory=dict)
    # Names of which nothing more is said: undefined ones that were reported, and those that faulty lines may define.
    unknown: set[str] = field(default_factory=set)
    # Families of which lines that are left out may define members.
    partial: set[str] = field(default_factory=set)
    functions: dict[str, Function] = field(default_factory=dict)
    # How many names unknown ones were compared with.
    compared: int = 0
    # Where lines outside of loops give members of families their values, of the names for which that was asked.
    members: dict[str, dict[Indices, list[Span]]] = field(default_factory=dict)

    @cached_property
    def by_look(self) -> dict[str, list[str]]:
        """The names of the file by what they look like."""
        found: dict[str, list[str]] = {}
        for name in self.first_place:
            found.setdefault(plain(name), []).append(name)
        return found


@dataclass
class Draft:
    """The sets of the program so far (Setup B.2); instructions and members of 𝒱 are the emitter's."""

    matrices: list[Matrix] = field(default_factory=list)
    input_matrices: list[InputMatrix] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    # Names of data that hold unit vectors.
    unit_vectors: set[str] = field(default_factory=set)
    embeddings: list[Embedding] = field(default_factory=list)
    embedded: dict[tuple[str, DataRef | InputRef], str] = field(default_factory=dict)
    constants: list[Constant] = field(default_factory=list)
    constant_values: dict[Sym, Expr] = field(default_factory=dict)
    unfolded: dict[Sym, Expr] = field(default_factory=dict)
    # Scalars that depend on n alone.
    moving: set[Sym] = field(default_factory=set)
    data: list[Data] = field(default_factory=list)
    inputs: list[NetworkInput] = field(default_factory=list)
    # By their names.
    outputs: dict[str, Output] = field(default_factory=dict)
    readouts: list[Readout] = field(default_factory=list)
    # The vectors of the coordinates of biases of outputs.
    biases: set[str] = field(default_factory=set)
    train: list[Trained] | None = None
    # Where `train all` stands.
    train_all: Span | None = None


@dataclass
class Context:
    """The checker's state."""

    file: ast.File
    settings: Mapping[str, Any] = field(default_factory=dict)
    given_data: Mapping[str, Any] = field(default_factory=dict)
    emitter: Emitter = field(default_factory=Emitter)
    faults: Faults = field(default_factory=Faults)
    names: Names = field(default_factory=Names)
    draft: Draft = field(default_factory=Draft)
    # The statement being checked.
    here: Span | None = None
    # The name that the line being checked defines: names of intermediate results are made from it.
    stem: str = "t"
    # Inside a definition of coordinates everything is a number, and nothing may be emitted.
    pure: bool = False
    # In a line with Uᵀ, which stands for d lines: the column k that this one is of, and d.
    column: tuple[int, int] | None = None
    # The terms of the readout being checked in which a bias of the output may stand, by the identity of their nodes.
    terms_of_readout: frozenset[int] = frozenset()
    # The definitions that are being expanded, the outermost first.
    expanding: list[str] = field(default_factory=list)
    # How many terms the sums around this place stand for.
    terms: int = 1
    # Parameters that stay symbols, members of 𝒞, and the laws and factors that depend on them, by kind and name.
    symbols: frozenset[str] = frozenset()
    formulas: dict[tuple[str, str], Expr] = field(default_factory=dict)

    @cached_property
    def only_transposed(self) -> frozenset[str]:
        """The names that have ᵀ behind them wherever an expression has them."""
        from netsor.check.columns import only_transposed

        return only_transposed(self.file)

    @property
    def is_network(self) -> bool:
        return isinstance(self.file.header, ast.NetworkHeader)

    @coroutine
    def value(self, node: ast.Expr) -> Generator[ast.Node, Value, Value]:
        """What an expression denotes; raises Fault. See `netsor.check.expressions`."""
        return (yield node)

    @coroutine
    def condition(self, node: ast.Condition) -> Generator[ast.Node, Tested, Tested]:
        """What a test says; raises Fault. See `netsor.check.functions`."""
        return (yield node)

    @coroutine
    def statement(self, node: ast.Statement) -> Generator[ast.Node, None, None]:
        """Checks a statement; its faults go to `faults`. See `netsor.check.statements`."""
        yield node

    @contextmanager
    def block(self) -> Iterator[Scope]:
        """A scope inside the present one, for the index of a loop or a sum."""
        outer = self.names.scope
        self.names.scope = Scope(outer, loop=True)
        try:
            yield self.names.scope
        finally:
            self.names.scope = outer


class TooLong(Exception):
    """The program grew past what a program may be; the rest is not looked at."""

    def __init__(self, span: Span, count: int):
        self.span, self.count = span, count


class NeedsInstructions(Exception):
    """A definition turned out to hold MATMUL or MOMENT, so it is not a function of coordinates."""

    def __init__(self, span: Span):
        self.span = span

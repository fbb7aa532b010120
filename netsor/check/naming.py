"""Names and where they get their values: once each, above their use, local ones apart from outer ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from netsor.check import faults
from netsor.check.declarations import Declarations
from netsor.check.faults import Fault
from netsor.check.scope import Indices, Scope, core_name
from netsor.check.values import (
    POISON,
    Builtin,
    Family,
    InputMatrixValue,
    MatrixValue,
    Mean,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.diagnostics import Diagnostic, Span
from netsor.expr import Function, Sym
from netsor.syntax import ast


class Naming(Declarations):
    """The part of the checker that gives names their values: once each, above their use, local ones apart."""

    def __init__(
        self,
        file: ast.File,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        lost: Iterable[str],
        partial: Iterable[str] = (),
    ) -> None:
        super().__init__(settings, data)
        self.file = file
        self.is_network = isinstance(file.header, ast.NetworkHeader)
        # The statement being checked.
        self.here: Span | None = None
        self.placed: set[tuple[str, int, int]] = set()
        # Names of which nothing more is said.
        self.unknown: set[str] = set(lost)
        # Families of which lines that are left out may define members.
        self.partial: set[str] = set(partial)
        self.functions: dict[str, Function] = {}
        self.first_place = self.defined_names()
        self.unknown -= set(self.first_place)
        self.emitter.reserved = set(self.first_place) | _mentioned(file)

    def note(self, diagnostic: Diagnostic) -> None:
        self.add(diagnostic)

    def add(self, d: Diagnostic | None) -> None:
        """Report a fault once for each place, whichever iteration of a loop found it."""
        if d is None:
            return
        if d.span is not None:
            key = (d.code, d.span.start, d.span.end)
            if key in self.placed:
                return
            self.placed.add(key)
        self.report.add(d)

    def defined_names(self) -> dict[str, Span]:
        """Where each name of the file first gets a value, loops included, bodies of `def` not."""
        found: dict[str, Span] = {}
        stack: list[ast.Statement] = list(reversed(self.file.statements))
        while stack:
            s = stack.pop()
            match s:
                case ast.Assign() | ast.ScalarDecl():
                    found.setdefault(s.target.name, s.target.span)
                case ast.Output() if s.target is not None:
                    found.setdefault(s.target.name, s.target.span)
                case ast.MatrixDecl() | ast.VectorDecl():
                    for d in s.declarators:
                        found.setdefault(d.name, d.span)
                case ast.Param() | ast.Data() | ast.FunctionDef() | ast.Def():
                    found.setdefault(s.name.name, s.name.span)
                case ast.For():
                    stack.extend(reversed(s.body))
        return found

    def later(self, name: str) -> Span | None:
        place = self.first_place.get(name)
        return place if place is not None and self.here is not None and place.start > self.here.start else None

    def later_member(self, name: str, indices: Indices) -> Span | None:
        """Where a member of a family that does not exist yet is defined further down, outside of loops."""
        for s in self.file.statements:
            if self.here is None or s.span.start < self.here.end:
                continue
            targets: tuple[ast.Declarator | ast.Target, ...] = ()
            if isinstance(s, (ast.MatrixDecl, ast.VectorDecl)):
                targets = s.declarators
            if isinstance(s, (ast.Assign, ast.ScalarDecl)):
                targets = (s.target,)
            for t in targets:
                if t.name == name and t.indices and indices in self.quiet_members(t):
                    return t.span
        return None

    def quiet_members(self, t: ast.Target | ast.Declarator) -> Sequence[Indices]:
        try:
            return self.members(t) if isinstance(t, ast.Declarator) else [self.indices(t)]
        except Fault:
            return ()

    def is_partial(self, name: str) -> bool:
        return name in self.partial

    def places(self) -> Iterable[tuple[str, Span | None]]:
        yield from self.first_place.items()
        # Built-in names too may be typed with letters of another script.
        yield from super().places()

    def scope_place(self, name: str) -> Span | None:
        return self.first_place.get(name)

    def home(self) -> Scope:
        """The scope that takes new names: loops have none of their own."""
        scope = self.scope
        while scope.loop:
            assert scope.outer is not None
            scope = scope.outer
        return scope

    def bind(self, name: str, indices: Indices, value: Value, span: Span) -> str:
        """Give a name its value and return the name of the variable in the core; raises Fault where it has one."""
        home = self.home()
        self.check_free(name, indices, span)
        core = core_name(name, indices)
        if home.prefix:
            core = self.emitter.fresh(home.prefix, core)
            value = _renamed(value, core)
        else:
            self.emitter.taken.add(core)
        home.bind(name, indices, value, span)
        return core

    def check_free(self, name: str, indices: Indices, span: Span) -> None:
        home = self.home()
        before = home.here(name, indices)
        if before is not None and (indices or home.names.get(name) is not None):
            existing = home.names.get(name)
            if not indices and isinstance(existing, Family):
                raise Fault(faults.name_clash(span, name, before, "a family"))
            raise Fault(faults.assigned_twice(span, core_name(name, indices), before, declared=False))
        if indices:
            existing = home.names.get(name)
            if existing is not None and not isinstance(existing, Family):
                raise Fault(faults.name_clash(span, name, home.here(name), kind_name(existing)))
            if isinstance(existing, Family) and existing.members:
                depth = len(next(iter(existing.members)))
                if depth != len(indices):
                    raise Fault(faults.index_out_of_range(span, name, indices, sorted(existing.members), None))

    @contextmanager
    def block(self) -> Iterator[None]:
        outer = self.scope
        self.scope = Scope(outer, loop=True)
        try:
            yield
        finally:
            self.scope = outer

    def name(self, node: ast.Name) -> Value:
        if node.name in self.unknown and self.scope.lookup(node.name) is None:
            return POISON
        value = super().name(node)
        if isinstance(value, Itself):
            raise Fault(faults.recursive(node.span, value.name, (value.name,)))
        if isinstance(value, (Builtin, Mean)):
            self.check_not_redefined(node)
        return value

    def check_not_redefined(self, node: ast.Name) -> None:
        """A built-in name that the program redefines means the program's, so it may not be used above that line."""
        place = self.first_place.get(node.name)
        if place is not None and self.here is not None and place.start >= self.here.end:
            raise Fault(faults.unknown_name(node.span, node.span.text, None, place))

    def unknown_fault(self, span: Span, name: str) -> Fault:
        """A name that nobody defines is reported where it is first used, and not again."""
        if name in self.unknown:
            return Fault(None)
        self.unknown.add(name)
        place = self.first_place.get(name)
        if place is not None and self.here is not None and self.here.start <= place.start < self.here.end:
            return Fault(faults.used_by_itself(span, name, place))
        return super().unknown_fault(span, name)


class Itself(Poison):
    """A definition's own name inside its body."""

    def __init__(self, name: str):
        object.__setattr__(self, "name", name)

    name: str


def _renamed(value: Value, core: str) -> Value:
    match value:
        case Vector():
            return Vector(Sym(core))
        case Scalar() if value.number is None:
            return Scalar(Sym(core))
        case MatrixValue():
            return MatrixValue(core, value.transposed)
        case InputMatrixValue():
            return InputMatrixValue(core)
        case _:
            return value


def _mentioned(file: ast.File) -> set[str]:
    """Every name of the text, so that names made for intermediate results meet none of them."""
    found: set[str] = set()
    for node in ast.walk(file):
        match node:
            case ast.Name() | ast.Target() | ast.Declarator():
                found.add(node.name)
    return found

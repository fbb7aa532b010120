"""Statements: loops unrolled, definitions inlined, labels and promises held to what the line says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import NoneType
from typing import Any

from netsor.check import faults
from netsor.check.declarations import MOST_INSTRUCTIONS, Declarations
from netsor.check.expressions import NeedsInstructions
from netsor.check.faults import Fault
from netsor.check.scope import Indices, Scope, core_name
from netsor.check.values import (
    POISON,
    Builtin,
    Covector,
    Family,
    FunctionValue,
    Inlined,
    InputMatrixValue,
    MatrixValue,
    Mean,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.core import MatMul, Moment, Nonlin, Output, Program, Readout, Trained
from netsor.diagnostics import Diagnostic, Span
from netsor.expr import ONE, WIDTH, Add, Const, Expr, Function, Mul, Pow, Sym, mul, split_coefficient, substitute
from netsor.expr.asymptotics import Diverges, at_infinite_width, find_quotients
from netsor.expr.functions import PUBLIC
from netsor.syntax import ast

# Definitions used inside one another, and what Python's own stack must hold for them and for trees 500 levels deep.
MOST_NESTED = 300
_RECURSION = 25_000
_ARTICLES = {"MATMUL": "a MATMUL", "NONLIN": "a NONLIN", "NONLIN+": "a NONLIN⁺", "MOMENT": "a MOMENT", "INIT": "a member of 𝒱"}


class Checker(Declarations):
    """Checks a file and lowers it to a core program; every fault goes to `report`, and none hides another."""

    def __init__(
        self, file: ast.File, settings: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None,
        lost: Iterable[str] = (),
    ):
        """`lost` are names that faulty lines, left out of `file`, may define: nothing is said of what uses them."""
        super().__init__(settings or {}, data or {})
        self.is_whole = not lost
        self.file = file
        self.outputs: list[Output] = []
        self.readouts: list[Readout] = []
        self.train: list[Trained] | None = None
        self.placed: set[tuple[str, int, int]] = set()
        self.unknown: set[str] = set(lost)  # names of which nothing more is said
        self.functions: dict[str, Function] = {}
        self.first_place = self.defined_names()
        self.unknown -= set(self.first_place)
        self.emitter.reserved = set(self.first_place) | _mentioned(file)
        self.is_network = isinstance(file.header, ast.NetworkHeader)

    def run(self) -> Program | None:
        """The core program, or None where there are errors."""
        import sys

        depth = sys.getrecursionlimit()
        # Trees are at most 500 levels deep and definitions nest: deeper than Python's own limit, not without bound.
        sys.setrecursionlimit(max(depth, _RECURSION))
        try:
            return self.check_all()
        finally:
            sys.setrecursionlimit(depth)

    def check_all(self) -> Program | None:
        params = {s.name.name for s in self.file.statements if isinstance(s, ast.Param)}
        for name in self.settings:
            if name not in params | self.unknown:
                import difflib

                like = difflib.get_close_matches(name, sorted(params), n=1)
                self.add(faults.unknown_param(name, like[0] if like else None, sorted(params)))
        declared = {s.name.name for s in self.file.statements if isinstance(s, ast.Data)}
        for name in self.given_data:
            if name not in declared | self.unknown:
                self.add(faults.unknown_data(name, sorted(declared)))
        header_done = not self.is_network
        for statement in self.file.statements:
            # `param` lines may precede the header, whose ranges use them.
            if not header_done and not isinstance(statement, ast.Param):
                self.header()
                header_done = True
            try:
                self.statement(statement)
            except TooLong as fault:
                self.add(faults.too_long(fault.span, fault.count))
                break
        if not header_done:
            self.header()
        self.finish()
        return None if self.report.has_errors else self.program()

    def header(self) -> None:
        assert isinstance(self.file.header, ast.NetworkHeader)
        try:
            self.network_inputs(self.file.header)
        except Fault as fault:
            self.add(fault.diagnostic)

    def finish(self) -> None:
        if self.report.has_errors or not self.is_whole:
            return
        if self.is_network:
            assert self.file.header is not None
            if not self.readouts:
                self.add(faults.no_readout(self.file.header.span, self.file.header.name))
        elif not self.outputs:
            self.add(faults.no_outputs())

    def program(self) -> Program:
        name = self.file.header.name if self.file.header else ""
        return Program(
            name=name, kind="network" if self.is_network else "program", matrices=tuple(self.matrices),
            input_matrices=tuple(self.input_matrices), groups=tuple(self.groups), embeddings=tuple(self.embeddings),
            constants=tuple(self.constants), data=tuple(self.data), instructions=tuple(self.emitter.instructions),
            outputs=tuple(self.outputs), inputs=tuple(self.inputs), readouts=tuple(self.readouts),
            train=None if self.train is None else tuple(self.train),
        )

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

    # --- names ------------------------------------------------------------------------------------------------

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

    here: Span | None = None

    def later_member(self, name: str, indices: Indices) -> Span | None:
        """Where a member of a family that does not exist yet is defined further down, outside of loops."""
        for s in self.file.statements:
            if self.here is None or s.span.start < self.here.end:
                continue
            targets = s.declarators if isinstance(s, (ast.MatrixDecl, ast.VectorDecl)) else ()
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

    # --- dispatch ---------------------------------------------------------------------------------------------

    def statement(self, node: ast.Statement) -> None:
        self.here = node.span
        mark = len(self.emitter.instructions)
        try:
            match node:
                case ast.Param():
                    self.param(node)
                case ast.Data():
                    self.data_line(node)
                case ast.ScalarDecl():
                    self.scalar(node)
                case ast.MatrixDecl():
                    self.matrix(node)
                case ast.VectorDecl():
                    self.vector(node)
                case ast.FunctionDef():
                    self.function(node)
                case ast.Def():
                    self.definition(node)
                case ast.Assign():
                    self.assign(node)
                case ast.Output():
                    self.output(node)
                case ast.Train():
                    self.train_line(node)
                case ast.For():
                    self.loop(node)
        except Fault as fault:
            self.add(fault.diagnostic)
            self.emitter.undo(mark)
            self.poison(node)
        except RecursionError:
            if self.expanding:
                raise  # told at the line that expands, with the stack unwound
            self.add(faults.too_deep(node.span))
            self.poison(node)
        if len(self.emitter.instructions) > MOST_INSTRUCTIONS:
            raise TooLong(node.span, len(self.emitter.instructions))

    def poison(self, node: ast.Statement) -> None:
        """Names that a faulty line would have defined: what uses them is not reported."""
        home = self.home()
        match node:
            case ast.Assign() | ast.ScalarDecl():
                targets = [(node.target.name, self.quiet_indices(node.target.indices), node.target.span)]
            case ast.Output() if node.target is not None:
                targets = [(node.target.name, self.quiet_indices(node.target.indices), node.target.span)]
            case ast.MatrixDecl() | ast.VectorDecl():
                targets = [(d.name, None, d.span) for d in node.declarators]
            case ast.Param() | ast.Data() | ast.FunctionDef() | ast.Def():
                targets = [(node.name.name, (), node.name.span)]
            case _:
                targets = []
        for name, indices, span in targets:
            if indices is None:
                home.names.setdefault(name, POISON)
                home.places.setdefault((name, ()), span)
            elif home.here(name, indices) is None:
                if indices and not isinstance(home.names.get(name), (Family, NoneType)):
                    continue
                home.bind(name, indices, POISON, span)

    def quiet_indices(self, nodes: Sequence[ast.Expr]) -> Indices | None:
        try:
            return tuple(self.integer(i, "an index") for i in nodes)
        except Fault:
            return None

    # --- loops ------------------------------------------------------------------------------------------------

    def loop(self, node: ast.For) -> None:
        name = node.index.name
        count = self.unrolled(node)
        if count > MOST_INSTRUCTIONS:
            raise Fault(faults.too_long(node.head, count))
        for i in self.range(node.range):
            with self.block():
                self.scope.names[name] = Scalar(Const(i))
                for statement in node.body:
                    self.statement(statement)

    def unrolled(self, node: ast.For) -> int:
        """How many lines a loop stands for, found without unrolling it."""
        values = self.range(node.range)
        inner = [s for s in node.body if isinstance(s, ast.For)]
        plain = len(node.body) - len(inner)
        if not inner or not values:
            return plain * len(values)
        mentions = any(
            isinstance(x, ast.Name) and x.name == node.index.name
            for loop in inner for f in ast.walk(loop) if isinstance(f, ast.For) for x in ast.walk(f.range)
        )
        sample = values if mentions and len(values) <= 10_000 else values[:1]
        total = 0
        for i in sample:
            with self.block():
                self.scope.names[node.index.name] = Scalar(Const(i))
                total += plain + sum(self.unrolled(loop) for loop in inner)
        return total if len(sample) == len(values) else total * len(values)

    # --- definitions ------------------------------------------------------------------------------------------

    def function(self, node: ast.FunctionDef) -> None:
        """φ(u) = …: a function of coordinates where it can be one, else expanded where it is used."""
        name = node.name.name
        params = self.parameters(name, node.params, node.scalar_params)
        outer, was_pure = self.scope, self.pure
        self.scope = Scope(outer)
        symbols = tuple(Sym(p) for p in params)
        for p, s in zip(params, symbols, strict=True):
            self.scope.names[p] = Scalar(s)
        self.scope.names.setdefault(name, _Itself(name))
        self.pure = True
        instructions = False
        body: Value = POISON
        try:
            body = self.value(node.body)
        except NeedsInstructions:
            instructions = True
        except Fault as fault:
            if self.is_about_vectors(node, params, fault):
                instructions = True
            else:
                raise
        finally:
            self.scope, self.pure = outer, was_pure
        vectors = self.names_variables(node.body, set(params))
        if instructions or isinstance(body, (Vector, Covector)) or vectors:
            self.check_names((node.body,), set(params))
            self.define(node.name, Inlined(name, tuple(p.name for p in node.params), tuple(p.name for p in node.scalar_params), (), node.body, outer))
            return
        if isinstance(body, Poison):
            raise Fault(None)
        if not isinstance(body, Scalar):
            body = self.as_number(body, node.body)  # type: ignore[assignment]
        assert isinstance(body, Scalar)
        function = self.named_apart(Function(name, symbols, body.expr, len(node.params)))
        self.define(node.name, FunctionValue(function, (0,) * len(params)))

    def named_apart(self, f: Function) -> Function:
        """A function defined inside a `def`, under a name that no other function or variable of the core bears."""
        candidate, k = f.name, 0
        if self.home().prefix:
            while candidate in PUBLIC or candidate in self.first_place or self.functions.get(candidate, f) is not f:
                k += 1
                candidate = f"{f.name}_{k}"
                if candidate in self.emitter.reserved or candidate in self.emitter.taken:
                    candidate = f.name
                else:
                    f = Function(candidate, f.params, f.body, f.vectors)
        self.functions[candidate] = f
        self.emitter.reserved.add(candidate)
        return f

    def is_about_vectors(self, node: ast.FunctionDef, params: Sequence[str], fault: Fault) -> bool:
        """Whether a body faulty as a function of coordinates speaks of vectors: xᵀ y, W x, mean."""
        if any(isinstance(x, (ast.Transpose, ast.Inner)) for x in ast.walk(node.body)):
            return True
        return self.names_variables(node.body, set(params))

    def names_variables(self, body: ast.Expr, params: set[str]) -> bool:
        for x in ast.walk(body):
            if isinstance(x, ast.Name) and x.name not in params and x.name not in ("n", "pi"):
                found = self.scope.lookup(x.name)
                if isinstance(found, (MatrixValue, InputMatrixValue, Vector, Mean, Inlined)):
                    return True
                if isinstance(found, Scalar) and found.number is None:
                    return True
                if isinstance(found, Family):
                    return True
        return False

    def parameters(self, name: str, params: Sequence[ast.Name], scalars: Sequence[ast.Name]) -> list[str]:
        seen: list[str] = []
        for p in (*params, *scalars):
            if p.name in seen:
                raise Fault(faults.repeated_parameter(p.span, p.name, name))
            seen.append(p.name)
        return seen

    def definition(self, node: ast.Def) -> None:
        self.parameters(node.name.name, node.params, node.scalar_params)
        if any(isinstance(x, ast.Name) and x.name == node.name.name for s in (*node.body, node.value) for x in ast.walk(s)):
            local = {s.target.name for s in node.body if isinstance(s, ast.Assign)} | {p.name for p in node.params}
            if node.name.name not in local:
                place = next(x.span for s in (*node.body, node.value) for x in ast.walk(s) if isinstance(x, ast.Name) and x.name == node.name.name)
                raise Fault(faults.recursive(place, node.name.name, (node.name.name,)))
        for s in node.body:
            for x in ast.walk(s):
                if isinstance(x, (ast.Param, ast.Data, ast.Output, ast.Train)):
                    raise Fault(faults.no_place(x.span, x.span.text.split()[0], f"the definition of `{node.name.name}`"))
        params = tuple(p.name for p in node.params)
        scalars = tuple(p.name for p in node.scalar_params)
        self.check_names((*node.body, node.value), {*params, *scalars})
        self.define(node.name, Inlined(node.name.name, params, scalars, node.body, node.value, self.scope))

    def check_names(self, nodes: Sequence[ast.Node], local: set[str]) -> None:
        """Report a name that a definition uses and nobody defines, also where the definition is never used."""
        inside = [x for node in nodes for x in ast.walk(node)]
        for x in inside:
            match x:
                case ast.Target() | ast.Declarator():
                    local.add(x.name)
                case ast.For() | ast.Sum():
                    local.add(x.index.name)
                case ast.FunctionDef():
                    local.update(p.name for p in (x.name, *x.params, *x.scalar_params))
        for x in inside:
            if isinstance(x, ast.Name) and x.name not in local and x.name not in ("n", "pi"):
                found = self.scope.lookup(x.name)
                if found is None:
                    raise self.unknown_fault(x.span, x.name)
                if isinstance(found, (Builtin, Mean)):
                    self.check_not_redefined(x)

    def define(self, name: ast.Name, value: Value) -> None:
        self.check_free(name.name, (), name.span)
        self.home().bind(name.name, (), value, name.span)

    def name(self, node: ast.Name) -> Value:
        if node.name in self.unknown and self.scope.lookup(node.name) is None:
            return POISON
        value = super().name(node)
        if isinstance(value, _Itself):
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
        return super().unknown_fault(span, name)

    def expand(self, node: ast.Apply, f: Inlined) -> Value:
        """A definition with steps, or with MATMUL or MOMENT, written out where it is used."""
        if len(node.args) != len(f.params) or len(node.scalars) != len(f.scalar_params):
            raise Fault(
                faults.inlined_arity(node.span, f.name, f.params, f.scalar_params, len(node.args), len(node.scalars), self.scope_place(f.name))
            )
        if f.name in self.expanding:
            raise Fault(faults.recursive(node.callee.span, f.name, self.expanding))
        if len(self.expanding) >= MOST_NESTED:
            raise Fault(faults.too_deep(node.span))
        values = [self.value(a) for a in (*node.args, *node.scalars)]
        for v, a in zip(values, (*node.args, *node.scalars), strict=True):
            if isinstance(v, Covector):
                raise Fault(faults.transposed_vector_alone(a.span))
        for v, a in zip(values[len(f.params) :], node.scalars, strict=True):
            if not isinstance(v, (Scalar, Poison)):
                raise Fault(faults.wrong_kind(a.span, a.span.text, kind_name(v), "a scalar"))
        if any(isinstance(v, Poison) for v in values):
            return POISON
        if self.pure:
            raise NeedsInstructions(node.span)
        outer, stem, was_here = self.scope, self.stem, self.here
        self.scope = Scope(f.scope, prefix=stem)  # type: ignore[arg-type]
        self.expanding.append(f.name)
        try:
            for p, v, a in zip((*f.params, *f.scalar_params), values, (*node.args, *node.scalars), strict=True):
                self.scope.names[p] = v
                self.scope.places[(p, ())] = a.span
            for statement in f.body:
                before = len(self.report.items)
                self.statement(statement)
                if any(d.is_error for d in self.report.items[before:]):
                    return POISON
            self.stem, self.here = stem, f.value.span
            return self.value(f.value)
        finally:
            self.expanding.pop()
            self.scope, self.stem, self.here = outer, stem, was_here

    # --- assignments ------------------------------------------------------------------------------------------

    def assign(self, node: ast.Assign) -> None:
        indices = self.indices(node.target)
        self.check_free(node.target.name, indices, node.target.span)
        self.define_variable(node.target, indices, node.value, node.label, node.promise, node.span)

    def define_variable(
        self, target: ast.Target, indices: Indices, value: ast.Expr, label: ast.LineLabel | None,
        promise: ast.Promise | None, span: Span, scalar_only: bool = False,
    ) -> Value:
        home = self.home()
        name = core_name(target.name, indices)
        if home.prefix:
            name = self.emitter.fresh(home.prefix, name)
        outer_stem, self.stem = self.stem, name
        mark, embedded = len(self.emitter.instructions), len(self.embeddings)
        try:
            result = self.value(value)
        finally:
            self.stem = outer_stem
        result = self.as_number(result, value)
        if isinstance(result, Poison):
            raise Fault(None)
        if scalar_only and not isinstance(result, Scalar):
            raise Fault(faults.output_not_scalar(value.span, value.span.text, kind_name(result)))
        order = self.check_promise(promise, result, value, mark) if promise else ()
        match result:
            case Vector():
                self.name_vector(name, self.checked(result.expr, value.span), span, order, mark, embedded)
            case Scalar():
                self.name_scalar(name, result.expr, value, span, mark, label is not None, order)
            case _:
                raise Fault(faults.transposed_vector_alone(value.span))
        self.emitter.taken.add(name)
        if label is not None:
            self.check_label(label, name, mark, embedded, value, target)
        bound = Vector(Sym(name)) if isinstance(result, Vector) else Scalar(Sym(name))
        home.bind(target.name, indices, bound, target.span)
        return bound

    def name_vector(self, name: str, e: Expr, span: Span, order: tuple[str, ...], mark: int, embedded: int) -> None:
        if isinstance(e, Sym) and str(e.name) in self.emitter.temporary:
            old = str(e.name)
            if self.emitter.rename(old, name, span, mark) or self.name_embedding(old, name, span, embedded):
                return
        self.emitter.nonlin(name, e, span, order)

    def name_scalar(
        self, name: str, e: Expr, value: ast.Expr, span: Span, mark: int, labelled: bool, order: tuple[str, ...]
    ) -> None:
        if isinstance(e, Sym) and str(e.name) in self.emitter.temporary and len(self.emitter.instructions) > mark:
            last = self.emitter.instructions[-1]
            if last.name == e.name and isinstance(last, Moment):
                if order:
                    last = replace(last, vectors=_ordered(last.vectors, order), scalars=_ordered(last.scalars, order))
                    self.emitter.instructions[-1] = last
                self.emitter.rename(str(e.name), name, span, mark)
                return
        factors = e.children if isinstance(e, Mul) else (e,)
        if labelled or (isinstance(e, Mul) and all(isinstance(f, (Sym, Const)) for f in factors)):
            joined = self.emitter.as_one_moment(e, mark)
            if joined is not None:
                e = joined
        e = self.checked(e, value.span)
        self.emitter.named_moment(name, e, span, order)
        if e.free and e.free <= self.moving | {WIDTH}:
            # A function of n alone, whatever line it stands on: what divides by it may diverge.
            self.constant_values[Sym(name)] = substitute(e, self.constant_values)
            self.moving.add(Sym(name))

    def checked(self, e: Expr, span: Span) -> Expr:
        written = e
        while True:
            if WIDTH not in e.free and not (e.free & self.moving):
                return e
            e = find_quotients(e)
            try:
                at_infinite_width(substitute(e, self.constant_values))
                return e
            except Diverges as d:
                rate = d
            # √n may hide in a scalar: (F(x + ε d) − F(x))/ε with ε = 1/√n is ψ* too.
            e = substitute(written, self.constant_values)
            if e is written:
                break
            written = e
        text = span.text
        if not rate.grows:
            raise Fault(faults.no_limit(span, text, rate.rate))
        inner = any(c in text for c in "ᵀ⊤⟨<") or "^T" in text
        raise Fault(faults.divergent(span, text, rate.rate, inner))

    # --- claims -----------------------------------------------------------------------------------------------

    def check_label(
        self, label: ast.LineLabel, name: str, mark: int, embedded: int, value: ast.Expr, target: ast.Target
    ) -> None:
        made = self.emitter.instructions[mark:]
        claimed = label.kind.replace("+", "⁺")
        if not made:
            actual = "INIT"
        else:
            last = made[-1]
            actual = self.instruction_kind(last)
            extra: list[Any] = [i for i in made[:-1] if not (isinstance(i, Moment) and not i.vectors)]
            if isinstance(last, MatMul) and len(extra) == 1 and extra[0].name == last.vector and is_sum(extra[0]):
                extra = []  # W (x + y), as the language's own table has it
            extra += self.embeddings[embedded:]
            if extra:
                pieces = [f"{_ARTICLES[self.instruction_kind(i)]} `{_piece(i)}`" for i in extra] + [f"then {_ARTICLES[actual]}"]
                hint = f"give `{_piece(extra[0])}` a line of its own, or drop the label"
                raise Fault(faults.several_instructions(label.span, claimed, pieces, hint))
            if label.kind == "NONLIN" and actual == "NONLIN" and made[:-1]:
                actual = "NONLIN+"
        accepted = {actual, "NONLIN+"} if actual == "NONLIN" else {actual}
        if not made and len(self.embeddings) == embedded:
            accepted |= {"NONLIN", "NONLIN+"}  # an expression in vectors that is a number whatever they are
        if label.kind in accepted:
            return
        described = _ARTICLES[actual]
        if actual == "NONLIN+" and made:
            scalars = getattr(made[-1], "scalars", ())
            described += f" (it has the parameter `{scalars[0] if scalars else '1/√n'}`)"
        shown = actual.replace("+", "⁺") if label.kind != "NONLIN" else actual
        raise Fault(faults.label_claim(label.span, claimed, described, f"write `{shown}:`, or drop the label", value.span))

    @staticmethod
    def instruction_kind(i: object) -> str:
        match i:
            case MatMul():
                return "MATMUL"
            case Nonlin():
                return "NONLIN+" if i.scalars or WIDTH in i.psi.free else "NONLIN"
            case Moment():
                return "MOMENT"
            case _:
                return "INIT"

    def check_promise(self, promise: ast.Promise, result: Value, value: ast.Expr, mark: int) -> tuple[str, ...]:
        """ψ(x, y; θ) names the vectors and scalars that the expression uses; the order it gives them in."""
        assert isinstance(result, (Scalar, Vector, Covector))
        e = result.expr
        used = self.emitter.inputs((str(s.name) for s in self.emitter.symbols(e)), mark)
        vectors = self.promised_names(promise.vectors, "vectors")
        scalars = self.promised_names(promise.scalars, "scalars")
        at = value.span
        extra = [u for u in used if u in self.emitter.vectors and u not in vectors]
        if extra:
            raise Fault(faults.promise_broken(at, list(vectors), extra, "vectors"))
        extra = [u for u in used if u not in self.emitter.vectors and u not in scalars]
        joined = self.emitter.preview_moment(e, mark)[0] if isinstance(result, Scalar) else None
        if WIDTH in (e if joined is None else joined).free and "n" not in scalars:
            extra.append("1/√n")
        if extra:
            raise Fault(faults.promise_broken(at, [s for s in scalars if s != "n"], extra, "scalars"))
        for name, span in {**vectors, **scalars}.items():
            if name not in used and name != "n":
                self.add(faults.promise_unused(span, span.text))
        return (*vectors, *scalars)

    def promised_names(self, nodes: Sequence[ast.Expr], what: str) -> dict[str, Span]:
        """The variables that slots of ψ name; `n` where one holds the width."""
        found: dict[str, Span] = {}
        for node in nodes:
            mark = len(self.emitter.instructions)
            v = self.numeric(node)
            if len(self.emitter.instructions) > mark:
                raise Fault(faults.promise_slot(node.span, node.span.text))
            if isinstance(v, Poison):
                continue
            if WIDTH in v.expr.free:
                found["n"] = node.span
            is_vector = isinstance(v, Vector)
            if is_vector != (what == "vectors") and not (what == "vectors" and isinstance(v, Scalar) and v.number is not None):
                raise Fault(faults.promise_kind(node.span, node.span.text, kind_name(v), what))
            for s in self.emitter.symbols(v.expr):
                found[str(s.name)] = node.span
        return found

    def constant_test(self, node: ast.If) -> None:
        from netsor.expr.evaluate import truth

        if self.pure:
            return
        decided = truth(self.condition(node.test, []))  # type: ignore[arg-type]
        if decided is not None and not self.depends_on_constants(node.test):
            self.add(faults.constant_condition(node.test.span, node.test.span.text, "true" if decided else "false"))

    def depends_on_constants(self, node: ast.Node) -> bool:
        """A test of parameters or loop indices chooses a branch on purpose."""
        return any(isinstance(x, ast.Name) for x in ast.walk(node))

    # --- outputs ----------------------------------------------------------------------------------------------

    def output(self, node: ast.Output) -> None:
        if self.is_network:
            self.readout(node)
            return
        if node.target is None:
            if isinstance(node.value, (ast.Name, ast.Index)):
                value = self.value(node.value)
                if isinstance(value, Poison):
                    return
                if isinstance(value, Scalar) and isinstance(value.expr, Sym):
                    name = str(value.expr.name)
                    self.add_output(name, name, node.span)
                    return
            target = ast.Target(self.free_stem("out"), (), span=node.value.span)
        else:
            target = node.target
        indices = self.indices(target)
        self.check_free(target.name, indices, target.span)
        result = self.define_variable(target, indices, node.value, None, None, node.span, scalar_only=True)
        assert isinstance(result, Scalar) and isinstance(result.expr, Sym)
        name = str(result.expr.name)
        self.add_output(name, name, node.span)

    def free_stem(self, stem: str) -> str:
        candidate, k = stem, 0
        while candidate in self.emitter.reserved or self.home().here(candidate) is not None:
            k += 1
            candidate = f"{stem}{k}"
        return candidate

    def add_output(self, shown: str, scalar: str, span: Span) -> None:
        if any(o.name == shown for o in self.outputs):
            return
        self.outputs.append(Output(shown, scalar, span))

    # --- networks ---------------------------------------------------------------------------------------------

    def readout(self, node: ast.Output) -> None:
        """f = Σ c vᵀ x / √n (Setup D.1)."""
        text = node.value.span.text
        name = core_name(node.target.name, self.indices(node.target)) if node.target else f"f{len(self.readouts) + 1}" if self.readouts else "f"
        outer_stem, self.stem = self.stem, name
        mark = len(self.emitter.instructions)
        try:
            value = self.numeric(node.value)
        finally:
            self.stem = outer_stem
        if isinstance(value, Poison):
            return
        if not isinstance(value, Scalar):
            raise Fault(faults.readout_shape(node.value.span, text))
        moments = {i.name: i for i in self.emitter.instructions if isinstance(i, Moment) and i.name in self.emitter.temporary}
        terms = []
        used = set()
        for term in value.expr.children if isinstance(value.expr, Add) else (value.expr,):
            c, rest = split_coefficient(term)
            factors = list(rest.children) if isinstance(rest, Mul) else [rest]
            roots = [f for f in factors if isinstance(f, Pow) and f.base is WIDTH and f.exponent is Const(0.5)]
            syms = [f for f in factors if isinstance(f, Sym) and f.name in moments]
            if len(factors) != 2 or not roots or not syms:
                raise Fault(faults.readout_shape(node.value.span, text))
            psi = moments[str(syms[0].name)].psi
            used.add(str(syms[0].name))
            pair = self.readout_pair(psi)
            if pair is None:
                raise Fault(faults.readout_shape(node.value.span, text))
            scale, v, x = pair
            terms.append((float(c * scale), v, x))
        kept = [i for i in self.emitter.instructions[mark:] if i.name not in used]
        self.emitter.forget(i.name for i in self.emitter.instructions[mark:] if i.name in used)
        self.emitter.instructions[mark:] = kept
        made = tuple((c, v, self.emitter.vector_name(name, x, node.span)) for c, v, x in terms)
        if node.target is not None:
            self.check_free(node.target.name, self.indices(node.target), node.target.span)
            self.home().bind(node.target.name, self.indices(node.target), POISON, node.target.span)
        self.readouts.append(Readout(name, made, node.span))

    def readout_pair(self, psi: Expr) -> tuple[float, str, Expr] | None:
        """ψ = c v x with v a declared vector of parameters."""
        declared = {n for g in self.groups for n in g.names}
        c, rest = split_coefficient(psi)
        if isinstance(rest, Pow) and rest.exponent is Const(2) and isinstance(rest.base, Sym) and rest.base.name in declared:
            return float(c), str(rest.base.name), rest.base
        factors = list(rest.children) if isinstance(rest, Mul) else [rest]
        for i, f in enumerate(factors):
            if isinstance(f, Sym) and f.name in declared:
                others = factors[:i] + factors[i + 1 :]
                return (float(c), str(f.name), mul(*others)) if others else (float(c), str(f.name), ONE)
        return None

    def train_line(self, node: ast.Train) -> None:
        if not self.is_network:
            raise Fault(faults.train_in_program(node.span))
        if self.train is None:
            self.train = []
        for item in node.items:
            d = item.declarator
            base = self.scope.lookup(d.name)
            if base is None:
                if d.indices and not self.members(d):
                    continue  # an empty family, as W[2..L] is where L = 1
                raise self.unknown_fault(d.span, d.name)
            if isinstance(base, Family) and not d.indices:
                found: list[Indices] = sorted(base.members)
            else:
                found = self.members(d)
            multiplier = None if item.multiplier is None else float(self.number(item.multiplier, "a multiplier"))
            for indices in found:
                self.train_one(d, indices, multiplier)

    def train_one(self, d: ast.Declarator, indices: Indices, multiplier: float | None) -> None:
        assert self.train is not None
        value = self.scope.lookup(d.name)
        if indices:
            if not isinstance(value, Family) or indices not in value.members:
                members = sorted(value.members) if isinstance(value, Family) else []
                raise Fault(faults.index_out_of_range(d.span, d.name, indices, members, None))
            value = value.members[indices]
        name = core_name(d.name, indices)
        groups = {n: g for g in self.groups for n in g.names}
        if isinstance(value, Poison):
            return
        if not isinstance(value, (MatrixValue, InputMatrixValue)) and name not in groups:
            raise Fault(faults.train_not_parameter(d.span, name, kind_name(value) if value else "no variable"))
        if any(t.name == name for t in self.train):
            raise Fault(faults.trained_twice(d.span, name))
        if name in groups:
            g = groups[name]
            if multiplier is not None and len(g.names) > 1:
                raise Fault(faults.train_joint(d.span, name))
            if multiplier is None and all(x == 0 for row in g.covariance for x in row):
                raise Fault(faults.train_zero_variance(d.span, name))
        self.train.append(Trained(name, multiplier, d.span))


def is_sum(i: object) -> bool:
    """Whether an instruction only adds up vectors with numbers before them, as in W (x + y)."""
    if not isinstance(i, Nonlin) or i.scalars:
        return False
    terms = i.psi.children if isinstance(i.psi, Add) else ()
    return bool(terms) and all(isinstance(split_coefficient(t)[1], Sym) for t in terms)


class TooLong(Exception):
    """The program grew past what a program may be; the rest is not looked at."""

    def __init__(self, span: Span, count: int):
        self.span, self.count = span, count


class _Itself(Poison):
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


def _ordered(names: tuple[str, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(x for x in order if x in names) + tuple(x for x in names if x not in order)


def _piece(i: Any) -> str:
    text = " ".join(i.span.text.split()) if i.span else i.name
    return text if len(text) <= 30 else text[:29] + "…"


def _mentioned(file: ast.File) -> set[str]:
    """Every name of the text, so that names made for intermediate results meet none of them."""
    found: set[str] = set()
    for node in ast.walk(file):
        match node:
            case ast.Name() | ast.Target() | ast.Declarator():
                found.add(node.name)
    return found

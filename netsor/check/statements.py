"""Statements: loops unrolled, definitions inlined, labels and promises held to what the line says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import Any

from netsor.check import faults
from netsor.check.declarations import MOST_INSTRUCTIONS
from netsor.check.faults import Fault
from netsor.check.networks import Networks
from netsor.check.scope import Indices, core_name
from netsor.check.values import (
    POISON,
    Family,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.core import Moment, Output, Program
from netsor.diagnostics import Diagnostic, Span
from netsor.expr import WIDTH, ZERO, Add, Const, Expr, Mul, Sym, canonical, mul, split_coefficient, substitute, to_text
from netsor.expr.asymptotics import Diverges
from netsor.expr.infinite_width import at_infinite_width, limit_of_factors, what_diverges
from netsor.expr.quotients import find_quotients
from netsor.syntax import ast

# What Python's own stack must hold for trees 500 levels deep and definitions that use one another.
_RECURSION = 25_000


class Checker(Networks):
    """Checks a file and lowers it to a core program; every fault goes to `report`, and none hides another."""

    def __init__(
        self,
        file: ast.File,
        settings: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        lost: Iterable[str] = (),
        partial: Iterable[str] = (),
    ):
        """`lost` are names that faulty lines, left out of `file`, may define: nothing is said of what uses them.

        `partial` are those of families that such lines may give members.
        """
        super().__init__(file, settings or {}, data or {}, lost, partial)
        self.is_whole = not lost
        self.outputs: list[Output] = []

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
            name=name,
            kind="network" if self.is_network else "program",
            matrices=tuple(self.matrices),
            input_matrices=tuple(self.input_matrices),
            groups=tuple(self.groups),
            embeddings=tuple(self.embeddings),
            constants=tuple(self.constants),
            data=tuple(self.data),
            instructions=tuple(self.emitter.instructions),
            outputs=tuple(self.outputs),
            inputs=tuple(self.inputs),
            readouts=tuple(self.readouts),
            train=None if self.train is None else tuple(self.train),
        )

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
            case ast.For():
                # Which members its rounds would have made is not known.
                self.partial |= {name for name, _ in _made_in(node)}
                targets = [(name, None, span) for name, span in _made_in(node)]
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
        values = self.range(node.range)
        before = len(self.emitter.instructions)
        for i in values:
            with self.block():
                self.scope.names[name] = Scalar(Const(i))
                for statement in node.body:
                    self.statement(statement)
            if i == values[0] and count == len(node.body) * len(values):
                # Every round is like the first, so what they come to is known before they are unrolled.
                total = before + (len(self.emitter.instructions) - before) * len(values)
                if total > MOST_INSTRUCTIONS:
                    raise TooLong(node.head, total)

    def unrolled(self, node: ast.For) -> int:
        """How many lines a loop stands for, found without unrolling it."""
        values = self.range(node.range)
        inner = [s for s in node.body if isinstance(s, ast.For)]
        plain = len(node.body) - len(inner)
        if not inner or not values:
            return plain * len(values)
        mentions = any(
            isinstance(x, ast.Name) and x.name == node.index.name
            for loop in inner
            for f in ast.walk(loop)
            if isinstance(f, ast.For)
            for x in ast.walk(f.range)
        )
        sample = values if mentions and len(values) <= 10_000 else values[:1]
        total = 0
        for i in sample:
            with self.block():
                self.scope.names[node.index.name] = Scalar(Const(i))
                total += plain + sum(self.unrolled(loop) for loop in inner)
        return total if len(sample) == len(values) else total * len(values)

    # --- assignments ------------------------------------------------------------------------------------------

    def assign(self, node: ast.Assign) -> None:
        indices = self.indices(node.target)
        self.check_free(node.target.name, indices, node.target.span)
        self.define_variable(node.target, indices, node.value, node.label, node.promise, node.span)

    def define_variable(
        self,
        target: ast.Target,
        indices: Indices,
        value: ast.Expr,
        label: ast.LineLabel | None,
        promise: ast.Promise | None,
        span: Span,
        scalar_only: bool = False,
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
            averaged = ""
            if isinstance(value, ast.Binary) and value.op == "/" and value.right.span.text == "n":
                averaged = value.left.span.text
            vector = averaged if isinstance(result, Vector) else ""
            raise Fault(faults.output_not_scalar(value.span, value.span.text, kind_name(result), vector))
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

    def checked(self, e: Expr, span: Span, averaged: bool = False) -> Expr:
        written = e
        while True:
            if WIDTH not in e.free and not (e.free & self.moving):
                return e
            e = find_quotients(e)
            try:
                # Where constants move, differences of higher order are seen with their values in place.
                limit = limit_of_factors if e.free & self.moving else at_infinite_width
                limit(substitute(e, self.constant_values))
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
            raise Fault(faults.no_limit(span, text, rate.rate, rate.known))
        inner = any(c in text for c in "ᵀ⊤⟨<") or "^T" in text
        raise Fault(self.without_limit(e, span, rate.rate, inner, averaged))

    def without_limit(self, e: Expr, span: Span, rate: str, inner: bool, averaged: bool) -> Diagnostic:
        """Why an expression with a factor that grows has no limit: it may grow, stay random, or be ∞ · 0."""
        found = what_diverges(find_quotients(substitute(e, self.constant_values)))
        if found is None:
            return faults.divergent(span, span.text, rate, inner)
        factor, rest = found
        product = mul(factor, rest)
        terms = e.children if isinstance(e, Add) else (e,)
        is_whole = any(split_coefficient(t)[1] is split_coefficient(product)[1] for t in terms)
        vectors = self.emitter.vectors_of(rest)
        try:
            vanishes = bool(vectors) and canonical(at_infinite_width(rest)) is ZERO
        except Diverges:
            vanishes = False
        if vanishes:
            return faults.indeterminate(span, span.text, to_text(factor))
        # n · xᵀ y / n is an inner product without its division.
        if (not vectors or averaged and is_whole) and not (inner and factor is WIDTH):
            mean = to_text(rest, self.as_mean)
            return faults.fluctuation(span, span.text, to_text(factor), f"mean({mean})" if vectors else mean, inner)
        return faults.divergent(span, span.text if is_whole or inner else to_text(product), rate, inner)

    def as_mean(self, s: Sym) -> str:
        """A scalar as the text has it, also one that the line made on the way."""
        made = next((i for i in reversed(self.emitter.instructions) if i.name == s.name), None)
        if not isinstance(made, Moment) or str(s.name) not in self.emitter.temporary:
            return str(s.name)
        text = to_text(made.psi, self.as_mean)
        return f"mean({text})" if made.vectors else f"({text})"

    # --- outputs ----------------------------------------------------------------------------------------------

    def output(self, node: ast.Output) -> None:
        if self.is_network:
            self.readout(node)
            return
        if isinstance(node.value, ast.ListLiteral):
            raise Fault(faults.output_of_several(node.value.span))
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


def _made_in(node: ast.For) -> list[tuple[str, Span]]:
    """The names that get values in a loop."""
    made: list[tuple[str, Span]] = []
    for s in node.body:
        match s:
            case ast.For():
                made += _made_in(s)
            case ast.Assign() | ast.ScalarDecl():
                made.append((s.target.name, s.target.span))
            case ast.Output() if s.target is not None:
                made.append((s.target.name, s.target.span))
            case ast.MatrixDecl() | ast.VectorDecl():
                made += [(d.name, d.span) for d in s.declarators]
    return made


class TooLong(Exception):
    """The program grew past what a program may be; the rest is not looked at."""

    def __init__(self, span: Span, count: int):
        self.span, self.count = span, count


def _ordered(names: tuple[str, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(x for x in order if x in names) + tuple(x for x in names if x not in order)

"""Definitions: functions of coordinates, and those with instructions, which are expanded where they are used."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check import faults
from netsor.check.faults import Fault
from netsor.check.naming import Itself, Naming
from netsor.check.operands import NeedsInstructions
from netsor.check.scope import Scope
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
from netsor.expr import Function, Sym
from netsor.expr.functions import PUBLIC
from netsor.syntax import ast

# Definitions used inside one another.
MOST_NESTED = 300


class Definitions(Naming):
    """The part of the checker that reads definitions, and expands those with instructions where they are used."""

    def statement(self, node: ast.Statement) -> None:
        raise NotImplementedError

    def function(self, node: ast.FunctionDef) -> None:
        """φ(u) = …: a function of coordinates where it can be one, else expanded where it is used."""
        name = node.name.name
        params = self.parameters(name, node.params, node.scalar_params)
        outer, was_pure = self.scope, self.pure
        self.scope = Scope(outer)
        symbols = tuple(Sym(p) for p in params)
        for p, s in zip(params, symbols, strict=True):
            self.scope.names[p] = Scalar(s)
        self.scope.names.setdefault(name, Itself(name))
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
            self.define(
                node.name,
                Inlined(
                    name,
                    tuple(p.name for p in node.params),
                    tuple(p.name for p in node.scalar_params),
                    (),
                    node.body,
                    outer,
                ),
            )
            return
        if isinstance(body, Poison):
            raise Fault(None)
        if not isinstance(body, Scalar):
            body = self.as_number(body, node.body)
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
        if any(
            isinstance(x, ast.Name) and x.name == node.name.name for s in (*node.body, node.value) for x in ast.walk(s)
        ):
            local = {s.target.name for s in node.body if isinstance(s, ast.Assign)} | {p.name for p in node.params}
            if node.name.name not in local:
                place = next(
                    x.span
                    for s in (*node.body, node.value)
                    for x in ast.walk(s)
                    if isinstance(x, ast.Name) and x.name == node.name.name
                )
                raise Fault(faults.recursive(place, node.name.name, (node.name.name,)))
        for s in node.body:
            for x in ast.walk(s):
                if isinstance(x, (ast.Param, ast.Data, ast.Output, ast.Train)):
                    raise Fault(
                        faults.no_place(x.span, x.span.text.split()[0], f"the definition of `{node.name.name}`")
                    )
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

    def expand(self, node: ast.Apply, f: Inlined) -> Value:
        """A definition with steps, or with MATMUL or MOMENT, written out where it is used."""
        if len(node.args) != len(f.params) or len(node.scalars) != len(f.scalar_params):
            raise Fault(
                faults.inlined_arity(
                    node.span,
                    f.name,
                    f.params,
                    f.scalar_params,
                    len(node.args),
                    len(node.scalars),
                    self.scope_place(f.name),
                )
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

"""From the grammar's rules to the syntax tree: one method a rule, named after it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast, get_args

from netsor.diagnostics.catalogue import syntax as rules
from netsor.diagnostics.data import Edit, NetsorError, Span
from netsor.syntax import ast
from netsor.syntax.tokens import Token

N = TypeVar("N", bound=ast.Node)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Return(ast.Node):
    """A `return` line; the block structure makes it part of its `Def`."""

    value: ast.Expr


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ForHead(ast.Node):
    """`for t in 1..T:`."""

    index: ast.Name
    range: ast.Range


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DefHead(ast.Node):
    """`def name(x; θ):`."""

    name: ast.Name
    params: tuple[ast.Name, ...]
    scalar_params: tuple[ast.Name, ...]


Placed = ast.Node | Token


def _over(first: Placed, last: Placed) -> Span:
    a, b = first.span, last.span
    return Span(a.source, a.start, b.end)


def _nodes(kind: type[N], parts: tuple[Any, ...]) -> tuple[N, ...]:
    return tuple(p for p in parts if isinstance(p, kind))


def _exprs(parts: tuple[Any, ...]) -> tuple[ast.Expr, ...]:
    return cast("tuple[ast.Expr, ...]", _nodes(ast.Node, parts))


def _name(token: Token) -> ast.Name:
    return ast.Name(token.text, span=token.span)


def _instead(first: Placed, last: Placed, text: str) -> Edit:
    return Edit(_over(first, last), text)


def _insertion(before: Placed, text: str) -> Edit:
    """The text in front of a token."""
    span = before.span
    return Edit(Span(span.source, span.start, span.start), text)


def _no_law(name: Token, close: Token) -> NetsorError:
    """A law that is known by another name elsewhere."""
    from netsor.syntax.mistakes.laws import NamedLaw, named_edit, named_law

    source = name.span.source
    start = source.text.rfind("\n", 0, name.span.start) + 1
    text = source.text[start : close.span.end]
    law = named_law(text) or NamedLaw(f"`{name.text}` is not a law", "", "write `N(mean, variance)`")
    edit = named_edit(source, start + len(text) - len(text.lstrip()), close.span.end, law)
    notes = (law.note,) if law.note else ()
    return NetsorError(rules.unknown_law(law.message, name.span, law.hint, notes, (edit,) if edit else ()))


class Builder:
    """One method for each rule of the grammar, called with the rule's children; absent parts are None."""

    # --- lines ---

    def line(self, statement: ast.Node, _end: Token) -> ast.Node:
        return statement

    def expression(self, expr: ast.Expr, _end: Token) -> ast.Expr:
        return expr

    def include(self, line: Token) -> ast.Include:
        what = line.text.removeprefix("include ")
        standard = not what.startswith('"')
        return ast.Include(what.strip('"'), standard, span=line.span)

    def program(self, keyword: Token, name: Token) -> ast.ProgramHeader:
        return ast.ProgramHeader(name.text, span=_over(keyword, name))

    def network(self, keyword: Token, name: Token, *parts: Any) -> ast.NetworkHeader:
        return ast.NetworkHeader(name.text, _nodes(ast.NetworkInput, parts), span=_over(keyword, parts[-1]))

    def network_input(self, name: Token, *parts: Any) -> ast.NetworkInput:
        return ast.NetworkInput(name.text, _nodes(ast.Range, parts), parts[-1], span=_over(name, parts[-1]))

    def param(self, keyword: Token, name: Token, *parts: Any) -> ast.Param:
        *axes, value = _nodes(ast.Node, parts)
        family = cast("tuple[ast.ParamRange | ast.Expr, ...]", tuple(axes))
        return ast.Param(_name(name), cast("ast.Expr", value), family, span=_over(keyword, value))

    def param_range(self, index: Token, _in: Token, range: ast.Range) -> ast.ParamRange:
        return ast.ParamRange(_name(index), range, span=_over(index, range))

    def data(self, keyword: Token, name: Token, _colon: Token, shape: _Shape, _eq: Any, value: Any) -> ast.Data:
        return ast.Data(_name(name), shape.sizes, value, span=_over(keyword, value or shape))

    def scalar(self, keyword: Token, name: ast.Declarator, _eq: Token, value: ast.Expr) -> ast.ScalarDecl:
        ranges = [i for i in name.indices if isinstance(i, ast.Range)]
        if ranges:
            raise NetsorError(rules.range_of_scalar(ranges[0].span, name.name))
        target = ast.Target(name.name, tuple(i for i in name.indices if not isinstance(i, ast.Range)), span=name.span)
        return ast.ScalarDecl(target, value, span=_over(keyword, value))

    def bias(self, keyword: Token, names: _Declarators, law: ast.Law) -> ast.BiasDecl:
        return ast.BiasDecl(names.items, law, span=_over(keyword, law))

    def matrix(self, keyword: Token, names: _Declarators, _colon: Any, shape: Any, law: Any) -> ast.MatrixDecl:
        span = _over(keyword, law or shape or names)
        return ast.MatrixDecl(names.items, shape.sizes if shape else None, law, span=span)

    def vector(self, keyword: Token, names: _Declarators, law: Any) -> ast.VectorDecl:
        return ast.VectorDecl(names.items, law, span=_over(keyword, law or names))

    def train(self, keyword: Token, *parts: Any) -> ast.Train:
        return ast.Train(_nodes(ast.TrainItem, parts), span=_over(keyword, parts[-1]))

    def train_item(self, declarator: ast.Declarator, _times: Any, multiplier: Any) -> ast.TrainItem:
        return ast.TrainItem(declarator, multiplier, span=_over(declarator, multiplier or declarator))

    def declarators(self, *parts: Any) -> _Declarators:
        items = _nodes(ast.Declarator, parts)
        return _Declarators(items, span=_over(items[0], items[-1]))

    def declarator(self, name: Token, *parts: Any) -> ast.Declarator:
        axes = cast("tuple[ast.Range | ast.Expr, ...]", _nodes(ast.Node, parts))
        return ast.Declarator(name.text, axes, span=_over(name, parts[-1] or name))

    def range(self, low: ast.Expr, _dots: Token, high: ast.Expr) -> ast.Range:
        return ast.Range(low, high, span=_over(low, high))

    def shape(self, *parts: Any) -> _Shape:
        return _Shape(_exprs(parts), span=_over(parts[0], parts[-1]))

    def law(
        self, tilde: Token, name: Token, _open: Token, mean: ast.Expr, _comma: Token, covariance: ast.Expr, close: Token
    ) -> ast.Law:
        if name.text in ("U", "𝒰"):
            return ast.Uniform(mean, covariance, span=_over(name, close))
        if name.text not in ("N", "𝒩"):
            raise _no_law(name, close)
        return ast.Normal(mean, covariance, span=_over(name, close))

    def function(
        self, name: Token, _open: Token, params: _Parameters, _close: Token, _eq: Token, body: ast.Expr
    ) -> ast.FunctionDef:
        if not params.vectors and not params.scalars:
            raise NetsorError(rules.no_parameter(_over(_open, _close), name.text, _insertion(_close, "u")))
        return ast.FunctionDef(_name(name), params.vectors, params.scalars, body, span=_over(name, body))

    def parameters(self, vectors: _Names | None, semi: Token | None, scalars: _Names | None) -> _Parameters:
        return _Parameters(vectors.names if vectors else (), scalars.names if scalars else ())

    def names(self, *parts: Token) -> _Names:
        return _Names(tuple(_name(p) for p in parts if p.type == "NAME"))

    def assign(
        self,
        label: ast.LineLabel | None,
        target: ast.Target,
        _define: Token,
        first: ast.Expr,
        _eq: Any,
        second: ast.Expr | None,
    ) -> ast.Assign:
        promise = None
        if second is not None:
            promise = self._promise(first, second)
        value = first if second is None else second
        return ast.Assign(label, target, promise, value, span=_over(label or target, value))

    def _promise(self, middle: ast.Expr, value: ast.Expr) -> ast.Promise:
        if isinstance(middle, ast.Apply) and isinstance(middle.callee, ast.Name):
            return ast.Promise(middle.callee.name, middle.args, middle.scalars, span=middle.span)
        edit = Edit(Span(middle.span.source, middle.span.start, value.span.start), "")
        raise NetsorError(rules.no_promise(middle.span, edit))

    def label(self, name: Token, plus: Token | None, colon: Token) -> ast.LineLabel:
        kind = name.text + ("+" if plus else "")
        kinds = get_args(ast.LabelKind)
        if kind not in kinds:
            near = kind.upper().replace("_", "")
            guess = {"NONLIN": "NONLIN", "NONL": "NONLIN", "MAT": "MATMUL", "MOM": "MOMENT", "INI": "INIT"}
            found = near if near in kinds else next((k for p, k in guess.items() if near.startswith(p)), "")
            edit = _instead(name, plus or name, found) if found else _instead(name, colon, "")
            raise NetsorError(rules.not_a_label(_over(name, plus or name), kind, found, edit))
        return ast.LineLabel(cast(ast.LabelKind, kind), span=_over(name, colon))

    def target(self, name: Token, _open: Any, indices: _Exprs | None, close: Any) -> ast.Target:
        return ast.Target(name.text, indices.items if indices else (), span=_over(name, close or name))

    def output(self, keyword: Token, first: ast.Expr, _define: Any, value: ast.Expr | None) -> ast.Output:
        if value is None:
            return ast.Output(None, first, span=_over(keyword, first))
        return ast.Output(self._as_target(first), value, span=_over(keyword, value))

    def _as_target(self, expr: ast.Expr) -> ast.Target:
        base, indices = (expr.base, expr.indices) if isinstance(expr, ast.Index) else (expr, ())
        if isinstance(base, ast.Name) and not expr.span.text.startswith("("):
            return ast.Target(base.name, indices, span=expr.span)
        raise NetsorError(rules.not_a_name(expr.span))

    def for_head(self, keyword: Token, index: Token, _in: Token, range: ast.Range, colon: Token) -> ForHead:
        return ForHead(_name(index), range, span=_over(keyword, colon))

    def def_head(
        self, keyword: Token, name: Token, _open: Token, params: _Parameters, _close: Token, colon: Token
    ) -> DefHead:
        return DefHead(_name(name), params.vectors, params.scalars, span=_over(keyword, colon))

    def return_line(self, keyword: Token, value: ast.Expr) -> Return:
        return Return(value, span=_over(keyword, value))

    # --- expressions ---

    def exprs(self, *parts: Any) -> _Exprs:
        return _Exprs(_exprs(parts))

    def if_else(
        self, keyword: Token, test: ast.Condition, _then: Token, value: ast.Expr, _else: Token, other: ast.Expr
    ) -> ast.If:
        return ast.If(test, value, other, span=_over(keyword, other))

    def list(self, opening: Token, *parts: Any) -> ast.ListLiteral:
        return ast.ListLiteral(_exprs(parts), span=_over(opening, parts[-1]))

    def binary(self, left: ast.Expr, op: Token, right: ast.Expr) -> ast.Binary:
        plain = cast(ast.BinaryOp, "*" if op.type == "TIMES" else op.text)
        return ast.Binary(plain, left, right, op.text, span=_over(left, right))

    def crowded_division(self, left: ast.Expr, slash: Token, divisor: ast.Expr, *rest: Any) -> ast.Expr:
        factor: ast.Expr = rest[-1]
        over, under = divisor.span.text, factor.span.text
        applied = re.fullmatch(r"(\w+)\s*\(\s*(\w+)\s*\)", under)
        if left.span.text == "d" and applied is not None and over == f"d{applied[2]}":
            edit = _instead(left, factor, f"{applied[1]}'({applied[2]})")
            raise NetsorError(rules.leibniz(factor.span, applied[1], edit))
        edits = (
            _instead(divisor, factor, f"({over} {under})"),
            _instead(left, factor, f"({left.span.text} / {over}) {under}"),
        )
        hint = f"write `/ ({over} {under})` or `({left.span.text} / {over}) {under}`"
        # 1/√2 x is x divided by √2, and a b / c d rather a fraction.
        ordered = edits[::-1] if isinstance(left, ast.Number) else edits
        raise NetsorError(rules.ambiguous_divisor(factor.span, under, hint, ordered))

    def negate(self, minus: Token, operand: ast.Expr) -> ast.Negate:
        return ast.Negate(operand, span=_over(minus, operand))

    def juxtapose(self, left: ast.Expr, right: ast.Expr) -> ast.Juxtapose:
        return ast.Juxtapose(left, right, span=_over(left, right))

    def matmul(self, left: ast.Expr, _at: Token, right: ast.Expr) -> ast.MatMul:
        return ast.MatMul(left, right, span=_over(left, right))

    def superscript(self, base: ast.Expr, digits: Token) -> ast.Binary:
        text, span = digits.text, digits.span
        exponent: ast.Expr = ast.Number(int(text.lstrip("-")), text.lstrip("-"), span=span)
        if text.startswith("-"):
            exponent = ast.Negate(exponent, span=span)
        return ast.Binary("^", base, exponent, "^", span=_over(base, digits))

    def sqrt(self, root: Token, operand: ast.Expr) -> ast.Sqrt:
        return ast.Sqrt(operand, span=_over(root, operand))

    def transpose(self, operand: ast.Expr, mark: Token) -> ast.Transpose:
        return ast.Transpose(operand, span=_over(operand, mark))

    def derivative(
        self, function: ast.Expr, primes: Token, _open: Any = None, names: _Names | None = None, close: Any = None
    ) -> ast.Derivative:
        order = len(primes.text)
        by = names.names if names else ()
        span = _over(function, close or primes)
        if by and len(by) != order:
            said = f"{function.span.text}{chr(39) * len(by)}[{', '.join(b.name for b in by)}]"
            edit = _instead(function, close, said)
            raise NetsorError(rules.primes_and_names(_over(_open, close), order, len(by), edit))
        return ast.Derivative(function, order, by, span=span)

    def name(self, token: Token) -> ast.Name:
        return _name(token)

    def reserved(self, token: Token) -> ast.Name:
        return _name(token)

    def index(self, base: ast.Expr, _open: Token, indices: _Exprs, close: Token) -> ast.Index:
        span = _over(base, close)
        if isinstance(base, ast.Index):  # X[i][k] is X[i, k]
            return ast.Index(base.base, (*base.indices, *indices.items), span=span)
        return ast.Index(base, indices.items, span=span)

    def apply(self, callee: ast.Expr, opening: Token, arguments: _Arguments, close: Token) -> ast.Apply:
        if not arguments.vectors and not arguments.scalars:
            edit = _insertion(close, "x")
            raise NetsorError(rules.no_argument(_over(opening, close), callee.span.text, edit))
        return ast.Apply(callee, arguments.vectors, arguments.scalars, span=_over(callee, close))

    def arguments(self, vectors: _Exprs | None, semi: Token | None, scalars: _Exprs | None) -> _Arguments:
        return _Arguments(vectors.items if vectors else (), scalars.items if scalars else ())

    def number(self, token: Token) -> ast.Number:
        text = token.text
        return ast.Number(int(text) if text.isdigit() else float(text), text, span=token.span)

    def paren(self, opening: Token, inner: N, close: Token) -> N:
        return replace(inner, span=_over(opening, close))

    def inner(self, opening: Token, left: ast.Expr, _comma: Token, right: ast.Expr, close: Token) -> ast.Inner:
        return ast.Inner(left, right, span=_over(opening, close))

    def summation(
        self,
        keyword: Token,
        _open: Token,
        index: Token,
        _in: Token,
        range: ast.Range,
        _colon: Token,
        body: ast.Expr,
        close: Token,
    ) -> ast.Sum:
        return ast.Sum(_name(index), range, body, span=_over(keyword, close))

    # --- conditions ---

    def logic(self, left: ast.Condition, op: Token, right: ast.Condition) -> ast.Logic:
        return ast.Logic(cast(Literal["and", "or"], op.text), left, right, span=_over(left, right))

    def negation(self, keyword: Token, operand: ast.Condition) -> ast.Not:
        return ast.Not(operand, span=_over(keyword, operand))

    def compare(self, left: ast.Expr, op: Token, right: ast.Expr) -> ast.Compare:
        return ast.Compare(cast(ast.CompareOp, op.text), left, right, span=_over(left, right))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Shape(ast.Node):
    sizes: tuple[ast.Expr, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Declarators(ast.Node):
    items: tuple[ast.Declarator, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Names:
    names: tuple[ast.Name, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Exprs:
    items: tuple[ast.Expr, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Parameters:
    vectors: tuple[ast.Name, ...]
    scalars: tuple[ast.Name, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Arguments:
    vectors: tuple[ast.Expr, ...]
    scalars: tuple[ast.Expr, ...]

"""Random expressions for hypothesis: every tree that a text can have."""

from __future__ import annotations

from hypothesis import strategies as st

from netsor.diagnostics import Source, Span
from netsor.syntax import ast

_SPAN = Span(Source("", ""), 0, 0)
_WORDS = ["x", "y", "W", "T", "θ", "h̃", "φ", "sqrt", "sum", "e", "N", "x1", "_a"]
_KINDS = [
    "head", "binary", "binary", "negate", "juxtapose", "juxtapose", "matmul", "transpose", "sqrt", "inner", "if",
    "list", "apply", "apply", "sum",
]  # fmt: skip
own_name = st.sampled_from(_WORDS).map(lambda s: ast.Name(s, span=_SPAN))
number = st.one_of(st.integers(0, 10**20), st.floats(0, 1e300)).map(lambda v: ast.Number(v, span=_SPAN))
leaf = st.one_of(own_name, number, st.sampled_from(["n", "pi"]).map(lambda s: ast.Name(s, span=_SPAN)))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> ast.Expr:
    """A tree of at most `depth` levels above its leaves."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(leaf)
    inner = expressions(depth - 1)
    some = st.lists(inner, min_size=1, max_size=2).map(tuple)
    match draw(st.sampled_from(_KINDS)):
        case "head":
            return draw(heads(depth))
        case "binary":
            op = draw(st.sampled_from(["+", "-", "*", "/", "^"]))
            return ast.Binary(op, draw(inner), draw(inner), op, span=_SPAN)  # type: ignore[arg-type]
        case "negate":
            return ast.Negate(draw(inner), span=_SPAN)
        case "juxtapose":
            return ast.Juxtapose(draw(inner), draw(inner), span=_SPAN)
        case "matmul":
            return ast.MatMul(draw(inner), draw(inner), span=_SPAN)
        case "transpose":
            return ast.Transpose(draw(inner), span=_SPAN)
        case "sqrt":
            return ast.Sqrt(draw(inner), span=_SPAN)
        case "inner":
            return ast.Inner(draw(inner), draw(inner), span=_SPAN)
        case "if":
            return ast.If(draw(conditions(depth)), draw(inner), draw(inner), span=_SPAN)
        case "list":
            return ast.ListLiteral(draw(st.lists(inner, max_size=3).map(tuple)), span=_SPAN)
        case "apply":
            args, scalars = draw(st.sampled_from([(1, 0), (2, 0), (1, 1), (0, 1)]))
            given = draw(some) * args, draw(some) * scalars
            return ast.Apply(draw(heads(depth)), *given, span=_SPAN)
        case _:
            low, high, body = draw(inner), draw(inner), draw(inner)
            return ast.Sum(draw(own_name), ast.Range(low, high, span=_SPAN), body, span=_SPAN)


@st.composite
def heads(draw: st.DrawFn, depth: int) -> ast.Expr:
    """What may bear an argument list: a name with indices, then primes or a transpose."""
    base: ast.Expr = draw(own_name)
    if draw(st.booleans()):
        indices = draw(st.lists(expressions(depth - 1), min_size=1, max_size=2).map(tuple))
        base = ast.Index(base, indices, span=_SPAN)  # type: ignore[arg-type]
    match draw(st.integers(0, 3)):
        case 0:
            return ast.Transpose(base, span=_SPAN)
        case 1:
            return ast.Derivative(base, draw(st.integers(1, 3)), span=_SPAN)
        case 2:
            by = tuple(draw(st.lists(own_name, min_size=1, max_size=3)))
            return ast.Derivative(base, len(by), by, span=_SPAN)
    return base


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> ast.Condition:
    """What may stand between `if` and `then`."""
    if depth <= 1 or draw(st.booleans()):
        op = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
        return ast.Compare(op, draw(expressions(depth - 1)), draw(expressions(depth - 1)), span=_SPAN)  # type: ignore[arg-type]
    if draw(st.booleans()):
        return ast.Not(draw(conditions(depth - 1)), span=_SPAN)
    op = draw(st.sampled_from(["and", "or"]))
    return ast.Logic(op, draw(conditions(depth - 1)), draw(conditions(depth - 1)), span=_SPAN)  # type: ignore[arg-type]

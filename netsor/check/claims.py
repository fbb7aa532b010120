"""Labels and promises, held to what a line says."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check import faults
from netsor.check.context import Context
from netsor.check.faults import Fault
from netsor.check.operands import numeric
from netsor.check.values import Covector, Poison, Scalar, Value, Vector, kind_name
from netsor.core import Embedding, Instruction, MatMul, Moment, Nonlin
from netsor.diagnostics import Span
from netsor.expr import WIDTH, Add, Sym, split_coefficient
from netsor.syntax import ast

_ARTICLES = {
    "MATMUL": "a MATMUL",
    "NONLIN": "a NONLIN",
    "NONLIN+": "a NONLIN⁺",
    "MOMENT": "a MOMENT",
    "INIT": "a member of 𝒱",
}


def check_label(ctx: Context, label: ast.LineLabel, mark: int, embedded: int, value: Span) -> None:
    """Raises Fault where a line is not the single instruction that its label claims.

    The line's instructions begin at `mark`, its embeddings at `embedded`.
    """
    made = ctx.emitter.instructions[mark:]
    embeddings = ctx.draft.embeddings[embedded:]
    if made:
        _check_single(label, made, embeddings)
    actual = _instruction_kind(made[-1]) if made else "INIT"
    if label.kind == actual == "NONLIN" and len(made) > 1:
        actual = "NONLIN+"
    accepted = {actual, "NONLIN+"} if actual == "NONLIN" else {actual}
    if not made and not embeddings:
        accepted |= {"NONLIN", "NONLIN+"}  # an expression in vectors that is a number whatever they are
    if label.kind in accepted:
        return
    described = _ARTICLES[actual]
    if actual == "NONLIN+" and made:
        scalars = getattr(made[-1], "scalars", ())
        described += f" (it has the parameter `{scalars[0] if scalars else '1/√n'}`)"
    shown = actual.replace("+", "⁺") if label.kind != "NONLIN" else actual
    claimed = label.kind.replace("+", "⁺")
    raise Fault(faults.label_claim(label.span, claimed, described, f"write `{shown}:`, or drop the label", value))


def _check_single(label: ast.LineLabel, made: list[Instruction], embeddings: list[Embedding]) -> None:
    """Raises Fault where a labelled line takes several instructions; MOMENTs of scalars alone do not count."""
    last = made[-1]
    extra: list[Instruction | Embedding] = [i for i in made[:-1] if not (isinstance(i, Moment) and not i.vectors)]
    if isinstance(last, MatMul) and len(extra) == 1 and extra[0].name == last.vector and _is_sum(extra[0]):
        extra = []  # W (x + y), as the language's own table has it
    extra += embeddings
    if extra:
        pieces = [f"{_ARTICLES[_instruction_kind(i)]} `{_piece(i)}`" for i in extra]
        pieces.append(f"then {_ARTICLES[_instruction_kind(last)]}")
        hint = f"give `{_piece(extra[0])}` a line of its own, or drop the label"
        raise Fault(faults.several_instructions(label.span, label.kind.replace("+", "⁺"), pieces, hint))


def _instruction_kind(i: Instruction | Embedding) -> str:
    match i:
        case MatMul():
            return "MATMUL"
        case Nonlin():
            return "NONLIN+" if i.scalars or WIDTH in i.psi.free else "NONLIN"
        case Moment():
            return "MOMENT"
        case _:
            return "INIT"


def _is_sum(i: Instruction | Embedding) -> bool:
    """Whether an instruction only adds up vectors with numbers before them, as in W (x + y)."""
    if not isinstance(i, Nonlin) or i.scalars:
        return False
    terms = i.psi.children if isinstance(i.psi, Add) else ()
    return bool(terms) and all(isinstance(split_coefficient(t)[1], Sym) for t in terms)


def _piece(i: Instruction | Embedding) -> str:
    text = " ".join(i.span.text.split()) if i.span else i.name
    return text if len(text) <= 30 else text[:29] + "…"


async def promised_order(ctx: Context, promise: ast.Promise, result: Value, at: Span, mark: int) -> tuple[str, ...]:
    """The order in which ψ(x, y; θ) names the vectors and scalars that an expression uses; it must name them all."""
    assert isinstance(result, (Scalar, Vector, Covector))
    e = result.expr
    used = ctx.emitter.inputs((str(s.name) for s in ctx.emitter.symbols(e)), mark)
    vectors = await _promised_names(ctx, promise.vectors, "vectors")
    scalars = await _promised_names(ctx, promise.scalars, "scalars")
    extra = [u for u in used if u in ctx.emitter.vectors and u not in vectors]
    if extra:
        raise Fault(faults.promise_broken(at, list(vectors), extra, "vectors"))
    extra = [u for u in used if u not in ctx.emitter.vectors and u not in scalars]
    joined = ctx.emitter.preview_moment(e, mark)[0] if isinstance(result, Scalar) else None
    if WIDTH in (e if joined is None else joined).free and "n" not in scalars:
        extra.append("1/√n")
    if extra:
        raise Fault(faults.promise_broken(at, [s for s in scalars if s != "n"], extra, "scalars"))
    for name, span in {**vectors, **scalars}.items():
        if name not in used and name != "n":
            ctx.faults.add(faults.promise_unused(span, span.text))
    return (*vectors, *scalars)


async def _promised_names(ctx: Context, nodes: Sequence[ast.Expr], what: str) -> dict[str, Span]:
    """The variables that slots of ψ name; `n` where one holds the width."""
    found: dict[str, Span] = {}
    for node in nodes:
        mark = len(ctx.emitter.instructions)
        v = await numeric(ctx, node)
        if len(ctx.emitter.instructions) > mark:
            raise Fault(faults.promise_slot(node.span, node.span.text))
        if isinstance(v, Poison):
            continue
        if WIDTH in v.expr.free:
            found["n"] = node.span
        is_number = isinstance(v, Scalar) and v.number is not None
        if isinstance(v, Vector) != (what == "vectors") and not (what == "vectors" and is_number):
            raise Fault(faults.promise_kind(node.span, node.span.text, kind_name(v), what))
        for s in ctx.emitter.symbols(v.expr):
            found[str(s.name)] = node.span
    return found

"""Labels and promises, held to what a line says."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.operands import numeric
from netsor.check.values import Covector, Poison, Scalar, Value, Vector, kind_name
from netsor.core import Embedding, Instruction, MatMul, Moment, Nonlin
from netsor.diagnostics import Edit, Span
from netsor.diagnostics.catalogue import divergence, warnings
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
    raise Fault(divergence.label_claim(label.span, claimed, described, shown, value))


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
        claimed = label.kind.replace("+", "⁺")
        raise Fault(divergence.several_instructions(label.span, claimed, pieces, _piece(extra[0])))


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
        addition = _addition(promise, extra, "vectors")
        raise Fault(divergence.promise_broken(at, list(vectors), extra, "vectors", addition))
    extra = [u for u in used if u not in ctx.emitter.vectors and u not in scalars]
    joined = ctx.emitter.preview_moment(e, mark)[0] if isinstance(result, Scalar) else None
    if WIDTH in (e if joined is None else joined).free and "n" not in scalars:
        extra.append("1/√n")
    if extra:
        promised = [s for s in scalars if s != "n"]
        raise Fault(divergence.promise_broken(at, promised, extra, "scalars", _addition(promise, extra, "scalars")))
    for name, span in {**vectors, **scalars}.items():
        if name not in used and name != "n":
            ctx.faults.add(warnings.promise_unused(span, _with_comma(promise, span)))
    return (*vectors, *scalars)


def _addition(promise: ast.Promise, extra: Sequence[str], what: str) -> Edit:
    """The promise with more names among its vectors or scalars."""
    vectors, scalars = ([node.span.text for node in slots] for slots in (promise.vectors, promise.scalars))
    (vectors if what == "vectors" else scalars).extend(extra)
    text = f"{promise.placeholder}({', '.join(vectors)}{'; ' + ', '.join(scalars) if scalars else ''})"
    return Edit(promise.span, text)


def _with_comma(promise: ast.Promise, slot: Span) -> Span:
    """A slot of ψ with the comma or semicolon that goes with it; empty where it is the only vector."""
    for slots in (promise.vectors, promise.scalars):
        spans = [node.span for node in slots]
        if slot in spans:
            k = spans.index(slot)
            if k:
                return Span(slot.source, spans[k - 1].end, slot.end)
            if len(spans) > 1:
                return Span(slot.source, slot.start, spans[1].start)
            if slots is promise.scalars:
                return Span(slot.source, promise.vectors[-1].span.end, slot.end)
    return Span(slot.source, slot.start, slot.start)


async def _promised_names(ctx: Context, nodes: Sequence[ast.Expr], what: str) -> dict[str, Span]:
    """The variables that slots of ψ name; `n` where one holds the width."""
    found: dict[str, Span] = {}
    for node in nodes:
        mark = len(ctx.emitter.instructions)
        v = await numeric(ctx, node)
        if len(ctx.emitter.instructions) > mark:
            raise Fault(divergence.promise_slot(node.span))
        if isinstance(v, Poison):
            continue
        if WIDTH in v.expr.free:
            found["n"] = node.span
        is_number = isinstance(v, Scalar) and v.number is not None
        if isinstance(v, Vector) != (what == "vectors") and not (what == "vectors" and is_number):
            raise Fault(divergence.promise_kind(node.span, kind_name(v), what))
        for s in ctx.emitter.symbols(v.expr):
            found[str(s.name)] = node.span
    return found

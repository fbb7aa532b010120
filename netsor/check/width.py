"""The width in expressions: every factor in n must have a finite limit (Setup B.2, Eq. 84)."""

from __future__ import annotations

from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.unfolded import with_values
from netsor.core import Moment, Nonlin
from netsor.diagnostics import Diagnostic, Edit, Source, Span
from netsor.diagnostics.catalogue import divergence
from netsor.expr import WIDTH, ZERO, Add, Const, Expr, Sym, canonical, mul, split_coefficient, substitute, to_text
from netsor.expr.asymptotics import Diverges
from netsor.expr.infinite_width import at_infinite_width, has_limit, limit_of_factors, what_diverges
from netsor.expr.quotients import find_quotients
from netsor.syntax import ast
from netsor.syntax.lexer import Tokenizer


def checked(ctx: Context, e: Expr, span: Span, averaged: bool = False) -> Expr:
    """An expression about to become an instruction; raises Fault where a factor in n has no finite limit.

    `averaged` tells a MOMENT, whose mean over coordinates may be of a lower order than they are.
    """
    moving = ctx.draft.moving
    written = e
    while True:
        if WIDTH not in e.free and not (e.free & moving):
            return e
        e = find_quotients(e)
        try:
            # Where constants move, differences of higher order are seen with their values in place.
            limit = limit_of_factors if e.free & moving else at_infinite_width
            held = with_values(ctx, e)
            limit(held)
            # A part may grow and be absent only by the value of a constant, as in √n step(−k) with k = 1/2. The
            # instruction then holds the value, because a limit in which k stands for any number does not exist.
            return e if held is e or has_limit(e) else held
        except Diverges as d:
            rate = d
        # √n may hide in a scalar: (F(x + ε d) − F(x))/ε with ε = 1/√n is ψ* too. So may F(x) = 0 in the lines that made
        # x, or in the law of a vector without variance.
        e = with_values(ctx, written)
        if e is written:
            e = _written_out(ctx, written)
        if e is written:
            break
        written = e
    if not rate.grows:
        raise Fault(divergence.no_limit(span, span.text, rate.rate, rate.known))
    raise Fault(_without_limit(ctx, e, span, rate.rate, averaged))


def _written_out(ctx: Context, e: Expr) -> Expr:
    """An expression with the NONLINs that it is applied to written out, and the values of constant vectors."""
    members = [(g, k, name) for g in ctx.emitter.groups for k, name in enumerate(g.names)]
    made: dict[Sym, Expr] = {Sym(name): Const(g.mean[k]) for g, k, name in members if g.covariance[k][k] == 0}
    for i in ctx.emitter.instructions:
        if isinstance(i, Nonlin):
            made[Sym(i.name)] = substitute(i.psi, made)
    return substitute(e, {s: made[s] for s in e.free if s in made})


def _without_limit(ctx: Context, e: Expr, span: Span, rate: str, averaged: bool) -> Diagnostic:
    """Why an expression with a factor that grows has no limit: it may grow, stay random, or be ∞ · 0."""
    inner = _has_inner_product(span.text)
    found = what_diverges(find_quotients(with_values(ctx, e)))
    if found is None:
        return _divergent(span, span.text, rate, inner)
    factor, rest = found
    product = mul(factor, rest)
    terms = e.children if isinstance(e, Add) else (e,)
    is_whole = any(split_coefficient(t)[1] is split_coefficient(product)[1] for t in terms)
    vectors = ctx.emitter.vectors_of(rest)
    try:
        vanishes = bool(vectors) and canonical(at_infinite_width(rest)) is ZERO
    except Diverges:
        vanishes = False
    if vanishes:
        return divergence.indeterminate(span, span.text, to_text(factor))
    # n · xᵀ y / n is an inner product without its division.
    if (not vectors or averaged and is_whole) and not (inner and factor is WIDTH):
        mean = to_text(rest, lambda s: _as_mean(ctx, s))
        what = f"mean({mean})" if vectors else mean
        return divergence.fluctuation(span, span.text, to_text(factor), what, inner, _as_readout(ctx, span))
    return _divergent(span, span.text if is_whole or inner else to_text(product), rate, inner)


def _as_readout(ctx: Context, span: Span) -> Edit | None:
    """The edit that makes `f := vᵀ x / √n` and a later `output f` of a network one line, where that is all of f."""
    at_top = ctx.file.statements if ctx.is_network else ()
    line = next((s for s in at_top if isinstance(s, ast.Assign) and s.value.span == span), None)
    if line is None or line.label or line.promise:
        return None
    name = line.target.span.text
    uses = [s for s in ast.walk(ctx.file) if isinstance(s, ast.Name) and s.name == line.target.name]
    asked = next(
        (s for s in at_top if isinstance(s, ast.Output) and s.target is None and s.value.span.text == name), None
    )
    if asked is None or len(uses) != 1:
        return None
    text = span.source.text
    between = text[line.span.end : asked.span.start].rstrip()
    return Edit(line.span.to(asked.span), f"output {line.span.text}{between}")


def _has_inner_product(text: str) -> bool:
    """Whether a text has xᵀ y or ⟨x, y⟩, in any spelling."""
    tokenizer = Tokenizer(Source("", text))
    tokenizer.run()
    return any(t.type in ("TRANSPOSE", "ANGLE_L") for line in tokenizer.lines for t in line.tokens)


def _divergent(span: Span, text: str, rate: str, inner: bool) -> Diagnostic:
    return (divergence.inner_divergent if inner else divergence.divergent)(span, text, rate)


def _as_mean(ctx: Context, s: Sym) -> str:
    """A scalar as the text has it, also one that the line made on the way."""
    made = next((i for i in reversed(ctx.emitter.instructions) if i.name == s.name), None)
    if not isinstance(made, Moment) or str(s.name) not in ctx.emitter.temporary:
        return str(s.name)
    text = to_text(made.psi, lambda s: _as_mean(ctx, s))
    return f"mean({text})" if made.vectors else f"({text})"

"""Integrands as functions of few linear forms: φ(h + b) φ(h̃ + b) has three Gaussians, but depends on two forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from netsor.expr import ONE, ZERO, Add, Const, Expr, Mul, Sym, add, canonical, mul, postorder
from netsor.expr.build import with_children
from netsor.gaussian.symbolic.structure import Linear, affine

# A form as pairs of a symbol and its coefficient (a number or a function of scalars), in the order of the symbols.
Form = tuple[tuple[Sym, Expr], ...]


def linear_forms(e: Expr, gaussians: frozenset[Sym], symbol: Callable[[Form], Sym]) -> Expr:
    """The integrand in linear forms u = Σ a z if these are fewer than the z's, or as many with fewer scalars.

    Otherwise the integrand is returned unchanged.
    """
    if not any(isinstance(node, Add) and _may_be_linear(node, gaussians) for node in postorder(e)):
        return e
    made = in_linear_forms(e, gaussians, symbol)
    before = len(e.free & gaussians)
    scalars = e.free - gaussians
    after = len(made.free - scalars)
    if (after, len(made.free & scalars)) >= (before, len(scalars)):
        return e
    return made


def in_linear_forms(e: Expr, gaussians: frozenset[Sym], symbol: Callable[[Form], Sym]) -> Expr:
    """The integrand in linear forms, however many there are.

    `symbol` gives the symbol of a form, which is the variable itself for a single one. Proportional forms share a
    symbol; constants stay in the integrand.
    """

    done: dict[Expr, Expr] = {}
    for node in postorder(e):
        if isinstance(node, Sym) or _is_multiple(node):
            # A form of one variable is that variable.
            done[node] = node
            continue
        if node.free & gaussians and isinstance(node, (Add, Mul)):
            found = _linear_part(node, node.free & gaussians)
            if found is not None:
                lead, form, constants, others = found
                done[node] = add(mul(lead, symbol(form)), *constants, *(done[t] for t in others))
                continue
        done[node] = with_children(node, tuple(done[c] for c in node.children))
    return canonical(done[e])


@lru_cache(maxsize=10_000)
def _linear_part(node: Expr, gaussians: frozenset[Sym]) -> tuple[Expr, Form, tuple[Expr, ...], tuple[Expr, ...]] | None:
    """A sum, or a product, as lead · form + Σ constants + Σ terms that are not linear; None where there is no form.

    It is remembered, because a long sum occurs in many integrands.
    """
    terms = node.children if isinstance(node, Add) else (node,)
    parts = [affine(t, gaussians) if t.free & gaussians else ({}, t) for t in terms]
    linear: Linear = {}
    for p in parts:
        for s, c in (p[0] if p else {}).items():
            linear[s] = add(linear[s], c) if s in linear else c
    row = [(s, canonical(linear[s])) for s in sorted(linear, key=lambda s: s.digest)]
    row = [(s, c) for s, c in row if c is not ZERO]
    if not row:
        return None
    numbers = [float(c.value) for _, c in row if isinstance(c, Const)]
    lead: Expr = ONE
    if numbers:
        # Scaled so that the largest coefficient is 1; no form is then much wider than the arguments in which it occurs.
        lead = Const(max(numbers, key=abs))
        scale = Const(1 / lead.value)
        row = [(s, canonical(mul(scale, c))) for s, c in row]
        row = [(s, ONE if c == Const(1.0) else c) for s, c in row]
    constants = tuple(p[1] for p in parts if p is not None)
    return lead, tuple(row), constants, tuple(t for t, p in zip(terms, parts, strict=True) if p is None)


def _is_multiple(node: Expr) -> bool:
    """Whether an expression is a number times a symbol."""
    if not isinstance(node, Mul) or len(node.children) != 2:
        return False
    c, s = node.children
    return isinstance(c, Const) and isinstance(s, Sym)


def _may_be_linear(node: Add, gaussians: frozenset[Sym]) -> bool:
    """Whether a sum has two terms that may be linear in Gaussians, judged by their factors."""
    seen = 0
    for t in node.children:
        factors = t.children if isinstance(t, Mul) else (t,)
        seen += any(isinstance(f, Sym) and f in gaussians or isinstance(f, Add) for f in factors)
        if seen > 1:
            return True
    return False

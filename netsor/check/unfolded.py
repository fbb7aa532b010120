"""Constants as the text has them, so that √2 √2 − 2 is 0 and n (tanh(20) − 1) is not.

A scalar of constants and n keeps its unfolded expression beside the folded one, whose floats are rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.values import Scalar, Value
from netsor.diagnostics.catalogue import divergence
from netsor.expr import MINUS_ONE, WIDTH, Add, Apply, Call, Expr, Mul, Pow, Sym, canonical, substitute
from netsor.expr.balls import Undecided
from netsor.expr.build import nearest, rewrite
from netsor.expr.constants import constant, folded, is_whole, raw, written
from netsor.expr.nodes import Named, postorder
from netsor.syntax import ast

Node = Callable[..., Expr]


def total(*terms: Expr) -> Expr:
    return raw(Add, None, *terms)


def product(*factors: Expr) -> Expr:
    return raw(Mul, None, *factors)


def quotient(a: Expr, b: Expr) -> Expr:
    return product(a, power(b, MINUS_ONE))


def power(base: Expr, exponent: Expr) -> Expr:
    return raw(Pow, None, base, exponent)


def function(fn: str) -> Node:
    return lambda *args: raw(Call, fn, *args)


def inlined(body: Expr, values: dict[Sym, Expr]) -> Expr:
    """The body of a user's function at arguments, with nothing folded."""
    done: dict[Expr, Expr] = dict(values.items())
    for node in postorder(body, known=lambda e: e in done):
        done[node] = type(node)._make(node.payload, tuple(done[c] for c in node.children)) if node.children else node
    return done[body]


def with_values(ctx: Context, e: Expr) -> Expr:
    """The expression with the values of the program's constants, whose differences keep their digits."""
    values = ctx.draft.constant_values
    trees = {s: ctx.draft.unfolded[s] for s in e.free if s in ctx.draft.unfolded}
    if not all(map(is_whole, trees.values())):
        try:
            return at_numbers(folded(inlined(e, {s: values[s] for s in e.free if s in values} | trees)))
        except Undecided:
            pass  # other numbers of the expression are rounded
    return at_numbers(substitute(e, values))


def at_numbers(e: Expr) -> Expr:
    """The expression with the functions of the program at numbers, and their derivatives, as numbers."""
    if Apply.kind not in e.made_of:
        return e
    return rewrite(e, lambda node: canonical(node) if type(node) is Apply and not node.free else node)


def known(made: Scalar, operation: Node, node: ast.Node, *parts: Value) -> Scalar:
    """A scalar made of others whose expressions are known, computed from what the text has; raises Fault."""
    trees = [as_written(p) if isinstance(p, Scalar) else None for p in parts]
    if made.exact is not None or not all(isinstance(t, Expr) for t in trees):
        return made
    tree = operation(*trees)
    if not made.expr.free <= {WIDTH}:
        return replace(made, unfolded=tree)
    value = None if tree.free or made.number is None else constant(tree)
    if value is None:
        return replace(made, expr=combined(made.expr, tree, node), unfolded=tree)
    # Products of data keep their names.
    expr = made.expr if Named.kind in made.expr.made_of else nearest(value.value, value.error)
    return Scalar(expr, *((None, tree) if value.error else (value.value,)))


def as_written(part: Scalar) -> Expr | None:
    """The unfolded expression of a scalar in constants and n; None for one that a program computes."""
    if part.unfolded is not None:
        return part.unfolded
    if part.expr is WIDTH:
        return WIDTH
    return None if part.rational is None else written(part.rational)


def is_rounded(tree: Expr | None) -> bool:
    """Whether an expression in n has constants that folding would round."""
    return tree is not None and WIDTH in tree.free and not is_whole(tree)


def combined(e: Expr, tree: Expr | None, node: ast.Node) -> Expr:
    """An expression in n alone with its constants added up in many digits; raises Fault where these are too few."""
    if not is_rounded(tree):
        return e
    assert tree is not None
    try:
        return folded(tree)
    except Undecided:
        why = f"whether the terms of `{node.span.text}` cancel cannot be determined"
        raise Fault(divergence.no_limit(node.span, node.span.text, why, False)) from None

"""A canonical form for expressions that differ in the order of terms and factors, or in the use of definitions."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr.build import add, mul, power, rebuild_sum, reordered, with_children
from netsor.expr.differentiate import unfold_apply
from netsor.expr.functions import absolute
from netsor.expr.nodes import (
    Add,
    Apply,
    Const,
    Expr,
    Mul,
    Pow,
    postorder,
    split_coefficient,
)
from netsor.expr.rationals import times


def canonical(root: Expr) -> Expr:
    """The same function with definitions expanded, terms and factors sorted, and numeric coefficients distributed.

    Expressions with the same canonical form are equal; equal expressions may have different forms, since identities of
    functions are not applied.
    """
    if root.form is None:
        for node in postorder(root, known=_is_known):
            rebuilt = with_children(node, tuple(_form(c) for c in node.children))
            made = canonical(unfold_apply(rebuilt)) if isinstance(rebuilt, Apply) else _sorted(rebuilt)
            made.form = True
            if made is not node:
                node.form = made
    return _form(root)


def _is_known(node: Expr) -> bool:
    return node.form is not None


def _form(node: Expr) -> Expr:
    return node if node.form is True else node.form  # type: ignore[return-value]


def sort_key(e: Expr) -> tuple[int, bytes]:
    return e.rank, e.digest


@lru_cache(maxsize=100_000)
def _term_key(term: Expr) -> tuple[int, bytes]:
    return sort_key(split_coefficient(term)[1])


def _sorted(node: Expr) -> Expr:
    match node:
        case Add() if all(t.form is True for t in node.children):
            # The terms are canonical, so that only their order may not be.
            ordered_terms = tuple(sorted(node.children, key=_term_key))
            return node if ordered_terms == node.children else reordered(node, ordered_terms)
        case Add():
            pairs = [split_coefficient(t) for t in node.children]
            ordered = sorted(pairs, key=lambda p: sort_key(p[1]))
            return rebuild_sum((_sorted(rest), c) for c, rest in ordered)
        case Mul():
            c, rest = split_coefficient(node)
            if isinstance(rest, Add) and c != 1:
                return _sorted(add(node))
            factors = rest.children if isinstance(rest, Mul) else (rest,)
            ordered_factors = tuple(sorted(factors, key=sort_key))
            return node if ordered_factors == factors else mul(Const(c), *ordered_factors)
        case Pow() if isinstance(node.base, Mul) and isinstance(node.exponent, Const):
            if isinstance(node.exponent.value, int):
                return _sorted(mul(*(power(f, node.exponent) for f in node.base.children)))
            return _root_of_even_powers(node)
        case Pow() if isinstance(node.base, Pow) and isinstance(node.exponent, Const):
            return _root_of_even_powers(node)
        case _:
            return node


def _root_of_even_powers(node: Pow) -> Expr:
    """(x² y⁴)^r = |x|^{2r} |y|^{4r}, which is |x| y² for a square root; the power itself for another base."""
    assert isinstance(node.exponent, Const)
    r = node.exponent.value
    roots = []
    for f in node.base.children if isinstance(node.base, Mul) else (node.base,):
        if isinstance(f, Const) and f.value > 0:
            roots.append(power(f, node.exponent))
        elif isinstance(f, Pow) and isinstance(f.exponent, Const) and _is_even(f.exponent.value) and f.base.free:
            k = times(f.exponent.value, r)
            k = int(k) if float(k).is_integer() else k
            roots.append(power(f.base if _is_even(k) else absolute(f.base), Const(k)))
        else:
            return node
    return _sorted(mul(*roots))


def _is_even(k: float) -> bool:
    return float(k).is_integer() and int(k) % 2 == 0

"""Integrands that divide by zero, or take its logarithm, with positive probability: 1/relu(u), log(hardtanh(u) + 1).

Between its kinks an expression is one smooth branch. A divisor that is 0 on a whole branch has no reciprocal wherever
that branch is taken, which has positive probability if it is taken at one point off the kinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from netsor.expr import ZERO, Call, Cond, Const, Expr, Mul, Pow, Sym, canonical, postorder
from netsor.expr.build import with_children
from netsor.expr.cases import is_kinked, pieces
from netsor.expr.evaluate import evaluate, truth
from netsor.expr.functions import FUNCTIONS
from netsor.expr.nodes import Add, Cmp
from netsor.gaussian.existence.rational_basis import Basis

_POINTS = 64
# The distance from a kink at which a point counts as off it, as a share of the size of the two sides.
_OFF = 1e-6


def may_divide_by_zero(e: Expr) -> bool:
    """Whether an expression divides by, or takes a logarithm of, an expression with kinks."""
    return any(any(map(is_kinked, postorder(u))) for u in _divisors(e))


def divides_by_zero(e: Expr, basis: Basis) -> bool:
    """Whether that is 0 on a set of positive probability, judged by the branches taken at random points."""
    draws = np.random.default_rng([20210721, basis.rank]).standard_normal((_POINTS, basis.rank))
    branches: dict[Expr, bool] = {}
    for w in draws @ basis.root.T:
        point = {s: float(np.dot([float(x) for x in basis.rows[s]], w)) for s in basis.symbols}
        branch = _branch(e, point)
        if branch is None:
            continue
        if branch not in branches:
            branches[branch] = any(canonical(u) is ZERO for u in _divisors(branch))
        if branches[branch]:
            return True
    return False


def _divisors(e: Expr) -> Iterator[Expr]:
    """What a product, a sum of products or a power divides by, and the arguments of logarithms among them.

    Functions of quotients are left out: tanh(1/0) may count as a number.
    """
    waiting = [e]
    while waiting:
        match waiting.pop():
            case Add() | Mul() as node:
                waiting.extend(node.children)
            case Pow() as node if isinstance(node.exponent, Const):
                if node.exponent.value < 0:
                    yield node.base
                waiting.append(node.base)
            case Call() as node if FUNCTIONS[node.fn].positive_only:
                yield node.children[0]
            case _:
                continue


def _branch(e: Expr, point: Mapping[Sym, float]) -> Expr | None:
    """The expression with the branches that are taken at a point; None at a kink."""
    done: dict[Expr, Expr] = {}
    for node in postorder(e):
        made = with_children(node, tuple(done[c] for c in node.children))
        if is_kinked(made):
            made = pieces(made)
        while isinstance(made, Cond):
            taken = _taken(made.test, point)
            if taken is None:
                return None
            made = made.then if taken else made.other
        done[node] = made
    return done[e]


def _taken(test: Expr, point: Mapping[Sym, float]) -> bool | None:
    if not isinstance(test, Cmp):
        return None
    if not test.free:
        return truth(test)
    a, b = (evaluate(side, point) for side in test.children)
    if not abs(a - b) > _OFF * max(abs(a), abs(b)):
        return None
    return (a > b) == (test.op in (">", ">=")) if test.op not in ("==", "!=") else test.op == "!="

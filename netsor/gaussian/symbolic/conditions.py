"""Conditions taken out of functions: F(…, if T then a else b, …) = 1[T] F(…, a, …) + 1[not T] F(…, b, …).

A test on variables that are independent of the rest then becomes a factor of its own, and what is left often depends on
fewer variables. A function that is defined only where the test holds, such as √x for x > 0, stays under the test.
"""

from __future__ import annotations

from functools import lru_cache

from netsor.deadline import verify_time
from netsor.expr import (
    FUNCTIONS,
    ONE,
    ZERO,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    add,
    canonical,
    compare,
    cond,
    mul,
    postorder,
)
from netsor.expr.build import with_children
from netsor.expr.differentiate import plain_tests
from netsor.expr.functions import is_mass
from netsor.gaussian.existence.integrability import integrable, is_total
from netsor.gaussian.symbolic.expansion import Gaussians, Term, expand, factors_of
from netsor.gaussian.symbolic.zero_sets import exchanged

_MOST_CASES = 64


@lru_cache(maxsize=20_000)
def expanded(e: Expr, gaussians: Gaussians) -> tuple[Term, ...]:
    """`expand`, with every factor split by the tests inside it that do not involve all of its variables."""
    terms = expand(e, gaussians)
    if len(gaussians) < 2:
        return terms
    for _ in range(6):
        pieces, changed = [], False
        for t in terms:
            factors = []
            # In three or more variables, kinked functions inside other functions are split as well, which gives
            # products of functions of affine arguments.
            deep = len(t.product.free & gaussians) > 2
            for f in factors_of(t.product):
                verify_time()
                split = _split(f, gaussians, deep)
                changed = changed or split is not f
                factors.append(split)
            pieces.append(mul(Const(t.coefficient), t.scalar, *factors))
        if not changed:
            break
        again = expand(canonical(add(*pieces)), gaussians)
        if len(again) > _MOST_CASES + 4 * len(terms):
            break
        terms = again
    return terms


@lru_cache(maxsize=20_000)
def _split(f: Expr, gaussians: Gaussians, deep: bool) -> Expr:
    """One factor as the sum over the two sides of one test; the factor itself where no test separates variables."""
    support = f.free & gaussians
    if len(support) < 2 or is_mass(f):
        return f
    f = plain_tests(f)
    for node in postorder(f):
        several = deep and isinstance(node, Call) and FUNCTIONS[node.fn].chooses and len(node.children) > 2
        if several and all(_can_stand_alone(exchanged(f, node, x), gaussians) for x in node.children):
            return _by_winner(f, node)  # type: ignore[arg-type]
        if isinstance(node, Cond):
            mine = node.test.free & gaussians
            if mine and mine != support:
                sides = (_under(node.test, holds, _replaced(f, node.test, holds), gaussians) for holds in (True, False))
                apart = canonical(add(*sides))
                if apart is not f:
                    return apart
        elif isinstance(node, Call) and node is not f:
            entry = FUNCTIONS[node.fn]
            if not (entry.degree == 0 or deep and entry.breaks):
                continue
            mine = node.free & gaussians
            pieces = entry.pieces
            if mine and mine != support and pieces is not None:
                apart = _split(canonical(exchanged(f, node, pieces(*node.children))), gaussians, deep)
                if _is_apart(apart, gaussians):
                    return apart
    return f


def _under(test: Expr, holds: bool, value: Expr, gaussians: Gaussians) -> Expr:
    """1[test] value (1[not test] value); factors that are not defined without the test stay inside it."""
    terms = []
    for t in expand(canonical(value), gaussians):
        inside = [f for f in factors_of(t.product) if not _can_stand_alone(f, gaussians)]
        outside = (f for f in factors_of(t.product) if f not in inside)
        kept = cond(test, mul(*inside), ZERO) if holds else cond(test, ZERO, mul(*inside))
        terms.append(mul(Const(t.coefficient), t.scalar, *outside, kept))
    return add(*terms)


@lru_cache(maxsize=20_000)
def _can_stand_alone(f: Expr, gaussians: Gaussians) -> bool:
    """Whether a function has values, and a finite expectation, also where the test that it stands under fails."""
    return is_total(f, gaussians) or integrable(canonical(f), gaussians) is True


def _is_apart(e: Expr, gaussians: Gaussians) -> bool:
    """Whether all conditions choose between branches that can stand alone, by comparisons that always have a value."""
    nodes = postorder(e)
    branches = (branch for n in nodes if isinstance(n, Cond) for branch in (n.then, n.other))
    sides = (side for n in nodes if isinstance(n, Cmp) for side in n.children)
    return all(_can_stand_alone(b, gaussians) for b in branches) and all(is_total(s, gaussians) for s in sides)


def _by_winner(f: Expr, node: Call) -> Expr:
    """Σ_i f[max → x_i] 1[x_i is the first of the largest], products of functions of differences."""
    op = FUNCTIONS[node.fn].chooses
    assert op is not None
    terms = []
    for i, x in enumerate(node.children):
        wins = [cond(compare(op, x, y), ONE, ZERO) for y in node.children[:i]]
        wins += [cond(compare(op, y, x), ZERO, ONE) for y in node.children[i + 1 :]]
        terms.append(mul(exchanged(f, node, x), *wins))
    return canonical(add(*terms))


def _replaced(root: Expr, test: Expr, holds: bool) -> Expr:
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        if isinstance(node, Cond) and node.test is test:
            done[node] = done[node.then] if holds else done[node.other]
        else:
            done[node] = with_children(node, tuple(done[c] for c in node.children))
    return done[root]

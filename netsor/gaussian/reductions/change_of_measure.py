"""Integrands that grow nearly as fast as the density falls: branch by branch, or under a wider law.

In exp(c relu(z)²) every branch is the exponential of a quadratic form, which changes the law exactly. Otherwise E_Σ
F = s^r E_{s²Σ} F exp(−(1 − 1/s²) w'w/2), with the standard variables w of z, has its mass within reach of a rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from netsor.expr import (
    FUNCTIONS,
    ONE,
    ZERO,
    Call,
    Cond,
    Const,
    Expr,
    add,
    canonical,
    cond,
    mul,
    postorder,
    substitute,
)
from netsor.expr.functions import exp
from netsor.gaussian.existence.growth import may_grow, rays
from netsor.gaussian.law.gaussian_law import RANK, State, pivoted_root
from netsor.gaussian.problem import Method, Problem, Stage, Task
from netsor.gaussian.reductions.reduction import Reduction, Sum, Weighted
from netsor.gaussian.symbolic.expansion import Gaussians, exponent_of, factors_of
from netsor.gaussian.symbolic.structure import affine, is_quadratic
from netsor.gaussian.symbolic.zero_sets import exchanged

_MOST_BRANCHES, _MOST_VARIABLES = 16, 3
# Growth below this share of the decay of the density needs no wider law; above the second share no law is wide enough.
_LIGHT, _TOO_HEAVY = 0.5, 1 - 1e-7


class Branches(Reduction):
    """exp(q) with a piecewise quadratic q, branch by branch, where the whole may not have an expectation."""

    integrands = "exp of a piecewise quadratic function, where the integrand may grow as fast as the density falls"
    becomes = "a product for each branch, with its test as a factor"

    def reduce(self, problem: Problem) -> Sum | None:
        if problem.stage >= Stage.AS_IT_IS or problem.task.exists:
            return None
        found = by_branches(problem.integrand, problem.task.gaussians)
        if found is None:
            return None
        task = problem.task.exacting()
        return Sum(tuple(Weighted(Problem(b, problem.law, task, Stage.PRODUCT)) for b in found if b is not ZERO))


class WiderLaw(Reduction):
    """E_Σ F = s^r E_{s²Σ} F exp(−(1 − 1/s²) w'w/2): the change of measure of importance sampling (Owen 2013, ch. 9)."""

    integrands = "several variables, and growth nearly as fast as the density falls"
    becomes = "the same under a wider law, times the ratio of the densities (Owen 2013, ch. 9)"
    method = Method.WIDER

    def reduce(self, problem: Problem) -> Sum | None:
        if problem.task.exists or problem.stage is Stage.WIDENED:
            return None
        if len(problem.shape.forms) > 1 and may_grow(problem.integrand, problem.task.gaussians):
            return self.after_all(problem)
        return None

    def after_all(self, problem: Problem) -> Sum | None:
        """The problem under a wider law, once quadrature has failed; None where F grows more slowly."""
        if problem.task.exists or problem.stage is Stage.WIDENED:
            return None
        found = widened(problem.integrand, problem.law, problem.task)
        if found is None:
            return None
        log, e, law = found
        task = replace(problem.task, floor=problem.task.floor * math.exp(-log))
        return Sum((Weighted(Problem(e, law, task, Stage.WIDENED), log=log, method=Method.WIDER),))


def by_branches(e: Expr, gaussians: Gaussians) -> list[Expr] | None:
    """Products that add up to e, each with the exponential of one branch of an exponent and the test of the branch.

    None unless some exponent has branches that all are polynomials of degree ≤ 2, and one of them of degree 2.
    """
    for f in factors_of(e):
        q = exponent_of(f)
        if q is None or is_quadratic(q, gaussians):
            continue
        leaves = list(_leaves(q, gaussians))
        if len(leaves) > _MOST_BRANCHES or not all(is_quadratic(leaf, gaussians) for _, leaf in leaves):
            continue
        if any(affine(leaf, gaussians) is None for _, leaf in leaves):
            rest = [g for g in factors_of(e) if g is not f]
            return [canonical(mul(test, exp(leaf), *rest)) for test, leaf in leaves]
    return None


def _leaves(q: Expr, gaussians: Gaussians, test: Expr = ONE) -> Iterator[tuple[Expr, Expr]]:
    """(the product of indicators of its tests, the branch) for every branch of an expression."""
    # The innermost conditional is taken first, so that tests do not contain branches themselves.
    node = next((n for n in postorder(q) if n.free & gaussians and _branches(n) is not None), None)
    if node is None:
        yield canonical(test), canonical(q)
        return
    whole = _branches(node)
    assert whole is not None
    if node is not whole:
        yield from _leaves(exchanged(q, node, whole), gaussians, test)
        return
    for branch, inside, outside in ((whole.then, ONE, ZERO), (whole.other, ZERO, ONE)):
        yield from _leaves(exchanged(q, node, branch), gaussians, mul(test, cond(whole.test, inside, outside)))


def _branches(node: Expr) -> Cond | None:
    if isinstance(node, Cond):
        return node
    if isinstance(node, Call):
        pieces = FUNCTIONS[node.fn].pieces
        whole = pieces(*node.children) if pieces is not None else None
        if isinstance(whole, Cond):
            return whole
    return None


def widened(e: Expr, state: State, task: Task) -> tuple[float, Expr, State] | None:
    """(log c, F', law') with E F = c E' F'; None where F does not grow like the exponential of a square."""
    symbols = tuple(s for s in state.symbols if s in e.free)
    index = [state.symbols.index(s) for s in symbols]
    part = state.covariance[np.ix_(index, index)]
    root, _ = pivoted_root((part + part.T) / 2, RANK * len(part) * state.variances[index], None, task.trust)
    rank = root.shape[1]
    if not 0 < rank <= _MOST_VARIABLES:
        return None
    mean = state.mean[index]
    known = canonical(substitute(e, {s: Const(float(task.env[s])) for s in e.free if s in task.env}))
    growth = 2 * float(rays(known, symbols, root, mean)[1].max())
    if not _LIGHT < growth < _TOO_HEAVY:
        return None
    inverse = np.linalg.pinv(root)
    square = growth * (inverse.T @ inverse)
    moved = [add(s, Const(-float(m))) if m else s for s, m in zip(symbols, mean)]
    form = [
        mul(Const(-0.5 * float(square[i, j]) * (1 if i == j else 2)), moved[i], moved[j])
        for i in range(len(symbols))
        for j in range(i + 1)
    ]
    exponents = [q for f in factors_of(e) if (q := exponent_of(f)) is not None]
    others = [f for f in factors_of(e) if exponent_of(f) is None]
    whole = canonical(mul(*others, exp(add(*exponents, *form))))
    wider = replace(state, covariance=state.covariance / (1 - growth), variances=state.variances / (1 - growth))
    return -0.5 * rank * math.log1p(-growth), whole, wider

"""Products of functions of independent variables: a product of expectations.

The law of a problem may have zeros that the law before it had not: a tilt by e^{−t(x² + y²)}, or the condition u = 0,
can make variables independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netsor.expr import Expr, canonical, mul
from netsor.gaussian.problem import Outcome, Problem, Stage, product
from netsor.gaussian.reductions.reduction import Reduction, Solve
from netsor.gaussian.symbolic.expansion import factors_of


class Independence(Reduction):
    """E f(x) g(y) = E f(x) · E g(y) for independent x and y."""

    integrands = "a product of functions of independent variables"
    becomes = "the product of their expectations"

    def reduce(self, problem: Problem) -> Product | None:
        if problem.stage >= Stage.WIDENED:
            return None
        groups = _groups(problem)
        if len(groups) < 2:
            return None
        # The error of a factor is magnified by the others.
        task = problem.task.exacting()
        return Product(tuple(replace(problem, integrand=canonical(mul(*g)), task=task) for g in groups))


@dataclass(frozen=True)
class Product:
    """Π of expectations."""

    factors: tuple[Problem, ...]
    unless: tuple[type[Exception], ...] = ()

    def evaluate(self, solve: Solve) -> Outcome:
        return product([solve(p) for p in self.factors])


def _groups(problem: Problem) -> list[list[Expr]]:
    """The factors in groups of dependent ones; those without variables are in the first."""
    gaussians, law = problem.task.gaussians, problem.law
    place = {s: i for i, s in enumerate(law.symbols)}
    groups: list[tuple[list[Expr], list[int]]] = []
    constants: list[Expr] = []
    for f in factors_of(problem.integrand):
        mine = [place[s] for s in f.free & gaussians]
        if not mine:
            constants.append(f)
            continue
        joined = [g for g in groups if _depend(law.covariance, g[1], mine)]
        groups = [g for g in groups if g not in joined]
        groups.append(([*(e for g in joined for e in g[0]), f], [*(i for g in joined for i in g[1]), *mine]))
    return [[*constants * (k == 0), *factors] for k, (factors, _) in enumerate(groups)]


def _depend(covariance: np.ndarray, xs: list[int], ys: list[int]) -> bool:
    return bool(set(xs) & set(ys)) or bool(covariance[np.ix_(xs, ys)].any())

"""Products of functions of independent variables: a product of expectations.

The law of a problem may have zeros that the law before it had not: a tilt by e^{−t(x² + y²)}, or the condition u = 0,
can make variables independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsor.expr import canonical, mul
from netsor.gaussian.problem import Outcome, Problem, Stage, product
from netsor.gaussian.reductions.reduction import Reduction, Solve
from netsor.gaussian.symbolic.independence import blocks


class Independence(Reduction):
    """E f(x) g(y) = E f(x) · E g(y) for independent x and y."""

    integrands = "a product of functions of independent variables"
    becomes = "the product of their expectations"

    def reduce(self, problem: Problem) -> Product | None:
        if problem.stage >= Stage.WIDENED:
            return None
        task, law = problem.task, problem.law
        parts = blocks(problem.integrand, task.gaussians, law)
        random = [p for p in parts if p.free & task.gaussians]
        if len(random) < 2:
            return None
        constant = (p for p in parts if not p.free & task.gaussians)
        random[0] = canonical(mul(*constant, random[0]))
        # The error of a factor is magnified by the others.
        return Product(tuple(replace(problem, integrand=p, task=task.exacting()) for p in random))


@dataclass(frozen=True)
class Product:
    """Π of expectations."""

    factors: tuple[Problem, ...]
    unless: tuple[type[Exception], ...] = ()

    def evaluate(self, solve: Solve) -> Outcome:
        return product([solve(p) for p in self.factors])

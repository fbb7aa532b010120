"""Sums of products with powers of quadratic forms whose Laplace integral has a formula at every node."""

from __future__ import annotations

import numpy as np

from netsor.expr import Const, Expr, Sym, canonical, substitute
from netsor.gaussian.problem import Method, Outcome, Problem, Stage, Step
from netsor.gaussian.reductions.reduction import Reduction, Sum
from netsor.gaussian.vectorized.laplace import laplace_sum


class LaplaceInArrays(Reduction):
    """Σ E F Π b_k^{−p_k} by one trapezoidal rule in all t_k, see `netsor.gaussian.vectorized.laplace`."""

    integrands = (
        "the same negative powers of one or two quadratic forms in each term, times polynomials and relu, abs or step"
    )
    becomes = "one integral over Laplace transforms, which have a formula (Abramowitz & Stegun 6.1.1)"
    method = Method.LAPLACE

    def reduce(self, problem: Problem) -> Sum | None:
        law, task = problem.law, problem.task
        if problem.stage is not Stage.SUM or law.mean.any():
            return None
        scalars: dict[Sym, Expr] = {s: Const(v) for s, v in task.env.items() if s in problem.integrand.free}
        e = canonical(substitute(problem.integrand, scalars)) if scalars else problem.integrand
        rule = laplace_sum(e, law.symbols)
        if rule is None:
            return None
        found = rule.at(law.covariance, np.zeros_like(law.covariance), task.tol)
        if found is None or found.error > max(task.tol * found.scale, task.floor):
            return None
        steps = (Step(Method.LAPLACE), Step(Method.CLOSED))
        return Sum((Outcome(found.value, found.error, found.scale, len(rule.squares), steps),))

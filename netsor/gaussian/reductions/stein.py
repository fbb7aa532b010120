"""Polynomials times functions that are constant between jumps: Stein's lemma gives Dirac masses, in one variable less.

E z F = Σ_j Cov(z, z_j) E ∂F/∂z_j, where ∂F consists of masses on the planes of the jumps: E max of six variables
becomes probabilities of orthants in four.
"""

from __future__ import annotations

from netsor.expr import ZERO, Add, Call, Cmp, Cond, Const, Expr, Mul, Pow, Sym, canonical, diff, mul, power
from netsor.expr.functions import FUNCTIONS
from netsor.gaussian.constants import FEWEST_FORMS
from netsor.gaussian.problem import Method, NoPointwiseMeaning, Problem, Stage
from netsor.gaussian.reductions.reduction import Reduction, Sum, Weighted
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of, monomial
from netsor.gaussian.symbolic.structure import affine


class SteinsLemma(Reduction):
    """E z F = Σ_j Cov(z, z_j) E ∂F/∂z_j (Stein 1981), where ∂F consists of Dirac masses."""

    integrands = "a polynomial times jumps on planes, in three or more variables, as in max"
    becomes = "Dirac masses, in one variable fewer (Stein's lemma, Stein 1981)"
    method = Method.DIRAC

    def reduce(self, problem: Problem) -> Sum | None:
        shape, law = problem.shape, problem.law
        if problem.stage >= Stage.AS_IT_IS:
            return None
        known = frozenset(shape.form_symbols)
        if not shape.polynomial or len(shape.forms) < FEWEST_FORMS or not all(is_flat(f, known) for f in shape.factors):
            return None
        z, k = shape.polynomial[0]
        task = problem.task.exacting()
        others = (f for f in factors_of(problem.integrand) if _variable(f, task.gaussians) is not z)
        rest = canonical(mul(*others, power(z, Const(k - 1))))
        i = law.symbols.index(z)
        parts = [canonical(mul(Const(float(law.mean[i])), rest))] if law.mean[i] != 0 else []
        for j, s in enumerate(law.symbols):
            c = float(law.covariance[i, j])
            if c != 0 and s in rest.free:
                parts.append(canonical(mul(Const(c), diff(rest, s))))
        terms = tuple(Weighted(Problem(e, law, task)) for e in parts if e is not ZERO)
        # A mass may meet a jump; then the next reduction is tried.
        return Sum(terms, (NoPointwiseMeaning,))


def _variable(f: Expr, gaussians: Gaussians) -> Sym | None:
    found = monomial(f, gaussians)
    return found[0] if found else None


def is_flat(e: Expr, variables: frozenset[Sym]) -> bool:
    """Whether a function is constant except for jumps across planes."""
    if not e.free & variables:
        return True
    match e:
        case Call() if FUNCTIONS[e.fn].degree == 0:
            return affine(e.children[0], variables) is not None
        case Cond():
            test = e.test
            if not isinstance(test, Cmp) or test.op in ("==", "!="):
                return False
            return (
                all(affine(c, variables) is not None for c in test.children)
                and is_flat(e.then, variables)
                and is_flat(e.other, variables)
            )
        case Add() | Mul() | Pow():
            return all(is_flat(c, variables) for c in e.children)
        case _:
            return False

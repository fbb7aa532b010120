"""E ℓ f(u) g(v) for a Gaussian ℓ beside functions of two others: by regression on u, and Stein's lemma for v.

With c = Cov(ℓ, u)/Var u the rest ℓ − c u is independent of u, so that

    E ℓ f(u) g(v) = c E u f(u) g(v) + (Cov(ℓ, v) − c Cov(u, v)) E f(u) g'(v).

f needs no derivative, and what is left are expectations for pairs, which have closed forms or one rule for all pairs.
Derivatives of a kernel by a parameter are of this kind: ℓ is the derivative of a layer's input.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from netsor.expr import ZERO, Add, Const, Expr, Sym, add, canonical, diff, is_singular, mul, substitute, unfold
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.expansion import factors_of
from netsor.gaussian.symbolic.independence import gaussians_of
from netsor.gaussian.symbolic.structure import affine
from netsor.limit.many.evaluator import Evaluator
from netsor.limit.many.frames import Frame, Step
from netsor.limit.many.terms import Term

# Products of sums of more terms are left to the plan for expectations as they stand.
_MOST_TERMS = 64


class TangentEvaluator(Evaluator):
    """An evaluator that takes Gaussian factors out of expectations, wherever they stand in a program."""

    def expect(self, *factors: Expr, variance: float = 1.0) -> Step:
        e = canonical(unfold(mul(*factors)))
        found = self._linear.get((e, variance)) if e.free else None
        if found is None:
            terms = _terms(e)
            if terms is None or not e.free:
                return super().expect(*factors, variance=variance)
            found = self.total([t for term in terms for t in _expectation(self, term, variance)])
            self._linear[e, variance] = found
        return found

    def plainly(self, e: Expr) -> Step:
        """E of an expression, without a search for Gaussian factors."""
        return super().expect(e)

    @cached_property
    def _linear(self) -> dict[tuple[Expr, float], Step]:
        return {}


def _terms(e: Expr) -> list[list[Expr]] | None:
    """The products that an expression multiplies out to, as lists of factors; None where they are many."""
    out: list[list[Expr]] = []
    for term in e.children if isinstance(e, Add) else (e,):
        # Sums that are linear factors stay together, whatever they are multiplied with.
        choices = [f.children if isinstance(f, Add) and not _is_affine(f) else (f,) for f in factors_of(term)]
        count = int(np.prod([len(c) for c in choices], dtype=float)) if choices else 1
        if len(out) + count > _MOST_TERMS:
            return None
        out += [[g for f in chosen for g in factors_of(f)] for chosen in itertools.product(*choices)]
    return out


def _is_affine(e: Expr) -> bool:
    return affine(e, e.free) is not None


def _expectation(evaluator: TangentEvaluator, factors: Sequence[Expr], variance: float) -> list[Term]:
    """E of a product, times a number, as a sum of terms."""
    law = evaluator.forms
    known = [(f, affine(f, gaussians_of(f, law)) if gaussians_of(f, law) else None) for f in factors]
    for f, linear in known:
        if linear is None or not linear[0] or not all(isinstance(c, Const) for c in linear[0].values()):
            continue
        if not isinstance(linear[1], Const):
            continue
        others = list(factors)
        others.remove(f)
        rest = canonical(mul(*others))
        found = _without(evaluator, {s: float(c.value) for s, c in linear[0].items() if isinstance(c, Const)}, rest)
        if found is not None:
            constant = canonical(mul(linear[1], rest))
            whole = found + ([] if constant is ZERO else [Term(1.0, (evaluator.plainly(constant),))])
            return [Term(variance * t.number, t.factors) for t in whole]
    return [Term(variance, (evaluator.plainly(canonical(mul(*factors))),))]


def _without(evaluator: TangentEvaluator, linear: dict[Sym, float], rest: Expr) -> list[Term] | None:
    """E ℓ F for ℓ = Σ a z and F = `rest`, of one or two linear forms; None for other F."""
    law = evaluator.forms
    written = law.rewritten(rest)
    variables = sorted(gaussians_of(written, law), key=lambda s: s.digest)
    if not variables or len(variables) > 2 or written.free != frozenset(variables):
        return None
    groups: dict[Sym, list[Expr]] = {v: [] for v in variables}
    for f in factors_of(written):
        mine = gaussians_of(f, law)
        if len(mine) > 1:
            return None
        groups[next(iter(mine), variables[0])].append(f)
    # The one whose function has no derivative is the one that ℓ is regressed on.
    slopes = {v: canonical(diff(mul(*groups[v]), v)) for v in variables}
    rough = [v for v in variables if is_singular(unfold(slopes[v]))]
    if len(rough) > 1:
        return None
    u = rough[0] if rough else variables[0]

    def covariance(v: Sym) -> Step:
        return evaluator.total([Term(a, (evaluator.covariance(s, v),)) for s, a in linear.items()])

    def expected(*parts: Expr) -> Step:
        return evaluator.plainly(canonical(_in_variables(mul(*parts), evaluator, variables)))

    ratio = _ratio(evaluator, covariance(u), evaluator.covariance(u, u))
    out = [Term(1.0, (ratio, expected(u, written)))]
    for v in variables:
        if v is not u:
            slope = expected(*groups[u], slopes[v])
            out.append(Term(1.0, (covariance(v), slope)))
            out.append(Term(-1.0, (ratio, evaluator.covariance(u, v), slope)))
    return [t for t in out if evaluator.zero not in t.factors]


def _in_variables(e: Expr, evaluator: Evaluator, forms: Iterable[Sym]) -> Expr:
    """An expression with the sums in the place of forms."""
    sums = {u: add(*(mul(c, s) for s, c in evaluator.forms[u])) for u in forms if u in evaluator.forms}
    return substitute(e, sums) if sums else e


def _ratio(evaluator: Evaluator, top: Step, bottom: Step) -> Step:
    """A covariance over a variance; where that is zero, so is what is regressed on it."""
    if top is evaluator.zero:
        return evaluator.zero

    def compute(frame: Frame, given: Sequence[Bounded]) -> Bounded:
        covariance, variance = given
        some = variance.value > 0
        safe = Bounded(np.where(some, variance.value, 1.0), np.where(some, variance.error, 0.0))
        found = covariance.over(safe)
        return Bounded(np.where(some, found.value, 0.0), np.where(some, found.error, 0.0))

    domain = "".join(sorted({c for q in (top, bottom) for c in q.domain}))
    return evaluator.step(domain, (top, bottom), compute)

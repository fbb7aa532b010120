"""Polynomials times functions that are constant between jumps: Stein's lemma leaves Dirac masses, a dimension less.

E z F = Σ_j Cov(z, z_j) E ∂F/∂z_j, where ∂F is nothing but masses on the planes of the jumps: E max of six variables
becomes probabilities of orthants of four.
"""

from __future__ import annotations

from collections.abc import Callable

from netsor.expr import ZERO, Add, Call, Cmp, Cond, Const, Expr, Mul, Pow, Sym, canonical, diff, mul, power
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import NoPointwiseMeaning
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of, monomial
from netsor.gaussian.symbolic.structure import Shape, affine
from netsor.gaussian.task import Outcome, Task, total

Expectation = Callable[[Expr, State, Task], Outcome]
# Below three forms a quadrature is as good.
_FEWEST = 3


def by_steins_lemma(e: Expr, shape: Shape, state: State, task: Task, expectation: Expectation) -> Outcome | None:
    """E of a polynomial times jumps; None where something else is a factor, or masses would meet jumps."""
    known = frozenset(shape.form_symbols)
    if not shape.polynomial or len(shape.forms) < _FEWEST or not all(is_flat(f, known) for f in shape.factors):
        return None
    z, k = shape.polynomial[0]
    rest = canonical(mul(*(f for f in factors_of(e) if _variable(f, task.gaussians) is not z), power(z, Const(k - 1))))
    i = state.symbols.index(z)
    parts = []
    try:
        if state.mean[i] != 0:
            parts.append(expectation(canonical(mul(Const(float(state.mean[i])), rest)), state, task))
        for j, s in enumerate(state.symbols):
            c = float(state.covariance[i, j])
            if c != 0 and s in rest.free:
                slope = canonical(mul(Const(c), diff(rest, s)))
                if slope is not ZERO:
                    parts.append(expectation(slope, state, task))
    except NoPointwiseMeaning:
        return None
    return total(parts) if parts else Outcome(0.0, 0.0, 0.0, 0, "exact algebra")


def _variable(f: Expr, gaussians: Gaussians) -> Sym | None:
    found = monomial(f, gaussians)
    return found[0] if found else None


def is_flat(e: Expr, variables: frozenset[Sym]) -> bool:
    """Whether a function is constant but for jumps across planes."""
    if not e.free & variables:
        return True
    match e:
        case Call() if e.fn in ("step", "sign"):
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

"""Proofs that E|ψ| is infinite, by the growth of ψ along rays and near zeros of divisors.

An expectation is only called divergent where a series or a change of sign proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product as choices

from netsor.expr import Call, Const, Expr, Sym, canonical, mul, postorder, substitute
from netsor.expr.build import power, with_children
from netsor.expr.functions import FUNCTIONS, is_singular
from netsor.gaussian.existence.divisors import blows_up, changes_sign, divides
from netsor.gaussian.existence.growth import grows, is_indefinite, may_grow
from netsor.gaussian.existence.rational_basis import Basis, basis_of
from netsor.gaussian.existence.undefined import divides_by_zero, may_divide_by_zero
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.symbolic.expansion import Gaussians

TOO_FAST = "the integrand grows as fast as the Gaussian density falls, or faster"
TOO_SINGULAR = "the integrand is too singular: its modulus has an infinite expectation"
BY_ZERO = "the integrand divides by zero, or takes the logarithm of zero, with positive probability"
# The most scalars for which all combinations of the ends of their errors are tried.
_MOST_SCALARS = 3


def why_infinite(e: Expr, gaussians: Gaussians, inputs: Inputs) -> str | None:
    """Why E|e| is infinite for every law within the errors of the inputs; None where that is not known."""
    kinked = may_divide_by_zero(e)
    if is_singular(e) or not (kinked or may_grow(e, gaussians) or divides(e, gaussians)):
        return None
    basis = basis_of(inputs)
    if basis is None:
        return None
    for scalars in _corners(inputs):
        why = _in_numbers(canonical(substitute(e, scalars)), gaussians, basis, kinked)
        if why is None:
            return None
    return why


def _corners(inputs: Inputs) -> Iterator[dict[Sym, Expr]]:
    """The scalars at their values, and at the ends of their errors."""
    sides = [(0.0, -d, d) if d else (0.0,) for d in inputs.scalar_errors.values()]
    for moved in choices(*sides) if len(sides) <= _MOST_SCALARS else [(0.0,) * len(sides)]:
        yield {s: Const(v + d) for (s, v), d in zip(inputs.scalars.items(), moved)}


@lru_cache(maxsize=4096)
def _of_quotients(e: Expr) -> Expr:
    """The expression with functions such as tan u written as quotients, sin u / cos u."""
    done: dict[Expr, Expr] = {}
    for node in postorder(e):
        new = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(new, Call) and (quotient := FUNCTIONS[new.fn].quotient) is not None:
            above, below = quotient(new.children[0])
            new = mul(above, power(below, Const(-1)))
        done[node] = new
    return canonical(done[e])


def _in_numbers(e: Expr, gaussians: Gaussians, basis: Basis, kinked: bool) -> str | None:
    if kinked and divides_by_zero(e, basis):
        return BY_ZERO
    e = _of_quotients(e)
    if may_grow(e, gaussians) and (is_indefinite(e, gaussians, basis) or grows(e, gaussians, basis)):
        return TOO_FAST
    if divides(e, gaussians) and (blows_up(e, gaussians, basis) or changes_sign(e, gaussians, basis)):
        return TOO_SINGULAR
    return None

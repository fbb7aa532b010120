"""Recognises means that must be positive: those of ψ ≥ 0 that is not zero almost everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable

from netsor.expr import FUNCTIONS, Add, Call, Const, Expr, Mul, Pow, Sym
from netsor.expr.cases import Signs, is_kinked, settled_by, split, undecided
from netsor.expr.differentiate import unfold
from netsor.expr.functions import is_exp
from netsor.expr.intervals import infer_range

# The range of a number that is only known to be positive; products of a few such lower bounds are still positive.
POSITIVE = (1e-30, math.inf)
_MOST_CASES = 32


def is_positive_somewhere(e: Expr, is_gaussian: Callable[[Sym], bool]) -> bool:
    """Whether ψ(Z) ≥ 0 is recognised as positive with positive probability, for all values of its scalars."""
    e = unfold(e)
    if infer_range(e, {})[0] > 0:
        return True
    if isinstance(e, Add):
        return any(is_positive_somewhere(t, is_gaussian) for t in e.children)
    return is_not_zero(e, is_gaussian)


def is_not_zero(e: Expr, is_gaussian: Callable[[Sym], bool]) -> bool:
    """Whether an expression is recognised as non-zero with positive probability."""
    waiting: list[tuple[Expr, Signs]] = [(e, {})]
    left = _MOST_CASES
    while waiting and left:
        left -= 1
        e, signs = waiting.pop()
        if _is_not_zero(e, is_gaussian):
            return True
        u = undecided(e, signs)
        # Where scalars alone decide a sign it may be either, and the case cannot be chosen.
        if u is not None and all(map(is_gaussian, u.free)):
            for positive in (True, False):
                more = split(u, signs, positive)
                waiting.append((settled_by(e, more), more))
    return False


def _is_not_zero(e: Expr, is_gaussian: Callable[[Sym], bool]) -> bool:
    match e:
        case Const():
            return e.value != 0
        case Sym():
            return is_gaussian(e)
        case Pow():
            return isinstance(e.exponent, Const) and _is_not_zero(e.base, is_gaussian)
        case Mul():
            return not any(is_kinked(f) for f in e.children) and all(_is_not_zero(f, is_gaussian) for f in e.children)
        case Call() if FUNCTIONS[e.fn].arity == (1, 1) and not is_kinked(e):
            # A function that is analytic and not constant, at an argument that takes all values of an interval, is
            # almost never 0.
            return is_exp(e) or _varies(e.children[0], is_gaussian)
        case Add():
            return _varies(e, is_gaussian)
        case _:
            return False


def _varies(e: Expr, is_gaussian: Callable[[Sym], bool]) -> bool:
    """Whether some Gaussian occurs in one term only, with a number as its coefficient."""
    terms = e.children if isinstance(e, Add) else (e,)
    for k, t in enumerate(terms):
        others = terms[:k] + terms[k + 1 :]
        factors = t.children if isinstance(t, Mul) else (t,)
        gaussians = [f for f in factors if isinstance(f, Sym) and is_gaussian(f)]
        plain = all(isinstance(f, Const) or f in gaussians for f in factors)
        if plain and any(all(s not in o.free for o in others) for s in gaussians):
            return True
    return False

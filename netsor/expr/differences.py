"""Differences that are not ψ* of Eq. 84: n (φ(x + d/√n) + φ(x − d/√n) − 2 φ(x)) tends to φ''(x) d² for a smooth φ.

Taylor's theorem is applied to as many terms as the factor in n needs: the first ones cancel, and the rest has a limit.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

from netsor.expr.asymptotics import Diverges
from netsor.expr.build import add, mul, rewrite
from netsor.expr.canonical import canonical
from netsor.expr.cases import is_kinked
from netsor.expr.differentiate import unfold
from netsor.expr.expanded_limit import limit_by_expansion
from netsor.expr.expansion import Unsettled
from netsor.expr.functions import FUNCTIONS, TooSingular, is_singular
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import WIDTH, ZERO, Add, Call, Const, Expr, Mul, Pow, Star, Sym, postorder
from netsor.expr.onesided import OneSided, as_it_is

_MOST_TERMS = 400


@lru_cache(maxsize=1024)
def limit_of_differences(root: Expr) -> Expr | None:
    """lim ψ for n → ∞ by an expansion in 1/√n, its variables on no kink of ψ; None where ψ grows or that is not known.

    Arguments that meet, as in √n (max(x + d/√n, x) − x), leave a kink in d; a jump that is crossed leaves a Dirac mass.
    """
    e = unfold(root)
    try:
        if not is_smooth(e):
            return limit_by_expansion(e, as_it_is)[0]
        found = OneSided(as_it_is, {}).of(e, 0.0)
    except (Unsettled, TooSingular, Diverges):
        return None
    if found.rest <= 0 or any(p < 0 and multiplied_out(c) is not ZERO for p, c in found.terms):
        return None
    return canonical(found.at(0.0))


def multiplied_out(root: Expr) -> Expr:
    """The expression with products of sums expanded into sums of at most `_MOST_TERMS` terms."""

    def rule(node: Expr) -> Expr:
        factors = list(node.children) if isinstance(node, Mul) else [node]
        whole = [f for f in factors if _whole_power(f)]
        factors = [f for f in factors if f not in whole]
        factors += [f.children[0] for f in whole for _ in range(_whole_power(f))]
        sums = [f.children if isinstance(f, Add) else (f,) for f in factors]
        if math.prod(map(len, sums)) in range(2, _MOST_TERMS):
            return add(*(mul(*terms) for terms in itertools.product(*sums)))
        return node

    return canonical(rewrite(root, rule))


def _whole_power(e: Expr) -> int:
    """k of (a + b)^k for a small integer k ≥ 2, and 0 for any other expression."""
    if isinstance(e, Pow) and isinstance(e.base, Add) and isinstance(e.exponent, Const):
        k = e.exponent.value
        return k if isinstance(k, int) and 2 <= k <= 6 else 0
    return 0


def is_smooth(e: Expr) -> bool:
    """Whether an expression is infinitely differentiable everywhere in its variables, judged by its parts."""
    if is_singular(e):
        return False
    for node in postorder(e):
        if node.free <= {WIDTH}:
            continue
        match node:
            case Sym() | Add() | Mul() | Star():
                continue
            case Pow():
                k = node.exponent.value if isinstance(node.exponent, Const) else None
                if k is None or not (isinstance(k, int) and k >= 0 or infer_range(node.base, {})[0] > 0):
                    return False
            case Call():
                entry = FUNCTIONS[node.fn]
                if is_kinked(node) or entry.breaks or entry.jumps or entry.arity != (1, 1):
                    return False
                if not entry.has_values_on(infer_range(node.children[0], {})):
                    return False
            case _:
                return False
    return True

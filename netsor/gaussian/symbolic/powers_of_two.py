"""Coefficients that no float can hold: a factor 2^k is taken out of the integrand, and multiplied back at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from netsor.expr import (
    FUNCTIONS,
    ONE,
    ZERO,
    Add,
    Call,
    Cmp,
    Const,
    Expr,
    Mul,
    Pow,
    add,
    call,
    canonical,
    compare,
    evaluate,
    mul,
    postorder,
    power,
    split_coefficient,
)
from netsor.expr.build import wide, with_children
from netsor.expr.functions import is_log, log
from netsor.expr.nodes import is_power_of_two, size_beyond
from netsor.gaussian.problem import OutOfRange
from netsor.gaussian.sensitivity.first_order import FirstOrder
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of, monomial
from netsor.gaussian.symbolic.homogeneity import pulled

# The least positive float, which bounds the error of a subnormal result.
LEAST = 2.0**-1074
# The least normal float.
NORMAL = 2.0**-1022
# Fourth powers of numbers beyond 2^±FAR may be out of the range of floats.
FAR = 200


def power_of_two(k: int) -> Expr:
    """2^k as a factor."""
    return wide(1, k)


def apart(e: Expr) -> tuple[int, Expr]:
    """(k, u) with e = 2^k u, for a product e."""
    k = size_beyond(e)
    if k is None:
        return 0, e
    factors = e.children if isinstance(e, Mul) else (e,)
    return k, mul(*(f for f in factors if not is_power_of_two(f)))


def has_powers(e: Expr) -> bool:
    """Whether an expression has a coefficient that no float can hold."""
    return any(map(is_power_of_two, postorder(e)))


def size(term: Expr) -> int:
    """log2 of the coefficient of a term, rounded to an integer."""
    k, rest = apart(term)
    c, _ = split_coefficient(rest)
    return k + (math.frexp(c)[1] if c and math.isfinite(c) else 0)


def is_far(e: Expr) -> bool:
    """Whether a number is so large or small that its fourth power may be out of the range of floats."""
    return is_power_of_two(e) or isinstance(e, Const) and bool(e.value) and not -FAR < size(e) < FAR


@lru_cache(maxsize=5_000)
def gathered(root: Expr) -> Expr:
    """The same function in canonical form, with numbers of extraordinary size moved in front of sums and functions."""
    if not any(map(is_far, postorder(root))):
        return root
    for _ in range(3):
        done: dict[Expr, Expr] = {}
        for node in postorder(root):
            done[node] = _gathered(with_children(node, tuple(done[c] for c in node.children)))
        before, root = root, pulled(canonical(done[root]))
        if root is before:
            break
    return root


def _gathered(node: Expr) -> Expr:
    match node:
        case Add():
            return _out(node.children, lambda terms: add(*terms))
        case Call() if FUNCTIONS[node.fn].chooses:
            return _out(node.children, lambda terms: call(node.fn, *terms))
        case Cmp():
            most = max(map(size, node.children))
            back = power_of_two(-most)
            return node if -FAR < most < FAR else compare(node.op, *(mul(back, c) for c in node.children))
        case Call() if is_log(node) and (k := size_beyond(node.children[0])) is not None:
            return add(Const(k * math.log(2)), log(apart(node.children[0])[1]))
        case Pow() if isinstance(node.exponent, Const):
            c, rest = split_coefficient(node.base)
            if c < 0 or not is_far(Const(c)):
                return node
            return mul(power(Const(c), node.exponent), power(rest, node.exponent))
        case _:
            return node


def _out(terms: tuple[Expr, ...], make: Callable[[list[Expr]], Expr]) -> Expr:
    """2^k make(2^−k terms) where the largest term has an extraordinary size 2^k."""
    most = max(size(t) for t in terms if t is not ZERO)
    if -FAR < most < FAR:
        return make(list(terms))
    inner = make([canonical(mul(power_of_two(-most), t)) for t in terms])
    return mul(power_of_two(most), inner)


@lru_cache(maxsize=5_000)
def without_negligible(block: Expr, gaussians: Gaussians) -> Expr:
    """The block without terms 2^k u, k ≤ −1024, that are negligible beside numbers or as arguments of smooth functions.

    Its expectation changes by at most about the least normal float, since these terms are polynomials with coefficients
    below the range of floats.
    """
    done: dict[Expr, Expr] = {}
    for node in postorder(block):
        new = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(new, Add) and any(isinstance(t, Const) for t in new.children):
            new = add(*(t for t in new.children if not _is_negligible(t, gaussians)))
        elif isinstance(new, Call) and not FUNCTIONS[new.fn].breaks and not FUNCTIONS[new.fn].jumps:
            at = tuple(ZERO if _is_negligible(c, gaussians) else c for c in new.children)
            if at != new.children and math.isfinite(evaluate(call(new.fn, *(ONE if c.free else c for c in at)))):
                new = call(new.fn, *at)
        done[node] = new
    return canonical(done[block])


def _is_negligible(term: Expr, gaussians: Gaussians) -> bool:
    k, rest = apart(term)
    if k >= 0:
        return False
    return all(monomial(f, gaussians) for f in factors_of(split_coefficient(rest)[1]))


def raised(o: FirstOrder, k: int) -> FirstOrder:
    """2^k times a number; raises Unsettled where the result overflows."""
    if k == 0 or o.value == o.error == 0:
        return o
    try:
        value = math.ldexp(o.value, k)
        slopes = {i: math.ldexp(s, k) for i, s in o.slopes.items()}
        own, error = math.ldexp(o.own, k) + LEAST, math.ldexp(o.error, k) + LEAST
    except OverflowError:
        size = (math.log2(abs(o.value)) + k) * math.log10(2) if o.value else 0.0
        raise OutOfRange(f"its size is about 1e{size:+.0f}, out of the range of floating-point numbers") from None
    return FirstOrder(value, own, error, slopes)


def refuse(e: Expr) -> None:
    """Raise Unsettled where powers of two are left inside the integrand."""
    if has_powers(e):
        raise OutOfRange("it combines numbers of very different sizes, out of the range of floating-point numbers")

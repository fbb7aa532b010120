"""Exact derivatives almost everywhere, with Dirac masses where a branch or a function jumps.

The module also expands what derivatives need expanded: a user's function into its body, ψ* into its quotient or limit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from functools import lru_cache

from netsor.expr.build import add, compare, cond, mul, neg, numbers, power, rewrite, star, star_quotient, substitute
from netsor.expr.functions import FUNCTIONS, dirac, is_mass, is_singular, log
from netsor.expr.nodes import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Function,
    Logic,
    Mul,
    Pow,
    Star,
    Sym,
    postorder,
)
from netsor.expr.numeric import value_of


def diff(root: Expr, x: Sym) -> Expr:
    """∂root/∂x: the derivative almost everywhere, plus `dirac` terms where the expression jumps."""
    if x not in root.free:
        return ZERO
    done: dict[Expr, Expr] = {}
    for node in postorder(root, known=lambda node: x not in node.free):
        done[node] = _rule(node, x, done)
    return done[root]


def _rule(node: Expr, x: Sym, done: dict[Expr, Expr]) -> Expr:
    match node:
        case Sym():
            return ONE
        case Add():
            return add(*[done[c] for c in node.children if c in done])
        case Mul():
            return _product_rule(node.children, done)
        case Pow():
            return _power_rule(node, x, done)
        case Call():
            entry = FUNCTIONS[node.fn]
            return add(
                *(mul(entry.partial(node.children, i), done[c]) for i, c in enumerate(node.children) if x in c.free)
            )
        case Apply():
            return add(*(mul(_raised(node, i), done[c]) for i, c in enumerate(node.children) if x in c.free))
        case Cond():
            plain = split_logic(node)
            if plain is not node:
                return diff(plain, x)
            slopes = (done.get(branch, ZERO) for branch in (node.then, node.other))
            return add(_branches(node.test, *slopes), _jump_terms(node, x))
        case Star():
            if x in node.theta.free:
                return diff(star_quotient(node), x)
            return star(node.bound, diff(node.body, x), node.theta)
        case _:
            # Comparisons have no derivative of their own; the rule for conditionals treats their jumps.
            return ZERO


def _product_rule(factors: tuple[Expr, ...], done: dict[Expr, Expr]) -> Expr:
    terms = []
    for i, f in enumerate(factors):
        slope = done.get(f, ZERO)
        if slope is not ZERO:
            terms.append(mul(*factors[:i], slope, *factors[i + 1 :]))
    return add(*terms)


def _power_rule(node: Pow, x: Sym, done: dict[Expr, Expr]) -> Expr:
    base, exponent = node.base, node.exponent
    terms = []
    if x in base.free:
        terms.append(mul(exponent, power(base, add(exponent, MINUS_ONE)), done[base]))
    if x in exponent.free:
        terms.append(mul(node, log(base), done[exponent]))
    return add(*terms)


def _raised(node: Apply, i: int) -> Expr:
    orders = list(node.orders)
    orders[i] += 1
    return Apply._make((node.function, tuple(orders)), node.children)


def _branches(test: Expr, then: Expr, other: Expr) -> Expr:
    """A conditional with the Dirac masses of its branches taken out, [test] δ(u), where they can be integrated."""
    outside: list[Expr] = []
    inside: list[Expr] = []
    for branch, holds in ((then, True), (other, False)):
        share = cond(test, ONE, ZERO) if holds else cond(test, ZERO, ONE)
        terms = branch.children if isinstance(branch, Add) else (branch,)
        masses = [t for t in terms if is_singular(t)]
        outside += [mul(share, t) for t in masses if not _lies_elsewhere(t, test, holds)]
        inside.append(add(*(t for t in terms if t not in masses)))
    return add(cond(test, *inside), *outside)


def _lies_elsewhere(term: Expr, test: Expr, holds: bool) -> bool:
    """Whether a mass at u = 0 is not on the side of the test that is taken, as that of sign(u) where |u| > 1.

    Where u = 0 is on the boundary itself, the two sides share the mass.
    """
    if not isinstance(test, Cmp):
        return False
    for mass in filter(is_mass, postorder(term)):
        there = _on_zero(test, mass.children[0])
        on_boundary = cond(compare("==", *there.children), ONE, ZERO) is not ZERO
        if not there.free and not on_boundary and cond(there, ONE, ZERO) is (ZERO if holds else ONE):
            return True
    return False


def _on_zero(e: Expr, u: Expr) -> Expr:
    """An expression where u = 0: for u itself, and for the symbol that u is an affine function of."""
    e = rewrite(e, lambda node: ZERO if node is u else node)
    if len(u.free) != 1:
        return e
    (s,) = u.free
    slope = diff(u, s)
    return (
        e
        if slope.free or slope is ZERO
        else substitute(e, {s: mul(neg(substitute(u, {s: ZERO})), power(slope, MINUS_ONE))})
    )


def _jump_terms(node: Cond, x: Sym) -> Expr:
    """The derivative of the indicator in a conditional: (then − other) δ(u) ∂u/∂x, where u = 0 bounds the test."""
    if isinstance(node.test, Cmp):
        test = node.test
        if test.op in ("==", "!=") or x not in test.free:
            return ZERO
        lhs, rhs = test.children
        u = add(lhs, neg(rhs)) if test.op in (">", ">=") else add(rhs, neg(lhs))
        slope = diff(u, x)
        if slope is ZERO:
            return ZERO
        gap = add(node.then, neg(node.other))
        return ZERO if vanishes_on(gap, u) else mul(gap, dirac(u), slope)
    return ZERO


def split_logic(node: Expr) -> Expr:
    """The conditional with `and`, `or`, `not` in its test replaced by nested conditionals with plain comparisons."""
    if not isinstance(node, Cond) or isinstance(node.test, Cmp):
        return node
    test = node.test
    assert isinstance(test, Logic)
    then, other = node.then, node.other
    if test.op == "not":
        return split_logic(cond(test.children[0], other, then))
    first, *rest = test.children
    remaining = rest[0] if len(rest) == 1 else Logic._make(test.op, tuple(rest))
    if test.op == "and":
        return split_logic(cond(first, split_logic(cond(remaining, then, other)), other))
    return split_logic(cond(first, then, split_logic(cond(remaining, then, other))))


def plain_tests(root: Expr) -> Expr:
    """The expression with `and`, `or`, `not` replaced by nested conditionals everywhere."""
    return rewrite(root, split_logic)


@lru_cache(maxsize=65536)
def vanishes_on(gap: Expr, u: Expr) -> bool:
    """Whether `gap` is zero wherever `u` is, so that the branches join without a jump; judged at random points.

    The points are roots of u in one of its symbols, at random values of the others. The answer is False where no root
    is found: a Dirac mass of weight zero does no harm, and a lost one would.
    """
    if gap is ZERO:
        return True
    if gap is u or neg(gap) is u:
        return True
    symbols = sorted(gap.free | u.free, key=lambda s: s.digest)
    tried = 0
    rng = random.Random(20210721)
    for s in sorted(u.free, key=lambda s: s.digest):
        slope = diff(u, s)
        affine = s not in slope.free
        for _ in range(4):
            env = {t: rng.uniform(-2, 2) for t in symbols}
            root = _affine_root(u, slope, s, env) if affine else _bracketed_root(u, s, env)
            if root is None:
                continue
            env[s] = root
            value = _value(gap, env)
            scale = 1 + max(abs(v) for v in env.values())
            if math.isnan(value):
                continue
            if abs(value) > 1e-9 * scale * scale:
                return False
            tried += 1
        if tried >= 3:
            return True
    return tried > 0


def _affine_root(u: Expr, slope: Expr, s: Sym, env: dict[Sym, float]) -> float | None:
    b = _value(slope, env)
    if not math.isfinite(b) or b == 0:
        return None
    a = _value(substitute(u, {s: Const(0)}), env)
    root = -a / b
    return root if math.isfinite(root) else None


def _bracketed_root(u: Expr, s: Sym, env: dict[Sym, float]) -> float | None:
    def at(x: float) -> float:
        return _value(u, {**env, s: x})

    grid = [-6 + 0.37 * i for i in range(34)]
    values = [at(x) for x in grid]
    for a, b, fa, fb in zip(grid, grid[1:], values, values[1:]):
        if fa * fb <= 0 and math.isfinite(fa) and math.isfinite(fb):
            for _ in range(100):
                mid = (a + b) / 2
                fm = at(mid)
                if fa * fm <= 0:
                    b = mid
                else:
                    a, fa = mid, fm
            return (a + b) / 2
    return None


@lru_cache(maxsize=4096)
def derivative_body(function: Function, orders: tuple[int, ...]) -> Expr:
    """The body of a function, differentiated `orders[i]` times in its i-th parameter."""
    body = function.body
    for parameter, count in zip(function.params, orders, strict=True):
        for _ in range(count):
            body = diff(body, parameter)
    return body


def unfold_apply(node: Apply) -> Expr:
    """The body of a user's function, or of its derivative, at the arguments of the node."""
    body = derivative_body(node.function, node.orders)
    return substitute(body, dict(zip(node.function.params, node.children, strict=True)))


def unfold(root: Expr) -> Expr:
    """The expression with all users' functions replaced by their bodies, also inside bodies."""
    root = numbers(root)
    while Apply.kind in root.made_of:
        root = rewrite(root, lambda node: unfold_apply(node) if isinstance(node, Apply) else node)
    return root


def star_limit(node: Star) -> Expr:
    """Eq. 84 at θ = 0 where the body is differentiable: ∂body/∂e at e = 0."""
    return substitute(diff(node.body, node.bound), {node.bound: ZERO})


def expanded(node: Apply | Star) -> Expr:
    """The expression that a user's function at arguments, or a ψ* (Eq. 84), stands for."""
    return star_quotient(node) if isinstance(node, Star) else unfold_apply(node)


def _value(e: Expr, values: Mapping[Sym, float]) -> float:
    return value_of(e, values, expanded)

"""Expanding what stands for something longer: a user's function by its body, ψ* by its quotient or its limit."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr.nodes import (
    MINUS_ONE,
    ZERO,
    Apply,
    Expr,
    Function,
    Star,
    add,
    mul,
    postorder,
    power,
    rewrite,
    substitute,
)


@lru_cache(maxsize=4096)
def derivative_body(function: Function, orders: tuple[int, ...]) -> Expr:
    """The body of a function differentiated `orders[i]` times in its i-th parameter."""
    from netsor.expr.differentiate import diff

    body = function.body
    for parameter, count in zip(function.params, orders, strict=True):
        for _ in range(count):
            body = diff(body, parameter)
    return body


def unfold_apply(node: Apply) -> Expr:
    """A user's function at arguments, as its body at them."""
    body = derivative_body(node.function, node.orders)
    return substitute(body, dict(zip(node.function.params, node.children, strict=True)))


def unfold(root: Expr) -> Expr:
    """All users' functions replaced by their bodies, those inside bodies included."""
    while any(isinstance(node, Apply) for node in postorder(root)):
        root = rewrite(root, lambda node: unfold_apply(node) if isinstance(node, Apply) else node)
    return root


def star_quotient(node: Star) -> Expr:
    """Eq. 84 at θ > 0: (body[e→θ] − body[e→0]) / θ."""
    ahead = substitute(node.body, {node.bound: node.theta})
    here = substitute(node.body, {node.bound: ZERO})
    return mul(add(ahead, mul(MINUS_ONE, here)), power(node.theta, MINUS_ONE))


def star_limit(node: Star) -> Expr:
    """Eq. 84 at θ = 0 where the body is differentiable: ∂body/∂e at e = 0."""
    from netsor.expr.differentiate import diff

    return substitute(diff(node.body, node.bound), {node.bound: ZERO})

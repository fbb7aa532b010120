"""Expressions at infinite width, with every factor in n at its limit and ψ* at θ = 0."""

from __future__ import annotations

from netsor.expr.asymptotics import Diverges, factors_in_width, holds_eventually, width_limit
from netsor.expr.build import add, compare, mul, with_children
from netsor.expr.differences import is_smooth, limit_of_differences
from netsor.expr.differentiate import star_limit, unfold
from netsor.expr.nodes import ONE, WIDTH, ZERO, Add, Cmp, Const, Expr, Logic, Mul, Star, postorder, split_coefficient


def at_infinite_width(root: Expr) -> Expr:
    """ψ with every member of 𝒞 at its limit and ψ* at θ = 0; raises `Diverges` where there is no finite limit.

    1/√n is set to 0 before derivatives are taken, and ψ* (Eq. 84) then is the gradient times the direction. This is not
    the limit where an argument lies on a kink with positive probability, which `netsor.expr.onesided` treats. For
    smooth differences of higher order see `netsor.expr.differences`.
    """
    try:
        return limit_of_factors(root)
    except Diverges:
        found = limit_of_differences(root)
        if found is None:
            raise
        return found


def has_limit(root: Expr) -> bool:
    """Whether ψ has a finite limit whatever the values of the symbols in it are."""
    try:
        at_infinite_width(root)
    except Diverges:
        return False
    return True


def limit_of_factors(root: Expr) -> Expr:
    """The same as `at_infinite_width` where every factor in n has a limit of its own; raises `Diverges`."""
    if WIDTH not in root.free:
        return root
    done: dict[Expr, Expr | Diverges] = {}
    for node in postorder(root):
        if WIDTH not in node.free:
            done[node] = node
        elif node.free != frozenset((WIDTH,)):  # a subexpression in n alone is treated by the node that contains it
            try:
                done[node] = _at_infinite_width(node, done)
            except Diverges as fault:
                done[node] = fault  # stored, because it may cancel later, as n x does in n x − n x
    return _limit(root, done)


def _limit(node: Expr, done: dict[Expr, Expr | Diverges]) -> Expr:
    if node not in done:
        if isinstance(node, (Cmp, Logic)):
            return compare("<", ZERO, ONE if holds_eventually(node) else ZERO)
        return Const(width_limit(node))
    found = done[node]
    if isinstance(found, Diverges):
        raise found
    return found


def _at_infinite_width(node: Expr, done: dict[Expr, Expr | Diverges]) -> Expr:
    if isinstance(node, Star):
        body = at_infinite_width(node.body)
        return star_limit(Star._make(node.bound, (body, ZERO), frozenset((node.bound,))))
    if isinstance(node, Mul):
        # The product of the factors in n has one limit: √n exp(−n) tends to 0 although √n has no limit.
        own, _ = factors_in_width(node)
        rest = [_limit(c, done) for c in node.children if c.free != frozenset((WIDTH,))]
        return mul(*rest) if own is ONE else mul(Const(width_limit(own)), *rest)
    if isinstance(node, Add):
        return _sum_at_infinite_width(node, done)
    return with_children(node, tuple(_limit(c, done) for c in node.children))


def _sum_at_infinite_width(node: Add, done: dict[Expr, Expr | Diverges]) -> Expr:
    """Σ aᵢ(n) rᵢ: the factors of equal rᵢ are added before the limit is taken, as in (n + 1) x − n x."""
    gathered: dict[Expr, list[tuple[Expr, Expr]]] = {}
    for term in node.children:
        own, rest = factors_in_width(term)
        c, rest = split_coefficient(rest)
        gathered.setdefault(rest, []).append((mul(Const(c), own), term))
    out: list[Expr] = []
    for rest, terms in gathered.items():
        if len(terms) == 1:
            out.append(_limit(terms[0][1], done))
        else:
            total = add(*(a for a, _ in terms))
            factor = Const(width_limit(total)) if total.free else total
            out.append(mul(factor, at_infinite_width(rest)))
    return add(*out)


def is_kinked_difference(root: Expr) -> bool:
    """Whether ψ has kinks and a limit for the sake of its differences alone: its factors in n have none."""
    if WIDTH not in root.free:
        return False
    try:
        limit_of_factors(root)
    except Diverges:
        return not is_smooth(unfold(root))
    return False


def what_diverges(root: Expr) -> tuple[Expr, Expr] | None:
    """t → ∞ and r, not in n alone, of a product t r that makes an expression diverge; None where there is none."""
    for node in reversed(postorder(root)):
        if isinstance(node, Mul) and WIDTH in node.free:
            own, rest = factors_in_width(node)
            if rest.free and own.free:
                try:
                    width_limit(own)
                except Diverges as fault:
                    if fault.grows:
                        return own, rest
    return None

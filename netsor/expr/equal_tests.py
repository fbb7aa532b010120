"""Conditionals on one test written in several ways: the product of 1[c (u − v) > w] and 1[w ≥ c u − c v] is 0.

The derivatives of max(a, b) test a > b and b ≥ a. Where a has other coefficients after scalars were multiplied out, the
two are one test only in exact arithmetic; in floating point a product of the two would be small, not 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from netsor.expr.build import add, cond, mul, neg, power, rewrite
from netsor.expr.canonical import canonical
from netsor.expr.cases import multiple
from netsor.expr.differences import multiplied_out
from netsor.expr.functions import is_singular
from netsor.expr.nodes import ONE, Add, Cmp, Cond, Const, Expr, Mul, Pow, postorder

# v > t, or v ≥ t if `closed`, and whether a test says that or its opposite.
_Key = tuple[Expr, float, bool]


@lru_cache(maxsize=20_000)
def with_tests_joined(e: Expr) -> Expr:
    """The expression with conditionals on the same test in sums, products and powers as one conditional."""
    # Long sums, such as residual streams, mostly have no conditionals, and are not searched.
    conditional = [node for node in postorder(e, known=_is_unconditional) if isinstance(node, Cond)]
    tests = [node.test for node in conditional if isinstance(node.test, Cmp)]
    if len(tests) < 2:
        return e
    first: dict[_Key, tuple[Cmp, bool]] = {}
    said: dict[Expr, tuple[Cmp, bool]] = {}
    for test in dict.fromkeys(tests):
        found = _key(test)
        if found is not None:
            key, holds = found
            one, one_holds = first.setdefault(key, (test, holds))
            said[test] = one, one_holds == holds

    def joined(node: Expr) -> Expr:
        match node:
            case Cond() if node.test in said:
                test, same = said[node.test]
                return node if test is node.test else cond(test, *((node.then, node.other)[:: 1 if same else -1]))
            case Add():
                return _joined(node, _split, add)
            case Mul():
                return _joined(node, lambda t: (t, ONE) if isinstance(t, Cond) and not is_singular(t) else None, mul)
            case Pow() if isinstance(node.base, Cond) and isinstance(node.exponent, Const):
                c = node.base
                return cond(c.test, power(c.then, node.exponent), power(c.other, node.exponent))
        return node

    made = rewrite(e, joined)
    return e if made is e else canonical(made)


def _is_unconditional(e: Expr) -> bool:
    return Cond.kind not in e.made_of


def _key(test: Cmp) -> tuple[_Key, bool] | None:
    if test.op not in (">", ">=", "<", "<=") or not test.free:
        return None
    a, b = test.children
    u = multiplied_out(add(a, neg(b)))
    if isinstance(u, Const):
        return None
    scale, v, t = multiple(u)
    upwards = (test.op in (">", ">=")) == (scale > 0)
    # v < t is the opposite of v ≥ t, and v ≤ t that of v > t.
    closed = (test.op in (">=", "<=")) == upwards
    return (v, t, closed), upwards


def _split(term: Expr) -> tuple[Cond, Expr] | None:
    """A term as a conditional times the rest; None for terms with none or several, or with a Dirac mass as a factor."""
    if is_singular(term):
        return None
    factors = term.children if isinstance(term, Mul) else (term,)
    found = [f for f in factors if isinstance(f, Cond)]
    return (found[0], mul(*(f for f in factors if f is not found[0]))) if len(found) == 1 else None


def _joined(node: Add | Mul, split: Callable[[Expr], tuple[Cond, Expr] | None], join: Callable[..., Expr]) -> Expr:
    """A sum or product in which conditionals on the same test are one, with the sums or products of their branches."""
    groups: dict[Expr, list[tuple[Cond, Expr]]] = {}
    left: list[Expr] = []
    for t in node.children:
        parts = split(t)
        if parts is None:
            left.append(t)
        else:
            groups.setdefault(parts[0].test, []).append(parts)
    if all(len(g) == 1 for g in groups.values()):
        return node
    for test, group in groups.items():
        sides = [[mul(c.then, rest) for c, rest in group], [mul(c.other, rest) for c, rest in group]]
        left.append(cond(test, *(join(*side) for side in sides)))
    return join(*left)

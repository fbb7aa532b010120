"""Piecewise expressions: the signs that decide their cases, and whether a value has positive probability (an atom).

relu(h) is 0 wherever h ≤ 0, so that the argument of the outer relu in relu(relu(h) + d/√n) tends to its kink with
probability 1/2. Between its kinks an expression is analytic in its symbols, which stand for Gaussian variables none of
which is a function of the others. It therefore has an atom at 0 only if some piece of it is identically 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from netsor.expr.build import add, compare, cond, mul, neg, with_children
from netsor.expr.canonical import canonical
from netsor.expr.differentiate import plain_tests
from netsor.expr.functions import FUNCTIONS, SINGULAR
from netsor.expr.nodes import ZERO, Add, Call, Cmp, Cond, Const, Expr, Mul, Sym, postorder, split_coefficient
from netsor.expr.values import compare_values

# Open intervals that contain the quantities, each in the form that `threshold` gives it.
Signs = Mapping[Expr, tuple[float, float]]
# The most cases that are examined for an atom; beyond them none is assumed to exist.
_MOST_CASES = 256


def is_kinked(node: Expr) -> bool:
    """Whether a node is a conditional, or a function with kinks or jumps."""
    if isinstance(node, Cond):
        return True
    if not isinstance(node, Call):
        return False
    return FUNCTIONS[node.fn].is_kinked


def pieces(node: Expr) -> Expr:
    """A kinked node written as conditionals with plain comparisons."""
    if isinstance(node, Cond):
        return plain_tests(node)
    assert isinstance(node, Call)
    made = FUNCTIONS[node.fn].pieces
    assert made is not None
    return plain_tests(made(*node.children))


def multiple(u: Expr) -> tuple[float, Expr, float]:
    """(a, v, t) with u = a (v − t); u and all its multiples have the same v."""
    u = canonical(u)
    c = 0.0
    if isinstance(u, Add) and isinstance(u.children[0], Const):
        c = float(u.children[0].value)
        u = add(*u.children[1:])
    a = float(split_coefficient(u.children[0] if isinstance(u, Add) else u)[0])
    return a, canonical(mul(Const(1 / a), u)), -c / a


def threshold(u: Expr) -> tuple[Expr, float, bool]:
    """(v, t, upwards): u > 0 means v > t if upwards and v < t if not."""
    a, v, t = multiple(u)
    return v, t, a > 0


def split(u: Expr, signs: Signs, positive: bool) -> Signs:
    """The signs extended by u > 0 or, if not `positive`, by u < 0."""
    v, t, up = threshold(u)
    low, high = signs.get(v, (-math.inf, math.inf))
    return {**signs, v: (t, high) if positive == up else (low, t)}


def decided(test: Expr, signs: Signs) -> bool | None:
    """The truth of a comparison where the signs decide it; the quantity is taken never to be exactly zero."""
    if not isinstance(test, Cmp):
        return None
    u = canonical(add(test.children[0], neg(test.children[1])))
    if isinstance(u, Const):
        return compare_values(test.op, float(u.value), 0.0)
    v, t, up = threshold(u)
    low, high = signs.get(v, (-math.inf, math.inf))
    if low < t < high:
        return None
    return compare_values(test.op, 1.0 if (t <= low) == up else -1.0, 0.0)


def touches(u: Expr, signs: Signs) -> bool:
    """Whether u may be as near to 0 as one likes where the signs hold."""
    v, t, _ = threshold(u)
    low, high = signs.get(v, (-math.inf, math.inf))
    return low <= t <= high


def settled_by(root: Expr, signs: Signs) -> Expr:
    """The expression with every kinked node whose case the signs decide replaced by its piece."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        made = with_children(node, tuple(done[c] for c in node.children))
        if is_kinked(made):
            piece = _piece(pieces(made), signs)
            made = made if piece is None else piece
        elif isinstance(made, Call) and made.fn in SINGULAR:
            u = made.children[0]
            # A Dirac mass vanishes off zero; at zero it is kept, and whoever integrates it refuses it.
            made = made if isinstance(u, Const) or touches(u, signs) else ZERO
        done[node] = made
    return canonical(done[root])


def _piece(tree: Expr, signs: Signs) -> Expr | None:
    """What is left of a tree of conditionals whose first tests are decided; None where the very first is not."""
    left = tree
    while isinstance(left, Cond):
        truth = decided(left.test, signs)
        if truth is None:
            break
        left = left.then if truth else left.other
    return None if left is tree else left


def undecided(root: Expr, signs: Signs, variable: Sym | None = None) -> Expr | None:
    """The quantity of undecided sign on which an innermost kink of the expression depends; None where there is none.

    With a `variable` only quantities that depend on it count.
    """
    for node in postorder(root):
        if is_kinked(node):
            tree = pieces(node)
            while isinstance(tree, Cond):
                truth = decided(tree.test, signs)
                if truth is None:
                    lhs, rhs = tree.test.children
                    if variable is not None and variable not in tree.test.free:
                        break
                    return canonical(add(lhs, neg(rhs)))
                tree = tree.then if truth else tree.other
    return None


def may_be_zero(root: Expr, signs: Signs) -> bool:
    """Whether an expression is 0 with positive probability, given signs."""
    return _vanishes_somewhere(settled_by(root, signs))


@lru_cache(maxsize=65536)
def _vanishes_somewhere(root: Expr) -> bool:
    if isinstance(root, Const):
        return root.value == 0
    if _varies_freely(root):
        return False
    left = _MOST_CASES
    waiting: list[tuple[Expr, Signs]] = [(root, {})]
    while waiting and left:
        left -= 1
        e, signs = waiting.pop()
        if isinstance(e, Const):
            if e.value == 0:
                return True
            continue
        if _varies_freely(e):
            continue
        u = undecided(e, signs)
        if u is None:
            continue
        for positive in (True, False):
            more = split(u, signs, positive)
            waiting.append((settled_by(e, more), more))
    return False


def _varies_freely(e: Expr) -> bool:
    """Whether some term is a symbol times a factor without it, in an expression that contains it nowhere else."""
    terms = e.children if isinstance(e, Add) else (e,)
    for k, t in enumerate(terms):
        factors = t.children if isinstance(t, Mul) else (t,)
        if not any(is_kinked(node) for f in factors for node in postorder(f)):
            others = terms[:k] + terms[k + 1 :]
            if any(isinstance(f, Sym) and all(f not in o.free for o in others) for f in factors):
                return True
    return False


def case(u: Expr, then: Expr, other: Expr) -> Expr:
    """`then` where u > 0, else `other`."""
    return cond(compare(">", u, Const(0)), then, other)

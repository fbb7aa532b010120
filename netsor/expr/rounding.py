"""A running error analysis: the effect of rounding in the evaluation of an expression (Higham 2002, §3.3)."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr.build import add, call, cond, mul, neg, power
from netsor.expr.functions import FUNCTIONS, absolute, log
from netsor.expr.nodes import HALF, MINUS_ONE, ONE, ZERO, Add, Call, Cond, Const, Expr, Mul, Pow, Sym, postorder

EPS = 2.0**-52


@lru_cache(maxsize=4096)
def running_error(root: Expr, doubts: tuple[tuple[Sym, Expr], ...] = ()) -> Expr:
    """An expression that bounds |computed − exact|/ε to first order, with ε = 2⁻⁵².

    `doubts` are symbols with bounds of their own errors in units of ε; the other symbols are taken as exact. Every sum
    and product adds half a unit of its own result, and a function a whole one. A sum passes the errors of its arguments
    on, a product multiplies them by the other factors, and a function by its slope.
    """
    error: dict[Expr, Expr] = dict(doubts)
    for node in postorder(root):
        if node not in error:
            error[node] = _rule(node, error)
    return error[root]


def adds_up(root: Expr) -> bool:
    """Whether an expression has sums; without them its error is a few units of the result."""
    return any(isinstance(node, Add) for node in postorder(root))


def _size(e: Expr) -> Expr:
    return absolute(e)


def _rule(node: Expr, error: dict[Expr, Expr]) -> Expr:
    match node:
        case Const():
            return ZERO if isinstance(node.value, int) else _size(node)
        case Sym():
            return ZERO
        case Add():
            # Half a unit of every partial sum, from left to right.
            kids = node.children
            sums = [add(*kids[:k]) for k in range(2, len(kids))] + [node]
            return add(*(error[c] for c in kids), *(mul(HALF, _size(s)) for s in sums))
        case Mul():
            kids = node.children
            passed = (
                mul(error[c], *(_size(d) for j, d in enumerate(kids) if j != i))
                for i, c in enumerate(kids)
                if error[c] is not ZERO
            )
            # A change of sign is exact.
            own = ZERO if len(kids) == 2 and kids[0] is MINUS_ONE else mul(HALF, _size(node))
            return add(*passed, own)
        case Pow() if isinstance(node.exponent, Const):
            k = float(node.exponent.value)
            own = _size(node)
            if error[node.base] is ZERO:
                return own
            return add(mul(Const(abs(k)), power(_size(node.base), Const(k - 1)), error[node.base]), own)
        case Pow():
            # x^y = exp(y log x).
            exponent = mul(node.exponent, log(node.base))
            passed_on = add(mul(error[node.exponent], _size(log(node.base))), _size(exponent))
            base = mul(_size(node.exponent), power(_size(node.base), Const(-1)), error[node.base])
            return mul(_size(node), add(ONE, passed_on, base))
        case Call():
            return add(*_passed_on(node, error), _size(node))
        case Cond():
            return cond(node.test, error[node.then], error[node.other])
        case _:
            return ZERO


def _passed_on(node: Call, error: dict[Expr, Expr]) -> list[Expr]:
    """The effect of errors in a function's arguments: times its slope, or its change to both sides if it has kinks."""
    entry = FUNCTIONS[node.fn]
    out = []
    for i, c in enumerate(node.children):
        if error[c] is ZERO:
            continue
        if entry.breaks or len(node.children) > 1:
            for side in (EPS, -EPS):
                moved = add(c, mul(Const(side), error[c]))
                there = call(node.fn, *node.children[:i], moved, *node.children[i + 1 :])
                out.append(mul(Const(1 / EPS), _size(add(there, neg(node)))))
        else:
            out.append(mul(_size(entry.partial(node.children, i)), error[c]))
    return out

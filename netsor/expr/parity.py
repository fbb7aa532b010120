"""The parity of an expression when some of its variables change sign together."""

from __future__ import annotations

from netsor.expr.build import add, mul, neg
from netsor.expr.canonical import canonical
from netsor.expr.functions import FUNCTIONS
from netsor.expr.nodes import ZERO, Add, Call, Cmp, Cond, Const, Expr, Mul, Pow, Sym, postorder

# By node and by those of its variables that change sign, or those that do not, whichever are fewer in the root; the
# sums of a residual stream share most of their terms.
_KNOWN: dict[tuple[Expr, frozenset[Sym], bool], int | None] = {}
_MOST_KNOWN = 100_000


def parity(root: Expr, gaussians: frozenset[Sym]) -> int | None:
    """+1 if e(−z) = e(z) almost everywhere, −1 if e(−z) = −e(z), None where neither is found."""
    if len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.clear()
    done: dict[Expr, int | None] = {}
    fixed = root.free - gaussians
    few = 2 * len(fixed) < len(root.free)
    told_by = fixed if few else gaussians

    def known(node: Expr) -> bool:
        key = node, node.free & told_by, few
        if node.free.isdisjoint(gaussians):
            done[node] = 1
        elif key in _KNOWN:
            done[node] = _KNOWN[key]
        return node in done

    for node in postorder(root, known=known):
        done[node] = _KNOWN[node, node.free & told_by, few] = _parity(node, done, gaussians)
    return done[root]


def _parity(node: Expr, done: dict[Expr, int | None], gaussians: frozenset[Sym]) -> int | None:
    kids = [done[c] for c in node.children]
    match node:
        case Sym():
            return -1
        case Add():
            return kids[0] if all(k == kids[0] for k in kids) else None
        case Mul():
            sign = 1
            for k in kids:
                if k is None:
                    return None
                sign *= k
            return sign
        case Pow():
            if node.exponent.free & gaussians:
                return 1 if kids == [1, 1] else None
            if kids[0] is None or kids[0] == 1:
                return kids[0]
            power = node.exponent.value if isinstance(node.exponent, Const) else None
            # 1/z is odd, but its expectation does not exist.
            if not isinstance(power, int) or power < 0:
                return None
            return 1 if power % 2 == 0 else kids[0]
        case Call():
            if all(k == 1 for k in kids):
                return 1
            kind = FUNCTIONS[node.fn].parity if FUNCTIONS[node.fn].quotient is None else None
            if len(kids) == 1 and kids[0] == -1 and kind is not None:
                return -1 if kind == "odd" else 1
            return None
        case Cond():
            return _parity_of_branches(node, done, gaussians)
        case _:
            return None


def _parity_of_branches(node: Cond, done: dict[Expr, int | None], gaussians: frozenset[Sym]) -> int | None:
    test, a, b = node.test, done[node.then], done[node.other]
    if not isinstance(test, Cmp):
        return None
    u = add(test.children[0], neg(test.children[1]))
    side = parity(u, gaussians) if u.free & gaussians else 1
    if side == 1:
        return a if a == b else (b if node.then is ZERO else a if node.other is ZERO else None)
    if side != -1 or test.op in ("==", "!=") or a is None or b is None:
        return None
    # The test holds at −z exactly where it fails at z, so that the branches are exchanged.
    swapped = canonical(mul(Const(b), node.other))
    if swapped is canonical(node.then):
        return 1
    return -1 if swapped is canonical(neg(node.then)) else None

"""Products split into independent blocks, and the symbolic reasons for which an expectation is exactly zero."""

from __future__ import annotations

from functools import lru_cache

from netsor.expr import (
    FUNCTIONS,
    ONE,
    ZERO,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    mul,
    neg,
    postorder,
    to_text,
)
from netsor.gaussian.cases import expanded
from netsor.gaussian.law import Law
from netsor.gaussian.terms import Gaussians, factors_of


def gaussians_of(e: Expr, law: Law) -> Gaussians:
    return frozenset(s for s in e.free if law.is_gaussian(s))


def blocks(product: Expr, gaussians: Gaussians, law: Law) -> list[Expr]:
    """The factors of a product in groups whose variables are independent of the other groups' variables."""
    factors = factors_of(product)
    if len(product.free & gaussians) <= 1:
        return [product]
    parent: dict[Sym, Sym] = {}

    def root(s: Sym) -> Sym:
        while parent[s] is not s:
            s = parent[s]
        return s

    supports = [sorted(f.free & gaussians, key=lambda s: s.digest) for f in factors]
    for support in supports:
        for s in support:
            parent.setdefault(s, s)
            parent[root(s)] = root(support[0])
    symbols = list(parent)
    for i, a in enumerate(symbols):
        for b in symbols[:i]:
            if root(a) is not root(b) and not law.independent(a, b):
                parent[root(a)] = root(b)
    groups: dict[Sym, list[Expr]] = {}
    for f, support in zip(factors, supports):
        groups.setdefault(root(support[0]), []).append(f)
    return [canonical(mul(*g)) for g in groups.values()]


@lru_cache(maxsize=50_000)
def parity(root: Expr, gaussians: Gaussians) -> int | None:
    """+1 if e(−z) = e(z) almost everywhere, −1 if e(−z) = −e(z), None where neither is plain to see."""
    done: dict[Expr, int | None] = {}
    for node in postorder(root):
        done[node] = _parity(node, done, gaussians) if node.free & gaussians else 1
    return done[root]


def _parity(node: Expr, done: dict[Expr, int | None], gaussians: Gaussians) -> int | None:
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
            kind = FUNCTIONS[node.fn].parity if node.fn != "tan" else None
            if len(kids) == 1 and kids[0] == -1 and kind is not None:
                return -1 if kind == "odd" else 1
            return None
        case Cond():
            return _parity_of_branches(node, done, gaussians)
        case _:
            return None


def _parity_of_branches(node: Cond, done: dict[Expr, int | None], gaussians: Gaussians) -> int | None:
    test, a, b = node.test, done[node.then], done[node.other]
    if not isinstance(test, Cmp):
        return None
    u = add(test.children[0], neg(test.children[1]))
    side = parity(u, gaussians) if u.free & gaussians else 1
    if side == 1:
        return a if a == b else (b if node.then is ZERO else a if node.other is ZERO else None)
    if side != -1 or test.op in ("==", "!=") or a is None or b is None:
        return None
    # The test is met at −z exactly where it is not met at z, so the branches change places.
    swapped = canonical(mul(Const(b), node.other))
    if swapped is canonical(node.then):
        return 1
    return -1 if swapped is canonical(neg(node.then)) else None


def vanishing(block: Expr, gaussians: Gaussians) -> str | None:
    """Why the expectation of a block is zero: its variables' law is symmetric, and the block is odd."""
    support = block.free & gaussians
    if support and parity(block, gaussians) == -1:
        names = ", ".join(sorted(to_text(s) for s in support)[:3])
        if isinstance(block, Sym):
            return f"{names} has mean zero and is independent of the rest"
        return f"odd in {names}, whose law is symmetric"
    return None


def vanishes(integrand: Expr, law: Law) -> str | None:
    """Why E integrand is exactly zero, known without any covariance or scalar; None where it may not be."""
    e = canonical(integrand)
    if e is ZERO:
        return "the integrand is zero"
    gaussians = gaussians_of(e, law)
    if not gaussians:
        return None
    if parity(e, gaussians) == -1:
        return "the integrand is odd, and the law symmetric"
    why = "every term cancels"
    for term in expanded(e, gaussians):
        if term.product is ONE:
            return None
        for block in blocks(term.product, gaussians, law):
            reason = vanishing(block, gaussians)
            if reason:
                why = reason
                break
        else:
            return None
    return why

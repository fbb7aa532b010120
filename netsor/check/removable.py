"""Removable singularities: f(u)/u^k for a smooth f with a zero of order k at least, as (1 − cos u)/u²."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.expr import Cmp, Cond, Const, Expr, Mul, Pow, Sym, add, diff, evaluate, mul, neg, substitute
from netsor.expr.differences import is_smooth
from netsor.expr.functions import TooSingular

_T = Sym(("removable", "t"))
_HIGHEST = 6


def split_quotient(factors: Sequence[Expr]) -> tuple[Expr, Expr, int, list[Expr]] | None:
    """(f(t), u, k, other factors) of a product with f(u) u^{−k} in it, f smooth; None where there is none."""
    for d in factors:
        if not isinstance(d, Pow) or not isinstance(d.exponent, Const):
            continue
        k = -d.exponent.value
        if not isinstance(k, int) or not 0 < k <= _HIGHEST:
            continue
        rest = [f for f in factors if f is not d]
        inside = [(f, substitute(f, {d.base: _T}) if isinstance(d.base, Sym) else _replaced(f, d.base)) for f in rest]
        mine = [g for f, g in inside if g.free <= {_T}]
        f = mul(*mine)
        if _T in f.free and is_smooth(f):
            return f, d.base, k, [h for h, g in inside if not g.free <= {_T}]
    return None


def _replaced(e: Expr, u: Expr) -> Expr:
    from netsor.expr import rewrite

    return rewrite(e, lambda node: _T if node is u else node)


def value_at_zero(f: Expr, k: int, t: Sym = _T) -> float | None:
    """lim f(t)/t^k for t → 0, by Taylor's theorem; None where it is not finite."""
    at = {t: 0.0}
    factorial = 1
    try:
        for j in range(k):
            if evaluate(f, at) != 0:
                return None
            f = diff(f, t)
            factorial *= j + 1
    except TooSingular:
        return None
    return evaluate(f, at) / factorial


def filled_in(node: Expr) -> Expr:
    """`if u == 0 then c else f(u)/u^k` without its test, where c is the limit at 0."""
    if not isinstance(node, Cond) or not isinstance(node.test, Cmp) or node.test.op not in ("==", "!="):
        return node
    at, away = (node.then, node.other) if node.test.op == "==" else (node.other, node.then)
    found = split_quotient(away.children if isinstance(away, Mul) else (away,))
    if found is None or not isinstance(at, Const):
        return node
    f, u, k, others = found
    same = add(node.test.children[0], neg(node.test.children[1])) in (u, neg(u))
    return away if same and not others and value_at_zero(f, k) == at.value else node

"""Sums of products as a person keeps them: multiplied out, equal terms gathered, common factors in front."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netsor.expr import ONE, ZERO, Add, Const, Expr, Mul, Pow, Sym, add, mul, postorder, power, split_coefficient
from netsor.expr.build import with_children

Number = int | float
Term = tuple[Number, tuple[Expr, ...]]
_MOST_TERMS = 240
_HIGHEST_POWER = 10
_ROUNDING = 1e-13


class TooMany(Exception):
    """Multiplying out would give more terms than anyone reads."""


def factors_of(e: Expr) -> tuple[Expr, ...]:
    """The factors of a product without its number; none of 1."""
    rest = split_coefficient(e)[1]
    if rest is ONE:
        return ()
    return rest.children if isinstance(rest, Mul) else (rest,)


def expanded(root: Expr, opens: Callable[[Expr], bool] = lambda _: True, most: int = _MOST_TERMS) -> list[Term]:
    """The sum as (number, factors) with products multiplied out over the sums that `opens` admits.

    Raises TooMany where more than `most` terms would come out.
    """
    done: dict[Expr, list[Term]] = {}
    for node in postorder(root):
        if isinstance(node, Add):
            done[node] = _gathered(t for c in node.children for t in done[c])
        elif isinstance(node, Mul):
            out: list[Term] = [(1, ())]
            for c in node.children:
                out = _times(out, done[c], most)
            done[node] = out
        elif (
            isinstance(node, Pow)
            and _whole(node)
            and (len(done[node.base]) > 1 and opens(node.base) or _is_scaled(node.base))
        ):
            out = [(1, ())]
            for _ in range(node.exponent.value):  # type: ignore[attr-defined]
                out = _times(out, done[node.base], most)
            done[node] = out
        else:
            number, rest = split_coefficient(node)
            done[node] = [] if number == 0 else [(number, factors_of(rest))]
        if not opens(node) and len(done[node]) > 1:
            done[node] = [(1, (node,))]
        if len(done[node]) > most:
            raise TooMany
    return done[root]


def _is_scaled(base: Expr) -> bool:
    """Whether a base is a product: (2 x y)² is 4 x² y²."""
    return isinstance(base, Mul)


def _whole(node: Pow) -> bool:
    k = node.exponent.value if isinstance(node.exponent, Const) else None
    return isinstance(k, int) and 2 <= k <= _HIGHEST_POWER


def _times(a: list[Term], b: list[Term], most: int) -> list[Term]:
    if len(a) * len(b) > 4 * most:
        raise TooMany
    products = []
    for c, f in a:
        for d, g in b:
            number, rest = split_coefficient(mul(*f, *g))
            products.append((c * d * number, factors_of(rest)))
    return _gathered(products)


def _gathered(terms: Iterable[Term]) -> list[Term]:
    """Terms of equal factors, in whatever order those stand, as one; what cancels up to rounding is gone."""
    order: dict[frozenset[Expr], tuple[Expr, ...]] = {}
    total: dict[frozenset[Expr], Number] = {}
    size: dict[frozenset[Expr], float] = {}
    for c, factors in terms:
        key = frozenset(factors)
        order.setdefault(key, factors)
        total[key] = total.get(key, 0) + c
        size[key] = size.get(key, 0.0) + abs(c)
    return [(total[k], order[k]) for k in order if abs(total[k]) > _ROUNDING * size[k]]


def joined(terms: Iterable[Term]) -> Expr:
    """The sum of terms."""
    return add(*(mul(Const(c), *factors) for c, factors in terms))


def simplified(e: Expr) -> Expr:
    """Multiplied out and gathered, where that is not too long."""
    try:
        return joined(expanded(e))
    except TooMany:
        return e


def collected(e: Expr, is_random: Callable[[Expr], bool]) -> Expr:
    """Σ (scalars) · (random part), one term for each random part."""
    if not isinstance(e, Add):
        return e
    parts: dict[frozenset[Expr], list[tuple[Number, Expr]]] = {}
    random: dict[frozenset[Expr], tuple[Expr, ...]] = {}
    for term in e.children:
        c, rest = split_coefficient(term)
        own = tuple(f for f in factors_of(rest) if is_random(f))
        others = [f for f in factors_of(rest) if not is_random(f)]
        random.setdefault(frozenset(own), own)
        parts.setdefault(frozenset(own), []).append((c, mul(*others)))
    out = []
    for key, members in parts.items():
        if len(members) == 1:
            c, s = members[0]
            out.append(mul(Const(c), s, *random[key]))
        else:
            total = joined(_gathered((c, factors_of(s)) for c, s in members))
            # A sum of numbers and names stays one factor: a product would not spread over it again.
            out.append(mul(total, *random[key]))
    return add(*out)


def common(e: Expr, may: Callable[[Expr], bool]) -> tuple[Expr, Expr]:
    """(f, rest) with e = f · rest, f the product of all factors that every term has and that `may` stand outside."""
    if not isinstance(e, Add):
        return ONE, e
    shared: dict[Expr, None] | None = None
    for term in e.children:
        own = dict.fromkeys(f for f in factors_of(term) if may(f))
        shared = own if shared is None else {f: None for f in shared if f in own}
    if not shared:
        return ONE, e
    inside = []
    for term in e.children:
        c, rest = split_coefficient(term)
        inside.append(mul(Const(c), *(f for f in factors_of(rest) if f not in shared)))
    sign = split_coefficient(inside[0])[0] < 0
    front = mul(Const(-1 if sign else 1), *shared)
    return front, add(*(mul(Const(-1), t) if sign else t for t in inside))


def size(e: Expr) -> int:
    """How many nodes the expression has when it is written out, however much of it is shared."""
    count: dict[Expr, int] = {}
    for node in postorder(e):
        count[node] = 1 + sum(count[c] for c in node.children)
    return count[e]


def is_polynomial(e: Expr) -> bool:
    """Whether nothing but sums, products and whole powers of symbols occurs."""
    return all(
        isinstance(node, (Add, Mul, Const, Sym)) or isinstance(node, Pow) and _positive(node) for node in postorder(e)
    )


def _positive(node: Pow) -> bool:
    k = node.exponent.value if isinstance(node.exponent, Const) else None
    return isinstance(k, int) and k >= 1


def count_terms(e: Expr) -> int:
    """How many terms the sum has."""
    return 0 if e is ZERO else len(e.children) if isinstance(e, Add) else 1


def arranged(root: Expr, rank: Callable[[Expr], tuple[int, ...]]) -> Expr:
    """The expression with the factors of every product in the order of their rank."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        rebuilt = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(rebuilt, Mul):
            rebuilt = mul(*sorted(rebuilt.children, key=lambda f: (-1,) if isinstance(f, Const) else rank(f)))
        done[node] = rebuilt
    return done[root]


def raised(e: Expr, k: Number) -> Expr:
    """e^k with the power on each factor where that is the same."""
    if isinstance(e, Mul) and isinstance(k, int):
        return mul(*(power(f, Const(k)) for f in e.children))
    return power(e, Const(k))


def ratio(a: Expr, b: Expr) -> Number | None:
    """c with a = c b where there is such a number."""
    try:
        left = {frozenset(f): c for c, f in expanded(a)}
        right = {frozenset(f): c for c, f in expanded(b)}
    except TooMany:
        return None
    if not right or left.keys() != right.keys():
        return None
    quotients = [left[k] / right[k] for k in right]
    c = quotients[0]
    return (int(c) if c == int(c) else c) if all(abs(q - c) <= 1e-12 * abs(c) for q in quotients) else None


def written_out(root: Expr) -> list[Sym]:
    """The symbols of an expression as often as they occur."""
    out: list[Sym] = []
    stack = [root]
    while stack and len(out) < 1000:
        node = stack.pop()
        if isinstance(node, Sym):
            out.append(node)
        stack.extend(node.children)
    return out

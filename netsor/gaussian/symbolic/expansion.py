"""An integrand as a sum of products: polynomial parts are expanded, and everything else is kept as factors."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from netsor.deadline import verify_time
from netsor.expr import (
    ONE,
    Add,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    is_singular,
    mul,
    split_coefficient,
)
from netsor.expr.build import wide
from netsor.expr.functions import exp, is_exp
from netsor.expr.rationals import in_range, plus, times, wide_times

Number = int | float
Gaussians = frozenset[Sym]
_MOST_TERMS = 12_000
_HIGHEST_POWER = 12
_MILD = 20.0


class Term(NamedTuple):
    """coefficient · scalar · product: a number, a factor without Gaussians, and a product of factors with Gaussians."""

    coefficient: Number
    scalar: Expr
    product: Expr


# During the expansion, terms are {(scalar, product): coefficient}.
_Sum = dict[tuple[Expr, Expr], Number]


class _TooMany(Exception):
    """The expansion would have too many terms; the node then stays one factor."""


@lru_cache(maxsize=20_000)
def expand(root: Expr, gaussians: Gaussians) -> tuple[Term, ...]:
    """The canonical `root` as a sum of terms; factors that share no polynomial structure are not expanded."""
    done: dict[Expr, _Sum] = {}
    for node in _open_nodes(root, gaussians):
        verify_time()
        done[node] = _terms(node, done, gaussians)
    return tuple(Term(c, s, p) for (s, p), c in done[root].items() if c != 0)


def factors_of(product: Expr) -> tuple[Expr, ...]:
    """The factors of a product; an expression that is not a product is its own factor."""
    if product is ONE:
        return ()
    return product.children if isinstance(product, Mul) else (product,)


def monomial(factor: Expr, gaussians: Gaussians) -> tuple[Sym, int] | None:
    """(z, k) where the factor is z^k with a Gaussian z and an integer k ≥ 1, else None."""
    if isinstance(factor, Sym):
        return (factor, 1) if factor in gaussians else None
    if isinstance(factor, Pow) and isinstance(factor.base, Sym) and isinstance(factor.exponent, Const):
        k = factor.exponent.value
        if isinstance(k, int) and k >= 1 and factor.base in gaussians:
            return factor.base, k
    return None


def is_polynomial(product: Expr, gaussians: Gaussians) -> bool:
    return all(monomial(f, gaussians) for f in factors_of(product))


def _open_nodes(root: Expr, gaussians: Gaussians) -> list[Expr]:
    """The nodes that are expanded (sums, products, integer powers, exponents of exp), children first."""
    seen: set[Expr] = set()
    out: list[Expr] = []
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            out.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        if node.free & gaussians:
            stack.extend((c, False) for c in _inside(node))
    return out


def _inside(node: Expr) -> tuple[Expr, ...]:
    if isinstance(node, (Add, Mul)):
        return node.children
    if isinstance(node, Pow) and _whole(node) is not None:
        return (node.base,)
    if is_exp(node):
        return node.children
    return ()


def _whole(node: Pow) -> int | None:
    k = node.exponent.value if isinstance(node.exponent, Const) else None
    return k if isinstance(k, int) and 2 <= k <= _HIGHEST_POWER else None


def _terms(node: Expr, done: dict[Expr, _Sum], gaussians: Gaussians) -> _Sum:
    if not node.free & gaussians:
        c, rest = split_coefficient(node)
        return {(rest, ONE): c} if c != 0 else {}
    try:
        match node:
            case Add():
                out: _Sum = {}
                for child in node.children:
                    for key, c in done[child].items():
                        out[key] = plus(out.get(key, 0), c)
                return _gather(out, gaussians)
            case Mul():
                out = {(ONE, ONE): 1}
                for child in node.children:
                    out = _times(out, done[child])
                return out
            case Pow() if (k := _whole(node)) is not None:
                base = done[node.base]
                if list(base) != [(ONE, node.base)]:
                    out = {(ONE, ONE): 1}
                    for _ in range(k):
                        out = _times(out, base)
                    return out
            case Call() if is_exp(node):
                return _exponential(node.children[0], done, gaussians)
    except _TooMany:
        pass
    return _unopened(node, gaussians)


def _unopened(node: Expr, gaussians: Gaussians) -> _Sum:
    """A node as one term: its coefficient, its factors without Gaussians, and the rest unexpanded."""
    c, rest = split_coefficient(node)
    factors = rest.children if isinstance(rest, Mul) else (rest,)
    scalar = mul(*(f for f in factors if not f.free & gaussians))
    return {(canonical(scalar), canonical(mul(*(f for f in factors if f.free & gaussians)))): c}


def _times(a: _Sum, b: _Sum) -> _Sum:
    if len(a) * len(b) > _MOST_TERMS:
        raise _TooMany
    out: _Sum = {}
    for (s, p), c in a.items():
        verify_time()
        for (t, q), d in b.items():
            e, product = split_coefficient(canonical(mul(p, q)))
            f, scalar = split_coefficient(canonical(mul(s, t)))
            both, k = times(times(c, d), times(e, f)), 0
            if not in_range(both) or both == 0:
                both, k = wide_times(c, d, e, f)
            key = (canonical(mul(wide(1, k), scalar)) if k else scalar, product)
            out[key] = plus(out.get(key, 0), both)
    return {k: c for k, c in out.items() if c != 0}


def _gather(terms: _Sum, gaussians: Gaussians) -> _Sum:
    """Terms that are functions of the same variable (or single factors in the same variables), added into one factor.

    Polynomials, whose expectations are exact, and Dirac masses are not added to them.
    """
    groups: dict[tuple[Expr, frozenset[Sym]], list[tuple[Expr, Number]]] = {}
    out: _Sum = {}
    constants: list[tuple[tuple[Expr, Expr], Number]] = []
    for (scalar, product), c in terms.items():
        if c == 0:
            continue
        if product is ONE:
            constants.append(((scalar, product), c))
        elif is_polynomial(product, gaussians) or is_singular(product):
            out[scalar, product] = c
        else:
            support = product.free & gaussians
            if len(support) == 1 or not isinstance(product, Mul):
                groups.setdefault((scalar, support), []).append((product, c))
            else:
                out[scalar, product] = c
    # 1 − tanh² is one function of one variable: a constant is added to the only group if there are no other terms.
    if not out and len(groups) == 1 and len(constants) == 1:
        (scalar, _support), members = next(iter(groups.items()))
        if constants[0][0] == (scalar, ONE):
            members.append((ONE, constants.pop()[1]))
    for (scalar, _support), members in groups.items():
        joined = canonical(add(*(mul(Const(c), p) for p, c in members)))
        c, rest = split_coefficient(joined)
        if rest is not ONE and c != 0:
            out[scalar, rest] = plus(out.get((scalar, rest), 0), c)
    for key, c in constants:
        out[key] = plus(out.get(key, 0), c)
    return out


def _exponential(exponent: Expr, done: dict[Expr, _Sum], gaussians: Gaussians) -> _Sum:
    """exp of a sum, as the product of the exponentials of its groups of terms in the same variables.

    Only polynomials are expanded: exp(−(x + g)²) must not be split into exp(−2xg) and the factors that keep it bounded.
    """
    groups: dict[frozenset[Sym], list[Expr]] = {}
    for child in done_of(exponent):
        terms = done[child]
        # (x − 0.3)⁴ expanded in powers of x is a difference of large numbers; for squares completing them repairs this.
        if not all(is_polynomial(p, gaussians) and _degree(p) <= 2 for _, p in terms):
            terms = {(ONE, child): 1}
        for (scalar, product), c in terms.items():
            groups.setdefault(product.free & gaussians, []).append(mul(Const(c), scalar, product))
    if any(_degree(p) > 2 for child in done_of(exponent) for _, p in done[child]):
        groups = _disjoint(groups)
    constant = canonical(add(*groups.pop(frozenset(), [])))
    front: Expr = ONE
    if groups and not (isinstance(constant, Const) and abs(constant.value) < _MILD):
        # exp(−am²) may underflow where exp(2amz − az²) overflows, so that their exponents must be added first.
        groups[max(groups, key=len)].append(constant)
    else:
        front = exp(constant)
    factors = [exp(canonical(add(*members))) for members in groups.values()]
    c, rest = split_coefficient(front)
    return {(rest, canonical(mul(*factors))): c}


def done_of(exponent: Expr) -> tuple[Expr, ...]:
    """The terms of an exponent."""
    return exponent.children if isinstance(exponent, Add) else (exponent,)


def _degree(product: Expr) -> int:
    return sum(integer_power(f)[1] for f in factors_of(product)) if product is not ONE else 0


def _disjoint(groups: dict[frozenset[Sym], list[Expr]]) -> dict[frozenset[Sym], list[Expr]]:
    """Groups that share variables, joined: exp(−(x − y²)²) is bounded, but its parts are not."""
    out: dict[frozenset[Sym], list[Expr]] = {}
    for support, members in groups.items():
        joined, mine = support, list(members)
        for other in [s for s in out if s & support]:
            joined, mine = joined | other, [*out.pop(other), *mine]
        out.setdefault(joined, []).extend(mine)
    return out


def exponent_of(factor: Expr) -> Expr | None:
    """a where the factor is exp(a) or an integer power of it, else None."""
    if is_exp(factor):
        return factor.children[0]
    if isinstance(factor, Pow) and is_exp(factor.base):
        return mul(factor.exponent, factor.base.children[0])
    return None


def integer_power(factor: Expr) -> tuple[Expr, int]:
    """(base, k) with factor = base^k and an integer k ≥ 1 (k = 1 where it is not a power)."""
    if isinstance(factor, Pow) and isinstance(factor.exponent, Const):
        k = factor.exponent.value
        if isinstance(k, int) and k >= 1:
            return factor.base, k
    return factor, 1

"""Products split into independent blocks, and symbolic reasons for an expectation to be exactly zero."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from netsor.expr import ONE, ZERO, Add, Const, Expr, Sym, canonical, mul, power, to_text
from netsor.expr.parity import parity
from netsor.gaussian.existence.integrability import has_no_value, integrable
from netsor.gaussian.law import Law
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.symbolic.conditions import expanded
from netsor.gaussian.symbolic.expansion import Gaussians, factors_of, integer_power

# Shorter sums are expanded without a search for a term that does not vanish.
_LONG = 4
# How many terms of the first sum are combined with all terms of the second in that search.
_LOOKED_AT = 3


def gaussians_of(e: Expr, law: Law) -> Gaussians:
    return frozenset(s for s in e.free if law.is_gaussian(s))


def blocks(product: Expr, gaussians: Gaussians, law: Law | State) -> list[Expr]:
    """The factors of a product in groups whose variables are independent of those of the other groups."""
    factors = factors_of(product)
    if len(product.free & gaussians) <= 1:
        return [product]
    groups: list[tuple[list[int], list[Sym]]] = []
    for k, f in enumerate(factors):
        mine = sorted(f.free & gaussians, key=lambda s: s.digest)
        joined = [g for g in groups if _depend(g[1], mine, law)]
        groups = [g for g in groups if g not in joined]
        together = dict.fromkeys([s for g in joined for s in g[1]] + mine)
        groups.append((sorted([*(n for g in joined for n in g[0]), k]), list(together)))
    return [canonical(mul(*(factors[k] for k in places))) for places, _ in sorted(groups)]


def _depend(xs: Sequence[Sym], ys: Sequence[Sym], law: Law | State) -> bool:
    return any(s is t or not law.independent(s, t) for s in xs for t in ys)


def vanishing(block: Expr, gaussians: Gaussians, law: Law) -> str | None:
    """Why E of a block is zero if it exists: it is odd in variables with a symmetric conditional law; else None."""
    support = block.free & gaussians
    if not support:
        return None
    parts = [support] if parity(block, gaussians) == -1 else _independent_parts(block, support, law)
    odd = next((p for p in parts if parity(block, p) == -1), None)
    if odd is None:
        return None
    names = ", ".join(sorted(to_text(s) for s in odd)[:3])
    if isinstance(block, Sym):
        return f"{names} has mean zero and is independent of the rest"
    return f"odd in {names}, whose law is symmetric"


def _independent_parts(block: Expr, support: Gaussians, law: Law) -> list[Gaussians]:
    """Variables that are independent of all others, in groups, as far as the block may be odd in them.

    An odd product has an odd factor, and every term of an odd sum is odd.
    """
    shortest = [min(f.children, key=lambda t: len(t.free)) if isinstance(f, Add) else f for f in factors_of(block)]
    starts = support & frozenset[Sym]().union(*(e.free for e in shortest))
    parts: list[Gaussians] = []
    left = sorted(support, key=lambda s: s.digest)
    for start in [s for s in left if s in starts]:
        if start not in left:
            continue
        part = reached = [start]
        left.remove(start)
        while reached:
            reached = [t for t in left if any(not law.independent(s, t) for s in reached)]
            left = [t for t in left if t not in reached]
            part = part + reached
        parts.append(frozenset(part))
    return parts if parts != [support] else []


def _plainly_does_not(e: Expr, gaussians: Gaussians, law: Law) -> bool:
    """Whether a product of two long sums has a term that does not vanish, so that it need not be expanded.

    The term might cancel against others; then the whole vanishes without being recognised, and is computed in numbers.
    """
    powers = [integer_power(f) for f in factors_of(e) if f.free]
    sums = [(b, k) for b, k in powers if isinstance(b, Add) and len(b.children) >= _LONG]
    if sum(k for _, k in sums) != 2:
        return False
    long = [b for b, k in sums for _ in range(k)]
    others = [power(b, Const(k)) for b, k in powers if b not in long]
    for x, y in _dependent_first(long[0].children[:_LOOKED_AT], long[1].children, gaussians, law):
        term = canonical(mul(x, y, *others))
        term = canonical(mul(*(f for f in factors_of(term) if f.free & gaussians)))
        if term is not ONE and not any(vanishing(b, gaussians, law) for b in blocks(term, gaussians, law)):
            return True
    return False


def _dependent_first(
    xs: Sequence[Expr], ys: Sequence[Expr], gaussians: Gaussians, law: Law
) -> Iterator[tuple[Expr, Expr]]:
    """Pairs of terms, first those that depend on each other: odd terms vanish with all that are independent of them."""
    rest = []
    for x, y in itertools.product(xs, ys):
        if any(not law.independent(s, t) for s in x.free & gaussians for t in y.free & gaussians):
            yield x, y
        else:
            rest.append((x, y))
    yield from rest


def vanishes(integrand: Expr, law: Law) -> str | None:
    """Why E integrand is exactly zero, for all covariances and scalars; None where it may not be.

    An odd integrand, or a product with an independent odd factor, has mean zero only if E|integrand| is finite.
    """
    e = canonical(integrand)
    if e is ZERO:
        return "the integrand is zero"
    gaussians = gaussians_of(e, law)
    if not gaussians:
        return None
    # Of long sums a few terms are looked at first, since all others are looked at to find a parity.
    if _plainly_does_not(e, gaussians, law):
        return None
    if parity(e, gaussians) == -1 and integrable(e, gaussians):
        return "the integrand is odd, and the law symmetric"
    why = "every term cancels"
    for term in expanded(e, gaussians):
        if term.product is ONE:
            return None
        for block in blocks(term.product, gaussians, law):
            reason = vanishing(block, gaussians, law)
            if reason:
                why = reason
                break
        else:
            return None
        if not integrable(term.product, gaussians) or has_no_value(term.scalar):
            return None
    return why

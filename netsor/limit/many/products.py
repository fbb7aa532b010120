"""Integrands as sums of few terms: the terms of each example are gathered before the examples are multiplied.

An error signal through layer normalizations and residual branches is a sum of many products, and the product of two of
them has as many terms as there are pairs. Most terms differ only in a function of the same few variables, and are
gathered into one term.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from netsor.expr import ONE, Add, Const, Expr, Mul, Sym, add, canonical, mul, postorder, split_coefficient
from netsor.expr.parity import parity
from netsor.gaussian.law import Law
from netsor.gaussian.symbolic.expansion import Gaussians, expand, factors_of, integer_power, is_polynomial
from netsor.gaussian.symbolic.independence import blocks


class Product(NamedTuple):
    """number · scalar · Π blocks: a function of scalars, and functions of independent sets of Gaussians."""

    number: float
    scalar: Expr
    blocks: tuple[Expr, ...]


def summands(e: Expr, gaussians: Gaussians, law: Law) -> list[Product]:
    """The terms of the canonical `e` as it is written, each split into independent blocks."""
    out = []
    for term in e.children if isinstance(e, Add) else (e,):
        c, rest = split_coefficient(term)
        out.append(_split(float(c), ONE, rest, gaussians, law))
    return out


def how_many_terms(e: Expr, gaussians: Gaussians) -> int:
    """An estimate of the number of terms in the expansion of an expression."""
    done: dict[Expr, int] = {}
    for node in postorder(e):
        counts = [done[c] for c in node.children]
        if not node.free & gaussians:
            done[node] = 1
        elif isinstance(node, Add):
            done[node] = sum(counts)
        elif isinstance(node, Mul):
            done[node] = math.prod(counts)
        else:
            base, k = integer_power(node)
            done[node] = math.comb(done[base] + k - 1, k) if k > 1 else 1
    return done[e]


def monomials(e: Expr, gaussians: Gaussians, law: Law) -> list[Product]:
    """The canonical `e` as a polynomial in the Gaussians outside of any function; coefficients are not expanded.

    An error signal is linear in the Gaussians of the backward pass, with coefficients from the forward pass.
    """
    inside: set[Sym] = set()
    stack = [e]
    while stack:
        node = stack.pop()
        base, _ = integer_power(node)
        if isinstance(base, (Add, Mul)):
            stack += base.children
        elif not isinstance(base, Sym):
            inside |= base.free & gaussians
    outside = gaussians - inside
    if not outside:
        return [_split(1.0, ONE, e, gaussians, law)]
    terms: dict[Expr, list[Expr]] = {}
    for t in expand(e, outside):
        terms.setdefault(t.product, []).append(mul(Const(t.coefficient), t.scalar))
    out = []
    for monomial, coefficients in terms.items():
        c, product = split_coefficient(canonical(mul(monomial, canonical(add(*coefficients)))))
        out.append(_split(float(c), ONE, product, gaussians, law))
    return out


def products(e: Expr, gaussians: Gaussians, law: Law, side: Callable[[Expr], str]) -> list[Product]:
    """The canonical `e` expanded into terms; `side` gives the example that a factor depends on."""
    parts: dict[str, list[Expr]] = {}
    for f in factors_of(e):
        base, k = integer_power(f)
        # The square of a sum is treated as a product of two sums.
        parts.setdefault(side(f), []).extend([base] * k if isinstance(base, Add) else [f])
    whole = [Product(1.0, ONE, ())]
    for key in sorted(parts):
        mine = [Product(1.0, ONE, ())]
        for f in parts[key]:
            one = [_split(t.coefficient, t.scalar, t.product, gaussians, law) for t in expand(f, gaussians)]
            mine = _gathered(_times(mine, _gathered(one, gaussians), gaussians, law), gaussians)
        # Not gathered, so that a term of both examples stays a product of a function of each.
        whole = _times(whole, mine, gaussians, law)
    found: dict[tuple[Expr, tuple[Expr, ...]], float] = {}
    for p in whole:
        found[p.scalar, p.blocks] = found.get((p.scalar, p.blocks), 0.0) + p.number
    return [Product(c, scalar, split) for (scalar, split), c in found.items() if c != 0]


def _split(number: float, scalar: Expr, product: Expr, gaussians: Gaussians, law: Law) -> Product:
    """A term with its product split into independent blocks, and all factors without Gaussians in the scalar."""
    factors = [f for f in factors_of(product) if f.free & gaussians]
    if len(factors) < len(factors_of(product)):
        scalar = canonical(mul(scalar, *(f for f in factors_of(product) if not f.free & gaussians)))
        product = canonical(mul(*factors)) if factors else ONE
    c, scalar = split_coefficient(scalar)
    split = blocks(product, gaussians, law) if product is not ONE else []
    return Product(float(number) * float(c), scalar, tuple(sorted(split, key=lambda b: b.digest)))


def _times(a: list[Product], b: list[Product], gaussians: Gaussians, law: Law) -> list[Product]:
    out = []
    for p in a:
        for q in b:
            c, product = split_coefficient(canonical(mul(*p.blocks, *q.blocks)))
            scalar = canonical(mul(p.scalar, q.scalar))
            out.append(_split(p.number * q.number * float(c), scalar, product, gaussians, law))
    return out


def _gathered(terms: Iterable[Product], gaussians: Gaussians) -> list[Product]:
    """Terms that differ only in a function of the same two or more variables, of equal parity, added into one term."""
    out: dict[tuple[object, ...], list[Product]] = {}
    for p in terms:
        main = max(p.blocks, key=lambda b: len(b.free & gaussians), default=ONE)
        mine = main.free & gaussians
        if len(mine) < 2 or is_polynomial(main, gaussians):
            key: tuple[object, ...] = (p.scalar, p.blocks)
        else:
            rest = tuple(b for b in p.blocks if b is not main)
            key = (rest, mine, parity(main, gaussians))
        out.setdefault(key, []).append(p)
    return [members[0] if len(members) == 1 else _sum(members, gaussians) for members in out.values()]


def _sum(members: list[Product], gaussians: Gaussians) -> Product:
    if all(m[1:] == members[0][1:] for m in members):
        return members[0]._replace(number=sum(m.number for m in members))
    main = [max(m.blocks, key=lambda b: len(b.free & gaussians)) for m in members]
    rest = tuple(b for b in members[0].blocks if b is not main[0])
    terms = (mul(Const(m.number), m.scalar, b) for m, b in zip(members, main, strict=True))
    c, total = split_coefficient(canonical(add(*terms)))
    return Product(float(c), ONE, tuple(sorted((*rest, total), key=lambda b: b.digest)))


def sides(block: Expr, side: Callable[[Expr], str]) -> tuple[Expr, Expr] | None:
    """F and G with block = F · G, where F depends on one example and G on the other; None where there are none."""
    parts: dict[str, list[Expr]] = {"L": [], "R": []}
    for f in factors_of(block):
        where = side(f) or "L"
        if where not in parts:
            return None
        parts[where].append(f)
    left, right = (canonical(mul(*parts[k])) for k in "LR")
    return left, right

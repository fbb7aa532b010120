"""E X Y of two sums whose terms are mostly independent, in as many steps as there are terms, as in residual streams.

If the terms of X and Y are divided into groups (X_c, Y_c), with independent variables in different groups, then

    E X Y = E X · E Y + Σ_c (E X_c Y_c − E X_c E Y_c).

A residual stream is that of the layer before plus a few terms, so that these sums are extended from layer to layer. The
terms of an error signal have common variables, but each has a Gaussian factor z of its own, of which nothing else is a
function: E Σ a z Σ b w = Σ E a b · E z w over the pairs of terms with dependent z and w.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from netsor.expr import Add, Expr, Sym, add, canonical, is_singular, mul, split_coefficient
from netsor.gaussian.existence.integrability import integrable, is_tame
from netsor.gaussian.symbolic.expansion import factors_of
from netsor.limit.many.frames import Step
from netsor.limit.many.terms import Term

# How many sums are remembered, of which a later one may be an extension.
_RECENT = 6
_FEWEST = 4


@dataclass(frozen=True)
class _Known:
    """Two sums, the families of their variables, E X, E Y and Σ_c (E X_c Y_c − E X_c E Y_c)."""

    x: frozenset[Expr]
    y: frozenset[Expr]
    families: frozenset[Hashable]
    mean_x: Step
    mean_y: Step
    rest: Step


@dataclass(frozen=True)
class _Factored:
    """Two sums of terms a z, the families of all z's and those of all a's, and E of the product."""

    x: frozenset[Expr]
    y: frozenset[Expr]
    outside: frozenset[Hashable]
    inside: frozenset[Hashable]
    total: Step | None


# A number, z and a of a term.
_Parts = tuple[float, Sym, Expr]


def is_long(x: Expr, y: Expr) -> bool:
    """Whether two sums have so many terms that it pays to look for independent ones among them."""
    return isinstance(x, Add) and isinstance(y, Add) and len(x.children) + len(y.children) >= _FEWEST


class Pairing:
    """Expectations of products of two sums; `families` gives the matrices and the vectors that variables belong to.

    Variables of different families are independent.
    """

    def __init__(
        self,
        families: Callable[[Expr], frozenset[Hashable]],
        gaussians_of: Callable[[Expr], frozenset[Sym]],
        expect: Callable[[Expr], Step],
        total: Callable[[list[Term]], Step],
        prepare: Callable[[Expr, Expr], None],
    ):
        """`prepare` finds the laws of the variables of two sums, those of the first layers first."""
        self._families, self._gaussians_of = families, gaussians_of
        self._expect, self._total, self._prepare = expect, total, prepare
        self._recent: list[_Known] = []
        self._recent_factored: list[_Factored] = []
        self._parts_of: dict[Expr, _Parts | None] = {}

    def expectation(self, x: Expr, y: Expr) -> Step | None:
        """E x y of two canonical sums; None unless they fall into independent groups with finite expectations, or each
        of their terms has a factor of its own.
        """
        assert is_long(x, y)
        found = self._by_factors(frozenset(x.children), frozenset(y.children))
        return self._by_groups(x, y) if found is None else found

    def _by_factors(self, mine: frozenset[Expr], yours: frozenset[Expr]) -> Step | None:
        """Σ E a b · E z w; None unless the sums are of this form and all moments of the a's are finite."""
        known = reversed(self._recent_factored)
        before = next((k for k in known if k.x <= mine and k.y <= yours), None)
        found = None if before is None else self._extended(mine, yours, before)
        if found is None:
            found = self._extended(mine, yours, _Factored(frozenset(), frozenset(), frozenset(), frozenset(), None))
        if found is None:
            return None
        self._recent_factored = [*self._recent_factored, found][-_RECENT:]
        return found.total

    def _extended(self, mine: frozenset[Expr], yours: frozenset[Expr], before: _Factored) -> _Factored | None:
        added = mine - before.x, yours - before.y
        if any(self._parts(t) is None for terms in added for t in terms):
            return None
        new = [sorted(terms, key=lambda t: t.digest) for terms in added]
        sides = [[p for t in terms if (p := self._parts(t)) is not None] for terms in new]
        outside = frozenset[Hashable]().union(*(self._families(z) for side in sides for _, z, _ in side))
        inside = before.inside.union(*(self._families(a) for side in sides for _, _, a in side))
        if outside & before.outside or inside & (outside | before.outside):
            return None
        self._prepare(add(*new[0]), add(*new[1]))
        terms = [] if before.total is None else [Term(1.0, (before.total,))]
        members: dict[frozenset[Hashable], list[_Parts]] = {}
        for part in sides[1]:
            members.setdefault(self._families(part[1]), []).append(part)
        for n, z, a in sides[0]:
            for m, w, b in members.get(self._families(z), ()):
                terms.append(Term(n * m, (self._expect(canonical(mul(z, w))), self._expect(canonical(mul(a, b))))))
        return _Factored(mine, yours, outside | before.outside, inside, self._total(terms))

    def _parts(self, t: Expr) -> _Parts | None:
        """The factors of a term a z with a single Gaussian z, of one family, beside a tame a."""
        if t not in self._parts_of:
            number, rest = split_coefficient(t)
            factors = factors_of(rest)
            single = [f for f in factors if isinstance(f, Sym) and self._gaussians_of(f)]
            a = canonical(mul(*(f for f in factors if f not in single)))
            alone = len(single) == 1 and len(self._families(single[0])) == 1
            tame = alone and not is_singular(a) and is_tame(a, self._gaussians_of(a))
            self._parts_of[t] = (float(number), single[0], a) if tame else None
        return self._parts_of[t]

    def _by_groups(self, x: Expr, y: Expr) -> Step | None:
        """E X · E Y + Σ_c (E X_c Y_c − E X_c E Y_c) over independent groups."""
        mine, yours = frozenset(x.children), frozenset(y.children)
        before = self._before(mine, yours)
        if before is None and (before := self._before(yours, mine)) is not None:
            x, y, mine, yours = y, x, yours, mine
        groups = self._groups(mine - before.x, yours - before.y) if before else None
        if groups is None or before is None or any(f & before.families for f, _, _ in groups):
            self._prepare(x, y)
            before, groups = None, self._groups(mine, yours)
            if len(groups) < 2:
                return None
        else:
            self._prepare(add(*(mine - before.x)), add(*(yours - before.y)))
        parts = [(canonical(add(*xs)), canonical(add(*ys))) for _, xs, ys in groups]
        if not all(self._exists(e) for p in parts for e in p):
            return None
        means = [(self._expect(a), self._expect(b)) for a, b in parts]
        mean_x = self._total([Term(1.0, (m,)) for m, _ in means] + ([Term(1.0, (before.mean_x,))] if before else []))
        mean_y = self._total([Term(1.0, (m,)) for _, m in means] + ([Term(1.0, (before.mean_y,))] if before else []))
        rest = [Term(1.0, (before.rest,))] if before else []
        for (a, b), (m, k) in zip(parts, means, strict=True):
            rest += [Term(1.0, (self._expect(canonical(mul(a, b))),)), Term(-1.0, (m, k))]
        found = self._total(rest)
        families = frozenset().union(*(f for f, _, _ in groups), before.families if before else ())
        self._recent = [*self._recent, _Known(mine, yours, families, mean_x, mean_y, found)][-_RECENT:]
        return self._total([Term(1.0, (mean_x, mean_y)), Term(1.0, (found,))])

    def _before(self, mine: frozenset[Expr], yours: frozenset[Expr]) -> _Known | None:
        """The last pair of sums of which these are extensions."""
        return next((k for k in reversed(self._recent) if k.x <= mine and k.y <= yours), None)

    def _exists(self, e: Expr) -> bool:
        gaussians = self._gaussians_of(e)
        return not gaussians or integrable(e, gaussians) is True

    def _groups(
        self, xs: frozenset[Expr], ys: frozenset[Expr]
    ) -> list[tuple[frozenset[Hashable], list[Expr], list[Expr]]]:
        """(families, terms of x, terms of y) of groups that share no family."""
        groups: list[tuple[frozenset[Hashable], list[Expr], list[Expr]]] = []
        for side, terms in enumerate((xs, ys)):
            for t in sorted(terms, key=lambda t: t.digest):
                families = self._families(t)
                joined = [g for g in groups if g[0] & families]
                groups = [g for g in groups if not g[0] & families]
                merged: tuple[list[Expr], list[Expr]] = (
                    [e for g in joined for e in g[1]],
                    [e for g in joined for e in g[2]],
                )
                merged[side].append(t)
                groups.append((families.union(*(g[0] for g in joined)), *merged))
        return groups

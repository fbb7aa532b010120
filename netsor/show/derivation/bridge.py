"""From the names of a derivation to those of the limit, which knows what is independent, what vanishes and how much."""

from __future__ import annotations

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.expr import ONE, ZERO, Const, Expr, Sym, add, canonical, mul, neg, power, substitute
from netsor.limit import Limit
from netsor.limit.symbols import SCALAR as SCALAR_OF_LIMIT
from netsor.show.derivation.data import value_of
from netsor.show.derivation.symbols import DATA, HAT, LIMIT, VECTOR, kind, names, symbol


class Bridge:
    """Expressions of a derivation as expressions of the `Limit` of the same program.

    Z^v of 𝒱 is its mean plus a centred symbol there, Ẑ's of equal vectors are one symbol, and a Ẑ of c x is c times
    that of x. Coefficients and expectations stay the symbols they are: scalars.
    """

    def __init__(self, program: Program, limit: Limit):
        self.program = program
        self.limit = limit
        self._there: dict[Sym, Expr] = {}
        self._mapped: dict[Expr, Expr] = {}
        limit.build_all()

    def there(self, s: Sym) -> Expr:
        """What a symbol of the derivation is in the limit."""
        found = self._there.get(s)
        if found is None:
            found = self._there[s] = self._look_up(s)
        return found

    def _look_up(self, s: Sym) -> Expr:
        what = kind(s)
        if what == VECTOR:
            return self.limit.z(names(s)[0])
        if what == LIMIT:
            return self.limit.moment(names(s)[0])
        if what == DATA:
            return Const(value_of(s, self.program))
        if what == HAT:
            i = self.program.by_name[names(s)[0]]
            assert isinstance(i, MatMul)
            return self.limit.gaussian_part(i)
        return s

    def one_sided(self, i: Nonlin | Moment) -> Expr | None:
        """What ψ tends to where an argument comes to its kink from one side, in the derivation's base symbols.

        None where no argument does, or where that has no name in a derivation.
        """
        there = self.limit.one_sided(i)
        if there is None:
            return None
        back: dict[Sym, Expr] = {}
        products = {s: j.name for j in self.program.instructions if isinstance(j, MatMul) for s in self._hats(j)}
        for s in there.free:
            if s in self.limit.initial:
                name = self.limit.initial[s]
                back[s] = add(symbol(VECTOR, name), neg(substitute(self.limit.z(name), {s: ZERO})))
            elif s in products:
                own = symbol(HAT, products[s])
                back[s] = mul(own, power(substitute(self.there(own), {s: ONE}), Const(-1)))
            elif s.name[0] == SCALAR_OF_LIMIT and s.name[1] in self.program.by_name:
                back[s] = symbol(LIMIT, s.name[1])
            else:
                return None
        return canonical(substitute(there, back))

    def _hats(self, i: MatMul) -> frozenset[Sym]:
        return self.limit.gaussian_part(i).free

    def mapped(self, e: Expr) -> Expr:
        """The expression in the limit's symbols, canonical."""
        found = self._mapped.get(e)
        if found is None:
            found = self._mapped[e] = canonical(substitute(e, {s: self.there(s) for s in e.free}))
        return found

    def gaussians(self, e: Expr) -> list[Sym]:
        """The limit's Gaussian symbols in an expression of the derivation."""
        return sorted((s for s in self.mapped(e).free if self.limit.is_gaussian(s)), key=lambda s: s.digest)

    def independent(self, a: Expr, b: Expr) -> bool:
        """Whether two expressions are known to be independent."""
        others = self.gaussians(b)
        return all(s is not t and self.limit.independent(s, t) for s in self.gaussians(a) for t in others)

    def vanishes(self, e: Expr) -> str | None:
        """Why E e is exactly zero, in the limit's words; None where it may not be."""
        return self.limit.vanishes(self.mapped(e))

    def mean(self, s: Sym) -> float:
        """E Z^v of a member of 𝒱; other base symbols have none."""
        c = self.limit.z(names(s)[0]) if kind(s) == VECTOR else ZERO
        if kind(s) != VECTOR:
            return 0.0
        if names(s)[0] in self.program.group_of:
            group, i = self.program.group_of[names(s)[0]]
            return group.mean[i]
        return float(c.value) if isinstance(c, Const) else 0.0

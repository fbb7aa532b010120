"""From the names of a derivation to those of the limit, which knows what is independent, what vanishes and how much."""

from __future__ import annotations

from netsor.core import MatMul, Program
from netsor.expr import ZERO, Const, Expr, Sym, canonical, substitute
from netsor.limit import Limit
from netsor.show.derivation.data import value_of
from netsor.show.derivation.symbols import DATA, HAT, LIMIT, VECTOR, kind, names


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

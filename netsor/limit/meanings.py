"""Finds limit scalars that are equal: each is written as a polynomial in expectations, and equal ones share a symbol.

An Onsager term cancels a Ż only if b = E η'(r)/τ of the text and the coefficient E ∂η/∂Ẑ of Eq. 65 are recognised as
one number.
"""

from __future__ import annotations

from collections.abc import Callable

from netsor.expr import Const, Expr, Sym, add, canonical, mul, postorder, split_coefficient
from netsor.gaussian.symbolic.expansion import expand, factors_of

# Scalars with longer polynomials keep their own symbols, because nested sums would grow from step to step.
_MOST_TERMS, _MOST_NODES = 24, 200


class Meanings:
    """The scalars of a limit by their polynomials; `is_gaussian` tells Ẑ's from scalars."""

    def __init__(self, is_gaussian: Callable[[Sym], bool]):
        self._is_gaussian = is_gaussian
        self._atoms: dict[Expr, Sym] = {}
        self._products: dict[Sym, Expr] = {}
        self._of: dict[Sym, Expr] = {}
        self._named: dict[Expr, tuple[Sym, float]] = {}

    def named(self, integrand: Expr, symbol: Sym) -> tuple[float, Sym]:
        """(c, s) with E integrand = c s, where s is `symbol`, or an earlier scalar that is a multiple of it."""
        meaning = self._meaning(integrand)
        if meaning is None:
            return 1.0, symbol
        c, core = split_coefficient(meaning)
        found = self._named.get(core)
        # A factor that has cancelled may have no value, so the earlier scalar must depend on the same scalars.
        if found is not None and all(self._occurs(s, core) for s in self._scalars(integrand)):
            return float(c) / found[1], found[0]
        if found is None and not isinstance(core, Const) and c:
            self._named[core] = symbol, float(c)
        self._of[symbol] = meaning
        return 1.0, symbol

    def _scalars(self, e: Expr) -> frozenset[Sym]:
        return frozenset(s for s in e.free if not self._is_gaussian(s))

    def _occurs(self, s: Sym, core: Expr) -> bool:
        """Whether a polynomial contains a scalar, what this stands for, or an expectation in which it occurs."""
        if s in core.free or s in self._of and self._of[s].free <= core.free:
            return True
        return any(s in self._products[a].free for a in core.free if a in self._products)

    def _meaning(self, integrand: Expr) -> Expr | None:
        """E integrand as a polynomial in expectations of products and in functions of scalars; None if too long."""
        gaussians = integrand.free - self._scalars(integrand)
        terms = expand(integrand, gaussians)
        if len(terms) > _MOST_TERMS:
            return None
        means = [self._mean(t.product) if t.product.free & gaussians else t.product for t in terms]
        whole = canonical(add(*(mul(Const(t.coefficient), t.scalar, m) for t, m in zip(terms, means, strict=True))))
        factors = [[(Const(t.coefficient), t.scalar), factors_of(t.product)] for t in expand(whole, whole.free)]
        if len(factors) > _MOST_TERMS:
            return None
        out = []
        for (c, scalar), product in factors:
            out.append(mul(c, scalar, *(self._of.get(f, f) if isinstance(f, Sym) else f for f in product)))
        e = canonical(add(*out))
        made = expand(e, e.free)
        if len(made) > _MOST_TERMS:
            return None
        e = canonical(add(*(mul(Const(t.coefficient), t.scalar, t.product) for t in made)))
        return e if sum(1 for _ in postorder(e)) <= _MOST_NODES else None

    def _mean(self, product: Expr) -> Sym:
        atom = self._atoms.get(product)
        if atom is None:
            atom = self._atoms[product] = Sym(("E", len(self._atoms)))
            self._products[atom] = product
        return atom

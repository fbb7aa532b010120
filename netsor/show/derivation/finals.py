"""Formulas of scalars put into other formulas, as long as the result is shorter than a reader's patience."""

from __future__ import annotations

from netsor.expr import ONE, Add, Const, Expr, Pow, Sym, add, mul
from netsor.show.derivation.algebra import (
    TooMany,
    common,
    count_terms,
    expanded,
    factors_of,
    joined,
    raised,
    size,
    written_out,
)
from netsor.show.derivation.expectations import Expectations
from netsor.show.derivation.symbols import COEFFICIENT, COVARIANCE, DATA, LIMIT, MEAN, kind, names

_MOST_TERMS_INLINE = 4
_MOST_TERMS_FINAL = 8
# A formula of more nodes than this, those of its expectations counted, is shorter with the names it had.
_LARGEST_FINAL = 130
_NAMES = (MEAN, COVARIANCE, LIMIT, COEFFICIENT, DATA)


def base_of(f: Expr) -> Expr:
    """x of a power of x."""
    return f.base if isinstance(f, Pow) else f


def _is_worked_out(f: Expr) -> bool:
    """Whether a factor is an expectation or an inner product, or a power of one."""
    s = base_of(f)
    return kind(s) in (MEAN, COVARIANCE) or isinstance(s, Sym) and kind(s) == DATA and len(names(s)) == 2


class Finals:
    """The formula of each scalar and coefficient (`of`), and what they make of formulas that mention them."""

    def __init__(self, expect: Expectations):
        self.expect = expect
        self.of: dict[Sym, Expr] = {}

    def _may_inline(self, s: Expr) -> bool:
        """Whether a formula is short and made of expectations: χ̊ = ℓ'(f̊) keeps its name, θ̊ = E z z̃ does not."""
        f = self.of.get(s) if isinstance(s, Sym) else None
        if f is None or count_terms(f) > _MOST_TERMS_INLINE:
            return False
        terms = [factors_of(t) for t in (f.children if isinstance(f, Add) else (f,))]
        if not all(kind(base_of(g)) in _NAMES for factors in terms for g in factors):
            return False
        # χ̊ = f̊ − y is made of names: put in its place it would take −χ̊ K̊ apart (Eq. 3).
        return kind(s) == COEFFICIENT or all(not factors or any(map(_is_worked_out, factors)) for factors in terms)

    def inlined(self, e: Expr) -> Expr:
        """The formula with short formulas of scalars in the place of their names, unless it gets long."""
        try:
            terms = []
            for c, factors in expanded(e):
                terms.append(mul(Const(c), *(self._replaced(f) for f in factors)))
            out = joined(expanded(add(*terms)))
        except TooMany:
            return e
        return out if count_terms(out) <= _MOST_TERMS_FINAL and self.length(out) <= _LARGEST_FINAL else e

    def length(self, e: Expr) -> int:
        """The size of a formula with its expectations written out."""
        return size(e) + sum(size(self.expect.means[s]) for s in written_out(e) if kind(s) == MEAN)

    def _replaced(self, f: Expr) -> Expr:
        if kind(f) in (LIMIT, COEFFICIENT) and self._may_inline(f):
            return self.of[f]  # type: ignore[index]
        if isinstance(f, Pow) and isinstance(f.exponent, Const) and self._may_inline(f.base):
            inside = self.of[f.base]  # type: ignore[index]
            if isinstance(f.exponent.value, int) and f.exponent.value > 0 or count_terms(inside) == 1:
                return raised(inside, f.exponent.value)
        return f

    def presented(self, e: Expr) -> Expr:
        """A sum with the scalars in front that all its terms have."""
        front, rest = common(e, lambda f: kind(f) in (LIMIT, COEFFICIENT, DATA))
        return e if front is ONE else mul(front, rest)

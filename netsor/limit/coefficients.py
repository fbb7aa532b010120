"""The coefficients of Ż's in numbers: E ∂Z^x/∂Ẑ^{Wᵀy} as expectations, or together by Stein's lemma (Remark B.6)."""

from __future__ import annotations

from netsor.expr import Expr, Sym, canonical, diff, mul
from netsor.gaussian import Expectation, NoPointwiseMeaning
from netsor.gaussian.law import Law
from netsor.limit.expectations import Expectations
from netsor.limit.noise import Known, Origin
from netsor.limit.numbers import Numbers, ordered
from netsor.limit.stein import stein_coefficients
from netsor.limit.symbols import spell
from netsor.limit.writing import Writing


class Coefficients:
    """The coefficients that `written` has symbols for; their expectations are kept in `results`."""

    def __init__(
        self, law: Law, written: Writing, expectations: Expectations, numbers: Numbers, results: dict[Sym, Expectation]
    ):
        self._law, self._written, self._expectations, self._numbers = law, written, expectations, numbers
        self.results = results

    def number(self, s: Sym) -> Known:
        """The coefficient that a symbol stands for."""
        found = self._pointwise(s)
        if found is not None:
            return found
        # Remark B.6: Stein's lemma gives the expectations of all partial derivatives together, from the E Ẑ^{Wᵀy} Z^x.
        name = self._written.derivatives[s][2]
        partners, operand, which = self.stein_system(s)
        b = [
            self._expectations.expect(canonical(mul(t, operand)), f"E {spell(t)} Z^x in Ż^{name}", name)
            for t in partners
        ]
        c = [[self._law.covariance(t, u) for u in partners] for t in partners]
        known = [self._beside(s, t) for t in partners]
        given = [None if k is None else k.estimate for k in known]
        a = stein_coefficients(c, [e.estimate for e in b], given)[which]
        parts = [(1.0, self._numbers.noises.fresh(a.own, Origin(spell(s), "Stein's lemma")))]
        parts += zip(a.by_b.tolist(), (e.form for e in b), strict=True)
        parts += [(float(x), k.form) for x, k in zip(a.by_known, known, strict=True) if k is not None]
        for t, row in zip(partners, a.by_c.tolist(), strict=True):
            parts += [(x, self._numbers.form(ordered(t, u))) for x, u in zip(row, partners, strict=True)]
        form = self._numbers.noises.combined(parts)
        return Known(a.estimate.value, min(a.estimate.error, form.size), form)

    def _pointwise(self, s: Sym) -> Known | None:
        """E ∂Z^x/∂Ẑ^{Wᵀy} as an expectation; None where the derivative has no pointwise meaning."""
        partner, derivative, name = self._written.derivatives[s]
        try:
            found, form = self._expectations.take(derivative, f"E ∂Z/∂{spell(partner)} in Ż^{name}", name)
        except NoPointwiseMeaning:
            return None
        self.results[s] = found
        return Known(found.value, found.error, form)

    def _beside(self, s: Sym, partner: Sym) -> Known | None:
        """The coefficient of another Ẑ^{Wᵀy} in the same Ż, if it is known without Stein's lemma."""
        other = self.beside(s, partner)
        if other in self._written.derivatives:
            return self._pointwise(other)
        return self._expectations.expect(other, f"E ∂Z/∂{spell(partner)}", self._written.derivatives[s][2])

    def beside(self, s: Sym, partner: Sym) -> Expr:
        """E ∂Z^x/∂Ẑ^{Wᵀy} for another Ẑ^{Wᵀy} in the Ż of s: a symbol, or a value known without numbers."""
        name = self._written.derivatives[s][2]
        product = self._written.product_of[s]
        return self._written.coefficient(product, partner, diff(self._written.products[product].operand, partner), name)

    def stein_system(self, s: Sym) -> tuple[list[Sym], Expr, int]:
        """The Ẑ^{Wᵀy^i} on which Z^x depends, Z^x, and the index of the one that s belongs to (Remark B.6)."""
        partner = self._written.derivatives[s][0]
        operand = self._written.products[self._written.product_of[s]].operand
        q = self._written.products[partner]
        partners = self._written.of_matrix(operand, q.matrix, q.transposed)
        return partners, operand, partners.index(partner)

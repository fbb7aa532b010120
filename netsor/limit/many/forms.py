"""The law of a limit with linear forms of its Gaussians as further Gaussians."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.expr import ONE, ZERO, Expr, Sym, add, canonical, mul
from netsor.gaussian import Estimate
from netsor.gaussian.law import Law
from netsor.gaussian.symbolic.independence import gaussians_of
from netsor.gaussian.symbolic.linear_forms import Form, linear_forms


class Forms:
    """The law of a limit extended by linear forms of its Gaussians, each with one symbol."""

    def __init__(self, law: Law):
        self._law = law
        self._forms: dict[Sym, Form] = {}
        self._names: dict[Form, Sym] = {}
        self._rewritten: dict[Expr, Expr] = {}
        self._independent: dict[tuple[Sym, Sym], bool] = {}

    def __contains__(self, s: Sym) -> bool:
        return s in self._forms

    def __getitem__(self, s: Sym) -> Form:
        """A form in the variables of the law; a variable of the law is a form of one term."""
        return self._forms.get(s) or ((s, ONE),)

    def rewritten(self, e: Expr) -> Expr:
        """`e` in linear forms, if that takes fewer variables."""
        found = self._rewritten.get(e)
        if found is None:
            found = self._rewritten[e] = linear_forms(e, gaussians_of(e, self), self.symbol)
        return found

    def symbol(self, form: Form) -> Sym:
        """The name of a form, which is itself where it is one variable."""
        if any(s in self._forms for s, _ in form):
            total: dict[Sym, Expr] = {}
            for s, c in form:
                for t, d in self[s]:
                    total[t] = canonical(add(total.get(t, ZERO), mul(c, d)))
            form = tuple((t, total[t]) for t in sorted(total, key=lambda t: t.digest))
        if len(form) == 1 and form[0][1] is ONE:
            return form[0][0]
        found = self._names.get(form)
        if found is None:
            found = self._names[form] = Sym(("form", len(self._names)))
            self._forms[found] = form
        return found

    # --- a law ------------------------------------------------------------------------------------------------

    def is_gaussian(self, s: Sym) -> bool:
        return s in self._forms or self._law.is_gaussian(s)

    def independent(self, a: Sym, b: Sym) -> bool:
        if a not in self._forms and b not in self._forms:
            return self._law.independent(a, b)
        found = self._independent.get((a, b))
        if found is None:
            found = all(s is not t and self._law.independent(s, t) for s, _ in self[a] for t, _ in self[b])
            self._independent[a, b] = self._independent[b, a] = found
        return found

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        return {}

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        return self._law.covariance(a, b)

    def scalar(self, s: Sym) -> Estimate:
        return self._law.scalar(s)

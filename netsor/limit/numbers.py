"""The numbers of a limit that are known so far, each with the affine form of its error."""

from __future__ import annotations

from netsor.expr import Sym
from netsor.gaussian.law import Input
from netsor.limit.noise import NONE, Form, Known, Noises, Origin


class Numbers:
    """Limits of scalars and covariances of Ẑ's, by their symbols."""

    def __init__(self) -> None:
        self.noises = Noises()
        self.scalars: dict[Sym, Known] = {}
        self.covariances: dict[tuple[Sym, Sym], Known] = {}
        # Means of vectors that are not floats, where their rounding matters.
        self.means: dict[Sym, Known] = {}

    def given(self, name: str, value: float, error: float) -> Known:
        """A number that is known without an expectation, with its rounding error."""
        return Known(value, error, self.noises.fresh(error, Origin(name, "exact algebra")))

    def of(self, s: Sym) -> Known | None:
        """A scalar or a mean, if it is known."""
        return self.means.get(s) or self.scalars.get(s)

    def form(self, i: Input) -> Form:
        """The affine form of the error of a known number."""
        found = self.of(i) if isinstance(i, Sym) else self.covariances.get(i)
        return NONE if found is None else found.form


def ordered(a: Sym, b: Sym) -> tuple[Sym, Sym]:
    """The key of a pair of symbols."""
    return (a, b) if a.digest <= b.digest else (b, a)

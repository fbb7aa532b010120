"""What an expectation needs to know about the joint law of its variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from netsor.expr import Expr, Sym

# A question to a law: the covariance of two Gaussian symbols, or the value of a scalar.
Input = Sym | tuple[Sym, Sym]


class Estimate(NamedTuple):
    """A number and a bound on its distance from the true value."""

    value: float
    error: float = 0.0


class Law(Protocol):
    """Centred jointly Gaussian symbols, and symbols that stand for deterministic scalars.

    Means are written in the integrand (m + ẑ), so that every Gaussian symbol is centred. Answers may be expensive (each
    may be a limit of its own), so an expectation asks only for what its integrand still depends on after elimination.
    """

    def is_gaussian(self, s: Sym) -> bool:
        """Whether `s` is a Gaussian variable (otherwise it is a scalar)."""
        ...

    def independent(self, a: Sym, b: Sym) -> bool:
        """Whether the covariance of two Gaussian symbols is known to be exactly zero; cheap and symbolic."""
        ...

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        """Cov(a, b) of two Gaussian symbols."""
        ...

    def scalar(self, s: Sym) -> Estimate:
        """The value of a scalar symbol."""
        ...

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        """Nearly dependent symbols as linear combinations of others and of residuals with laws of their own.

        Without a covariance, only those that are known to be nearly dependent without numbers. The result is empty
        where the law has no better variables.
        """
        ...

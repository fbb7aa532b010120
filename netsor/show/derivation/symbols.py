"""The symbols in which a derivation is written; a symbol's name is a tuple whose first entry says what it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from netsor.expr import Expr, Sym

# Z^x of a vector as a whole; Ẑ^{Wx} of a MATMUL (spelled Z where Ż = 0) and the same always spelled with its hat;
# Ż^{Wx}; θ̊ of a scalar; a coefficient of a Ż; an expectation; a covariance; E ∂Z^x/∂Ẑ^{Wᵀy}; a scalar; a short name;
# a product of two rows of data, or one entry.
VECTOR, HAT, HATTED, DOT, LIMIT, COEFFICIENT, MEAN, COVARIANCE, SLOPE, SCALAR, SHORT, DATA = (
    "Z",
    "Ẑ",
    "Ẑ!",
    "Ż",
    "θ̊",
    "a",
    "E",
    "Cov",
    "∂",
    "θ",
    "κ",
    "⟨⟩",
)


def symbol(kind: str, *names: Hashable) -> Sym:
    """The symbol of a kind."""
    return Sym(("derive", kind, *names))


def kind(s: Expr) -> str:
    """What a symbol is; '' for anything else."""
    if isinstance(s, Sym) and isinstance(s.name, tuple) and s.name[0] == "derive":
        return str(s.name[1])
    return ""


def names(s: Sym) -> tuple[Any, ...]:
    """What a symbol was made of."""
    return tuple(s.name[2:])


def is_random(e: Expr) -> bool:
    """Whether a Z occurs, so that the expression is not a number."""
    return any(kind(s) in (VECTOR, HAT) for s in e.free)


def atoms(e: Expr) -> list[Sym]:
    """The expectations and covariances that an expression is made of, in a fixed order."""
    return sorted((s for s in e.free if kind(s) in (MEAN, COVARIANCE)), key=lambda s: s.digest)

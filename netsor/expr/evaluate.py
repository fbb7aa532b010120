"""The value of an expression, with numbers for its symbols."""

from __future__ import annotations

from collections.abc import Mapping

from netsor.expr.differentiate import expanded
from netsor.expr.nodes import Expr, Sym
from netsor.expr.numeric import truth_of, value_of


def evaluate(root: Expr, values: Mapping[Sym, float] | None = None) -> float:
    """The value with these numbers for the free symbols; NaN where it does not exist, or a symbol has no number."""
    return value_of(root, values or {}, expanded)


def truth(test: Expr) -> bool | None:
    """The truth of a test without symbols; None where a side has no value."""
    return truth_of(test, expanded)

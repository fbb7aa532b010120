"""Warnings beside kernels: where kernel gradient descent is not the limit of training."""

from __future__ import annotations

from collections.abc import Iterable

from netsor.check.assumptions import Assumption, infer_no_descent
from netsor.check.kinks import Example
from netsor.core import Program
from netsor.diagnostics import Diagnostic


def kinks_met(network: Program, examples: Iterable[Example]) -> list[Diagnostic]:
    """W614 where an argument lies on a kink at these examples, so that Theorem D.2 does not hold."""
    found = infer_no_descent(network, examples)
    return [] if found is None else [not_expected(network, found)]


def not_expected(network: Program, found: Assumption) -> Diagnostic:
    """W614, with the reason why Theorem D.2 does not apply to a network."""
    return Diagnostic(
        "W614",
        f"kernel gradient descent is not expected to match the training of `{network.name}`: {found.because}",
        found.span,
        severity="warning",
        notes=("the limit of the unrolled program is computed by Definition B.3, whatever Theorem D.2 says",)
        if found.holds is None
        else ("the limit of the unrolled program (`netsor train --limit`) has the one-sided derivative there",),
        hint="`netsor check --exact` computes what the assumptions leave open"
        if found.holds is None
        else "where biases start with a positive variance, no argument lies on its kink",
    )

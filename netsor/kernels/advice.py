"""Warnings beside kernels: where kernel gradient descent is not the limit of training."""

from __future__ import annotations

from collections.abc import Iterable

from netsor.check.assumptions import Assumption, infer_no_descent
from netsor.check.kinks import Example
from netsor.core import Program
from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue import networks


def kinks_met(network: Program, examples: Iterable[Example]) -> list[Diagnostic]:
    """W614 where an argument lies on a kink at these examples, so that Theorem D.2 does not hold."""
    found = infer_no_descent(network, examples)
    return [] if found is None else [not_expected(network, found)]


def not_expected(network: Program, found: Assumption) -> Diagnostic:
    """W614, with the reason why Theorem D.2 does not apply to a network."""
    return networks.not_covered(network.name, found.because, found.span, found.holds is None)

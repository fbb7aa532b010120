"""Warnings beside kernels: where kernel gradient descent is not the limit of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from netsor.check.assumptions import Assumption, infer_no_descent
from netsor.check.kinks import Example
from netsor.core import Program
from netsor.deadline import is_stopped
from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue import networks
from netsor.diagnostics.catalogue.limits import entries_missing
from netsor.diagnostics.catalogue.warnings import Bound, kernels_not_reached
from netsor.kernels.tables import Kernel

# The smallest relative tolerance that sums of products in double precision can be held to.
ROUNDING = 1e-12


def not_reached(
    network: Program, kernels: Mapping[str, Kernel | None], tol: float, budget: float | None
) -> list[Diagnostic]:
    """E804 for entries without a number, and one W901 for all kernels whose bounds are larger than the tolerance."""
    bounds, missing = [], {}
    for name, kernel in kernels.items():
        if kernel is None:
            continue
        value, error = kernel.value, kernel.error
        known = np.isfinite(value)
        if not known.all():
            missing[name] = int(np.count_nonzero(~known)), known.size
            value, error = np.where(known, value, 0.0), np.where(known, error, 0.0)
        size = float(max(value.max(initial=0.0), -value.min(initial=0.0)))
        if error.max(initial=0.0) > max(tol, ROUNDING) * size:
            row, column = np.unravel_index(int(np.argmax(error)), error.shape)[:2]
            bounds.append(Bound(name, float(error.max()), tol * size, (int(row) + 1, int(column) + 1)))
    said = []
    if missing:
        said.append(entries_missing(network.name, missing, is_stopped()))
    if bounds:
        said.append(kernels_not_reached(network.name, bounds, tol, more=budget is not None and not is_stopped()))
    return said


def kinks_met(network: Program, examples: Iterable[Example]) -> list[Diagnostic]:
    """W614 where an argument lies on a kink at these examples, so that Theorem D.2 does not hold."""
    found = infer_no_descent(network, examples)
    return [] if found is None else [not_expected(network, found)]


def not_expected(network: Program, found: Assumption) -> Diagnostic:
    """W614, with the reason why Theorem D.2 does not apply to a network."""
    return networks.not_covered(network.name, found.because, found.span, found.holds is None)

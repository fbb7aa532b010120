"""Warnings of a training run: a learning rate that overshoots, and a network to which Theorem D.2 does not apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsor.check.assumptions import infer_assumptions, infer_conclusion, infer_derivatives
from netsor.check.kinks import Example
from netsor.core import Program
from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue import networks
from netsor.kernels.advice import not_expected
from netsor.train.descent import Descent


def overshoots(descent: Descent, lr: float) -> list[Diagnostic]:
    """A warning where a step of kernel gradient descent increases an error."""
    # A gain of exactly 2 leaves the size of the error as it is.
    if descent.gain <= 2 * (1 + 1e-9):
        return []
    return [networks.overshoots(lr, descent.at + 1, descent.gain)]


def not_covered(network: Program, examples: Iterable[Example]) -> list[Diagnostic]:
    """A warning, with its reason, where kernel gradient descent may not be the limit of training on these examples.

    A failing Simple GIA Check is not a reason, because the kernel is that of the backward program with all its Żs, and
    of v̂.
    """
    assumed = infer_assumptions(network, examples)
    found = assumed["NTKTRAIN"]
    if found.holds is None and not assumed["GIA"].holds:
        all_but_gia = {**assumed, "GIA": replace(assumed["GIA"], holds=True)}
        found = infer_conclusion(network, all_but_gia, infer_derivatives(network))
    return [] if found.holds else [not_expected(network, found)]

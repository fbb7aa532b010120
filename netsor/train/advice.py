"""What is said beside the numbers of a training run: rates that overshoot, and where Theorem D.2 does not speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsor.check.assumptions import infer_assumptions, infer_conclusion
from netsor.check.kinks import Example
from netsor.core import Program
from netsor.diagnostics import Diagnostic
from netsor.kernels.advice import not_expected
from netsor.train.descent import Descent


def overshoots(descent: Descent, lr: float) -> list[Diagnostic]:
    """A learning rate at which a step of kernel gradient descent makes an error larger than it was."""
    # A gain of exactly 2 keeps the size of an error.
    if descent.gain <= 2 * (1 + 1e-9):
        return []
    return [
        Diagnostic(
            "W613", f"the learning rate {lr:g} overshoots: step {descent.at + 1} multiplies an error on its batch by "
            f"{1 - descent.gain:.3g}", severity="warning",
            notes=("an error along an eigenvector of K̊ ℓ'' becomes 1 − η λ times itself, and grows where η λ > 2",),
            hint=f"below --lr {2 * lr / descent.gain:.3g} that step is stable",
        )
    ]  # fmt: skip


def not_covered(network: Program, examples: Iterable[Example]) -> list[Diagnostic]:
    """That kernel gradient descent is not expected to be the limit of training on these examples, with the reason.

    A failing Simple GIA Check is none: the kernel here is that of the backward program with all its Żs, and of v̂.
    """
    assumed = infer_assumptions(network, examples)
    found = assumed["NTKTRAIN"]
    if found.holds is None and not assumed["GIA"].holds:
        found = infer_conclusion(network, {**assumed, "GIA": replace(assumed["GIA"], holds=True)})
    return [] if found.holds else [not_expected(network, found)]

"""E6xx: networks."""

from __future__ import annotations

import re

from netsor.check.faults.words import short
from netsor.diagnostics import Diagnostic, Span


def readout_shape(span: Span, text: str, name: str) -> Diagnostic:
    """`name` is the output's own, for another one may be taken."""
    inner = re.fullmatch(r"((?:\w+\s*(?:ᵀ|⊤|\^T)\s*|⟨).*?)(?:\s*/\s*(?:n|√n|√ n|sqrt n))?", text.strip(), re.S)
    meant = f"{short(inner[1])} / √n" if inner else "vᵀ x / √n"
    return Diagnostic(
        "E601",
        f"`{short(text)}` is no readout",
        span,
        label="a network's output is vᵀ x / √n",
        notes=("Setup D.1: f(ξ) = vᵀ x(ξ) / √n, with v a vector of parameters",),
        hint=f"write `output {name} := {meant}`",
    )


def readout_cancels(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "E601",
        f"the terms of `{short(text)}` cancel: this output is 0 for every input",
        span,
        label="always 0",
        notes=("Setup D.1: f(ξ) = vᵀ x(ξ) / √n, with v a vector of parameters",),
        hint="remove one of the terms, or change the sign of one",
    )


def no_readout(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E602",
        f"the network `{name}` has no readout",
        span,
        label="no `output` line",
        hint="end it with `output f := vᵀ x / √n`",
    )


def train_not_parameter(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E603",
        f"`{name}` is {kind}, and SGD updates parameters",
        span,
        label="not a parameter",
        notes=("parameters are the matrices and vectors that the network declares",),
        hint="name a declared matrix or vector, as in `train W`",
    )


def train_in_program(span: Span) -> Diagnostic:
    return Diagnostic(
        "E604",
        "`train` belongs to a network, and this is a program",
        span,
        label="nothing is trained here",
        hint="start the file with `network NAME(ξ : 3)`",
    )


def train_zero_variance(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E605",
        f"`{name}` has variance 0, so its multiplier √σ² is 0 and training would not move it",
        span,
        label="not trained by this",
        hint=f"give the multiplier: `train {name} * 1`",
    )


def train_joint(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E606",
        f"`{name}` is trained with a multiplier, and it is correlated with other vectors",
        span,
        label="jointly Gaussian vectors are whitened",
        hint="declare it by itself, or leave the multiplier out",
    )


def trained_twice(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E607", f"`{name}` is named twice in `train`", span, label="second time", hint="name it once")

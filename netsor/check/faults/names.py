"""E2xx: names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.check.faults.words import primed
from netsor.diagnostics import Diagnostic, Label, Span


def unknown_name(span: Span, name: str, like: str | None, later: Span | None) -> Diagnostic:
    if later is not None:
        return Diagnostic(
            "E206",
            f"`{name}` is used before it gets its value",
            span,
            label="used here",
            labels=(Label(later, f"`{name}` gets its value here"),),
            notes=("a program is a list of instructions, and each uses only what stands above it (Def. B.1)",),
            hint=f"move the line that defines `{name}` above this one",
        )
    if span.source.text[span.end : span.end + 1] == "(":
        return Diagnostic(
            "E201",
            f"`{name}` is not defined",
            span,
            label="not found in this scope",
            hint=f"did you mean `{like}`?" if like else f"define it above, as in `{name}(u) = tanh(u)`",
        )
    before = re.search(r"(\w+)\s*\^\s*\Z", span.source.text[: span.start])
    if name == "t" and before:
        return Diagnostic(
            "E201",
            f"`{name}` is not defined",
            Span(span.source, before.start(), span.end),
            label="not found in this scope",
            notes=("a transpose is written `^T`, with a capital letter, or `ᵀ`",),
            hint=f"write `{before[1]}^T`",
        )
    declared = f"`matrix {name}`" if name[:1].isupper() else f"`vector {name} ~ N(0, 1)`, `scalar {name} = 1`"
    hint = f"did you mean `{like}`?" if like else f"declare it above: {declared} or `{name} := …`"
    return Diagnostic("E201", f"`{name}` is not defined", span, label="not found in this scope", hint=hint)


def used_by_itself(span: Span, name: str, place: Span) -> Diagnostic:
    member = span.source.text[span.end : span.end + 1] == "["
    return Diagnostic(
        "E206",
        f"`{name}` is used in the line that first gives it a value",
        span,
        label="has no value yet",
        labels=(Label(place, "gets it here"),),
        notes=("a program is a list of instructions, and each uses only what stands above it (Def. B.1)",),
        hint=f"give the family its first member before the loop: `vector {name}[0] ~ N(0, 1)`"
        if member
        else f"use a new name on the left, such as `{primed(name)}`",
    )


def assigned_twice(span: Span, name: str, before: Span | None, declared: bool = False) -> Diagnostic:
    labels = (Label(before, f"`{name}` was {'declared' if declared else 'given its value'} here"),) if before else ()
    if before == span:
        return Diagnostic(
            "E202",
            f"every round of the loop gives `{name}` a value",
            span,
            label="first in one round, then in the next",
            notes=("each name of a program stands for one variable, so it gets its value once",),
            hint=f"make it a family by the index of the loop, as in `{name}[t]`",
        )
    return Diagnostic(
        "E202",
        f"`{name}` is assigned twice",
        span,
        label="second time",
        labels=labels,
        notes=("each name of a program stands for one variable, so it gets its value once",),
        hint=f"use a new name here, such as `{primed(name)}`",
    )


def recursive(span: Span, name: str, chain: Sequence[str]) -> Diagnostic:
    path = " → ".join(f"`{c}`" for c in (*chain, name))
    return Diagnostic(
        "E204",
        f"the definition of `{name}` uses itself",
        span,
        label="it would never end",
        notes=(f"definitions are expanded where they are used: {path}",)
        if len(chain) > 1
        else ("definitions are expanded where they are used",),
        hint="use a `for` loop over an index instead",
    )


def unknown_param(name: str, like: str | None, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return Diagnostic(
        "E205",
        f"the program has no `param {name}`, so it cannot be set",
        None,
        notes=(f"its parameters are: {listed}",),
        hint=f"did you mean `--set {like}=…`?" if like else f"add a line `param {name} = 1` to the program",
    )


def unknown_data(name: str, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return Diagnostic(
        "E205",
        f"the program has no `data {name}`, so it cannot be given",
        None,
        notes=(f"its data are: {listed}",),
        hint=f"add a line `data {name} : (4, 3)` to the program",
    )


def repeated_parameter(span: Span, name: str, function: str) -> Diagnostic:
    return Diagnostic(
        "E207",
        f"two parameters of `{function}` are named `{name}`",
        span,
        label="second time",
        hint=f"rename one of them: `{name}2`",
    )


def name_clash(span: Span, name: str, before: Span | None, what: str) -> Diagnostic:
    labels = (Label(before, f"`{name}` is {what} here"),) if before else ()
    return Diagnostic(
        "E208",
        f"`{name}` is already {what}",
        span,
        label="same name",
        labels=labels,
        notes=("matrices, vectors, scalars and definitions of a program share one set of names",),
        hint=f"use a new name here, such as `{primed(name)}`",
    )


def no_place(span: Span, what: str, where: str) -> Diagnostic:
    return Diagnostic(
        "E209",
        f"`{what}` stands in {where}",
        span,
        label="belongs to the program, not to a definition",
        notes=("a definition is expanded wherever it is used, each time anew",),
        hint="move the line to the left margin, out of the `def`",
    )


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        "E210",
        "definitions are used inside definitions too deep to be expanded",
        span,
        label="expanded here",
        hint="give a step in between a line of its own",
    )

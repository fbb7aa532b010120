"""E2xx: names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import letter_name, line_above, moved_above, said
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span

_ABOVE = "a program is a list of instructions, and each uses only what stands above it (Def. B.1)"
_ONE_VALUE = "each name of a program stands for one variable, so it gets its value once"

E201 = Entry(
    "E201",
    "a name is not defined",
    "Every name is declared or assigned above the line that uses it, or is built in.",
    bad="vector x ~ N(0, 1)\noutput mean(x * yy)\n",
    good="vector x, yy ~ N(0, 1)\noutput mean(x * yy)\n",
    paper="Def. B.1",
)


def unknown_name(span: Span, name: str, like: str | None) -> Diagnostic:
    """`like` is a name that is known and may have been meant."""
    follows = span.source.text[span.end : span.end + 1]
    line = span.source.text.rfind("\n", 0, span.start) + 1
    before = re.search(r"(\w+)\s*\^\s*\Z", span.source.text[line : span.start])
    message = f"`{name}` is not defined"
    label = "not found in this scope"
    if name == "t" and before and follows != "(":
        transposed = Edit(Span(span.source, line + before.start(), span.end), f"{before[1]}^T")
        note = "a transpose is written `^T`, with a capital letter, or `ᵀ`"
        return E201(
            message, transposed.span, label, notes=(note,), hint=f"write {said(transposed)}", edits=(transposed,)
        )
    if like:
        edit = Edit(span, like)
        return E201(message, span, label, hint=f"did you mean {said(edit)}?", edits=(edit,))
    if follows == "(":
        # Which function is meant only the writer knows, so no edit defines one.
        edits: tuple[Edit, ...] = ()
        hint = f"define it above, as in `{name}(u) = tanh(u)`"
    elif follows == "[":
        edits, hint = (), f"declare the family above, as in `vector {name}[1..3] ~ N(0, 1)`"
    elif name[:1].isupper():
        edits = (line_above(span, f"matrix {name}"),)
        hint = f"declare it above, {said(edits[0])}, or give it a value there, `{name} := …`"
    else:
        edits = (line_above(span, f"vector {name} ~ N(0, 1)"), line_above(span, f"scalar {name} = 1"))
        hint = f"declare it above, {said(edits[0])} or {said(edits[1])}, or give it a value there, `{name} := …`"
    return E201(message, span, label, hint=hint, edits=edits)


def loop_index(span: Span, name: str, meant: str, outside: bool) -> Diagnostic:
    """An index of a loop: `outside` it, where `meant` is its last value, or in one whose index is `meant`."""
    edit = Edit(span, meant)
    return E201(
        f"`{name}` is the index of a loop that has ended" if outside else f"`{name}` is not defined",
        span,
        "not found in this scope",
        hint=f"write {said(edit)}, its last value" if outside else f"did you mean {said(edit)}, the index of the loop?",
        edits=(edit,),
    )


def dimension(span: Span, name: str) -> Diagnostic:
    """A name for the length of a network's input."""
    edit = line_above(span, f"param {name} = 3")
    return E201(
        f"`{name}` is not defined",
        span,
        "not found in this scope",
        notes=("`param` lines may stand above a network's header, and `--set` gives them another value",),
        hint=f"declare it above, {said(edit)}, or write the number itself",
        edits=(edit,),
    )


def looks_alike(span: Span, name: str, other: str, place: Span | None) -> Diagnostic:
    """`name` is written with other letters than the known name `other`, which looks like it."""
    letters = next(((c, d) for c, d in zip(name, other, strict=False) if c != d), (name[0], other[0]))
    edit = Edit(span, other)
    return E201(
        f"`{name}` is not defined; another name only looks like it",
        span,
        f"with {letter_name(letters[0])}",
        labels=(Label(place, f"with {letter_name(letters[1])}"),) if place else (),
        notes=("names are equal when their letters are",),
        hint=f"write {said(edit)}, or type both with the same letter",
        edits=(edit,),
    )


def foreign_name(
    span: Span, message: str, meant: str | None, note: str = "", *, safe: bool = False, hint: str = ""
) -> Diagnostic:
    """A name that means something in another language; `meant` is written for `span` here."""
    edits = () if meant is None else (Edit(span, meant, safe),)
    hint = " or ".join(f"write {said(edit)}" for edit in edits) or hint
    return E201(message, span, "not a name of the language", notes=(note,) if note else (), hint=hint, edits=edits)


E202 = Entry(
    "E202",
    "a name is assigned twice",
    "A name stands for one variable of the program, so it gets a value once. Members of a family "
    "are names of their own.",
    bad="vector x ~ N(0, 1)\ny := tanh(x)\ny := relu(x)\noutput mean(y)\n",
    good="vector x ~ N(0, 1)\ny := tanh(x)\nz := relu(x)\noutput mean(y * z)\n",
    paper="Def. B.1",
)


def assigned_twice(span: Span, name: str, before: Span | None, other: str) -> Diagnostic:
    """`other` is a name that is free."""
    edit = Edit(span, other)
    return E202(
        f"`{name}` is assigned twice",
        span,
        "second time",
        labels=(Label(before, f"`{name}` was given its value here"),) if before else (),
        notes=(_ONE_VALUE,),
        hint=f"use a new name here, such as {said(edit)}",
        edits=(edit,),
    )


def assigned_in_each_round(span: Span, name: str, index: str) -> Diagnostic:
    """`index` is that of the loop."""
    edit = Edit(span, f"{span.text[:-1]}, {index}]" if span.text.endswith("]") else f"{span.text}[{index}]")
    return E202(
        f"every round of the loop gives `{name}` a value",
        span,
        "first in one round, then in the next",
        notes=(_ONE_VALUE,),
        hint=f"make it a family by the index of the loop, {said(edit)}",
        edits=(edit,),
    )


E204 = Entry(
    "E204",
    "a definition uses itself",
    "Definitions are expanded where they are used, so a definition that uses itself would never end.",
    bad="φ(u) = 1 + φ(u)\nvector x ~ N(0, 1)\noutput mean(φ(x))\n",
    good="φ(u) = 1 + tanh(u)\nvector x ~ N(0, 1)\noutput mean(φ(x))\n",
)


def recursive(span: Span, name: str, chain: Sequence[str]) -> Diagnostic:
    path = " → ".join(f"`{c}`" for c in (*chain, name))
    expanded = "definitions are expanded where they are used"
    return E204(
        f"the definition of `{name}` uses itself",
        span,
        "it would never end",
        notes=(f"{expanded}: {path}" if len(chain) > 1 else expanded,),
        hint="use a `for` loop over an index instead",
    )


E205 = Entry(
    "E205",
    "a value is given to what the program does not have",
    "`--set` gives a value to a `param` of the program, and `--data` to a `data` line.",
    bad="param L = 2\nvector x ~ N(0, L)\noutput mean(x^2)\n",
    good="param M = 2\nvector x ~ N(0, M)\noutput mean(x^2)\n",
    settings={"M": 3},
)


def unknown_param(name: str, like: str | None, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return E205(
        f"the program has no `param {name}`, so it cannot be set",
        notes=(f"its parameters are: {listed}",),
        hint=f"did you mean `--set {like}=…`?" if like else f"add a line such as `param {name} = 1` to the program",
    )


def family_not_set(span: Span, name: str) -> Diagnostic:
    return E205(
        f"`{name}` is a family of constants, and `--set` gives a number to a single `param`",
        span,
        "a family",
        hint=f"write its value with a `param` of its own, as in `param c = 1` and `param {name}[i in 1..N] = c * i`",
    )


def unknown_data(name: str, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return E205(
        f"the program has no `data {name}`, so it cannot be given",
        notes=(f"its data are: {listed}",),
        hint=f"add a line such as `data {name} : (4, 3)` to the program",
    )


E206 = Entry(
    "E206",
    "a name is used before it gets its value",
    "A program is a list of instructions, each using only what stands above it.",
    bad="vector x ~ N(0, 1)\ny := tanh(z)\nz := relu(x)\noutput mean(y)\n",
    good="vector x ~ N(0, 1)\nz := relu(x)\ny := tanh(z)\noutput mean(y)\n",
    paper="Def. B.1",
)


def used_before(span: Span, name: str, later: Span) -> Diagnostic:
    """`later` is where the name gets its value."""
    return E206(
        f"`{name}` is used before it gets its value",
        span,
        "used here",
        labels=(Label(later, f"`{name}` gets its value here"),),
        notes=(_ABOVE,),
        hint=f"move the line that defines `{name}` above this one",
        edits=moved_above(span, later),
    )


def member_used_before(span: Span, name: str, later: Span) -> Diagnostic:
    return E206(
        f"`{name}` is used before it gets its value",
        span,
        "used here",
        labels=(Label(later, f"`{name}` gets its value here"),),
        hint=f"move the line that defines `{name}` above this one, or start the loop later",
    )


def used_by_itself(span: Span, name: str, place: Span) -> Diagnostic:
    """`place` is the left side of the line."""
    edits: tuple[Edit, ...] = ()
    if span.source.text[span.end : span.end + 1] == "[":
        start = span.source.text.rfind("\n", 0, span.start) + 1
        constants = span.source.text[start : span.start].split()[:1] == ["param"]
        edits = (line_above(span, f"param {name}[0] = 1" if constants else f"vector {name}[0] ~ N(0, 1)"),)
        hint = f"give the family its first member before the loop, as in {said(edits[0])}"
    else:
        hint = f"give `{name}` a value on a line above and this line another name, or use what was meant for `{name}`"
    return E206(
        f"`{name}` is used in the line that first gives it a value",
        span,
        "has no value yet",
        labels=(Label(place, "gets it here"),),
        notes=(_ABOVE,),
        hint=hint,
        edits=edits,
    )


E207 = Entry(
    "E207",
    "two parameters have one name",
    "The parameters of a definition are different names.",
    bad="ψ(x, x) = x\nvector y ~ N(0, 1)\noutput mean(ψ(y, y))\n",
    good="ψ(x, z) = x * z\nvector y ~ N(0, 1)\noutput mean(ψ(y, y))\n",
)


def repeated_parameter(span: Span, name: str, function: str, other: str) -> Diagnostic:
    """`other` is a name that is free."""
    edit = Edit(span, other)
    return E207(
        f"two parameters of `{function}` are named `{name}`",
        span,
        "second time",
        hint=f"rename one of them, to {said(edit)} for example",
        edits=(edit,),
    )


E208 = Entry(
    "E208",
    "a name is already something else",
    "A name is a single variable or a family, not both, and it is of one kind.",
    bad="vector x ~ N(0, 1)\nx[1] := tanh(x)\noutput mean(x)\n",
    good="vector x[0] ~ N(0, 1)\nx[1] := tanh(x[0])\noutput mean(x[1]^2)\n",
)


def name_clash(span: Span, name: str, before: Span | None, what: str, other: str) -> Diagnostic:
    """`other` is a name that is free."""
    edit = Edit(span, other)
    return E208(
        f"`{name}` is already {what}",
        span,
        "same name",
        labels=(Label(before, f"`{name}` is {what} here"),) if before else (),
        notes=("matrices, vectors, scalars and definitions of a program share one set of names",),
        hint=f"use a new name here, such as {said(edit)}",
        edits=(edit,),
    )


E209 = Entry(
    "E209",
    "a line that has no place in a definition",
    "A definition is expanded wherever it is used, so it declares no parameters and no data, and "
    "it asks for no outputs.",
    bad="def f(x):\n    output m := mean(x)\n    return tanh(x)\nvector x ~ N(0, 1)\noutput mean(f(x))\n",
    good="def f(x):\n    return tanh(x)\nvector x ~ N(0, 1)\noutput mean(f(x))\n",
)


def no_place(span: Span, what: str, where: str) -> Diagnostic:
    return E209(
        f"`{what}` stands in {where}",
        span,
        "belongs to the program, not to a definition",
        notes=("a definition is expanded wherever it is used, each time anew",),
        hint="move the line to the left margin, out of the `def`",
    )


E210 = Entry(
    "E210",
    "definitions nested too deep",
    "Definitions are expanded where they are used. A definition may use others, at most 300 of them one inside the "
    "other.",
    bad="def f0(x):\n    return tanh(x)\n"
    + "".join(f"def f{i}(x):\n    return f{i - 1}(x)\n" for i in range(1, 302))
    + "vector x ~ N(0, 1)\noutput mean(f301(x)^2)\n",
    good="vector x[0] ~ N(0, 1)\nfor i in 1..302:\n    x[i] := tanh(x[i - 1])\noutput mean(x[302]^2)\n",
)


def too_deep(span: Span) -> Diagnostic:
    return E210(
        "definitions are nested too deeply to be expanded",
        span,
        "expanded here",
        hint="give a step in between a line of its own",
    )

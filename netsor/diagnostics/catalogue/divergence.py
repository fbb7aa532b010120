"""E5xx: the width, labels and promises."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import inside, said, short
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span

# A single inner product, perhaps with factors: c xᵀ y, ⟨x, y⟩.
_INNER = re.compile(r"[^+−/-]*(?:[ᵀ⊤]|\^\s*T\b)[^+−/-]*|[^+−/-]*⟨.*⟩[^+−/-]*|<[^<>]*>", re.S)

E501 = Entry(
    "E501",
    "a factor diverges with n",
    "n may stand only in scalars with a finite limit. The exception is ψ* of Eq. 84, √n (F(x + "
    "d/√n) − F(x)), whose limit is the directional derivative.",
    bad="vector x, y ~ N(0, 1)\nz := √n tanh(x)\noutput mean(z * y)\n",
    good="vector x, y ~ N(0, 1)\nz := √n (tanh(x + y/√n) - tanh(x))\noutput mean(z * y)\n",
    paper="Setup B.2, Eq. 84",
)


def divergent(span: Span, text: str, rate: str) -> Diagnostic:
    return E501(
        f"`{short(text)}` grows like {rate} as n → ∞",
        span,
        "no finite limit",
        notes=(
            "n may stand only in scalars with a finite limit; the exception is ψ* of Eq. 84: √n (F(x + d/√n) − F(x))",
        ),
        hint="divide by the same power of n, or form a difference quotient, as in `√n (φ(x + d/√n) - φ(x))`",
    )


def indeterminate(span: Span, text: str, factor: str) -> Diagnostic:
    return E501(
        f"the limit of `{short(text)}` is not known: {factor} → ∞ stands before a difference that tends to 0",
        span,
        "∞ · 0",
        notes=("the exception is ψ* of Eq. 84: t (F(x + d/t) − F(x)) for t → ∞, such as t = √n",),
        hint="form a difference quotient with the same power of n inside, as in `√n (φ(x + d/√n) - φ(x))`",
    )


def no_limit(span: Span, text: str, rate: str, known: bool = True) -> Diagnostic:
    if not known:
        return E501(
            f"the limit of `{short(text)}` as n → ∞ is not known: {rate}",
            span,
            "there may be a limit, which netsor does not find",
            hint="use an expression in n whose limit is plain, such as `1/√n`",
        )
    return E501(
        f"`{short(text)}` has no limit as n → ∞: {rate}",
        span,
        "no limit",
        hint="use an expression in n with a finite limit, such as `1/√n`",
    )


def fluctuation(span: Span, text: str, factor: str, rest: str, inner: bool, readout: Edit | None = None) -> Diagnostic:
    """A factor that grows before a mean: where the mean tends to 0 the product may tend to a random number.

    `readout` makes the line the output that it is meant to be, in a network that has its name on an `output` line.
    """
    whose = "the output vᵀ x / √n is that of a `network` (D.1.1)"
    return (E502 if inner else E501)(
        f"no limit of `{short(text)}` can be told: `{short(rest)}` is multiplied by {factor}",
        span,
        f"{factor} times a mean",
        notes=(
            "a mean of n terms that tends to 0 is still of order 1/√n: times √n it is random in the limit, a Gaussian; "
            "one that tends to another number grows with the factor",
        ),
        hint=f"leave out the factor {factor}; {whose}" if readout is None else f"write {said(readout)} in one line",
        edits=() if readout is None else (readout,),
    )


E502 = Entry(
    "E502",
    "an inner product is not divided by n",
    "xᵀ y grows like n; a MOMENT is (1/n) Σ_α x_α y_α, so the division by n stands in the same product.",
    bad="vector x, y ~ N(0, 1)\noutput xᵀ y\n",
    good="vector x, y ~ N(0, 1)\noutput xᵀ y / n\n",
    paper="Eq. 61",
)


def inner_divergent(span: Span, text: str, rate: str) -> Diagnostic:
    edits = (Edit(inside(span), f"{inside(span).text} / n"),) if _INNER.fullmatch(inside(span).text) else ()
    hint = "divide it in its own product, as in `xᵀ y / n` or `θ xᵀ y / n`"
    return E502(
        f"an inner product is of order n, and in `{short(text)}` nothing divides it by n",
        span,
        f"grows like {rate}",
        notes=("a scalar of a program has a finite limit; (1/n) Σ_α x_α y_α is a MOMENT (Eq. 61)",),
        hint=f"write {said(edits[0])}" if edits else hint,
        edits=edits,
    )


E503 = Entry(
    "E503",
    "a scalar without a finite limit",
    "A member of 𝒞 converges to a number as n → ∞.",
    bad="vector x, y ~ N(0, 1)\nscalar ε = √n\noutput mean(x^2) * ε\n",
    good="vector x, y ~ N(0, 1)\nscalar ε = 1/√n\noutput mean(x^2) * ε\n",
    paper="Setup B.2",
)


def constant_diverges(span: Span, name: str, rate: str) -> Diagnostic:
    edit = Edit(span, "1/√n")
    return E503(
        f"the scalar `{name}` grows like {rate} as n → ∞",
        span,
        "no finite limit",
        notes=("a member of 𝒞 converges to a number (Setup B.2)",),
        hint=f"write {said(edit)} for its value, or divide it by {rate}",
        edits=(edit,),
    )


E504 = Entry(
    "E504",
    "a label's claim is false",
    "A labelled line is a single instruction of that kind. NONLIN+ is also true of one without scalars.",
    bad="vector x, y ~ N(0, 1)\nMOMENT: z := tanh(x)\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nNONLIN: z := tanh(x)\noutput mean(z^2)\n",
    paper="Def. B.1",
)


def label_claim(label: Span, claimed: str, actual: str, shown: str, value: Span) -> Diagnostic:
    """`actual` is what the line is in words, `shown` the label that would be true."""
    other, none = Edit(label, f"{shown}:"), _without_label(label)
    return E504(
        f"the line is labelled {claimed}, and it is {actual}",
        label,
        "the label's claim",
        labels=(Label(value, f"this is {actual}"),),
        hint=f"write {said(other)}, or leave the label out",
        edits=(other, none),
    )


def several_instructions(label: Span, claimed: str, pieces: Sequence[str], first: str) -> Diagnostic:
    return E504(
        f"the line is labelled {claimed}, and it takes several instructions: {', '.join(pieces)}",
        label,
        "a labelled line is a single instruction",
        hint=f"give `{first}` a line of its own, or leave the label out",
        edits=(_without_label(label),),
    )


def _without_label(label: Span) -> Edit:
    text, end = label.source.text, label.end
    while text[end : end + 1] == " ":
        end += 1
    return Edit(Span(label.source, label.start, end), "")


E505 = Entry(
    "E505",
    "a promise is broken",
    "z := ψ(x; θ) = EXPR promises that EXPR uses just these vectors and scalars.",
    bad="vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x) = x * y\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x, y) = x * y\noutput mean(z^2)\n",
    paper="Eq. 60",
)


def promise_broken(span: Span, promised: Sequence[str], extra: Sequence[str], what: str, addition: Edit) -> Diagnostic:
    """`addition` puts what is used beside the promise among the slots of ψ."""
    listed = ", ".join(f"`{e}`" for e in extra)
    only = f"only {', '.join(f'`{p}`' for p in promised)} among its {what}" if promised else f"no {what}"
    return E505(
        f"{listed} {'is' if len(extra) == 1 else 'are'} used, but ψ was promised {only}",
        span,
        f"not among the {what} of ψ",
        hint=f"add {listed} to the {what} of ψ: write {said(addition)}",
        edits=(addition,),
    )


def promise_slot(span: Span) -> Diagnostic:
    return E505(
        f"`{short(span.text)}` takes an instruction of its own, and the slots of ψ name variables",
        span,
        "not a variable",
        hint="give it a name on a line above, and put that name into the slot",
    )


def promise_kind(span: Span, kind: str, wanted: str) -> Diagnostic:
    return E505(
        f"`{short(span.text)}` is {kind}, and stands among the {wanted} of ψ",
        span,
        kind,
        hint="vectors stand before the semicolon, scalars after it",
    )


E506 = Entry(
    "E506",
    "a constant without a value",
    "Arithmetic of constants gives a finite real number.",
    bad="vector x, y ~ N(0, 1)\noutput mean(x / 0)\n",
    good="vector x, y ~ N(0, 1)\noutput mean(x / 2)\n",
)


def no_value(span: Span) -> Diagnostic:
    return E506(
        f"`{short(span.text)}` has no finite value",
        span,
        "not a real number",
        hint="check the signs of roots and powers, and what is divided by",
    )


def too_large(span: Span) -> Diagnostic:
    return E506(
        f"the numbers in `{short(span.text)}` make one that is too large",
        span,
        "beyond 1.8e308, the largest number",
        hint="multiply the numbers yourself, or scale what they stand before",
    )


def derived_too_large(name: str) -> Diagnostic:
    return E506(
        f"`{name}`, which is made of the network, has a number that is too large",
        notes=("products of the network's own numbers are beyond 1.8e308, the largest number",),
        hint="scale what the large numbers of the network stand before",
    )


def division_by_zero(span: Span) -> Diagnostic:
    return E506(
        "division by zero" + ("" if span.text == "0" else f": `{short(span.text)}` is 0"),
        span,
        "is zero",
        hint="divide by a number that is not zero, such as 1e-5",
    )


E507 = Entry(
    "E507",
    "the width in a function of coordinates",
    "A definition is the same function at every width; give it a parameter.",
    bad="φ(u) = u / n\nvector x, y ~ N(0, 1)\noutput mean(φ(x))\n",
    good="φ(u; ε) = u ε\nvector x, y ~ N(0, 1)\noutput mean(φ(x; 1/√n))\n",
    paper="Eq. 60",
)


def width_in_function(span: Span) -> Diagnostic:
    return E507(
        "`n` stands in a function of coordinates, which is the same function at every width",
        span,
        "the width",
        hint="make it a parameter, as in `ψ(x; ε) = …`, and call the function with `1/√n`",
    )

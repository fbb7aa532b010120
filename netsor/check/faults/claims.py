"""E5xx, W902 and W904: the width, labels, promises."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check.faults.words import short
from netsor.diagnostics import Diagnostic, Label, Span


def divergent(span: Span, text: str, rate: str, inner: bool) -> Diagnostic:
    if inner:
        return Diagnostic(
            "E502",
            f"an inner product is of order n, and in `{short(text)}` nothing divides it by n",
            span,
            label=f"grows like {rate}",
            notes=("a scalar of a program has a finite limit; (1/n) Σ_α x_α y_α is a MOMENT (Eq. 61)",),
            hint="divide it in its own product, as in `xᵀ y / n` or `θ xᵀ y / n`",
        )
    return Diagnostic(
        "E501",
        f"`{short(text)}` grows like {rate} as n → ∞",
        span,
        label="no finite limit",
        notes=(
            "n may stand only in scalars with a finite limit; the exception is ψ* of Eq. 84: √n (F(x + d/√n) − F(x))",
        ),
        hint="divide by the same power of n, or write the difference quotient `√n (φ(x + d/√n) - φ(x))`",
    )


def fluctuation(span: Span, text: str, factor: str, rest: str, inner: bool) -> Diagnostic:
    """A factor that grows before a mean: where the mean tends to 0 the product may tend to a random number."""
    return Diagnostic(
        "E502" if inner else "E501",
        f"no limit of `{short(text)}` can be told: `{short(rest)}` is multiplied by {factor}",
        span,
        label=f"{factor} times a mean",
        notes=(
            "a mean of n terms that tends to 0 is still of order 1/√n: times √n it is random in the limit, a Gaussian; "
            "one that tends to another number grows with the factor",
        ),
        hint=f"leave out the factor {factor}; the output vᵀ x / √n is that of a `network` (D.1.1)",
    )


def indeterminate(span: Span, text: str, factor: str) -> Diagnostic:
    return Diagnostic(
        "E501",
        f"the limit of `{short(text)}` is not known: {factor} → ∞ stands before a difference that tends to 0",
        span,
        label="∞ · 0",
        notes=("the exception is ψ* of Eq. 84: t (F(x + d/t) − F(x)) for t → ∞, such as t = √n",),
        hint="write it as a difference quotient with the same power of n inside: `√n (φ(x + d/√n) - φ(x))`",
    )


def no_limit(span: Span, text: str, rate: str, known: bool = True) -> Diagnostic:
    if not known:
        return Diagnostic(
            "E501",
            f"the limit of `{short(text)}` as n → ∞ is not known: {rate}",
            span,
            label="there may be a limit, which netsor does not find",
            hint="use an expression in n whose limit is plain, such as `1/√n`",
        )
    return Diagnostic(
        "E501",
        f"`{short(text)}` has no limit as n → ∞: {rate}",
        span,
        label="no limit",
        hint="use an expression in n with a finite limit, such as `1/√n`",
    )


def constant_diverges(span: Span, name: str, text: str, rate: str) -> Diagnostic:
    return Diagnostic(
        "E503",
        f"the scalar `{name}` grows like {rate} as n → ∞",
        span,
        label="no finite limit",
        notes=("a member of 𝒞 converges to a number (Setup B.2)",),
        hint=f"write `scalar {name} = 1/√n`, or divide by {rate}",
    )


def constant_not_constant(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E408",
        f"`{name}` is declared as a member of 𝒞, and `{short(text)}` depends on variables of the program",
        span,
        label="not a constant or an expression in n",
        hint=f"make it a MOMENT: `{name} := {short(text)}`",
    )


def label_claim(span: Span, claimed: str, actual: str, hint: str, value: Span | None = None) -> Diagnostic:
    return Diagnostic(
        "E504",
        f"the line is labelled {claimed}, and it is {actual}",
        span,
        label="the label's claim",
        labels=(Label(value, f"this is {actual}"),) if value else (),
        hint=hint,
    )


def several_instructions(span: Span, claimed: str, pieces: Sequence[str], hint: str) -> Diagnostic:
    return Diagnostic(
        "E504",
        f"the line is labelled {claimed}, and it takes several instructions: {', '.join(pieces)}",
        span,
        label="a labelled line is a single instruction",
        hint=hint,
    )


def promise_broken(span: Span, promised: Sequence[str], extra: Sequence[str], what: str) -> Diagnostic:
    listed = ", ".join(f"`{e}`" for e in extra)
    only = f"only {', '.join(f'`{p}`' for p in promised)} among its {what}" if promised else f"no {what}"
    return Diagnostic(
        "E505",
        f"{listed} {'is' if len(extra) == 1 else 'are'} used, but ψ was promised {only}",
        span,
        label=f"not among the {what} of ψ",
        hint=f"add {listed} to the {what} of ψ({'; ' if what == 'scalars' else ''}…)",
    )


def promise_slot(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "E505",
        f"`{short(text)}` takes an instruction of its own, and the slots of ψ name variables",
        span,
        label="not a variable",
        hint="give it a name on a line above, and put that name into the slot",
    )


def promise_kind(span: Span, text: str, kind: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        "E505",
        f"`{short(text)}` is {kind}, and stands among the {wanted} of ψ",
        span,
        label=kind,
        hint="vectors stand before the semicolon, scalars after it",
    )


def promise_unused(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "W902",
        f"`{short(text)}` is promised to ψ and not used",
        span,
        severity="warning",
        label="not used",
        hint=f"remove `{short(text)}` from the list",
    )


def no_value(span: Span) -> Diagnostic:
    return Diagnostic(
        "E506",
        f"`{short(span.text)}` has no finite value",
        span,
        label="not a real number",
        hint="check the signs of roots and powers, and what is divided by",
    )


def too_large(span: Span) -> Diagnostic:
    return Diagnostic(
        "E506",
        f"the numbers in `{short(span.text)}` make one that is too large",
        span,
        label="beyond 1.8e308, the largest number",
        hint="multiply the numbers yourself, or scale what they stand before",
    )


def division_by_zero(span: Span) -> Diagnostic:
    return Diagnostic(
        "E506",
        "division by zero" + ("" if span.text == "0" else f": `{short(span.text)}` is 0"),
        span,
        label="is zero",
        hint="add a small number to it, such as 1e-5",
    )


def width_in_function(span: Span) -> Diagnostic:
    return Diagnostic(
        "E507",
        "`n` stands in a function of coordinates, which is the same function at every width",
        span,
        label="the width",
        hint="make it a parameter: `ψ(x; ε) = …`, and call it with `1/√n`",
    )


def no_outputs() -> Diagnostic:
    return Diagnostic(
        "W904",
        "the program has no output",
        None,
        severity="warning",
        hint="name the scalars that you want: `output mean(x^2)`",
    )

"""W9xx: what deserves a look; E950: assumptions that are required."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import bracketed, inside, said, short
from netsor.diagnostics.data import Diagnostic, Edit, Span

W901 = Entry(
    "W901",
    "a tolerance was not reached",
    "The error of a limit is larger than `--tol` allows; the bound that was reached is reported with it.",
    bad="vector x[1..8] ~ N(0, 1)\noutput mean(max(x[1], x[2] * x[3], sin(x[4] * x[5]), x[6] * x[7] * x[8]))\n",
    good="vector x[1..8] ~ N(0, 1)\noutput mean(max(x[1], x[2]))\n",
    severity="warning",
    stage="limit",
)


class Bound(NamedTuple):
    """The largest error of a kernel, what the tolerance allows, and the rows of that entry where they are known."""

    kernel: str
    error: float
    allowed: float
    rows: tuple[int, int] | None = None


def kernels_not_reached(network: str, bounds: Sequence[Bound], tol: float, more: bool = False) -> Diagnostic:
    """Kernels of a network have larger errors than `tol` allows; `more` says whether more time may be given."""
    names = " and ".join(f"the {b.kernel}" for b in bounds)
    notes = []
    for b in bounds:
        which = f" of the {b.kernel}" if len(bounds) > 1 else ""
        where = f", for rows {b.rows[0]} and {b.rows[1]}" if b.rows else ""
        notes.append(
            f"the error bound{which} is {b.error:.1e}{where}, and {tol:.1e} of the largest entry is {b.allowed:.1e}"
        )
    return W901(
        f"{names} of `{network}` {'was' if len(bounds) == 1 else 'were'} not reached to the tolerance asked for",
        notes=tuple(notes),
        hint=_ways_on(more),
    )


def _ways_on(more: bool) -> str:
    time = "give more time with `--budget SECONDS`, or " if more else ""
    return f"{time}accept this error with a larger `--tol`"


def not_reached(names: str, several: bool, span: Span | None, notes: tuple[str, ...], more: bool) -> Diagnostic:
    """The limits of outputs whose bounds are larger than asked for; `more` says whether more time may be given."""
    plural, verb = ("s", "were") if several else ("", "was")
    return W901(
        f"the limit{plural} of {names} {verb} not reached to the tolerance asked for",
        span,
        notes=notes,
        hint=_ways_on(more),
    )


W902 = Entry(
    "W902",
    "a promised variable is not used",
    "ψ(x, y; θ) = EXPR names more than EXPR uses.",
    bad="vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x, y) = tanh(x)\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x) = tanh(x)\noutput mean(z^2)\n",
    paper="Eq. 60",
    severity="warning",
)


def promise_unused(span: Span, place: Span) -> Diagnostic:
    """`place` holds the slot with the comma that belongs to it; empty where it is the only slot."""
    edits = (Edit(place, "", safe=True),) if place.text else ()
    return W902(
        f"`{short(span.text)}` is promised to ψ and not used",
        span,
        "not used",
        hint=f"remove `{short(span.text)}` from the list",
        edits=edits,
    )


W903 = Entry(
    "W903",
    "a condition without variables",
    "The test of an `if` has the same answer everywhere.",
    bad="vector x, y ~ N(0, 1)\nz := if 1 > 2 then x else y\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nz := if x > 0 then x else y\noutput mean(z^2)\n",
    severity="warning",
)


def constant_condition(test: Span, outcome: str, whole: Span, branch: Span) -> Diagnostic:
    """`whole` is the conditional, `branch` the one that is always taken."""
    edit = Edit(whole, bracketed(branch.text), safe=True)
    return W903(
        f"the condition `{short(test.text)}` is {outcome} everywhere",
        test,
        "it does not depend on any variable",
        hint=f"write {said(edit)} for the whole `if`",
        edits=(edit,),
    )


W904 = Entry(
    "W904",
    "a program without outputs",
    "Outputs are the scalars that `netsor eval` reports.",
    bad="vector x, y ~ N(0, 1)\nz := tanh(x)\n",
    good="vector x, y ~ N(0, 1)\nz := tanh(x)\noutput mean(z^2)\n",
    severity="warning",
)


def no_outputs() -> Diagnostic:
    return W904("the program has no output", hint="name the scalars that you want, as in `output mean(x^2)`")


W905 = Entry(
    "W905",
    "the power of a product",
    "A bracket behind a name binds before ^: `c (x)^2` is (c x)^2, where `2 (x)^2` is 2 x^2. The warning asks "
    "to say which is meant.",
    bad="vector x ~ N(0, 1)\nscalar c = 2\noutput mean(c (x + 1)^2)\n",
    good="vector x ~ N(0, 1)\nscalar c = 2\noutput mean(c * (x + 1)^2)\n",
    severity="warning",
)


def power_of_product(span: Span, callee: str, argument: str, power: str, matrix: bool) -> Diagnostic:
    whole = Edit(inside(span), f"({callee} ({argument}))^{power}", safe=True)
    alone = f"{callee} (({argument})^{power})" if matrix else f"{callee} * ({argument})^{power}"
    other = Edit(inside(span), alone)
    return W905(
        f"`{short(span.text)}` is the power of the whole product, {whole.text}",
        span,
        "a bracket behind a name binds before ^",
        hint=f"write {said(whole)} to say so, or {said(other)} for the power of the bracket alone",
        edits=(whole, other),
    )


E950 = Entry(
    "E950",
    "a required assumption does not hold",
    "`netsor check --require` turns assumptions into errors: A1–A4 of Setup D.1, GIA (the Simple "
    "GIA Check), B8 (Assumption B.8).",
    bad="vector x, y ~ N(0, 1)\noutput mean(step(x))\n",
    good="vector x, y ~ N(0, 1)\noutput mean(relu(x))\n",
    paper="Setup D.1, Assumption B.8",
    stage="require",
)


def not_required(name: str, verb: str, because: str, span: Span | None) -> Diagnostic:
    """An assumption of `--require` that fails, or of which nothing is known."""
    return E950(
        f"assumption {name} {verb}: {because}",
        span,
        "here" if span else "",
        hint=f"`netsor explain E950` lists the assumptions, or drop `--require {name}`",
    )

"""E8xx: limits that do not exist or are not found."""

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.data import Diagnostic, Span

E801 = Entry(
    "E801",
    "an expectation that diverges",
    "A limit is an expectation over Gaussian variables; where it is infinite or undefined there is no limit.",
    bad="vector x ~ N(0, 1)\noutput mean(exp(x^2))\n",
    good="vector x ~ N(0, 1)\noutput mean(exp(-x^2))\n",
    paper="Eq. 63",
    stage="limit",
)

E802 = Entry(
    "E802",
    "a function of scalars without a value at their limits",
    "A MOMENT of no vector is continuous where its scalars tend to.",
    bad="vector x ~ N(0, 1)\nθ := mean(x)\noutput 1 / θ\n",
    good="vector x ~ N(0, 1)\nθ := mean(x^2)\noutput 1 / θ\n",
    paper="Assumption B.8, 1",
    stage="limit",
)

E803 = Entry(
    "E803",
    "a function that jumps where its scalars tend to",
    "A MOMENT of no vector is continuous where its scalars tend to; at a jump the finite widths end on both sides. "
    "So is a ψ with parameters, for almost all values of its vectors: of step(m x) with m → 0 Definition B.3 takes "
    "step(0), and no finite width is near it.",
    bad="vector x ~ N(0, 1)\nθ := mean(x)\noutput step(θ)\n",
    good="vector x ~ N(1, 1)\nθ := mean(x)\noutput step(θ)\n",
    paper="Assumption B.8, 1",
    stage="limit",
)

E804 = Entry(
    "E804",
    "a limit that could not be computed",
    "No rule gave a number, because it is out of the range of floating-point numbers, say, or because the time of "
    "`--budget` was over before anything was known of it. It may well exist.",
    bad="vector x ~ N(0, 1)\noutput mean(exp(100 * x))\n",
    good="vector x ~ N(0, 1)\noutput mean(exp(10 * x))\n",
    paper="Eq. 63",
    stage="limit",
)


def out_of_time(what: str, span: Span | None = None) -> Diagnostic:
    """The time was over before anything was known of `what`."""
    return E804(
        f"{what} could not be computed: the time was over",
        span,
        notes=("this does not say that there is none",),
        hint="give more time with `--budget SECONDS`",
    )

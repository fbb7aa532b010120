"""E8xx: limits that do not exist or are not found."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import plural
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


# Notes where means over wide networks are no way out.
MAY_BE_INFINITE = "a run at a width would not tell: where the limit is infinite, its means do not settle"
BEYOND_DOUBLES = "a run at a width would meet the same numbers"
NO_RUN_TELLS = frozenset((MAY_BE_INFINITE, BEYOND_DOUBLES))


def no_expectation(name: str, why: str, purpose: str, span: Span | None) -> Diagnostic:
    """The limit of `name` is an expectation, for this purpose, that is infinite or undefined."""
    return E801(
        f"the limit of `{name}` does not exist: {why}",
        span,
        f"{purpose} has no finite value",
        notes=("a limit is an expectation over Gaussian variables (Def. B.3), and this one diverges",),
    )


def grows_at_jump(name: str, span: Span | None, rate: str) -> Diagnostic:
    """A difference quotient whose argument lies on a jump."""
    return E801(
        f"the limit of `{name}` does not exist: it grows like {rate} where an argument lies on a jump",
        span,
        "a difference quotient over a jump",
        notes=("the argument lies on the jump with positive probability, so that every width sees both sides of it",),
    )


def grows_across_jump(name: str, operand: str, span: Span | None, rate: str) -> Diagnostic:
    """A product with a vector whose coordinates are large where an argument of theirs crosses a jump."""
    return E801(
        f"the limit of `{name}` does not exist: its variance, the mean of {operand}², grows like {rate}",
        span,
        f"a product with a difference quotient across a jump, `{operand}`",
        notes=("few coordinates cross the jump, but there they are so large that the mean of their squares grows",),
    )


def side_not_known(name: str, span: Span | None) -> Diagnostic:
    """A ψ whose argument lies on a kink, with nothing that says on which side finite widths are."""
    return E801(
        f"the limit of `{name}` is not known: an argument lies on a kink, a jump or a root with positive probability",
        span,
        "its limit depends on the side from which the argument comes",
        notes=("that side depends on the random differences of scalars and products from their limits",),
    )


def lines_without_value(names: Sequence[str], missing: Set[str], unknown: Set[str]) -> list[Diagnostic]:
    """Lines of a derivation without numbers, of those that have these names, in their order."""
    out = []
    for entry, wanted, said in ((E801, missing - unknown, "no limit"), (E804, unknown, "no number that was found")):
        found = [f"`{name}`" for name in names if name in wanted]
        if found:
            more = f" and {plural(len(found) - 5, 'other')}" if len(found) > 5 else ""
            verb = "has" if len(found) == 1 else "have"
            out.append(entry(f"{', '.join(found[:5])}{more} {verb} {said}: the derivation says why", None))
    return out


def no_draws(name: str, span: Span | None) -> Diagnostic:
    """A vector whose Z has a Dirac mass in it, from a difference quotient over a jump."""
    return E801(
        f"no numbers can be drawn from the law of `{name}`: its Z has a Dirac mass",
        span,
        "a difference quotient over a jump",
        notes=("a coordinate is of order √n with a probability of order 1/√n, which only means can tell",),
        hint=f"ask for means, as in `output mean({name})`",
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


_CONTINUOUS = "a function of scalars must be continuous at their limits (Assumption B.8, 1)"


def function_without_value(name: str, why: str, purpose: str, span: Span | None) -> Diagnostic:
    """A function of scalars that an expectation needs is undefined where they tend to."""
    return E802(f"the limit of `{name}` does not exist: {why}", span, f"{purpose} has no value", notes=(_CONTINUOUS,))


def scalar_without_value(name: str, span: Span | None, text: str, where: str) -> Diagnostic:
    """A MOMENT of no vector is undefined at the limits of its scalars."""
    return E802(
        f"the limit of `{name}` does not exist: `{text}` has no value at {where}",
        span,
        "infinite or undefined in the limit",
        notes=(_CONTINUOUS,),
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


def scalar_jumps(name: str, span: Span | None, text: str, scalar: str, limit: float) -> Diagnostic:
    """A MOMENT of no vector jumps where this scalar tends to."""
    return E803(
        f"the limit of `{name}` does not exist: `{text}` jumps at `{scalar}` = {limit:.6g}",
        span,
        f"not continuous at the limit of `{scalar}`",
        notes=(_CONTINUOUS,),
    )


def jumps_in_parameters(subject: str, text: str, what: str, span: Span | None) -> Diagnostic:
    """A ψ jumps in its parameters at their limits; `what` says in which."""
    return E803(
        f"the {subject} is not what Definition B.3 gives: `{text}` jumps {what}",
        span,
        "not continuous at the limits of its parameters, with positive probability",
        notes=(
            "the definition takes the value at the jump itself, where finite widths are on either side of it; "
            "no version of the Master Theorem covers this (Assumption B.8)",
        ),
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


def no_kernel(kernel: str, network: str, why: object, span: Span | None, unknown: bool, beyond: bool) -> Diagnostic:
    """An expectation of a kernel does not exist, or is `unknown` because no rule gave it."""
    return (E804 if unknown else E801)(
        f"the {kernel} of `{network}` {'could not be computed' if unknown else 'does not exist'}: {why}",
        span,
        "the readout is taken of this",
        notes=(
            "a kernel is a sum of products of expectations (Eqs. 97–100), and one of them "
            + ("was not found" if unknown else "diverges"),
            *(BEYOND_DOUBLES,) * beyond,
        ),
    )


def out_of_time(what: str, span: Span | None = None, interrupted: bool = False) -> Diagnostic:
    """The time was over before anything was known of `what`, or an interrupt came."""
    return E804(
        f"{what} could not be computed: {'it was interrupted' if interrupted else 'the time was over'}",
        span,
        notes=("this does not say that there is none",),
        hint="" if interrupted else "give more time with `--budget SECONDS`",
    )


def entries_missing(network: str, missing: Mapping[str, tuple[int, int]], interrupted: bool) -> Diagnostic:
    """The time was over before all entries of kernels were known; `missing` has how many, and of how many."""
    listed = " and ".join(f"{count} of the {of} entries of the {name}" for name, (count, of) in missing.items())
    return out_of_time(f"{listed} of `{network}`", None, interrupted)


def tiles_missing(network: str, missing: int, tiles: int) -> Diagnostic:
    """The time was over before all tiles of kernels in files were written."""
    told = out_of_time(f"{missing} of the {tiles} tiles of the kernels of `{network}`")
    return replace(told, hint="the others are in the files, and `--resume` goes on with more `--budget SECONDS`")


def not_computed(name: str, why: str, purpose: str, span: Span | None, no_run: str = "") -> Diagnostic:
    """No rule gave a number for an expectation, which may be infinite."""
    return E804(
        f"the limit of `{name}` could not be computed: {why}",
        span,
        f"{purpose} was not found",
        notes=("this does not say that there is no limit", *((no_run,) if no_run else ())),
    )


def scalar_out_of_range(name: str, span: Span | None, text: str, where: str) -> Diagnostic:
    """A MOMENT of no vector is too large for a float."""
    return E804(
        f"the limit of `{name}` could not be computed: `{text}` is out of the range of "
        f"floating-point numbers at {where}",
        span,
        "too large a number",
        notes=("this does not say that there is no limit", BEYOND_DOUBLES),
    )

"""What is said of a scalar of a program that has no limit, or whose limit was not found."""

from __future__ import annotations

from netsor.diagnostics import Diagnostic, NetsorError, Span
from netsor.gaussian import NotTaken, Undefined, Unsettled


def diverges(name: str, span: Span | None, purpose: str, why: Exception) -> Diagnostic:
    """The diagnostic for an expectation that is infinite, does not exist, or was not found."""
    if isinstance(why, (Unsettled, NotTaken)):
        return Diagnostic(
            "E804",
            f"the limit of `{name}` could not be computed: {why}",
            span,
            label=f"{purpose} was not found",
            notes=("this does not say that there is no limit",),
        )
    if isinstance(why, Undefined):
        return Diagnostic(
            "E802",
            f"the limit of `{name}` does not exist: {why}",
            span,
            label=f"{purpose} has no value",
            notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
        )
    return Diagnostic(
        "E801",
        f"the limit of `{name}` does not exist: {why}",
        span,
        label=f"{purpose} has no finite value",
        notes=("a limit is an expectation over Gaussian variables (Def. B.3), and this one diverges",),
    )


# What is shown where there is no value; only E804 leaves it open whether a limit exists.
MISSING = {"none": "does not exist", "unknown": "not computed"}


def method_without_value(fault: NetsorError) -> str:
    """A key of `MISSING`: "unknown" where only the number could not be found (E804), "none" where there is no limit."""
    return "unknown" if all(d.code == "E804" for d in fault.diagnostics) else "none"

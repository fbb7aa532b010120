"""What is said of a scalar of a program that has no limit, or whose limit was not found."""

from __future__ import annotations

from netsor.diagnostics import Diagnostic, NetsorError, Span
from netsor.diagnostics.catalogue import limits
from netsor.gaussian import NotTaken, OutOfRange, SingularSums, Undefined, Unsettled


def diverges(name: str, span: Span | None, purpose: str, why: Exception) -> Diagnostic:
    """The diagnostic for an expectation that is infinite, does not exist, or was not found."""
    if isinstance(why, (Unsettled, NotTaken)):
        beyond = limits.BEYOND_DOUBLES if isinstance(why, OutOfRange) else ""
        no_run = limits.MAY_BE_INFINITE if isinstance(why, SingularSums) else beyond
        return limits.not_computed(name, str(why), purpose, span, no_run)
    if isinstance(why, Undefined):
        return limits.function_without_value(name, str(why), purpose, span)
    return limits.no_expectation(name, str(why), purpose, span)


# What is shown where there is no value; only E804 leaves it open whether a limit exists.
MISSING = {"none": "does not exist", "unknown": "not computed"}


def method_without_value(fault: NetsorError) -> str:
    """A key of `MISSING`: "unknown" where only the number could not be found (E804), "none" where there is no limit."""
    return "unknown" if all(d.code == "E804" for d in fault.diagnostics) else "none"

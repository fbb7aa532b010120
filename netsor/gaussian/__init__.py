"""Gaussian expectations: an integrand and a law give a value, an error and a method. Independent of programs."""

from typing import Any

from netsor.gaussian.law import Estimate, Law
from netsor.gaussian.law.fixed import FixedLaw
from netsor.gaussian.problem import (
    Divergent,
    Expectation,
    NoNumber,
    NoPointwiseMeaning,
    NotTaken,
    OutOfRange,
    Part,
    Settings,
    SingularSums,
    Undefined,
    Unsettled,
)

__all__ = [
    "Divergent",
    "Estimate",
    "Expectation",
    "FixedLaw",
    "Law",
    "NoNumber",
    "NoPointwiseMeaning",
    "NotTaken",
    "OutOfRange",
    "Part",
    "Settings",
    "SingularSums",
    "Undefined",
    "Unsettled",
    "expect",
    "expect_many",
    "vanishes",
]


def __getattr__(name: str) -> Any:
    # The numerical modules need numpy, which callers that only use `Law` or the exceptions do not import.
    if name in ("expect", "expect_many"):
        from netsor.gaussian import expectation
        from netsor.gaussian.vectorized import many

        return expectation.expect if name == "expect" else many.expect_many
    if name == "vanishes":
        from netsor.gaussian.symbolic.independence import vanishes

        return vanishes
    raise AttributeError(name)

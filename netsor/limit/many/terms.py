"""Sums of products of steps, and the records of the expectations in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from netsor.limit.many.frames import Step


class Term(NamedTuple):
    """number · Π steps."""

    number: float
    factors: tuple[Step, ...]


@dataclass
class Taken:
    """A record of one expectation for many inputs or pairs: the text of the integrand, its domain ("input", "pair of
    inputs" or "all"), the number of values that each method gave, and the largest error.
    """

    integrand: str
    over: str
    ways: dict[str, int] = field(default_factory=dict)
    error: float = 0.0

"""Sums of products of steps, and what is recorded of the expectations among them."""

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
    """One expectation that was taken for many inputs or pairs: the integrand as a person writes it, and what it was
    over ("input", "pair of inputs" or "all"), how many were found by which way, and their largest error."""

    integrand: str
    over: str
    ways: dict[str, int] = field(default_factory=dict)
    error: float = 0.0

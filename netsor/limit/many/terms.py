"""Sums of products of steps."""

from __future__ import annotations

from typing import NamedTuple

from netsor.limit.many.frames import Step


class Term(NamedTuple):
    """number · Π steps."""

    number: float
    factors: tuple[Step, ...]

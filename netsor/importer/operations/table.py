"""The table of operations, to which each file of this folder adds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from netsor.importer.translate import Rule

F = TypeVar("F", bound=Rule)

RULES: dict[str, Rule] = {}
# The numbers of one-hot rows, for tokens of an input: more than any vocabulary has.
ONE_HOT = 10_000_000
INFINITE = 1e30  # masks are −∞, or the most negative number of a type


def rule(*names: str) -> Callable[[F], F]:
    def register(f: F) -> F:
        for name in names:
            RULES[name] = f
        return f

    return register

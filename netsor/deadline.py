"""The moment at which a computation with a budget ends, whatever it is doing.

The rules of quadrature know the time that they have, and return what they found in it. What has no partial result, such
as writing down the Z's of a long program, ends by TimeOver.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

# What is being computed may take this many seconds beyond one and a half times the budget: enough for a rough value
# of each of some dozens of expectations.
GRACE = 0.9


class _End(NamedTuple):
    """An end by the clock on the wall, and one by that of this thread alone, which stands still while others run."""

    wall: float
    own: float


_NEVER = _End(math.inf, math.inf)
_end: ContextVar[_End] = ContextVar("end", default=_NEVER)


class TimeOver(Exception):
    """The time of a budget and what it may be overrun by are over; nothing is said of what was being computed."""

    def __init__(self) -> None:
        super().__init__("the time was over")


def now() -> float:
    """Seconds on the clock that all budgets are measured by."""
    return time.monotonic()


def own() -> float:
    """Seconds that this thread has computed."""
    return time.thread_time()


@contextmanager
def limited(budget: float | None) -> Iterator[None]:
    """A block that ends by TimeOver 1.5 `budget` + GRACE seconds from now, or when the block around it does.

    Both clocks must say so: on a busy machine a value of everything is worth more than the last second.
    """
    before = _end.get()
    mine = before
    if budget is not None:
        seconds = 1.5 * max(budget, 0.0) + GRACE
        mine = _End(min(now() + seconds, before.wall), min(own() + seconds, before.own))
    token = _end.set(mine)
    try:
        yield
    finally:
        _end.reset(token)


def is_over() -> bool:
    """Whether the block that this is called in should have ended."""
    end = _end.get()
    return end.wall < math.inf and now() > end.wall and own() > end.own


def verify_time() -> None:
    """Raise TimeOver where the block that this is called in should have ended."""
    if is_over():
        raise TimeOver

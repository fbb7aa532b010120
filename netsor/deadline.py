"""The moment at which a computation with a budget ends, whatever it is doing.

The rules of quadrature know the time that they have, and return what they found in it. What has no partial result, such
as writing down the Z's of a long program, ends by TimeOver. An interrupt ends both in the same way: it puts the clock
of the budgets forward.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

# What is being computed may take this many seconds beyond one and a half times the budget: enough for a rough value
# of each of some dozens of expectations, and a quarter of a second less than a command may take to tell what is known.
GRACE = 0.75
# After an interrupt a rough value of everything is worth these seconds; who has no use for it interrupts again.
_LAST = 3.0
# It puts the clock forward by so many seconds, which no budget has.
_FORWARD = 1e12


@dataclass
class End:
    """When blocks end, by the clock on the wall; `computed` is what this thread had computed at the budget's end.

    Before `wall` a block does not end, and after it as soon as this thread has computed for GRACE seconds. `most` is
    what it can have computed by the budget's end at most, for what does not ask for the time until long after.
    """

    budget: float
    wall: float
    most: float
    around: End | None
    computed: float | None = None
    beyond: float = 0.0

    def is_over(self) -> bool:
        at = now()
        if at > self.budget and self.computed is None:
            self.computed = min(own(), self.most)
        if at > self.wall and self.computed is not None:
            # The thread's own time takes longer to ask for, and goes no faster than the clock on the wall.
            left = GRACE + self.beyond - (own() - self.computed)
            if left < 0:
                return True
            self.wall = at + left
        return self.around is not None and self.around.is_over()


_end: ContextVar[End | None] = ContextVar("end", default=None)
# The end that an interrupt asked for, of all threads.
_stop: End | None = None


class TimeOver(Exception):
    """The time of a budget and what it may be overrun by are over; nothing is said of what was being computed."""

    def __init__(self) -> None:
        super().__init__("the time was over")


def now() -> float:
    """Seconds on the clock that all budgets are measured by."""
    return time.monotonic() + (0.0 if _stop is None else _FORWARD)


def elapsed() -> float:
    """Seconds on a clock that nothing puts forward, for times that are only told."""
    return time.monotonic()


def own() -> float:
    """Seconds that this thread has computed."""
    return time.thread_time()


def ends(budget: float | None) -> End:
    """An end 1.5 `budget` + GRACE seconds from now, or when the block around it ends; without a budget only then.

    After the budget this thread has computed for GRACE seconds before it ends: on a busy machine a value of everything
    is worth more than the last second.
    """
    start, seconds = now(), math.inf if budget is None else max(budget, 0.0)
    return End(start + seconds, start + 1.5 * seconds + GRACE, own() + seconds, _end.get())


@contextmanager
def until(end: End | None) -> Iterator[None]:
    """A block that ends by TimeOver at `end`, as others before and after it may; with None it has no end."""
    token = _end.set(end)
    try:
        yield
    finally:
        _end.reset(token)


def limited(budget: float | None) -> AbstractContextManager[None]:
    """A block that has a budget of its own, see `ends`."""
    return until(ends(budget))


def is_over() -> bool:
    """Whether the block that this is called in should have ended."""
    end = _end.get() if _stop is None else _stop
    return end is not None and end.is_over()


def stop() -> bool:
    """End the time of every budget, and of what has none, until `resume`; False where no block is `limited`."""
    global _stop
    if _end.get() is None:
        return False
    if _stop is None:
        _stop = End(-math.inf, -math.inf, math.inf, None, own(), _LAST - GRACE)
    return True


def is_stopped() -> bool:
    """Whether an interrupt ended the time."""
    return _stop is not None


def resume() -> None:
    """Take back a `stop`."""
    global _stop
    _stop = None


def verify_time() -> None:
    """Raise TimeOver where the block that this is called in should have ended."""
    if is_over():
        raise TimeOver

"""Limits inside limits without a deep stack: what is too deep is done first, from the outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")

# So deep may limits stand inside limits before what is missing is put on the list.
_MOST = 24


class _Postponed(BaseException):
    """Raised from a chain that is too deep, with the work that is to be done first; no error, so nothing catches it."""

    def __init__(self, owner: WorkList, work: Callable[[], object]):
        self.owner = owner
        self.work = work


class WorkList:
    """Does work that may need other work first, however long the chain of these is.

    Work keeps its own result (see `kept`), because work that was left for want of another is begun again, and finds
    the other's result then.
    """

    def __init__(self) -> None:
        self._depth = 0

    def do(self, work: Callable[[], T]) -> T:
        if self._depth >= _MOST:
            raise _Postponed(self, work)
        self._depth += 1
        try:
            return work() if self._depth > 1 else self._all(work)
        finally:
            self._depth -= 1

    def _all(self, work: Callable[[], T]) -> T:
        """The outermost work, and before it all that turns out to be needed first."""
        pending: list[Callable[[], object]] = [work]
        while True:
            try:
                done = pending[-1]()
            except _Postponed as first:
                if first.owner is not self:
                    raise
                pending.append(first.work)
                continue
            pending.pop()
            if not pending:
                return done  # type: ignore[return-value]


def kept(table: dict[K, T], key: K, value: T) -> T:
    table[key] = value
    return value

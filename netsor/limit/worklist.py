"""Nested limits without deep recursion: a computation that is nested too deeply is postponed and done first."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TypeVar

from netsor.deadline import verify_time

T = TypeVar("T")
K = TypeVar("K")

# The depth of nesting at which a computation is put on the list.
_MOST = 24


class _Postponed(BaseException):
    """Raised where nesting is too deep, with the work to do first; no `except Exception` catches it."""

    def __init__(self, owner: WorkList, work: Callable[[], object]):
        self.owner = owner
        self.work = work


class WorkList:
    """Does work that may need other work first, however long the chain of dependencies is.

    Each piece of work stores its own result (see `kept`): interrupted work is started again, and then finds the result
    of the other. Raises TimeOver at the end of the time of `netsor.deadline`.
    """

    def __init__(self) -> None:
        self._depth = 0

    def do(self, work: Callable[[], T]) -> T:
        verify_time()
        if self._depth >= _MOST:
            raise _Postponed(self, work)
        self._depth += 1
        try:
            return work() if self._depth > 1 else self._all(work)
        finally:
            self._depth -= 1

    def _all(self, work: Callable[[], T]) -> T:
        """Do the outermost work, and before it whatever turns out to be needed first."""
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


def from_below(root: K, below: Callable[[K], Iterable[K]], known: Container[K]) -> list[K]:
    """`root` and what it rests on, as far as it is not known: each after all that `below` gives for it.

    A chain that is worked off in this order needs neither recursion nor a work list.
    """
    out: list[K] = []
    seen: set[K] = set()
    stack: list[tuple[K, bool]] = [(root, False)]
    while stack:
        key, done = stack.pop()
        if done:
            out.append(key)
        elif key not in seen and key not in known:
            seen.add(key)
            stack.append((key, True))
            stack += [(k, False) for k in below(key) if k not in known]
    return out


def kept(table: dict[K, T], key: K, value: T) -> T:
    table[key] = value
    return value

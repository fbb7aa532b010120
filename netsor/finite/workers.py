"""Threads that share numbered tasks; the result of a task does not depend on the thread that runs it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Self

from netsor.finite.spare import Spare


def cores() -> int:
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class Cancelled(Exception):
    """Raised in a worker whose run was interrupted."""


class Workers:
    """A pool of threads for use in a `with`; leaving it by an exception cancels the tasks that have not begun.

    `spare` are the arrays of the run that it is for.
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads or cores()
        self.spare = Spare()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(self.threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check(self) -> None:
        """Raise Cancelled if the run was interrupted."""
        if self._stop.is_set():
            raise Cancelled

    def each(self, count: int, task: Callable[[int], None]) -> None:
        """Call `task(i)` for 0 ≤ i < count on the threads, or in this thread if there is one task or one thread."""
        if count == 1 or self.threads == 1:
            for i in range(count):
                self.check()
                task(i)
            return
        numbers = itertools.count()

        def loop() -> None:
            # `next` on a count is atomic, and a thread that is delayed leaves more of the tasks to the others.
            for i in iter(lambda: next(numbers), -1):
                if i >= count:
                    return
                self.check()
                task(i)

        futures = [self._pool.submit(loop) for _ in range(min(count, self.threads))]
        try:
            for f in futures:
                f.result()
        except BaseException:
            self._stop.set()
            raise

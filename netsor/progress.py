"""How far a long computation is, told in levels: part 2 of 4, stage 5 of 60, law 3 of 45."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
# Is called with words, or with the share that is done and words.
Progress = Callable[..., None]
# Seconds between two calls, so that telling takes no time beside the work.
_PAUSE = 0.1


class Counts:
    """Tells a `progress` what is being done; the outermost loop of each level counts."""

    def __init__(self, progress: Progress | None = None):
        self._progress = progress
        self._at: dict[str, tuple[int, int]] = {}
        self._told = 0.0

    def count(self, what: str, items: Sequence[T]) -> Iterator[T]:
        """The items one after the other, each told as `what` k of N."""
        if self._progress is None or what in self._at or len(items) < 2:
            yield from items
            return
        try:
            for k, item in enumerate(items):
                self._at[what] = k, len(items)
                self._tell()
                yield item
        finally:
            del self._at[what]

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress is None or now - self._told < _PAUSE:
            return
        self._told = now
        said: list[Any] = [f"{what} {k + 1} of {n}" for what, (k, n) in self._at.items()]
        done, parts = self._at.get("part", (0, 1))
        # Parts are alike; of stages and laws the last may take longer than all before.
        self._progress(*([done / parts] if done else []), *said)

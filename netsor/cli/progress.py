"""A line on standard error that says how far a long command is."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from typing import Any


class Progress:
    """A line on standard error for work that takes long, where that is a terminal.

    It says what is computed and for how long; where the share that is done is known also the time left, and else, with
    a `budget` in seconds, the time left at most.
    """

    def __init__(self, title: str, budget: float | None = None) -> None:
        self.title = title
        self.budget = math.inf if budget is None else budget
        self.start = time.monotonic()
        self._status: Any = None
        self._said: tuple[Any, ...] = ()

    def __enter__(self) -> Progress:
        return self

    def __call__(self, *said: Any) -> None:
        self._said = said
        if self._status is None and sys.stderr.isatty() and time.monotonic() - self.start >= 0.7:
            from rich.console import Console

            # The line is this object, so that its clock goes on between two calls.
            self._status = Console(stderr=True).status(self)
            self._status.start()

    def text(self) -> str:
        """The line as it stands now."""
        elapsed = time.monotonic() - self.start
        share = self._said[0] if self._said and isinstance(self._said[0], float) else 0.0
        said = [str(part) for part in self._said if not isinstance(part, float)]
        said += [f"{share:.0%}"] if share > 0 else []
        times = [span(elapsed)]
        if share > 0:
            times.append(f"about {span(elapsed * (1 - share) / share)} left")
        elif math.isfinite(self.budget):
            # A command may take so much longer than its budget, see `netsor.deadline`.
            times.append(f"at most {span(max(1.5 * self.budget + 1 - elapsed, 0))} left")
        return f"{self.title}: {', '.join(said)} ({', '.join(times)})"

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.text import Text

        yield Text(self.text())

    def __exit__(self, *exc: object) -> None:
        if self._status is not None:
            self._status.stop()


def span(seconds: float) -> str:
    """A time as minutes and seconds, or as hours and minutes."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 90:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

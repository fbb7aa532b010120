"""The time that a command has for its limits, which begins when the command does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netsor.deadline import End, TimeOver, until
from netsor.diagnostics import NetsorError


@contextmanager
def within(end: End | None, what: str) -> Iterator[None]:
    """A block that ends at `end`; raises NetsorError (E804) where `what` was cut short, and nothing of it is known."""
    try:
        with until(end):
            yield
    except TimeOver:
        from netsor.diagnostics.catalogue.limits import out_of_time

        raise NetsorError(out_of_time(what)) from None

"""Garbage collection while a limit is written: what is made is kept, and cycles are searched for in vain."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made before the youngest are searched, and searches of a generation before the next one is.
_PATIENT = (100_000, 50, 100)


@contextmanager
def rarely_collected() -> Iterator[None]:
    """A block in which cycles are searched for rarely; expressions have none, and are freed by their counts."""
    before = gc.get_threshold()
    if 0 < before[0] < _PATIENT[0]:
        gc.set_threshold(*_PATIENT)
    try:
        yield
    finally:
        gc.set_threshold(*before)

"""Arrays of numbers that come from outside, as nested tuples of floats."""

from __future__ import annotations

from typing import Any

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import declarations

Values = float | tuple[Any, ...]
Shape = tuple[int, ...]

# Levels of lists; arrays of numpy had no more for long.
DEEPEST = 32


class NotNumbers(ValueError):
    """Why something is not an array of numbers."""


def nested(value: Any, name: str, depth: int = 0) -> tuple[Values, Shape]:
    """Nested lists (or tuples, or arrays) as nested tuples of floats, and their shape.

    Raises NotNumbers, or NetsorError (E403) where rows have different lengths or there is no number at all.
    """
    if hasattr(value, "tolist"):
        shape = getattr(value, "shape", ())
        # Two billion rows of nothing are no bytes in an array, and sixteen gigabytes as lists.
        if 0 in shape:
            raise no_numbers(name, tuple(shape))
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if depth == DEEPEST:
            raise NotNumbers(f"its lists are nested more than {DEEPEST} levels deep")
        parts = [nested(v, name, depth + 1) for v in value]
        shapes = {shape for _, shape in parts}
        if len(shapes) > 1:
            raise ragged(name)
        if not parts:
            raise no_numbers(name, (0,))
        return tuple(v for v, _ in parts), (len(parts), *shapes.pop())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotNumbers(f"{shortened(repr(value))} is not a number")
    try:
        return float(value), ()
    except OverflowError:
        raise NotNumbers("a number in it is beyond 1.8e308, the largest number") from None


def as_tuples(value: Any) -> Values:
    """Nested lists of floats as nested tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def ragged(name: str, line: int | None = None) -> NetsorError:
    """The error for rows of different lengths; `line` of a file is the first that differs."""
    return NetsorError(declarations.rows_of_different_lengths(name, line))


def no_numbers(name: str, shape: Shape) -> NetsorError:
    return NetsorError(declarations.no_entries(name, shape))


def shortened(text: str, most: int = 60) -> str:
    """A text from outside in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"

"""A line with one wrong character or bracket: the hint becomes the line as it would be accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsor.diagnostics.data import Diagnostic, replacement
from netsor.syntax.mistakes.habit import end_of
from netsor.syntax.tokens import Line

_LONGEST = 100  # characters of a line that is shown as a whole


def mended(line: Line, start: str, accepts: Callable[[str, str], bool]) -> list[Diagnostic]:
    """The faults of a line; of a single one the hint is the whole line, where an edit of that place is enough."""
    if len(line.faults) != 1:
        return line.faults
    (fault,) = line.faults
    text = line.source.text[line.start : end_of(line)]
    if fault.span is None or len(text) > _LONGEST or "\n" in text:
        return line.faults
    low, high = fault.span.start - line.start, fault.span.end - line.start
    offered = fault.edits[0] if fault.edits else None
    new = offered.text if offered else ""
    for edited in (
        # A bracket is closed at the end, or before what stands behind it; another is left out or exchanged.
        [text[:i] + new + text[i:] for i in range(len(text), high, -1)]
        if fault.code == "E105"
        else [text[:low] + new + text[high:], text[:low] + " " + text[high:]]
    ):
        if accepts(edited, start):
            edit = replacement(line.source, line.start, line.start + len(text), edited, bool(offered and offered.safe))
            return [replace(fault, hint=f"write `{edited.strip()}`", edits=(edit,))]
    return line.faults

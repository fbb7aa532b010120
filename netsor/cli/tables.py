"""Tables that fit the terminal: cells are wrapped at spaces, and where that does not do, each row is a list."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netsor.cli.output import terminal_width
from netsor.diagnostics.columns import text_width, wrapped

# Between columns; the narrow one where the wide one takes too much room.
_GAPS = ("   ", "  ")


def pad(text: str, width: int, right: bool = False) -> str:
    """The text filled up to `width` columns."""
    fill = " " * max(0, width - text_width(text))
    return fill + text if right else text + fill


def table(
    rows: Sequence[Sequence[str]],
    indent: str = "  ",
    right: Sequence[bool] = (),
    width: int | None = None,
    optional: int | None = None,
) -> str:
    """Rows of cells in aligned columns; the first row is the heading.

    No line is longer than `width`, by default the terminal's, unless a single word is. The column `optional` is left
    out where the others would not fit beside it.
    """
    if not rows:
        return ""
    room = (terminal_width(sys.stdout) if width is None else width) - len(indent)
    flags = [right[i] if i < len(right) else False for i in range(len(rows[0]))]
    found = _fitting(rows, room)
    if found is None and optional is not None:
        rows = [[c for i, c in enumerate(row) if i != optional] for row in rows]
        flags.pop(optional)
        found = _fitting(rows, room)
    if found is None:
        return "\n".join(_listed(rows[0], row, indent, room) for row in rows[1:])
    widths, gap = found
    lines = []
    for row in rows:
        cells = [wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, cells))):
            parts = (pad(c[k] if k < len(c) else "", w, r) for c, w, r in zip(cells, widths, flags, strict=True))
            lines.append((indent + gap.join(parts)).rstrip())
    return "\n".join(lines)


def _fitting(rows: Sequence[Sequence[str]], room: int) -> tuple[list[int], str] | None:
    """Widths of columns, and the gap between them, that take at most `room`; None where no wrapping of cells helps."""
    columns = [[row[i] for row in rows] for i in range(len(rows[0]))]
    widths = [max(map(text_width, column)) for column in columns]
    for gap in _GAPS:
        if sum(widths) + len(gap) * (len(widths) - 1) <= room:
            return widths, gap
    room -= len(_GAPS[-1]) * (len(widths) - 1)
    least = [max((text_width(w) for cell in column for w in cell.split()), default=0) for column in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        # What is cut off is taken from the widest column that can still be wrapped.
        k = max((k for k in range(len(widths)) if widths[k] > least[k]), key=lambda k: widths[k])
        widths[k] -= 1
    return widths, _GAPS[-1]


def paragraph(text: str, indent: str = "  ", hanging: str = "    ", width: int | None = None) -> str:
    """A sentence below a table, in lines that fit the terminal; the later ones stand further to the right."""
    room = terminal_width(sys.stdout) if width is None else width
    if text_width(indent + text) <= room:
        return indent + text
    first, *rest = wrapped(text, room - len(hanging))
    return "\n".join([indent + first, *(hanging + line for line in rest)])


def _listed(heading: Sequence[str], row: Sequence[str], indent: str, room: int) -> str:
    """A row as its first cell, and below it the others, each after its heading."""
    said = [(h, c) for h, c in zip(heading[1:], row[1:], strict=True) if c]
    first, gap = max((text_width(h) for h, _ in said), default=0), _GAPS[-1]
    lines = [f"{indent}{row[0]}".rstrip()]
    for h, c in said:
        # The value is beside its heading where both fit, else below it.
        beside = first + len(gap) + 2 + text_width(c) <= room
        lines += [f"{indent}  {pad(h, first)}{gap}{c}"] if beside else [f"{indent}  {h}", f"{indent}    {c}"]
    return "\n".join(lines)

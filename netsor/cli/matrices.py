"""Matrices of numbers in blocks of columns that fit the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netsor.cli.output import terminal_width
from netsor.cli.tables import pad
from netsor.diagnostics.columns import text_width

_GAP = "  "


def matrix(
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    indent: str = "  ",
    width: int | None = None,
    last: Sequence[str] = (),
) -> str:
    """Rows with their labels under the names of the columns, as many columns at a time as the width has room for.

    Points of decimals stand below each other. `last` is a column, its name first, that ends every block.
    """
    room = (terminal_width(sys.stdout) if width is None else width) - len(indent)
    labels = [corner, *(label for label, _ in rows)]
    first = max(map(text_width, labels))
    cells = [[name, *aligned([row[k] for _, row in rows])] for k, name in enumerate(columns)]
    closing = [[last[0], *aligned(last[1:])]] if last else []
    room -= first + sum(_width(c) + len(_GAP) for c in closing)
    blocks: list[list[list[str]]] = [[]]
    taken = 0
    for column in cells:
        wide = _width(column) + len(_GAP)
        if blocks[-1] and taken + wide > room:
            blocks.append([])
            taken = 0
        blocks[-1].append(column)
        taken += wide
    out = []
    for block in blocks:
        shown = [*block, *closing]
        for k, label in enumerate(labels):
            line = [pad(label, first, True), *(pad(c[k], _width(c), True) for c in shown)]
            out.append((indent + _GAP.join(line)).rstrip())
    return "\n".join(out)


def aligned(numbers: Sequence[str]) -> list[str]:
    """Numbers filled up behind, so that their points stand below each other where they are written right-justified."""
    tails = [text_width(x) - x.find(".") if "." in x and "e" not in x else 0 for x in numbers]
    most = max(tails, default=0)
    return [x + " " * (most - t) if t else x for x, t in zip(numbers, tails, strict=True)]


def _width(column: Sequence[str]) -> int:
    return max(map(text_width, column))

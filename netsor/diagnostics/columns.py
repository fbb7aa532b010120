"""Characters and terminal columns: marks take none, wide characters two, control characters are made visible."""

from __future__ import annotations

import unicodedata

_TAB = 4


def width(character: str) -> int:
    """The columns that a printable character takes."""
    if character.isascii():
        return 1
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def text_width(text: str) -> int:
    """The columns that a text takes."""
    return len(text) if text.isascii() else sum(map(width, text))


def visible(line: str) -> list[tuple[str, int]]:
    """For each character of a line what is shown for it, and the columns that this takes."""
    shown: list[tuple[str, int]] = []
    column = 0
    for character in line:
        category = unicodedata.category(character)
        if character == "\t":
            size = _TAB - column % _TAB
            shown.append((" " * size, size))
        elif category == "Cc":
            picture = chr(0x2400 + ord(character)) if ord(character) < 32 else "�"
            shown.append((picture, 1))
        elif category in ("Cs", "Cf", "Zl", "Zp", "Cn", "Co"):
            shown.append(("�", 1))
        else:
            shown.append((character, width(character)))
        column += shown[-1][1]
    return shown

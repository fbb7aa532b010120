"""Characters and terminal columns: marks take none, wide characters two, control characters are made visible."""

from __future__ import annotations

import re
import unicodedata

_TAB = 4
# Spaces that may not be broken are parts of words.
_WORD = re.compile(r"[^ \t\n]+")


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


def wrapped(text: str, width: int, hanging: int = 0) -> list[str]:
    """The words of a text in lines of at most `width` columns; a longer word has a line of its own.

    All lines but the first are `hanging` columns shorter.
    """
    if text_width(text) <= width:
        return [text]
    lines: list[str] = []
    for word in _WORD.findall(text):
        room = width - hanging * (len(lines) > 1)
        if lines and text_width(lines[-1]) + 1 + text_width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


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

"""Breaking formulas where a reader would: between terms first, then between factors, inside brackets last."""

from __future__ import annotations

import re

from netsor.diagnostics.columns import text_width

_OPEN, _CLOSE = "([{", ")]}"


def pieces(text: str) -> list[str]:
    """The text cut at its spaces outside brackets; a sign stays with what follows it."""
    out: list[str] = []
    depth = start = 0
    for i, c in enumerate(text):
        if c in _OPEN:
            depth += 1
        elif c in _CLOSE:
            depth -= 1
        elif c == " " and depth == 0:
            out.append(text[start:i])
            start = i + 1
    out.append(text[start:])
    merged: list[str] = []
    for p in out:
        if merged and merged[-1] in ("+", "−", "=", "/", "E", "≤", "≥", "<", ">"):
            merged[-1] += " " + p
        else:
            merged.append(p)
    return merged


def folded(text: str, width: int, indent: str) -> list[str]:
    """The text in rows of at most `width` columns where it can be broken; later rows are indented further."""
    if text_width(text) <= width:
        return [text]
    rows: list[str] = []
    room = width - text_width(indent)
    head = text[: len(text) - len(text.lstrip())]
    row = head
    for term in _terms(pieces(text.lstrip())):
        whole = " ".join(term)
        # A term that fits on a row of its own is not torn apart.
        for p in [whole] if text_width(whole) <= room else [q for word in term for q in _torn(word, room)]:
            if row.strip() and text_width(row) + 1 + text_width(p) > width:
                rows.append(row)
                row = indent + p
            else:
                row = row + (" " if row.strip() else "") + p
    rows.append(row)
    return rows


def _torn(word: str, room: int) -> list[str]:
    """What is too wide in pieces that fit: a matrix between its rows, a list between entries, a sum at its signs."""
    if text_width(word) <= room or " " not in word:
        return [word]
    rows = re.split(r"(?<=\],) (?=\[)", word)
    inside = "(?<=,) " if ", " in word else " (?=[+−] )" if re.search(" [+−] ", word) else " "
    out: list[str] = []
    for p in rows if len(rows) > 1 else re.split(inside, word):
        if out and len(rows) == 1 and text_width(out[-1]) + 1 + text_width(p) <= room:
            out[-1] += " " + p
        else:
            out.append(p)
    return [q for p in out for q in _torn(p, room)]


def _terms(words: list[str]) -> list[list[str]]:
    out: list[list[str]] = []
    for p in words:
        if not out or p.startswith(("+", "−")):
            out.append([])
        out[-1].append(p)
    return out

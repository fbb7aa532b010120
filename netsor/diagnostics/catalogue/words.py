"""Pieces of messages, and edits that several of them offer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

from netsor.diagnostics.data import Edit, Span

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_ABOVE = re.compile(r"\s*\^\s*(?:\{\s*\(?([\w+\- ]+?)\)?\s*\}|\(\s*([\w+\- ]+?)\s*\)|(\d+|[a-z](?!\w)))|([⁰¹²³⁴-⁹]+)")
_TRANSPOSED = re.compile(r"(.*\S)\s*(?:ᵀ|⊤|\^\s*T)", re.S)
_LONGEST = 100


# --- words ----------------------------------------------------------------------------------------------------------


def said(edit: Edit) -> str:
    """The text of an edit as a help line has it, line by line; a long line is cut."""
    lines = [" ".join(line.split()) for line in edit.text.strip().split("\n")]
    return ", then ".join(f"`{line if len(line) <= _LONGEST else line[: _LONGEST - 1] + '…'}`" for line in lines)


def plural(count: int, noun: str, nouns: str = "") -> str:
    return f"one {noun}" if count == 1 else f"{count} {nouns or noun + 's'}"


def whole(n: int) -> str:
    """A whole number for a message: 1,024, or 1e30 where it has more than 15 digits."""
    if abs(n) < 10**15:
        return f"{n:,}"
    digits = f"{Decimal(n):.2e}"
    mantissa, _, exponent = digits.partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "…"


def shape_text(shape: Sequence[int]) -> str:
    return "()" if not shape else "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def letter_name(c: str) -> str:
    return f"{unicodedata.name(c, 'a letter').lower()} (U+{ord(c):04X})"


# --- expressions as text --------------------------------------------------------------------------------------------


def bracketed(text: str) -> str:
    """A piece of text that can follow a matrix or stand in a product as it is."""
    return text if _is_enclosed(text) or not any(c in text for c in " +-−*/⊙·") else f"({text})"


def untransposed(text: str) -> str:
    """x for xᵀ; a text that ends in no transpose as it is."""
    found = _TRANSPOSED.fullmatch(text)
    return found[1] if found else text


def _is_enclosed(text: str) -> bool:
    """Whether a bracket opens at the beginning of a text and closes at its end."""
    if not text.startswith("(") or not text.endswith(")"):
        return False
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if not depth:
            return i == len(text) - 1
    return False


def inside(span: Span) -> Span:
    """What stands within the round brackets that enclose an expression; the same where there are none."""
    while _is_enclosed(span.text):
        text = span.text[1:-1]
        start = span.start + 1 + len(text) - len(text.lstrip())
        span = Span(span.source, start, start + len(text.strip()))
    return span


def superscript(span: Span) -> tuple[Span, str]:
    """What is underlined with the superscript behind it, x^1 or x^{(1)}, and that index; '' where there is none."""
    found = _ABOVE.match(span.source.text, span.end)
    if found is None:
        return span, ""
    index = next(g for g in found.groups() if g is not None).translate(_RAISED)
    return Span(span.source, span.start, found.end()), "".join(index.split())


def divided_by_n(span: Span) -> bool:
    """Whether a division by n follows, or by its root as in a readout."""
    behind = span.source.text[span.end : span.end + 40]
    return re.match(r"\s*/\s*(?:n\b(?!\s*\^)|√\s*\(?\s*n\b|sqrt\s*\(?\s*n\b)", behind) is not None


# --- places ---------------------------------------------------------------------------------------------------------


def line_above(span: Span, text: str) -> Edit:
    """A line before the statement, at the left margin, that a place belongs to."""
    whole = span.source.text
    start = whole.rfind("\n", 0, span.start) + 1
    while start and whole[start : start + 1] in (" ", "\n", "#"):
        start = whole.rfind("\n", 0, start - 1) + 1
    return Edit(Span(span.source, start, start), f"{text}\n")


def moved_above(span: Span, other: Span) -> tuple[Edit, ...]:
    """The line of another place before the statement of this one, where it is a single line at the left margin."""
    text = span.source.text
    start, line = line_above(span, "").span.start, whole_line(other)
    opened = sum((c in "([⟨") - (c in ")]⟩") for c in line.text)
    if line.start < span.end or line.text[:1].isspace() or line.text.rstrip().endswith(":") or opened:
        return ()
    moved = line.text if line.text.endswith("\n") else f"{line.text}\n"
    return (Edit(Span(span.source, start, line.end), moved + text[start : line.start]),)


def whole_line(span: Span) -> Span:
    """A statement with its indentation and its line end."""
    text = span.source.text
    stop = text.find("\n", span.end)
    return Span(span.source, text.rfind("\n", 0, span.start) + 1, len(text) if stop < 0 else stop + 1)


def line_removed(span: Span) -> Edit:
    """The edit that removes the line of a statement."""
    return Edit(whole_line(span), "")

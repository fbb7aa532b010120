"""What the diagnostics of all ranges share: the exception that carries one, and pieces of text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.diagnostics import Diagnostic, Span

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_ABOVE = re.compile(
    r"\s*\^\s*(?:\{\s*\(?([\w+\- ]+?)\)?\s*\}|\(\s*([\w+\- ]+?)\s*\)|(\d+|[a-z](?!\w)))|([⁰¹²³⁴-⁹]+)"
)


class Fault(Exception):
    """Ends the checking of one line; without a diagnostic where the fault was reported before."""

    def __init__(self, diagnostic: Diagnostic | None):
        self.diagnostic = diagnostic


def plural(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "…"


def bracketed(text: str) -> str:
    """A piece of text that can follow a matrix or stand in a product as it is."""
    simple = all(c not in text for c in " +-−*/") or (text.startswith("(") and text.endswith(")"))
    return text if simple else f"({text})"


def superscript(span: Span) -> tuple[Span, str]:
    """What is underlined with the superscript behind it, x^1 or x^{(1)}, and that index; '' where there is none."""
    found = _ABOVE.match(span.source.text, span.end)
    if found is None:
        return span, ""
    index = next(g for g in found.groups() if g is not None).translate(_RAISED)
    return Span(span.source, span.start, found.end()), "".join(index.split())


def primed(name: str) -> str:
    return f"{name}2" if "[" not in name else name.replace("[", "2[", 1)


def shape_text(shape: Sequence[int]) -> str:
    return "()" if not shape else "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"

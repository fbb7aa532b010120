"""What the diagnostics of all ranges share: the exception that carries one, and pieces of text."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.diagnostics import Diagnostic


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


def primed(name: str) -> str:
    return f"{name}2" if "[" not in name else name.replace("[", "2[", 1)


def shape_text(shape: Sequence[int]) -> str:
    return "()" if not shape else "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"

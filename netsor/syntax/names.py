"""What a name is, and when two spellings of one are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters, digits, `_` and subscript digits, as Python's \w has them, but for the characters that end a name:
# superscript digits, ᵀ, and the letter-like marks that people type for a prime.
_ENDS = "²³¹⁰⁴-⁹ᵀʹʼʽˈ"
# The blocks of combining marks; marks of other scripts are found by their category, see `name_end`.
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
PATTERN = rf"[^\W\d₀-₉{_ENDS}](?:[^\W{_ENDS}]|[{_MARKS}])*"
_NAME = re.compile(PATTERN)

_SAME_LETTER = str.maketrans("ϕϵµ₀₁₂₃₄₅₆₇₈₉", "φεμ0123456789")

KEYWORDS = frozenset(
    [
        "program",
        "network",
        "param",
        "data",
        "scalar",
        "matrix",
        "vector",
        "train",
        "def",
        "return",
        "for",
        "in",
        "if",
        "then",
        "else",
        "and",
        "or",
        "not",
        "output",
    ]
)
RESERVED = frozenset({"n", "pi"})


@lru_cache(maxsize=4096)
def normalise(spelling: str) -> str:
    """The name as the program knows it: NFC, subscript digits as digits, ϕ as φ, ϵ as ε, µ as μ."""
    if spelling.isascii():
        return spelling
    return unicodedata.normalize("NFC", spelling).translate(_SAME_LETTER)


def name_end(text: str, start: int, end: int) -> int:
    """Where a name that `PATTERN` found in text[start:end] really ends: at `start` if it begins with no letter."""
    first = text[start]
    if not (first.isascii() or first.isalpha()):
        return start
    while end < len(text) and text[end] > "\u036f" and unicodedata.category(text[end]) in ("Mn", "Mc", "Me"):
        more = _NAME.match("a" + text[end + 1 : end + 256])
        end += more.end() if more else 1
    return end


def is_name(text: str) -> bool:
    """Whether a program could use this text as a name of its own."""
    found = _NAME.match(text)
    whole = found is not None and name_end(text, 0, found.end()) == len(text)
    return whole and text not in KEYWORDS and text not in RESERVED

"""Characters and operators that are not of the language, and what their writer meant."""

from __future__ import annotations

import unicodedata

# What looks or means like something of the language → how the language spells it.
_MEANT = {
    "∼": "~", "≔": ":=", "←": ":=", "×": "*", "∗": "*", "•": "*", "∙": "*", "÷": "/", "⁄": "/", "∕": "/",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "⁻": "-", "’": "'", "‘": "'", "´": "'", "`": "'",
    "ʹ": "'", "ʼ": "'", "ʽ": "'", "ˈ": "'", "“": "''", "”": "''", '"': "''", "\u2329": "⟨",
    "\u232a": "⟩", "\u3008": "⟨", "\u3009": "⟩", "《": "⟨", "》": "⟩", "{": "(", "}": ")", "…": "..",
    "‥": "..", "∆": "Δ", "ˆ": "^", "↑": "^", "⨀": "⊙", "☉": "⊙", "∘": "⊙", "⊗": "⊙", "≡": "==",
    "⩽": "<=", "⩾": ">=", "≦": "<=", "≧": ">=", "∧": "and", "∨": "or", "¬": "not", "∈": "in", "⊺": "ᵀ",
    "†": "ᵀ", "½": "1/2", "¼": "1/4", "¾": "3/4", "、": ",", "。": "", "∛": "^(1/3)", "⁺": "+",
}  # fmt: skip

# Operators of other languages → ours; longest first where one begins another.
FOREIGN = {
    "...": "..", "**": "^", "+=": ":=", "-=": ":=", "*=": ":=", "/=": ":=", "//": "/", "&&": "and",
    "||": "or", "->": ":=", "=>": ">=", "=<": "<=", "<>": "!=", ".*": "⊙", "./": "/", ".^": "^", "%": "",
    "!": "not", "&": "and", "|": "or",
}  # fmt: skip


# What may have been meant otherwise, or needs more than another character in its place.
_UNSURE = frozenset('{}½¼¾∛。、∘⊗•∙∈≡†⁻⁺“”"')
SAFE_OPERATORS = frozenset(["...", "**", "&&", "||", "<>", ".*", "./", ".^", ".T"])


def is_safe(character: str) -> bool:
    """Whether what a foreign character stands for is beyond doubt; true of the characters of the language."""
    return character not in _UNSURE


def meant(character: str) -> str | None:
    """The spelling in the language of what a foreign character stands for, '' for nothing, None if unknown."""
    if character in _MEANT:
        return _MEANT[character]
    if "！" <= character <= "～":  # full-width forms of ASCII
        return chr(ord(character) - 0xFEE0)
    return None


def describe(character: str) -> str:
    """The character for a message: itself where that can be seen, its name and code point where it cannot."""
    number = f"U+{ord(character):04X}"
    if character == "\0":
        return f"a NUL byte ({number})"
    category = unicodedata.category(character)
    name = unicodedata.name(character, "").lower()
    if category[0] in "CZM":
        kind = name or ("a control character" if category == "Cc" else "an unprintable character")
        return f"{kind} ({number})"
    if character.isascii() or not name:
        return f"`{character}`"
    return f"`{character}` ({name}, {number})"

"""Habits of LaTeX: commands, braces, scripts."""

from __future__ import annotations

import re
import unicodedata

from netsor.syntax.mistakes.habit import habit

_SYMBOLS = {
    "odot": "⊙", "cdot": "·", "times": "*", "ast": "*", "circ": "⊙", "sim": "~", "langle": "⟨", "rangle": "⟩",
    "leq": "<=", "le": "<=", "geq": ">=", "ge": ">=", "neq": "!=", "ne": "!=", "in": "in", "ln": "log", "to": ":=",
    "gets": ":=", "coloneqq": ":=", "varphi": "φ", "phi": "φ", "epsilon": "ε", "varepsilon": "ε", "lambda": "λ",
    "ell": "ℓ", "quad": " ", "qquad": " ", "max": "max", "min": "min", "arctan": "atan", "mid": "", "|": "‖",
    "land": "and", "lor": "or", "lnot": "not", "neg": "not", "ldots": "..", "dots": "..",
}  # fmt: skip
_MARKS = {"tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "bar": "\u0304", "dot": "\u0307"}
_SAID = "`{}` is LaTeX, and a program is typed as plain text"
_NOTE = "the characters of the paper may be typed as they are, φ, ⊙, ᵀ, √, or in ASCII: phi, *, ^T, sqrt"
_BRACES = "`{}` is in curly brackets, which have no meaning here"
_BRACES_NOTE = "brackets are `( )`, and `[ ]` for indices and lists"


def _symbol(m: re.Match[str]) -> str:
    name = m.group(1)
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    kind = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {kind} LETTER {name.upper()}")
    except KeyError:
        return name


def _bracketed(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"√?[\w\u0300-\u036f.]+|√?\([^()]*\)", text) else f"({text})"


def _marked(m: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", m.group(2) + _MARKS[m.group(1)] + m.group(3))


HABITS = (
    habit(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\s*", _SAID, "", note=_NOTE),
    habit(rf"\\({'|'.join(_MARKS)})\s*\{{([^\W\d])(\w*)\}}", _SAID, _marked, note=_NOTE),
    habit(r"\\(?:math\w+|operatorname|text\w*|boldsymbol|bm)\s*\{(\w+)\}", _SAID, r"\1", note=_NOTE),
    habit(r"\^\s*\{\s*(?:\\top|\\intercal|T)\s*\}|\^\s*\\(?:top|intercal)(?![A-Za-z])", _SAID, "ᵀ", note=_NOTE),
    habit(
        r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}",
        _SAID,
        lambda m: f"({_bracketed(m.group(1))}/{_bracketed(m.group(2))})",
        note=_NOTE,
    ),
    habit(r"\\[dt]?frac\s*(\d)\s*(\d)", _SAID, r"(\1/\2)", note=_NOTE),
    habit(r"\\[lr]?vert\s*(?=\S)(.*?)\s*\\[lr]?vert(?![A-Za-z])", _SAID, r"abs(\1)", note=_NOTE),
    habit(r"\\\{", _SAID, "(", note=_NOTE),
    habit(r"\\\}", _SAID, ")", note=_NOTE),
    habit(r"_\s*\{\s*\}", "`{}` is an empty index", "", note=_NOTE),
    habit(r"\\sqrt\s*\{([^{}]*)\}", _SAID, r"√(\1)", note=_NOTE),
    # h_l beside h_{l-1}: both are members of families.
    habit(r"(?<![\w.])([^\W\d_](?:(?!_)\w)*)_([a-z](?![\w{]))(?=.*_\{)", "`{}` is an index as in LaTeX", r"\1[\2]",
          note="members of a family are `h[1]`, and `h₁` is a name of its own"),
    habit(r"(?<=[\w\u0300-\u036f])_\{([^{}]*)\}", "`{}` is an index as in LaTeX", r"[\1]",
          note="members of a family are `h[1]`, and `h₁` is a name of its own"),
    habit(r"\^\{([^{}]*)\}", "`{}` is an exponent as in LaTeX", lambda m: f"^{_bracketed(m.group(1))}",
          note="a power is `x^2` or `x^(a + b)`"),
    habit(r"\\[,;!:](?=\s|\S)", _SAID, " ", note=_NOTE),
    habit(r"\\\|", _SAID, "‖", note=_NOTE),
    habit(r"\\(?!(?:[dt]?frac|sqrt)\b)([A-Za-z]+)", _SAID, _symbol, note=_NOTE),
    habit(r"(?<!frac)(?<!sqrt)(?<!\})\{([^{}]*)\}", _BRACES, r"(\1)", "E101", note=_BRACES_NOTE),
)  # fmt: skip

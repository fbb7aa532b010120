"""How the tokens of a line are spelled and spaced in canonical text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from netsor.syntax.names import KEYWORDS
from netsor.syntax.tokens import ENDS_VALUE, OPENS, Line, Token

_ASCII = {"TRANSPOSE": "^T", "ANGLE_L": "<", "ANGLE_R": ">", "SQRT": "sqrt "}
_PAPER = {"TRANSPOSE": "ᵀ", "ANGLE_L": "⟨", "ANGLE_R": "⟩", "SQRT": "√"}
_ATOMS = frozenset({"NAME", "NUMBER", "RESERVED"})
_TIGHT_BEFORE = frozenset(
    ["RPAR", "RSQB", "ANGLE_R", "COMMA", "SEMI", "INDEX_L", "BY_L", "PRIME", "TRANSPOSE", "SUPER", "POW", "DOTS", "END"]
)
_TIGHT_AFTER = frozenset(OPENS) | {"SQRT", "POW", "DOTS", "SUM"}
# What makes a quotient more than that of two single values.
_BINDS_LEFT = ENDS_VALUE | {"POW", "AT", "DIV", "TIMES"}
_BINDS_RIGHT = frozenset(["APPLY_L", "INDEX_L", "PRIME", "TRANSPOSE", "SUPER", "POW", "TIMES", "DIV", "AT"])


@dataclass(frozen=True, slots=True)
class Piece:
    """A token with the space before it; `breakable` where a line may be broken, within `depth` brackets."""

    text: str
    depth: int
    breakable: bool


def pieces(line: Line, plain: bool) -> tuple[str, list[Piece]]:
    """The label of a line, if it has one, and the rest of it; `plain` asks for ASCII spellings."""
    following = line.tokens[1:]
    tokens = [t for t, u in zip(line.tokens, following) if (t.type, u.type) != ("COMMA", "RSQB")]
    label = ""
    colon = 1 if len(tokens) > 1 and tokens[1].type == "COLON" else 2
    if len(tokens) > colon and tokens[0].type == "NAME" and tokens[colon].type == "COLON":
        label = "".join(t.text for t in tokens[: colon + 1])
        tokens = tokens[colon + 1 :]
    out: list[Piece] = []
    brackets: list[str] = []
    in_range = False
    for i, token in enumerate(tokens):
        if token.type in ("RPAR", "RSQB", "ANGLE_R") and brackets:
            brackets.pop()
        tight = in_range or "INDEX_L" in brackets
        space = i > 0 and _spaced(tokens, i, tight, brackets)
        out.append(Piece(" " * space + _spelling(token, plain), len(brackets), space and _breakable(tokens, i)))
        if token.type in OPENS:
            brackets.append(token.type)
        in_range = (in_range or token.type == "IN") and token.type not in ("COLON", "EQ")
    return label, out


def _spelling(token: Token, plain: bool) -> str:
    if token.type in _PAPER:
        return (_ASCII if plain else _PAPER)[token.type]
    if token.type == "TIMES":
        return "⊙" if token.text == "⊙" else "*"
    if token.type in ("NAME", "SUPER", "SUM"):
        return unicodedata.normalize("NFC", token.span.text)
    return token.text


def _spaced(tokens: list[Token], i: int, tight: bool, brackets: list[str]) -> bool:
    """Whether a space stands before token i."""
    before, token = tokens[i - 1], tokens[i]
    if token.type in _TIGHT_BEFORE or before.type in _TIGHT_AFTER or _is_sign(tokens, i - 1):
        return False
    if token.type == "APPLY_L":  # as typed: `W (x + y)` and `W(x + y)` are one
        return before.end < token.start and before.type not in ("PRIME",) and not _is_head(tokens, i)
    if token.type == "COLON":  # of a shape or a dimension, not of `for`, `def` or `sum`
        return not ("IN" in (t.type for t in tokens[:i]) or tokens[0].type == "DEF")
    if "DIV" in (token.type, before.type):
        return not (tight or _is_small(tokens, i if token.type == "DIV" else i - 1))
    if tight and token.text not in KEYWORDS and before.text not in KEYWORDS:
        operators = ("PLUS", "MINUS", "TIMES")
        return before.type in ("COMMA", "SEMI") or not (token.type in operators or before.type in operators)
    return True


def _is_sign(tokens: list[Token], i: int) -> bool:
    return tokens[i].type == "MINUS" and (i == 0 or tokens[i - 1].type not in ENDS_VALUE)


def _is_head(tokens: list[Token], i: int) -> bool:
    """Whether the bracket at i holds parameters, a law or a network's inputs, which stand close to their name."""
    return i == 1 or tokens[0].type in ("DEF", "NETWORK") or tokens[i - 2].type == "TILDE"


def _is_small(tokens: list[Token], i: int) -> bool:
    """Whether the `/` at i divides two single values, as in `1/√n`."""
    left = i - 1
    if left < 0 or tokens[left].type not in _ATOMS:
        return False
    if left and tokens[left - 1].type == "SQRT":
        left -= 1
    if left and tokens[left - 1].type in _BINDS_LEFT:
        return False
    right = i + 1
    if tokens[right].type == "SQRT":
        right += 1
    if tokens[right].type not in _ATOMS:
        return False
    return right + 1 == len(tokens) or tokens[right + 1].type not in _BINDS_RIGHT


def _breakable(tokens: list[Token], i: int) -> bool:
    """Whether a line may be broken before token i: after a comma, before an operator."""
    if tokens[i - 1].type in ("COMMA", "SEMI"):
        return True
    operator = tokens[i].type in ("PLUS", "MINUS", "TIMES") and tokens[i - 1].type in ENDS_VALUE
    return operator or tokens[i].type in ("THEN", "ELSE", "AND", "OR")

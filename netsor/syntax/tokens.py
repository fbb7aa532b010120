"""Tokens, and the logical lines that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field

import lark

from netsor.diagnostics.data import Diagnostic, Source, Span


class Token(lark.Token):
    """A terminal of the grammar and its place in the text; `text` is normalised, `span.text` as typed."""

    __slots__ = ("end", "source", "start")

    value: str
    source: Source
    start: int
    end: int

    def __new__(cls, type: str, text: str, source: Source, start: int, end: int) -> Token:
        token = str.__new__(cls, text)  # lark's own constructor fills eight fields that nothing here asks for
        token.type, token.value = type, text
        token.source, token.start, token.end = source, start, end
        return token

    @property
    def text(self) -> str:
        return self.value

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    def __repr__(self) -> str:
        return f"{self.type}:{self.text}"


@dataclass(slots=True)
class Line:
    """A logical line: its tokens (the last is END), its indentation in columns, and what the tokenizer found wrong."""

    source: Source
    indent: int
    start: int
    tokens: list[Token] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)
    odd_indent: bool = False  # no fault is to be found in the indentation

    @property
    def end(self) -> int:
        return self.tokens[-1].start if self.tokens else self.start

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    @property
    def opens_block(self) -> bool:
        return bool(self.tokens) and self.tokens[0].type in ("FOR", "DEF")


# Tokens after which a value is complete, so that `<` compares, `-` subtracts and the next value is juxtaposed.
ENDS_VALUE = frozenset(
    ["NAME", "RESERVED", "NUMBER", "SUPER", "PRIME", "TRANSPOSE", "RPAR", "RSQB", "INDEX_R", "ANGLE_R"]
)
# Tokens that begin a juxtaposed factor.
BEGINS_FACTOR = frozenset(["NAME", "RESERVED", "NUMBER", "LPAR", "ANGLE_L", "SQRT", "SUM"])
BEGINS_VALUE = BEGINS_FACTOR | {"MINUS", "IF", "LIST_L"}

OPENS = {"APPLY_L": ")", "LPAR": ")", "INDEX_L": "]", "BY_L": "]", "LIST_L": "]", "ANGLE_L": "⟩"}
CLOSES = {")": "RPAR", "]": "RSQB", "⟩": "ANGLE_R", ">": "ANGLE_R"}

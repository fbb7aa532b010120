"""The grammar that lark runs: a text into tokens, and the tokens of a line into a value.

Making the tables takes lark half a second, more than everything else that `netsor check` does, so lark keeps them in
the user's cache folder; a cache that cannot be read or written is no fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import lark

from netsor import resources
from netsor.syntax.build import Builder
from netsor.syntax.tokens import Token


class Unexpected(Exception):
    """The token at `index` fits nothing; `expected` are the terminals that would have been read on."""

    def __init__(self, index: int, expected: frozenset[str]):
        super().__init__(index)
        self.index = index
        self.expected = expected


@cache
def grammar() -> lark.Lark:
    """The grammar that comes with the package, its rules built by `Builder`."""
    return lark.Lark(
        resources.grammar_text(),
        parser="lalr",
        lexer="basic",
        start=["text", "line", "expression"],
        transformer=Builder(),
        cache=_cache() or False,
    )


def _cache() -> str:
    """The file in which lark keeps the tables, '' where there can be none."""
    try:
        folder = resources.cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that may not be written to
        return ""
    python = ".".join(map(str, sys.version_info[:2]))
    return str(folder / f"grammar-lark-{lark.__version__}-python-{python}")


def raw_tokens(text: str) -> list[lark.Token]:
    """The tokens of a text as they stand there, line ends and comments among them; none is refused."""
    reader = grammar().parse_interactive(text, start="text")
    return list(reader.lexer_thread.lex(reader.parser_state))


def parse_tokens(tokens: Sequence[Token], start: str) -> Any:
    """The value of the rule `line` or `expression`; raises `Unexpected`, and what the builder refuses."""
    parser = grammar().parse_interactive(start=start)
    read = 0
    try:
        for token in tokens:
            parser.feed_token(token)
            read += 1
        return parser.feed_eof()
    except lark.UnexpectedToken:
        raise Unexpected(read, frozenset(parser.accepts()) - {"$END"}) from None

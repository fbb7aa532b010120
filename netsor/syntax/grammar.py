"""The grammar that lark runs: a text into tokens, and the tokens of a line into a value.

Making the tables takes lark half a second, more than everything else that `netsor check` does, so lark keeps them in
the user's cache folder; a cache that cannot be read or written is not a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import lark

from netsor import resources
from netsor.syntax.build import Builder
from netsor.syntax.tokens import Token

_BUILDER = Builder()


class Unexpected(Exception):
    """The token at `index` fits nothing; `expected` are the terminals that would have been read on."""

    def __init__(self, index: int, expected: frozenset[str]):
        super().__init__(index)
        self.index = index
        self.expected = expected


@cache
def grammar() -> lark.Lark:
    """The grammar that comes with the package."""
    return lark.Lark(
        resources.grammar_text(),
        parser="lalr",
        lexer="basic",
        start=["text", "line", "expression"],
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
    try:
        return _built(_steps(start, tuple(token.type for token in tokens)), tokens)
    except _Stopped as stopped:
        _built(stopped.steps, tokens)  # what stands before the fault may be refused first
        raise Unexpected(stopped.index, stopped.expected) from None


# What builds a line, on a stack: the token at a position, None for an absent part, or a method and how many it takes.
_Step = int | tuple[str, int] | None


class _Stopped(Exception):
    """As `Unexpected`, with the steps of what was read whole."""

    def __init__(self, index: int, expected: frozenset[str], steps: tuple[_Step, ...]):
        super().__init__(index)
        self.index = index
        self.expected = expected
        self.steps = steps


@lru_cache(maxsize=4096)
def _steps(start: str, types: tuple[str, ...]) -> tuple[_Step, ...]:
    """How a line is built, by the types of its tokens alone: the lines of a long program have few forms."""
    parser = grammar().parse_interactive(start=start)
    read = 0
    try:
        for type in types:
            parser.feed_token(lark.Token(type, str(read)))
            read += 1
        return _postorder([parser.feed_eof()])
    except lark.UnexpectedToken:
        expected = frozenset(parser.accepts()) - {"$END"}
        raise _Stopped(read, expected, _postorder(parser.parser_state.value_stack)) from None


def _postorder(parts: Sequence[lark.Tree[lark.Token] | lark.Token | None]) -> tuple[_Step, ...]:
    """The steps of trees whose tokens are positions, in the order in which the parser reduces."""
    out: list[_Step] = []
    stack = list(parts)
    while stack:  # parents first and the last child before the first: the order wanted, backwards
        top = stack.pop()
        if isinstance(top, lark.Tree):
            if not top.data.startswith("_"):  # lark's own rules for what is repeated, open where the line breaks off
                out.append((str(top.data), len(top.children)))
            stack.extend(top.children)
        else:
            out.append(None if top is None else int(top))
    return tuple(reversed(out))


def _built(steps: Sequence[_Step], tokens: Sequence[Token]) -> Any:
    """What the builder makes of the tokens."""
    stack: list[Any] = []
    for step in steps:
        if step is None:
            stack.append(None)
        elif isinstance(step, int):
            stack.append(tokens[step])
        else:
            name, count = step
            first = len(stack) - count
            stack[first:] = [getattr(_BUILDER, name)(*stack[first:])]
    return stack[-1] if stack else None

"""A line that does not parse, and what a rule asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from netsor.diagnostics.data import Diagnostic, Edit, Label, Span, replacement
from netsor.syntax.names import KEYWORDS
from netsor.syntax.tokens import OPENS, Line, Token

_LONGEST_HINT = 100
_LONGEST_TRY = 2000
CLOSERS = ("RPAR", "RSQB", "ANGLE_R")


@dataclass(frozen=True, slots=True)
class Correction:
    """A help line, and the edit that it offers."""

    hint: str
    edit: Edit


Help = str | Correction  # a help line without an edit, '' for none


@dataclass(frozen=True)
class Mistake:
    """A line, the place of its first unexpected token, and the terminals that would have been accepted there."""

    line: Line
    index: int
    expected: frozenset[str]
    start: str
    accepts: Callable[[str, str], bool]

    @property
    def tokens(self) -> list[Token]:
        return self.line.tokens

    @property
    def token(self) -> Token:
        return self.tokens[min(self.index, len(self.tokens) - 1)]

    @property
    def previous(self) -> Token | None:
        return self.tokens[self.index - 1] if self.index else None

    @property
    def first(self) -> str:
        return self.tokens[0].type

    @cached_property
    def open(self) -> Token | None:
        """The innermost bracket that is open before the token."""
        stack: list[Token] = []
        for token in self.tokens[: self.index]:
            if token.type in OPENS:
                stack.append(token)
            elif token.type in ("RPAR", "RSQB", "ANGLE_R") and stack:
                stack.pop()
        return stack[-1] if stack else None

    @property
    def wants_value(self) -> bool:
        return {"NAME", "NUMBER", "LPAR"} <= self.expected and not ({"END", "PLUS"} & self.expected)

    def place(self, token: Token) -> int:
        """The index of this very token, for tokens of one spelling are equal."""
        return next(i for i, other in enumerate(self.tokens) if other is token)

    def span(self, first: int, last: int) -> Span:
        return Span(self.line.source, self.tokens[first].start, self.tokens[last].end)

    def closing(self, index: int) -> int | None:
        """The index of the bracket that closes the one at `index`."""
        depth = 0
        for i in range(index, len(self.tokens)):
            if self.tokens[i].type in OPENS:
                depth += 1
            elif self.tokens[i].type in ("RPAR", "RSQB", "ANGLE_R"):
                depth -= 1
                if not depth:
                    return i
        return None

    def opening(self, index: int) -> int | None:
        """The index of the bracket that the one at `index` closes."""
        depth = 0
        for i in range(index, -1, -1):
            if self.tokens[i].type in CLOSERS:
                depth += 1
            elif self.tokens[i].type in OPENS:
                depth -= 1
                if not depth:
                    return i
        return None

    def edit(self, start: int, end: int, text: str, safe: bool = False) -> Help:
        """The line with [start, end) of the source replaced, or '' if that would not be accepted."""
        return self.edits((start, end, text), safe=safe)

    def edits(self, *changes: tuple[int, int, str], safe: bool = False) -> Help:
        """As `edit`, with several places replaced."""
        whole = self.line.source.text
        out, at = [], self.line.start
        for start, end, text in changes:
            out += [whole[at:start], text]
            at = end
        out.append(whole[at : self.line.end])
        edited = "".join(out)
        if len(edited) > _LONGEST_TRY:
            return ""
        if not self.accepts(edited, self.start):
            return ""
        hint = f"write `{edited}`"
        if "\n" in edited or len(edited) > _LONGEST_HINT:
            start, end, text = changes[0]
            if len(changes) > 1:
                return ""
            if not text:
                hint = f"remove `{whole[start:end]}`"
            else:
                hint = f"write `{text.strip()}` here" if start == end else f"write `{text}` for `{whole[start:end]}`"
        return Correction(hint, replacement(self.line.source, self.line.start, self.line.end, edited, safe))

    def instead(self, text: str, safe: bool = False) -> Help:
        """The line with `text` in the place of the token."""
        return self.edit(self.token.start, self.token.end, text, safe)

    def whole(self, text: str) -> Help:
        """The text in the place of the whole line: an example, where what was meant is not to be seen."""
        return self.edit(self.line.start, self.line.end, text)

    def fault(
        self,
        code: str,
        message: str,
        label: str = "",
        help: Help = "",
        *notes: str,
        span: Span | None = None,
        labels: tuple[Label, ...] = (),
    ) -> Diagnostic:
        hint, edits = (help, ()) if isinstance(help, str) else (help.hint, (help.edit,))
        span = span or self.token.span
        return Diagnostic(code, message, span, label=label, hint=hint, notes=notes, labels=labels, edits=edits)


def called(token: Token) -> str:
    if token.type == "END":
        return "the end of the line"
    text = token.span.text
    if token.text in KEYWORDS:
        return f"the keyword `{text}`"
    return f"`{text}`" if len(text) <= 40 else "this"

"""The plain data of a diagnostic; nothing here prints (see `netsor.diagnostics.render`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, eq=False)
class Source:
    """A text and where it came from; spans are offsets into `text`.

    Of a file that another one includes, `included` is the line that does (the first that does, where several do), and
    `standard` says that it belongs to the standard library.
    """

    name: str
    text: str
    included: Span | None = None
    standard: bool = False

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")
        return starts

    @property
    def folder(self) -> Path | None:
        """The folder that its includes are relative to, None for a text that has only a label such as `<text>`."""
        return None if not self.name or self.name.startswith("<") else Path(self.name).parent

    def position(self, offset: int) -> tuple[int, int]:
        """The (line, column) of an offset, both counted from 1, columns in characters."""
        line = bisect_right(self._line_starts, offset) - 1
        return line + 1, offset - self._line_starts[line] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]


@dataclass(frozen=True)
class Span:
    """The half-open range [start, end) of characters of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        return self.source.position(self.end)[0]

    @property
    def end_column(self) -> int:
        return self.source.position(self.end)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def order(self) -> tuple[int, ...]:
        """Where this is read: what is included stands at the line that includes it."""
        line = self.source.included
        return (*line.order, self.start) if line is not None else (self.start,)

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))


def line_of(span: Span) -> str:
    """A line in words, `line 3`, or `line 3 of blocks.netsor` of an included file."""
    source = span.source
    return f"line {span.line}" + (f" of {Path(source.name).name}" if source.included else "")


@dataclass(frozen=True)
class Label:
    """A secondary place that a diagnostic points at, and what is to be seen there."""

    span: Span
    text: str


@dataclass(frozen=True)
class Edit:
    """A correction: `text` in the place of `span` (an insertion where the span is empty).

    An edit mends its fault alone; several edits of one diagnostic are alternatives, the likeliest first. It is `safe`
    where it changes nothing but a spelling, so that no other meaning is possible: `netsor check --fix` applies those.
    """

    span: Span
    text: str
    safe: bool = False


def replacement(source: Source, start: int, end: int, text: str, safe: bool = False) -> Edit:
    """The edit that makes source.text[start:end] to `text`, without what is the same at both ends."""
    old = source.text[start:end]
    same = len(commonprefix([old, text]))
    old, text = old[same:], text[same:]
    tail = len(commonprefix([old[::-1], text[::-1]]))
    return Edit(Span(source, start + same, end - tail), text[: len(text) - tail], safe)


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; of edits that overlap the leftmost counts, and of equal spans the first."""
    parts: list[str] = []
    end = 0
    inserted = -1  # where the last insertion is: a second one at the same place would leave the order to chance
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        start, stop = edit.span.start, edit.span.end
        if start < end or (start == stop == inserted):
            continue
        parts += [text[end:start], edit.text]
        end = stop
        inserted = start if start == stop else -1
    return "".join([*parts, text[end:]])


@dataclass(frozen=True)
class Diagnostic:
    """One finding about a program.

    `code` is a key of the catalogue (`netsor explain CODE`); `message` is the headline, in the user's own names;
    `label` says what stands at `span`; `labels` point at other places; `notes` say what was expected and why;
    `hint` is the help line; `edits` are what it offers, as data.
    """

    code: str
    message: str
    span: Span | None = None
    severity: Severity = "error"
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    hint: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity == "error"


class NetsorError(Exception):
    """One or more diagnostics that ended the work; the only exception that the library raises on a user's fault."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]):
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __repr__(self) -> str:
        """The diagnostics as they stand in a terminal, with the marked places of the text."""
        from netsor.diagnostics.render import render

        return "NetsorError\n" + "\n".join(render(d, colour=False, width=100) for d in self.diagnostics).rstrip("\n")

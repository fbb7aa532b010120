"""A diagnostic for a terminal, or as a JSON object.

error[E108]: a line is given its value with `:=`
  --> mlp.netsor:7:3
   |
 7 | x = φ(g)
   |   ^ `:=` expected
   |
   = `=` stands in declarations (`scalar c = 2`) and definitions (`φ(u) = tanh(u)`)
   = help: write `x := φ(g)`
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netsor.diagnostics.columns import text_width, visible, wrapped
from netsor.diagnostics.data import Diagnostic, Label, Source, Span

_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_LEAST_WIDTH = 40
_COMMAND = re.compile("`netsor [^`]*`")
# Stands for a space at which no line ends; a character for private use, which no text has.
_NO_BREAK = "\ue000"
Segment = tuple[str, str]  # a text and the name of its style, '' for plain
Row = list[Segment]


def render(diagnostic: Diagnostic, *, colour: bool = False, width: int = 100) -> str:
    """The diagnostic as text of at most `width` columns, where words allow; `colour` adds terminal codes."""
    rows = list(_rows(diagnostic, max(width, _LEAST_WIDTH)))
    if colour:
        return _coloured(rows)
    return "\n".join("".join(text for text, _ in row).rstrip() for row in rows) + "\n"


def to_json(diagnostic: Diagnostic) -> dict[str, object]:
    """The diagnostic as a JSON object; lines and columns count from 1, the end is just behind the last character."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.span.source.name if diagnostic.span else None,
        **_place(diagnostic.span),
        "label": diagnostic.label or None,
        "labels": [
            {"file": label.span.source.name, **_place(label.span), "text": label.text} for label in diagnostic.labels
        ],
        "notes": list(diagnostic.notes),
        "hint": diagnostic.hint or None,
        "edits": [
            {"file": edit.span.source.name, **_place(edit.span), "text": edit.text, "safe": edit.safe}
            for edit in diagnostic.edits
        ],
    }


def _place(span: Span | None) -> dict[str, int | None]:
    return {
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
    }


@dataclass(frozen=True, slots=True)
class _Mark:
    """Columns [start, end) of one line that are marked, with the words that stand by the mark."""

    start: int
    end: int
    text: str
    sign: str
    style: str


def _rows(diagnostic: Diagnostic, width: int) -> Iterable[Row]:
    style = _COLOURS[diagnostic.severity]
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    first, *more = _fold(f"{head}: {diagnostic.message}", width, "    ")
    yield [(head, style), (first[len(head) :], "bold")]
    yield from ([(line, "bold")] for line in more)
    gutter = 1
    if diagnostic.span is not None:
        labels = [Label(diagnostic.span, diagnostic.label), *diagnostic.labels]
        gutter = max(len(str(label.span.end_line)) for label in labels)
        yield from _excerpts(labels, style, gutter, width)
    for prefix, texts in (("", diagnostic.notes), ("help: ", (diagnostic.hint,) if diagnostic.hint else ())):
        for text in texts:
            margin = " " * gutter
            first, *more = _fold(f"{prefix}{text}", width - gutter - 3, " " * len(prefix))
            yield [(f"{margin} = ", "blue"), (prefix, "bold green" if prefix else ""), (first[len(prefix) :], "")]
            yield from ([(f"{margin}   {line}", "")] for line in more)


def _fold(text: str, width: int, indent: str) -> list[str]:
    """The text in lines of at most `width` columns; words and commands in backticks stay whole, to be pasted."""
    kept = _COMMAND.sub(lambda m: m[0].replace(" ", _NO_BREAK), text)
    first, *more = wrapped(kept, width, len(indent))
    return [line.replace(_NO_BREAK, " ") for line in (first, *(indent + line for line in more))]


# --- the text, with marks under it ---


def _excerpts(labels: list[Label], style: str, gutter: int, width: int) -> Iterable[Row]:
    """The lines that the labels are on, source by source, that of the first label first."""
    sources: list[Source] = []
    for label in labels:
        if not any(s is label.span.source for s in sources):
            sources.append(label.span.source)
    for i, source in enumerate(sources):
        marks: dict[int, list[_Mark]] = {}
        place: Span | None = None
        for j, label in enumerate(labels):
            if label.span.source is source:
                place = place or label.span
                for line, mark in _marks(label, "^" if j == 0 else "-", style if j == 0 else "blue"):
                    marks.setdefault(line, []).append(mark)
        assert place is not None
        arrow = "-->" if i == 0 else ":::"
        where = f"{source.name or '<text>'}:{place.line}:{place.column}"
        yield [(" " * gutter + arrow + " ", "blue"), (where, "")]
        yield [(" " * gutter + " |", "blue")]
        previous = 0
        for line in sorted(marks):
            if previous and line == previous + 2:
                yield from _marked_line(source, line - 1, [], gutter, width)
            elif previous and line > previous + 2:
                yield [("...", "blue")]
            yield from _marked_line(source, line, marks[line], gutter, width)
            previous = line
        yield [(" " * gutter + " |", "blue")]


def _marks(label: Label, sign: str, style: str) -> Iterable[tuple[int, _Mark]]:
    """The marks of a label: one, or on the first and the last line of a span over several."""
    span = label.span
    first, last = span.line, span.end_line
    if first == last:
        yield first, _Mark(span.column - 1, max(span.end_column - 1, span.column), label.text, sign, style)
        return
    yield first, _Mark(span.column - 1, max(len(span.source.line(first)), span.column), "", sign, style)
    text = span.source.line(last)
    start = len(text) - len(text.lstrip())
    yield last, _Mark(min(start, span.end_column - 1), max(span.end_column - 1, 1), label.text, sign, style)


def _marked_line(source: Source, number: int, marks: list[_Mark], gutter: int, width: int) -> Iterable[Row]:
    cells = visible(source.line(number).rstrip("\r"))
    marks = sorted(marks, key=lambda m: (m.start, m.end))
    cells, marks = _crop(cells, marks, width - gutter - 4)
    yield [(f"{number:>{gutter}} | ", "blue"), ("".join(text for text, _ in cells), "")]
    if not marks:
        return
    margin = (" " * gutter + " | ", "blue")
    starts = [sum(size for _, size in cells[: m.start]) for m in marks]
    signs: Row = []
    at = 0
    for i, mark in enumerate(marks):
        end = starts[i] + max(1, sum(size for _, size in cells[mark.start : mark.end]))
        start = max(at, starts[i])
        if end > start:
            signs += [(" " * (start - at), ""), (mark.sign * (end - start), mark.style)]
            at = end
    last = marks[-1]
    room = max(20, width - gutter - 4)
    if last.text and at + 1 + text_width(last.text) <= room:
        signs.append((" " + last.text, last.style))
        rest = list(range(len(marks) - 1))
    else:
        rest = list(range(len(marks)))
    yield [margin, *signs]
    rest = [i for i in rest if marks[i].text]
    while rest:
        i = rest.pop()
        bars = [(starts[j], "|", marks[j].style) for j in rest if starts[j] < starts[i]]
        if i == len(marks) - 1 or len(marks) > 1:
            yield [margin, *_at([*bars, (starts[i], "|", marks[i].style)])]
        for line in _fold(marks[i].text, max(room - starts[i], 24), ""):
            yield [margin, *_at([*bars, (starts[i], line, marks[i].style)])]


def _at(items: list[tuple[int, str, str]]) -> Row:
    """Texts at columns, from left to right."""
    row: Row = []
    column = 0
    for start, text, style in items:
        if start < column:
            continue
        row += [(" " * (start - column), ""), (text, style)]
        column = start + text_width(text)
    return row


def _crop(cells: list[tuple[str, int]], marks: list[_Mark], room: int) -> tuple[list[tuple[str, int]], list[_Mark]]:
    """A window of a long line that shows the marks, with `…` where it is cut."""
    if sum(size for _, size in cells) <= room or not marks:
        return (cells, marks) if marks else (cells[:room], marks)
    first = marks[0].start
    start = 0 if first < room - 20 else max(0, first - 15)
    cut = [("…", 1), *cells[start + 1 :]] if start else cells
    used, end = 0, 0
    while end < len(cut) and used + cut[end][1] <= room - 1:
        used += cut[end][1]
        end += 1
    shown = [*cut[:end], ("…", 1)] if end < len(cut) else cut
    moved = [
        _Mark(m.start - start, max(min(m.end - start, len(shown)), m.start - start + 1), m.text, m.sign, m.style)
        for m in marks
        if m.start - start < len(shown) or m.start - start == len(cut)
    ]
    return shown, moved


def _coloured(rows: list[Row]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=10_000, legacy_windows=False)
    for row in rows:
        console.print(Text.assemble(*((text, style) for text, style in row)), soft_wrap=True, highlight=False)
    return out.getvalue()

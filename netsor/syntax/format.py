"""`netsor fmt`: one text for one program.

What is fixed: four spaces a block, at most one blank line, one space around operators (none within indices, ranges and
powers, nor in quotients of two single values such as `1/√n`), labels padded to a common width, comments at two spaces
or aligned over consecutive lines, lines of more than 100 characters broken within brackets.

Names and brackets stay as they were typed, in NFC. Of the spellings of one operator the paper's is written, `ᵀ ' ⟨x, y⟩
√ <= NONLIN+`, with `⊙` where `⊙` was typed and `*` for `·`; a program that keeps to ASCII outside its comments stays
ASCII, with `^T` and `<x, y>`. A comment within a continued line moves above it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from netsor.diagnostics.data import Source
from netsor.syntax import ast
from netsor.syntax.lexer import tokenize
from netsor.syntax.parser import parse
from netsor.syntax.spacing import Piece, pieces
from netsor.syntax.tokens import Line

WIDTH = 100
_STEP = 4


@dataclass(slots=True)
class _Row:
    """A line of the result: a statement or a comment, its place in the source, and what trails it."""

    start: int
    depth: int
    label: str = ""
    code: list[Piece] | None = None
    comment: str = ""
    blank_before: bool = False


def format_source(text: str | Source) -> str:
    """The canonical text; raises `NetsorError` where the text does not parse."""
    source = text if isinstance(text, Source) else Source("<text>", text)
    parse(source)
    tokenized = tokenize(source)
    return _write(_rows(source, tokenized.lines, tokenized.comments))


def _rows(source: Source, lines: list[Line], comments: list[ast.Comment]) -> list[_Row]:
    plain = all(t.span.text.isascii() for line in lines for t in line.tokens)
    rows: list[_Row] = []
    levels: list[int] = []  # the indentation of each open block, as typed
    waiting = list(reversed(comments))
    for line in lines:
        before = list(levels)
        while levels and levels[-1] > line.indent:
            levels.pop()
        if not levels or levels[-1] < line.indent:
            levels.append(line.indent)
        depth = len(levels) - 1
        while waiting and waiting[-1].span.start < line.start:
            comment = waiting.pop()
            rows.append(_comment_row(comment, before, levels))
        while waiting and waiting[-1].span.start < line.end:  # within brackets: above the line
            rows.append(_Row(line.start, depth, comment=waiting.pop().text))
        row = _Row(line.start, depth)
        row.label, row.code = pieces(line, plain)
        if waiting and not waiting[-1].own_line and "\n" not in source.text[line.end : waiting[-1].span.start]:
            row.comment = waiting.pop().text
        rows.append(row)
    rows.extend(_comment_row(comment, levels, levels) for comment in reversed(waiting))
    _mark_blanks(source, rows)
    return rows


def _comment_row(comment: ast.Comment, before: list[int], after: list[int]) -> _Row:
    """A comment on its own line belongs to the deepest block, open before or after it, that it is indented for."""
    start = comment.span.start
    column = comment.span.column - 1
    candidates = before if len(before) > len(after) else after
    depth = max((i for i, indent in enumerate(candidates) if indent <= column), default=0)
    return _Row(start, depth, comment=comment.text)


def _mark_blanks(source: Source, rows: list[_Row]) -> None:
    """Keep a blank line before the rows that had some; a comment that moved up takes that of its statement."""
    blank = {i for i, line in enumerate(source.text.split("\n"), 1) if not line.strip()}
    previous = 0
    for row in rows:
        line = source.position(row.start)[0]
        row.blank_before = line != previous and previous > 0 and line - 1 in blank
        previous = line


def _write(rows: list[_Row]) -> str:
    labels = _label_widths(rows)
    texts: list[str] = []
    for row, width in zip(rows, labels, strict=True):
        indent = " " * (_STEP * row.depth)
        if row.code is None:
            texts.append(indent + row.comment)
            continue
        start = indent + (row.label.ljust(width) + " " if row.label else "")
        texts.append(_wrap(start, row.code, len(indent) + _STEP))
    columns = _comment_columns(rows, texts)
    out: list[str] = []
    for row, text, column in zip(rows, texts, columns, strict=True):
        if row.blank_before and out:
            out.append("")
        if row.code is not None and row.comment:
            *above, last = text.split("\n")
            text = "\n".join([*above, _pad(last, column) + row.comment])
        out.append(text.rstrip())
    return "\n".join(out) + "\n"


def _label_widths(rows: list[_Row]) -> list[int]:
    """The width of the labels in each run of labelled lines."""
    return _runs([(len(row.label) if row.label else None, row.blank_before, row.depth) for row in rows])


def _comment_columns(rows: list[_Row], texts: list[str]) -> list[int]:
    """The column of the comments in each run of lines that have one."""
    widths = []
    for row, text in zip(rows, texts, strict=True):
        width = _columns(text) if row.code is not None and row.comment and "\n" not in text else None
        widths.append((width, row.blank_before, row.depth))
    return [column + 2 for column in _runs(widths)]


def _runs(items: list[tuple[int | None, bool, int]]) -> list[int]:
    """For each item the largest width of its run; None, a blank line or another depth ends a run."""
    out = [0] * len(items)
    run: list[int] = []
    depth = 0

    def finish() -> None:
        widest = max((items[i][0] or 0 for i in run), default=0)
        for i in run:
            out[i] = widest
        run.clear()

    for i, (width, blank, level) in enumerate(items):
        if width is None or blank or level != depth:
            finish()
        depth = level
        if width is not None:
            run.append(i)
    finish()
    return out


def _columns(text: str) -> int:
    """The columns that a text takes: combining marks take none."""
    return sum(not unicodedata.combining(c) for c in text)


def _pad(text: str, column: int) -> str:
    return text + " " * max(2, column - _columns(text))


def _wrap(start: str, code: list[Piece], indent: int) -> str:
    """The pieces on one line, or broken within brackets where that is too long, at the least depth that helps."""
    whole = "".join(p.text for p in code)
    if _columns(start) + _columns(whole) <= WIDTH:
        return start + whole
    lines: list[str] = []
    current, prefix = list(code), start
    while True:
        room = WIDTH - _columns(prefix)
        best, used = 0, 0
        for i, piece in enumerate(current):
            used += _columns(piece.text)
            if i and piece.depth and piece.breakable and (not best or piece.depth <= current[best].depth):
                if used - _columns(piece.text) > room:
                    best = best or i
                    break
                best = i
            if used > room and best:
                break
        if not best or used <= room:
            lines.append(prefix + "".join(p.text for p in current).lstrip(" " if lines else ""))
            return "\n".join(lines)
        lines.append((prefix + "".join(p.text for p in current[:best]).lstrip(" " if lines else "")).rstrip())
        current, prefix = current[best:], " " * indent

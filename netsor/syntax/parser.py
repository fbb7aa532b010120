"""The entry points: a source becomes a `File`, or all its faults at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from netsor.diagnostics.catalogue import syntax as rules
from netsor.diagnostics.data import Diagnostic, Edit, NetsorError, Source, Span, apply_edits
from netsor.syntax import ast
from netsor.syntax.blocks import assemble
from netsor.syntax.grammar import Unexpected, parse_tokens
from netsor.syntax.lexer import tokenize
from netsor.syntax.tokens import Line, Token

MAX_FAULTS = 100
MAX_DEPTH = 500  # of a tree: long sums and products count, one level for each term


@dataclass(frozen=True)
class Parsed:
    """What a text holds: its statements that are whole, its faults, and the names that faulty lines may define.

    `lost` are the names that the text may define without that being in `file`, where `file` does not define them;
    `partial` those that lines left out do define, so that a family of such a name may lack members.
    `file` is None where nothing more can be said of the text, as when the header of a network is faulty.
    """

    file: ast.File | None
    faults: tuple[Diagnostic, ...]
    lost: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()


def parse(source: Source) -> ast.File:
    """The syntax tree of a file; raises `NetsorError` with every fault that the text has."""
    parsed = parse_all(source)
    if parsed.faults or parsed.file is None:
        raise NetsorError(parsed.faults)
    return parsed.file


def parse_all(source: Source) -> Parsed:
    """The syntax tree of a file without its faulty lines, and every fault of its syntax.

    What it includes is not read; `netsor.syntax.includes.read_document` does both.
    """
    text = tokenize(source)
    faults: list[Diagnostic] = []
    nodes: list[tuple[Line, ast.Node | None]] = []
    if text.tabs:
        faults.append(rules.tabs(text.tabs[0], len(text.tabs) - 1, _untabbed(text.tabs)))
    above: Line | None = None
    broken = False  # the line above ends where a value is missing
    foreign: Line | None = None  # the head of a block as other languages have them; what is below it is not a fault
    for line in text.lines:
        if len(faults) >= MAX_FAULTS:
            break
        deeper = above is not None and line.indent > above.indent and not above.opens_block
        if deeper and broken:
            continue  # meant as its continuation
        above, broken = line, False
        if foreign is not None and line.indent > foreign.indent:
            line.odd_indent = True
        else:
            foreign = None
        try:
            nodes.append((line, _parse_line(line)))
        except NetsorError as error:
            faults.extend(error.diagnostics)
            last = error.diagnostics[-1]
            if not line.opens_block and _ends_like_a_head(line):
                foreign = line
            broken = last.code == "E119" and last.span is not None and last.span.start == line.end
            line.odd_indent |= deeper  # one fault is enough
            nodes.append((line, _meant_head(line, error.diagnostics)))
    header, statements, includes = assemble(nodes, faults)
    if not text.lines:
        faults.append(rules.no_statement(source))
    file = ast.File(header, statements, includes, tuple(text.comments), span=Span(source, 0, len(source.text)))
    if not faults:
        return Parsed(file, ())
    no_more = len(faults) >= MAX_FAULTS or not (statements or includes) or _header_is_lost(header, nodes)
    partial = _lost_names(_left_out(nodes))
    lost = _lost_names(nodes)
    if any(node is None and line.tokens[0].text in ("include", "import", "from") for line, node in nodes):
        lost |= mentioned_names(file)  # any of them may be what that line was to bring in
    return Parsed(None if no_more else file, tuple(_in_order(faults)), lost, partial)


def mentioned_names(file: ast.File) -> frozenset[str]:
    """All names that the lines of a file use."""
    return frozenset(x.name for x in ast.walk(file) if isinstance(x, ast.Name))


def _ends_like_a_head(line: Line) -> bool:
    text = line.source.text
    stop = text.find("\n", line.end)
    return text[line.start : stop if stop >= 0 else len(text)].partition("#")[0].rstrip().endswith((":", "{", "}"))


def _meant_head(line: Line, faults: tuple[Diagnostic, ...]) -> ast.Node | None:
    """The head of a block that does not parse, as its fault says to write it: what is below stays a block."""
    if not line.opens_block:
        return None
    # At the same place, so that what is said of it points there.
    before = re.sub(r"[^\n]", " ", line.source.text[: line.start])
    written = before + line.source.text[line.start : line.end]
    for edit in (e for fault in faults for e in fault.edits if "\n" not in e.text and e.span.end <= line.end):
        lines = tokenize(Source(line.source.name, apply_edits(written, [edit]))).lines
        try:
            return cast("ast.Node", parse_tokens(lines[0].tokens, "line"))
        except (Unexpected, NetsorError):
            continue
    return None


def _header_is_lost(header: ast.Header | None, nodes: list[tuple[Line, ast.Node | None]]) -> bool:
    """Whether the file is a network whose inputs are not known."""
    return any(line.tokens[0].type == "NETWORK" and (node is None or node is not header) for line, node in nodes)


def _lost_names(nodes: list[tuple[Line, ast.Node | None]]) -> frozenset[str]:
    """The names that lines of a faulty text may define; those that are defined after all are found before these."""
    names: set[str] = set()
    for line, node in nodes:
        types = [t.type for t in line.tokens]
        ends = [types.index(t) for t in ("DEFINE", "EQ", "TILDE") if t in types]
        whole = node is None and (not ends or types.count("DEFINE") > 1)
        end = len(types) if whole else min(ends, default=len(types))
        names.update(t.text for t in line.tokens[:end] if t.type == "NAME")
    return frozenset(names)


def _left_out(nodes: list[tuple[Line, ast.Node | None]]) -> list[tuple[Line, ast.Node | None]]:
    """The lines that did not parse, and those below the head of a block that did not."""
    out: list[tuple[Line, ast.Node | None]] = []
    head: Line | None = None
    for line, node in nodes:
        if head is not None and line.indent <= head.indent:
            head = None
        if head is None and node is None and line.opens_block:
            head = line
        if head is not None or node is None:
            out.append((line, node))
    return out


def parse_expression(source: Source) -> ast.Expr:
    """The tree of one expression, as `--loss` and `--set` have them; raises `NetsorError`."""
    lines = tokenize(source).lines
    if not lines:
        raise NetsorError(rules.no_expression(Span(source, 0, len(source.text))))
    if len(lines) > 1:
        raise NetsorError(rules.several_lines(lines[1].span))
    expr: ast.Expr = _parse_line(lines[0], "expression")
    return expr


def _parse_line(line: Line, start: str = "line") -> Any:
    if line.faults:
        from netsor.syntax.mistakes import explain_characters  # a text without faults starts faster

        raise NetsorError(explain_characters(line, start, _is_accepted))
    try:
        node = parse_tokens(line.tokens, start)
    except Unexpected as unexpected:
        from netsor.syntax.mistakes import Mistake, explain

        mistake = Mistake(line, unexpected.index, unexpected.expected, start, _is_accepted)
        raise NetsorError(explain(mistake)) from None
    if len(line.tokens) > MAX_DEPTH:
        _check_depth(node)
    return node


def _is_accepted(text: str, start: str) -> bool:
    """Whether this one line parses: a hint is given only where its edit would be accepted."""
    lines = tokenize(Source("", text)).lines
    if len(lines) != 1 or lines[0].faults:
        return False
    try:
        parse_tokens(lines[0].tokens, start)
    except (Unexpected, NetsorError):
        return False
    return True


def _check_depth(node: ast.Node) -> None:
    """Refuse a tree that is deeper than the passes behind the parser go."""
    stack = [(node, 1)]
    while stack:
        top, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise NetsorError(rules.too_many_levels(node.span, MAX_DEPTH))
        stack.extend((child, depth + 1) for child in ast.children(top))


def _untabbed(tabs: list[Span]) -> Edit:
    """One edit for all lines that are indented with tabs, for each of them alone is indented as no other."""
    first, last = tabs[0], tabs[-1]
    parts: list[str] = []
    at = first.start
    for tab in tabs:
        parts += [first.source.text[at : tab.start], tab.text.expandtabs(4)]
        at = tab.end
    return Edit(Span(first.source, first.start, last.end), "".join(parts), safe=True)


def _in_order(faults: list[Diagnostic]) -> list[Diagnostic]:
    faults = sorted(faults, key=lambda d: (d.span.start, d.span.end) if d.span else (-1, -1))
    if len(faults) < MAX_FAULTS:
        return faults
    from dataclasses import replace

    last = faults[MAX_FAULTS - 1]
    return [
        *faults[: MAX_FAULTS - 1],
        replace(last, notes=(*last.notes, f"only the first {MAX_FAULTS} faults are shown")),
    ]


__all__ = ["MAX_DEPTH", "MAX_FAULTS", "Parsed", "Token", "parse", "parse_all", "parse_expression"]

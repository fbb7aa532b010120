"""Layout: lines become statements and blocks by their indentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from netsor.diagnostics.catalogue import syntax as rules
from netsor.diagnostics.data import Diagnostic, Edit, Span
from netsor.syntax import ast
from netsor.syntax.build import DefHead, ForHead, Return
from netsor.syntax.tokens import Line

MAX_BLOCKS = 50
Parsed = tuple[Line, ast.Node | None]


@dataclass(slots=True)
class _Block:
    """A block that is being read: its first line (None for the file) and what stands in it so far."""

    head: Line | None
    node: ast.Node | None
    indent: int | None  # None until its first line comes
    body: list[ast.Node] = field(default_factory=list)
    faulty: bool = False
    returned: Return | None = None
    late: bool = False  # something after `return` was reported
    shifted: bool = False  # the lines since the last right one are indented wrongly, and that was reported

    @property
    def is_def(self) -> bool:
        return self.head is not None and self.head.tokens[0].type == "DEF"


class _Assembler:
    """Puts lines into the blocks that they belong to, and says which lines belong nowhere."""

    def __init__(self, faults: list[Diagnostic]):
        self.faults = faults
        self.stack = [_Block(None, None, None)]
        self.header: ast.Header | None = None
        self.includes: list[ast.Include] = []
        self.next: Line | None = None  # the line before which blocks are closed
        self.began: Line | None = None  # the first line that a header may not follow

    def add(self, line: Line, node: ast.Node | None) -> None:
        self._find_block(line)
        block = self.stack[-1]
        kind = line.tokens[0].type
        block.faulty |= node is None
        if kind == "RETURN":
            self._return(line, node, block)
            return
        if block.returned is not None and not block.late:
            block.late = True
            self.faults.append(rules.after_return(line.span, block.returned.span))
        if kind in ("PROGRAM", "NETWORK"):
            self._header(line, node)
        elif kind == "DEF" and len(self.stack) > 1:
            where = f"`{block.head.tokens[0].text}`" if block.head else "a block"
            self.faults.append(rules.def_in_block(line.tokens[0].span, where))
            self._open(line, None)
        elif line.opens_block:
            self._open(line, node)
        elif isinstance(node, ast.Include):
            self._include(line, node, block)
        elif node is not None:
            block.body.append(node)
        if kind not in ("INCLUDE", "PARAM", "PROGRAM", "NETWORK") and self.began is None:
            self.began = line

    def close(self, depth: int) -> None:
        """Close blocks until `depth` of them are open."""
        while len(self.stack) > depth:
            block = self.stack.pop()
            node = self._finish(block)
            if node is not None:
                self.stack[-1].body.append(node)
            if node is None or block.faulty:
                self.stack[-1].faulty = True

    # --- which block ---

    def _find_block(self, line: Line) -> None:
        """Close the blocks that end before this line; one fault for a run of wrongly indented lines."""
        self.next = line
        top = self.stack[-1]
        if top.indent is None:
            outer = self.stack[-2].indent if len(self.stack) > 1 else None
            if outer is None or line.indent > outer or line.odd_indent:
                top.indent = line.indent
                if outer is None and line.indent and not line.odd_indent:
                    self._indented(line, "the file begins indented", 0)
                    top.indent, top.shifted = 0, True
                return
            self.close(len(self.stack) - 1)
        if line.odd_indent:
            return
        indents = [b.indent or 0 for b in self.stack]
        keep = max((i + 1 for i, indent in enumerate(indents) if indent <= line.indent), default=1)
        self.close(keep)
        top = self.stack[-1]
        if line.indent == top.indent:
            top.shifted = False
        elif not top.shifted:
            deeper = keep == len(indents)
            self._indented(
                line,
                "this line is indented deeper than the line before"
                if deeper
                else "this line ends a block, but stands under no line before it",
                indents[keep - 1],
            )
            top.shifted = True

    def _indented(self, line: Line, message: str, indent: int) -> None:
        start = line.source.text.rfind("\n", 0, line.start) + 1
        self.faults.append(rules.indented(message, Span(line.source, start, line.start), line.indent, indent))

    def _open(self, line: Line, node: ast.Node | None) -> None:
        self.stack.append(_Block(line, node if len(self.stack) <= MAX_BLOCKS else None, None))
        if len(self.stack) == MAX_BLOCKS + 2:
            self.faults.append(rules.nested_blocks(line.tokens[0].span, MAX_BLOCKS))

    # --- what may stand where ---

    def _header(self, line: Line, node: ast.Node | None) -> None:
        word = line.tokens[0]
        if self.header is not None:
            self.faults.append(rules.second_header(word.span, self.header.span, _removed(line)))
        elif self.began is not None:
            before = self.began.tokens[0].span
            self.faults.append(rules.late_header(word.span, word.text, before, _moved_to_the_top(line)))
        if isinstance(node, (ast.ProgramHeader, ast.NetworkHeader)) and self.header is None:
            self.header = node

    def _include(self, line: Line, node: ast.Include, block: _Block) -> None:
        if block.head is None:
            self.includes.append(node)
            return
        word = block.head.tokens[0].text
        self.faults.append(rules.include_in_block(node.span, word, _moved_to_the_top(line)))

    def _return(self, line: Line, node: ast.Node | None, block: _Block) -> None:
        if not block.is_def:
            inside = any(b.is_def for b in self.stack)
            value = line.source.text[line.tokens[0].end : line.end].strip() if node is not None else ""
            self.faults.append(rules.return_outside(line.tokens[0].span, inside, value))
            for b in self.stack:
                b.faulty |= b.is_def
        elif block.returned is not None:
            self.faults.append(rules.second_return(line.tokens[0].span, block.returned.span, _removed(line)))
        elif isinstance(node, Return):
            block.returned = node

    def _empty_block(self, head: Line) -> None:
        below = _whole(self.next) if self.next is not None and self.next.indent == head.indent else None
        self.faults.append(rules.empty_block(head.tokens[0].text, head.tokens[-2].span, below))

    def _finish(self, block: _Block) -> ast.Statement | None:
        """The statement that a block makes, None where something in it is wrong."""
        head = block.head
        assert head is not None
        if block.indent is None:
            if not block.faulty and block.node is not None:
                self._empty_block(head)
            return None
        body = tuple(cast("list[ast.Statement]", block.body))
        if isinstance(block.node, DefHead) and block.returned is None and not block.faulty:
            self.faults.append(rules.returns_nothing(block.node.span, block.node.name.name))
            return None
        # A loop keeps its whole lines; a definition without one of its lines would be another definition.
        if block.node is None or not block.body and not block.is_def or block.faulty and block.is_def:
            return None
        last = block.returned or (block.body[-1] if block.body else block.node)
        span = block.node.span.to(last.span)
        if isinstance(block.node, ForHead):
            return ast.For(block.node.index, block.node.range, body, span=span, head=block.node.span)
        if isinstance(block.node, DefHead) and block.returned is not None:
            node, returned = block.node, block.returned
            return ast.Def(
                node.name,
                node.params,
                node.scalar_params,
                body,
                returned.value,
                span=span,
                head=node.span,
                returned=returned.span,
            )
        return None


def _whole(line: Line) -> Span:
    """A line with its indentation, a comment behind it, and its end."""
    text = line.source.text
    stop = text.find("\n", line.end)
    return Span(line.source, text.rfind("\n", 0, line.start) + 1, stop + 1 if stop >= 0 else len(text))


def _removed(line: Line) -> Edit:
    return Edit(_whole(line), "")


def _moved_to_the_top(line: Line) -> Edit:
    whole = _whole(line)
    return Edit(Span(line.source, 0, whole.end), whole.text.strip() + "\n" + line.source.text[: whole.start])


def assemble(
    lines: list[Parsed], faults: list[Diagnostic]
) -> tuple[ast.Header | None, tuple[ast.Statement, ...], tuple[ast.Include, ...]]:
    """The header, the statements and the includes of a file's lines; one that did not parse keeps its place."""
    assembler = _Assembler(faults)
    for line, node in lines:
        assembler.add(line, node)
    assembler.next = None
    assembler.close(1)
    statements = tuple(cast("list[ast.Statement]", assembler.stack[0].body))
    return assembler.header, statements, tuple(assembler.includes)

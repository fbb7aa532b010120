"""What a line that does not parse has wrong, in the writer's words, with an edit that would be accepted.

`explain` asks the rules in turn; the first that knows the mistake makes the diagnostic. A rule sees the tokens, which
one was unexpected, and what would have been read on. An edit is offered only after it was tried.
"""

from __future__ import annotations

from collections.abc import Callable

from netsor.diagnostics.data import Diagnostic
from netsor.syntax.mistakes import arrays, code, declared, expressions, latex, paper, statements
from netsor.syntax.mistakes.characters import mended
from netsor.syntax.mistakes.habit import recognise
from netsor.syntax.mistakes.inclusion import included
from netsor.syntax.mistakes.mistake import Mistake, called
from netsor.syntax.mistakes.paper import superscripts
from netsor.syntax.tokens import BEGINS_FACTOR, BEGINS_VALUE, Line

# Comments first: what stands in one is not a habit. LaTeX before what its commands are rewritten to.
_HABITS = (
    *code.COMMENTS, *code.STATEMENTS, *declared.HABITS, *paper.HABITS, *latex.HABITS, *arrays.HABITS, *code.HABITS
)  # fmt: skip

_RULES: tuple[Callable[[Mistake], Diagnostic | None], ...] = (
    statements.misspelt,
    statements.word_as_name,
    statements.colon,
    expressions.indexed_sum,
    statements.ranges,
    statements.law,
    statements.wrong_equals,
    statements.declaration,
    expressions.root,
    expressions.comparison,
    expressions.conditional,
    statements.function_head,
    expressions.argument,
    expressions.postfix,
    statements.no_statement,
    expressions.missing_value,
    statements.two_on_a_line,
)


def explain(mistake: Mistake) -> list[Diagnostic]:
    """The diagnostics for a line that did not parse: of all that it has in another language's way, or of one thing."""
    found = included(mistake.line, mistake.start) or superscripts(mistake.line, mistake.start, mistake.accepts)
    found = found or recognise(_HABITS, mistake.line, mistake.start, mistake.accepts)
    return found or [_explain(mistake)]


def explain_characters(line: Line, start: str, accepts: Callable[[str, str], bool]) -> list[Diagnostic]:
    """The diagnostics for a line with characters or brackets that are wrong by themselves."""
    found = included(line, start) or superscripts(line, start, accepts) or recognise(_HABITS, line, start, accepts)
    return found or mended(line, start, accepts)


def _explain(mistake: Mistake) -> Diagnostic:
    for rule in _RULES:
        found = rule(mistake)
        if found is not None:
            return found
    return _anything(mistake)


def _anything(m: Mistake) -> Diagnostic:
    """What no rule knows."""
    token = m.token
    hint = m.edit(token.start, token.start, ", ") if "COMMA" in m.expected and m.previous else ""
    if hint and m.previous is not None and m.previous.end < token.start:
        hint = m.edit(m.previous.end, token.start, ", ")
    at_end = token.type == "END"
    message = "the line ends too early" if at_end else f"{called(token)} cannot stand here"
    return m.fault("E120", message, _expectation(m.expected), hint)


_SHOWN = {
    "COMMA": "`,`",
    "SEMI": "`;`",
    "COLON": "`:`",
    "DEFINE": "`:=`",
    "EQ": "`=`",
    "TILDE": "`~`",
    "DOTS": "`..`",
    "APPLY_L": "`(`",
    "INDEX_L": "`[`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "ANGLE_R": "`⟩`",
    "THEN": "`then`",
    "ELSE": "`else`",
    "IN": "`in`",
    "AND": "`and`",
    "CMP": "a comparison",
    "END": "the end of the line",
}


def _expectation(expected: frozenset[str]) -> str:
    """What would have been accepted, in the words of the language."""
    words: list[str] = []
    if BEGINS_VALUE & expected > {"NAME"} or {"NUMBER"} & expected:
        words.append("a value" if "PLUS" not in expected else "")
    elif "NAME" in expected:
        words.append("a name")
    if "PLUS" in expected and BEGINS_FACTOR & expected:
        words.append("an operator")
    closers = [w for t, w in _SHOWN.items() if t in expected and t not in ("APPLY_L", "INDEX_L", "AND")]
    if "APPLY_L" in expected and not words:
        closers.insert(0, "`(`")
    words = [w for w in words if w] + closers
    if not words:
        return ""
    return (" or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]) + " expected"


__all__ = ["Mistake", "explain", "explain_characters"]

"""Lines that are meant to include a file, or the standard library, and are written as elsewhere."""

from __future__ import annotations

import re

from netsor.diagnostics.data import Diagnostic, Edit, Span
from netsor.syntax.mistakes.habit import end_of
from netsor.syntax.tokens import Line

_STANDARD = re.compile(r"""
    (?: (?:import|include|using|require|load)[\s(<'"“”]+(?:netsor[./])?std(?:lib)?(?:\.netsor)?[\s)>'"“”;:]*
      | from\s+(?:netsor[./])?std(?:lib)?\s+import\b.* )""", re.VERBOSE)  # fmt: skip
_FILE = re.compile(r"""
    (?:import|include|using|require|from|load|source)[\s(<'"“”]+
    (?P<path>[\w./\\ -]*?[\w]\.netsor)[\s)>'"“”;:]*(?:import\b.*)?""", re.VERBOSE)  # fmt: skip
# `include` is an ordinary name too, which other values may follow.
_STEM = re.compile(r"include[\s(<'“”]+(?P<path>[\w/-]+)[\s)>'“”;:]*")


def included(line: Line, start: str) -> list[Diagnostic]:
    """The diagnostic of a line that would include something; none where it would not."""
    if start != "line" or not line.tokens:
        return []
    text = line.source.text[line.start : end_of(line)]
    if _STANDARD.fullmatch(text):
        meant, message = "include std", "the standard library is included by its name"
    elif found := _FILE.fullmatch(text):
        path = found["path"].replace("\\", "/")
        meant, message = f'include "{path}"', "a file is included by its path in straight quotes"
    elif found := _STEM.fullmatch(text):
        meant, message = f'include "{found["path"]}.netsor"', "a file is included by its path in straight quotes"
    else:
        return []
    span = Span(line.source, line.start, line.start + len(text))
    edit = Edit(span, meant, safe=True)
    return [Diagnostic("E132", f"`{text}`: {message}", span, hint=f"write `{meant}`", edits=(edit,))]

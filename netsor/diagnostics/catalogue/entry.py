"""One rule of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from netsor.diagnostics.data import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A code, its rule in prose, the paper's place for it ('' if the paper has none), and two minimal programs.

    `bad` yields this code and no other, `good` is the same thing as it would be accepted; where the fault lies in the
    call and not in a program, both are command lines.
    """

    code: str
    title: str
    rule: str
    bad: str
    good: str
    paper: str = ""
    severity: Severity = "error"

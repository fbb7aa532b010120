"""One rule of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from netsor.diagnostics.data import Diagnostic, Edit, Label, Severity, Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A code, its rule in prose, the paper's place for it ('' if the paper has none), and two minimal programs.

    `bad` yields this code and no other, `good` is the same thing as it would be accepted; where the fault lies in the
    call and not in a program, both are command lines. `settings` and `data` are given to `bad` from outside, and
    `stage` says what finds it wanting: checking it, its limit, `--require`, or a run, and
    `files` is for what takes several files.

    Called with a message, an entry makes a diagnostic of its code.
    """

    code: str
    title: str
    rule: str
    bad: str
    good: str
    paper: str = ""
    severity: Severity = "error"
    settings: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    stage: Literal["check", "limit", "require", "run", "files"] = "check"

    def __call__(
        self,
        message: str,
        span: Span | None = None,
        label: str = "",
        *,
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        hint: str = "",
        edits: tuple[Edit, ...] = (),
    ) -> Diagnostic:
        return Diagnostic(self.code, message, span, self.severity, label, labels, notes, hint, edits)

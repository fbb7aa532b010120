"""`netsor check --fix`: the safe edits of a file's diagnostics, applied until none is left."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netsor.check import Report
from netsor.diagnostics import Diagnostic, Edit, Source, Span, apply_edits

_ROUNDS = 50
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Done:
    """An edit that was applied, and what it was applied for; `line` counts in the text as it was then."""

    diagnostic: Diagnostic
    edit: Edit

    @property
    def line(self) -> int:
        return self.edit.span.line

    def as_dict(self) -> dict[str, object]:
        old = self.edit.span.text
        return {"code": self.diagnostic.code, "line": self.line, "old": old, "new": self.edit.text}

    def __str__(self) -> str:
        old, new = (_shown(t) for t in (self.edit.span.text, self.edit.text))
        did = f"`{old}` became `{new}`" if old and new else f"`{new}` was inserted" if new else f"`{old}` was removed"
        return f"{self.diagnostic.code}: {did}"


def _shown(text: str) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= 60 else line[:59] + "…"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file after its safe edits: its bytes, what is left to say of it, and what was done."""

    data: bytes
    report: Report
    done: tuple[Done, ...]


def fix(name: str, data: bytes, check: Callable[[Source], Report]) -> Fixed:
    """The file with every safe edit applied; line ends and a byte order mark stay as they are, line by line.

    What is valid stays valid, with the same core: edits of a valid text are applied only where that was seen to hold.
    """
    raw = data.decode("utf-8")
    mark = _BOM if raw.startswith(_BOM) else ""
    raw = raw[len(mark) :]
    source = _source(name, raw)
    report = check(source)
    done: list[Done] = []
    seen = {raw}
    for _ in range(_ROUNDS):
        chosen = _compatible(_safe(report.diagnostics, source))
        if not chosen:
            break
        new = _applied(raw, source, chosen)
        if new in seen:
            break
        seen.add(new)
        new_source = _source(name, new)
        new_report = check(new_source)
        if report.ok and not _same_core(report, new_report):
            break
        raw, source, report = new, new_source, new_report
        done += chosen
    return Fixed((mark + raw).encode(), report, tuple(done))


def _source(name: str, raw: str) -> Source:
    return Source(name, raw.replace("\r\n", "\n").replace("\r", "\n"))


def _safe(diagnostics: Iterable[Diagnostic], source: Source) -> list[Done]:
    """The first edit of each diagnostic, where it is safe and of this text."""
    return [Done(d, e) for d in diagnostics for e in d.edits[:1] if e.safe and e.span.source is source]


def _compatible(found: list[Done]) -> list[Done]:
    """Those that do not touch each other, from left to right."""
    chosen: list[Done] = []
    for item in sorted(found, key=lambda i: (i.edit.span.start, i.edit.span.end)):
        if not chosen or chosen[-1].edit.span.end < item.edit.span.start:
            chosen.append(item)
    return chosen


def _applied(raw: str, source: Source, chosen: list[Done]) -> str:
    """The edits, which count in the text with unified line ends, applied to the text as it is in the file."""
    pairs = [m.start() - i for i, m in enumerate(re.finditer("\r\n", raw))]  # where each CRLF is in the unified text
    end = "\r\n" if len(pairs) > source.text.count("\n") / 2 else "\n"
    whole = Source(source.name, raw)

    def moved(edit: Edit) -> Edit:
        start, stop = (at + bisect_left(pairs, at) for at in (edit.span.start, edit.span.end))
        return Edit(Span(whole, start, stop), edit.text.replace("\n", end), edit.safe)

    return apply_edits(raw, [moved(item.edit) for item in chosen])


def _same_core(old: Report, new: Report) -> bool:
    from netsor.show.listing import listing

    if old.program is None or new.program is None or not new.ok:
        return False
    return listing(old.program) == listing(new.program)

"""Spellings of other languages: what each is called, and how the same is written here.

A habit is a pattern over the text of a line with its rewriting. All that a line shows are rewritten together, so that
the edit is one that would be accepted; the first gives the headline, the others are marked where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from netsor.diagnostics.data import Diagnostic, Edit, Label, Span, replacement
from netsor.syntax import characters
from netsor.syntax.tokens import Line

Rewrite = str | Callable[[re.Match[str]], str]

# A name, with combining marks, and one with indices.
NAME = r"[^\W\d][\w\u0300-\u036f]*"
MEMBER = rf"{NAME}(?:\[[^\[\]]*\])?"

_LONGEST = 2000  # characters of a line in which habits are looked for
_LONGEST_HINT = 100
_EQUALS = re.compile(rf"^((?:output\s+)?{MEMBER})\s*=\s*(?!=)")
_ROUNDS = 6  # of rewriting: so deep may habits be nested in each other


@dataclass(frozen=True)
class Habit:
    """A way to write something elsewhere. `{}` in `message` is what was typed; without `rewrite` there is no edit."""

    pattern: re.Pattern[str]
    message: str
    rewrite: Rewrite | None
    code: str = "E132"
    note: str = ""
    hint: str = ""
    safe: bool = False  # the rewriting is another spelling of the same, and nothing else
    # Whether the line, in this source, means something else.
    unless: Callable[[str, str], bool] = lambda line, source: False


REMOVE = "remove this line"


def habit(
    pattern: str,
    message: str,
    rewrite: Rewrite | None,
    code: str = "E132",
    *,
    note: str = "",
    hint: str = "",
    safe: bool = False,
    unless: Callable[[str, str], bool] = lambda line, source: False,
) -> Habit:
    return Habit(re.compile(pattern), message, rewrite, code, note, hint, safe, unless)


def recognise(habits: Sequence[Habit], line: Line, start: str, accepts: Callable[[str, str], bool]) -> list[Diagnostic]:
    """The diagnostics of a line written as elsewhere; none where it is not, or where the edit would not do.

    A line whose characters alone are wrong (`line.faults`) is told of its habits also without an edit, beside what
    else is wrong with it.
    """
    text, begin = line.source.text, line.start
    whole = text[begin : end_of(line)]
    if len(whole) > _LONGEST:
        return []
    habits = [h for h in habits if not h.unless(whole, text)]
    found = _found(habits, whole)
    if not found:
        return []
    edited = next((e for e in _edits(whole, habits) if e != whole and (e.startswith("#") or accepts(e, start))), "")
    if not edited and not line.faults and not any(f.habit.rewrite is None for f in found):
        return []
    lead = found[0].habit
    hint = lead.hint
    edits: tuple[Edit, ...] = ()
    if edited:
        safe = all(f.habit.safe for f in found) and all(characters.is_safe(c) for c in whole)
        edits = (replacement(line.source, begin, begin + len(whole), edited, safe),)
        short = "\n" not in edited and len(edited) <= _LONGEST_HINT
        hint = f"write `{edited}`" if short else found[0].replaced()
    made = Diagnostic(
        lead.code,
        lead.message.replace("{}", " ".join(found[0].text.split())),
        Span(line.source, begin + found[0].start, begin + found[0].end),
        labels=tuple(Label(Span(line.source, begin + f.start, begin + f.end), "and here") for f in found[1:4]),
        notes=(lead.note,) if lead.note else (),
        hint=hint,
        edits=edits or ((removal(line, begin + len(whole)),) if hint == REMOVE else ()),
    )
    if edited:
        return [made]
    spans = [(begin + f.start, begin + f.end) for f in found]
    rest = [d for d in line.faults if d.span and not any(a <= d.span.start < b for a, b in spans)]
    # Brackets are out of joint where half of them are spelled as elsewhere.
    return [made, *(d for d in rest if d.code not in ("E105", "E106"))]


def removal(line: Line, end: int) -> Edit:
    """The edit that removes a line with its indentation and its end; `end` is behind what is known of it."""
    text = line.source.text
    start = text.rfind("\n", 0, line.start) + 1
    stop = text.find("\n", end)
    return Edit(Span(line.source, start, stop + 1 if stop >= 0 else len(text)), "")


@dataclass(frozen=True)
class _Found:
    """A habit at its place in a line; what is shown of it is its group `at` where it has one."""

    habit: Habit
    match: re.Match[str]

    @property
    def _group(self) -> int | str:
        return "at" if "at" in self.habit.pattern.groupindex else 0

    @property
    def start(self) -> int:
        return self.match.start(self._group)

    @property
    def end(self) -> int:
        return self.match.end(self._group)

    @property
    def text(self) -> str:
        return self.match.group(self._group)

    def replaced(self) -> str:
        """The hint for a line that is too long to be shown as a whole."""
        rewrite = self.habit.rewrite
        new = self.match.expand(rewrite) if isinstance(rewrite, str) else rewrite(self.match) if rewrite else ""
        old = self.match.group()
        return f"write `{new.strip()}` for `{old.strip()}`" if new.strip() and len(new) < _LONGEST_HINT else ""


def _found(habits: Sequence[Habit], text: str) -> list[_Found]:
    """The habits of a line from left to right; the places that one has taken are no other's."""
    taken: list[_Found] = []
    for h in habits:
        for match in islice(h.pattern.finditer(text), 3):
            new = _Found(h, match)
            if new.end > new.start and all(new.end <= t.start or new.start >= t.end for t in taken):
                taken.append(new)
    return sorted(taken, key=lambda f: f.start)


def end_of(line: Line) -> int:
    """Where the text of a line ends, characters that make no token included."""
    text = line.source.text
    end = max([line.end, *(d.span.end for d in line.faults if d.span)])
    stop = re.compile(r"[^\n#]*").match(text, end)
    return end + len(stop.group().rstrip()) if stop else end


def _edits(text: str, habits: Sequence[Habit]) -> Iterator[str]:
    edited = _rewritten(text, habits)
    yield edited
    # Who writes as elsewhere also writes `=` for `:=`.
    yield _EQUALS.sub(r"\1 := ", edited)


def _rewritten(text: str, habits: Sequence[Habit]) -> str:
    for _ in range(_ROUNDS):
        before = text
        for h in habits:
            if text.startswith("#"):  # nothing in a comment is a mistake
                return text
            if h.rewrite is not None and len(text) <= 2 * _LONGEST:
                text = h.pattern.sub(h.rewrite, text)
        if text == before:
            break
    # `1.` and `0.` of other languages, so that the whole line can be accepted.
    text = re.sub(r"(?<![\w.])(\d+)\.(?![\w.])", r"\1", text)
    # Characters that merely look like the language's, so that the whole line can be accepted.
    return "".join(characters.meant(c) or c for c in text).rstrip()

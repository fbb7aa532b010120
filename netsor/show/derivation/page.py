"""A derivation laid out as text."""

from __future__ import annotations

from collections.abc import Callable

from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Form, Gaussian, Line, Note
from netsor.show.derivation.style import Text
from netsor.show.derivation.symbols import LIMIT, VECTOR, kind, names
from netsor.show.derivation.values import value_text
from netsor.show.derivation.wrap import display_width, folded

LONGEST = 400
_WIDTH = 100


def as_text(d: Derivation, width: int = _WIDTH, longest: int | None = LONGEST) -> str:
    """The derivation for a terminal: formulas on the left, rules on the right, notes below."""
    formulas = Formulas(d, Text(), longest is None)
    out = [f"{d.program.name or 'program'}: the limit as n → ∞, by Definition B.3", ""]
    if d.functions:
        out += [f"  {formulas.definition(f)}" for f in d.functions] + [""]
    for line in d.lines:
        out += _line(line, formulas, width, longest)
    return "\n".join(out) + "\n"


def _line(line: Line, formulas: Formulas, width: int, longest: int | None) -> list[str]:
    indent = "  " + "    " * line.depth
    steps = chain(line, formulas, longest)
    left, relation = head(line, formulas)
    joined = f"{indent}{left} {relation} {' = '.join(steps)}"
    rule = f"[{line.rule}]" if line.rule else ""
    room = width - display_width(rule) - 2
    if display_width(joined) <= room:
        rows = [joined]
    else:
        rows = [f"{indent}{left} {relation} {steps[0]}"]
        more = indent + "    = "
        rows += [more + s for s in steps[1:]]
    if rule:
        last = rows[0]
        gap = width - display_width(last) - display_width(rule)
        if gap >= 2:
            rows[0] = last + " " * gap + rule
        else:
            rows.insert(1, " " * max(0, width - display_width(rule)) + rule)
    if line.value is not None:
        rows.append(f"{indent}    = {value_text(line.value.value, line.value.error)}")
    rows += [f"{indent}    · {note_text(n, formulas, longest)}" for n in line.notes]
    return [r for row in rows for r in folded(row, width, indent + "        ")]


def _short(formulas: Formulas, form: Form, longest: int | None) -> str:
    text = formulas(form)
    return text if longest is None or len(text) <= longest else formulas.style.shortened(text, longest)


def head(line: Line, formulas: Formulas) -> tuple[str, str]:
    """The left side and its relation to the right: =, → or ~."""
    s = formulas.style
    if line.forms and isinstance(line.forms[0], Gaussian):
        return formulas.joined(line.left), s.law
    left = formulas.joined(line.left)
    if line.arrow and kind(line.left[0]) == LIMIT:
        name = s.name(names(line.left[0])[0])
        if line.output:
            return name, s.to
        return f"{name} {s.to} {left}", "="
    return left, "="


def chain(line: Line, formulas: Formulas, longest: int | None) -> list[str]:
    """The right sides, each only where it differs from the one before."""
    out: list[str] = []
    for k, form in enumerate(line.forms):
        # The first says what a Z is: that written out in Ẑ's tells nobody more once it is long.
        short = longest is not None and k > 0 and kind(line.left[0]) == VECTOR
        text = _short(formulas, form, longest * 2 // 5 if longest is not None and short else longest)
        if not out or text != out[-1]:
            out.append(text)
    return out


def note_text(note: Note, formulas: Formulas, longest: int | None, words: Callable[[str], str] = str) -> str:
    """A note with its formulas; `words` spells what stands between them."""
    a, b = formulas.style.math
    return "".join(words(p) if isinstance(p, str) else f"{a}{_short(formulas, p, longest)}{b}" for p in note.pieces)

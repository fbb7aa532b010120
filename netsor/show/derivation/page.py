"""A derivation laid out as text."""

from __future__ import annotations

from collections.abc import Callable

from netsor.diagnostics.columns import text_width
from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Gaussian, Line, Note
from netsor.show.derivation.symbols import LIMIT, VECTOR, kind, names
from netsor.show.derivation.values import value_text
from netsor.show.derivation.wrap import folded
from netsor.show.formula.text import Text
from netsor.show.formula.tree import Cut, Name, Row, Sign, Tree

LONGEST = 400
_WIDTH = 100
Print = Callable[[Tree], str]


def as_text(d: Derivation, width: int = _WIDTH, longest: int | None = LONGEST) -> str:
    """The derivation for a terminal: formulas on the left, rules on the right, notes below."""
    formulas, text = Formulas(d, longest is None), Text()
    out = [f"{d.program.name or 'program'}: the limit as n → ∞, by Definition B.3", ""]
    if d.functions:
        out += [f"  {text(formulas.definition(f))}" for f in d.functions] + [""]
    for line in d.lines:
        out += _line(line, formulas, text, width, longest)
    return "\n".join(out) + "\n"


def _line(line: Line, formulas: Formulas, text: Text, width: int, longest: int | None) -> list[str]:
    indent = "  " + "    " * line.depth
    steps = [text(t) for t in chain(line, formulas, text, longest)]
    left, relation = map(text, head(line, formulas))
    joined = f"{indent}{left} {relation} {' = '.join(steps)}"
    rule = f"[{line.rule}]" if line.rule else ""
    room = width - text_width(rule) - 2
    if text_width(joined) <= room:
        rows = [joined]
    else:
        rows = [f"{indent}{left} {relation} {steps[0]}"]
        more = indent + "    = "
        rows += [more + s for s in steps[1:]]
    if rule:
        last = rows[0]
        gap = width - text_width(last) - text_width(rule)
        if gap >= 2:
            rows[0] = last + " " * gap + rule
        else:
            rows.insert(1, " " * max(0, width - text_width(rule)) + rule)
    if line.value is not None:
        rows.append(f"{indent}    = {value_text(line.value.value, line.value.error)}")
    for note in line.notes:
        said = "".join(p if isinstance(p, str) else text(p) for p in told(note, formulas, text, longest))
        rows.append(f"{indent}    · {said}")
    return [r for row in rows for r in folded(row, width, indent + "        ")]


def shortened(tree: Tree, spelled: Print, longest: int | None) -> Tree:
    """The formula, or where it is longer than that how it begins and how long it is."""
    text = spelled(tree)
    if longest is None or len(text) <= longest:
        return tree
    return Cut(text[:longest].rsplit(" ", 1)[0], len(text))


def head(line: Line, formulas: Formulas) -> tuple[Tree, Sign]:
    """The left side and its relation to the right: =, → or ~."""
    if line.forms and isinstance(line.forms[0], Gaussian):
        return formulas.joined(line.left), Sign("~")
    left = formulas.joined(line.left)
    if line.arrow and kind(line.left[0]) == LIMIT:
        name = Name(names(line.left[0])[0])
        if line.output:
            return name, Sign("→")
        return Row((name, Sign("→"), left)), Sign("=")
    return left, Sign("=")


def chain(line: Line, formulas: Formulas, spelled: Print, longest: int | None) -> list[Tree]:
    """The right sides, each only where it differs from the one before."""
    out: list[Tree] = []
    for k, form in enumerate(line.forms):
        # The first says what a Z is: that written out in Ẑ's tells nobody more once it is long.
        short = longest is not None and k > 0 and kind(line.left[0]) == VECTOR
        most = longest * 2 // 5 if longest is not None and short else longest
        tree = shortened(formulas(form), spelled, most)
        if not out or spelled(tree) != spelled(out[-1]):
            out.append(tree)
    return out


def told(note: Note, formulas: Formulas, spelled: Print, longest: int | None) -> list[str | Tree]:
    """A note as words and formulas."""
    return [p if isinstance(p, str) else shortened(formulas(p), spelled, longest) for p in note.pieces]

"""A derivation as a LaTeX document, and as Markdown with LaTeX formulas."""

from __future__ import annotations

import unicodedata

from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Line, names_in
from netsor.show.derivation.measure import broken, width_of
from netsor.show.derivation.naming import LatexNames, latex_name
from netsor.show.derivation.page import LONGEST, chain, head, note_text
from netsor.show.derivation.style import Latex

_PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\allowdisplaybreaks
\renewcommand{\arraystretch}{1.25}
\begin{document}
\abovedisplayskip=4pt \belowdisplayskip=4pt
"""
# The page is this many letters wide, of which left sides and their sign may take a part; a wider left side has a row of
# its own. Steps go on in a row that stays shorter than _SHORT.
_PAGE, _LEFT, _SHORT = 80.0, 15.0, 46.0
# A row that is wider than the page by more than this is no longer read.
_WIDEST = 1.25
_INDENT = "\\quad "


def as_latex(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as a document that pdflatex compiles."""
    title = f"\\section*{{{plain(d.program.name or 'program')}: the limit as $n \\to \\infty$}}"
    return f"{_PREAMBLE}{title}\n{latex_body(d, longest)}\\end{{document}}\n"


def latex_body(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as part of a document that has amsmath and amssymb."""
    formulas = Formulas(d, Latex(LatexNames(names_in(d))), longest is None)
    out = []
    if d.functions:
        out.append(
            "\\begin{gather*}\n" + " \\\\\n".join(formulas.definition(f) for f in d.functions) + "\n\\end{gather*}"
        )
    rows: list[str] = []
    heads = [head(line, formulas)[0] for line in d.lines]
    left = max((w for w in map(width_of, heads) if w <= _LEFT), default=0.0)
    below = ""
    for line in d.lines:
        if rows:
            # Text between rows stands after the end of one, and ends none itself.
            rows += [rows.pop() + " \\\\", *([f"\\intertext{{{below}}}"] if below else [])]
        rows.append(" \\\\\n".join(_rows(line, formulas, longest, _PAGE - left)))
        notes = [f"\\hspace*{{1em}}{note_text(n, formulas, longest, words=plain)}" for n in line.notes]
        below = "\\small" + " \\newline\n".join(notes) if notes else ""
    out += ["\\begin{alignat*}{2}", *rows, "\\end{alignat*}"]
    if below:
        out.append(f"\\noindent{{{below}\\par}}")
    return "\n".join(out) + "\n"


def _rows(line: Line, formulas: Formulas, longest: int | None, room: float) -> list[str]:
    left, relation = head(line, formulas)
    steps = chain(line, formulas, longest)
    if line.value is not None:
        steps.append(_value(line.value.value, line.value.error))
    rows = [f"{relation} {steps[0]}"]
    for step in steps[1:]:
        relation = "" if step.startswith("\\approx") else "= "
        if width_of(rows[-1]) + width_of(step) <= _SHORT:
            rows[-1] += f" {relation}{step}"
        else:
            rows.append(f"{relation}{step}")
    rows = [part for row in rows for part in _fitted(row, room, longest is None)]
    tag = f" \\tag*{{\\scriptsize {plain(line.rule)}}}" if line.rule else ""
    if width_of(left) > _LEFT:
        return [f"& \\rlap{{$\\displaystyle {_INDENT * line.depth}{left}$}}{tag}", *(f"&&& {row}" for row in rows)]
    return [f"& {_INDENT * line.depth}{left} && {rows[0]}{tag}", *(f"&&& {row}" for row in rows[1:])]


def _fitted(row: str, room: float, full: bool) -> list[str]:
    """A row of a chain in rows that fit; one that cannot be broken, and is much too wide, is told instead."""
    first, *rest = broken(row, room)
    if not full and any(width_of(r) > _WIDEST * room for r in (first, *rest)):
        sign = row.split(" ", 1)[0]
        return [f"{sign} {Latex().shortened(row, 0)}"]
    return [first, *(f"\\quad {r}" for r in rest)]


def _value(value: float, error: float) -> str:
    # Digits with a bound are no fraction.
    shown = Latex().number(value, exact=error == 0)
    sign = "-" if value < 0 else ""
    return f"\\approx {sign}{shown}" + (f" \\pm {Latex().number(float(f'{error:.1e}'), exact=False)}" if error else "")


def plain(text: str) -> str:
    """Words as LaTeX text."""
    out = []
    for c in unicodedata.normalize("NFC", text):
        if c in "&%$#_{}":
            out.append("\\" + c)
        elif c.isascii():
            out.append(c)
        else:
            out.append(_WORDS.get(c) or _named(c))
    return "".join(out)


_WORDS = {
    "→": "$\\to$",
    "⁺": "$^{+}$",
    "ψ": "$\\psi$",
    "ᵀ": "$^{\\top}$",
    "Ẑ": "$\\hat{Z}$",
    "Ż": "$\\dot{Z}$",
    "·": "$\\cdot$",
    "…": "\\dots{}",
    "–": "--",
    "−": "$-$",
    "±": "$\\pm$",
}


def _named(c: str) -> str:
    return f"${latex_name(c)}$" if c.isalpha() else ""


def as_markdown(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as Markdown whose formulas are LaTeX between dollars."""
    formulas = Formulas(d, Latex(LatexNames(names_in(d))), longest is None)
    out = [f"## {d.program.name or 'program'}: the limit as $n \\to \\infty$", ""]
    if d.functions:
        out += [f"- ${formulas.definition(f)}$" for f in d.functions] + [""]
    for line in d.lines:
        left, relation = head(line, formulas)
        steps = chain(line, formulas, longest)
        text = f"{left} {relation} {' = '.join(steps)}"
        if line.value is not None:
            text += f" {_value(line.value.value, line.value.error)}"
        rule = f" — {line.rule}" if line.rule else ""
        out.append(f"{'  ' * line.depth}- ${text}${rule}")
        out += [f"{'  ' * (line.depth + 1)}- {note_text(n, formulas, longest)}" for n in line.notes]
    return "\n".join(out) + "\n"

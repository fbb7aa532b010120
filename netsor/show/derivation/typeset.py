"""A derivation as a LaTeX document, and as Markdown with LaTeX formulas."""

from __future__ import annotations

import re
import unicodedata

from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Line
from netsor.show.derivation.page import LONGEST, chain, head, note_text
from netsor.show.derivation.style import Latex

_PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\allowdisplaybreaks
\begin{document}
\abovedisplayskip=4pt \belowdisplayskip=4pt
"""
# A formula longer than this, in characters of LaTeX, starts a row of its own; much longer, it is broken at its terms.
_SHORT, _ROW = 110, 170
_INDENT = "\\quad "


def as_latex(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as a document that pdflatex compiles."""
    formulas = Formulas(d, Latex(), longest is None)
    out = [_PREAMBLE + f"\\section*{{{plain(d.program.name or 'program')}: the limit as $n \\to \\infty$}}"]
    if d.functions:
        out.append(
            "\\begin{gather*}\n" + " \\\\\n".join(formulas.definition(f) for f in d.functions) + "\n\\end{gather*}"
        )
    rows: list[str] = []
    for line in d.lines:
        if rows:
            rows[-1] += " \\\\"
        rows += [" \\\\\n".join(_rows(line, formulas, longest))]
        for n in line.notes:
            rows[-1] += f"\n\\intertext{{\\small\\quad {note_text(n, formulas, longest, words=plain)}}}"
    out += ["\\begin{alignat*}{2}", *rows, "\\end{alignat*}"]
    return "\n".join(out) + "\n\\end{document}\n"


def _rows(line: Line, formulas: Formulas, longest: int | None) -> list[str]:
    left, relation = head(line, formulas)
    steps = chain(line, formulas, longest)
    if line.value is not None:
        steps.append(_value(line.value.value, line.value.error))
    rows = [f"{relation} {steps[0]}"]
    for step in steps[1:]:
        relation = "" if step.startswith("\\approx") else "= "
        if len(rows[-1]) + len(step) <= _SHORT:
            rows[-1] += f" {relation}{step}"
        else:
            rows.append(f"{relation}{step}")
    broken = [part for row in rows for part in _broken(row)]
    first = f"& {_INDENT * line.depth}{left} && {broken[0]}"
    if line.rule:
        first += f" \\tag*{{\\scriptsize {plain(line.rule)}}}"
    return [first, *(f"&&& {row}" for row in broken[1:])]


def _broken(row: str) -> list[str]:
    """A long row cut at its + and − outside brackets."""
    if len(row) <= _ROW:
        return [row]
    out: list[str] = []
    depth = start = 0
    for m in re.finditer(r"\\left|\\right|\\begin|\\end|[{}]| [+-] ", row):
        token = m.group()
        if token in ("{", "\\left", "\\begin"):
            depth += 1
        elif token in ("}", "\\right", "\\end"):
            depth -= 1
        elif token.startswith(" ") and depth == 0 and m.start() - start > 0.6 * _ROW:
            out.append(row[start : m.start()])
            start = m.start() + 1
    out.append(row[start:])
    return [out[0], *(f"\\quad {r}" for r in out[1:])]


def _value(value: float, error: float) -> str:
    shown = Latex().number(value)
    sign = "-" if value < 0 else ""
    return f"\\approx {sign}{shown}" + (f" \\pm {Latex().number(float(f'{error:.1e}'))}" if error else "")


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
}


def _named(c: str) -> str:
    from netsor.show.derivation.naming import latex_name

    return f"${latex_name(c)}$" if c.isalpha() else ""


def as_markdown(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as Markdown whose formulas are LaTeX between dollars."""
    formulas = Formulas(d, Latex(), longest is None)
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

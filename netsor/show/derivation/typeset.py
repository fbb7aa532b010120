"""A derivation as a LaTeX document, and as Markdown with LaTeX formulas."""

from __future__ import annotations

import unicodedata

from netsor.gaussian import Estimate
from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Line, Note, names_in
from netsor.show.derivation.page import LONGEST, chain, head, told
from netsor.show.formula.latex import Latex, latex_name
from netsor.show.formula.names import Names
from netsor.show.formula.tree import Cut, Item, Negated, Number, Row, Sign, Tree, items_of

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
    return _Document(d, longest).body()


def as_markdown(d: Derivation, longest: int | None = 3 * LONGEST) -> str:
    """The derivation as Markdown whose formulas are LaTeX between dollars."""
    return _Document(d, longest).markdown()


class _Document:
    def __init__(self, d: Derivation, longest: int | None):
        self.d, self.longest = d, longest
        self.formulas = Formulas(d, longest is None)
        self.latex = Latex(Names(names_in(d)))
        self.definitions = [self.latex.text(self.formulas.definition(f)) for f in d.functions]

    def body(self) -> str:
        out = []
        if self.definitions:
            out.append("\\begin{gather*}\n" + " \\\\\n".join(self.definitions) + "\n\\end{gather*}")
        rows: list[str] = []
        heads = [self.latex(head(line, self.formulas)[0]).width for line in self.d.lines]
        left = max((w for w in heads if w <= _LEFT), default=0.0)
        below = ""
        for line in self.d.lines:
            if rows:
                # Text between rows stands after the end of one, and ends none itself.
                rows += [rows.pop() + " \\\\", *([f"\\intertext{{{below}}}"] if below else [])]
            rows.append(" \\\\\n".join(self.rows(line, _PAGE - left)))
            notes = [f"\\hspace*{{1em}}{self.note(n, escaped=True)}" for n in line.notes]
            below = "\\small" + " \\newline\n".join(notes) if notes else ""
        out += ["\\begin{alignat*}{2}", *rows, "\\end{alignat*}"]
        if below:
            out.append(f"\\noindent{{{below}\\par}}")
        return "\n".join(out) + "\n"

    def rows(self, line: Line, room: float) -> list[str]:
        left, relation = head(line, self.formulas)
        found = self.steps(line, relation)
        rows = [found[0]]
        for step in found[1:]:
            own = step[1:] if self.latex.text(step[0][1]) == "=" else step
            if self.latex.line(rows[-1]).width + self.latex.line(own).width <= _SHORT:
                rows[-1] = rows[-1] + step
            else:
                rows.append(step)
        fitted = [part for row in rows for part in self.fitted(row, room)]
        tag = f" \\tag*{{\\scriptsize {plain(line.rule)}}}" if line.rule else ""
        shown = self.latex(left)
        if shown.width > _LEFT:
            first = f"& \\rlap{{$\\displaystyle {_INDENT * line.depth}{shown.text}$}}{tag}"
            return [first, *(f"&&& {row}" for row in fitted)]
        return [f"& {_INDENT * line.depth}{shown.text} && {fitted[0]}{tag}", *(f"&&& {row}" for row in fitted[1:])]

    def steps(self, line: Line, relation: Sign) -> list[list[Item]]:
        """The right sides as rows, each with its relation, the number last."""
        trees = chain(line, self.formulas, self.latex.text, self.longest)
        out = [items_of(Row((relation if k == 0 else Sign("="), t))) for k, t in enumerate(trees)]
        return out if line.value is None else [*out, items_of(number(line.value))]

    def fitted(self, row: list[Item], room: float) -> list[str]:
        """A row of a chain in rows that fit; one that cannot be broken, and is much too wide, is told instead."""
        found = self.latex.broken(row, room)
        shown = [self.latex.line(r) for r in found]
        if self.longest is not None and any(r.width > _WIDEST * room for r in shown):
            told = Cut("", len(self.latex.line(row).text))
            return [f"{self.latex.text(row[0][1])} {self.latex.text(told)}"]
        first, *rest = (self.ended(r, row) for r in found)
        return [first, *(f"\\quad {r}" for r in rest)]

    def ended(self, part: list[Item], row: list[Item]) -> str:
        """A part of a row; where factors follow, it ends in the space before them."""
        text = self.latex.line(part).text
        last = next(k for k, item in enumerate(row) if item is part[-1])
        return text + "\\," if last + 1 < len(row) and row[last + 1][0] == 1 else text

    def note(self, note: Note, escaped: bool) -> str:
        pieces = told(note, self.formulas, self.latex.text, self.longest)
        words = plain if escaped else str
        return "".join(words(p) if isinstance(p, str) else f"${self.latex.text(p)}$" for p in pieces)

    def markdown(self) -> str:
        out = [f"## {self.d.program.name or 'program'}: the limit as $n \\to \\infty$", ""]
        if self.definitions:
            out += [f"- ${definition}$" for definition in self.definitions] + [""]
        for line in self.d.lines:
            left, relation = head(line, self.formulas)
            text = " ".join([self.latex.text(left), *(self.latex.line(s).text for s in self.steps(line, relation))])
            rule = f" — {line.rule}" if line.rule else ""
            out.append(f"{'  ' * line.depth}- ${text}${rule}")
            out += [f"{'  ' * (line.depth + 1)}- {self.note(n, escaped=False)}" for n in line.notes]
        return "\n".join(out) + "\n"


def number(value: Estimate) -> Tree:
    """≈ a number ± its error; digits with a bound are not a fraction."""
    if not value.error:
        return Row((Sign("≈"), _signed(Number(abs(value.value)), value.value)))
    shown = _signed(Number(abs(value.value), exact=False), value.value)
    return Row((Sign("≈"), shown, Sign("±"), Number(float(f"{value.error:.1e}"), exact=False)))


def _signed(tree: Tree, value: float) -> Tree:
    return Negated(tree) if value < 0 else tree


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

"""A derivation as rows of HTML: what is derived, its formulas in MathML, the rule, and the notes below."""

from __future__ import annotations

from html import escape
from typing import Any

from netsor.report.mathml import UnknownLatex, mathml
from netsor.show.derivation.measure import broken, width_of

_LONGEST = 1200
# Letters that a row of a page has room for.
_ROW = 84.0


def derivation_rows(derivation: Any, numbers: bool = True) -> str:
    """The lines of a derivation (`netsor.show.derivation`), definitions of the program first."""
    from netsor.show.derivation.formula import Formulas
    from netsor.show.derivation.lines import names_in
    from netsor.show.derivation.naming import LatexNames
    from netsor.show.derivation.style import Latex, Text

    latex = Latex(LatexNames(names_in(derivation)))
    return _Rows(derivation, Formulas(derivation, latex), Formulas(derivation, Text())).html()


class _Rows:
    def __init__(self, derivation: Any, latex: Any, text: Any):
        self.derivation, self.latex, self.text = derivation, latex, text

    def html(self) -> str:
        definitions = [(self.latex.definition(f), self.text.definition(f)) for f in self.derivation.functions]
        out = [f'<div class="line"><div class="sum">{self.math(*d)}</div></div>' for d in definitions]
        out += [self.line(line) for line in self.derivation.lines]
        return "\n".join(out)

    def math(self, latex: str, text: str) -> str:
        if len(text) > _LONGEST:
            return f"<span>a formula of {len(text):,} characters; <code>netsor derive --full</code> shows it</span>"
        try:
            return mathml(latex)
        except UnknownLatex:
            return f'<span class="formula">{escape(text)}</span>'

    def rows(self, latex: str, text: str) -> list[str]:
        """A step in rows that fit on paper, cut between its terms and factors; told by its length where none does."""
        found = broken(latex, _ROW)
        if any(width_of(row) > 1.5 * _ROW for row in found):
            start = f"{self.math('=', '=')} " if latex.startswith("=") else ""
            return [
                f"{start}<span>a formula of {len(text):,} characters; <code>netsor derive --full</code> shows it</span>"
            ]
        return [self.math(row, text) for row in found]

    def line(self, line: Any) -> str:
        from netsor.show.derivation.page import chain, head

        left, relation = head(line, self.latex)
        left_text, relation_text = head(line, self.text)
        latex = chain(line, self.latex, None)
        text = chain(line, self.text, None)
        if len(text) != len(latex):
            text = [self.text(f) for f in line.forms][: len(latex)] + [""] * max(0, len(latex) - len(line.forms))
        steps = self.rows(
            f"{left} {relation} {latex[0]}" if latex else left,
            f"{left_text} {relation_text} {text[0] if text else ''}",
        )
        steps += [row for a, b in zip(latex[1:], text[1:]) for row in self.rows(f"= {a}", f"= {b}")]
        if line.value is not None:
            steps.append(f'<span class="value">= {_number(line.value.value, line.value.error)}</span>')
        rule = f'<span class="rule">{escape(line.rule)}</span>' if line.rule else ""
        notes = "".join(f'<div class="note">{self.note(n)}</div>' for n in line.notes)
        css = "line" + (" deeper" if line.depth else "") + (" result" if line.output else "")
        body = "".join(f'<div class="step">{s}</div>' for s in steps)
        return f'<div class="{css}"><div class="sum">{body}</div>{rule}{notes}</div>'

    def note(self, note: Any) -> str:
        return "".join(escape(p) if isinstance(p, str) else self.math(self.latex(p), self.text(p)) for p in note.pieces)


def _number(value: float, error: float) -> str:
    shown = f"{value:.12g}".replace("-", "−")
    return shown if error == 0 else f"{shown} ± {error:.1e}"

"""A derivation as rows of HTML: what is derived, its formulas in MathML, the rule, and the notes below."""

from __future__ import annotations

from html import escape

from netsor.show.derivation.formula import Formulas
from netsor.show.derivation.lines import Derivation, Line, Note, names_in
from netsor.show.derivation.page import chain, head, told
from netsor.show.derivation.values import value_text
from netsor.show.formula.latex import Latex
from netsor.show.formula.mathml import MathML
from netsor.show.formula.names import Names
from netsor.show.formula.text import Text
from netsor.show.formula.tree import Row, Sign, Tree, items_of

_LONGEST = 1200
# Letters that a row of a page has room for.
_ROW = 84.0


def derivation_rows(derivation: Derivation) -> str:
    """The lines of a derivation (`netsor.show.derivation`), definitions of the program first."""
    return _Rows(derivation).html()


class _Rows:
    def __init__(self, derivation: Derivation):
        self.derivation = derivation
        self.formulas = Formulas(derivation)
        names = Names(names_in(derivation))
        self.text, self.latex, self.mathml = Text(), Latex(names), MathML(names)

    def html(self) -> str:
        definitions = (self.math(self.formulas.definition(f)) for f in self.derivation.functions)
        out = [f'<div class="line"><div class="sum">{d}</div></div>' for d in definitions]
        out += [self.line(line) for line in self.derivation.lines]
        return "\n".join(out)

    def math(self, tree: Tree) -> str:
        length = len(self.text(tree))
        return self.mathml.math(tree) if length <= _LONGEST else _told(length)

    def rows(self, relation: Sign, tree: Tree) -> list[str]:
        """A step in rows that fit on paper, cut between its terms and factors; told by its length where none does."""
        whole = Row((relation, tree))
        length = len(self.text(whole))
        found = self.latex.broken(items_of(whole), _ROW) if length <= _LONGEST else []
        if not found or any(self.latex.line(row).width > 1.5 * _ROW for row in found):
            start = f"{self.math(relation)} " if relation.sign == "=" else ""
            return [start + _told(length)]
        return [self.mathml.line(row) for row in found]

    def line(self, line: Line) -> str:
        left, relation = head(line, self.formulas)
        trees = chain(line, self.formulas, self.text, None)
        steps = self.rows(relation, trees[0])
        steps[0] = f"{self.math(left)} {steps[0]}"
        steps += [row for tree in trees[1:] for row in self.rows(Sign("="), tree)]
        if line.value is not None:
            steps.append(f'<span class="value">= {value_text(line.value.value, line.value.error)}</span>')
        rule = f'<span class="rule">{escape(line.rule)}</span>' if line.rule else ""
        notes = "".join(f'<div class="note">{self.note(n)}</div>' for n in line.notes)
        css = "line" + (" deeper" if line.depth else "") + (" result" if line.output else "")
        body = "".join(f'<div class="step">{s}</div>' for s in steps)
        return f'<div class="{css}"><div class="sum">{body}</div>{rule}{notes}</div>'

    def note(self, note: Note) -> str:
        pieces = told(note, self.formulas, self.text, None)
        return "".join(escape(p) if isinstance(p, str) else self.math(p) for p in pieces)


def _told(length: int) -> str:
    return f"<span>a formula of {length:,} characters; <code>netsor derive --full</code> shows it</span>"

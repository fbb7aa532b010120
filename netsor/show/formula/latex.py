"""Formulas for LaTeX (amsmath, amssymb), with about the width in which they come out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netsor.expr import FUNCTIONS
from netsor.show.formula import tree as f
from netsor.show.formula.names import Names, latex_typed, latex_word, usual
from netsor.show.formula.text import digits, fraction_of
from netsor.show.formula.tree import FACTOR, TERM, Fold, Item, Tree, graphemes, items_of

# A mark above or below is smaller than one on the line, and signs between terms have room around them.
_SMALL, _ROOMY = 0.68, 1.4
_SIGNS = {
    "→": "\\to", "~": "\\sim", "≈": "\\approx", "±": "\\pm", "−": "-", "E": "\\mathbb{E}", "⊤": "\\top", "∘": "\\circ",
    "<": "<", "<=": "\\le", ">": ">", ">=": "\\ge", "==": "=", "!=": "\\ne", "and": "\\land", "or": "\\lor",
    "not": "\\lnot", "N": "\\mathcal{N}", "Σ": "\\Sigma", "𝒦": "\\mathcal{K}",
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """LaTeX, how many letters wide it comes out, and whether brackets around it have to grow."""

    text: str
    width: float = 0.0
    tall: bool = False


def ink(text: str, width: float | None = None) -> Box:
    """What is seen: a letter each, unless a command stands for it."""
    return Box(text, len(text) if width is None else width)


def row(*pieces: Box | str) -> Box:
    """Pieces side by side; strings are commands, which take no room."""
    boxes = [p if isinstance(p, Box) else Box(p) for p in pieces]
    return Box("".join(b.text for b in boxes), sum(b.width for b in boxes), any(b.tall for b in boxes))


def joined(between: Box | str, boxes: list[Box]) -> Box:
    """Boxes with something between them."""
    return row(*[x for k, b in enumerate(boxes) for x in ((between, b) if k else (b,))])


def small(box: Box) -> Box:
    """A box above or below the line."""
    return Box(box.text, _SMALL * box.width, box.tall)


def sign(char: str) -> Box:
    """A sign by its command."""
    text = _SIGNS.get(char, char)
    return ink(text, _ROOMY if char in "+−=→~≈±" else 1.0)


def stacked(command: str, lines: list[Box]) -> Box:
    """An environment whose rows stand below each other."""
    inside = joined(" \\\\ ", lines)
    widest = max((b.width for b in lines), default=0.0)
    return Box(f"\\begin{{{command}}} {inside.text} \\end{{{command}}}", widest, True)


class Latex(Fold[Box]):
    """A tree as LaTeX."""

    def __init__(self, names: Names | None = None):
        super().__init__()
        self.names = names or Names()

    def text(self, tree: Tree) -> str:
        return self(tree).text

    def name(self, name: str) -> Box:
        """The LaTeX of a name of the program."""
        return self(self.names(name))

    def node(self, tree: Tree) -> Box:
        at = self.done
        match tree:
            case f.Name(name):
                return self.name(name)
            case f.Word(letters):
                text = latex_word(letters)
                return ink(text, max(graphemes(letters), len(text) - 9 if text.startswith("\\math") else 0))
            case f.Index(text):
                return ink(text.replace("-", "{-}"), len(text.replace(" ", "")) + 0.4 * text.count("-"))
            case f.Typed(name):
                return ink(latex_typed(name), graphemes(name))
            case f.Number(value, exact):
                number = self._number(abs(value), exact)
                return row(sign("−"), number) if value < 0 else number
            case f.Sign(char):
                return sign(char)
            case f.Words(text):
                shown = text.replace("×", "$\\times$").replace("--", "{-}{-}")
                return ink(f"\\text{{{shown}}}", len(text.replace(" ", "")))
            case f.Cut(_, count):
                return ink(f"\\dots\\ \\text{{({count:,} characters; {{-}}{{-}}full shows them)}}", 30)
            case f.Over(letter, above):
                hat = {"Ẑ": "\\hat{Z}", "Ż": "\\dot{Z}"}.get(letter, letter)
                return row(ink(hat, 1), "^{", small(at[above]), "}")
            case f.Applied(matrix, transposed, vector):
                gap = "\\," if graphemes(matrix.name) > 1 and not transposed else " "
                mark = row("^{", small(sign("⊤")), "}") if transposed else row()
                return row(at[matrix], mark, gap, at[vector])
            case f.Limit(of):
                if graphemes(of.name) == 1:
                    return row("\\mathring{", at[of], "}")
                return row("{", at[of], "}^{", small(sign("∘")), "}")
            case f.Subscript(base, below):
                return row(at[base], "_{", small(joined(ink(", ", 1), [at[b] for b in below])), "}")
            case _:
                return self._operation(tree)

    def _operation(self, tree: Tree) -> Box:
        at = self.done
        match tree:
            case f.Sum() | f.Negated() | f.Product() | f.Mean(whole=True):
                return self.line(items_of(tree))
            case f.Row(items):
                return joined(" ", [at[i] for i in items])
            case f.Listed(items):
                return joined(ink(", ", 1), [at[i] for i in items])
            case f.Fraction(above, below):
                a, b = at[above], at[below]
                return Box(f"\\frac{{{a.text}}}{{{b.text}}}", max(a.width, b.width), True)
            case f.Derivative(a, b):
                text = f"\\frac{{\\partial {at[a].text}}}{{\\partial {at[b].text}}}"
                return Box(text, 1 + max(at[a].width, at[b].width), True)
            case f.Power(base, exponent):
                return row(at[base], "^{", small(self._digits(exponent)), "}")
            case f.Root(inside):
                return Box(f"\\sqrt{{{at[inside].text}}}", at[inside].width, True)
            case f.Brackets(inside):
                return self._fenced("(", at[inside], ")")
            case f.Mean(inside):
                return row(sign("E"), self._fenced("[", at[inside], "]"))
            case f.Law(inside):
                return row(sign("N"), self._fenced("(", at[inside], ")"))
            case f.Covariance(a, b):
                if b is None:
                    return row("\\operatorname{", ink("Var"), "} ", at[a])
                return row("\\operatorname{", ink("Cov"), "}", ink("("), at[a], ink(", ", 1), at[b], ink(")"))
            case f.Matrix():
                rows = tree.rows(at)
                return rows[0][0] if len(rows) == 1 else stacked("pmatrix", [joined(ink(" & ", 1), r) for r in rows])
            case f.PseudoInverse(c, b):
                first, second = (row(ink(f"{x} = ", 1 + _ROOMY), at[m]) for x, m in (("C", c), ("b", b)))
                return row(ink("C^{+} b,", 3 + _SMALL * _ROOMY), "\\quad ", first, ink(",", 1), "\\quad ", second)
            case _:
                return self._function(tree)

    def _function(self, tree: Tree) -> Box:
        at = self.done
        match tree:
            case f.Builtin(name):
                entry = FUNCTIONS.get(name)
                if entry is not None and entry.latex is not None:
                    return ink(entry.latex, 1)
                plain = re.sub("[^A-Za-z]", "", name)
                return ink(f"\\operatorname{{{plain}}}", len(plain))
            case f.Function(name, marks, single):
                plain = name.name
                is_word = plain.isascii() and len(plain) > 1 and plain.isalpha()
                shown = row("\\operatorname{", ink(plain), "}") if is_word else at[name]
                total = sum(k for _, k in marks)
                if single and total >= 4:
                    return row(shown, "^{", small(ink(f"({total})")), "}")
                if single:
                    return row(shown, ink("'" * total))
                slopes = [row(ink("\\partial", 1), "_{", small(self.name(p)), "} ") for p, k in marks for _ in range(k)]
                return row(*slopes, shown)
            case f.Call(head, arguments, parameters):
                fences = FUNCTIONS[head.name].fences if isinstance(head, f.Builtin) else None
                if fences is not None:
                    a = at[arguments[0]]
                    return Box(a.text.join(fences), a.width + 2, True)
                groups = [joined(ink(", ", 1), [at[a] for a in group]) for group in (arguments, parameters) if group]
                return row(at[head], self._fenced("(", joined(ink("; ", 1), groups), ")"))
            case f.Compare(op, a, b):
                return row(at[a], " ", sign(op), " ", at[b])
            case f.Logic(op, tests):
                if op == "not":
                    return row(sign(op), ink(" (", 1), at[tests[0]], ink(")"))
                return joined(row(" ", sign(op), " "), [at[t] for t in tests])
            case f.Indicator(test):
                return row(ink("\\mathbf{1}", 1), ink("\\{", 1), at[test], ink("\\}", 1))
            case f.Branches(test, then, other):
                one = row(at[then], ink(" & ", 1), ink("\\text{if } ", 2), at[test])
                return stacked("cases", [one, row(at[other], ink(" & ", 1), ink("\\text{else}", 4))])
            case _:
                raise TypeError(type(tree).__name__)

    @staticmethod
    def _fenced(left: str, inside: Box, right: str) -> Box:
        if inside.tall:
            return row("\\left", ink(left), inside, "\\right", ink(right))
        return row(ink(left), inside, ink(right))

    def _digits(self, exponent: Tree) -> Box:
        return ink(digits(exponent.value)) if isinstance(exponent, f.Number) else self.done[exponent]

    @staticmethod
    def _number(value: int | float, exact: bool) -> Box:
        simple = fraction_of(value) if exact else None
        if simple is not None:
            above, below = str(simple.numerator), str(simple.denominator)
            return ink(f"\\tfrac{{{above}}}{{{below}}}", max(len(above), len(below)))
        text = digits(value)
        if "e" not in text:
            return ink(text)
        mantissa, power = text.split("e")
        exponent = str(int(power))
        ten = row(ink("10"), "^{", small(ink(exponent, len(exponent) + 0.4 * exponent.count("-"))), "}")
        return ten if mantissa == "1" else row(ink(mantissa), " ", ink("\\cdot", 1), " ", ten)

    # --- rows ---------------------------------------------------------------------------------------------------

    def line(self, items: list[Item]) -> Box:
        """Items side by side, as terms and factors are."""
        out: list[Box | str] = []
        for k, (joint, tree) in enumerate(items):
            if k:
                out.append("\\, " if joint == FACTOR else " ")
            # A sign before a formula that begins with it stands close.
            out.append(row(sign("−"), self(tree.inside)) if isinstance(tree, f.Negated) else self(tree))
        return row(*out)

    def broken(self, items: list[Item], room: float) -> list[list[Item]]:
        """Items in rows of about `room` letters: cut before + and −, else between factors, never inside brackets."""
        for level in (TERM, FACTOR):
            starts = [k for k, (joint, _) in enumerate(items) if k and joint == level]
            if not starts or self.line(items).width <= room:
                continue
            rows: list[list[Item]] = []
            for a, b in zip([0, *starts], [*starts, len(items)], strict=True):
                if rows and self.line(rows[-1] + items[a:b]).width <= room:
                    rows[-1] += items[a:b]
                else:
                    rows.append(items[a:b])
            return [r for each in rows for r in self.broken(each, room)] if len(rows) > 1 else rows
        return [items]


def latex_name(name: str) -> str:
    """A name as LaTeX for mathematics: δh̃₁ → \\\\delta\\\\tilde{h}_{1}, x[1,2] → x_{1,2}."""
    return Latex()(usual(name)).text

"""How formulas are spelled: the same marks in text and in LaTeX."""

from __future__ import annotations

import re
from fractions import Fraction

from netsor.expr.functions import FUNCTIONS
from netsor.show.derivation.naming import LatexNames, graphemes, latex_name, product_text

_SUPERSCRIPTS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def number(value: int | float) -> str:
    """A number with as many digits as a reader wants."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def fraction_of(value: int | float) -> Fraction | None:
    """p/q where the number is that and its decimals do not end."""
    if isinstance(value, int) or len(f"{value:.12g}") < 10:
        return None
    found = Fraction(value).limit_denominator(200)
    return found if found and abs(float(found) - value) <= 4e-16 * abs(value) else None


class Text:
    """Formulas for a terminal: Z^h, Ẑ^{Wz̃}, E[φ(Z^g) φ(Z^g̃)], χ̊."""

    minus, times, to, law, tiny = "−", " ", "→", "~", " "
    compare = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
    words = {"and": "and", "or": "or", "not": "not"}
    math = ("", "")

    def number(self, value: int | float) -> str:
        simple = fraction_of(abs(value))
        if simple is not None:
            return f"{simple.numerator}/{simple.denominator}"
        text = number(abs(value))
        if "e" in text:
            mantissa, power = text.split("e")
            ten = f"10{str(int(power)).translate(_SUPERSCRIPTS)}"
            text = ten if mantissa == "1" else f"{mantissa}·{ten}"
        return text

    def name(self, name: str) -> str:
        return name

    def over(self, letter: str, name: str) -> str:
        return f"{letter}^{name}" if graphemes(name) == 1 else f"{letter}^{{{name}}}"

    def product(self, matrix: str, transposed: bool, vector: str) -> str:
        return product_text(matrix, transposed, vector)

    def inner(self, a: str, b: str) -> str:
        return f"{a}ᵀ{b}"

    def limit(self, name: str) -> str:
        return name + "\u030a" if graphemes(name) == 1 else f"{name}°"

    def indexed(self, letter: str, k: int) -> str:
        return letter + str(k).translate(_SUBSCRIPTS)

    def power(self, base: str, exponent: int | float | str) -> str:
        if isinstance(exponent, int):
            return base + str(exponent).translate(_SUPERSCRIPTS)
        return f"{base}^{exponent if isinstance(exponent, str) else number(exponent)}"

    def root(self, inside: str) -> str:
        return f"√{inside}" if graphemes(inside) == 1 else f"√({inside})"

    def fraction(self, above: str, below: str, simple: bool) -> str:
        return f"{above} / {below}" if simple else f"{above} / ({below})"

    def brackets(self, inside: str) -> str:
        return f"({inside})"

    def expectation(self, inside: str, whole: bool) -> str:
        return f"E {inside}" if whole else f"E[{inside}]"

    def covariance(self, a: str, b: str) -> str:
        if a == b:
            return f"Var {a}"
        return f"Cov({a}, {b})"

    def slope(self, x: str, hat: str) -> str:
        return f"E ∂{x}/∂{hat}"

    def function(self, name: str, marks: tuple[tuple[str, int], ...], single: bool) -> str:
        total = sum(k for _, k in marks)
        if single:
            return name + ("'" * total if total < 4 else f"^({total})")
        return "".join(f"∂_{p} " * k for p, k in marks) + name

    def call(self, name: str) -> str:
        return name

    def indicator(self, test: str) -> str:
        return f"1{{{test}}}"

    def branches(self, test: str, then: str, other: str) -> str:
        return f"(if {test} then {then} else {other})"

    def matrix(self, rows: list[list[str]]) -> str:
        if len(rows) == 1:
            return rows[0][0]
        return "[" + ", ".join("[" + ", ".join(r) + "]" for r in rows) + "]"

    def column(self, items: list[str]) -> str:
        return "[" + ", ".join(items) + "]"

    def pseudo(self, c: str, b: str) -> str:
        return f"C⁺ b, C = {c}, b = {b}"

    def aside(self, text: str) -> str:
        return f", {text}"

    def shortened(self, text: str, longest: int) -> str:
        return f"{text[:longest].rsplit(' ', 1)[0]} … ({len(text):,} characters; --full shows them)"


def _is_tall(latex: str) -> bool:
    """Whether brackets around a formula have to grow."""
    return any(mark in latex for mark in ("\\frac", "\\begin", "\\sqrt", "\\left"))


class Latex:
    """Formulas for LaTeX (amsmath, amssymb)."""

    minus, times, to, law, tiny = "-", "\\, ", "\\to", "\\sim", " "
    compare = {"<": "<", "<=": "\\le", ">": ">", ">=": "\\ge", "==": "=", "!=": "\\ne"}
    words = {"and": "\\land", "or": "\\lor", "not": "\\lnot"}
    math = ("$", "$")

    def __init__(self, names: LatexNames | None = None):
        self.name = names or LatexNames()

    def number(self, value: int | float, exact: bool = True) -> str:
        simple = fraction_of(abs(value)) if exact else None
        if simple is not None:
            return f"\\tfrac{{{simple.numerator}}}{{{simple.denominator}}}"
        text = number(abs(value))
        if "e" in text:
            mantissa, power = text.split("e")
            ten = f"10^{{{int(power)}}}"
            return ten if mantissa == "1" else f"{mantissa} \\cdot {ten}"
        return text

    def over(self, letter: str, name: str) -> str:
        symbol = {"Ẑ": "\\hat{Z}", "Ż": "\\dot{Z}"}.get(letter, letter)
        return f"{symbol}^{{{name}}}"

    def product(self, matrix: str, transposed: bool, vector: str) -> str:
        w, x = self.name(matrix), self.name(vector)
        if transposed:
            # An index below and ⊤ above go together; a second ^ would not.
            w = f"{w}^{{\\top}}"
        gap = "\\," if graphemes(matrix) > 1 and not transposed else " "
        return f"{w}{gap}{x}"

    def inner(self, a: str, b: str) -> str:
        return f"{self.name(a)}^{{\\top}} {self.name(b)}"

    def limit(self, name: str) -> str:
        if graphemes(name) == 1:
            return f"\\mathring{{{self.name(name)}}}"
        return f"{{{self.name(name)}}}^{{\\circ}}"

    def indexed(self, letter: str, k: int) -> str:
        return f"{latex_name(letter)}_{{{k}}}"

    def power(self, base: str, exponent: int | float | str) -> str:
        inside = exponent if isinstance(exponent, str) else number(exponent)
        # A base that has an exponent already is put in brackets by whoever calls.
        return f"{base}^{{{inside}}}"

    def root(self, inside: str) -> str:
        return f"\\sqrt{{{inside}}}"

    def fraction(self, above: str, below: str, simple: bool) -> str:
        return f"\\frac{{{above}}}{{{below}}}"

    def brackets(self, inside: str) -> str:
        return f"\\left({inside}\\right)" if _is_tall(inside) else f"({inside})"

    def expectation(self, inside: str, whole: bool) -> str:
        if whole:
            return f"\\mathbb{{E}}\\, {inside}"
        return f"\\mathbb{{E}}\\left[{inside}\\right]" if _is_tall(inside) else f"\\mathbb{{E}}[{inside}]"

    def covariance(self, a: str, b: str) -> str:
        if a == b:
            return f"\\operatorname{{Var}} {a}"
        return f"\\operatorname{{Cov}}({a}, {b})"

    def slope(self, x: str, hat: str) -> str:
        return f"\\mathbb{{E}}\\, \\frac{{\\partial {x}}}{{\\partial {hat}}}"

    def function(self, name: str, marks: tuple[tuple[str, int], ...], single: bool) -> str:
        total = sum(k for _, k in marks)
        shown = f"\\operatorname{{{name}}}" if name.isascii() and len(name) > 1 and name.isalpha() else self.name(name)
        if single:
            if total >= 4:
                return f"{shown}^{{({total})}}"
            return shown + "'" * total
        return "".join(f"\\partial_{{{self.name(p)}}} " * k for p, k in marks) + shown

    def call(self, name: str) -> str:
        entry = FUNCTIONS.get(name)
        if entry is not None and entry.latex is not None:
            return entry.latex
        return f"\\operatorname{{{re.sub('[^A-Za-z]', '', name)}}}"

    def indicator(self, test: str) -> str:
        return f"\\mathbf{{1}}\\{{{test}\\}}"

    def branches(self, test: str, then: str, other: str) -> str:
        return f"\\begin{{cases}} {then} & \\text{{if }} {test} \\\\ {other} & \\text{{else}} \\end{{cases}}"

    def matrix(self, rows: list[list[str]]) -> str:
        if len(rows) == 1:
            return rows[0][0]
        return "\\begin{pmatrix} " + " \\\\ ".join(" & ".join(r) for r in rows) + " \\end{pmatrix}"

    def column(self, items: list[str]) -> str:
        return self.matrix([[x] for x in items])

    def pseudo(self, c: str, b: str) -> str:
        return f"C^{{+}} b,\\quad C = {c},\\quad b = {b}"

    def aside(self, text: str) -> str:
        return "\\text{, " + text.replace("×", "$\\times$").replace("--", "{-}{-}") + "}"

    def shortened(self, text: str, longest: int) -> str:
        # LaTeX cannot be cut anywhere: only the length is told.
        return f"\\dots\\ \\text{{({len(text):,} characters; {{-}}{{-}}full shows them)}}"

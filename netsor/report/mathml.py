"""The LaTeX of a derivation as MathML, which browsers show without a script: the subset that derivations use."""

from __future__ import annotations

import re
from html import escape

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_&']|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ℏ", "infty": "∞",
    "varsigma": "ς", "vartheta": "ϑ", "partial": "∂",
}  # fmt: skip
_GREEK["lambda"] = "λ"
_SIGNS = {
    "to": "→", "sim": "∼", "le": "≤", "ge": "≥", "ne": "≠", "land": "∧", "lor": "∨", "lnot": "¬", "cdot": "·",
    "times": "×", "top": "⊤", "dots": "…", "ldots": "…", "odot": "⊙", "circ": "∘", "colon": ":", "pm": "±",
    "langle": "⟨", "rangle": "⟩", "approx": "≈", "mid": "|",
}  # fmt: skip
_ACCENTS = {
    "hat": "^", "tilde": "~", "dot": "˙", "ddot": "¨", "bar": "¯", "mathring": "˚", "breve": "˘", "check": "ˇ",
    "acute": "´", "grave": "`", "vec": "→", "overline": "¯",
}  # fmt: skip
_FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "max", "min", "sinh", "cosh", "tanh", "det", "ln", "arctan"}
_SPACES = {",": "0.17em", ";": "0.28em", ":": "0.22em", " ": "0.25em", "!": "-0.17em", "quad": "1em", "qquad": "2em"}


class UnknownLatex(ValueError):
    """A command that is not translated; the caller shows the formula as text."""


def mathml(latex: str, block: bool = False) -> str:
    """A <math> element; raises UnknownLatex where the LaTeX holds what derivations do not write."""
    parser = _Parser(latex)
    body = parser.row(())
    display = ' display="block"' if block else ""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML"{display}>{body}</math>'


class _Parser:
    def __init__(self, latex: str):
        found = [m for m in _TOKEN.finditer(latex) if not m[0].isspace()]
        self.tokens = [m[0] for m in found]
        self.places = [m.span() for m in found]
        self.latex = latex
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise UnknownLatex(self.latex)
        self.at += 1
        return self.tokens[self.at - 1]

    def row(self, ends: tuple[str, ...]) -> str:
        """Items up to one of `ends`, which is not taken."""
        out: list[str] = []
        while self.peek() and self.peek() not in ends:
            item = self.scripted()
            if item == "<mo>−</mo>" and (
                not out or out[-1].startswith(("<mo>=", "<mo>→", "<mo>,", '<mo stretchy="false">('))
            ):
                item = '<mo form="prefix">−</mo>'
            out.append(item)
        return f"<mrow>{''.join(out)}</mrow>"

    def scripted(self) -> str:
        base = self.atom()
        below = above = ""
        primes = 0
        while self.peek() in ("^", "_", "'"):
            sign = self.take()
            if sign == "'":
                primes += 1
            elif sign == "^":
                above = self.argument()
            else:
                below = self.argument()
        if primes:
            marks = f"<mo>{'′' * primes}</mo>"
            above = f"<mrow>{marks}{above}</mrow>" if above else marks
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        if below:
            return f"<msub>{base}{below}</msub>"
        return f"<msup>{base}{above}</msup>" if above else base

    def argument(self) -> str:
        if self.peek() == "{":
            self.take()
            body = self.row(("}",))
            self.take()
            return body
        return self.atom()

    def atom(self) -> str:
        t = self.take()
        if t == "{":
            body = self.row(("}",))
            self.take()
            return body
        if t[0].isdigit():
            return f"<mn>{t}</mn>"
        if t[0] == "\\" and len(t) > 1:
            return self.command(t[1:])
        if t in ("}", "^", "_", "&"):
            raise UnknownLatex(self.latex)
        if t.isalpha():
            return self.letters(t)
        return (
            f"<mo>{escape({'-': '−', '*': '∗'}.get(t, t))}</mo>"
            if t not in "()[]"
            else f'<mo stretchy="false">{t}</mo>'
        )

    def letters(self, first: str) -> str:
        # Letters side by side are one name, as in dh; each is italic by itself.
        out = f"<mi>{first}</mi>"
        while (
            self.peek().isalpha() and len(self.peek()) == 1 and self.places[self.at][0] == self.places[self.at - 1][1]
        ):
            out += f"<mi>{self.take()}</mi>"
        return f"<mrow>{out}</mrow>" if out.count("<mi>") > 1 else out

    def command(self, name: str) -> str:
        if name in _GREEK:
            return f"<mi>{_GREEK[name]}</mi>"
        if name in _SIGNS:
            return f"<mo>{_SIGNS[name]}</mo>"
        if name in _ACCENTS:
            inside = self.argument()
            return f'<mover accent="true">{inside}<mo stretchy="false">{_ACCENTS[name]}</mo></mover>'
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"/>'
        if name in _FUNCTIONS:
            return f"<mi>{name}</mi>"
        match name:
            case "frac" | "tfrac" | "dfrac":
                above, below = self.argument(), self.argument()
                return f"<mfrac>{above}{below}</mfrac>"
            case "sqrt":
                return f"<msqrt>{self.argument()}</msqrt>"
            case "left":
                return self.fenced()
            case "operatorname" | "mathrm" | "mathit":
                word = self.raw().replace("\\", "")
                return f'<mi mathvariant="normal">{escape(word)}</mi><mspace width="0.12em"/>'
            case "mathtt":
                return f'<mi mathvariant="monospace">{escape(self.raw().replace(chr(92), "").replace("{-}", "-"))}</mi>'
            case "mathbb" | "mathcal" | "mathbf":
                return self.alphabet(name, self.raw())
            case "text":
                words = self.raw().replace("{-}", "-").replace("$", "").replace("\\times", "×")
                # Browsers trim the text of a formula's words: a space at their end has to be one that stays.
                return f"<mtext>{escape(words.replace(' ', chr(0xA0)))}</mtext>"
            case "begin":
                return self.table()
            case "{" | "}" | "%" | "#" | "&" | "_" | "$":
                return f'<mo stretchy="false">{escape(name)}</mo>'
        raise UnknownLatex(self.latex)

    def alphabet(self, name: str, text: str) -> str:
        known = {("mathbb", "E"): "𝔼", ("mathbb", "R"): "ℝ", ("mathcal", "N"): "𝒩", ("mathbf", "1"): "𝟏"}
        return f"<mi>{known.get((name, text), escape(text))}</mi>"

    def raw(self) -> str:
        """The text between braces, as it stands."""
        if self.take() != "{":
            raise UnknownLatex(self.latex)
        depth, start = 1, self.places[self.at - 1][1]
        while depth:
            t = self.take()
            depth += (t == "{") - (t == "}")
        return self.latex[start : self.places[self.at - 1][0]]

    def fenced(self) -> str:
        opening = self.take()
        body = self.row(("\\right",))
        self.take()
        closing = self.take()
        marks = [escape(m.replace("\\", "")) for m in (opening, closing)]
        return f"<mrow><mo>{marks[0]}</mo>{body}<mo>{marks[1]}</mo></mrow>"

    def table(self) -> str:
        kind = self.raw()
        rows, cells = [], []
        while True:
            cells.append(self.row(("&", "\\\\", "\\end")))
            t = self.take()
            if t == "&":
                continue
            rows.append("<mtr>" + "".join(f"<mtd>{c}</mtd>" for c in cells) + "</mtr>")
            cells = []
            if t == "\\end":
                break
        self.raw()
        body = f"<mtable>{''.join(rows)}</mtable>"
        if kind == "cases":
            return f"<mrow><mo>{{</mo>{body}</mrow>"
        return f"<mrow><mo>(</mo>{body}<mo>)</mo></mrow>" if kind == "pmatrix" else body

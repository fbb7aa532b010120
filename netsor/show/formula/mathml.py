"""Formulas as MathML, which browsers show without a script."""

from __future__ import annotations

import unicodedata
from html import escape

from netsor.expr import FUNCTIONS
from netsor.show.formula import tree as f
from netsor.show.formula.names import Names
from netsor.show.formula.text import COMPARE, digits, fraction_of
from netsor.show.formula.tree import FACTOR, GLUE, Fold, Item, Tree, graphemes

_ACCENTS = {
    "\u0302": "^", "\u0303": "~", "\u0307": "˙", "\u0308": "¨", "\u0304": "¯", "\u0305": "¯", "\u030a": "˚",
    "\u0306": "˘", "\u030c": "ˇ", "\u0301": "´", "\u0300": "`",
}  # fmt: skip
_SIGNS = {"E": "<mi>𝔼</mi>", "N": "<mi>𝒩</mi>", "n": "<mi>n</mi>", "K": "<mi>K</mi>", "~": "<mo>∼</mo>"}
_LOGIC = {"and": "∧", "or": "∨", "not": "¬"}
_THIN = '<mspace width="0.17em"/>'


def grouped(*items: str) -> str:
    """Elements as one."""
    return f"<mrow>{''.join(items)}</mrow>"


def sign(char: str) -> str:
    """An operator or a relation."""
    return f"<mo>{escape(char)}</mo>"


def bracketed(left: str, inside: str, right: str) -> str:
    """Delimiters that grow with what they hold."""
    return grouped(sign(left), inside, sign(right))


def upright(text: str) -> str:
    """A word that is one name."""
    return f'<mi mathvariant="normal">{escape(text)}</mi><mspace width="0.12em"/>'


def accented(base: str, mark: str) -> str:
    """A letter with a mark on it."""
    return f'<mover accent="true">{base}<mo stretchy="false">{mark}</mo></mover>'


def table(rows: list[list[str]]) -> str:
    """Rows of cells."""
    lines = ("".join(f"<mtd>{c}</mtd>" for c in r) for r in rows)
    return f"<mtable>{''.join(f'<mtr>{line}</mtr>' for line in lines)}</mtable>"


class MathML(Fold[str]):
    """A tree as elements of MathML."""

    def __init__(self, names: Names | None = None):
        super().__init__()
        self.names = names or Names()

    def math(self, tree: Tree) -> str:
        """A <math> element."""
        return self.line([(GLUE, tree)])

    def line(self, items: list[Item]) -> str:
        """A <math> element of terms and factors side by side."""
        out = "".join((_THIN if k and joint == FACTOR else "") + self(tree) for k, (joint, tree) in enumerate(items))
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{grouped(out)}</math>'

    def node(self, tree: Tree) -> str:
        at = self.done
        match tree:
            case f.Name(name):
                return self(self.names(name))
            case f.Word(letters):
                return _word(letters)
            case f.Index(text):
                return _index(text)
            case f.Typed(name):
                return f'<mi mathvariant="monospace">{escape(name)}</mi>'
            case f.Number(value, exact):
                return ('<mo form="prefix">−</mo>' if value < 0 else "") + _number(abs(value), exact)
            case f.Sign(char):
                return _SIGNS.get(char) or sign(char)
            case f.Words(text):
                return _words(text)
            case f.Cut(_, count):
                return _words(f"a formula of {count:,} characters; --full shows it")
            case f.Over(letter, above):
                return f"<msup>{_word(letter)}{grouped(at[above])}</msup>"
            case f.Applied(matrix, transposed, vector):
                w = f"<msup>{grouped(at[matrix])}{sign('⊤')}</msup>" if transposed else at[matrix]
                return w + (_THIN if graphemes(matrix.name) > 1 and not transposed else "") + at[vector]
            case f.Limit(of):
                if graphemes(of.name) == 1:
                    return accented(grouped(at[of]), "˚")
                return f"<msup>{grouped(at[of])}{sign('∘')}</msup>"
            case f.Subscript(base, below):
                return f"<msub>{grouped(at[base])}{grouped(sign(',').join(at[b] for b in below))}</msub>"
            case _:
                return self._operation(tree)

    def _operation(self, tree: Tree) -> str:
        at = self.done
        match tree:
            case f.Sum(terms, minus):
                out = ('<mo form="prefix">−</mo>' if minus[0] else "") + at[terms[0]]
                return out + "".join(sign("−" if m else "+") + at[t] for t, m in zip(terms[1:], minus[1:]))
            case f.Negated(inside):
                return f'<mo form="prefix">−</mo>{at[inside]}'
            case f.Product(factors):
                return _THIN.join(at[f] for f in factors)
            case f.Row(items):
                return "".join(at[i] for i in items)
            case f.Listed(items):
                return sign(",").join(at[i] for i in items)
            case f.Fraction(above, below):
                return f"<mfrac>{grouped(at[above])}{grouped(at[below])}</mfrac>"
            case f.Derivative(a, b):
                return f"<mfrac>{grouped('<mi>∂</mi>', at[a])}{grouped('<mi>∂</mi>', at[b])}</mfrac>"
            case f.Power(base, exponent):
                top = f"<mn>{digits(exponent.value)}</mn>" if isinstance(exponent, f.Number) else grouped(at[exponent])
                return f"<msup>{grouped(at[base])}{top}</msup>"
            case f.Root(inside):
                return f"<msqrt>{at[inside]}</msqrt>"
            case f.Brackets(inside):
                return bracketed("(", at[inside], ")")
            case f.Mean(inside, whole):
                return _SIGNS["E"] + (_THIN + at[inside] if whole else bracketed("[", at[inside], "]"))
            case f.Law(inside):
                return _SIGNS["N"] + bracketed("(", at[inside], ")")
            case f.Covariance(a, b):
                if b is None:
                    return upright("Var") + at[a]
                return upright("Cov") + bracketed("(", at[a] + sign(",") + at[b], ")")
            case f.Matrix(_, _, _):
                rows = tree.rows(at)
                return rows[0][0] if len(rows) == 1 else bracketed("(", table(rows), ")")
            case f.PseudoInverse(c, b):
                parts = (f"<msup><mi>C</mi>{sign('+')}</msup><mi>b</mi>", f"<mi>C</mi>{sign('=')}{at[c]}")
                return (sign(",") + '<mspace width="1em"/>').join((*parts, f"<mi>b</mi>{sign('=')}{at[b]}"))
            case _:
                return self._function(tree)

    def _function(self, tree: Tree) -> str:
        at = self.done
        match tree:
            case f.Builtin(name):
                return upright(name)
            case f.Function(name, marks, single):
                plain = name.name
                shown = upright(plain) if plain.isascii() and len(plain) > 1 and plain.isalpha() else at[name]
                total = sum(k for _, k in marks)
                if single:
                    mark = sign("′" * total) if total < 4 else bracketed("(", f"<mn>{total}</mn>", ")")
                    return f"<msup>{grouped(shown)}{mark}</msup>" if total else shown
                slopes = (f"<msub><mi>∂</mi>{grouped(self(self.names(p)))}</msub>" * k for p, k in marks)
                return "".join(slopes) + shown
            case f.Call(head, arguments, parameters):
                groups = [sign(",").join(at[a] for a in group) for group in (arguments, parameters) if group]
                inside = sign(";").join(groups)
                fences = FUNCTIONS[head.name].fences if isinstance(head, f.Builtin) else None
                if fences is not None:
                    return bracketed(fences[0][-1], inside, fences[1][-1])
                return at[head] + bracketed("(", inside, ")")
            case f.Compare(op, a, b):
                return at[a] + sign(COMPARE[op]) + at[b]
            case f.Logic(op, tests):
                if op == "not":
                    return sign("¬") + bracketed("(", at[tests[0]], ")")
                return sign(_LOGIC[op]).join(at[t] for t in tests)
            case f.Indicator(test):
                return "<mi>𝟏</mi>" + bracketed("{", at[test], "}")
            case f.Branches(test, then, other):
                rows = [[at[then], _words("if ") + at[test]], [at[other], _words("else")]]
                return grouped(sign("{"), table(rows))
            case _:
                raise TypeError(type(tree).__name__)


def _words(text: str) -> str:
    # Browsers trim the text of a formula's words: a space at their end has to be one that stays.
    return f"<mtext>{escape(text.replace(' ', chr(0xA0)))}</mtext>"


def _word(word: str) -> str:
    """Letters, each slanted by itself; three and more without accents are one word."""
    if word.isascii() and len(word) > 2:
        return upright(word)
    letters: list[str] = []
    for c in unicodedata.normalize("NFD", word):
        if not unicodedata.combining(c):
            letters.append(f"<mi>{escape(c)}</mi>")
        elif letters and c in _ACCENTS:
            letters[-1] = accented(letters[-1], _ACCENTS[c])
    return "".join(letters) if len(letters) == 1 else grouped(*letters)


def _index(text: str) -> str:
    out = []
    for part in text.split(", "):
        less = part.startswith("-")
        inner = part.removeprefix("-")
        shown = f"<mn>{inner}</mn>" if inner.isdigit() else f"<mi>{escape(inner)}</mi>"
        out.append(('<mo form="prefix">−</mo>' if less else "") + shown)
    return sign(",").join(out)


def _number(value: int | float, exact: bool) -> str:
    simple = fraction_of(value) if exact else None
    if simple is not None:
        return f"<mfrac><mn>{simple.numerator}</mn><mn>{simple.denominator}</mn></mfrac>"
    text = digits(value)
    if "e" not in text:
        return f"<mn>{text}</mn>"
    mantissa, power = text.split("e")
    ten = f"<msup><mn>10</mn><mn>{str(int(power)).replace('-', '−')}</mn></msup>"
    return ten if mantissa == "1" else f"<mn>{mantissa}</mn>{sign('·')}{ten}"

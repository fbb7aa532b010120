"""Formulas for a terminal: Z^h, Ẑ^{Wz̃}, E[φ(Z^g) φ(Z^g̃)], χ̊."""

from __future__ import annotations

from fractions import Fraction as Rational

from netsor.show.formula import tree as f
from netsor.show.formula.names import product_text
from netsor.show.formula.tree import POWER, Fold, Tree, graphemes

_SUPERSCRIPTS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
COMPARE = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}


def digits(value: int | float) -> str:
    """A number with as many digits as a reader wants."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def fraction_of(value: int | float) -> Rational | None:
    """p/q where the number is that and its decimals do not end."""
    if isinstance(value, int) or len(f"{value:.12g}") < 10:
        return None
    found = Rational(value).limit_denominator(200)
    return found if found.denominator > 1 and abs(float(found) - value) <= 4e-16 * abs(value) else None


class Text(Fold[str]):
    """A tree as text."""

    def node(self, tree: Tree) -> str:
        at = self.done
        match tree:
            case f.Name(text) | f.Sign(text) | f.Words(text) | f.Builtin(text):
                return text
            case f.Number(value):
                return ("−" if value < 0 else "") + self._number(abs(value))
            case f.Cut(start, count):
                return f"{start} … ({count:,} characters; --full shows them)"
            case f.Over(letter, above):
                return f"{letter}^{at[above]}" if graphemes(at[above]) == 1 else f"{letter}^{{{at[above]}}}"
            case f.Applied(matrix, transposed, vector, tight):
                return f"{matrix.name}ᵀ{vector.name}" if tight else product_text(matrix.name, transposed, vector.name)
            case f.Limit(of):
                return of.name + ("\u030a" if graphemes(of.name) == 1 else "°")
            case f.Subscript(base, below):
                return at[base] + "".join(at[b] for b in below).translate(_SUBSCRIPTS)
            case f.Mean(inside, whole):
                return f"E {at[inside]}" if whole else f"E[{at[inside]}]"
            case f.Covariance(a, b):
                return f"Var {at[a]}" if b is None else f"Cov({at[a]}, {at[b]})"
            case f.Derivative(a, b):
                return f"∂{at[a]}/∂{at[b]}"
            case f.Law(inside):
                return f"N({at[inside]})"
            case f.PseudoInverse(c, b):
                return f"C⁺ b, C = {at[c]}, b = {at[b]}"
            case f.Matrix(column=column):
                rows = tree.rows(at)
                if len(rows) == 1 and not column:
                    return rows[0][0]
                shown = [", ".join(r) if column else f"[{', '.join(r)}]" for r in rows]
                return f"[{', '.join(shown)}]"
            case _:
                return self._operation(tree)

    def _operation(self, tree: Tree) -> str:
        at = self.done
        match tree:
            case f.Sum(terms, minus):
                first = ("−" if minus[0] else "") + at[terms[0]]
                return first + "".join(f" {'−' if m else '+'} {at[t]}" for t, m in zip(terms[1:], minus[1:]))
            case f.Negated(inside):
                return "−" + at[inside]
            case f.Product(items) | f.Row(items):
                return " ".join(at[i] for i in items)
            case f.Listed(items):
                return ", ".join(at[i] for i in items)
            case f.Fraction(above, below):
                return f"{at[above]} / {at[below]}" if below.strength >= POWER else f"{at[above]} / ({at[below]})"
            case f.Power(base, exponent):
                if isinstance(exponent, f.Number) and isinstance(exponent.value, int):
                    return at[base] + at[exponent].translate(_SUPERSCRIPTS)
                return f"{at[base]}^{at[exponent]}"
            case f.Root(inside):
                return f"√{at[inside]}" if graphemes(at[inside]) == 1 else f"√({at[inside]})"
            case f.Brackets(inside):
                return f"({at[inside]})"
            case f.Call(head, arguments, parameters):
                groups = [", ".join(at[a] for a in group) for group in (arguments, parameters) if group]
                return f"{at[head]}({'; '.join(groups)})"
            case f.Function(name, marks, single):
                total = sum(k for _, k in marks)
                if single:
                    return name.name + ("'" * total if total < 4 else f"^({total})")
                return "".join(f"∂_{p} " * k for p, k in marks) + name.name
            case f.Compare(op, a, b):
                return f"{at[a]} {COMPARE[op]} {at[b]}"
            case f.Logic(op, tests):
                return f"not ({at[tests[0]]})" if op == "not" else f" {op} ".join(at[t] for t in tests)
            case f.Indicator(test):
                return f"1{{{at[test]}}}"
            case f.Branches(test, then, other):
                return f"(if {at[test]} then {at[then]} else {at[other]})"
            case _:
                raise TypeError(type(tree).__name__)

    @staticmethod
    def _number(value: int | float) -> str:
        simple = fraction_of(value)
        if simple is not None:
            return f"{simple.numerator}/{simple.denominator}"
        text = digits(value)
        if "e" in text:
            mantissa, power = text.split("e")
            ten = f"10{str(int(power)).translate(_SUPERSCRIPTS)}"
            text = ten if mantissa == "1" else f"{mantissa}·{ten}"
        return text

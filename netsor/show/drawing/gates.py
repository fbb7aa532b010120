"""The function in a gate: short enough to be read there, or a sign ψ₁, ψ₂, … that the legend explains."""

from __future__ import annotations

import re
import unicodedata

from netsor.core import Moment, Nonlin
from netsor.expr import Add, Apply, Call, Const, Expr, Mul, Sym, to_text
from netsor.expr.build import substitute
from netsor.expr.nodes import Pow, split_coefficient
from netsor.show.drawing.names import Piece, styled
from netsor.show.drawing.scene import Legend

_MOST = 11
_VECTORS, _SCALARS = ("x", "y", "z"), ("θ", "ω", "ρ")
Shape = tuple[Expr, int, int]


def shape(i: Nonlin | Moment) -> Shape:
    """ψ with its arguments called x, y, z; θ, ω, ρ (numbered where there are more), and how many it has of each."""
    names = dict(zip(i.vectors, _called(_VECTORS, len(i.vectors))))
    names |= dict(zip(i.scalars, _called(_SCALARS, len(i.scalars))))
    # In two steps, for a program's own variable may be called x as well.
    away: dict[Sym, Expr] = {Sym(old): Sym(("slot", new)) for old, new in names.items()}
    back: dict[Sym, Expr] = {Sym(("slot", new)): Sym(new) for new in names.values()}
    return substitute(substitute(i.psi, away), back), len(i.vectors), len(i.scalars)


def _called(letters: tuple[str, ...], count: int) -> list[str]:
    return list(letters[:count]) if count <= len(letters) else [f"{letters[0]}{k}" for k in range(1, count + 1)]


def math_text(e: Expr) -> str:
    """An expression as a page would have it: − for -, ′ for ', no signs of multiplication."""
    text = to_text(e, lambda s: subscripted(str(s.name)))
    for old, new in ((" * ", " "), ("'", "′"), ("-", "−"), ("sqrt(", "√(")):
        text = text.replace(old, new)
    text = re.sub(r"\^(\d+)(?![\w.])", lambda power: power[1].translate(_RAISED), text)
    return re.sub(r"\d+\.\d+(?:e[+−]?\d+)?|\d+e[+−]\d+", _rounded, text)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _rounded(match: re.Match[str]) -> str:
    """A number to six digits; the listing has them all."""
    value = f"{float(match.group().replace('−', '-')):.6g}"
    mantissa, e, exponent = value.partition("e")
    if not e:
        return value
    power = str(int(exponent)).translate(_RAISED)
    return f"10{power}" if mantissa == "1" else f"{mantissa}·10{power}"


def subscripted(name: str) -> str:
    """A name with its digits and its indices as subscripts of Unicode, where there are such."""
    from netsor.show.drawing.names import pieces

    table = str.maketrans("0123456789,;−+", "₀₁₂₃₄₅₆₇₈₉‚;₋₊")
    first, *rest = pieces(name)
    below = "".join(p.text for p in rest)
    return first.text + (
        below.translate(table) if all(c in "0123456789−" for c in below) else f"[{below}]" if below else ""
    )


class Gates:
    """The texts of a drawing's gates; equal functions have one sign."""

    def __init__(self) -> None:
        self.legends: list[Legend] = []
        self._signs: dict[Shape, tuple[Piece, ...]] = {}

    def text(self, i: Nonlin | Moment, alone: bool, alike: bool = True) -> tuple[Piece, ...]:
        """What stands in an instruction's gate.

        `alone` where no other has its function, so that names can be its own; not `alike` where it stands for others,
        which differ from it.
        """
        s = shape(i)
        short = _operation(s[0], s[1])
        if short is not None and len(short) <= _MOST:
            return styled(short)
        # A function that occurs once is told in its own arguments' names.
        text = math_text(i.psi if alone else s[0])
        if drawn_length(text) <= _MOST:
            return styled(text)
        if s not in self._signs:
            k = len(self._signs) + 1
            sign = (Piece("ψ", True), Piece(str(k), False, "sub"))
            self._signs[s] = sign
            self.legends.append(
                Legend(sign, _definition(i, s, alone) + ("" if alike else " (other members of the family differ)"))
            )
        return self._signs[s]


def _definition(i: Nonlin | Moment, s: Shape, alone: bool) -> str:
    if alone:
        vectors, scalars, body = [subscripted(v) for v in i.vectors], [subscripted(v) for v in i.scalars], i.psi
    else:
        body = s[0]
        vectors = [subscripted(v) for v in _called(_VECTORS, s[1])]
        scalars = [subscripted(v) for v in _called(_SCALARS, s[2])]
    # With many arguments the list says less than the formula.
    head = "; ".join(", ".join(_cut(some)) for some in (vectors, scalars) if some)
    return f"({head}) = {math_text(body)}"


def _cut(names: list[str]) -> list[str]:
    return names if len(names) <= 4 else [names[0], names[1], "…", names[-1]]


def drawn_length(text: str) -> int:
    """Letters of a text, without marks."""
    return sum(not unicodedata.combining(c) for c in unicodedata.normalize("NFD", text))


def _operation(e: Expr, vectors: int) -> str | None:
    match e:
        case Sym():
            return "id"
        case Apply() | Call() if all(isinstance(c, Sym) for c in e.children):
            return _function(e)
        case Apply() | Call() if len(e.children) == 1 and isinstance(e.children[0], Add) and _is_sum(e.children[0]):
            return f"{_function(e)}(Σ)"
        case Add() if _is_sum(e):
            return "+" if len(e.children) == 2 else "Σ"
        case Add() if _is_difference(e):
            return "−"
        case Add() if all(_is_product_of_two(t) for t in e.children):
            # What is multiplied is told by how the arguments of a shape are called.
            kinds = {
                "".join(sorted("θ" if str(c.payload)[0] in _SCALARS else "x" for c in t.children)) for t in e.children
            }
            return {"xθ": "Σ θx", "xx": "Σ ⊙", "θθ": "Σ θω"}.get(kinds.pop()) if len(kinds) == 1 else None
        case Mul() if all(isinstance(c, Sym) for c in e.children):
            return "⊙" if vectors else "×"
        case Mul() if len(e.children) == 2 and any(isinstance(c, Sym) for c in e.children):
            other = next((c for c in e.children if not isinstance(c, Sym)), e)
            if isinstance(other, (Apply, Call)) and all(isinstance(c, Sym) for c in other.children):
                return f"{_function(other)} ⊙"
        case Pow() if isinstance(e.base, Sym) and isinstance(e.exponent, Const) and e.exponent.value in (2, 3):
            return "(·)²" if e.exponent.value == 2 else "(·)³"
    return _scaled_sum(e)


def _function(e: Apply | Call) -> str:
    if isinstance(e, Call):
        return e.fn
    return e.function.name + "′" * sum(e.orders)


def _is_sum(e: Add) -> bool:
    return all(isinstance(t, Sym) for t in e.children)


def _is_difference(e: Add) -> bool:
    if len(e.children) != 2:
        return False
    (a, x), (b, y) = (split_coefficient(t) for t in e.children)
    return isinstance(x, Sym) and isinstance(y, Sym) and a == 1 and b == -1


def _is_product_of_two(t: Expr) -> bool:
    return isinstance(t, Mul) and len(t.children) == 2 and all(isinstance(c, Sym) for c in t.children)


def _scaled_sum(e: Expr) -> str | None:
    c, rest = split_coefficient(e)
    if c == 1 or c == 0 or not isinstance(rest, Add) or not _is_sum(rest):
        return None
    whole = 1 / c
    return f"Σ/{round(whole)}" if abs(whole - round(whole)) < 1e-9 and whole > 0 else None

"""Terms: what one entry of a tensor is, as an expression of the language, with the power of n that stands before it.

An entry of an activation is a vector over the width, or a scalar. `Entry` is n^p times a term of order one, so that
1/√n, 1/n and sums over the width are bookkeeping until they meet something that is not homogeneous.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from netsor.importer.columns import Columns
from netsor.importer.laws import Power, neat
from netsor.importer.refusal import Refusal

if TYPE_CHECKING:
    from netsor.importer.arrays import Array, Index

NUMBER, SCALAR, VECTOR, INPUT = "number", "scalar", "vector", "input"
ZERO = Fraction(0)


class Term:
    """A node of an expression. `op` says what it is:

    num (value: Power), var (value: (array, index)), sum, prod, div, pow, call (value: name), if (value: comparison),
    matmul (value: transposed; args: matrix, vector), dot (aᵀb/n), mean, input (value: number of the entry),
    form (value: coefficients of numbers of the inputs, and a constant), columns (value: Columns),
    series (value: index, from, to),
    and in outputs readout (args: vector, vector; value: factor) and bias (args: a number; value: its factor, Power).
    `live` says whether the example still matters to it in the limit. `origin` is of a number that is a multiple of a
    parameter, such as a bias that starts at zero: (array, index, its factor: Power).
    """

    __slots__ = ("args", "kind", "live", "op", "origin", "value")

    def __init__(self, op: str, args: tuple[Term, ...] = (), value: Any = None, kind: str = NUMBER, live: bool = False):
        self.op, self.args, self.value, self.kind, self.live = op, args, value, kind, live
        self.origin: tuple[Array, tuple[int, ...], Power] | None = None


@dataclass(frozen=True)
class Entry:
    """n^power times a term."""

    term: Term
    power: Fraction = ZERO

    @property
    def kind(self) -> str:
        return self.term.kind

    @property
    def number(self) -> Power | None:
        return self.term.value.times(Power(1.0, self.power)) if self.term.op == "num" else None

    @property
    def is_zero(self) -> bool:
        return self.term.op == "num" and self.term.value.c == 0


def num(c: float, power: Fraction = ZERO) -> Entry:
    return Entry(Term("num", value=Power(float(c))), power if c else ZERO)


def of_power(value: Power) -> Entry:
    return num(value.c, value.p)


def fixed(array: Array, index: tuple[int, ...], value: Power) -> Entry:
    """The number that a parameter starts at, which is still known as that parameter where an output adds it."""
    return Entry(_known(Term("num", value=Power(value.c)), (array, index, Power(1.0, -value.p))), value.p)


def _known(number: Term, origin: tuple[Array, tuple[int, ...], Power] | None, factor: Power | None = None) -> Term:
    if origin is not None:
        number.origin = (*origin[:2], origin[2].times(factor or Power(1.0)))
    return number


NIL = num(0.0)
ONE = num(1.0)


def joint_kind(*entries: Entry | Term) -> str:
    kinds = {e.kind for e in entries}
    for kind in (VECTOR, SCALAR, INPUT):
        if kind in kinds:
            return kind
    return NUMBER


def settled(entry: Entry) -> Term:
    """The term with its power of n inside, for what is not homogeneous."""
    if entry.power == 0:
        return entry.term
    factor = Term("num", value=Power(1.0, entry.power))
    if entry.term.op == "num":
        return _known(Term("num", value=entry.term.value.times(factor.value)), entry.term.origin, factor.value)
    return Term("prod", (factor, entry.term), kind=entry.kind, live=False)


def add(*entries: Entry) -> Entry:
    """The sum, in the largest power that occurs; the others keep their smaller ones."""
    # A bias counts in sums of readouts alone; elsewhere it is the number that it starts at.
    biased = any(e.kind == SCALAR for e in entries)
    parts = [e for e in entries if not e.is_zero or biased and e.term.origin]
    if not parts:
        return NIL
    if len(parts) == 1:
        return parts[0]
    if any(e.kind == INPUT for e in parts):
        return Entry(_add_forms(parts))
    top = max((e.power for e in parts if not _is_free(e)), default=max(e.power for e in parts))
    parts = [_at_most(e, top) for e in parts]
    top = max(e.power for e in parts)
    terms: list[Term] = []
    constant = 0.0
    for e in parts:
        t = settled(Entry(e.term, e.power - top))
        if t.op == "num" and t.value.p == 0 and not (biased and t.origin):
            constant += t.value.c
        elif t.op == "sum":
            terms += t.args
        else:
            terms.append(t)
    if constant:
        terms.append(Term("num", value=Power(constant)))
    if not terms:
        return NIL
    if len(terms) == 1:
        return Entry(terms[0], top)
    live = any(t.live for t in terms)
    return Entry(Term("sum", tuple(terms), kind=joint_kind(*terms), live=live), top)


def _is_free(e: Entry) -> bool:
    """Whether a term is a parameter that starts at zero, so that no power of n is its own."""
    p = e.term.value[0].parameter if e.term.op == "var" else None
    return p is not None and p.starts_at_zero


def _at_most(e: Entry, top: Fraction) -> Entry:
    """A bias that starts at zero, in the scale of what it is added to."""
    if not _is_free(e):
        return e
    array, index = e.term.value
    return Entry(e.term, array.parameter.rescaled(index, top))


def mul(*entries: Entry) -> Entry:
    if all(e.number is not None for e in entries) and sum(e.term.origin is not None for e in entries) == 1:
        return _multiple_of_parameter(entries)
    if any(e.is_zero for e in entries):
        return NIL
    if any(e.kind == INPUT for e in entries):
        return _mul_forms(entries)
    power = sum((e.power for e in entries), ZERO)
    c = 1.0
    terms: list[Term] = []
    for e in entries:
        for t in e.term.args if e.term.op == "prod" else (e.term,):
            if t.op == "num":
                c *= t.value.c
                power += t.value.p
            else:
                terms.append(t)
    if not terms:
        return num(neat(c), power)
    if any(t.kind == VECTOR and t.op != "ones" for t in terms):
        terms = [t for t in terms if t.op != "ones"]
    if c != 1.0:
        terms.insert(0, Term("num", value=Power(neat(c))))
    if len(terms) == 1:
        return Entry(terms[0], power)
    live = any(t.live for t in terms)
    return Entry(Term("prod", tuple(terms), kind=joint_kind(*terms), live=live), power)


def _multiple_of_parameter(entries: tuple[Entry, ...]) -> Entry:
    factor = Power(1.0)
    for e in entries:
        if e.term.origin is None and e.number is not None:
            factor = factor.times(e.number)
    (e,) = (e for e in entries if e.term.origin is not None)
    c = Power(factor.c)
    return Entry(_known(Term("num", value=e.term.value.times(c)), e.term.origin, c), e.power + factor.p)


def multiple(t: Term) -> tuple[float, Term] | None:
    """A vector c θ as the number c and the parameter θ; None for other terms."""
    c = 1.0
    if t.op == "prod" and len(t.args) == 2 and t.args[0].op == "num" and not t.args[0].value.p:
        c, t = t.args[0].value.c, t.args[1]
    return (c, t) if t.op == "var" and t.kind == VECTOR and t.value[0].parameter is not None else None


def scaled(c: float, e: Entry) -> Entry:
    return mul(num(c), e)


def sub(a: Entry, b: Entry) -> Entry:
    return add(a, scaled(-1.0, b))


def div(a: Entry, b: Entry) -> Entry:
    value = b.number
    if a.is_zero and (a.term.origin is None or value is None):
        return NIL
    if value is not None:
        if value.c == 0:
            raise Refusal("a division by zero")
        if a.term.origin is not None:
            return mul(num(neat(1 / value.c), -value.p), a)
        if a.number is not None:
            return num(neat(a.number.c / value.c), a.number.p - value.p)
        if float(value.c).is_integer() and value.p == 0 and a.kind != INPUT and multiple(a.term) is None:
            return Entry(Term("div", (a.term, b.term), kind=a.kind, live=a.term.live), a.power)
        return mul(num(neat(1 / value.c), -value.p), a)
    _no_input(a, b)
    live = a.term.live or b.term.live
    return Entry(Term("div", (a.term, b.term), kind=joint_kind(a, b), live=live), a.power - b.power)


def power(e: Entry, k: float) -> Entry:
    if e.number is not None:
        return num(neat(e.number.c**k), e.number.p * Fraction(k))
    if k == 1:
        return e
    if k == -1:
        return div(ONE, e)
    _no_input(e)
    if k == 0.5:
        return Entry(Term("call", (e.term,), "sqrt", e.kind, e.term.live), e.power / 2)
    if k == -0.5:
        return div(ONE, power(e, 0.5))
    exponent = Fraction(k).limit_denominator(64)
    return Entry(Term("pow", (e.term,), neat(k), e.kind, e.term.live), e.power * exponent)


# Functions with φ(c u) = c φ(u) for c > 0, through which a power of n may pass.
_HOMOGENEOUS = {"relu", "abs", "leaky_relu", "max", "min"}


def call(name: str, *entries: Entry) -> Entry:
    """A function of coordinates."""
    if entries[0].kind == INPUT:
        _no_input(*entries)
    if name in _HOMOGENEOUS:
        nonzero = [e for e in entries[: 1 if name == "leaky_relu" else None] if not e.is_zero]
        powers = {e.power for e in nonzero}
        if len(powers) == 1:
            live = any(e.term.live for e in entries)
            terms = tuple(e.term for e in entries)
            return Entry(Term("call", terms, name, joint_kind(*entries), live), powers.pop())
    for e in entries:
        bounded_in_width(e, name)
    terms = tuple(settled(e) for e in entries)
    return Entry(Term("call", terms, name, joint_kind(*entries), any(t.live for t in terms)))


def choose(comparison: str, a: Entry, b: Entry, yes: Entry, no: Entry) -> Entry:
    """`if a < b then yes else no`."""
    _no_input(a, b, yes, no)
    for e in (a, b, yes, no):
        bounded_in_width(e, "a choice")
    terms = tuple(settled(e) for e in (a, b, yes, no))
    return Entry(Term("if", terms, comparison, joint_kind(*terms), any(t.live for t in terms)))


def bounded_in_width(e: Entry, what: str) -> None:
    """Refuse what grows with the width, or is random in the limit, as an argument of what is not homogeneous."""
    if e.power <= 0 or e.is_zero:
        return
    if e.kind == NUMBER:
        raise Refusal(f"`{what}` of a number that grows like n^{e.power}")
    if e.kind == SCALAR and e.power == Fraction(1, 2):
        raise Refusal(
            f"a sum over the width divided by √n enters `{what}`: it stays random as n → ∞, or grows like √n",
            "a sum over the width has a limit when it is divided by n. Attention scores qᵀk/√d with separate query and "
            "key are of this kind, and so are a readout that is used inside and a gate of one unit.",
            hint="divide by the width: scale=1/d in attention, .mean(-1) in the place of .sum(-1)/√n",
        )
    if e.kind == SCALAR:
        raise Refusal(
            f"a sum over the width enters `{what}` and grows like n^{e.power}",
            hint="divide it by the width: .mean(-1) in the place of .sum(-1), scale=1/d in attention",
        )
    raise Refusal(
        f"the argument of `{what}` grows like n^{e.power} with the width",
        "that is so where weights have a fixed standard deviation at every width, or where a sum over the width is "
        "not divided by n",
        hint="initialize n×n weights with a standard deviation of c/√n: nn.init.normal_(w, std=c / w.shape[1] ** 0.5)",
    )


def mean(e: Entry) -> Entry:
    """(1/n) Σ_α of a vector; of a scalar it is that scalar."""
    if e.kind != VECTOR:
        return e
    return Entry(Term("mean", (e.term,), kind=SCALAR, live=e.term.live), e.power)


def dot(a: Entry, b: Entry) -> Entry:
    """Σ_α a_α b_α = n · aᵀb/n."""
    if a.is_zero or b.is_zero:
        return NIL
    for x, y in ((a, b), (b, a)):
        if x.kind != VECTOR or x.term.op == "ones":
            return mul(Entry(ONE.term, x.power + 1), ONE if x.kind == VECTOR else Entry(x.term), mean(y))
    for x, y in ((a, b), (b, a)):
        factor, weight = multiple(x.term) or (1.0, x.term)
        if factor != 1.0:
            return scaled(factor, dot(Entry(weight, x.power), y))
    return Entry(Term("dot", (a.term, b.term), kind=SCALAR, live=a.term.live or b.term.live), a.power + b.power + 1)


def matmul(matrix: Entry, transposed: bool, x: Entry) -> Entry:
    """W x or Wᵀ x; a constant is a constant vector."""
    if x.is_zero:
        return NIL
    _no_input(x)
    return Entry(Term("matmul", (matrix.term, x.term), transposed, VECTOR, x.term.live), matrix.power + x.power)


def subterms(t: Term) -> Iterator[Term]:
    """A term and all that occurs in it."""
    stack = [t]
    while stack:
        x = stack.pop()
        yield x
        stack += x.args


def variable(array: Array, index: tuple[int, ...], kind: str, live: bool) -> Term:
    return Term("var", (), (array, index), kind, live)


# Inputs: linear forms Σ coefficient · ξ_i + constant, which reach vectors through input matrices.


def input_number(i: int) -> Entry:
    return Entry(Term("form", value=({i: 1.0}, 0.0), kind=INPUT, live=True))


def met(forms: Sequence[Entry], weights: Sequence[Entry]) -> tuple[Columns, Fraction] | None:
    """Σ_k form_k · weight_k, and the power of n before it; None for other than blocks of one parameter and power."""
    indices: list[Index] = []
    numbers: list[int] = []
    factors: list[float] = []
    array: Array | None = None
    power = Fraction(0)
    shifted = False
    for e, w in zip(forms, weights, strict=True):
        if e.is_zero or w.is_zero:
            continue
        weight = multiple(w.term)
        if e.term.op != "form" or e.power or weight is None:
            return None
        factor, (family, index) = weight[0], weight[1].value
        if array is None:
            array, power = family, w.power
        if family is not array or w.power != power:
            return None
        linear, constant = e.term.value
        shifted = shifted or constant != 0
        indices += [index] * len(linear)
        numbers += linear
        factors += [factor * c for c in linear.values()]
    return None if array is None else (Columns.of(array, indices, numbers, factors, shifted), power)


def columns_of(columns: Columns, power: Fraction) -> Entry:
    return Entry(Term("columns", (), columns, VECTOR, bool(len(columns.numbers))), power)


def _add_forms(parts: list[Entry]) -> Term:
    total: dict[int, float] = {}
    constant = 0.0
    for e in parts:
        if e.kind == NUMBER and e.power == 0:
            constant += e.term.value.c
        elif e.kind == INPUT:
            for i, c in e.term.value[0].items():
                total[i] = total.get(i, 0.0) + c
            constant += e.term.value[1]
        else:
            _no_input(*parts)
    return Term("form", value=({i: c for i, c in total.items() if c}, constant), kind=INPUT, live=True)


def _mul_forms(entries: tuple[Entry, ...]) -> Entry:
    forms = [e for e in entries if e.kind == INPUT]
    rest = mul(*[e for e in entries if e.kind != INPUT]) if len(entries) > 1 else ONE
    if len(forms) > 1:
        _no_input(*forms)
    linear, constant = forms[0].term.value
    if rest.number is not None:
        c = rest.number.c
        form = Term("form", value=({i: c * w for i, w in linear.items()}, c * constant), kind=INPUT, live=True)
        return Entry(form, rest.power)
    columns = met(forms, [rest])
    if columns is not None:
        return columns_of(*columns)
    if rest.kind == SCALAR and rest.term.op == "var" and rest.term.value[0].parameter is not None:
        raise Refusal(
            "an input meets weights of finitely many units, which stay random as n → ∞",
            hint="let every layer but the readout have a number of units that grows with n",
        )
    _no_input(*entries)
    raise AssertionError


def _no_input(*entries: Entry) -> None:
    if any(e.kind == INPUT for e in entries):
        raise Refusal(
            "an input is used otherwise than through a linear layer",
            "a network reaches its inputs through input matrices U ξ only, with constants added and multiplied",
            hint="compute functions of the input outside of the module, or put a linear layer before them",
        )

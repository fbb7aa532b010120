"""Sums of positive terms e^{v₁} + … + e^{v_k}: their logarithms and quotients, which are Lipschitz in v₁, …, v_k.

log Σ e^{v_i} and e^{v_i} / Σ_j e^{v_j} have gradients of at most 1 (Boyd & Vandenberghe 2004, 3.1.5), whatever k and
whatever factors stand in the exponents. Both are written exactly by softplus and sigmoid of differences of the v_i.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from netsor.expr.build import add, call, mul, neg
from netsor.expr.canonical import canonical
from netsor.expr.nodes import ONE, ZERO, Add, Call, Const, Expr, Mul, Pow, split_coefficient

# The most terms of a denominator, and the highest power of it, that are looked at.
_MOST_TERMS, _HIGHEST = 32, 4

# The functions of which `log_of` takes the logarithm.
EXPONENTIALS = frozenset(("exp", "sigmoid"))


def log_of(e: Expr) -> Expr | None:
    """v with e = e^v for a positive e that is written by exponentials, sigmoids and numbers; None for another one."""
    match e:
        case Const():
            return Const(math.log(e.value)) if e.value > 0 else None
        case Call(fn="exp"):
            return e.children[0]
        case Call(fn="sigmoid"):
            return neg(call("softplus", neg(e.children[0])))
        case Pow() if isinstance(e.exponent, Const):
            inner = log_of(e.base)
            return None if inner is None else mul(e.exponent, inner)
        case Mul():
            parts = [log_of(f) for f in e.children]
            return None if None in parts else add(*(p for p in parts if p is not None))
        case _:
            return None


def exponents(e: Expr) -> list[Expr] | None:
    """v₁, …, v_k of a sum of at least two positive terms; None where it is not known to be one."""
    if not isinstance(e, Add) or len(e.children) > _MOST_TERMS:
        return None
    found = [log_of(t) for t in e.children]
    return None if None in found else [v for v in found if v is not None]


def log_of_sum(vs: Sequence[Expr]) -> Expr:
    """log Σ e^{v_i}, from log(e^a + e^b) = a + softplus(b − a)."""
    total, *rest = vs
    for v in rest:
        total = add(total, call("softplus", canonical(add(v, neg(total)))))
    return total


def share(vs: Sequence[Expr], i: int) -> Expr:
    """e^{v_i} / Σ_j e^{v_j} = sigmoid(v_i − log Σ_{j≠i} e^{v_j})."""
    others = [v for j, v in enumerate(vs) if j != i]
    return call("sigmoid", canonical(add(vs[i], neg(log_of_sum([canonical(v) for v in others])))))


def quotient(above: Expr, below: Sequence[Expr], k: float, stand_in: Expr | None) -> Expr | None:
    """e^w (Σ e^{v_i})^{−k} where w is a sum of the v_i with weights m_i ≥ 0, Σ m_i = k, so that it is Π s_i^{m_i} ≤ 1.

    A constant may be added to w. Powers s^m with m < 1 are as smooth in the v_i; the bounded Lipschitz `stand_in` of
    them is taken for the product, if there is one.
    """
    if float(k).is_integer() and k <= _HIGHEST and len(below) ** k < 1000:
        for chosen in itertools.combinations_with_replacement(range(len(below)), int(k)):
            left = canonical(add(above, *(neg(below[i]) for i in chosen)))
            if isinstance(left, Const):
                return mul(call("exp", left), *(share(below, i) for i in chosen))
    if stand_in is None:
        return None
    for m, i, j in _pairs(above, below, k):
        left = add(above, mul(Const(-m), below[i]), mul(Const(m - k), below[j]))
        if canonical(left) is ZERO:
            return stand_in
    return None


def _pairs(above: Expr, below: Sequence[Expr], k: float) -> Iterator[tuple[float, int, int]]:
    """Candidates m, i, j of w = m v_i + (k − m) v_j, from one term of v_i − v_j."""
    w = _terms(above)
    for i, j in itertools.combinations(range(len(below)), 2):
        a, b = _terms(below[i]), _terms(below[j])
        apart = {t: a.get(t, 0.0) - b.get(t, 0.0) for t in {**a, **b}}
        term = next((t for t, c in apart.items() if c), None)
        if term is not None:
            m = (w.get(term, 0.0) - k * b.get(term, 0.0)) / apart[term]
            if 0 <= m <= k:
                yield (int(m) if m == int(m) else m), i, j


def _terms(e: Expr) -> dict[Expr, float]:
    e = canonical(e)
    out: dict[Expr, float] = {}
    for t in e.children if isinstance(e, Add) else (e,):
        c, rest = split_coefficient(t)
        out[rest if rest.free else ONE] = float(c)
    return out


def over_sum(factors: Sequence[Expr], stand_in: Expr | None) -> Expr | None:
    """The product of the factors, one of which is a power (Σ e^{v_i})^{−k}, without the quotient; None if none is."""
    for d in factors:
        if not isinstance(d, Pow) or not isinstance(d.exponent, Const) or not d.exponent.value < 0:
            continue
        vs = exponents(d.base)
        if vs is None:
            continue
        rest = [f for f in factors if f is not d]
        sums = [f for f in rest if isinstance(f, Add) and any(log_of(g) is not None for t in f.children
                for g in (t.children if isinstance(t, Mul) else (t,)) if g.free)]  # fmt: skip
        if sums:
            others = [f for f in rest if f is not sums[0]]
            parts = []
            for t in sums[0].children:
                part = over_sum([*(t.children if isinstance(t, Mul) else (t,)), *others, d], stand_in)
                if part is None:
                    return None
                parts.append(part)
            return add(*parts)
        logs = {f: v for f in rest if f.free and (v := log_of(f)) is not None}
        bounded = None if stand_in is None else _bounded(vs, stand_in)
        made = quotient(add(*logs.values()), vs, -float(d.exponent.value), bounded)
        if made is not None:
            return mul(*(f for f in rest if f not in logs), made)
    return None


def _bounded(vs: Sequence[Expr], stand_in: Expr) -> Expr:
    """Bounded by 1 and Lipschitz in all the v_i: a product of cosines, in phases of the stand-in."""
    return mul(stand_in, *(call("cos", add(v, Const(0.7390851332151607))) for v in vs if v.free))


def log_of_positive(e: Expr) -> Expr | None:
    """log e of a sum of positive terms, without its exponentials."""
    vs = exponents(e)
    return None if vs is None else log_of_sum([canonical(v) for v in vs])

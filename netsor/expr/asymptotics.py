"""Expressions in the width n alone: their limit as n → ∞, the rate at which they diverge, or that neither is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from netsor.expr.build import call, mul, rewrite, star_quotient
from netsor.expr.differentiate import diff, unfold
from netsor.expr.entry import REALS
from netsor.expr.evaluate import evaluate
from netsor.expr.functions import FUNCTIONS, TooSingular
from netsor.expr.growth import (
    CONSTANT,
    KEPT,
    NOUGHT,
    ONE_SERIES,
    UNIT,
    WIDTH_SERIES,
    ZERO_SERIES,
    Coefficient,
    Diverges,
    Series,
    approximate,
    coefficient,
    compose,
    exponential,
    faster,
    growth,
    logarithm,
    negative,
    number,
    plus,
    raise_to,
    rate_text,
    scaled,
    times,
    unknown,
)
from netsor.expr.nodes import (
    WIDTH,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Logic,
    Mul,
    Pow,
    Star,
    Sym,
    postorder,
)
from netsor.expr.printing import to_text

__all__ = ["Diverges", "factors_in_width", "series_along", "series_in_width", "width_limit"]


@lru_cache(maxsize=4096)
def width_limit(e: Expr) -> float:
    """lim_{n→∞} of an expression in n alone.

    Raises `Diverges` where it is infinite, does not exist, or cannot be told from the terms of its series.
    """
    s = series_in_width(e)
    if s.terms and growth(s.terms[0][0]) > 0:
        raise Diverges(rate_text(s.terms[0][0]), grows=True)
    if s.rest is not None and growth(s.rest) >= 0:
        raise Diverges(s.why, known=s.why.startswith(_OSCILLATES))
    return float(s.at(CONSTANT).value)


_OSCILLATES = ("sin of", "cos of")


@lru_cache(maxsize=1024)
def series_in_width(e: Expr) -> Series:
    """The asymptotic series of an expression in n alone as n → ∞; raises Diverges."""
    return _series(rewrite(unfold(e), lambda node: star_quotient(node) if isinstance(node, Star) else node), {})


def series_along(e: Expr, at: Mapping[Sym, Series]) -> Series:
    """The series of an expression whose symbols have series; raises Diverges."""
    known: Known = dict(at.items())
    return _series(rewrite(unfold(e), lambda node: star_quotient(node) if isinstance(node, Star) else node), known)


Known = dict[Expr, "Series | Diverges"]


def _series(root: Expr, done: Known) -> Series:
    # A branch that is not taken may have no value, so what goes wrong is kept until someone asks.
    for node in postorder(root, known=lambda e: e in done):
        if isinstance(node, (Cmp, Logic)):
            continue
        try:
            done[node] = _rule(node, done)
        except Diverges as fault:
            done[node] = fault
    return _of(root, done)


def _of(node: Expr, done: Known) -> Series:
    found = done[node]
    if isinstance(found, Diverges):
        raise found
    return found


def _rule(node: Expr, done: Known) -> Series:
    match node:
        case Const():
            return number(coefficient(node.value))
        case Sym():
            if node is not WIDTH:
                raise KeyError(node.name)
            return WIDTH_SERIES
        case Add():
            return plus(*(_of(c, done) for c in node.children))
        case Mul():
            out = ONE_SERIES
            for c in node.children:
                out = times(out, _of(c, done))
            return out
        case Pow():
            base = _of(node.base, done)
            text = to_text(node.base)
            if isinstance(node.exponent, Const):
                r = coefficient(node.exponent.value).value
                return raise_to(base, r, text)
            return exponential(times(_of(node.exponent, done), logarithm(base, text)), to_text(node))
        case Cond():
            return _branch(node, done)
        case Call():
            try:
                return _call(node, done)
            except Diverges as fault:
                low, high = FUNCTIONS[node.fn].image(*(REALS for _ in node.children))
                if fault.grows or not (math.isfinite(low) and math.isfinite(high)):
                    raise
                return unknown(CONSTANT, fault.rate)
        case _:
            raise Diverges("it is no function whose limit is known", known=False)


def _branch(node: Cond, done: Known) -> Series:
    try:
        return _of(node.then if _eventually(node.test, done) else node.other, done)
    except Diverges as fault:
        ends = [done[c] for c in (node.then, node.other)]
        if fault.known or any(isinstance(s, Diverges) for s in ends):
            raise
        bound = faster(*(s.bound for s in ends if isinstance(s, Series)))
        return ZERO_SERIES if bound is None else unknown(bound, fault.rate)


def _eventually(test: Expr, done: Known) -> bool:
    """Whether a condition holds for all large n; raises Diverges where that is not known."""
    if isinstance(test, Logic):
        parts = [_eventually(c, done) for c in test.children]
        return not parts[0] if test.op == "not" else all(parts) if test.op == "and" else any(parts)
    a, b = test.children
    gap = plus(_of(a, done), negative(_of(b, done)))
    sign = 0
    if not gap.is_zero:
        sign = 1 if gap.leading(f"whether `{to_text(test)}`")[1].value > 0 else -1
    assert isinstance(test, Cmp)
    return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0, "==": sign == 0, "!=": sign != 0}[test.op]


def _call(node: Call, done: Known) -> Series:
    fn = node.fn
    entry = FUNCTIONS[fn]
    if entry.pieces is not None:
        return _series(entry.pieces(*node.children), done)
    text = to_text(node)
    if len(node.children) != 1:
        raise Diverges(f"the limit of `{text}` is not known", known=False)
    u = _of(node.children[0], done)
    rule = _RULES.get(fn)
    if rule is not None:
        return rule(u, text)
    if u.bound is not None and growth(u.bound) > 0:
        raise Diverges(f"{fn} of {rate_text(u.bound)}", known=False)
    return _taylor(fn, *_about_limit(u, text))


def _about_limit(u: Series, text: str) -> tuple[Coefficient, Series]:
    """c and v → 0 in u = c + v; raises Diverges where u is not known to converge."""
    if u.rest is not None and growth(u.rest) >= 0:
        raise Diverges(u.why, known=False)
    c = u.at(CONSTANT)
    return c, Series(tuple(t for t in u.terms if t[0] != CONSTANT), u.rest, u.why)


def _taylor(fn: str, c: Coefficient, v: Series) -> Series:
    """f(c + v) of any function that can be differentiated, to fourth order."""
    t = Sym(("asymptotics", "t"))
    f: Expr = call(fn, t)
    coefficients = []
    for k in range(5):
        try:
            f = diff(f, t) if k else f
        except TooSingular:
            break
        value = evaluate(f, {t: float(c.value)}) / math.factorial(k)
        if not math.isfinite(value):
            if k == 0:
                raise Diverges(f"{fn} at {float(c.value):g}", known=False)
            break
        coefficients.append(approximate(value, 1e-14 * (1 + abs(value))))
    return compose(coefficients, v)


def _grows(u: Series) -> int:
    """1 or −1 where u tends to ±∞, else 0."""
    if not u.terms or growth(u.terms[0][0]) <= 0:
        return 0
    return 1 if u.terms[0][1].value > 0 else -1


def _turned(f: Callable[[Series, str], Series], u: Series, end: float, text: str) -> Series:
    """f(u), or its limit `end` with the remainder O(1/u) where u grows and f cannot be expanded."""
    try:
        return f(u, text)
    except Diverges:
        if not _grows(u):
            raise
        why = f"`{text}` is near its limit, which is all that is known"
        return plus(number(coefficient(end)), unknown(u.terms[0][0].raised(Fraction(-1)), why))


def _sigmoid(u: Series, text: str) -> Series:
    """1/(1 + e^{−u})."""
    whole = lambda v, t: raise_to(plus(ONE_SERIES, exponential(negative(v), t)), Fraction(-1), t)  # noqa: E731
    return _turned(whole, u, 1.0 if _grows(u) > 0 else 0.0, text)


def _tanh(u: Series, text: str) -> Series:
    """2 σ(2u) − 1."""
    two = Coefficient(Fraction(2))
    return plus(scaled(_sigmoid(scaled(u, two), text), two), negative(ONE_SERIES))


def _softplus(u: Series, text: str) -> Series:
    return logarithm(plus(ONE_SERIES, exponential(u, text)), text)


def _sine(u: Series, text: str) -> Series:
    return _wave(u, text, (NOUGHT, UNIT, NOUGHT, Coefficient(Fraction(-1))), "sin")


def _cosine(u: Series, text: str) -> Series:
    return _wave(u, text, (UNIT, NOUGHT, Coefficient(Fraction(-1)), NOUGHT), "cos")


def _wave(u: Series, text: str, at_zero: tuple[Coefficient, ...], fn: str) -> Series:
    """sin or cos: their derivatives at 0 repeat with period four, and at c they are those turned by c."""
    if _grows(u):
        return unknown(CONSTANT, f"{fn} of {rate_text(u.terms[0][0])}")
    c, v = _about_limit(u, text)
    if c.is_zero:
        derivatives = at_zero
    else:
        x = float(c.value)
        error = c.error + 3e-16 * (1 + abs(x))
        sine, cosine = Coefficient(math.sin(x), error), Coefficient(math.cos(x), error)
        cycle = [sine, cosine, sine.times(Coefficient(Fraction(-1))), cosine.times(Coefficient(Fraction(-1)))]
        derivatives = tuple(cycle[(k + (fn == "cos")) % 4] for k in range(4))
    return compose([derivatives[k % 4].times(Coefficient(Fraction(1, math.factorial(k)))) for k in range(KEPT)], v)


def _tangent(u: Series, text: str) -> Series:
    return times(_sine(u, text), raise_to(_cosine(u, text), Fraction(-1), text))


def _arctangent(u: Series, text: str) -> Series:
    if sign := _grows(u):
        # atan u = ±π/2 − atan(1/u)
        end = Coefficient(sign * math.pi / 2, 1e-16)
        return plus(number(end), negative(_arctangent(raise_to(u, Fraction(-1), text), text)))
    c, v = _about_limit(u, text)
    if not c.is_zero:
        # atan(c + v) = atan c + atan(v / (1 + c² + c v))
        below = plus(number(UNIT.plus(c.times(c))), scaled(v, c))
        x = float(c.value)
        turned = _arctangent(times(v, raise_to(below, Fraction(-1), text)), text)
        return plus(number(Coefficient(math.atan(x), c.error + 3e-16 * abs(x))), turned)
    odd = [Coefficient(Fraction((-1) ** (k // 2), k)) if k % 2 else NOUGHT for k in range(KEPT)]
    return compose(odd, v)


def _erf(u: Series, text: str) -> Series:
    if sign := _grows(u):
        rest = _turned(lambda v, t: _complement(v, t), scaled(u, Coefficient(Fraction(sign))), 0.0, text)
        return scaled(plus(ONE_SERIES, negative(rest)), Coefficient(Fraction(sign)))
    c, v = _about_limit(u, text)
    x = float(c.value)
    # erf'(x + t) = 2/√π e^{−x²} e^{−2xt − t²}; for the coefficients of the last factor k g_k = −2x g_{k−1} − 2 g_{k−2}.
    g = [1.0, -2 * x]
    for k in range(2, KEPT):
        g.append((-2 * x * g[k - 1] - 2 * g[k - 2]) / k)
    front = 2 / math.sqrt(math.pi) * math.exp(-x * x)
    value = [math.erf(x), *(front * g[k] / (k + 1) for k in range(KEPT - 1))]
    slack = (1 + abs(x)) * (c.error + 1e-15)
    return compose([Coefficient(y, abs(y) * slack + (0.0 if c.is_zero else slack)) for y in value], v)


def _complement(u: Series, text: str) -> Series:
    """erfc(u) ~ e^{−u²}/(u√π) Σ_k (−1)^k (2k−1)!!/(2u²)^k for u → ∞."""
    square = times(u, u)
    odd = [Fraction(1)]
    for k in range(1, KEPT):
        odd.append(-odd[-1] * (2 * k - 1) / 2)
    tail = compose([Coefficient(q) for q in odd], raise_to(square, Fraction(-1), text))
    front = scaled(raise_to(u, Fraction(-1), text), Coefficient(1 / math.sqrt(math.pi), 1e-16))
    return times(times(exponential(negative(square), text), front), tail)


def _normal(u: Series, text: str) -> Series:
    """Φ(u) = (1 + erf(u/√2))/2; for u → −∞ it is erfc(−u/√2)/2, without 1 − 1."""
    half = Coefficient(Fraction(1, 2))
    v = scaled(u, Coefficient(math.sqrt(0.5), 1e-16))
    if _grows(u) < 0:
        return scaled(_turned(_complement, negative(v), 0.0, text), half)
    return scaled(plus(ONE_SERIES, _erf(v, text)), half)


_RULES: dict[str, Callable[[Series, str], Series]] = {
    "exp": exponential,
    "log": logarithm,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "sin": _sine,
    "cos": _cosine,
    "tan": _tangent,
    "atan": _arctangent,
    "erf": _erf,
    "Phi": _normal,
}


def factors_in_width(term: Expr) -> tuple[Expr, Expr]:
    """The product of the factors that are expressions in n alone, and the product of the others, numbers included."""
    factors = term.children if isinstance(term, Mul) else (term,)
    own = [f for f in factors if f.free == frozenset((WIDTH,))]
    return mul(*own), mul(*(f for f in factors if f not in own))

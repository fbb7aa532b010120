"""Constants to many digits: whether √2 √2 − 2 is zero, and what tanh(20) − 1 is, which floats cannot tell.

A constant is given as an expression without symbols in which nothing was folded. It is evaluated in decimal arithmetic
with a bound on the error. A sum whose terms cancel in all of its 60 or more digits is taken to be 0.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from netsor.expr.balls import CANCELLED, Arithmetic, Ball, Known, Undecided, arithmetic, known
from netsor.expr.build import add, mul, nearest, power, with_children
from netsor.expr.digits import digits_for
from netsor.expr.entry import FUNCTIONS
from netsor.expr.nodes import ONE, Add, Call, Cmp, Cond, Const, Expr, Logic, Mul, Named, Pow, Sym, postorder
from netsor.expr.numeric import value_of
from netsor.expr.rationals import decimal, meant, uncertainty, within_reach
from netsor.expr.rationals import power as exact_power
from netsor.expr.values import compare_values

PI = Named("pi", "pi", math.pi)


def raw(kind: type[Expr], payload: object, *children: Expr) -> Expr:
    """The node itself, with nothing folded."""
    made: Expr = kind._make(payload, children)
    return made


def written(q: Fraction) -> Expr:
    """A rational number as a leaf of an unfolded expression."""
    if q.denominator == 1 and abs(q) < 2**53:
        return Const(q.numerator)
    try:
        near = float(q)
    except OverflowError:
        near = math.copysign(math.inf, q)
    return Named(q, repr(near), near)


@lru_cache(maxsize=4096)
def constant(e: Expr) -> Known | None:
    """A constant in as many digits as its differences need; None where it is not known.

    It is taken for an integer where all of these digits agree with it, as √2 √2 does with 2.
    """
    exact = _rational_value(e)
    if exact is not None:
        return Known(exact, Fraction(0))
    try:
        digits = _needed(e)
        with arithmetic(digits) as at:
            q, error = known(_Evaluation(at).of(e))
    except (Undecided, ArithmeticError, ValueError):
        return None
    if abs(q - round(q)) <= error <= CANCELLED:
        return Known(Fraction(round(q)), Fraction(0))
    return Known(q, error)


def _rational_value(root: Expr) -> Fraction | None:
    """The value of sums, products and integer powers of rational numbers; None where it has too many digits."""
    done: dict[Expr, Fraction] = {}
    for node in postorder(root):
        q: Fraction | None = None
        kids = [done[c] for c in node.children]
        match node:
            case Const() | Named():
                q = _rational(node)
            case Add():
                q = sum(kids, Fraction(0))
            case Mul():
                q = math.prod(kids, start=Fraction(1))
            case Pow():
                q = exact_power(*kids)
        q = None if q is None else within_reach(q)
        if q is None:
            return None
        done[node] = q
    return done[root]


# --- how many digits ------------------------------------------------------------------------------------------------


def _needed(e: Expr) -> int:
    """Digits with which the smallest differences that the constant's functions and powers make are seen.

    1 − tanh u is 2 e^{−2u}, and cos u − 1 + u²/2 is u⁴/24; the factor leaves room for products of such.
    """
    most = 0.0
    for node in postorder(e):
        if isinstance(node, (Const, Named)) and (q := _rational(node)) is not None:
            most = max(most, (q.numerator.bit_length() + q.denominator.bit_length()) / 3.3)
        elif isinstance(node, Call) and (reach := FUNCTIONS[node.fn].reach) is not None:
            u = abs(_rough(node.children[0]))
            most = max(most, reach(u) / math.log(10)) if math.isfinite(u) else math.inf
        elif isinstance(node, Pow):
            b, r = abs(_rough(node.base)), abs(_rough(node.exponent))
            most = max(most, r * abs(math.log10(b))) if 0 < b < math.inf else most
    return digits_for(most) or _give_up()


def _give_up() -> int:
    raise Undecided


def _rational(e: Const | Named) -> Fraction | None:
    """The rational number of a leaf; None for one that was rounded before, and for π."""
    if isinstance(e, Const):
        return decimal(e.value)
    return e.origin if isinstance(e.origin, Fraction) else None


def _rough(e: Expr) -> float:
    return value_of(e, {}, _without_value)


def _without_value(e: Expr) -> Expr:
    if not isinstance(e, Named):
        raise Undecided
    return Const(e.value)


# --- the value ------------------------------------------------------------------------------------------------------


class _Evaluation:
    """The evaluation of constants in an arithmetic."""

    def __init__(self, arithmetic: Arithmetic):
        self.at = arithmetic

    def of(self, root: Expr, env: dict[Expr, Ball] | None = None) -> Ball:
        done: dict[Expr, Ball] = dict(env or {})
        for node in postorder(root, known=lambda e: e in done or isinstance(e, (Cmp, Logic, Cond))):
            done[node] = self._rule(node, done)
        return done[root] if root in done else self._rule(root, done)

    def _rule(self, node: Expr, done: dict[Expr, Ball]) -> Ball:
        def at(e: Expr) -> Ball:
            return done[e] if e in done else self.of(e, done)

        match node:
            case Const() | Named() if (q := _rational(node)) is not None:
                return self.at.rational(q)
            case Const() if uncertainty(node.value):
                return self.at.within(meant(node.value), Fraction(uncertainty(node.value)))
            case Named() if node is PI:
                return self.at.pi
            case Add():
                return self.at.sum([at(c) for c in node.children])
            case Mul():
                out = Ball(Decimal(1))
                for c in node.children:
                    out = self.at.product(out, at(c))
                return out
            case Pow():
                return self.at.power(at(node.base), at(node.exponent))
            case Cond():
                return at(node.then if self._holds(node.test, done) else node.other)
            case Call():
                return self._call(node.fn, [at(c) for c in node.children])
        raise Undecided

    def _holds(self, test: Expr, done: dict[Expr, Ball]) -> bool:
        if isinstance(test, Logic):
            parts = [self._holds(c, done) for c in test.children]
            return not parts[0] if test.op == "not" else all(parts) if test.op == "and" else any(parts)
        if not isinstance(test, Cmp):
            raise Undecided
        a, b = (self.of(c, done) for c in test.children)
        gap = self.at.sum([a, Ball(-b.value, b.error)]).value
        return compare_values(test.op, float(gap.compare(Decimal(0))), 0.0)

    def _call(self, fn: str, args: list[Ball]) -> Ball:
        entry = FUNCTIONS[fn]
        if entry.smooth is not None:
            return entry.smooth(self.at, args[0])
        if entry.pieces is None and entry.spelled is None:
            raise Undecided
        params = [Sym(("argument", i)) for i in range(len(args))]
        body = (entry.spelled or entry.pieces)(*params)  # type: ignore[misc]
        return self.of(body, dict(zip(params, args, strict=True)))


# --- constants times functions of n ---------------------------------------------------------------------------------


def is_whole(e: Expr) -> bool:
    """Whether an unfolded expression has no constants but integers, which are folded without rounding."""
    return all(n.free or isinstance(n, Const) and isinstance(n.value, int) for n in postorder(e))


def folded(e: Expr) -> Expr:
    """An unfolded expression in n, folded with the digits that `constant` computes; raises `Undecided`."""
    if isinstance(e, Mul) and e.free:
        # Only sums distribute a constant over the terms of a factor.
        factors = [_terms(child) for child in e.children]
        pairs = [t[0] if len(t) == 1 else (ONE, folded(c)) for t, c in zip(factors, e.children, strict=True)]
        return mul(coefficient(raw(Mul, None, *(c for c, _ in pairs))), *(part for _, part in pairs))
    sums: dict[Expr, list[Expr]] = {}
    for c, part in _terms(e):
        sums.setdefault(part, []).append(c)
    return add(*(mul(coefficient(raw(Add, None, *cs)), part) for part, cs in sums.items()))


def coefficient(e: Expr) -> Expr:
    found = constant(e)
    if found is None:
        raise Undecided
    return nearest(found.value, found.error)


def _terms(e: Expr) -> list[tuple[Expr, Expr]]:
    """The pairs (cᵢ, rᵢ) with e = Σ cᵢ rᵢ, where cᵢ is an unfolded constant and rᵢ a function of n."""
    if not e.free:
        return [(e, ONE)]
    match e:
        case Add():
            return [t for child in e.children for t in _terms(child)]
        case Mul():
            out: list[tuple[Expr, Expr]] = [(ONE, ONE)]
            for child in e.children:
                factor = _terms(child)
                if len(factor) > 1 < len(out):
                    factor = [(ONE, folded(child))]
                out = [(raw(Mul, None, c, d), mul(r, s)) for c, r in out for d, s in factor]
            return out
        case Pow() if not e.exponent.free:
            base, exponent = _terms(e.base), constant(e.exponent)
            if len(base) == 1 and exponent is not None:
                c, r = base[0]
                sign = constant(c)
                if exponent.value.denominator == 1 or (sign is not None and sign.value > 0):
                    return [(raw(Pow, None, c, e.exponent), power(r, nearest(exponent.value)))]
    return [(ONE, with_children(e, tuple(folded(c) for c in e.children)))]

"""The constructors of expressions, which fold constants and add equal terms, but keep the order of terms.

`netsor.expr.canonical` also sorts the terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from netsor.expr.digits import power_in_digits, value_in_digits
from netsor.expr.entry import FUNCTIONS
from netsor.expr.nodes import (
    HALF,
    MINUS_ONE,
    ONE,
    TWO,
    WIDTH,
    ZERO,
    Add,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Function,
    Logic,
    Mul,
    Named,
    Number,
    Operations,
    Pow,
    Star,
    Sym,
    is_power_of_two,
    postorder,
    split_coefficient,
    split_power,
)
from netsor.expr.numeric import call_value, truth_of
from netsor.expr.rationals import (
    MOST_BITS,
    Rounded,
    in_range,
    meant,
    plus,
    split_number,
    times,
    uncertainty,
    wide_times,
)

# Sums of more terms are long.
_LONG = 12


def neg(e: Expr) -> Expr:
    return mul(MINUS_ONE, e)


def _flat_terms(terms: Iterable[Expr], scale: Number = 1) -> Iterator[tuple[Number, Expr]]:
    for t in terms:
        if isinstance(t, Add):
            yield from _flat_terms(t.children, scale)
            continue
        c, rest = split_coefficient(t)
        both = times(scale, c)
        if not in_range(both) or both == 0 != c:
            both, k = wide_times(scale, c)
            rest = mul(_power_of_two(k), rest) if k else rest
        if isinstance(rest, Add):
            yield from _flat_terms(rest.children, both)
        else:
            yield both, rest


def add(*terms: Expr) -> Expr:
    """The sum with nested sums flattened and equal terms added, in the order of first appearance."""
    long = next((t for t in terms if isinstance(t, Add) and len(t.children) > _LONG), None)
    if long is not None:
        longer = _added_to(long, terms)
        if longer is not None:
            return longer
    gathered: dict[Expr, Number] = {}
    for c, rest in _flat_terms(terms):
        before = gathered.get(rest)
        gathered[rest] = c if before is None else plus(before, c)
    return rebuild_sum(gathered.items())


# The terms of the latest long sums without their coefficients.
_RESTS: dict[Add, frozenset[Expr]] = {}
_MOST_SUMS = 64


def _rests(long: Add) -> frozenset[Expr]:
    """The terms of a long sum without their coefficients."""
    found = _RESTS.get(long)
    return note_rests(long, frozenset([split_coefficient(t)[1] for t in long.children])) if found is None else found


def note_rests(long: Add, rests: frozenset[Expr]) -> frozenset[Expr]:
    """Remember the terms of a long sum without their coefficients."""
    _RESTS[long] = rests
    if len(_RESTS) > _MOST_SUMS:
        _RESTS.pop(next(iter(_RESTS)), None)
    return rests


def reordered(long: Add, terms: tuple[Expr, ...]) -> Add:
    """A sum with its terms in another order."""
    made = Add._make(None, terms)
    if long in _RESTS:
        note_rests(made, _RESTS[long])
    return made


def _added_to(long: Add, terms: Sequence[Expr]) -> Expr | None:
    """A long sum with a few terms more that are none of its own, in which its terms are not looked at; else None."""
    out: list[Expr] = []
    rests: set[Expr] = set()
    known = _rests(long)
    for t in terms:
        if t is long:
            if long.children[0] in out:
                return None
            out += long.children
            continue
        for c, rest in _flat_terms((t,)):
            if rest in known or rest in rests or len(rests) > _LONG or c == 0 or isinstance(rest, Const):
                return None
            rests.add(rest)
            out.append(_scaled(rest, c))
    made = Add._make(None, tuple(out))
    note_rests(made, known | rests)
    return made


def rebuild_sum(items: Iterable[tuple[Expr, Number]]) -> Expr:
    """The sum of coefficient × rest over pairs with distinct rests."""
    out = [_scaled(rest, c) for rest, c in items if c != 0 or _has_no_value(rest)]
    if not out:
        return ZERO
    return out[0] if len(out) == 1 else Add._make(None, tuple(out))


def _scaled(rest: Expr, c: Number) -> Expr:
    if rest is ONE:
        return Const(c)
    if c == 1:
        return rest
    if isinstance(rest, Mul):
        return Mul._make(None, (Const(c), *rest.children))
    return Mul._make(None, (Const(c), rest))


def _has_no_value(e: Expr) -> bool:
    """Whether a factor without symbols, such as 1/0 or log(0), may have no value, so that 0 times it is not 0."""
    factors = e.children if isinstance(e, Mul) else (e,)
    return any(
        not f.free
        and isinstance(f, (Pow, Call))
        and not is_power_of_two(f)
        and not (isinstance(f, Call) and FUNCTIONS[f.fn].singular)
        for f in factors
    )


def _power_of_two(k: int) -> Expr:
    return Pow._make(None, (TWO, Const(k)))


def wide(m: Number, k: int) -> Expr:
    """m · 2^k as a number, or as a product with a power of two where a float cannot hold it."""
    if k == 0 or m == 0:
        return Const(m)
    m, k = _times_power_of_two(m, k)
    if k == 0:
        return Const(m)
    return _power_of_two(k) if m == 1 else Mul._make(None, (Const(m), _power_of_two(k)))


def _times_power_of_two(m: Number, k: int) -> tuple[Number, int]:
    """m · 2^k, of which a power of two is split off where a float cannot hold it."""
    scale = Fraction(2) ** k
    return split_number(meant(m) * scale, Fraction(uncertainty(m)) * scale)


def nearest(q: Fraction, error: float | Fraction = 0) -> Expr:
    """The constant next to a number that is known up to an error."""
    return wide(*split_number(q, error))


def mul(*factors: Expr) -> Expr:
    """The product with nested products flattened, numeric powers of equal bases merged, and the coefficient first."""
    coefficient: Number = 1
    # The exponent of a power of two that is split off where a float cannot hold the coefficient.
    binary = 0
    powers: dict[Expr, Expr] = {}
    stack = list(reversed(factors))
    while stack:
        f = stack.pop()
        if isinstance(f, Mul):
            stack.extend(reversed(f.children))
        elif isinstance(f, Const):
            coefficient, binary = _scaled_by(coefficient, binary, f.value)
        elif is_power_of_two(f):
            binary += f.exponent.value  # type: ignore[attr-defined]
        else:
            base, exponent = split_power(f)
            before = powers.get(base)
            powers[base] = exponent if before is None else add(before, exponent)
    if coefficient == 0 and not any(_has_no_value(power(b, e)) for b, e in powers.items() if not b.free):
        return ZERO
    out: list[Expr] = []
    for base, exponent in powers.items():
        f = power(base, exponent)
        if isinstance(f, Const):
            coefficient, binary = _scaled_by(coefficient, binary, f.value)
        elif isinstance(f, Mul):
            c, rest = split_coefficient(f)
            coefficient, binary = _scaled_by(coefficient, binary, c)
            for g in rest.children if isinstance(rest, Mul) else (rest,):
                if is_power_of_two(g):
                    binary += g.exponent.value  # type: ignore[attr-defined]
                elif g is not ONE:
                    out.append(g)
        else:
            out.append(f)
    if binary:
        coefficient, binary = _times_power_of_two(coefficient, binary)
        if binary:
            out.insert(0, _power_of_two(binary))
    if not out:
        return Const(coefficient)
    if len(out) == 1 and coefficient == 1:
        return out[0]
    head = () if coefficient == 1 else (Const(coefficient),)
    return Mul._make(None, (*head, *out))


def _scaled_by(coefficient: Number, binary: int, c: Number) -> tuple[Number, int]:
    """coefficient · 2^binary times c."""
    if c == 1 and type(c) is int:
        return coefficient, binary
    both = times(coefficient, c)
    if in_range(both) and both != 0:
        return both, binary
    m, k = wide_times(coefficient, c)
    return m, binary + k


def power(base: Expr, exponent: Expr) -> Expr:
    """`base ^ exponent`; integer powers of powers are merged."""
    if isinstance(exponent, Const):
        e = exponent.value
        if e == 0:
            return ONE
        if e == 1:
            return base
        if isinstance(base, Const):
            folded = _power_of_numbers(base.value, e)
            if folded is not None and in_range(folded) and folded != 0:
                return Const(folded)
            if folded == 0 == base.value:
                return ZERO
            if isinstance(e, int) and base.value != 0 and (made := _wide_power(base.value, e)) is not None:
                return made
            if folded is not None:
                return Const(folded)
        if isinstance(base, Mul) and any(map(is_power_of_two, base.children)):
            # 2^k is positive, so that (2^k u)^r = 2^(kr) u^r for every real r.
            k = sum(f.exponent.value for f in base.children if is_power_of_two(f))  # type: ignore[attr-defined]
            whole = k * meant(e)
            rest = mul(*(f for f in base.children if not is_power_of_two(f)))
            down = whole.numerator // whole.denominator
            return mul(wide(1, down), Const(2.0 ** float(whole - down)), power(rest, exponent))
        if isinstance(base, Pow) and isinstance(base.exponent, Const):
            inner = base.exponent.value
            # (x^a)^b = x^(ab) for every integer b; other powers are kept, since (x²)^(1/2) is |x|.
            if isinstance(e, int):
                return power(base.base, Const(inner * e))
            if base.base is WIDTH:
                return power(WIDTH, Const(inner * e))
    if base is ONE:
        return ONE
    return Pow._make(None, (base, exponent))


def _wide_power(base: Number, exponent: int) -> Expr | None:
    """An integer power that no float can hold, as m · 2^k; None where it would take too many bits."""
    q = meant(base) if math.isfinite(base) else Fraction(0)
    if q == 0 or abs(exponent) > MOST_BITS:
        return None
    if abs(exponent) * (q.numerator.bit_length() + q.denominator.bit_length()) > 64 * MOST_BITS:
        q = Fraction(float(q))
    m, k = split_number(q**exponent)
    return wide(m, k)


def _power_of_numbers(base: Number, exponent: Number) -> Number | None:
    """The power of two numbers; None where it is not a finite real number, which the checker reports with its place."""
    if base == 0 and exponent < 0:
        return None
    if base < 0 and not isinstance(exponent, int):
        return None
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and exponent * base.bit_length() > 200:
        base = float(base)
    if isinstance(base, Rounded) or not isinstance(exponent, int) or exponent < 0:
        found = power_in_digits(base, exponent)
        if found is not None:
            return found
    try:
        value = base**exponent
    except (OverflowError, ZeroDivisionError):
        return None
    return value if not isinstance(value, float) or math.isfinite(value) else None


def sqrt(e: Expr) -> Expr:
    return power(e, HALF)


def call(fn: str, *args: Expr) -> Expr:
    """A function of the language at arguments; folded where the arguments are numbers and the value is finite."""
    entry = FUNCTIONS[fn]
    if args and all(isinstance(a, Const) for a in args):
        numbers_: list[Number] = [a.value for a in args]  # type: ignore[attr-defined]
        value = call_value(fn, [float(x) for x in numbers_])
        if math.isfinite(value):
            known = None if entry.smooth is None else value_in_digits(entry.smooth, entry.reach, numbers_[0])
            return Const(value if known is None else known)
    if entry.spelled is not None:
        return entry.spelled(*args)
    return Call._make(fn, tuple(args))


def compare(op: str, lhs: Expr, rhs: Expr) -> Expr:
    """A comparison, where `op` is one of < <= > >= == !=."""
    return Cmp._make(op, (lhs, rhs))


def logic(op: str, *args: Expr) -> Expr:
    return Logic._make(op, tuple(args))


def cond(test: Expr, then: Expr, other: Expr) -> Expr:
    """`if test then … else …`; equal branches and tests of numbers give a branch without a test."""
    if then is other:
        return then
    decided = None if test.free else _decided(test)
    if decided is not None:
        return then if decided else other
    return Cond._make(None, (test, then, other))


class _NeedsDerivative(Exception):
    """The value needs a partial derivative of a user's function, which `netsor.expr.differentiate` computes."""


def _decided(test: Expr) -> bool | None:
    """The truth of a test without symbols; None where a side has no value or needs a derivative."""
    try:
        return truth_of(test, _expanded)
    except _NeedsDerivative:
        return None


def _expanded(node: Apply | Star) -> Expr:
    if isinstance(node, Star):
        return star_quotient(node)
    if any(node.orders):
        raise _NeedsDerivative
    return substitute(node.function.body, dict(zip(node.function.params, node.children, strict=True)))


def star(bound: Sym, body: Expr, theta: Expr) -> Expr:
    """ψ* of Eq. 84, or zero where the body does not depend on the bound symbol; see `Star`."""
    if bound not in body.free:
        return ZERO
    return Star._make(bound, (body, theta), frozenset((bound,)))


@lru_cache(maxsize=1024)
def star_quotient(node: Star) -> Expr:
    """Eq. 84 at θ > 0: (body[e→θ] − body[e→0]) / θ."""
    ahead = substitute(node.body, {node.bound: node.theta})
    here = substitute(node.body, {node.bound: ZERO})
    return mul(add(ahead, mul(MINUS_ONE, here)), power(node.theta, MINUS_ONE))


def apply(function: Function, args: Sequence[Expr], orders: Sequence[int] | None = None) -> Expr:
    """A user's function (or partial derivative) at arguments; raises ValueError for a wrong number of arguments."""
    if len(args) != len(function.params):
        raise ValueError(f"{function.name} takes {len(function.params)} arguments, not {len(args)}")
    counts = tuple(orders) if orders is not None else (0,) * len(args)
    return Apply._make((function, counts), tuple(args))


def with_children(node: Expr, children: tuple[Expr, ...]) -> Expr:
    """The node rebuilt on other children by its constructor."""
    if children == node.children:
        return node
    match node:
        case Add():
            return add(*children)
        case Mul():
            return mul(*children)
        case Pow():
            return power(*children)
        case Call():
            return call(node.fn, *children)
        case Apply():
            return Apply._make(node.payload, children)
        case Cmp() | Logic():
            return type(node)._make(node.payload, children)
        case Cond():
            return cond(*children)
        case Star():
            return star(node.bound, *children)
        case _:
            return node


def rewrite(root: Expr, rule: Callable[[Expr], Expr]) -> Expr:
    """The expression rebuilt from the leaves up, with `rule` applied to each rebuilt node."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        done[node] = rule(with_children(node, tuple(done[c] for c in node.children)))
    return done[root]


def numbers(root: Expr) -> Expr:
    """The expression with numbers in the place of their names."""
    if Named.kind not in root.made_of:
        return root
    return rewrite(root, lambda node: Const(node.value) if isinstance(node, Named) else node)


def substitute(root: Expr, mapping: dict[Sym, Expr]) -> Expr:
    """The expression with free symbols replaced; a symbol bound by a `Star` is not replaced inside it."""
    keys = frozenset(mapping)
    if not (root.free & keys):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        if not (node.free & keys):
            done[node] = node
        elif isinstance(node, Sym):
            done[node] = mapping[node]
        elif isinstance(node, Star) and node.bound in keys:
            inner = {k: v for k, v in mapping.items() if k is not node.bound}
            done[node] = star(node.bound, substitute(node.body, inner), substitute(node.theta, mapping))
        else:
            done[node] = with_children(node, tuple(done[c] for c in node.children))
    return done[root]


Operations.add, Operations.mul, Operations.power = add, mul, power

"""The structure of a block as quadrature needs it: affine arguments, kinks, jumps, singularities and scales."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.expr import (
    FUNCTIONS,
    ONE,
    ZERO,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Logic,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    compare,
    mul,
    neg,
    postorder,
    power,
    rewrite,
)
from netsor.expr.build import with_children
from netsor.expr.differentiate import plain_tests, vanishes_on
from netsor.expr.functions import is_log, mass_order
from netsor.expr.intervals import infer_range
from netsor.gaussian.symbolic.expansion import Gaussians as Gaussians
from netsor.gaussian.symbolic.expansion import exponent_of, factors_of, integer_power, monomial
from netsor.gaussian.symbolic.zero_sets import zeros_of

# Linear parts of affine expressions, {Gaussian: coefficient}; coefficients are numbers or expressions in scalars.
Linear = dict[Sym, Expr]

# Moments are computed by recursion on the power; that of a standard normal variable overflows at 302.
_HIGHEST_MOMENT = 400


@dataclass(frozen=True)
class Break:
    """A set {at = 0} where quadrature needs care.

    `kind` is jump, kink, singular, removable (a zero of a divisor where the integrand is smooth on both sides), or soft
    (a transition region).
    """

    kind: str
    at: Expr


@dataclass(frozen=True)
class Shape:
    """An analysed block: the product of `factors`, each a function of `forms` (linear in the Gaussians) and of scalars.

    `forms[i]` stands for Σ coefficient · z. `polynomial` are powers of Gaussians that occur nowhere else, `exponent` is
    q where exp(q) with a polynomial q of degree ≤ 2 was split off, `trigonometric` are (sin or cos, argument, power),
    and `masses` are the Dirac masses (order of derivative, argument).
    """

    factors: tuple[Expr, ...]
    forms: tuple[tuple[Sym, tuple[tuple[Sym, Expr], ...]], ...]
    polynomial: tuple[tuple[Sym, int], ...]
    exponent: Expr
    trigonometric: tuple[tuple[str, Expr, int], ...]
    masses: tuple[tuple[int, Expr], ...]
    breaks: tuple[Break, ...]
    scalars: tuple[Sym, ...]

    @property
    def form_symbols(self) -> tuple[Sym, ...]:
        return tuple(s for s, _ in self.forms)


def affine(e: Expr, gaussians: Gaussians) -> tuple[Linear, Expr] | None:
    """(linear part, constant) of an expression that is affine in the Gaussians, else None."""
    # Only sums and products are searched, so that a deeply nested function is recognised as not affine at once.
    done: dict[Expr, tuple[Linear, Expr] | None] = {}
    stack = [(e, False)]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if not ready and isinstance(node, (Add, Mul)) and node.free & gaussians:
            stack.append((node, True))
            stack.extend((c, False) for c in node.children)
            continue
        done[node] = _affine(node, done, gaussians)
        if done[node] is None:
            return None
    return done[e]


def _affine(
    node: Expr, done: dict[Expr, tuple[Linear, Expr] | None], gaussians: Gaussians
) -> tuple[Linear, Expr] | None:
    if not node.free & gaussians:
        return {}, node
    if isinstance(node, Sym):
        return {node: ONE}, ZERO
    if isinstance(node, Add):
        total: Linear = {}
        constants = []
        for child in node.children:
            part = done[child]
            if part is None:
                return None
            for s, c in part[0].items():
                total[s] = add(total[s], c) if s in total else c
            constants.append(part[1])
        return {s: c for s, c in total.items() if c is not ZERO}, add(*constants)
    if isinstance(node, Mul):
        inner = [c for c in node.children if c.free & gaussians]
        if len(inner) != 1 or done[inner[0]] is None:
            return None
        scale = mul(*(c for c in node.children if c is not inner[0]))
        linear, constant = done[inner[0]]  # type: ignore[misc]
        return {s: mul(scale, c) for s, c in linear.items()}, mul(scale, constant)
    return None


def is_quadratic(e: Expr, gaussians: Gaussians) -> bool:
    """Whether an expression is a polynomial of degree ≤ 2 in the Gaussians."""
    return degree_in(e, gaussians) is not None


@lru_cache(maxsize=20_000)
def degree_in(e: Expr, variables: Gaussians) -> int | None:
    """The degree of a polynomial of degree ≤ 2 in the variables, with any coefficients; None for other expressions."""
    done: dict[Expr, int] = {}
    for node in postorder(e):
        if not node.free & variables:
            degree = 0
        elif isinstance(node, Sym):
            degree = 1
        elif isinstance(node, Add):
            degree = max(done[c] for c in node.children)
        elif isinstance(node, Mul):
            degree = sum(done[c] for c in node.children)
        elif isinstance(node, Pow) and isinstance(node.exponent, Const) and node.exponent.value == 2:
            degree = 2 * done[node.base]
        else:
            degree = 3
        done[node] = min(degree, 3)
    return done[e] if done[e] <= 2 else None


class _Forms:
    """Affine arguments as constant + scale · form, with forms numbered in order of occurrence.

    With `gathering`, the affine terms of a sum that has other terms form one argument: z + w in relu(x y + z + w).
    """

    def __init__(self, gaussians: Gaussians, gathering: bool = False):
        self.gaussians = gaussians
        self.gathering = gathering
        self.known: dict[tuple[tuple[Sym, Expr], ...], Sym] = {}

    def replaced(self, linear: Linear, constant: Expr) -> Expr:
        items = sorted(linear.items(), key=lambda p: p[0].digest)
        lead = items[0][1]
        scale: Expr = ONE
        if isinstance(lead, Const) and all(isinstance(c, Const) for _, c in items):
            scale = lead
            items = [(s, Const(c.value / lead.value) if c is not lead else ONE) for s, c in items]  # type: ignore[attr-defined]
        elif len(items) == 1:
            scale, items = lead, [(items[0][0], ONE)]
        key = tuple(items)
        symbol = self.known.setdefault(key, Sym(("form", len(self.known))))
        return add(mul(scale, symbol), constant)

    def rewrite(self, root: Expr) -> Expr:
        """`root` with its largest affine subexpressions written in forms."""
        parts: dict[Expr, tuple[Linear, Expr] | None] = {}
        done: dict[Expr, Expr] = {}
        for node in postorder(root):
            parts[node] = _affine(node, parts, self.gaussians) if not isinstance(node, (Cmp, Logic)) else None
            part = parts[node]
            if part is not None and part[0]:
                continue
            if not node.free & self.gaussians:
                done[node] = node
                continue
            straight = [c for c in node.children if c not in done]
            if self.gathering and isinstance(node, Add) and len(straight) > 1:
                affine_part = _affine(add(*straight), {c: parts[c] for c in straight}, self.gaussians)
                if affine_part is not None and affine_part[0]:
                    others = (done[c] for c in node.children if c in done)
                    done[node] = add(self.replaced(*affine_part), *others)
                    continue
            children = tuple(self._argument(c, parts, done) for c in node.children)
            done[node] = with_children(node, children)
        return done[root] if root in done else self._argument(root, parts, done)

    def _argument(self, c: Expr, parts: dict[Expr, tuple[Linear, Expr] | None], done: dict[Expr, Expr]) -> Expr:
        if c not in done:
            linear, constant = parts[c]  # type: ignore[misc]
            done[c] = self.replaced(linear, constant)
        return done[c]


def _is_worth_gathering(factors: list[Expr], forms: _Forms) -> bool:
    """Whether gathering the affine terms of sums lowers the rank of the forms."""
    if len(forms.known) < 3 or all(len(items) == 1 and len(f.free) < 3 for f in factors for items in forms.known):
        return False
    gathered = _Forms(forms.gaussians, True)
    for f in factors:
        gathered.rewrite(f)
    return _rank(gathered) < _rank(forms)


def _rank(forms: _Forms) -> int:
    """The rank of the coefficients of the forms; coefficients that are not numbers are replaced by generic ones."""
    symbols = list({s: None for items in forms.known for s, _ in items})
    rows = np.zeros((len(forms.known), len(symbols)))
    for i, items in enumerate(forms.known):
        for s, c in items:
            rows[i, symbols.index(s)] = float(c.value) if isinstance(c, Const) else 0.6180339887 + 0.31 * i
    return int(np.linalg.matrix_rank(rows)) if rows.size else 0


@lru_cache(maxsize=20_000)
def shape_of(block: Expr, gaussians: Gaussians, tilting: bool = True) -> Shape:
    """The structure of a canonical product, see `Shape`; without `tilting` exponentials are ordinary factors."""
    powers: dict[Sym, int] = {}
    exponents: list[Expr] = []
    masses: list[tuple[int, Expr]] = []
    trig: list[tuple[Expr, str, Expr, int]] = []
    rest: list[Expr] = []
    for f in factors_of(block):
        of_variable = monomial(f, gaussians)
        exponent = exponent_of(f)
        base, k = integer_power(f)
        if of_variable and of_variable[1] <= _HIGHEST_MOMENT:
            powers[of_variable[0]] = powers.get(of_variable[0], 0) + of_variable[1]
        elif tilting and exponent is not None and is_quadratic(exponent, gaussians):
            exponents.append(exponent)
        elif (order := mass_order(base)) is not None:
            masses.append((order, base.children[0]))
            if k > 1:
                masses.append((order, base.children[0]))
        elif isinstance(base, Call) and FUNCTIONS[base.fn].wave and affine(base.children[0], gaussians):
            trig.append((f, base.fn, base.children[0], k))
        else:
            rest.append(f)
    trigonometric: tuple[tuple[str, Expr, int], ...] = ()
    if not rest and sum(k for *_, k in trig) <= 12:
        trigonometric = tuple((fn, argument, k) for _, fn, argument, k in trig)
    else:
        rest.extend(f for f, *_ in trig)
    if not tilting:
        # Evaluated one after the other, these factors would overflow.
        rest = [mul(*rest)]
    rest = [rewrite(f, _one_sided) for f in rest]
    # A power of a variable that is also the argument of another factor is an ordinary factor. A variable that otherwise
    # occurs in sums only is eliminated by conditioning on the sums.
    forms = _Forms(gaussians)
    for f in rest:
        forms.rewrite(f)
    gathering = _is_worth_gathering(rest, forms)
    if gathering:
        forms = _Forms(gaussians, True)
        for f in rest:
            forms.rewrite(f)
    alone = {items[0][0] for items in forms.known if len(items) == 1}
    rest.extend(power(s, Const(powers.pop(s))) for s in [s for s in powers if s in alone])
    forms = _Forms(gaussians, gathering)
    factors = tuple(plain_tests(forms.rewrite(f)) for f in rest)
    listed = tuple((symbol, items) for items, symbol in forms.known.items())
    breaks = tuple(dict.fromkeys(b for f in factors for b in breaks_of(f, frozenset(s for s, _ in listed))))
    return Shape(
        factors,
        listed,
        tuple(powers.items()),
        canonical(add(*exponents)),
        trigonometric,
        tuple(masses),
        breaks,
        tuple(sorted(block.free - gaussians, key=lambda s: s.digest)),
    )


def _one_sided(node: Expr) -> Expr:
    """a > b written as a − b > 0, so that rounding in both sides, as in 1 + x³ < 1, does not decide the test."""
    if isinstance(node, Cmp) and node.children[1] is not ZERO:
        return compare(node.op, add(node.children[0], neg(node.children[1])), ZERO)
    return node


def is_curved(block: Expr, gaussians: Gaussians) -> bool:
    """Whether a block needs panels in three or more variables: its jumps and kinks are not all on hyperplanes.

    Dirac masses and exponentials are treated by other methods.
    """
    shape = shape_of(block, gaussians)
    if shape.masses or shape.exponent is not ZERO or len({s for _, items in shape.forms for s, _ in items}) < 3:
        return False
    forms = frozenset(shape.form_symbols)
    return any(affine(b.at, forms) is None for b in shape.breaks if b.kind in ("jump", "kink"))


@lru_cache(maxsize=20_000)
def breaks_of(factor: Expr, forms: Gaussians) -> tuple[Break, ...]:  # noqa: C901  one case a kind of node
    """The breaks of a factor, including those of nested functions."""
    out: dict[Break, None] = {}

    def note(kind: str, at: Expr) -> None:
        if kind == "soft":
            out[Break(kind, canonical(at))] = None
            return
        for zero in zeros_of(canonical(at), forms):
            out[Break(kind, zero)] = None

    for node in postorder(factor):
        if not node.free & forms:
            continue
        match node:
            case Call() if FUNCTIONS[node.fn].chooses:
                for i, a in enumerate(node.children):
                    for b in node.children[:i]:
                        note("kink", add(a, neg(b)))
            case Call() if is_log(node):
                if not has_positive_bound(node.children[0]):
                    note("singular", node.children[0])
                for s in sorted(node.children[0].free & forms, key=lambda s: s.digest):
                    note("soft", s)
            case Call():
                entry = FUNCTIONS[node.fn]
                if entry.quotient is not None:
                    note("singular", entry.quotient(node.children[0])[1])
                    continue
                if entry.is_kinked and not entry.breaks:
                    for b in node.children[1:]:
                        note("kink", add(node.children[0], neg(b)))
                    continue
                for at in entry.breaks:
                    kind = "jump" if at in entry.jumps else "kink"
                    note(kind, add(node.children[0], Const(-at)))
                if not entry.is_piecewise_linear:
                    note("soft", node.children[0])
            case Pow():
                k = node.exponent.value if isinstance(node.exponent, Const) else None
                if k is None or k < 0 or not isinstance(k, int):
                    if not has_positive_bound(node.base):
                        note("singular", node.base)
                    for s in sorted(node.base.free & forms, key=lambda s: s.digest):
                        note("soft", s)
            case Cond():
                test = node.test
                gap = add(node.then, neg(node.other))
                if isinstance(test, Cmp) and test.op not in ("==", "!="):
                    u = add(test.children[0], neg(test.children[1]))
                    note("kink" if vanishes_on(gap, u) else "jump", u)
            case _:
                pass
    return tuple(out)


def has_positive_bound(root: Expr) -> bool:
    """Whether the ranges of its parts show that an expression is above a positive number everywhere."""
    return infer_range(root, {})[0] > 0

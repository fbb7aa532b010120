"""Assumption B.8: is every ψ pseudo-Lipschitz (Def. B.7), and every function of scalars alone continuous?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from netsor.check.evidence import shows_failure
from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Span
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Mul,
    Pow,
    Star,
    Sym,
    add,
    evaluate,
    neg,
    star_limit,
    to_text,
    unfold,
)
from netsor.expr.differentiate import plain_tests, vanishes_on
from netsor.expr.functions import INF, REALS, SINGULAR, Interval, TooSingular
from netsor.expr.intervals import infer_range, ranges_of


@dataclass(frozen=True)
class Finding:
    """Whether a ψ is as B.8 asks: yes, no or (None) not to be told from the text; `covered` by rank stability."""

    holds: bool | None
    because: str
    covered: bool = True

    def worse(self, other: Finding) -> Finding:
        rank = {True: 0, None: 1, False: 2}
        return other if rank[other.holds] > rank[self.holds] else self


FINE = Finding(True, "")


@dataclass(frozen=True)
class B8:
    """Assumption B.8 for a program: the verdict, the reason and the place of the worst ψ."""

    holds: bool | None
    because: str
    span: Span | None = None
    covered: bool = True


def infer_b8(program: Program) -> B8:
    """Assumption B.8 for every ψ of a program, with the reason and the place where it fails.

    Of a network this is the forward pass; see `netsor.transform` for its backward pass and its training.
    """
    ranges: dict[Sym, Interval] = {WIDTH: (1.0, INF)}
    for c in program.constants:
        ranges[Sym(c.name)] = _range_of_constant(c.value, c.limit)
    for g in program.groups:
        for k, name in enumerate(g.names):
            if g.covariance[k][k] == 0:
                ranges[Sym(name)] = (g.mean[k], g.mean[k])
    worst: tuple[Finding, Span | None] = (FINE, None)
    count = 0
    for i in program.instructions:
        if isinstance(i, MatMul):
            continue
        count += 1
        psi = plain_tests(unfold(i.psi))
        finding = infer_continuity(psi, ranges) if _is_scalar_only(i) else infer_regularity(psi, ranges)
        ranges[Sym(i.name)] = infer_range(psi, ranges)
        if worst[0].worse(finding) is finding and finding is not worst[0]:
            worst = (finding, i.span)
    finding, span = worst
    if finding.holds:
        what = (
            "every ψ is pseudo-Lipschitz in its inputs and parameters" if count else "the program has no nonlinearity"
        )
        return B8(True, what)
    because = finding.because
    if finding.holds is False:
        because += (
            "; versions of the Master Theorem that assume rank stability cover it (Yang 2020b)"
            if finding.covered
            else "; no version of the Master Theorem covers functions that are not polynomially bounded"
        )
    return B8(finding.holds, because, span, finding.covered)


def _is_scalar_only(i: Nonlin | Moment) -> bool:
    return isinstance(i, Moment) and not i.vectors


def _range_of_constant(e: Expr, limit: float) -> Interval:
    values = [limit, *(v for k in range(9) if math.isfinite(v := evaluate(e, {WIDTH: 10.0**k})))]
    return min(values), max(values)


def infer_regularity(psi: Expr, ranges: Mapping[Sym, Interval]) -> Finding:
    """Whether ψ is pseudo-Lipschitz in all its arguments (B.8, 2).

    It fails only where ψ as a whole shows it: parts may make up for each other, as in x sign(x) = |x|.
    """
    found = _of_parts(psi, ranges)
    if found.holds is not False or shows_failure(psi, ranges):
        return found
    return Finding(None, f"{found.because}; the rest of ψ may make up for it, which the text does not show")


def _of_parts(psi: Expr, ranges: Mapping[Sym, Interval]) -> Finding:
    """Sums, products and compositions of pseudo-Lipschitz functions are pseudo-Lipschitz; the worst part decides."""
    bounds = ranges_of(psi, ranges)
    worst = FINE
    stack, seen = [psi], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Cond):
            worst = worst.worse(_conditional(node, ranges))
            stack.append(node.test)
            continue
        worst = worst.worse(_operation(node, bounds, ranges))
        if not isinstance(node, Star):
            stack.extend(node.children)
    return worst


def _operation(node: Expr, bounds: Mapping[Expr, Interval], ranges: Mapping[Sym, Interval]) -> Finding:
    match node:
        case Call():
            entry = FUNCTIONS[node.fn]
            if entry.lipschitz or entry.obstacle is None:
                return FINE
            why = entry.obstacle(*(bounds[c] for c in node.children))
            if why is None:
                return FINE
            bounded = bool(entry.jumps) or node.fn == "sqrt" or node.fn in SINGULAR
            return Finding(False, f"`{to_text(node)}`: {why}", covered=bounded and node.fn not in SINGULAR)
        case Pow():
            return _power(node, bounds)
        case Star():
            return _quotient(node, ranges)
        case _:
            return FINE


def _power(node: Pow, bounds: Mapping[Expr, Interval]) -> Finding:
    base = bounds[node.base]
    text = to_text(node)
    if node.base is WIDTH:
        return FINE
    if not isinstance(node.exponent, Const):
        lo, hi = bounds[node.exponent]
        if isinstance(node.base, Const) and node.base.value > 0:
            grows = hi < INF if node.base.value >= 1 else lo > -INF
            return FINE if grows else Finding(False, f"`{text}` is not polynomially bounded", covered=False)
        return Finding(None, f"`{text}` has a variable exponent, whose growth cannot be told")
    k = node.exponent.value
    if k < 0:
        if base[0] > 0 or base[1] < 0:
            return FINE
        return Finding(
            False, f"`{text}` divides by a quantity that can reach 0, so it has no bound there", covered=False
        )
    if isinstance(k, int):
        return FINE
    if base[0] < 0:
        return Finding(None, f"`{text}` is a root of a quantity that the text does not show to be positive")
    if k > 1 or base[0] > 0:
        return FINE
    return Finding(False, f"`{text}`: the slope of √ is unbounded at 0")


def _conditional(node: Cond, ranges: Mapping[Sym, Interval]) -> Finding:
    test = node.test
    if not isinstance(test, Cmp):
        return Finding(None, f"`{to_text(node)}` has a condition that cannot be analysed")
    inside, outside = _narrowed(test, ranges)
    found = _of_parts(node.then, inside).worse(_of_parts(node.other, outside))
    lhs, rhs = test.children
    u = add(lhs, neg(rhs))
    if not u.free:
        return found
    if test.op in ("==", "!=") or not vanishes_on(add(node.then, neg(node.other)), u):
        jump = Finding(
            False, f"`{to_text(node)}` jumps where `{to_text(lhs)} = {to_text(rhs)}`, so it is not pseudo-Lipschitz"
        )
        return found.worse(jump)
    return found


def _narrowed(test: Cmp, ranges: Mapping[Sym, Interval]) -> tuple[dict[Sym, Interval], dict[Sym, Interval]]:
    """What is known of a variable in either branch, where the test compares it with a number."""
    inside, outside = dict(ranges), dict(ranges)
    lhs, rhs = test.children
    op = test.op
    if isinstance(lhs, Const) and isinstance(rhs, Sym):
        lhs, rhs = rhs, lhs
        op = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
    if isinstance(lhs, Sym) and isinstance(rhs, Const) and op in ("<", "<=", ">", ">="):
        c = float(rhs.value)
        lo, hi = ranges.get(lhs, REALS)
        above, below = (max(lo, c), max(hi, c)), (min(lo, c), min(hi, c))
        inside[lhs], outside[lhs] = (above, below) if op in (">", ">=") else (below, above)
    return inside, outside


def _quotient(node: Star, ranges: Mapping[Sym, Interval]) -> Finding:
    """ψ* is pseudo-Lipschitz where the derivatives of ψ are (below Eq. 84)."""
    try:
        slope = plain_tests(unfold(star_limit(node)))
    except TooSingular:
        return Finding(False, f"`{to_text(node)}`: ψ has no derivative to bound", covered=False)
    found = infer_regularity(slope, {**ranges, node.bound: (0.0, 0.0)})
    if found.holds:
        return FINE
    return Finding(found.holds, f"ψ* of Eq. 84 needs ψ' pseudo-Lipschitz, and {found.because}", found.covered)


def infer_continuity(psi: Expr, ranges: Mapping[Sym, Interval]) -> Finding:
    """Whether a function of scalars alone is continuous in them (B.8, 1)."""
    bounds = ranges_of(psi, ranges)
    worst = FINE
    for node in bounds:
        text = to_text(node) if not isinstance(node, (Const, Sym, Add, Mul, Cmp)) else ""
        match node:
            case Pow() if node.base is not WIDTH and isinstance(node.exponent, Const) and node.exponent.value < 0:
                base = bounds[node.base]
                if base[0] <= 0 <= base[1]:
                    what = to_text(node.base)
                    finding = Finding(
                        None, f"`{text}` is continuous unless `{what}` tends to 0, which the text does not rule out"
                    )
                    worst = worst.worse(finding)
            case Call() if node.fn == "log":
                if bounds[node.children[0]][0] <= 0:
                    worst = worst.worse(Finding(None, f"`{text}` is continuous only where its argument stays positive"))
            case Call() if FUNCTIONS[node.fn].jumps or node.fn == "tan":
                if FUNCTIONS[node.fn].obstacle(*(bounds[c] for c in node.children)) is not None:  # type: ignore[misc]
                    worst = worst.worse(Finding(None, f"`{text}` is continuous unless its argument tends to a jump"))
            case Cond() if isinstance(node.test, Cmp):
                lhs, rhs = node.test.children
                u = add(lhs, neg(rhs))
                if u.free and not vanishes_on(add(node.then, neg(node.other)), u):
                    worst = worst.worse(Finding(None, f"`{text}` is continuous unless the scalars tend to its jump"))
    return worst

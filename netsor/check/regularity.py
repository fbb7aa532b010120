"""Assumption B.8: is every ψ pseudo-Lipschitz (Def. B.7), and every function of scalars alone continuous?"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from netsor.check.evidence import shows_failure
from netsor.check.identities import in_plain_form, shows_stand_in
from netsor.check.kinks import kinks_of_program
from netsor.check.languages import NETSOR, infer_language
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
    mul,
    neg,
    postorder,
    signs,
    split_coefficient,
    star_limit,
    substitute,
    to_text,
    unfold,
)
from netsor.expr.differentiate import plain_tests, vanishes_on
from netsor.expr.entry import INF, REALS, Interval
from netsor.expr.functions import TooSingular, is_absolute, is_exp, is_log
from netsor.expr.infinite_width import is_kinked_difference
from netsor.expr.intervals import infer_range, ranges_of


@dataclass(frozen=True)
class Finding:
    """Whether a ψ is as B.8 asks: yes, no or (None) not to be told from the text; `covered` by rank stability.

    `hopeless` says that what fails is the derivative of a function that has none with a finite second moment.
    """

    holds: bool | None
    because: str
    covered: bool = True
    hopeless: bool = False
    # It grows no faster than exp(C |x|^(2−ε)); and a condition under which rank stability covers a jump.
    slow: bool = False
    condition: str = ""

    def worse(self, other: Finding) -> Finding:
        return other if other.rank() > self.rank() else self

    def rank(self) -> int:
        return {True: 0, None: 1, False: 2 + (not self.covered) + self.hopeless}[self.holds]


FINE = Finding(True, "")
NOT_STABLE = "rank stability fails there, and no version of the Master Theorem covers it"


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
            elif g.bounds is not None:
                ranges[Sym(name)] = g.bounds
    worst: tuple[Finding, Span | None] = (FINE, None)
    count = 0
    moving: dict[Sym, Expr] = {}
    positive = {s for s, r in ranges.items() if r[0] > 0 and s is not WIDTH}
    used = counted(program)
    kinks = kinks_of_program(program, used)
    for i in program.instructions:
        if isinstance(i, MatMul) or i.name not in used:
            continue
        count += 1
        psi = plain_tests(unfold(i.psi))
        if _is_scalar_only(i):
            finding = infer_continuity(psi, ranges, frozenset(positive))
        else:
            finding = infer_regularity(psi, ranges)
            if finding.holds is False and finding.covered:
                finding = _where_parameters_tend(finding, psi, moving, program)
        if finding.holds and is_kinked_difference(i.psi):
            finding = Finding(None, f"`{to_text(i.psi)}` has kinks, and n stands before what vanishes")
        if i.name in kinks:
            finding = Finding(False, kinks[i.name], covered=False, condition=NOT_STABLE)
        if isinstance(i, Nonlin) and (i.scalars or WIDTH in psi.free or moving.keys() & psi.free):
            moving[Sym(i.name)] = psi
        if is_positive(psi, positive, ranges):
            positive.add(Sym(i.name))
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
        because += "; " + _what_covers(finding, program)
    return B8(finding.holds, because, span, finding.covered)


def counted(program: Program) -> set[str]:
    """The variables that an output depends on; all of them where there is no output. Of the others nothing is asked."""
    asked = [x for r in program.readouts for _, v, h in r.terms for x in (v, h)]
    asked += [o.scalar for o in program.outputs]
    return program.needed(asked) if asked else {i.name for i in program.instructions}


def _what_covers(finding: Finding, program: Program) -> str:
    if finding.covered:
        return "versions of the Master Theorem that assume rank stability cover it (Yang 2020b)"
    if finding.condition:
        return finding.condition
    if finding.slow and infer_language(program) == NETSOR:
        return (
            "without transposes and parameters Tensor Programs I covers it (Yang 2019), "
            "which allows growth up to exp(C |x|^(2−ε))"
        )
    if finding.slow:
        return (
            "without transposes and parameters Tensor Programs I would allow its growth (Yang 2019); "
            f"this program is in {infer_language(program)}"
        )
    return "no version of the Master Theorem covers it"


def _where_parameters_tend(finding: Finding, psi: Expr, moving: dict[Sym, Expr], program: Program) -> Finding:
    """Rank stability speaks of jumps that Z's meet with probability zero: not of step(m x) with m → 0."""
    whole = psi
    while inner := {s: moving[s] for s in whole.free & moving.keys()}:
        whole = substitute(whole, inner)
    vectors = {s for s in whole.free if s is not WIDTH and program.kind_of(str(s.name)) != "scalar"}
    for node in postorder(whole):
        if isinstance(node, Call) and FUNCTIONS[node.fn].jumps:
            u = node.children[0]
        elif isinstance(node, Cond) and isinstance(node.test, Cmp):
            u = add(node.test.children[0], neg(node.test.children[1]))
        else:
            continue
        parameters = sorted({"n" if s is WIDTH else str(s.name) for s in u.free - vectors})
        terms = u.children if isinstance(u, Add) else (u,)
        alone = [s for t in terms if isinstance(s := split_coefficient(t)[1], Sym) and s in vectors]
        # A vector that enters by itself keeps the argument off its jump, whatever the parameters tend to.
        free = any(all(s not in t.free or split_coefficient(t)[1] is s for t in terms) for s in alone)
        if not parameters or free or not u.free & vectors:
            continue
        names = " and ".join(f"`{p}`" for p in parameters)
        tend = f"where {names} tend{'s' if len(parameters) == 1 else ''}" if parameters != ["n"] else "the limit n → ∞"
        condition = (
            f"whether a version that assumes rank stability covers it depends on {tend}: "
            f"none does if `{to_text(u)}` is then at the jump with positive probability"
        )
        return replace(finding, covered=False, condition=condition)
    return finding


def is_positive(e: Expr, known: Collection[Sym], ranges: Mapping[Sym, Interval]) -> bool:
    """Whether an expression is above 0 at every argument, the limits of its scalars included."""
    return signs.is_positive(e, known, ranges) and WIDTH not in e.free


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
    if found.holds is not True:
        plain = in_plain_form(psi)
        if plain is not psi:
            instead = _of_parts(plain, ranges)
            if instead.holds:
                return FINE
            if not shows_stand_in(instead.because) and (instead.slow or instead.rank() < found.rank()):
                found = instead
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
        logarithm = _powers_beside_logarithm(node) if isinstance(node, Mul) else None
        if logarithm is not None:
            finding, rest = logarithm
            worst = worst.worse(finding)
            stack.extend(rest)
            continue
        worst = worst.worse(_operation(node, bounds, ranges))
        if not isinstance(node, Star):
            stack.extend(node.children)
    return worst


def _powers_beside_logarithm(product: Mul) -> tuple[Finding, list[Expr]] | None:
    """u^k log|u| and u^k log(u²), what is to be said of it and the other factors: for k > 1 it has a bounded slope."""
    for log in product.children:
        if not (isinstance(log, Call) and is_log(log)):
            continue
        u = log.children[0]
        while isinstance(u, Pow) and isinstance(u.exponent, Const) and u.exponent.value > 0 or is_absolute(u):
            u = u.children[0]
        for power in product.children:
            base, k = (power.base, power.exponent) if isinstance(power, Pow) else (power, Const(1))
            if (base.children[0] if is_absolute(base) else base) is not u or not isinstance(k, Const) or k.value <= 0:
                continue
            rest = [c for c in product.children if c is not log and c is not power]
            if k.value > 1:
                return FINE, [*rest, u]
            text = to_text(mul(power, log))
            return Finding(False, f"`{text}`: its slope is unbounded where `{to_text(u)}` is 0"), [*rest, u]
    return None


def _operation(node: Expr, bounds: Mapping[Expr, Interval], ranges: Mapping[Sym, Interval]) -> Finding:
    match node:
        case Call():
            entry = FUNCTIONS[node.fn]
            if entry.lipschitz or entry.obstacle is None:
                return FINE
            why = entry.obstacle(*(bounds[c] for c in node.children))
            if why is None:
                return FINE
            bounded = bool(entry.jumps) or entry.singular
            return Finding(
                False, f"`{to_text(node)}`: {why}", covered=bounded and not entry.singular,
                hopeless=entry.singular, slow=is_exp(node) and _degree(node.children[0], bounds) < 2,
            )  # fmt: skip
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
            slow = _degree(node.exponent, bounds) < 2
            return FINE if grows else Finding(False, f"`{text}` is not polynomially bounded", covered=False, slow=slow)
        return Finding(None, f"`{text}` has a variable exponent, whose growth cannot be told")
    k = node.exponent.value
    if k < 0:
        if base[0] > 0 or base[1] < 0:
            return FINE
        return Finding(
            False, f"`{text}` divides by a quantity that can reach 0, so it has no bound there", covered=False,
            hopeless=k <= -0.5 and _is_simple(node.base),
        )  # fmt: skip
    if isinstance(k, int):
        return FINE
    if base[0] < 0:
        return Finding(None, f"`{text}` is a root of a quantity that the text does not show to be positive")
    if k > 1 or base[0] > 0:
        return FINE
    return Finding(False, f"`{text}`: the slope of √ is unbounded at 0")


def _is_simple(e: Expr) -> bool:
    """|u| or u of a variable u: a negative power of it has no second moment from −1/2 on."""
    return isinstance(e.children[0] if isinstance(e, Call) and FUNCTIONS[e.fn].degree == 1 else e, Sym)


def _degree(e: Expr, bounds: Mapping[Expr, Interval]) -> float:
    """A power of |x| that bounds the growth of an expression."""
    low, high = bounds[e]
    if math.isfinite(low) and math.isfinite(high):
        return 0.0
    match e:
        case Sym():
            return 1.0
        case Add():
            return max(_degree(c, bounds) for c in e.children)
        case Mul():
            return sum(_degree(c, bounds) for c in e.children)
        case Pow() if isinstance(e.exponent, Const) and e.exponent.value > 0:
            return _degree(e.base, bounds) * float(e.exponent.value)
        case Call() if FUNCTIONS[e.fn].lipschitz:
            return max(_degree(c, bounds) for c in e.children)
        case _:
            return INF


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


def infer_continuity(psi: Expr, ranges: Mapping[Sym, Interval], positive: Collection[Sym] = frozenset()) -> Finding:
    """Whether a function of scalars alone is continuous in them (B.8, 1)."""
    bounds = ranges_of(psi, ranges)
    worst = FINE
    for node in bounds:
        text = to_text(node) if not isinstance(node, (Const, Sym, Add, Mul, Cmp)) else ""
        match node:
            case Pow() if node.base is not WIDTH and isinstance(node.exponent, Const) and node.exponent.value < 0:
                base = bounds[node.base]
                if base[0] <= 0 <= base[1] and not is_positive(node.base, positive, ranges):
                    what = to_text(node.base)
                    finding = Finding(
                        None, f"`{text}` is continuous unless `{what}` tends to 0, which the text does not rule out"
                    )
                    worst = worst.worse(finding)
            case Call() if is_log(node):
                if bounds[node.children[0]][0] <= 0 and not is_positive(node.children[0], positive, ranges):
                    worst = worst.worse(Finding(None, f"`{text}` is continuous only where its argument stays positive"))
            case Call() if FUNCTIONS[node.fn].jumps or FUNCTIONS[node.fn].quotient is not None:
                if FUNCTIONS[node.fn].obstacle(*(bounds[c] for c in node.children)) is not None:  # type: ignore[misc]
                    worst = worst.worse(Finding(None, f"`{text}` is continuous unless its argument tends to a jump"))
            case Cond() if isinstance(node.test, Cmp):
                lhs, rhs = node.test.children
                u = add(lhs, neg(rhs))
                if u.free and not vanishes_on(add(node.then, neg(node.other)), u):
                    worst = worst.worse(Finding(None, f"`{text}` is continuous unless the scalars tend to its jump"))
    return worst

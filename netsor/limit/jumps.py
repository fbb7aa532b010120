"""ψ's that jump in a parameter at its limit, as step(m x) with m → 0, where Definition B.3 does not give the limit.

Z^{ψ(x; θ)} = ψ(Z^x; θ̊) is the limit of the coordinates where ψ is continuous in θ at θ̊ for almost every Z^x. Where it
jumps there for Z^x of positive probability, the definition takes the value at the jump itself, whereas at finite width
θ lies on one of the sides; no version of the Master Theorem covers this.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from functools import cached_property

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import limits
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    ZERO,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Star,
    Sym,
    add,
    canonical,
    evaluate,
    mul,
    postorder,
    split_coefficient,
    substitute,
    to_text,
    unfold,
)
from netsor.expr.asymptotics import Diverges
from netsor.expr.build import with_children
from netsor.expr.cases import may_be_zero
from netsor.expr.differentiate import plain_tests, vanishes_on
from netsor.expr.functions import JUMPING, is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.gaussian import NoNumber, NoPointwiseMeaning
from netsor.limit.interpreter import Limit

# How many draws at a jump are examined, and how many are made at most to find them.
_DRAWS, _MOST_DRAWS = 24, 2000
# An argument this close to a jump counts as lying on it; a generic draw comes this close with probability below 1e-8.
_AT = 1e-9
_NUDGE = 1e-6

Values = dict[Sym, float]


class Jumps:
    """The ψ's of a program that jump in a parameter at its limit, found once for all outputs.

    Whether an argument lies at a jump with positive probability is decided from the Z's; the scalars in it are computed
    only where there is such a ψ.
    """

    def __init__(self, state: Limit):
        self.state = state
        self._told: dict[str, tuple[Sym, float] | None] = {}

    @cached_property
    def needed(self) -> set[str]:
        return self.state.program.needed() or {i.name for i in self.state.program.instructions}

    @cached_property
    def whole(self) -> dict[str, Expr]:
        p = self.state.program
        return _written_out(p, p.needed(sorted(self.jumping)) if self.jumping else set())

    @cached_property
    def jumping(self) -> set[str]:
        """The NONLINs and MOMENTs of which a ψ jumps: their own, or that of a NONLIN among their arguments."""
        found: set[str] = set()
        for i in self.state.program.instructions:
            if i.name not in self.needed or isinstance(i, MatMul):
                continue
            nonlins = (x for x in i.vectors if isinstance(self.state.program.by_name.get(x), Nonlin))
            if not found.isdisjoint(nonlins) or _has_jumps(unfold(i.psi)):
                found.add(i.name)
        return found

    @cached_property
    def suspects(self) -> list[Nonlin | Moment]:
        p = self.state.program
        if not (
            any(isinstance(i, Moment) or isinstance(i, Nonlin) and WIDTH in i.psi.free for i in p.instructions)
            or any(c.value.free for c in p.constants)
        ):
            return []
        made = [i for i in p.instructions if i.name in self.jumping and not isinstance(i, MatMul)]
        return [i for i in made if i.vectors and self._may_move(i)]

    def _may_move(self, i: Nonlin | Moment) -> bool:
        """Whether an expression in which ψ jumps contains a parameter."""
        whole = self.whole[i.name]
        if is_singular(whole):
            return False
        return any(
            _is_parameter(self.state, s) and str(s.name) not in self.still for u, _ in _arguments(whole) for s in u.free
        )

    @cached_property
    def still(self) -> set[str]:
        """The variables that are the same numbers at every width, as the mean of U ξ with ξ = 0."""
        p, z = self.state.program, self.state.z
        given = (*p.group_of, *p.embedding)
        found = {x for x in given if isinstance(z(x), Const)} | {c.name for c in p.constants if not c.value.free}
        for i in p.instructions:
            if isinstance(i, MatMul):
                # What no output needs may not be written yet.
                fixed = i.vector in found and self.state.written.z.get(i.vector) is ZERO
            else:
                fixed = WIDTH not in i.psi.free and found.issuperset((*i.vectors, *i.scalars))
            if fixed:
                found.add(i.name)
        return found

    def _has_own(self, i: Nonlin | Moment) -> bool:
        """Whether ψ jumps in n itself; if not, the expansion of its arguments decides on which side they lie."""
        moving = {Sym(c.name) for c in self.state.program.constants if c.value.free} | {WIDTH}
        for node in postorder(unfold(i.psi)):
            if isinstance(node, Call) and FUNCTIONS[node.fn].jumps and moving & node.free:
                return True
            if isinstance(node, Cond) and moving & node.test.free:
                tree = plain_tests(node)
                while isinstance(tree, Cond) and isinstance(tree.test, Cmp):
                    u = tree.test.children[0] - tree.test.children[1]
                    if not vanishes_on(tree.then - tree.other, u):
                        return True
                    tree = tree.other
        return False

    def refuse(self, output: str) -> None:
        """Raise NetsorError (E803) where a ψ that the output needs jumps in a parameter at its limit."""
        before = self.state.program.needed([output]) if self.suspects else set()
        for i in self.suspects:
            if i.name in before:
                found = self.at(i)
                if found is not None:
                    raise NetsorError(_refusal(f"limit of `{output}`", i, *found))

    def at(self, i: Nonlin | Moment) -> tuple[Sym, float] | None:
        """A parameter in which ψ jumps at its limit for Z's of positive probability, with that limit, or None."""
        if i.name not in self._told:
            self._told[i.name] = self._jump(i) if i in self.suspects else None
        return self._told[i.name]

    def told(self, i: Nonlin | Moment, subject: str | None = None) -> Diagnostic | None:
        """The error (E803) for such a ψ, where its limit or a result computed from it is shown; None for other ψ's."""
        found = self.at(i)
        return None if found is None else _refusal(subject or f"limit of `{i.name}`", i, *found)

    def _jump(self, i: Nonlin | Moment) -> tuple[Sym, float] | None:
        if self.state.is_one_sided(i) and not self._has_own(i) or not self._lies_on_one(i):
            return None
        whole = self.whole[i.name]
        self._ask(i)
        parameters = _parameters(self.state, whole)
        for values in self._draws_at(i):
            for s, (limit, sides) in parameters.items():
                if _jumps_in(whole, s, limit, sides, values):
                    return s, limit
        return None

    def _lies_on_one(self, i: Nonlin | Moment) -> bool:
        """Whether, judged by the Z's in it, an argument of ψ lies at a jump with positive probability."""
        state = self.state
        limits = {Sym(x): state.z(x) for x in i.vectors} | {Sym(x): state.moment(x) for x in i.scalars}
        # Inside ψ* the step tends to 0.
        limits |= {node.bound: ZERO for node in postorder(i.psi) if isinstance(node, Star)}
        for u, places in _arguments(i.psi):
            try:
                made = canonical(substitute(at_infinite_width(u), limits))
            except Diverges:
                continue
            at = self._in_numbers(made)
            if any(may_be_zero(add(at, Const(-place)), {}) for place in places):
                return True
        return False

    def _in_numbers(self, e: Expr) -> Expr:
        """An expression with numbers for its scalars, without the rounding errors that remain where terms cancel."""
        numbers: dict[Sym, Expr] = {}
        for s in e.free:
            if not self.state.is_gaussian(s):
                try:
                    numbers[s] = Const(self.state.scalar(s).value)
                except (NetsorError, NoNumber, NoPointwiseMeaning):
                    continue
        if not numbers:
            return e
        done: dict[Expr, Expr] = {}
        for node in postorder(e):
            if isinstance(node, Sym):
                done[node] = numbers.get(node, node)
            elif isinstance(node, Add):
                done[node] = _sum_in_numbers([done[c] for c in node.children])
            else:
                done[node] = with_children(node, tuple(done[c] for c in node.children))
        return canonical(done[e])

    def _ask(self, i: Nonlin | Moment) -> None:
        """Compute the scalars on which the arguments of ψ depend."""
        for name in self.state.program.needed([i.name]) & self.needed:
            if isinstance(self.state.program.by_name.get(name), Moment) and name != i.name:
                try:
                    self.state.estimate(name)
                except (NetsorError, NoNumber, NoPointwiseMeaning):
                    continue

    def _draws_at(self, i: Nonlin | Moment) -> Iterator[Values]:
        """Draws of the Ẑ's for which an argument of ψ is at a jump."""
        drawn = (values for values, _ in zip(_simulated(self.state, self.needed), range(_MOST_DRAWS)))
        at = (values for values in drawn if _is_at_a_jump(i, values))
        return (values for values, _ in zip(at, range(_DRAWS)))


def _sum_in_numbers(terms: list[Expr]) -> Expr:
    sums: dict[Expr, list[float]] = {}
    for t in terms:
        for term in t.children if isinstance(t, Add) else (t,):
            c, rest = split_coefficient(term)
            sums.setdefault(rest, []).append(float(c))
    left = {r: c for r, cs in sums.items() if abs(c := math.fsum(cs)) > _AT * math.fsum(map(abs, cs))}
    return add(*(mul(Const(c), r) for r, c in left.items()))


def _has_jumps(psi: Expr) -> bool:
    """Whether an expression without definitions contains a function that jumps, or a condition."""
    return not JUMPING.isdisjoint(psi.made_of) or Cond.kind in psi.made_of


def _arguments(psi: Expr) -> Iterator[tuple[Expr, tuple[float, ...]]]:
    """The expressions in which ψ may jump, and where: arguments of step and sign, differences in comparisons."""
    psi = unfold(psi)
    if not _has_jumps(psi):
        return
    for node in postorder(psi):
        if isinstance(node, Call) and FUNCTIONS[node.fn].jumps:
            yield node.children[0], FUNCTIONS[node.fn].jumps
        elif isinstance(node, Cond):
            for test in postorder(node.test):
                if isinstance(test, Cmp):
                    yield test.children[0] - test.children[1], (0.0,)


def _is_at_a_jump(i: Nonlin | Moment, values: Values) -> bool:
    for u, places in _arguments(i.psi):
        try:
            u = at_infinite_width(u)
        except Diverges:
            continue
        if any(s not in values for s in u.free):
            continue
        at = evaluate(u, values)
        if any(abs(at - place) <= _AT for place in places):
            return True
    return False


def _simulated(state: Limit, needed: set[str]) -> Iterator[Values]:
    """Values of all variables at draws of the Ẑ's, which are drawn independently, with scalars at their limits."""
    p = state.program
    rng = random.Random(20210721)
    psis = {i.name: at_infinite_width(i.psi) for i in p.instructions if isinstance(i, Nonlin) and i.name in needed}
    singular = {name for name, psi in psis.items() if is_singular(unfold(psi))}
    for k in itertools.count():
        scale = (1.0, 0.3, 3.0, 10.0)[k % 4]
        drawn: dict[Expr, float] = {}

        def draw(e: Expr, scale: float = scale, drawn: dict[Expr, float] = drawn) -> float:
            c, rest = split_coefficient(e)
            if rest is ZERO or not rest.free:
                return evaluate(e)
            if rest not in drawn:
                drawn[rest] = scale * rng.gauss(0, 1)
            return float(c) * drawn[rest]

        values: Values = {}
        for group in p.groups:
            for name in group.names:
                z = state.z(name)
                values[Sym(name)] = evaluate(z, {s: _deviation(state, s) * draw(s) for s in z.free})
        for e in p.embeddings:
            values[Sym(e.name)] = draw(state.z(e.name))
        for c in p.constants:
            values[Sym(c.name)] = c.limit
        for i in p.instructions:
            if i.name not in needed:
                continue
            if isinstance(i, MatMul):
                values[Sym(i.name)] = draw(state.z(i.name))
            elif isinstance(i, Nonlin):
                psi = psis[i.name]
                known = all(s in values for s in psi.free) and i.name not in singular
                values[Sym(i.name)] = evaluate(psi, values) if known else scale * rng.gauss(0, 1)
            else:
                found = state.found(i.name)
                # A scalar that was not computed is replaced by a random number, which does not lie at a jump.
                values[Sym(i.name)] = rng.gauss(0, 1) if found is None else found
        yield values


def _deviation(state: Limit, s: Sym) -> float:
    return math.sqrt(max(state.covariance(s, s).value, 0.0))


def _written_out(p: Program, needed: set[str]) -> dict[str, Expr]:
    """Each ψ with the NONLINs among its arguments written out, so that it contains every parameter it depends on."""
    made: dict[Sym, Expr] = {}
    whole: dict[str, Expr] = {}
    for i in p.instructions:
        if i.name in needed and not isinstance(i, MatMul):
            whole[i.name] = substitute(unfold(i.psi), made)
            if isinstance(i, Nonlin):
                made[Sym(i.name)] = whole[i.name]
    return whole


def _parameters(state: Limit, whole: Expr) -> dict[Sym, tuple[float, tuple[int, ...]]]:
    """The scalars that differ from their limits at finite width, these limits, and the sides they may lie on."""
    p = state.program
    out: dict[Sym, tuple[float, tuple[int, ...]]] = {}
    constants = {c.name: c for c in p.constants}
    for s in sorted(whole.free, key=lambda s: s.digest):
        if s is WIDTH:
            out[s] = (math.inf, (1,))
        elif (c := constants.get(str(s.name))) is not None:
            side = evaluate(c.value, {WIDTH: 1e8}) - c.limit if c.value.free else 0.0
            if side:
                out[s] = (c.limit, (1 if side > 0 else -1,))
        elif isinstance(j := p.by_name.get(str(s.name)), Moment):
            found = state.found(j.name)
            if found is not None:
                out[s] = (found, (-1, 1))
        elif isinstance(j, MatMul) and state.z(j.name) is ZERO and _varies(p, j):
            out[s] = (0.0, (-1, 1))
    return out


def _is_parameter(state: Limit, s: Sym) -> bool:
    """Whether a symbol stands for a quantity that differs from its limit at finite width."""
    i = state.program.by_name.get(str(s.name))
    if isinstance(i, MatMul):
        return state.z(i.name) is ZERO
    moving = (c.name for c in state.program.constants if c.value.free)
    return s is WIDTH or isinstance(i, Moment) or s.name in moving


def _varies(p: Program, i: MatMul) -> bool:
    """Whether a product with limit 0 may be non-zero at finite width, because a parameter makes its vector 0."""
    before = p.needed([i.name])
    made = [j for j in p.instructions if isinstance(j, Nonlin) and j.name in before]
    return any(j.scalars or WIDTH in j.psi.free for j in made)


def _jumps_in(whole: Expr, s: Sym, limit: float, sides: tuple[int, ...], values: Values) -> bool:
    """Whether ψ at a draw keeps a distance from its value at θ̊ as θ tends to θ̊."""
    try:
        at_limit = at_infinite_width(whole)
        here = _value(at_limit, values)
        for side in sides:
            near, nearer = (
                _value(_narrowly(whole), {**values, WIDTH: n}) if s is WIDTH else
                _value(at_limit, {**values, s: limit + side * d * (1 + abs(limit))})
                for n, d in ((1e12, _NUDGE), (1e18, _NUDGE / 1000))
            )  # fmt: skip
            far, close = abs(near - here), abs(nearer - here)
            if close > 1e-9 * (1 + abs(here)) and close > 0.5 * far:
                return True
    except Diverges:
        return False
    return False


def _narrowly(whole: Expr) -> Expr:
    """ψ at a finite width, but with ψ* in the limit, to avoid the rounding errors of a difference quotient."""
    from netsor.expr import rewrite

    return rewrite(whole, lambda node: at_infinite_width(node) if isinstance(node, Star) else node)


def _value(e: Expr, values: Mapping[Sym, float]) -> float:
    return evaluate(e, {s: v for s, v in values.items() if s in e.free})


def _refusal(subject: str, i: Nonlin | Moment, s: Sym, limit: float) -> Diagnostic:
    what = f"as n → ∞, where `{to_text(i.psi)}` is on one side of a jump and its limit on it"
    if s is not WIDTH:
        what = f"in `{s.name}` at its limit {limit:.6g}"
    return limits.jumps_in_parameters(subject, to_text(i.psi), what, i.span)

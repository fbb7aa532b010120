"""ψ's that jump where their parameters tend to, as step(m x) with m → 0: Definition B.3 takes the jump's own value.

Z^{ψ(x; θ)} = ψ(Z^x; θ̊) is what coordinates tend to where ψ is continuous in θ at θ̊ for almost every Z^x. Where it
jumps for a set of Z^x of positive probability, a finite width, whose θ is on either side of θ̊, tends to something
else, whatever version of the Master Theorem is asked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from functools import cached_property

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    ZERO,
    Call,
    Cmp,
    Cond,
    Expr,
    Star,
    Sym,
    evaluate,
    postorder,
    split_coefficient,
    substitute,
    to_text,
    unfold,
)
from netsor.expr.asymptotics import Diverges, at_infinite_width
from netsor.expr.differentiate import plain_tests, vanishes_on
from netsor.expr.functions import is_singular
from netsor.limit.interpreter import Limit

_DRAWS = 24
# An argument this near a jump is at it: generic draws come so near with probability 1e-8.
_AT = 1e-9
_NUDGE = 1e-6

Values = dict[Sym, float]


class Jumps:
    """The ψ's of a program that may jump where their parameters tend to, looked at once for all its outputs.

    It is asked after an output's limit, so that the scalars which that depends on are known.
    """

    def __init__(self, state: Limit):
        self.state = state
        self.told: dict[str, tuple[Sym, float] | None] = {}
        self._draws: tuple[int, list[Values]] = (-1, [])

    @cached_property
    def needed(self) -> set[str]:
        return self.state.program.needed()

    @cached_property
    def whole(self) -> dict[str, Expr]:
        return _written_out(self.state.program, self.needed)

    def draws(self) -> list[Values]:
        """Simulated anew where more numbers are known than before."""
        moments = [i.name for i in self.state.program.instructions if isinstance(i, Moment) and i.name in self.needed]
        known = sum(self.state.found(name) is not None for name in moments)
        if self._draws[0] != known:
            self._draws = known, _simulated(self.state, self.needed)
        return self._draws[1]

    @cached_property
    def suspects(self) -> list[Nonlin | Moment]:
        made = [i for i in self.state.program.instructions if i.name in self.needed and not isinstance(i, MatMul)]
        return [i for i in made if i.vectors and self._may_move(i)]

    def _may_move(self, i: Nonlin | Moment) -> bool:
        """Whether a parameter enters what ψ jumps in."""
        whole = self.whole[i.name]
        if is_singular(whole):
            return False
        return any(_is_parameter(self.state, s) for u, _ in _arguments(whole) for s in u.free)

    def _has_own(self, i: Nonlin | Moment) -> bool:
        """Whether ψ jumps in n itself; what its vectors do as n → ∞ says from which side they come to a jump."""
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
        """Raises NetsorError (E803) where a ψ that the output needs jumps in a parameter at its limit.

        Draws of the Ẑ's at no point of distinction tell: if ψ jumps at a set of positive probability some of them
        meet it, and if at none, none does.
        """
        before = self.state.program.needed([output]) if self.suspects else set()
        for i in self.suspects:
            if i.name in before:
                if self.told.get(i.name) is None:
                    self.told[i.name] = self._jump(i)
                found = self.told[i.name]
                if found is not None:
                    raise NetsorError(_refusal(output, i, *found))

    def _jump(self, i: Nonlin | Moment) -> tuple[Sym, float] | None:
        draws = self.draws()
        if not any(_is_at_a_jump(i, values) for values in draws):
            return None
        if self.state.is_one_sided(i) and not self._has_own(i):
            return None
        whole = self.whole[i.name]
        for s, (limit, sides) in _parameters(self.state, whole).items():
            if any(_jumps_in(whole, s, limit, sides, values) for values in draws):
                return s, limit
        return None


def _arguments(psi: Expr) -> Iterator[tuple[Expr, tuple[float, ...]]]:
    """What ψ jumps in, and where: the arguments of step and sign, the two sides of a test."""
    for node in postorder(unfold(psi)):
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


def _simulated(state: Limit, needed: set[str]) -> list[Values]:
    """Values of all variables at draws of the Ẑ's, each of its own, and of the scalars at their limits."""
    p = state.program
    rng = random.Random(20210721)
    out: list[Values] = []
    psis = {i.name: at_infinite_width(i.psi) for i in p.instructions if isinstance(i, Nonlin) and i.name in needed}
    singular = {name for name, psi in psis.items() if is_singular(unfold(psi))}
    for k in range(_DRAWS):
        scale = (1.0, 0.3, 3.0)[k % 3]
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
                # A number that nothing asked for is at no point of distinction as far as anyone knows.
                values[Sym(i.name)] = rng.gauss(0, 1) if found is None else found
        out.append(values)
    return out


def _deviation(state: Limit, s: Sym) -> float:
    return math.sqrt(max(state.covariance(s, s).value, 0.0))


def _written_out(p: Program, needed: set[str]) -> dict[str, Expr]:
    """Each ψ with the NONLINs that it is applied to in place of their names, so that every parameter shows."""
    made: dict[Sym, Expr] = {}
    whole: dict[str, Expr] = {}
    for i in p.instructions:
        if i.name in needed and not isinstance(i, MatMul):
            whole[i.name] = substitute(unfold(i.psi), made)
            if isinstance(i, Nonlin):
                made[Sym(i.name)] = whole[i.name]
    return whole


def _parameters(state: Limit, whole: Expr) -> dict[Sym, tuple[float, tuple[int, ...]]]:
    """The scalars that differ from their limits at finite widths, their limits, and the sides that they are on."""
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
    """Whether a symbol stands for something that differs from its limit at a finite width."""
    i = state.program.by_name.get(str(s.name))
    if isinstance(i, MatMul):
        return state.z(i.name) is ZERO
    moving = (c.name for c in state.program.constants if c.value.free)
    return s is WIDTH or isinstance(i, Moment) or s.name in moving


def _varies(p: Program, i: MatMul) -> bool:
    """Whether a product that is 0 in the limit need not be so at a finite width: a parameter made its vector 0."""
    before = p.needed([i.name])
    made = [j for j in p.instructions if isinstance(j, Nonlin) and j.name in before]
    return any(j.scalars or WIDTH in j.psi.free for j in made)


def _jumps_in(whole: Expr, s: Sym, limit: float, sides: tuple[int, ...], values: Values) -> bool:
    """Whether ψ at a draw stays away from its value at θ̊ however near θ comes."""
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
    """ψ at a width; ψ* as in the limit, since differences of nearly equal numbers would be rounding."""
    from netsor.expr import rewrite

    return rewrite(whole, lambda node: at_infinite_width(node) if isinstance(node, Star) else node)


def _value(e: Expr, values: Mapping[Sym, float]) -> float:
    return evaluate(e, {s: v for s, v in values.items() if s in e.free})


def _refusal(output: str, i: Nonlin | Moment, s: Sym, limit: float) -> Diagnostic:
    what = f"as n → ∞, where `{to_text(i.psi)}` is on one side of a jump and its limit on it"
    if s is not WIDTH:
        what = f"in `{s.name}` at its limit {limit:.6g}"
    return Diagnostic(
        "E803",
        f"the limit of `{output}` is not what Definition B.3 gives: `{to_text(i.psi)}` jumps {what}",
        i.span,
        label="not continuous at the limits of its parameters, with positive probability",
        notes=(
            "the definition takes the value at the jump itself, where finite widths are on either side of it; "
            "no version of the Master Theorem covers this (Assumption B.8)",
        ),
    )

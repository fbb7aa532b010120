"""The vectors and scalars of a program expanded in powers of 1/√n, where a ψ has a kink, a jump or a root at its limit
arguments.

The rules of Definition B.3 put n = ∞ into the arguments of ψ first, which is not enough there: h + δ/√n tends to h, and
the value of relu' at 0 is a convention. `netsor.expr.onesided` computes the limit of ψ from expansions of its arguments
in 1/√n; this module derives those expansions from the instructions that compute the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from netsor.core.program import MatMul, Moment, Nonlin, Program
from netsor.expr import WIDTH, ZERO, Const, Expr, Star, Sym, canonical, postorder, power, substitute, unfold
from netsor.expr.asymptotics import Diverges
from netsor.expr.cases import may_be_zero
from netsor.expr.expanded_limit import one_sided_limit
from netsor.expr.expansion import Expansion, Unsettled
from netsor.expr.functions import is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.onesided import OneSided, distances, of_constant

# The first word of symbols for terms that no instruction gives: the fluctuation of a scalar, or the next term of a
# product.
_UNKNOWN = "beyond the limit"
# The least power of 1/√n that the first term beyond the limit is assumed to have.
_LEAST = 0.25


class Expansions:
    """Expansions of the variables of a program; their limits are added to `z` and `scalars` as they are found."""

    def __init__(self, program: Program, z: Mapping[str, Expr], scalars: Mapping[str, Expr]):
        self.program, self.z, self.scalars = program, z, scalars
        # Without n in a ψ or a constant nothing differs from its limit by a power of it.
        self.has_width = any(WIDTH in i.psi.free for i in program.instructions if not isinstance(i, MatMul)) or any(
            c.value.free for c in program.constants
        )
        self._layered = _with_layers(program) if self.has_width else set()

    def one_sided(self, i: Nonlin | Moment) -> Expr | None:
        """The limit of ψ at a kink, a jump or a root; None where its arguments lie on none in the limit and cross none.

        Raises `Unsettled` where the limit depends on terms that the instructions do not determine, and `Diverges` where
        ψ grows without bound.
        """
        if not self.has_width or not (self._has_layers(i) or self.meets(i)):
            return None
        return self._limit(i.psi)

    def _has_layers(self, i: Nonlin | Moment) -> bool:
        if i.name in self.program.by_name:
            return i.name in self._layered
        return not self._layered.isdisjoint(i.vectors) or not is_singular(i.psi) and _crosses_a_jump(i.psi)

    def _limit(self, psi: Expr) -> Expr | None:
        found = one_sided_limit(psi, self._expansion)
        if found is not None and any(isinstance(s.name, tuple) and s.name[0] == _UNKNOWN for s in found.free):
            raise Unsettled
        return found

    def square(self, i: MatMul) -> Expr | None:
        """lim x² of the operand of a product, where x crosses a jump, else None; raises what `one_sided` raises."""
        if not self.has_width or i.vector not in self._layered:
            return None
        return self._limit(power(Sym(i.vector), Const(2)))

    def meets(self, i: Nonlin | Moment) -> bool:
        """Whether arguments of ψ lie on a kink, a jump or a root in the limit, with positive probability."""
        values = {Sym(x): self.z[x] for x in i.vectors} | {Sym(s): self.scalars[s] for s in i.scalars}
        return any(may_be_zero(substitute(d, values), {}) for d in distances_in_limit(i.psi))

    def _expansion(self, work: OneSided, s: Sym, upto: float) -> Expansion:
        name = s.name
        if name in self.program.constant:
            return of_constant(self.program.constant[name].value)
        known = self.scalars.get(name)
        i = self.program.by_name.get(name)
        if isinstance(i, Nonlin) and (work.layer is not None or name in self._layered):
            # The limit has lost what the tests in ψ were about.
            return work.of(unfold(i.psi), upto)
        limit = work.settled(self.z[name] if known is None else known)
        terms = ((0.0, limit),) if limit is not ZERO else ()
        if i is None:
            return Expansion(terms)
        if upto <= 0:
            return Expansion(terms, _LEAST)
        if isinstance(i, MatMul):
            after = work.of(Sym(i.vector), upto)
            more = tuple((p, Sym((_UNKNOWN, name, p))) for p, _ in after.terms if p > 0)
            return Expansion((*terms, *more), after.rest)
        if isinstance(i, Moment) and i.vectors:
            # By the central limit theorem a mean over n coordinates differs from its limit by a term of the order of
            # 1/√n.
            return Expansion((*terms, (1.0, Sym((_UNKNOWN, name, 1.0)))), 1.0 + _LEAST)
        made = work.of(unfold(i.psi), upto)
        return Expansion((*terms, *(t for t in made.terms if t[0] > 0)), made.rest)


def _with_layers(program: Program) -> set[str]:
    """The vectors and scalars with a difference quotient across a jump in ψ, or in a vector that ψ depends on.

    Masses that are written as such, as derivatives of a step, are no quotients, and the rules for masses apply to them
    and to all that depends on them.
    """
    out: set[str] = set()
    masses: set[str] = set()
    for i in program.instructions:
        above = (i.vector,) if isinstance(i, MatMul) else (*i.vectors, *i.scalars)
        if not masses.isdisjoint(above) or not isinstance(i, MatMul) and is_singular(i.psi):
            masses.add(i.name)
        elif not isinstance(i, MatMul) and (not out.isdisjoint(i.vectors) or _crosses_a_jump(i.psi)):
            out.add(i.name)
    return out - {i.name for i in program.instructions if isinstance(i, Moment) and not i.vectors}


def _crosses_a_jump(psi: Expr) -> bool:
    try:
        return is_singular(at_infinite_width(psi))
    except Diverges:
        return False


@lru_cache(maxsize=4096)
def distances_in_limit(psi: Expr) -> tuple[Expr, ...]:
    """Expressions that are zero where an argument of ψ lies on a kink in the limit, in the variables of ψ."""
    return tuple(distances_of_nodes(postorder(unfold(psi))))


def distances_of_nodes(nodes: Iterable[Expr]) -> dict[Expr, None]:
    """The same for some nodes of an unfolded ψ, which include every ψ* that the others stand in."""
    nodes = list(nodes)
    bound: dict[Sym, Expr] = {node.bound: ZERO for node in nodes if isinstance(node, Star)}
    out: dict[Expr, None] = {}
    for node in nodes:
        for d in distances(node):
            try:
                out[canonical(at_infinite_width(substitute(d, bound)))] = None
            except Diverges:
                continue
    return out

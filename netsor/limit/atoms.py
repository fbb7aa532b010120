"""Limits of instructions whose ψ has a kink, a jump or a root where its arguments lie with positive probability."""

from __future__ import annotations

from collections.abc import Mapping

from netsor.core import Moment, Nonlin, Program
from netsor.core.expansions import Expansions
from netsor.diagnostics import Diagnostic
from netsor.expr import Expr
from netsor.expr.asymptotics import Diverges
from netsor.expr.onesided import Unsettled


class Atoms:
    """One-sided limits of instructions; the caller adds the limits of vectors and scalars to `z` and `scalars`."""

    def __init__(self, program: Program, z: Mapping[str, Expr], scalars: Mapping[str, Expr]):
        self._expansions = Expansions(program, z, scalars)
        # By instruction, the error for a ψ that has no limit because of a kink or a jump, and for one whose limit is
        # not known.
        self.without_limit: dict[str, Diagnostic] = {}
        self.not_known: dict[str, Diagnostic] = {}
        self._found: dict[str, Expr | None] = {}

    def limit(self, i: Nonlin | Moment) -> Expr | None:
        """The limit of ψ at a kink, a jump or a root; None where its arguments lie on none, or it is not known."""
        if i.name not in self._found:
            self._found[i.name] = self._limit(i)
        return self._found[i.name]

    def _limit(self, i: Nonlin | Moment) -> Expr | None:
        try:
            return self._expansions.one_sided(i)
        except Diverges as fault:
            self.without_limit[i.name] = _jumps(i, fault.rate)
        except Unsettled:
            self.not_known[i.name] = _not_known(i)
        return None


def _jumps(i: Nonlin | Moment, rate: str) -> Diagnostic:
    return Diagnostic(
        "E801",
        f"the limit of `{i.name}` does not exist: it grows like {rate} where an argument lies on a jump",
        i.span,
        label="a difference quotient over a jump",
        notes=("the argument lies on the jump with positive probability, so that every width sees both sides of it",),
    )


def _not_known(i: Nonlin | Moment) -> Diagnostic:
    return Diagnostic(
        "E801",
        f"the limit of `{i.name}` is not known: an argument lies on a kink, a jump or a root with positive probability",
        i.span,
        label="its limit depends on the side from which the argument comes",
        notes=("that side depends on the random differences of scalars and products from their limits",),
    )

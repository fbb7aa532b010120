"""Limits of instructions whose ψ has a kink, a jump or a root where its arguments lie with positive probability."""

from __future__ import annotations

from collections.abc import Mapping

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.core.expansions import Expansions
from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue import limits
from netsor.expr import Expr
from netsor.expr.asymptotics import Diverges
from netsor.expr.expansion import Unsettled
from netsor.expr.functions import is_singular


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

    def verify_product(self, i: MatMul) -> None:
        """Note that a product has no limit, or none that is known, where its operand crosses a jump."""
        try:
            square = self._expansions.square(i)
        except Diverges as fault:
            self.without_limit[i.name] = limits.grows_across_jump(i.name, i.vector, i.span, fault.rate)
        except Unsettled:
            self.not_known[i.name] = limits.side_not_known(i.name, i.span)
        else:
            if square is not None and is_singular(square):
                self.not_known[i.name] = limits.side_not_known(i.name, i.span)

    def meets(self, i: Nonlin | Moment) -> bool:
        """Whether arguments of ψ lie on a kink, a jump or a root in the limit, with positive probability."""
        return self._expansions.meets(i)

    def one_sided(self, i: Nonlin | Moment) -> Expr | None:
        """The limit of a ψ that need not be an instruction, as `limit`; raises `Diverges` and `Unsettled` for none."""
        return self._expansions.one_sided(i)

    def _limit(self, i: Nonlin | Moment) -> Expr | None:
        try:
            return self.one_sided(i)
        except Diverges as fault:
            self.without_limit[i.name] = limits.grows_at_jump(i.name, i.span, fault.rate)
        except Unsettled:
            self.not_known[i.name] = limits.side_not_known(i.name, i.span)
        return None

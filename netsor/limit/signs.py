"""The range of a limit scalar that follows from its own expression: a mean of squares is never negative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from netsor.core import Moment, Program
from netsor.expr import WIDTH, Expr, Sym, unfold
from netsor.expr.entry import REALS, Interval
from netsor.expr.intervals import infer_range
from netsor.limit.positive import POSITIVE, is_positive_somewhere


class Signs:
    """Ranges of the scalars of a program; `powers` are those of two that are split off from their symbols."""

    def __init__(
        self, program: Program, powers: Mapping[Sym, int], integrand: Callable[[Moment], Expr],
        is_gaussian: Callable[[Sym], bool],
    ):  # fmt: skip
        self._program, self._powers = program, powers
        self._integrand, self._is_gaussian = integrand, is_gaussian
        self._signs: dict[str, Interval] = {}

    def range_of(self, s: Sym) -> Interval:
        """The range of a scalar that its own expression implies: a mean of squares is never negative."""
        i = self._program.by_name.get(s.name[1])
        if s in self._powers and isinstance(i, Moment):
            return (0.0, math.inf) if infer_range(unfold(i.psi), {})[0] >= 0 else REALS
        return REALS if not isinstance(i, Moment) or WIDTH in i.psi.free else infer_range(unfold(i.psi), {})

    def sign_of(self, s: Sym) -> Interval:
        """A range of a scalar, with a positive lower end where it must be positive, as for most means of squares."""
        waiting = [s.name[1]]
        while waiting:
            name = waiting[-1]
            i = self._program.by_name.get(name)
            plain = isinstance(i, Moment) and WIDTH not in i.psi.free
            before = [x for x in i.scalars if x not in self._signs] if plain else []  # type: ignore[union-attr]
            if before and name not in self._signs:
                waiting += before
                continue
            waiting.pop()
            if name not in self._signs:
                self._signs[name] = self._of_line(i) if plain else REALS  # type: ignore[arg-type]
        return self._signs[s.name[1]]

    def _of_line(self, i: Moment) -> Interval:
        low, high = infer_range(unfold(i.psi), {Sym(x): self._signs[x] for x in i.scalars})
        positive = low == 0 and i.vectors and is_positive_somewhere(self._integrand(i), self._is_gaussian)
        return (POSITIVE[0] if positive else low), high

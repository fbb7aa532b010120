"""Expectations under the law of a limit, taken within a budget and recorded with the errors they inherit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from netsor.core import Program
from netsor.deadline import elapsed, now
from netsor.diagnostics import NetsorError, Span
from netsor.expr import Expr
from netsor.expr.intervals import infer_range
from netsor.gaussian import Expectation, NoNumber, NoPointwiseMeaning, Part, Settings, expect
from netsor.gaussian.law import Law
from netsor.limit.doubts import Doubts
from netsor.limit.missing import diverges
from netsor.limit.noise import Form, Known, Origin
from netsor.limit.numbers import Numbers
from netsor.limit.scalars import taken_branches


@dataclass(frozen=True)
class Taken:
    """One computed expectation: its purpose, its integrand and its result."""

    purpose: str
    span: Span | None
    integrand: Expr
    result: Expectation
    seconds: float


class Expectations:
    """The expectations of one limit, in the order in which they were taken."""

    def __init__(
        self, law: Law, program: Program, settings: Settings, doubts: Doubts, numbers: Numbers,
        progress: Callable[[str], None] | None,
    ):  # fmt: skip
        self._law, self._program, self._settings = law, program, settings
        self._doubts, self._numbers, self._progress = doubts, numbers, progress
        self.taken: list[Taken] = []
        self.cache: dict[Any, Any] = {}
        # Keyed by identity, since a part that is computed again has errors of its own.
        self._parts: dict[int, tuple[Part, Form]] = {}
        self._deadline: float | None = None
        self._latest = math.inf
        if settings.budget is not None:
            self.grant(settings.budget, 1.0)

    def grant(self, seconds: float, share: float) -> None:
        """Set the seconds for the next computations; one expectation may take this `share` of what is left of them."""
        self._deadline = now() + seconds
        self._latest = self._deadline + 0.5 * max(seconds, 0.0)
        self._share = share

    def forget(self) -> None:
        """Drop parts that no result refers to: a later object with the same id would be taken for them."""
        self.cache = {k: p for k, p in self.cache.items() if id(p) in self._parts or k[0] == "numbers"}

    def expect(self, integrand: Expr, purpose: str, name: str) -> Known:
        """E of an expression as a number of the limit; raises NetsorError where it has none."""
        result, form = self.expected(integrand, purpose, name)
        return Known(result.value, result.error, form)

    def expected(self, integrand: Expr, purpose: str, name: str) -> tuple[Expectation, Form]:
        """The same with the methods and parts of the expectation."""
        try:
            return self.take(integrand, purpose, name)
        except NoPointwiseMeaning as fault:
            i = self._program.by_name.get(name)
            raise NetsorError(diverges(name, i.span if i else None, purpose, fault)) from None

    def take(self, integrand: Expr, purpose: str, name: str) -> tuple[Expectation, Form]:
        """An expectation, and the affine form of its error."""
        i = self._program.by_name.get(name)
        span = i.span if i else None
        if self._progress:
            self._progress(purpose)
        doubts = self._doubts.among(integrand.free)
        if doubts:
            law, doubtful = self._law, self._doubts.scalars
            integrand = taken_branches(
                integrand, lambda s: None if law.is_gaussian(s) or s in doubtful else law.scalar(s)
            )
            doubts = self._doubts.among(integrand.free)
        for s in sorted(doubts, key=lambda s: s.digest):
            # If one of these has no value the integrand is undefined, even where it is multiplied by 0; `scalar` then
            # raises.
            self._law.scalar(s)
        settings = self._settings
        if self._deadline is not None:
            at = now()
            # After the deadline an expectation still gets a quarter of what is left of an extension by half, and
            # finally no more than the methods that ignore the budget.
            left = max(self._share * (self._deadline - at), 0.25 * (self._latest - at), 0.0)
            settings = replace(settings, budget=left)
        start = elapsed()
        try:
            result = expect(integrand, self._law, settings, cache=self.cache)
        except NoNumber as fault:
            raise NetsorError(diverges(name, span, purpose, fault)) from None
        own = self._numbers.noises.fresh(result.own, Origin(purpose, result.method))
        parts = [(w, self._part(p, purpose)) for w, p in zip(result.weights, result.parts, strict=True)]
        scalars = [(slope, self._numbers.form(s)) for s, slope in result.slopes.items()]
        form = self._numbers.noises.combined([(1.0, own), *parts, *scalars])
        low, high = infer_range(integrand, {})
        error = min(result.error, form.size, max(high - result.value, result.value - low))
        result = replace(result, error=error, converged=error <= settings.tol * result.scale)
        self.taken.append(Taken(purpose, span, integrand, result, elapsed() - start))
        return result, form

    def _part(self, part: Part, purpose: str) -> Form:
        """The affine form of the error of one block, which is the same error wherever the block occurs."""
        found = self._parts.get(id(part))
        if found is None:
            own = self._numbers.noises.fresh(part.own, Origin(purpose, part.method))
            inputs = [(slope, self._numbers.form(i)) for i, slope in part.slopes.items()]
            found = self._parts[id(part)] = part, self._numbers.noises.combined([(1.0, own), *inputs])
        return found[1]

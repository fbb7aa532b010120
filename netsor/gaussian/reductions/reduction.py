"""Reductions: E F as a sum or an integral of easier expectations, exact up to rounding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.problem import NOTHING, Method, Outcome, Problem, scaled, total

Solve = Callable[[Problem], Outcome]


class Reduced(Protocol):
    """The result of a reduction of E F."""

    @property
    def unless(self) -> tuple[type[Exception], ...]:
        """Where a subproblem raises one of these exceptions, the next reduction is tried."""
        ...

    def evaluate(self, solve: Solve) -> Outcome: ...


@dataclass(frozen=True)
class Weighted:
    """factor · exp(log) · E of a subproblem; `size` is the size of the terms whose sum is log.

    A coefficient with a `method` was computed and has a rounding error; one without is exact.
    """

    problem: Problem
    factor: float = 1.0
    log: float = 0.0
    method: Method | None = None
    size: float | None = None

    def evaluate(self, solve: Solve) -> Outcome:
        o = solve(self.problem)
        if self.method is not None:
            return scaled(o, self.log, self.factor, self.method, self.size)
        c = self.factor
        return replace(o, value=c * o.value, error=abs(c) * o.error, scale=abs(c) * o.scale)


def evaluate_in_turn(parts: Sequence[Outcome | Reduced | Weighted], solve: Solve) -> list[Outcome]:
    """The parts, of which none takes all of the time, see `Clock.among`."""
    out: list[Outcome] = []
    left = sum(not isinstance(p, Outcome) for p in parts)
    for p in parts:
        if isinstance(p, Outcome):
            out.append(p)
        else:
            out.append(p.evaluate(_among(left, solve)))
            left -= 1
    return out


def _among(parts: int, solve: Solve) -> Solve:
    return solve if parts == 1 else lambda problem: solve(replace(problem, task=problem.task.among(parts)))


@dataclass(frozen=True)
class Sum:
    """Σ of weighted subproblems and known results."""

    terms: tuple[Weighted | Outcome, ...]
    unless: tuple[type[Exception], ...] = ()

    def evaluate(self, solve: Solve) -> Outcome:
        parts = evaluate_in_turn(self.terms, solve)
        return total(parts) if parts else NOTHING


class Reduction(ABC):
    """One exact step; `integrands`, `becomes` and `method` are its row in the table of the documentation."""

    integrands: ClassVar[str]
    becomes: ClassVar[str]
    method: ClassVar[Method] = Method.EXACT

    @abstractmethod
    def reduce(self, problem: Problem) -> Reduced | None:
        """The problem in terms of others; None where this lemma does not apply."""


class Elimination(ABC):
    """A way to write an expectation as an integral of a function of independent standard normals."""

    integrands: ClassVar[str]
    becomes: ClassVar[str]

    @abstractmethod
    def eliminate(self, problem: Problem) -> Integrand | None:
        """The integrand; None where this elimination does not apply."""

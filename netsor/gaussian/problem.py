"""What an expectation is asked with and what it answers: plain data and the ways in which it can fail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from netsor.expr import Expr
from netsor.gaussian.law import Input


class NoNumber(Exception):
    """There is no number to give for an expectation, for one of the reasons below."""


class Divergent(NoNumber):
    """The expectation is infinite, does not exist, or its integrand has no value somewhere that matters."""


class Undefined(Divergent):
    """A scalar factor of the integrand has no value, as 1/θ where θ is 0."""


class Unsettled(NoNumber):
    """No rule gave a number, which says nothing of whether there is one: out of the range of floating point, say."""


class NotDefinite(Unsettled):
    """No Gaussian law is left where an exponential of a square is taken into the density."""


class NoPointwiseMeaning(Exception):
    """A Dirac mass meets a jump at the same point, so that the product means nothing without Stein's lemma."""


class NotTaken(NoPointwiseMeaning):
    """A Dirac mass that no rule integrates, which says nothing of whether there is a number."""


class OutOfTime(Exception):
    """A run of a rule was given up; what runs before it have found stands."""


@dataclass(frozen=True)
class Settings:
    """Spend up to `budget` seconds (None: no end) on an error below `tol` times the size of the integrand."""

    tol: float = 1e-8
    budget: float | None = 60.0


@dataclass
class Clock:
    """What is left of a budget; one clock is shared by all the parts of an expectation."""

    budget: float | None
    start: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        return float("inf") if self.budget is None else self.budget - (time.monotonic() - self.start)


@dataclass(frozen=True)
class Part:
    """One block of an expectation: E integrand over `before` Gaussians, of which `after` had to be integrated.

    An error of an input acts with its slope, see `FirstOrder`; `own` is what was lost in the block itself.
    """

    integrand: Expr
    before: int
    after: int
    method: str
    value: float
    error: float
    scale: float
    seconds: float
    own: float = 0.0
    slopes: Mapping[Input, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Expectation:
    """A value with |value − E integrand| ≤ error, how it was found, and whether the tolerance was reached.

    `scale` is the size that the tolerance refers to: about E|integrand| where the error is more than `tol` of the
    value, else it may be that of the terms that were added up. To first order the error is Σ weight · (error
    of the part) + Σ slope · (error of the scalar in a coefficient), and `own` is the rest; `error` is that of the worst
    signs.
    """

    value: float
    error: float
    method: str
    converged: bool = True
    parts: tuple[Part, ...] = ()
    scale: float = 0.0
    weights: tuple[float, ...] = ()
    slopes: Mapping[Input, float] = field(default_factory=dict)
    own: float = 0.0

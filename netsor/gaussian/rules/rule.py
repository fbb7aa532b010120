"""What a rule of quadrature is, and what it is asked for."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import Clock, Method
from netsor.gaussian.rules.panels import Quadrature


@dataclass(frozen=True)
class Goal:
    """An error of `tol` · E|F|, or of the `floor`, in the time that the clock has.

    What is built on a number wants more digits of it than were asked for: a rule aims at `aim` · E|F|, which is less.
    A `rough` answer is always made of the same nodes, so that differences of two are better than either.
    """

    tol: float
    aim: float
    clock: Clock
    floor: float = 0.0
    rough: bool = False

    @property
    def late(self) -> bool:
        """Whether the time is spent."""
        return self.clock.left() <= 0

    def share(self, part: float) -> float | None:
        """Seconds for one rule of several."""
        left = self.clock.left()
        return max(part * left, 0.3) if math.isfinite(left) else None


class Rule(ABC):
    """One rule; `integrands`, `does` and `method` are its row in the table of the documentation."""

    integrands: ClassVar[str]
    does: ClassVar[str]
    method: ClassVar[Method]
    # Whether no other rule is asked after it, nor draws.
    final: ClassVar[bool] = False

    @abstractmethod
    def cost(self, probe: Probe, goal: Goal) -> float | None:
        """About how many values of F its first answer takes; None where it is not for this integrand."""

    @abstractmethod
    def integrate(self, probe: Probe, goal: Goal) -> Quadrature | None:
        """E F; None where it does not get far, so that the next rule is asked as if this one had not been."""

    def enough(self, probe: Probe, goal: Goal) -> float:
        """The error, as a part of E|F|, at which no other rule is asked."""
        return goal.tol

    def called(self, probe: Probe) -> Method:
        """The method as printed for this integrand."""
        return self.method

"""The interface of a quadrature rule, and the goal that it is given."""

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
    """An error of `tol` · E|F|, or of the `floor`, in the time of the clock.

    A rule aims at `aim` · E|F|, which is smaller than the tolerance, because results computed from the number need more
    digits. A `rough` result always uses the same nodes, so that differences of two are more accurate than either.
    """

    tol: float
    aim: float
    clock: Clock
    floor: float = 0.0
    rough: bool = False

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return self.clock.left() <= 0

    def share(self, part: float) -> float | None:
        """Seconds for one of several rules, at least 0.3."""
        left = self.clock.left()
        return max(part * left, 0.3) if math.isfinite(left) else None


class Rule(ABC):
    """One rule; `integrands`, `does` and `method` are its row in the table of the documentation."""

    integrands: ClassVar[str]
    does: ClassVar[str]
    method: ClassVar[Method]
    # Whether its result is final, without further rules and without a check by draws.
    final: ClassVar[bool] = False

    @abstractmethod
    def cost(self, probe: Probe, goal: Goal) -> float | None:
        """About how many values of F its first result needs; None where it does not suit this integrand."""

    @abstractmethod
    def integrate(self, probe: Probe, goal: Goal) -> Quadrature | None:
        """E F; None where it does not converge, and the next rule is tried as if this one had not been."""

    def enough(self, probe: Probe, goal: Goal) -> float:
        """The error relative to E|F| at which no other rule is tried."""
        return goal.tol

    def is_on_all_scales(self, probe: Probe) -> bool:
        """Whether it closes in on all that is singular, so that no large value near it is missed."""
        return False

    def called(self, probe: Probe) -> Method:
        """The method as printed for this integrand."""
        return self.method

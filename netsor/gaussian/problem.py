"""What an expectation is computed from, intermediate problems and results, and the ways in which it can fail."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from netsor.deadline import is_stopped, now
from netsor.expr import Expr, Sym
from netsor.gaussian.law import Input
from netsor.gaussian.symbolic.expansion import Gaussians
from netsor.progress import Counts

if TYPE_CHECKING:
    from netsor.gaussian.law.gaussian_law import State
    from netsor.gaussian.symbolic.structure import Shape


class NoNumber(Exception):
    """There is no number for an expectation, for one of the reasons below."""


class Divergent(NoNumber):
    """The expectation is infinite or does not exist, or its integrand is undefined on a set of positive probability."""


class Undefined(Divergent):
    """A scalar factor of the integrand has no value, such as 1/θ where θ is 0."""


class Unsettled(NoNumber):
    """No rule gave a number, for example because it is out of the range of floats; the expectation may still exist."""


class OutOfRange(Unsettled):
    """The number, or one on the way to it, is beyond the doubles, as it would be in a run at a width."""


class SingularSums(Unsettled):
    """The sums of a rule do not decrease towards a singularity, or far out: E|F| may be infinite."""


class TooMany(NoNumber):
    """More variables are left for a quadrature than were asked for, see `Settings.most`."""


class NotDefinite(Unsettled):
    """An exponential of a square, moved into the density, leaves no Gaussian law."""


class NoPointwiseMeaning(Exception):
    """A Dirac mass meets a jump at the same point; the product has a meaning only with Stein's lemma."""


class NotTaken(NoPointwiseMeaning):
    """A Dirac mass that no rule integrates; the expectation may still exist."""


class OutOfTime(Exception):
    """A run of a rule was abandoned; the results of the runs before it remain valid."""


@dataclass(frozen=True)
class Settings:
    """Spend up to `budget` seconds (None: no limit) to reach an error of `tol` times the scale of the integrand.

    TooMany is raised where more than `most` variables are left for a quadrature.
    """

    tol: float = 1e-8
    budget: float | None = 60.0
    most: int | None = None


@dataclass
class Clock:
    """The time left of a budget; all parts of an expectation share one clock."""

    budget: float | None
    start: float = field(default_factory=now)
    # Who is told how far the computation is.
    counts: Counts = field(default_factory=Counts, repr=False, compare=False)

    def left(self) -> float:
        if is_stopped():  # by an interrupt, which may also have come just before this clock started
            return -1.0
        return float("inf") if self.budget is None else self.budget - (now() - self.start)

    def of(self, seconds: float) -> Clock:
        """A clock of so many seconds from now on, for a part of the computation."""
        return Clock(seconds, counts=self.counts)

    def share(self, part: float) -> Clock:
        """A clock of a part of the time that is left, from now on; this clock where there is no limit."""
        return self if self.budget is None else self.of(max(part * self.left(), 0.0))

    def among(self, parts: int) -> Clock:
        """A clock for the next of so many parts, which may take 2/(parts + 1) of the time that is left.

        If each of them takes all that it may, their times fall linearly to that of the last one, which is not zero;
        what one of them leaves is for those after it.
        """
        return self.share(2 / (parts + 1)) if parts > 1 else self

    def part(self, share: float) -> float | None:
        """A part of the time that is left, as a budget."""
        return None if self.budget is None else max(share * self.left(), 0.0)

    def reserve(self) -> float:
        """A quarter of what is left of 1.5 times the budget, so that none of many parts takes all of it."""
        return 0.25 * max(self.left() + 0.5 * (self.budget or 0.0), 0.0)


@dataclass(frozen=True)
class Part:
    """One block of an expectation: E integrand over `before` Gaussians, of which `after` were integrated numerically.

    The error of an input acts through its slope, see `FirstOrder`; `own` is the error of the block itself.
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
    """A value with |value − E integrand| ≤ error, the method, and whether the tolerance was reached.

    `scale` is the size that the tolerance refers to: about E|integrand| where the error exceeds `tol` times the value;
    otherwise it may be the sum of the sizes of the terms. To first order the error is Σ weight · (error of the
    part) + Σ slope · (error of the scalar in a coefficient), and `own` is the rest; `error` is that for the worst
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


EPS = 2.0**-52
# e^x overflows from x = 709.8 on; 700 leaves some room.
OVERFLOW = 700.0


class Method(Enum):
    """The methods, by the names that are shown to users."""

    EXACT = "exact algebra"
    DIRAC = "Dirac mass"
    LAPLACE = "Laplace transform"
    WIDER = "wider law"
    CLOSED = "closed form"
    MEHLER = "Mehler's series"
    PANELS = "quadrature"
    ADAPTIVE = "adaptive quadrature"
    LATTICE = "lattice"
    RADIAL = "radial quadrature"
    RADIAL_LATTICE = "radial lattice"
    LOGARITHMIC = "quadrature in logarithms"
    QMC = "quasi-Monte Carlo"
    ROUGH = "rough"
    RANGE = "range of values"


class Step(NamedTuple):
    """A method, and the dimension if it is printed with one."""

    method: Method
    dimension: int = 0

    def __str__(self) -> str:
        return f"{self.method.value} {self.dimension}-D" if self.dimension else self.method.value


Steps = tuple[Step, ...]
EXACT: Steps = (Step(Method.EXACT),)


def printed(steps: Iterable[Step]) -> str:
    return " + ".join(map(str, steps))


@dataclass(frozen=True)
class Outcome:
    """A value, a bound on the error made here, a scale, the dimension of the quadrature, and the methods used.

    The scale is that of the terms added up, to which rounding is relative: at least E|F|, and more where terms cancel.
    """

    value: float
    error: float
    scale: float
    dimension: int = 0
    steps: Steps = EXACT


NOTHING = Outcome(0.0, 0.0, 0.0)


class Trust(Enum):
    """How the numbers of a covariance matrix are meant, which decides what is made of tiny conditional variances."""

    # As they stand: every conditional variance is kept, however small, and an indefinite matrix is refused.
    EXACT = "exact"
    # Up to errors: conditional variances at the level of rounding are 0, also those below it.
    ROUNDED = "rounded"
    # Moved by their errors: conditional variances that the move adds are kept, and those below 0 are 0.
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Task:
    """What stays the same while one block is computed; `trust` says how its covariance is meant.

    Errors below `floor` do not matter for the result. `exists` says that the expectation is known to exist; `most` is
    that of the settings.
    """

    gaussians: Gaussians
    env: Mapping[Sym, float]
    tol: float
    clock: Clock
    trust: Trust = Trust.EXACT
    rough: bool = False
    floor: float = 0.0
    exists: bool = False
    most: int | None = None

    def verify_few(self, variables: int) -> None:
        """Raise TooMany for a quadrature in more variables than were asked for."""
        if self.most is not None and variables > self.most:
            raise TooMany(f"a quadrature in {variables} variables was not asked for")

    def exacting(self) -> Task:
        """The task of a part whose error may be magnified later."""
        return replace(self, floor=0.0) if self.floor else self

    def among(self, parts: int) -> Task:
        """The task of the next of so many parts, see `Clock.among`."""
        return replace(self, clock=self.clock.among(parts)) if parts > 1 and self.clock.budget is not None else self

    def divided(self, by: float) -> Task:
        """The task of a part that is multiplied by `by`."""
        return replace(self, floor=self.floor / by) if self.floor and by else self


class Stage(IntEnum):
    """How far a problem has been reduced; under one law, no reduction leads back to an earlier stage."""

    SUM = 0
    # The integrand is one product of factors.
    PRODUCT = 1
    # Exponentials are treated like other factors.
    AS_IT_IS = 2
    # The law was widened, and only a quadrature is left.
    WIDENED = 3


@dataclass(frozen=True)
class Problem:
    """E of a canonical integrand under a numerical law."""

    integrand: Expr
    law: State
    task: Task
    stage: Stage = Stage.SUM

    @cached_property
    def shape(self) -> Shape:
        """The integrand analysed as a product."""
        from netsor.gaussian.symbolic.structure import shape_of

        return shape_of(self.integrand, self.task.gaussians, self.stage < Stage.AS_IT_IS)


def total(parts: Sequence[Outcome]) -> Outcome:
    """Σ of the parts."""
    if len(parts) == 1:
        return parts[0]
    steps = [s for way in dict.fromkeys(p.steps for p in parts if p.scale > 0) for s in way] or EXACT
    scale = math.fsum(p.scale for p in parts)
    return Outcome(
        math.fsum(p.value for p in parts),
        math.fsum(p.error for p in parts) + EPS * scale,
        scale,
        max((p.dimension for p in parts), default=0),
        tuple(steps),
    )


def product(parts: Sequence[Outcome]) -> Outcome:
    """Π of the parts, which belong to independent factors."""
    steps = [s for way in dict.fromkeys(p.steps for p in parts) for s in way if s.method is not Method.EXACT] or EXACT
    value = math.prod(p.value for p in parts)
    scale = math.prod(max(p.scale, abs(p.value)) for p in parts)
    error, before = 0.0, 1.0
    for k, p in enumerate(parts):
        error += before * p.error * math.prod(abs(q.value) for q in parts[k + 1 :])
        before *= abs(p.value) + p.error
    return Outcome(value, error + len(parts) * EPS * before, scale, max(p.dimension for p in parts), tuple(steps))


def scaled(
    o: Outcome, log: float, factor: float = 1.0, how: Method = Method.EXACT, size: float | None = None
) -> Outcome:
    """c o with c = factor · exp(log); `size` is the size of the terms whose sum is log."""
    if log > OVERFLOW:
        raise OutOfRange(f"its size is about exp({log:.0f}), out of the range of floating-point numbers")
    c = math.exp(log) * factor
    steps = o.steps if o.steps[0].method is how else (Step(how), *o.steps)
    # The exponent has a rounding error proportional to the size of its terms.
    error = abs(c) * o.error + EPS * (2 + (abs(log) if size is None else size)) * abs(c * o.value)
    return Outcome(c * o.value, error, abs(c) * o.scale, o.dimension, steps)

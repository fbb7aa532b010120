"""What an engine works on and what it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from netsor.expr import Sym
from netsor.gaussian.problem import Clock, Unsettled
from netsor.gaussian.symbolic.expansion import Gaussians

EPS = 2.0**-52
OVERFLOW = 700.0


@dataclass(frozen=True)
class Outcome:
    """A value, a bound on the error made here, a size, the dimension integrated over, and the way.

    The size is that of what is added up, to which rounding is relative: E|F| at least, and more where terms cancel.
    """

    value: float
    error: float
    scale: float
    dimension: int
    method: str


@dataclass(frozen=True)
class Task:
    """What stays the same while one block is worked on; `slack` is how far its covariance may be from definite.

    Errors below `floor` do not matter to what the block is a part of. That the expectation `exists` is known.
    """

    gaussians: Gaussians
    env: Mapping[Sym, float]
    tol: float
    clock: Clock
    slack: float = 0.0
    rough: bool = False
    floor: float = 0.0
    exists: bool = False


def total(parts: list[Outcome]) -> Outcome:
    if len(parts) == 1:
        return parts[0]
    methods = list(dict.fromkeys(p.method for p in parts if p.scale > 0)) or ["exact algebra"]
    scale = math.fsum(p.scale for p in parts)
    return Outcome(
        math.fsum(p.value for p in parts),
        math.fsum(p.error for p in parts) + EPS * scale,
        scale,
        max((p.dimension for p in parts), default=0),
        " + ".join(methods),
    )


def scaled(
    o: Outcome, log: float, factor: float = 1.0, how: str = "exact algebra", size: float | None = None
) -> Outcome:
    """c o with c = factor · exp(log); `size` is that of the terms that add up to log."""
    if log > OVERFLOW:
        raise Unsettled(f"its size is about exp({log:.0f}), out of the range of floating-point numbers")
    c = math.exp(log) * factor
    method = o.method if o.method.startswith(how) else f"{how} + {o.method}"
    # The exponent carries a rounding error of the size of its terms.
    error = abs(c) * o.error + EPS * (2 + (abs(log) if size is None else size)) * abs(c * o.value)
    return Outcome(c * o.value, error, abs(c) * o.scale, o.dimension, method)

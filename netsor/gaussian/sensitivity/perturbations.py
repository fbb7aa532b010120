"""The inputs of an expectation that have errors, and the same inputs with one of them moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netsor.gaussian.law import Input
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.problem import EPS
from netsor.gaussian.symbolic.structure import Shape


@dataclass(frozen=True)
class Move:
    """One input with the error of the law's answer, and the effect of its rounding (`implicit`)."""

    input: Input
    at: tuple[int, int] | None
    error: float
    implicit: float
    size: float

    @property
    def whole(self) -> float:
        return max(self.error, self.implicit)

    @property
    def part(self) -> float:
        return self.whole / self.size if self.size else math.inf

    def applied(self, inputs: Inputs, by: float) -> Inputs:
        if self.at is None:
            return inputs.scalar_moved(self.input, by)  # type: ignore[arg-type]
        return inputs.moved(*self.at, by)


def moves_of(inputs: Inputs, shape: Shape | None) -> list[Move]:
    """The inputs that have errors; without a `shape`, errors by rounding do not count."""
    out = []
    for i, a in enumerate(inputs.symbols):
        for j, b in enumerate(inputs.symbols[: i + 1]):
            # A product of square roots, because the product of two variances of size 1e200 overflows.
            size = math.prod(math.sqrt(max(float(inputs.covariance[k, k]), 0.0)) for k in (i, j)) or abs(
                inputs.covariance[i, j]
            )
            move = Move((a, b), (i, j), float(inputs.errors[i, j]), _implicit(inputs, shape, i, j), float(size))
            out.append(move)
    out += [Move(s, None, e, 0.0, abs(inputs.scalars[s])) for s, e in inputs.scalar_errors.items()]
    return [m for m in out if m.whole > 0]


def _implicit(inputs: Inputs, shape: Shape | None, i: int, j: int) -> float:
    """The rounding of a covariance, which matters where variables are nearly equal and the integrand jumps."""
    if shape is None or i == j or not any(b.kind == "jump" for b in shape.breaks):
        return 0.0
    if len(inputs.symbols) == 2 and all(len(items) == 1 for _, items in shape.forms):
        # The conditional variance of two variables is computed without cancellation.
        return 0.0
    a, b, c = (float(inputs.covariance[k]) for k in ((i, i), (j, j), (i, j)))
    # By a power of two, so that products are neither rounded otherwise nor beyond the doubles.
    x, y, z = (math.ldexp(v, -math.frexp(max(a, b))[1]) for v in (a, b, c))
    return EPS * abs(c) if x * y > 0 and z * z > 0.999 * x * y and z * z != x * y else 0.0

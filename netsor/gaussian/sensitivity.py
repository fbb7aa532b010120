"""What the errors of covariances and scalars do to an expectation: it is computed again with each of them moved."""

from __future__ import annotations

import math
from collections.abc import Callable

from netsor.gaussian.inputs import Inputs
from netsor.gaussian.outcome import EPS, Outcome
from netsor.gaussian.result import Divergent
from netsor.gaussian.shape import Shape

Run = Callable[[Inputs, float, float, bool], Outcome]
# Costly blocks are moved by more than the error, and roughly: the slope to a hundredth is enough for a bound.
_COARSE, _COARSE_JUMPS = 1e-3, 1e-2


def propagated(run: Run, inputs: Inputs, outcome: Outcome, shape: Shape, tol: float) -> float:
    """Σ over the inputs of |E(input moved by its error) − E|, both ways where the covariance is nearly singular."""
    total = 0.0
    moves: list[tuple[float, float, Callable[[float], Inputs]]] = []
    n = len(inputs.symbols)
    for i in range(n):
        for j in range(i + 1):
            size = math.sqrt(max(inputs.covariance[i, i] * inputs.covariance[j, j], 0.0)) or abs(
                inputs.covariance[i, j]
            )
            error = max(float(inputs.errors[i, j]), _implicit(inputs, shape, i, j))
            if error > 0:
                moves.append((error, size, lambda by, i=i, j=j: inputs.moved(i, j, by)))  # type: ignore[misc]
    for s, error in inputs.scalar_errors.items():
        if error > 0:
            moves.append((error, abs(inputs.scalars[s]), lambda by, s=s: inputs.scalar_moved(s, by)))  # type: ignore[misc]
    if not moves:
        return 0.0
    costly = n >= 3 and outcome.dimension >= 1 and outcome.method != "exact algebra"
    coarse = _COARSE_JUMPS if any(b.kind == "jump" for b in shape.breaks) else _COARSE
    base = run(inputs, 1e-5, math.inf, True) if costly else outcome
    for error, size, moved in moves:
        if error <= EPS * size and not shape.breaks:
            total += 4 * error / (size or 1) * outcome.scale
            continue
        step = max(error, coarse * size) if costly else error
        worst = 0.0
        for sign in (1, -1):
            try:
                there = run(moved(sign * step), 1e-5 if costly else tol, math.inf, costly)
            except Divergent:
                continue
            worst = max(worst, abs(there.value - base.value))
            if worst > 0 and error < 1e-3 * size and _regular(inputs):
                break
        total += (1.3 if costly else 1.05) * worst * min(1.0, error / step if step else 1.0)
    return total


def _implicit(inputs: Inputs, shape: Shape, i: int, j: int) -> float:
    """The rounding of a given covariance counts where variables are nearly the same and something jumps."""
    if i == j or not any(b.kind == "jump" for b in shape.breaks):
        return 0.0
    if len(inputs.symbols) == 2 and all(len(items) == 1 for _, items in shape.forms):
        # Two variables: their conditional variance is computed without rounding.
        return 0.0
    size = inputs.covariance[i, i] * inputs.covariance[j, j]
    c = inputs.covariance[i, j]
    return EPS * abs(c) if size > 0 and c * c > 0.999 * size and c * c != size else 0.0


def _regular(inputs: Inputs) -> bool:
    n = len(inputs.symbols)
    for i in range(n):
        for j in range(i):
            size = inputs.covariance[i, i] * inputs.covariance[j, j]
            if inputs.covariance[i, j] ** 2 > 0.98 * size:
                return False
    return True

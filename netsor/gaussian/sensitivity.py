"""What the errors of covariances and scalars do to an expectation: it is computed again with each of them moved."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netsor.gaussian.inputs import Inputs
from netsor.gaussian.outcome import EPS, Outcome
from netsor.gaussian.result import Clock, Divergent
from netsor.gaussian.shape import Shape
from netsor.gaussian.state import ROUNDED

Run = Callable[[Inputs, float, float, bool], Outcome]
# Costly blocks are moved by more than the error, and roughly: the slope to a hundredth is enough for a bound.
_COARSE, _COARSE_JUMPS = 1e-3, 1e-2
# Away from degenerate laws an error of this part of an input is moved one way only, and this many times the part is
# what second derivatives add at most (of E Φ(z − t) by the variance it is t²).
_LINEAR, _CURVATURE = 1e-7, 4e3
_ROUNDING = 4e-15
# Errors of more than this part of an input are looked at together, in so many places.
_LARGE, _TOGETHER = 1e-5, 24


def propagated(run: Run, inputs: Inputs, outcome: Outcome, shape: Shape, tol: float, clock: Clock) -> float:
    """Σ over the inputs of |E(input moved by its error) − E|, both ways unless the response is plainly linear."""
    total = 0.0
    moves: list[tuple[float, float, bool, Callable[[float], Inputs]]] = []
    n = len(inputs.symbols)
    for i in range(n):
        for j in range(i + 1):
            size = math.sqrt(max(inputs.covariance[i, i] * inputs.covariance[j, j], 0.0)) or abs(
                inputs.covariance[i, j]
            )
            error = max(float(inputs.errors[i, j]), _implicit(inputs, shape, i, j))
            if error > 0:
                moves.append((error, size, True, lambda by, i=i, j=j: inputs.moved(i, j, by)))  # type: ignore[misc]
    for s, error in inputs.scalar_errors.items():
        if error > 0:
            moves.append((error, abs(inputs.scalars[s]), False, lambda by, s=s: inputs.scalar_moved(s, by)))  # type: ignore[misc]
    if not moves:
        return 0.0
    costly = n >= 3 and outcome.dimension >= 1 and outcome.method != "exact algebra"
    coarse = _COARSE_JUMPS if any(b.kind == "jump" for b in shape.breaks) else _COARSE
    base = run(inputs, 1e-5, math.inf, True) if costly else outcome
    regular = _regular(inputs)
    # How much of each input is uncertain, all together: what moving them one by one leaves out is of its square.
    relative = math.fsum(error / size if size else 1.0 for error, size, *_ in moves)
    parts = [m[0] / m[1] if m[1] else math.inf for m in moves]
    # Next to a degenerate law the response is that of a root, and all together do more than the sum of each.
    if max(parts) >= _LARGE or not regular and shape.breaks and max(parts) > _ROUNDING:
        total += _together(run, inputs, outcome, tol, costly, clock)
    for error, size, is_covariance, moved in moves:
        if error <= EPS * size and not shape.breaks:
            total += 4 * error / (size or 1) * outcome.scale
            continue
        late = not costly and outcome.dimension > 1 and clock.left() <= 0
        rough = costly or late
        step = max(error, coarse * size) if rough else error
        if late:
            base = run(inputs, 1e-5, math.inf, True)
        changes: list[float] = []
        for sign in (1, -1):
            try:
                # Beyond rounding, what an error adds to a variance that is nothing counts, however little it is.
                slack = math.inf if error > _ROUNDING * size else ROUNDED
                there = run(moved(sign * step), 1e-5 if rough else tol, slack, rough)
            except Divergent:
                continue
            changes.append(there.value - base.value)
            if changes[-1] != 0 and is_covariance and regular and (costly or error < _LINEAR * size):
                break
        worst = max(map(abs, changes), default=0.0)
        if rough:
            total += 1.3 * worst * min(1.0, error / step if step else 1.0)
            continue
        # The difference carries the rounding of both; beyond that the response to small errors is linear.
        bend = abs(math.fsum(changes)) if len(changes) == 2 else worst * worst / (outcome.scale or 1.0)
        excess = bend + _CURVATURE * relative * worst if regular else math.inf
        total += worst + min(max(0.05, 2 * relative) * worst + bend, excess) + 4 * EPS * outcome.scale
    return total


def _together(run: Run, inputs: Inputs, outcome: Outcome, tol: float, costly: bool, clock: Clock) -> float:
    """What large errors do together, and on the way: the largest change at random corners and inner points.

    Small ones act each by itself as a rule, but a b with a, b = 0 ± ε, or cos(20 a), does not move with either end of
    one.
    """
    rng = np.random.default_rng(23)
    n, m = len(inputs.symbols), len(inputs.scalars)
    base = run(inputs, 1e-5, math.inf, True) if costly else outcome
    worst = 0.0
    corners = [np.array(c, float) for c in itertools.product((-1.0, 1.0), repeat=min(m, 3))] if m else []
    for k in range(_TOGETHER):
        corner = k < _TOGETHER // 2
        signs = rng.choice([-1.0, 1.0], (n, n)) if corner else rng.uniform(-1, 1, (n, n))
        if n == 2 and k < 8:
            # All corners of a pair.
            signs[np.triu_indices(2)] = [1 - 2 * (k >> i & 1) for i in range(3)]
        c = inputs.covariance + np.triu(signs * inputs.errors) + np.triu(signs * inputs.errors, 1).T
        c[np.diag_indices(n)] = np.maximum(np.diag(c), 0.0)
        shares = rng.choice([-1.0, 1.0], m) if corner else rng.uniform(-1, 1, m)
        if corner and k < len(corners):
            shares[: len(corners[k])] = corners[k]
        scalars = {s: v + x * inputs.scalar_errors[s] for (s, v), x in zip(inputs.scalars.items(), shares)}
        try:
            there = run(replace(inputs, covariance=c, scalars=scalars), 1e-5 if costly else tol, math.inf, costly)
        except Divergent:
            continue
        worst = max(worst, abs(there.value - base.value))
        if clock.left() <= 0:
            break
    # Twelve of infinitely many.
    return 1.3 * worst


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

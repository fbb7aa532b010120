"""A bound on the effect of errors in the inputs: the expectation is computed again with each of them moved."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.problem import EPS, EXACT, Clock, NoNumber, Outcome, Trust
from netsor.gaussian.sensitivity.perturbations import Move
from netsor.gaussian.symbolic.structure import Shape

Run = Callable[[Inputs, float, Trust, bool], Outcome]
# Costly blocks are computed roughly, with larger steps than the errors; a slope to one per cent suffices for a bound.
_COARSE, _COARSE_JUMPS = 1e-3, 1e-2
# Away from degenerate laws, an error below this share of an input is moved in one direction only. The second number
# times the share bounds the effect of second derivatives (it is t² for E Φ(z − t) as a function of the variance).
_LINEAR, _CURVATURE = 1e-7, 4e3
_ROUNDING = 4e-15
# Errors above this share of an input are varied jointly, at this many random points.
LARGE, _TOGETHER = 1e-5, 24


def worst(
    run: Run, inputs: Inputs, outcome: Outcome, shape: Shape, tol: float, clock: Clock, moves: list[Move],
    every: list[Move],
) -> float:  # fmt: skip
    """Σ over inputs of |E(input moved by its error) − E|, in both directions unless the response is clearly linear.

    All inputs in `every` count towards joint effects.
    """
    total = 0.0
    costly = len(inputs.symbols) > 2 and outcome.dimension > 0 and outcome.steps != EXACT
    coarse = _COARSE_JUMPS if any(b.kind == "jump" for b in shape.breaks) else _COARSE
    base = run(inputs, 1e-5, Trust.UNCERTAIN, True) if costly else outcome
    regular = is_regular(inputs)
    # The sum of all relative errors; the terms that single moves leave out are quadratic in it.
    relative = math.fsum(m.whole / m.size if m.size else 1.0 for m in every)
    largest = max(m.part for m in every)
    # Near a degenerate law the response is like a square root, and joint moves may exceed the sum of single ones.
    if largest >= LARGE or not regular and shape.breaks and largest > _ROUNDING:
        total += _together(run, inputs, outcome, tol, costly, clock)
    for m in moves:
        error, size = m.whole, m.size
        if error <= EPS * size and not shape.breaks:
            total += 4 * error / (size or 1) * outcome.scale
            continue
        late = not costly and outcome.dimension > 1 and clock.left() <= 0
        rough = costly or late
        step = max(error, coarse * size) if rough else error
        if late:
            base = run(inputs, 1e-5, Trust.UNCERTAIN, True)
        changes: list[float] = []
        for sign in (1, -1):
            try:
                # A tiny variance that the error adds is kept; for an error at rounding level it counts as zero.
                trust = Trust.UNCERTAIN if error > _ROUNDING * size else Trust.ROUNDED
                there = run(m.applied(inputs, sign * step), 1e-5 if rough else tol, trust, rough)
            except NoNumber:
                continue
            changes.append(there.value - base.value)
            if changes[-1] != 0 and m.at is not None and regular and (costly or error < _LINEAR * size):
                break
        most = max(map(abs, changes), default=0.0)
        if rough:
            total += 1.3 * most * min(1.0, error / step if step else 1.0)
            continue
        # The difference contains the rounding of both values; apart from that the response to small errors is linear.
        bend = abs(math.fsum(changes)) if len(changes) == 2 else most * most / (outcome.scale or 1.0)
        excess = bend + _CURVATURE * relative * most if regular else math.inf
        total += most + min(max(0.05, 2 * relative) * most + bend, excess) + 4 * EPS * outcome.scale
    return total


def _together(run: Run, inputs: Inputs, outcome: Outcome, tol: float, costly: bool, clock: Clock) -> float:
    """The joint effect of large errors: the largest change at random corners and interior points.

    Small errors usually act one by one, but a b with a, b = 0 ± ε, or cos(20 a), does not change at either end of one.
    """
    rng = np.random.default_rng(23)
    n, m = len(inputs.symbols), len(inputs.scalars)
    base = run(inputs, 1e-5, Trust.UNCERTAIN, True) if costly else outcome
    worst = 0.0
    corners = [np.array(c, float) for c in itertools.product((-1.0, 1.0), repeat=min(m, 3))] if m else []
    for k in range(_TOGETHER):
        corner = k < _TOGETHER // 2
        signs = rng.choice([-1.0, 1.0], (n, n)) if corner else rng.uniform(-1, 1, (n, n))
        if n == 2 and k < 8:
            # All corners of the three entries of a pair.
            signs[np.triu_indices(2)] = [1 - 2 * (k >> i & 1) for i in range(3)]
        c = inputs.covariance + np.triu(signs * inputs.errors) + np.triu(signs * inputs.errors, 1).T
        c[np.diag_indices(n)] = np.maximum(np.diag(c), 0.0)
        shares = rng.choice([-1.0, 1.0], m) if corner else rng.uniform(-1, 1, m)
        if corner and k < len(corners):
            shares[: len(corners[k])] = corners[k]
        scalars = {s: v + x * inputs.scalar_errors[s] for (s, v), x in zip(inputs.scalars.items(), shares)}
        try:
            there = run(
                replace(inputs, covariance=c, scalars=scalars), 1e-5 if costly else tol, Trust.UNCERTAIN, costly
            )
        except NoNumber:
            continue
        worst = max(worst, abs(there.value - base.value))
        if clock.left() <= 0:
            break
    # A margin, because only a few of the points were tried.
    return 1.3 * worst


def is_regular(inputs: Inputs) -> bool:
    n = len(inputs.symbols)
    for i in range(n):
        for j in range(i):
            size = inputs.covariance[i, i] * inputs.covariance[j, j]
            if inputs.covariance[i, j] ** 2 > 0.98 * size:
                return False
    return True

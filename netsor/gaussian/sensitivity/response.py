"""The response of an expectation to errors in covariances and scalars: its slopes, or else the worst case.

Under N(0, C + E) an expectation is analytic in E as long as C + E is a covariance, or its real part if E is complex.
Let λ be the least eigenvalue of the correlations and ε the size of E relative to the variances. The terms beyond first
order are at most a constant times (ε/λ)² E|F| (Cauchy's estimate), or ε²/λ where the first derivatives stay bounded up
to λ = 0, as across kinks whose own argument keeps its variance. An integrand that is smooth itself is smooth in C at
λ = 0 too.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr
from netsor.gaussian.integrand.integrand import value_of
from netsor.gaussian.law import Input
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.problem import EPS, Clock, Method, NoNumber, Outcome, Step, Trust
from netsor.gaussian.sensitivity.distance import by_distance
from netsor.gaussian.sensitivity.perturbations import Move, moves_of
from netsor.gaussian.sensitivity.worst_case import LARGE, Run, is_regular, worst
from netsor.gaussian.symbolic.structure import Shape, affine

Array = np.ndarray
# Relative steps for integrals in many dimensions, which are computed roughly; jumps need larger steps to pass nodes.
_COARSE, _COARSE_JUMPS = 1e-3, 1e-2
# The constant in the terms of second and third order, times E|F|, with a margin for integrands that grow.
_BEND = 100.0
# Steps relative to λ: in one direction, with an error of first order, and central differences.
_STEP, _BOTH_WAYS = 1e-8, 3e-6
# A law is nearly degenerate where λ is below the first number. No slopes are used where the errors exceed the second
# number times λ.
_DEGENERATE, _MOST = 2e-2, 1e-4
# The relative accuracy that the slope of a scalar must have.
_DOUBT = 1e-2


class Response(NamedTuple):
    """Slopes by input, and a bound on the effect of the errors beyond the slopes."""

    slopes: dict[Input, float]
    rest: float


def response(e: Expr, run: Run, inputs: Inputs, outcome: Outcome, shape: Shape, tol: float, clock: Clock) -> Response:
    """The response of E e to the errors of its inputs."""
    moves = moves_of(inputs, shape)
    if not moves:
        return Response({}, 0.0)
    law = _Conditions(inputs, shape)
    covariances = math.fsum(m.part for m in moves if m.at is not None)
    late = outcome.dimension > 0 and clock.left() <= 0
    if late:
        rest = by_distance(e, inputs, moves)
        if rest is not None:
            scalars = [m for m in moves if m.at is None]
            if scalars:
                rest += worst(run, inputs, outcome, shape, tol, clock, scalars, moves)
            return Response({}, rest)
    if late or max(m.part for m in moves) >= LARGE or covariances > _MOST * law.reach:
        return Response({}, worst(run, inputs, outcome, shape, tol, clock, moves, moves))
    slopes = _Slopes(run, inputs, outcome, shape, tol, law)
    found: dict[Input, float] = {}
    left: list[Move] = []
    rest = _BEND * outcome.scale * covariances**2 / (law.reach * law.tame)
    for m in moves:
        if m.whole <= EPS * m.size and not shape.breaks:
            rest += 4 * m.part * outcome.scale
            continue
        slope = slopes.of(m)
        if slope is None:
            left.append(m)
            continue
        value, doubt = slope
        found[m.input] = value
        rest += abs(value) * (m.whole - m.error) + doubt * m.whole
    first = math.fsum(abs(found[m.input]) * m.whole for m in moves if m.input in found)
    # Far in a tail, second derivatives are of the size of the square of the slope.
    rest += 4 * first * first / outcome.scale if outcome.scale > 0 else 0.0
    if left:
        rest += worst(run, inputs, outcome, shape, tol, clock, left, moves)
    return Response(found, rest)


class _Conditions:
    """How far a law is from a degenerate one, for the purposes of an integrand."""

    def __init__(self, inputs: Inputs, shape: Shape):
        self.inputs = inputs
        self.shape = shape

    @cached_property
    def least(self) -> float:
        """λ, the least eigenvalue of the correlations of all variables whose variance matters."""
        c = self.inputs.covariance
        d = np.sqrt(np.maximum(np.diag(c), 0.0))
        used = np.flatnonzero(d > 0)
        if len(used) < 2:
            return 1.0
        r = (c / np.where(d > 0, d, 1.0)[:, None] / np.where(d > 0, d, 1.0))[np.ix_(used, used)]
        if len(used) == 2:
            return max(1 - abs(float(r[0, 1])), 0.0)
        return max(float(np.linalg.eigvalsh(r)[0]), 0.0)

    @cached_property
    def width(self) -> float:
        """The square of the narrowest scale of the integrand in standard deviations, at most 1; 0 for a kink."""
        if any(b.kind != "soft" for b in self.shape.breaks) or self.shape.masses:
            return 0.0
        narrow = 1.0
        for b in self.shape.breaks:
            row = self._row(b.at)
            if row is None:
                return 0.0
            size, share = self._spread(row)
            narrow = min(narrow, max(1.0, size * math.sqrt(share)) ** -2.0)
        return narrow

    @cached_property
    def tame(self) -> float:
        """1 where the first derivatives in C are bounded at λ = 0, else λ."""
        for b in self.shape.breaks:
            row = self._row(b.at)
            if b.kind not in ("soft", "kink") or row is None or self.shape.masses:
                return self.reach
            if self._spread(row)[1] < _DEGENERATE:
                return self.reach
        return self.reach if self.shape.masses else 1.0

    def _spread(self, row: Array) -> tuple[float, float]:
        """d and s such that d² s is the variance of an affine form, and d² the sum of those of its parts.

        The variances themselves may be beyond the doubles.
        """
        parts = row * np.sqrt(np.diag(self.inputs.covariance))
        size = math.hypot(*parts)
        if not 0 < size < math.inf:
            return size, 1.0
        unit = row / size
        return size, max(float(unit @ self.inputs.covariance @ unit), 0.0)

    def _row(self, at: Expr) -> Array | None:
        """The coefficients of an affine argument; None for other arguments."""
        parts = affine(at, frozenset(self.shape.form_symbols))
        if parts is None:
            return None
        rows = dict(self.shape.forms)
        place = {s: k for k, s in enumerate(self.inputs.symbols)}
        a = np.zeros(len(place))
        for form, c in parts[0].items():
            for s, k in rows[form]:
                a[place[s]] += value_of(c, self.inputs.scalars) * value_of(k, self.inputs.scalars)
        return a

    @property
    def reach(self) -> float:
        """The number used for λ, which for smooth functions is not small even if the law is degenerate."""
        return max(self.least, self.width)


class _Slopes:
    """The derivatives of an expectation by its inputs, by finite differences with bounds on their errors."""

    def __init__(self, run: Run, inputs: Inputs, outcome: Outcome, shape: Shape, tol: float, law: _Conditions):
        self.run, self.inputs, self.outcome, self.law = run, inputs, outcome, law
        # For costly integrals, differences are between rough values, with larger steps.
        quick = outcome.dimension < 2 or Step(Method.LATTICE, 2) in outcome.steps
        quick = quick and not any(s.method is Method.LAPLACE for s in outcome.steps)
        self.rough = len(inputs.symbols) > 2 and not quick
        jumps = any(b.kind == "jump" for b in shape.breaks)
        self.coarse = _COARSE_JUMPS if jumps else _COARSE
        self.tol = 1e-5 if self.rough else tol
        self._variances: dict[int, tuple[float, float] | None] = {}

    @cached_property
    def base(self) -> Outcome:
        return self.run(self.inputs, self.tol, Trust.UNCERTAIN, True) if self.rough else self.outcome

    def of(self, m: Move) -> tuple[float, float] | None:
        """(slope, bound on its error); None where finite differences are not reliable."""
        try:
            if m.at is None:
                return self._by_scalar(m)
            i, j = m.at
            if self.inputs.covariance[i, i] <= 0 or self.inputs.covariance[j, j] <= 0:
                # For a factor that is linear in its variable, the expectation is linear in the covariances of that
                # variable.
                return self._one_way(m, _COARSE, 0.0)
            if self.rough and is_regular(self.inputs):
                return self._one_way(m, self.coarse, 0.0)
            if i == j:
                return self._by_variance(i, m)
            if self.law.least >= _DEGENERATE:
                return self._one_way(m, self._step(_STEP, 0.5), 1.0)
            return self._both_ways(m) if self.law.width < _DEGENERATE else self._inside(m)
        except NoNumber:
            return None

    def _step(self, least: float, order: float) -> float:
        """The relative step that balances the error of the integrals against the terms of higher order."""
        if self.rough:
            return self.coarse
        known = 4 * self.outcome.error / (_BEND * self.outcome.scale) if self.outcome.scale > 0 else 0.0
        return float(max(least, min(known**order, 1e-3)) * self.law.reach)

    def _at(self, inputs: Inputs) -> Outcome:
        return self.run(inputs, self.tol, Trust.UNCERTAIN, self.rough)

    def _noise(self, there: Outcome) -> float:
        """A bound on the error of a difference from rounding and from the errors of the integrals."""
        if self.rough:
            return 30 * abs(self.base.value - self.outcome.value) * self.coarse
        return self.outcome.error + there.error + 4 * EPS * self.outcome.scale

    def _one_way(self, m: Move, step: float, bend: float) -> tuple[float, float]:
        c = self.inputs.covariance[m.at]
        sign = -1.0 if m.at is not None and m.at[0] != m.at[1] and c > 0 else 1.0
        by = sign * step * m.size
        there = self._at(m.applied(self.inputs, by))
        slope = (there.value - self.base.value) / by
        doubt = self._noise(there) / abs(by) + bend * _BEND * step * self._scale(m)
        doubt += 2 * abs(slope * by) * abs(slope) / (self.outcome.scale or 1.0)
        return slope, doubt + (0.02 * abs(slope) if self.rough else 0.0)

    def _scale(self, m: Move) -> float:
        """The scale of a second derivative, for an input in its own unit."""
        if self.rough:
            # The second derivative is negligible beside the error of a rough integral.
            return 0.0
        return self.outcome.scale / (m.size * self.law.reach * self.law.tame)

    def _by_variance(self, i: int, m: Move | None = None) -> tuple[float, float]:
        found = self._variances.get(i)
        if found is None:
            s = self.inputs.symbols[i]
            m = m or Move((s, s), (i, i), 0.0, 0.0, float(self.inputs.covariance[i, i]))
            if self.law.least >= _DEGENERATE or self.law.width >= _DEGENERATE:
                found = self._one_way(m, self._step(_STEP, 0.5), 1.0)
            else:
                found = self._both_ways(m)
            self._variances[i] = found
        return found

    def _both_ways(self, m: Move) -> tuple[float, float]:
        step = self._step(_BOTH_WAYS, 1 / 3)
        by = step * m.size
        up, down = (self._at(m.applied(self.inputs, sign * by)) for sign in (1, -1))
        slope = (up.value - down.value) / (2 * by)
        noise = max(self._noise(up), self._noise(down)) / by
        doubt = noise + _BEND * step * step * self._scale(m) / self.law.reach
        return slope, doubt + (0.02 * abs(slope) if self.rough else 0.0)

    def _inside(self, m: Move) -> tuple[float, float]:
        """By C + h v v' with v = ±σ_i e_i + σ_j e_j, which is a covariance even if C is degenerate."""
        i, j = m.at  # type: ignore[misc]
        step = self._step(_STEP, 0.5)
        c = self.inputs.covariance
        sign = -1.0 if c[i, j] > 0 else 1.0
        moved = self.inputs.moved(i, i, step * c[i, i]).moved(j, j, step * c[j, j])
        moved = moved.moved(i, j, sign * step * m.size)
        there = self._at(moved)
        whole = (there.value - self.base.value) / step
        (a, a_doubt), (b, b_doubt) = self._by_variance(i), self._by_variance(j)
        slope = (whole - a * c[i, i] - b * c[j, j]) / (sign * m.size)
        doubt = self._noise(there) / step + a_doubt * c[i, i] + b_doubt * c[j, j]
        doubt = doubt / m.size + 4 * _BEND * step * self._scale(m)
        return float(slope), float(doubt + (0.02 * abs(slope) if self.rough else 0.0))

    def _by_scalar(self, m: Move) -> tuple[float, float] | None:
        """Central differences, used only if they show little curvature, because a scalar may enter in any way."""
        small = self.coarse if self.rough else 1e-6
        for by in dict.fromkeys((small * max(m.size, 1e-3), small * m.size)):
            if by < m.whole:
                continue
            up, down = (self._at(m.applied(self.inputs, sign * by)) for sign in (1, -1))
            slope = (up.value - down.value) / (2 * by)
            bend = abs(up.value + down.value - 2 * self.base.value)
            doubt = (bend + max(self._noise(up), self._noise(down))) / by
            if doubt <= _DOUBT * abs(slope) or doubt * m.whole <= EPS * self.outcome.scale:
                return slope, doubt + (0.02 * abs(slope) if self.rough else 0.0)
        return None

"""Pairs whose expectation is a function of their angle: erf·erf, and homogeneous functions such as relu and step.

For u, v ~ N(0, [[a, c], [c, b]]), D = √(ab − c²) and θ the angle of (c, D),

    E erf(αu) erf(βv) = (2/π) asin(r/√(pq)),  p = 1 + 2α²a, q = 1 + 2β²b, r = 2αβc    (Williams 1997),

and for f(x) = p|x|^k above 0 and q|x|^k below, S = pp' + qq', X = pq' + qp' (Cho & Saul 2009),

    k = 1:  ½ (S (D + (π − θ) c) + X (D − θ c))/π,
    k = 0:  ½ (S (π − θ) + X θ)/π,
    k = 0 and 1:  (√b (S + X) + (S − X) c/√a)/√(8π).

For one variable E f(u) = a^{k/2} (p + q) E|z|^k/2. First derivatives by a, b and c are given explicitly, and second
ones bound the effect of errors in the covariances beyond first order. `netsor.gaussian.vectorized` has the same for
arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from netsor.expr import Const, Expr, Sym, canonical, evaluate, substitute
from netsor.gaussian.arithmetic.two_product import two_product
from netsor.gaussian.constants import NEARLY_PARALLEL
from netsor.gaussian.problem import EPS, Method, Outcome, Problem, Stage, Step, Steps
from netsor.gaussian.reductions.reduction import Reduction, Sum
from netsor.gaussian.symbolic.degrees import homogeneous_degrees
from netsor.gaussian.symbolic.expansion import is_polynomial
from netsor.gaussian.vectorized.arccosine import homogeneous_pair
from netsor.gaussian.vectorized.closed import erf_pair

STEPS = (Step(Method.CLOSED),)
# Variances in this range have products of four that are floats.
_LEAST, _MOST = 1e-70, 1e70
# Errors that change ab − c², or a variance, by more than this share are treated by other methods.
_SMALL = 0.05
# The factor by which second derivatives may grow within such errors.
GROWTH = 2.0
_HIGHEST = 8
_SQRT_PI = math.sqrt(math.pi)

Covariances = Sequence[float]


class Taylor(NamedTuple):
    """A value with its rounding error, the size of its terms, its slopes, and a bound on what is beyond them."""

    value: float
    rounding: float
    scale: float
    slopes: tuple[float, ...]
    rest: float


class ClosedForm(Protocol):
    """E of a block as a function of the variances and the covariance of its variables."""

    @property
    def symbols(self) -> tuple[Sym, ...]: ...

    @property
    def steps(self) -> Steps: ...

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        """The value at (a,) or (a, b, c) with these errors; None where the formula is not accurate."""
        ...


class Angle(NamedTuple):
    """asin(c/√(ab)), D, the slopes of the former by a, b, c, and a bound on its terms of second order."""

    value: float
    d: float
    slopes: tuple[float, float, float]
    rest: float


def _angle(a: float, b: float, c: float, errors: Covariances, near: float) -> Angle | None:
    ea, eb, ec = errors
    (p, p_low), (q, q_low) = two_product(a, b), two_product(c, c)  # type: ignore[arg-type]
    area = float((p - q) + (p_low - q_low))
    moved = b * ea + a * eb + 2 * abs(c) * ec + ea * eb + ec * ec
    if not area > near * float(p) or not moved <= _SMALL * area:
        return None
    d = math.sqrt(area)
    far = abs(c) + ec
    cube = d * area
    # Half of the second derivatives by one variable, and the full mixed ones.
    rest = (
        far / 4 * ((1 / (a * a * d) + b / (2 * a * cube)) * ea * ea + (1 / (b * b * d) + a / (2 * b * cube)) * eb * eb)
        + far / (4 * cube) * ea * eb
        + (b * ea + a * eb) / (2 * cube) * ec
        + far / (2 * cube) * ec * ec
    )
    slopes = (-c / (2 * a * d), -c / (2 * b * d), 1 / d)
    return Angle(math.atan2(c, d), d, slopes, GROWTH * rest)


def moderate(variances: Covariances, errors: Covariances) -> bool:
    """Whether variances are in the range of the formulas, and their errors small beside them."""
    return all(_LEAST < v < _MOST and e <= _SMALL * v for v, e in zip(variances, errors))


@dataclass(frozen=True)
class ErfPair:
    """number · E erf(αu) erf(βv)."""

    symbols: tuple[Sym, Sym]
    number: float
    alpha: float
    beta: float
    steps = STEPS

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        a, b, c = numbers
        if not moderate((a, b), errors):
            return None
        units = (2 * self.alpha**2, 2 * self.beta**2, 2 * self.alpha * self.beta)
        p, q, r = 1 + units[0] * a, 1 + units[1] * b, units[2] * c
        found = _angle(p, q, r, [abs(u) * e for u, e in zip(units, errors)], NEARLY_PARALLEL)
        if found is None:
            return None
        front = self.number * 2 / math.pi
        # p, q and the units are rounded.
        doubt = 6 * EPS * abs(r) / found.d
        scale = abs(front) * math.sqrt(math.asin((p - 1) / p) * math.asin((q - 1) / q))
        slopes = tuple(front * u * s for u, s in zip(units, found.slopes))
        rounding = abs(front) * (doubt + 6 * EPS * abs(found.value))
        return Taylor(front * found.value, rounding, scale, slopes, abs(front) * found.rest)


@dataclass(frozen=True)
class ErfOfOne:
    """number · E erf(αu) erf(βu), as a pair of equal variables."""

    symbols: tuple[Sym]
    pair: ErfPair
    steps = STEPS

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        found = self.pair.at(3 * tuple(numbers), 3 * tuple(errors))
        return found and found._replace(slopes=(sum(found.slopes),))


@dataclass(frozen=True)
class HomogeneousPair:
    """E f(u) g(v) for homogeneous f and g of degrees k and l, with S and X."""

    symbols: tuple[Sym, Sym]
    degrees: tuple[int, int]
    same: float
    across: float
    steps = STEPS

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        a, b, c = numbers
        if not moderate((a, b), errors):
            return None
        if self.degrees == (0, 1):
            return self._mixed(a, b, c, errors)
        if self.degrees == (1, 0):
            ea, eb, ec = errors
            found = self._mixed(b, a, c, (eb, ea, ec))
            return found and found._replace(slopes=(found.slopes[1], found.slopes[0], found.slopes[2]))
        both = _angle(a, b, c, errors, NEARLY_PARALLEL)
        if both is None:
            return None
        return self._steps(both) if self.degrees == (0, 0) else self._lines(a, b, c, errors, both)

    def _steps(self, angle: Angle) -> Taylor:
        s, x, turn = self.same, self.across, angle.value / (2 * math.pi)
        value = (s + x) / 4 + (s - x) * turn
        rounding = EPS * (abs(s + x) / 2 + 6 * abs((s - x) * turn))
        k = (s - x) / (2 * math.pi)
        size = abs(s) * (0.25 + turn) + abs(x) * (0.25 - turn)
        return Taylor(value, rounding, size, tuple(k * t for t in angle.slopes), abs(k) * angle.rest)

    def _lines(self, a: float, b: float, c: float, errors: Covariances, angle: Angle) -> Taylor:
        s, x, d = self.same, self.across, angle.d
        theta = math.pi / 2 - angle.value
        above, below = d + (math.pi - theta) * c, d - theta * c
        value = 0.5 * (s * above + x * below) / math.pi
        size = 0.5 * (abs(s) * abs(above) + abs(x) * abs(below)) / math.pi
        terms = abs(s) * (d + (math.pi - theta) * abs(c)) + abs(x) * (d + theta * abs(c))
        # Every product and sum is rounded, and so is the angle; the rounding of D enters with the factor D²/(ab).
        rounding = EPS * (2.75 * terms + abs(angle.value * c) * (abs(s) + abs(x))) / (2 * math.pi)
        k = (s + x) / (2 * math.pi)
        slopes = (k * d / (2 * a), k * d / (2 * b), 0.5 * (s * (math.pi - theta) - x * theta) / math.pi)
        ea, eb, ec = errors
        far = abs(c) + ec
        rest = (
            0.25 * ((b / (2 * d * a) + d / (a * a)) * ea * ea + (a / (2 * d * b) + d / (b * b)) * eb * eb)
            + ea * eb / (4 * d)
            + far * (ea / a + eb / b) * ec / (2 * d)
            + ec * ec / (2 * d)
        )
        return Taylor(value, rounding, size, slopes, GROWTH * abs(k) * rest)

    def _mixed(self, a: float, b: float, c: float, errors: Covariances) -> Taylor | None:
        """The mixed formula, with f of degree 0 in the variable of variance a."""
        if not c * c < (1 - NEARLY_PARALLEL) * a * b:
            return None
        ea, eb, ec = errors
        plus, minus = self.same + self.across, self.same - self.across
        k = 1 / math.sqrt(8 * math.pi)
        u, v = math.sqrt(a), math.sqrt(b)
        value = k * (v * plus + minus * c / u)
        size = k * v * (abs(self.same) * (1 + c / (u * v)) + abs(self.across) * (1 - c / (u * v)))
        rounding = 4 * EPS * k * (v * abs(plus) + abs(minus) * abs(c) / u)
        slopes = (-k * minus * c / (2 * a * u), k * plus / (2 * v), k * minus / u)
        second = abs(minus) * (0.375 * (abs(c) + ec) / a * ea * ea + 0.5 * ea * ec) / (a * u)
        rest = k * (second + 0.125 * abs(plus) * eb * eb / (b * v))
        return Taylor(value, rounding, size, slopes, GROWTH * rest)


@dataclass(frozen=True)
class HomogeneousMoment:
    """E f(u) for f of degree k: a^{k/2} E f(z)."""

    symbols: tuple[Sym]
    degree: int
    above: float
    below: float
    steps = STEPS

    def at(self, numbers: Covariances, errors: Covariances) -> Taylor | None:
        (a,), (ea,) = numbers, errors
        if not moderate(numbers, errors):
            return None
        k, both = self.degree, self.above + self.below
        moment = float(math.prod(range(1, k, 2))) if k % 2 == 0 else 2 ** (k / 2) * math.gamma((k + 1) / 2) / _SQRT_PI
        power = a ** (k // 2) * (math.sqrt(a) if k % 2 else 1.0)
        value = 0.5 * both * moment * power
        size = 0.5 * (abs(self.above) + abs(self.below)) * moment * power
        # A product of the variance with a power of two is exact.
        exact = k in (0, 2) and all(math.frexp(x)[0] in (0, 0.5, -0.5) for x in (self.above, self.below, both))
        rest = abs(value) * k * abs(k - 2) / 8 * (ea / a) ** 2
        return Taylor(value, 0.0 if exact else (4 + k) * EPS * size, size, (k / 2 * value / a,), GROWTH * rest)


@lru_cache(maxsize=20_000)
def closed_form(block: Expr, symbols: frozenset[Sym]) -> ClosedForm | None:
    """The formula for a block of one or two Gaussian variables; None where there is none here."""
    if not 1 <= len(symbols) <= 2 or block.free != symbols:
        return None
    ordered = tuple(sorted(symbols, key=lambda s: s.digest))
    if len(ordered) == 1:
        (u,) = ordered
        erfs = erf_pair(block, ordered)
        return _moment(block, u) if erfs is None else ErfOfOne((u,), ErfPair((u, u), *erfs))
    u, v = ordered
    erfs = erf_pair(block, ordered)
    if erfs is not None:
        return ErfPair((u, v), *erfs)
    sides = homogeneous_pair(block, ordered)
    if sides is None:
        return None
    f, g = sides
    same, across = f.above * g.above + f.below * g.below, f.above * g.below + f.below * g.above
    return HomogeneousPair((u, v), (f.degree, g.degree), same, across)


def _moment(block: Expr, u: Sym) -> HomogeneousMoment | None:
    degrees = homogeneous_degrees(block, (u,))
    if degrees is None or not 0 <= degrees[0] <= _HIGHEST or is_polynomial(block, frozenset((u,))):
        # Moments of polynomials are computed by exact algebra.
        return None
    above, below = (float(evaluate(canonical(substitute(block, {u: Const(x)})), {})) for x in (1.0, -1.0))
    return HomogeneousMoment((u,), degrees[0], above, below)


class ArcSine(Reduction):
    """The formulas above, under a centred law with an exact covariance."""

    integrands = "erf·erf of two variables, or relu, abs or step of one or each of two, away from degenerate laws"
    becomes = "a formula in their angle (Williams 1997; Cho & Saul 2009), with its derivatives"
    method = Method.CLOSED

    def reduce(self, problem: Problem) -> Sum | None:
        law, e = problem.law, problem.integrand
        if problem.stage is not Stage.PRODUCT or len(e.free) > 2 or not e.free <= problem.task.gaussians:
            return None
        formula = closed_form(e, frozenset(s for s in e.free if isinstance(s, Sym)))
        if formula is None:
            return None
        index = [law.symbols.index(s) for s in formula.symbols]
        if law.mean[index].any() or (law.covariance.diagonal() != law.variances)[index].any():
            return None
        numbers = [float(law.covariance[i, i]) for i in index]
        if len(index) == 2:
            numbers.append(float(law.covariance[index[0], index[1]]))
        found = formula.at(numbers, [0.0] * len(numbers))
        return None if found is None else Sum((Outcome(found.value, found.rounding, found.scale, 0, STEPS),))

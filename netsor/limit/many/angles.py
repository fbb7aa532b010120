"""Pairs of nearly proportional Gaussians: the angle between them is computed without cancellation.

E relu(u) relu(v), E step(u) step(v) and the like are functions of the angle θ of u and v (Cho & Saul 2009), whose slope
in the covariance c is infinite at θ = 0 and θ = π. With variances a and b, tan θ = √(ab − c²)/c. For nearly parallel
rows of data, floating-point numbers lose ab − c² to cancellation. It is computed

- for U ξ and U ξ' as |ξ|² |r|² − (ξ·r)², which holds for every r = ξ' − β ξ;
- for sums of independent pairs as Σ_k det_k + Σ_{k<l} (a_k g_l + a_l g_k − 2 e_k e_l), with e = Cov(u, v − u) and
  g = Var(v − u);
- for W φ(u) and W φ(v) with homogeneous φ as A B (1 − ρ)(1 + ρ), with 1 ± ρ as series in θ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netsor.core import DataRef
from netsor.expr import Add, Const, Sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.arithmetic.two_product import two_product
from netsor.gaussian.symbolic.independence import gaussians_of
from netsor.gaussian.vectorized.arccosine import NEAR, Homogeneous, homogeneous
from netsor.gaussian.vectorized.closed import determinant
from netsor.limit.many.frames import Frame, Step
from netsor.limit.worklist import kept

if TYPE_CHECKING:
    from netsor.limit.many.evaluator import Evaluator

Array = np.ndarray
_EPS = 2.0**-52
_LEAST = 1e-70
_MOST_TERMS = 4
_SQRT_8PI = math.sqrt(8 * math.pi)


@dataclass
class Twins:
    """Var u, Var v and Cov(u, v) for a list of pairs, and combinations that are computed without cancellation.

    These are e = Cov(u, v − u), g = Var(v − u) and det = Var u Var v − Cov(u, v)². `turned` is the angle where
    it is known better than from these, see `angle`.
    """

    a: Bounded
    b: Bounded
    c: Bounded
    e: Bounded
    g: Bounded
    det: Bounded
    turned: tuple[Array, Array, Array] | None = None

    def at(self, rows: Array) -> Twins:
        a, b, c, e, g, det = (x.at(rows) for x in (self.a, self.b, self.c, self.e, self.g, self.det))
        turned = None
        if self.turned is not None:
            angle, small, error = self.turned
            turned = angle[rows], small[rows], error[rows]
        return Twins(a, b, c, e, g, det, turned)

    def positive(self) -> Array:
        """Where both variances are certainly positive, and products of four of them are in the range of floats."""
        sizes = (self.a.value, self.b.value)
        inside = (np.minimum(*sizes) > _LEAST) & (np.maximum(*sizes) < 1 / _LEAST)
        return inside & (self.a.value > 2 * self.a.error) & (self.b.value > 2 * self.b.error)

    def angle(self) -> tuple[Array, Array, Array]:
        """The angle of u and v, the angle of u and ±v that is at most π/2, and a bound on their error."""
        if self.turned is not None:
            return self.turned
        r, c = self.det.root(), self.c
        # The sine of the angle between (c, r) and (c', r') is |r' c − r c'| divided by the product of their lengths.
        length, off = np.hypot(r.value, c.value), np.hypot(r.error, c.error)
        cross = abs(c.value) * r.error + r.value * c.error
        with np.errstate(divide="ignore", invalid="ignore"):
            sine = cross / (length * (length - off))
            error = np.where((2 * off < length) & (sine < 0.5), sine * (1 + sine**2), math.pi)
        small = np.arctan2(r.value, abs(c.value))
        return np.arctan2(r.value, c.value), small, error + 2 * _EPS * small


class Angles:
    """The angles of pairs of Gaussians, and expectations that are functions of them."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._known: dict[tuple[Sym, Sym], Step] = {}
        self._plain: set[tuple[Sym, Sym]] = set()

    def twins(self, s: Sym, t: Sym) -> Step:
        """The step that gives the `Twins` of two variables, in a list of pairs."""
        key = (s, t)
        found = self._known.get(key)
        if found is None:
            found = self.evaluator.work.do(lambda: kept(self._known, key, self._compute(*key)))
        return found

    def _step(
        self, s: Sym, t: Sym, needs: Sequence[Step], compute: Callable[[Frame, Twins, Sequence[Twins]], None]
    ) -> Step:
        """A step that starts from the covariances alone, and then replaces what `compute` finds more accurately."""
        given = [self.evaluator.covariance(*p) for p in ((s, s), (t, t), (s, t))]

        def run(frame: Frame, values: Sequence[Any]) -> Twins:
            a, b, c = (flat(q, frame) for q in values[:3])
            # These values have the errors that the covariances imply.
            with np.errstate(all="ignore"):
                plain = Twins(a, b, c, c - a, (a - c) + (b - c), determinant(a, b, c))
                compute(frame, plain, [_spread(t, frame) for t in values[3:]])
            return plain

        return self.evaluator.step(self.evaluator.join((s, t)), (*given, *needs), run)

    def _compute(self, s: Sym, t: Sym) -> Step:
        forms, limit = self.evaluator.forms, self.evaluator.limit
        found: Step | None = None
        if s is t:
            found = self._step(s, t, (), _of_one)
        elif s in forms or t in forms:
            found = self._sum(s, t)
        elif s in limit.products and t in limit.products:
            found = self._of_products(s, t)
        elif s in limit.initial and t in limit.initial:
            found = self._of_rows(s, t)
        if found is None:
            self._plain.add((s, t))
        return found or self._step(s, t, (), lambda frame, plain, rest: None)

    def knows(self, s: Sym, t: Sym) -> bool:
        """Whether more is known of the angle of two variables than their covariances say."""
        self.twins(s, t)
        return (s, t) not in self._plain

    def _sum(self, s: Sym, t: Sym) -> Step | None:
        """For u = Σ α_k u_k and v = Σ α_k v_k with independent pairs (u_k, v_k); None for other forms."""
        forms = self.evaluator.forms
        left, right = forms[s], list(forms[t])
        if len(left) != len(right) or not all(isinstance(c, Const) for _, c in (*left, *right)):
            return None
        pairs: list[Step] = []
        squares: list[float] = []
        for x, factor in left:
            mates = [(y, d) for y, d in right if not self._apart(x, y)]
            if len(mates) != 1 or mates[0][1] is not factor or not isinstance(factor, Const):
                return None
            right.remove(mates[0])
            y = mates[0][0]
            if any(not self._apart(z, w) for z, _ in left if z is not x for w in (x, y)):
                return None
            if any(not self._apart(y, z) for z, _ in right):
                return None
            squares.append(float(factor.value) ** 2)
            pairs.append(self.twins(x, y))

        def compute(frame: Frame, plain: Twins, given: Sequence[Twins]) -> None:
            parts = []
            for p, square in zip(given, squares, strict=True):
                a, b, c, e, g = (q.times(square) for q in (p.a, p.b, p.c, p.e, p.g))
                parts.append(Twins(a, b, c, e, g, p.det.times(square * square)))
            total = parts[0]
            for p in parts[1:]:
                mixed = total.a * p.g + p.a * total.g - (total.e * p.e).times(2.0)
                total = Twins(
                    total.a + p.a, total.b + p.b, total.c + p.c, total.e + p.e, total.g + p.g, total.det + p.det + mixed
                )
            for mine, found in ((plain.e, total.e), (plain.g, total.g), (plain.det, total.det)):
                mine.put(np.arange(len(mine.value)), found)

        return self._step(s, t, pairs, compute)

    def _apart(self, x: Sym, y: Sym) -> bool:
        return x is not y and self.evaluator.limit.independent(x, y) or self.evaluator.is_zero(x, y)

    def _of_rows(self, s: Sym, t: Sym) -> Step | None:
        """For U ξ and U ξ': nearly parallel pairs are computed from the rows, with error-free products."""
        program = self.evaluator.limit.program
        one, other = (program.embedding.get(self.evaluator.limit.initial[x]) for x in (s, t))
        if one is None or other is None or one.matrix != other.matrix:
            return None
        first, second = one.source, other.source
        assert isinstance(first, DataRef) and isinstance(second, DataRef)
        square = program.input_matrix[one.matrix].variance

        def compute(frame: Frame, plain: Twins, given: Sequence[Twins]) -> None:
            near = np.flatnonzero(plain.det.value < NEAR * plain.a.value * plain.b.value)
            if len(near):
                x, y = frame.both(first, second)
                e, g, det = _of_vectors(x[near], y[near])
                plain.e.put(near, e.times(square))
                plain.g.put(near, g.times(square))
                plain.det.put(near, det.times(square**2))

        return self._step(s, t, (), compute)

    def _of_products(self, s: Sym, t: Sym) -> Step | None:
        """For W φ(u) and W φ(v) with one homogeneous φ; None for others."""
        p, q = (self.evaluator.limit.products[x] for x in (s, t))
        if (p.matrix, p.transposed) != (q.matrix, q.transposed):
            return None
        # A homogeneous function of one form is a short sum; a residual stream is none.
        if any(isinstance(x.operand, Add) and len(x.operand.children) > _MOST_TERMS for x in (p, q)):
            return None
        forms = self.evaluator.forms
        f, g = (forms.rewritten(x.operand) for x in (p, q))
        mine, yours = (sorted(gaussians_of(e, forms), key=lambda x: x.digest) for e in (f, g))
        if len(mine) != 1 or len(yours) != 1 or mine == yours:
            return None
        phi, psi = homogeneous(f, mine[0]), homogeneous(g, yours[0])
        if phi is None or phi != psi or not (phi.above or phi.below):
            return None
        variance = p.variance

        def compute(frame: Frame, plain: Twins, given: Sequence[Twins]) -> None:
            at = given[0]
            some = np.flatnonzero(at.positive())
            at = at.at(some)
            a, b = plain.a.at(some), plain.b.at(some)
            below, above = _gaps(phi, at)
            ra, rb = a.root(), b.root()
            both = ra * rb
            # √B − √A is computed from Var v − Var u = 2 e + g.
            longer = both.times(0.0)
            if phi.degree == 1:
                size = variance * (phi.above**2 + phi.below**2) / 2
                longer = (at.e.times(2.0) + at.g).over(at.a.root() + at.b.root()).times(math.sqrt(size))
            plain.e.put(some, ra * longer - both * below)
            plain.g.put(some, longer * longer + (both * below).times(2.0))
            plain.det.put(some, a * b * below * above)
            if phi.degree == 1:
                plain.turned = plain.angle()
                for whole, found in zip(plain.turned, _turned(phi, at, plain.at(some)), strict=True):
                    whole[some] = found

        return self._step(s, t, (self.twins(mine[0], yours[0]),), compute)

    def expectation(self, sides: tuple[Homogeneous, Homogeneous], u: Sym, v: Sym, frame: Frame) -> Bounded:
        """E f(u) g(v) for homogeneous f and g, from the twins of u and v, for a list of pairs.

        With S = p p' + q q' and X = p q' + q p' it is S F(θ) + X F(π − θ), where F is that of step or relu. Entries
        where a variance may be zero have an infinite error.
        """
        t = _spread(frame.value(self.twins(u, v)), frame)
        some = np.flatnonzero(t.positive())
        out = Bounded(np.zeros(frame.shape[0]), np.full(frame.shape[0], np.inf))
        with np.errstate(all="ignore"):
            out.put(some, _expectation(*sides, t.at(some)))
        return Bounded(out.value[:, None], out.error[:, None])


def _of_one(frame: Frame, plain: Twins, given: Sequence[Twins]) -> None:
    for q in (plain.e, plain.g, plain.det):
        q.value[:], q.error[:] = 0.0, 0.0


def flat(q: Bounded, frame: Frame) -> Bounded:
    """A quantity at every pair of a list, in arrays of its own."""
    return Bounded(*(np.broadcast_to(x, frame.shape)[:, 0].copy() for x in (q.value, q.error)))


def _spread(t: Twins, frame: Frame) -> Twins:
    """Twins that belong to no example, repeated for every pair of a list."""
    count = frame.shape[0]
    return t if len(t.a.value) == count else t.at(np.zeros(count, int))


def _expectation(f: Homogeneous, g: Homogeneous, t: Twins) -> Bounded:
    same = f.above * g.above + f.below * g.below
    across = f.above * g.below + f.below * g.above
    size = abs(same) + abs(across)
    if f.degree != g.degree:
        # E step(u) relu(v) = √b (1 + ρ)/√(8π).
        one, other = (t.b, t.a) if g.degree else (t.a, t.b)
        r = one.root().times((same + across) / _SQRT_8PI)
        return r + t.c.over(other.root()).times((same - across) / _SQRT_8PI)
    θ, small, error = t.angle()
    if f.degree == 0:
        value = 0.5 * (same * (1 - θ / math.pi) + across * θ / math.pi)
        bound = 0.5 * abs(same - across) / math.pi * error + 2 * _EPS * size
        return Bounded(value, np.minimum(bound, size))
    # E relu(u) relu(v) = √(ab) (sin θ + (π − θ) cos θ)/(2π) (Cho & Saul 2009).
    j = _j(small)
    root = t.a.root() * t.b.root()
    lead = np.where(t.c.value >= 0, same, across)
    unit = 0.5 * (lead * np.cos(small) + (same + across) * j / math.pi)
    # Its derivative by θ, which gives the effect of the error of θ, is −(S (π − θ) − X θ) sin θ/(2π).
    slope = (abs(same * (math.pi - θ) - across * θ) + abs(same + across) * error) / (2 * math.pi)
    slope = slope * np.minimum(np.sin(θ) + error, 1.0)
    return root * Bounded(unit, np.minimum(slope * error + 4 * _EPS * size, size))


def _gaps(phi: Homogeneous, t: Twins) -> tuple[Bounded, Bounded]:
    """1 − ρ and 1 + ρ for the correlation ρ = E φ(u) φ(v)/√(E φ(u)² E φ(v)²)."""
    x = 2 * phi.above * phi.below / (phi.above**2 + phi.below**2)
    θ, small, error = t.angle()
    ahead = t.c.value >= 0
    if phi.degree == 0:
        part = (1 - x) * small / math.pi
        below = np.where(ahead, part, (1 - x) - part)
        above = np.where(ahead, 2 - part, (1 + x) + part)
        bound = (1 - x) / math.pi * error
        return Bounded(below, bound + 4 * _EPS * below), Bounded(above, bound + 4 * _EPS * above)
    # 1 − cos θ and sin θ − θ cos θ, for the angle that is at most π/2.
    versine, j = 2 * np.sin(small / 2) ** 2, (1 + x) * _j(small) / math.pi
    below = np.where(ahead, versine - j, (1 - x) + x * versine - j)
    above = np.where(ahead, 2 - (versine - j), (1 + x) - x * versine + j)
    bound = (np.sin(small) + error) * error
    sizes = versine + j
    lost = (np.where(ahead, sizes, abs(1 - x) + sizes), np.where(ahead, 2 + sizes, abs(1 + x) + sizes))
    return Bounded(below, bound + 8 * _EPS * lost[0]), Bounded(above, bound + 8 * _EPS * lost[1])


def _turned(phi: Homogeneous, t: Twins, known: Twins) -> tuple[Array, Array, Array]:
    """The angle θ' of φ(u) and φ(v), for φ of degree 1, from the angle θ of u and v alone; as `Twins.angle`.

    For θ ≤ π/2 it is cos θ' = C(θ) = cos θ + k (sin θ − θ cos θ) with k = (1 + x)/π, 0 ≤ k ≤ 2/π, and

        dθ'/dθ = sin θ (1 − kθ)/sin θ' ≤ 1,   because 1 − C² − C'² is 0 at 0 and has the derivative −4k C' sin θ ≥ 0:

    errors of the angle shrink from layer to layer, and those of the variances have no part in it. `known` is what the
    variances and covariances say, which holds for obtuse angles where the error is not small beside π − θ.
    """
    x = 2 * phi.above * phi.below / (phi.above**2 + phi.below**2)
    _, before, error = t.angle()
    below, above = _gaps(phi, t)
    ahead = t.c.value >= 0
    # Of |u|, whose x is 1, obtuse angles are as acute ones.
    acute = (ahead | (x == 1)) & (before + error < math.pi / 2)
    cosine = np.where(ahead, 1 - below.value, above.value - 1)
    sine = np.sqrt(np.maximum(below.value * above.value, 0.0))
    small = np.arctan2(sine, abs(cosine))
    lost = np.where(ahead, 0.0, abs(1 - x)) + 2 * np.sin(before / 2) ** 2 + (1 + x) * _j(before) / math.pi
    slope = (np.sin(before) + error) * (abs(np.where(ahead, 1.0, x) - (1 + x) * before / math.pi) + error)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Within a thousandth of θ the derivative changes by less than a hundredth.
        steep = np.where(1000 * error < before, 1.01 * slope / sine, np.inf)
        rounding = np.where(sine > 0, 8 * _EPS * lost / sine, before) + 4 * _EPS * small
    bound = np.minimum(steep, np.where(acute, 1.0, np.inf)) * error + rounding
    found = np.arctan2(sine, cosine), small, bound
    best = np.isfinite(bound)
    return tuple(np.where(best, x, y) for x, y in zip(found, known.angle(), strict=True))  # type: ignore[return-value]


def _j(θ: Array) -> Array:
    """sin θ − θ cos θ for 0 ≤ θ ≤ π/2, by its series Σ (−1)^{k+1} 2k θ^{2k+1}/(2k+1)!, without cancellation."""
    total, square = np.zeros(len(θ)), θ * θ
    for k in range(11, 0, -1):
        total = square * ((-1) ** (k + 1) * 2 * k / math.factorial(2 * k + 1) + total)
    return total * θ


def _of_vectors(x: Array, y: Array) -> tuple[Bounded, Bounded, Bounded]:
    """x·(y − x), |y − x|² and |x|²|y|² − (x·y)² for rows (N, d) of x and y."""

    def dot(x: Array, y: Array) -> Array:
        return np.einsum("ij,ij->i", x, y)

    def bounded(x: Array, y: Array) -> Bounded:
        return Bounded(dot(x, y), 4 * _EPS * dot(abs(x), abs(y)))

    d = y - x
    own = dot(x, x)
    beta = np.divide(dot(x, y), own, out=np.zeros(len(x)), where=own > 0)
    # y − β x, with each product as an unevaluated sum of two floats.
    p, p_low = two_product(beta[:, None], x)
    r = (y - p) - p_low
    # |x|² |r|² − (x·r)² is the square of an area, which the rounding of r changes by at most |x| |δr|.
    square, length, along = bounded(x, x), bounded(r, r), bounded(x, r)
    det = square * length - along * along
    area = np.sqrt(np.maximum(det.value, 0.0))
    lost = np.sqrt(own) * 2 * _EPS * np.sqrt(dot(r, r))
    return bounded(x, d), bounded(d, d), Bounded(np.maximum(det.value, 0.0), det.error + lost * (2 * area + lost))

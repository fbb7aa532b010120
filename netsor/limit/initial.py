"""The joint law of 𝒱 in rational numbers, in which decimals of the program are exact."""

from __future__ import annotations

import math
from fractions import Fraction

from netsor.core import Program
from netsor.expr import Sym
from netsor.expr.rationals import rational, uncertainty
from netsor.gaussian import Estimate, OutOfRange
from netsor.limit.symbols import hat

Combination = dict[Sym, Fraction]
_EPS, _NOTHING = 2.0**-52, 2.0**-70
# An inner product that is smaller than this share of the sum of its absolute terms is computed exactly.
_CANCELS = 1e-6


class InitialLaw:
    """Covariances of the Ẑ's of 𝒱, and of linear combinations of them that have symbols of their own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        # The member of 𝒱 that each Ẑ stands for.
        self.members: dict[Sym, str] = {}
        self._combinations: dict[Sym, Combination] = {}
        self._exact: dict[tuple[Sym, Sym], tuple[Fraction, float]] = {}

    def __contains__(self, s: Sym) -> bool:
        return s in self.members or s in self._combinations

    def family(self, s: Sym) -> object:
        """The group or n×d matrix that a symbol belongs to; symbols of different ones are independent."""
        if s in self._combinations:
            return self.family(next(iter(self._combinations[s])))
        name = self.members[s]
        if name in self.program.embedding:
            return self.program.embedding[name].matrix
        return self.program.group_of[name][0].names

    def combined(self, combination: Combination) -> Sym:
        """A new symbol for Σ β z."""
        flat: Combination = {}
        for s, b in combination.items():
            for t, c in self._combinations.get(s, {s: Fraction(1)}).items():
                flat[t] = flat.get(t, Fraction(0)) + b * c
        flat = {t: b for t, b in flat.items() if b}
        text = " + ".join(f"{float(b):.17g} {self.members[t]}" for t, b in flat.items())
        symbol = hat(f"({text})")
        self._combinations[symbol] = flat
        return symbol

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        """Cov(a, b) with a bound on its rounding error."""
        if a in self._combinations or b in self._combinations:
            return rounded(*self.exact(a, b))
        p = self.program
        x, y = self.members[a], self.members[b]
        if x in p.group_of and y in p.group_of:
            (g, i), (h, j) = p.group_of[x], p.group_of[y]
            if g is not h:
                return Estimate(0.0)
            entry = g.covariance[i][j]
            error = uncertainty(entry) + abs(float(Fraction(float(entry)) - rational(entry)))
            # An error far below the product of the standard deviations does not matter, even if the covariance itself
            # is small.
            size = math.sqrt(g.covariance[i][i] * g.covariance[j][j])
            return Estimate(float(entry), error if error > _NOTHING * size else 0.0)
        if x in p.embedding and y in p.embedding:
            e, f = p.embedding[x], p.embedding[y]
            if e.matrix != f.matrix:
                return Estimate(0.0)
            variance = p.input_matrix[e.matrix].variance
            terms = [s * t for s, t in zip(p.row(e), p.row(f), strict=True)]
            if not all(map(math.isfinite, terms)):
                return rounded(*self.exact(a, b))
            value, size = math.fsum(terms), math.fsum(map(abs, terms))
            if abs(value) <= _CANCELS * size:
                return rounded(*self.exact(a, b))
            return Estimate(variance * value, 2 * _EPS * variance * size)
        return Estimate(0.0)

    def exact(self, a: Sym, b: Sym) -> tuple[Fraction, float]:
        """The covariance as a rational number, and a bound on its distance from the number that is meant."""
        key = (a, b) if a.digest <= b.digest else (b, a)
        found = self._exact.get(key)
        if found is None:
            found = self._exact[key] = self._compute(*key)
        return found

    def _compute(self, a: Sym, b: Sym) -> tuple[Fraction, float]:
        if a in self._combinations or b in self._combinations:
            value, error = Fraction(0), 0.0
            for s, alpha in self._combinations.get(a, {a: Fraction(1)}).items():
                for t, beta in self._combinations.get(b, {b: Fraction(1)}).items():
                    q, r = self.exact(s, t)
                    value, error = value + alpha * beta * q, error + abs(float(alpha * beta)) * r
            return value, error
        p = self.program
        x, y = self.members[a], self.members[b]
        if x in p.group_of and y in p.group_of:
            (g, i), (h, j) = p.group_of[x], p.group_of[y]
            entry = g.covariance[i][j] if g is h else 0.0
            return rational(entry), uncertainty(entry)
        if x in p.embedding and y in p.embedding:
            e, f = p.embedding[x], p.embedding[y]
            if e.matrix == f.matrix:
                variance = p.input_matrix[e.matrix].variance
                pairs = list(zip(p.row(e), p.row(f), strict=True))
                inner = sum((rational(s) * rational(t) for s, t in pairs if s and t), Fraction(0))
                error = math.fsum(uncertainty(s) * abs(t) + abs(s) * uncertainty(t) for s, t in pairs)
                return rational(variance) * inner, variance * error
        return Fraction(0), 0.0


def rounded(value: Fraction, error: float) -> Estimate:
    """The float nearest to a rational number, with its rounding error added to `error`."""
    try:
        near = float(value)
    except OverflowError:
        raise OutOfRange("a covariance is beyond 1.8e308, the largest number") from None
    return Estimate(near, error + abs(float(Fraction(near) - value)))

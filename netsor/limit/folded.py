"""Lines that fold to numbers before any expectation is taken, with bounds on what rounding made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from netsor.core import Group, Moment, Nonlin
from netsor.expr import Const, Expr, Sym, as_expr
from netsor.expr.build import wide
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.rationals import decimal, in_range, rational, split_number, uncertainty
from netsor.limit.numbers import Numbers
from netsor.limit.scalars import of_constant, rational_value, rounding_error
from netsor.limit.symbols import scalar


class Folded:
    """Constant vectors and scalars of a limit; `z` and `scalars` are those written so far."""

    def __init__(self, z: Mapping[str, Expr], scalars: Mapping[str, Expr], numbers: Numbers):
        self._z, self._scalars, self._numbers = z, scalars, numbers
        # Variables whose rational value is known.
        self.exact: dict[Sym, Fraction] = {}
        # For vectors of variance 0, a bound on the distance between their number and the number meant.
        self._off: dict[Sym, float] = {}

    def constant(self, name: str, limit: float) -> Const:
        """The limit of a member of 𝒞."""
        exact = decimal(limit)
        if exact is not None:
            self.exact[Sym(name)] = exact
        self._numbers.scalars[scalar(name)] = self._numbers.given(name, limit, of_constant(limit))
        return Const(limit)

    def member(self, group: Group, i: int) -> Expr:
        """A member of 𝒱 of variance 0, which is its mean."""
        s, mean = Sym(group.names[i]), group.mean[i]
        self.exact[s] = rational(mean)
        self._off[s] = uncertainty(mean)
        return as_expr(mean)

    def mean(self, name: str, mean: float, variance: float) -> Expr:
        """The mean of a vector as a number, or as a symbol if its rounding matters beside the standard deviation."""
        near = float(mean)
        exact = rational(mean)
        error = 0.0 if exact == decimal(near) else uncertainty(mean) + abs(float(exact - Fraction(near)))
        if error <= 4e-16 * math.sqrt(variance):
            return as_expr(near)
        s = scalar(f"E {name}")
        self._numbers.means[s] = self._numbers.given(f"E {name}", near, error)
        return s

    def exactly(self, i: Moment) -> Expr | None:
        """The number that a scalar is by rational arithmetic; None where it is not known in that way."""
        exact = rational_value(at_infinite_width(i.psi), self.exact)
        if exact is None:
            return None
        self.exact[Sym(i.name)] = exact
        near = _nearest(exact)
        if not in_range(near) or exact and not near:
            return wide(*split_number(exact))
        self._numbers.scalars[scalar(i.name)] = self._numbers.given(i.name, near, _apart(near, exact))
        return Const(near)

    def vector(self, i: Nonlin, value: Const) -> Expr:
        """The number that a Z^x was folded to, or a symbol for it if its rounding error is not negligible."""
        exact = rational_value(at_infinite_width(i.psi), self.exact)
        if exact is not None:
            self.exact[Sym(i.name)] = exact
            near = _nearest(exact)
            if math.isfinite(near) and in_range(near) and (near or not exact):
                self._off[Sym(i.name)] = _apart(near, exact)
                return Const(near)
            return value
        error = self._off[Sym(i.name)] = self.rounding(i, value.value)
        if error <= 1e-15 * abs(value.value) or not math.isfinite(value.value):
            return value
        s = scalar(f"E {i.name}")
        self._numbers.means[s] = self._numbers.given(f"E {i.name}", float(value.value), error)
        return s

    def rounding(self, i: Nonlin | Moment, folded: float) -> float:
        """A bound on the rounding error of a folded ψ at numbers, with the errors of its arguments."""
        psi = at_infinite_width(i.psi)
        point: dict[Sym, float] = {}
        errors: dict[Sym, float] = {}
        for s in psi.free:
            value = self._z[s.name] if s.name in self._z else self._scalars[s.name]
            if isinstance(value, Const):
                point[s] = float(value.value)
                known = self._numbers.scalars.get(scalar(s.name))
                errors[s] = known.error if known is not None else self._off.get(s, 0.0)
        # Arguments that are not numbers cancelled or were multiplied by 0, and only algebraic steps are left.
        whole = len(point) == len(psi.free)
        error = rounding_error(psi, point, errors) if whole else math.inf
        return error if math.isfinite(error) else of_constant(folded)


def _apart(x: float, q: Fraction) -> float:
    """The distance of a rational number from a float or its shortest decimal, if larger; 0 if that decimal is exact."""
    shown = Fraction(repr(x))
    if shown == q:
        return 0.0
    # The next larger float, because the distance was rounded to the nearest.
    return math.nextafter(max(abs(float(shown - q)), abs(float(Fraction(x) - q))), math.inf)


def _nearest(q: Fraction) -> float:
    try:
        return float(q)
    except OverflowError:
        return math.inf

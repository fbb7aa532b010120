"""Arrays of numbers with error bounds, and arithmetic that propagates the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray
_EPS = 2.0**-52


@dataclass(frozen=True)
class Bounded:
    """|value − true value| ≤ error, entry by entry; both arrays are broadcast together."""

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: Array | float) -> Bounded:
        value = np.asarray(value, float)
        return cls(value, np.zeros(np.shape(value)))

    @cached_property
    def size(self) -> Array:
        """|value|; not to be written to."""
        return np.abs(self.value)

    def __add__(self, other: Bounded) -> Bounded:
        value = self.value + other.value
        return Bounded(value, self.error + other.error + _EPS * abs(value))

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error)

    def __sub__(self, other: Bounded) -> Bounded:
        return self + -other

    def __mul__(self, other: Bounded) -> Bounded:
        value = self.value * other.value
        error = abs(self.value) * other.error + abs(other.value) * self.error + self.error * other.error
        return Bounded(value, error + _EPS * abs(value))

    def times(self, number: float) -> Bounded:
        """The product with a float, which may be rounded."""
        if number == 1.0:
            return self
        value = number * self.value
        return Bounded(value, abs(number) * self.error + 2 * _EPS * abs(value))

    def root(self) -> Bounded:
        """The square root of a quantity that is known to be nonnegative."""
        value = np.sqrt(np.maximum(self.value, 0.0))
        most = np.sqrt(np.maximum(self.value + self.error, 0.0))
        least = np.sqrt(np.maximum(self.value - self.error, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            # A difference of square roots, written as a quotient to avoid cancellation.
            error = np.where(self.error > 0, self.error / (value + np.where(least > 0, least, 0.0)), 0.0)
        error = np.where(least > 0, error, np.maximum(value, most))
        return Bounded(value, np.where(self.error > 0, error, 0.0) + _EPS * value)

    def over(self, other: Bounded) -> Bounded:
        """The quotient, for a divisor that is known to be positive and larger than its error."""
        value = self.value / other.value
        error = (self.error + abs(value) * other.error) / (other.value - other.error)
        return Bounded(value, error + _EPS * abs(value))

    def at(self, rows: Array) -> Bounded:
        return Bounded(self.value[rows], self.error[rows])

    def put(self, rows: Array, part: Bounded) -> None:
        """Replace the entries of some rows."""
        self.value[rows], self.error[rows] = part.value, part.error

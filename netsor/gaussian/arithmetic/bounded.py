"""Arrays of numbers, each with a bound on its error, and the arithmetic that carries the bounds along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
_EPS = 2.0**-52


@dataclass(frozen=True)
class Bounded:
    """|value − what is meant| ≤ error, entry by entry; both are broadcast together."""

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: Array | float) -> Bounded:
        value = np.asarray(value, float)
        return cls(value, np.zeros(np.shape(value)))

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
        """The product with a float that is next to the number meant."""
        if number == 1.0:
            return self
        value = number * self.value
        return Bounded(value, abs(number) * self.error + 2 * _EPS * abs(value))

    def root(self) -> Bounded:
        """The square root of what is known not to be negative."""
        value = np.sqrt(np.maximum(self.value, 0.0))
        most = np.sqrt(np.maximum(self.value + self.error, 0.0))
        least = np.sqrt(np.maximum(self.value - self.error, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            # The difference of roots, taken so that it does not cancel.
            error = np.where(self.error > 0, self.error / (value + np.where(least > 0, least, 0.0)), 0.0)
        error = np.where(least > 0, error, np.maximum(value, most))
        return Bounded(value, np.where(self.error > 0, error, 0.0) + _EPS * value)

    def over(self, other: Bounded) -> Bounded:
        """The quotient, where the divisor is known to be positive and larger than its error."""
        value = self.value / other.value
        error = (self.error + abs(value) * other.error) / (other.value - other.error)
        return Bounded(value, error + _EPS * abs(value))

    def at(self, rows: Array) -> Bounded:
        return Bounded(self.value[rows], self.error[rows])

    def put(self, rows: Array, part: Bounded) -> None:
        """Replaces the entries of some rows."""
        self.value[rows], self.error[rows] = part.value, part.error

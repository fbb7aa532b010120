"""Sums of products of steps, and the records of the expectations in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.limit.many.frames import Step

Array = np.ndarray


class Term(NamedTuple):
    """number · Π steps."""

    number: float
    factors: tuple[Step, ...]


@dataclass
class Taken:
    """A record of one expectation for many inputs or pairs: the integrand, its domain ("input", "pair of inputs" or
    "all"), the number of values that each method gave, and the largest error. `spelled` gives the integrand's text.
    """

    spelled: Callable[[], str] = field(repr=False)
    over: str
    ways: dict[str, int] = field(default_factory=dict)
    error: float = 0.0

    @cached_property
    def integrand(self) -> str:
        return self.spelled()

    def joined(self, other: Taken) -> Taken:
        """The record of both, for other inputs."""
        ways = {name: self.ways.get(name, 0) + other.ways.get(name, 0) for name in (*self.ways, *other.ways)}
        return Taken(self.spelled, self.over, ways, max(self.error, other.error))

    def as_dict(self) -> dict[str, object]:
        return {"integrand": self.integrand, "over": self.over, "ways": dict(self.ways), "error": self.error}

    def __reduce__(self) -> tuple[object, ...]:
        # What spells the text refers to the whole evaluator.
        return Taken, (partial(str, self.integrand), self.over, self.ways, self.error)


def summed(terms: Sequence[tuple[float, Sequence[Bounded]]], rounding: float) -> Bounded:
    """Σ number · Π factors, with the errors of the factors and `rounding` times the sizes of the terms.

    Arrays are reused where their shapes allow it, since most of the time goes into reading and writing them.
    """
    (value, error), *others = (_product(number, factors) for number, factors in terms)
    size = np.abs(value)
    number, factors = terms[0]
    if number == 1.0 and len(factors) == 1:
        # These are the arrays of the factor.
        value, error = value.copy(), error.copy()
    for v, r in others:
        value, error, size = _plus(value, v), _plus(error, r), _plus(size, np.abs(v))
    return Bounded(value, _plus(error, _times(size, rounding)))


def _product(number: float, factors: Sequence[Bounded]) -> tuple[Array, Array]:
    """number · Π factors and its error, in arrays of its own unless it is a single factor."""
    if not factors:
        return np.full((1, 1), number), np.zeros((1, 1))
    first, *others = factors
    v, r = (first.value, first.error) if number == 1.0 else (number * first.value, abs(number) * first.error)
    for q in others:
        # |v| ε_q + (|q| + ε_q) ε_v.
        r = _plus(_times(q.size + q.error, r), np.abs(v) * q.error)
        v = v * q.value
    return v, r


def _plus(a: Array, b: Array) -> Array:
    """a + b, in the place of a where its shape is that of the sum."""
    if not _covers(a, b):
        return a + b
    a += b
    return a


def _times(a: Array, b: Array | float) -> Array:
    """a b, in the place of a where its shape is that of the product."""
    if isinstance(b, np.ndarray) and not _covers(a, b):
        return a * b
    a *= b
    return a


def _covers(a: Array, b: Array) -> bool:
    """Whether b broadcasts to the shape of a."""
    return a.shape == b.shape or all(j in (1, i) for i, j in zip(a.shape, b.shape, strict=True))

"""Many laws of the same variables: covariances and scalars as arrays that broadcast to one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from netsor.expr import Sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Clock

Array = np.ndarray
T = TypeVar("T")
# The least variance for which products of four variances are in the range of floats.
_LEAST = 1e-70


@dataclass(frozen=True)
class Laws:
    """Covariances by pairs of symbols, scalars, and the tolerance and the time of all rules.

    Arrays have shape (rows, columns) or broadcast to it. `shared` keeps quantities that several expectations under the
    same laws need, such as the angle between two variables. The time is that of so many expectations, `waiting` for it;
    with `leaves_late` a law for which it does not suffice has an infinite error.
    """

    shape: tuple[int, ...]
    covariances: Mapping[tuple[Sym, Sym], Bounded]
    scalars: Mapping[Sym, Bounded]
    tol: float = 1e-12
    clock: Clock = field(default_factory=lambda: Clock(None))
    shared: dict[Any, Any] = field(default_factory=dict)
    waiting: int = 1
    leaves_late: bool = False

    def cov(self, a: Sym, b: Sym) -> Bounded:
        found = self.covariances.get((a, b))
        return self.covariances[b, a] if found is None else found

    def var(self, a: Sym) -> Bounded:
        return self.covariances[a, a]

    def once(self, key: object, compute: Callable[[], T]) -> T:
        found = self.shared.get(key)
        if found is None:
            found = self.shared[key] = compute()
        return found

    @property
    def enough(self) -> float:
        """The relative error of a rule at which no other is tried; small, since many expectations make one limit."""
        return max(0.01 * self.tol, 1e-13)

    def moderate(self, *symbols: Sym) -> Array:
        """Where variances are certainly positive, and products of four of them are in the range of floats."""
        good = np.ones((1, 1), bool)
        for s in symbols:
            v = self.var(s)
            good = good & (v.value > np.maximum(2 * v.error, _LEAST)) & (v.value < 1 / _LEAST)
        return good

    def at(self, where: Array) -> Laws:
        """The laws of some entries (k, 1) of the whole shape."""

        def picked(q: Bounded) -> Bounded:
            value, error = (np.broadcast_to(x, self.shape)[where][:, None] for x in (q.value, q.error))
            return Bounded(value, error)

        count = int(np.count_nonzero(where))
        covariances = {k: picked(q) for k, q in self.covariances.items()}
        scalars = {s: picked(q) for s, q in self.scalars.items()}
        return Laws((count, 1), covariances, scalars, self.tol, self.clock, {}, self.waiting, self.leaves_late)


class Rule(Protocol):
    """A method for one expectation under many laws."""

    def __call__(self, laws: Laws) -> Bounded:
        """E block for every law; the error is infinite where the rule does not apply."""
        ...

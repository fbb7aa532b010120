"""Affine arithmetic for errors: each computed number has an error of its own, and inherits those of its arguments.

An affine form Σ w_k ε_k with |ε_k| ≤ 1 keeps the sign with which each error acts (Stolfi & de Figueiredo 1997, ch. 3),
so that errors cancel where they do, and are reduced where they are damped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from netsor.gaussian import Estimate

Array = np.ndarray


class Form(NamedTuple):
    """Σ weight[k] · ε_{terms[k]}, with |ε| ≤ 1."""

    terms: Array
    weight: Array

    @property
    def size(self) -> float:
        """The largest absolute value of the form."""
        return float(np.abs(self.weight).sum())


NONE = Form(np.zeros(0, np.int64), np.zeros(0))


class Origin(NamedTuple):
    """Where an error comes from: the purpose of the computation, and its method."""

    purpose: str
    method: str


class Known(NamedTuple):
    """A number, a bound on its error, and the affine form of that error."""

    value: float
    error: float
    form: Form = NONE

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.value, self.error)


class Noises:
    """The numbered errors of one limit, each with its origin."""

    def __init__(self) -> None:
        self._origins: list[Origin] = []

    def fresh(self, size: float, origin: Origin) -> Form:
        """A new error of this size, independent of all others."""
        if size == 0:
            return NONE
        self._origins.append(origin)
        return Form(np.array([len(self._origins) - 1]), np.array([size]))

    def combined(self, parts: Iterable[tuple[float, Form]]) -> Form:
        """Σ factor · form."""
        known = [(c, f) for c, f in parts if c and len(f.terms)]
        if not known:
            return NONE
        if len(known) == 1:
            return Form(known[0][1].terms, known[0][0] * known[0][1].weight)
        weights = np.bincount(
            np.concatenate([f.terms for _, f in known]), np.concatenate([c * f.weight for c, f in known])
        )
        index = np.flatnonzero(weights)
        return Form(index, weights[index])

    def methods(self, form: Form) -> list[str]:
        """The methods of all numbers whose errors enter a form, each once."""
        return list(dict.fromkeys(self._origins[int(i)].method for i in form.terms))

    def largest(self, form: Form) -> tuple[Origin, float] | None:
        """The origin whose errors contribute most to a form, and their sum; None for a form without errors."""
        sizes: dict[Origin, float] = {}
        for i, w in zip(form.terms, np.abs(form.weight), strict=True):
            origin = self._origins[int(i)]
            sizes[origin] = sizes.get(origin, 0.0) + float(w)
        return max(sizes.items(), key=lambda item: item[1], default=None)

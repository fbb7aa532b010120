"""Errors with their signs: every number made on the way has an error of its own, and passes on those it was made of.

An affine form Σ w_k ε_k with |ε_k| ≤ 1 says how each of them acts (Stolfi & de Figueiredo 1997, ch. 3): errors that
cancel do cancel, and one that is damped on its way is felt damped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from netsor.gaussian import Estimate

Array = np.ndarray


class Form(NamedTuple):
    """Σ weight[k] · (error number terms[k], which is at most 1)."""

    terms: Array
    weight: Array

    @property
    def size(self) -> float:
        """How large it is at most."""
        return float(np.abs(self.weight).sum())


NONE = Form(np.zeros(0, np.int64), np.zeros(0))


class Origin(NamedTuple):
    """Where an error was made: what was computed, and how."""

    purpose: str
    method: str


class Known(NamedTuple):
    """A number, a bound on its error, and how this error is made up."""

    value: float
    error: float
    form: Form = NONE

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.value, self.error)


class Noises:
    """The errors of one limit, numbered, each with what it came from."""

    def __init__(self) -> None:
        self._origins: list[Origin] = []

    def fresh(self, size: float, origin: Origin) -> Form:
        """An error that no other number has."""
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

    def largest(self, form: Form) -> tuple[Origin, float] | None:
        """Where the errors that act most in a form were made, and how much they act; None for a form without errors."""
        sizes: dict[Origin, float] = {}
        for i, w in zip(form.terms, np.abs(form.weight), strict=True):
            origin = self._origins[int(i)]
            sizes[origin] = sizes.get(origin, 0.0) + float(w)
        return max(sizes.items(), key=lambda item: item[1], default=None)

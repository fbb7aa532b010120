"""A law given by a matrix of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netsor.expr import Expr, Sym
from netsor.gaussian.law import Estimate


class FixedLaw:
    """Centred Gaussian symbols with a known covariance matrix, and scalars with known values.

    `errors` bounds the errors of the matrix entrywise; scalars are numbers or `Estimate`s.
    """

    def __init__(
        self,
        symbols: Sequence[Sym],
        covariance: Any,
        errors: Any = None,
        scalars: Mapping[Sym, float | Estimate] | None = None,
    ):
        self.position = {s: i for i, s in enumerate(symbols)}
        self._covariance = [[float(x) for x in row] for row in covariance]
        self._errors = None if errors is None else [[float(x) for x in row] for row in errors]
        self._scalars = dict(scalars or {})

    def is_gaussian(self, s: Sym) -> bool:
        return s in self.position

    def independent(self, a: Sym, b: Sym) -> bool:
        i, j = self.position[a], self.position[b]
        return self._covariance[i][j] == 0 and (self._errors is None or self._errors[i][j] == 0)

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        i, j = self.position[a], self.position[b]
        return Estimate(self._covariance[i][j], 0.0 if self._errors is None else self._errors[i][j])

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        return {}

    def scalar(self, s: Sym) -> Estimate:
        value = self._scalars[s]
        return value if isinstance(value, Estimate) else Estimate(float(value))

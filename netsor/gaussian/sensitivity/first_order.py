"""Numbers with first-order sensitivities: the effect of the error of each answer of the law, with its sign.

Keeping the signs lets errors cancel: f − ηK(f − y) multiplies an error of f by 1 − ηK, whereas adding absolute values
would give 1 + ηK (affine arithmetic; Stolfi & de Figueiredo 1997).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netsor.gaussian.law import Input


@dataclass(frozen=True)
class FirstOrder:
    """A value with |value − truth − Σ slope · (error of the input)| ≤ own, and |value − truth| ≤ error in all.

    Slopes are stored by input of the law; `own` includes rounding and terms of second order.
    """

    value: float
    own: float = 0.0
    error: float = 0.0
    slopes: Mapping[Input, float] = field(default_factory=dict)

    def times(self, other: FirstOrder) -> FirstOrder:
        """The product; the product of the two errors goes to `own`."""
        a, b = abs(self.value), abs(other.value)
        both = self.error * other.error
        return FirstOrder(
            self.value * other.value,
            b * self.own + a * other.own + both,
            b * self.error + a * other.error + both,
            combined([(other.value, self.slopes), (self.value, other.slopes)]),
        )


def combined(parts: Iterable[tuple[float, Mapping[Input, float]]]) -> dict[Input, float]:
    """Σ factor · slopes."""
    out: dict[Input, float] = {}
    for factor, slopes in parts:
        if factor:
            for key, slope in slopes.items():
                out[key] = out.get(key, 0.0) + factor * slope
    return out

"""Numbers to first order in what a law was asked: what an error of each answer does, with its sign.

An error made on the way is felt through its true sensitivity only if signs are kept: f − ηK(f − y) multiplies an error
of f by 1 − ηK, and by 1 + ηK where moduli are added (affine arithmetic; Stolfi & de Figueiredo 1997).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netsor.gaussian.law import Input


@dataclass(frozen=True)
class FirstOrder:
    """A value with |value − truth − Σ slope · (error of the input)| ≤ own, and |value − truth| ≤ error in all.

    Slopes are by input of the law; `own` is what was lost here, second orders included.
    """

    value: float
    own: float = 0.0
    error: float = 0.0
    slopes: Mapping[Input, float] = field(default_factory=dict)

    def times(self, other: FirstOrder) -> FirstOrder:
        """The product; that of two errors is `own`."""
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

"""The laws of parameters, and numbers as functions c n^p of the width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# A number that is a power of the width is a multiple of n^(1/4) in every parametrization in use.
_STEPS = 4


@dataclass(frozen=True)
class Power:
    """The number c n^p."""

    c: float
    p: Fraction = Fraction(0)

    def times(self, other: Power) -> Power:
        return Power(self.c * other.c, self.p + other.p)


def fit(values: Sequence[float], widths: Sequence[int]) -> Power | None:
    """c n^p through the values at these widths; None where there is no such p (a multiple of 1/4)."""
    first, last = values[0], values[-1]
    if all(v == first for v in values) or all(math.isclose(v, first, rel_tol=1e-12) for v in values):
        return Power(neat(first))
    if first == 0 or last == 0 or first * last < 0 or not (math.isfinite(first) and math.isfinite(last)):
        return None
    raw = math.log(last / first) / math.log(widths[-1] / widths[0]) * _STEPS
    p = Fraction(round(raw), _STEPS)
    c = first / widths[0] ** float(p)
    agree = all(math.isclose(v, c * w ** float(p), rel_tol=1e-9) for v, w in zip(values, widths, strict=True))
    return Power(neat(c), p) if agree and p != 0 else None


def neat(c: float) -> float:
    """c, or the number with few digits that it is up to rounding: 1/√n times √n leaves 0.9999999999999999."""
    if not math.isfinite(c):
        return c
    for near in (round(c, 12), float(Fraction(c).limit_denominator(5000))):
        if near and math.isclose(near, c, rel_tol=1e-14):
            return near
    square = Fraction(c * c).limit_denominator(5000)
    root = math.copysign(math.sqrt(square), c)
    return root if math.isclose(root, c, rel_tol=1e-14) else c


@dataclass(frozen=True)
class Law:
    """N(mean, scale²), U(mean − scale, mean + scale), or the constant `mean`, at one width.

    `kind` is "normal", "uniform", "constant" or "unknown", where `why` names the operation that was not understood.
    `draw` tells draws apart: parameters with one draw start equal.
    """

    kind: str
    mean: float = 0.0
    scale: float = 0.0
    draw: int = 0
    why: str = ""

    def affine(self, factor: float, shift: float) -> Law:
        if self.kind == "unknown":
            return self
        return Law(self.kind, self.mean * factor + shift, self.scale * factor, self.draw, self.why)


@dataclass(frozen=True)
class LawInWidth:
    """A law as a function of the width: mean and scale are c n^p."""

    kind: str
    mean: Power
    scale: Power

    @property
    def power(self) -> Fraction:
        """p where the law is that of n^p times a fixed law."""
        return self.mean.p if self.kind == "constant" or self.scale.c == 0 else self.scale.p

    @property
    def variance(self) -> float:
        """The variance of the fixed law."""
        factor = 3.0 if self.kind == "uniform" else 1.0
        return 0.0 if self.kind == "constant" else neat(self.scale.c**2 / factor)


def in_width(laws: Sequence[Law], widths: Sequence[int]) -> LawInWidth | None:
    """The law through those at several widths; None where it is not a power of the width."""
    kind = laws[0].kind
    if any(law.kind != kind for law in laws):
        return None
    mean, scale = (fit([getattr(law, part) for law in laws], widths) for part in ("mean", "scale"))
    if mean is None or scale is None:
        return None
    if kind != "constant" and mean.c != 0 and mean.p != scale.p:
        return None
    return LawInWidth(kind, mean, Power(abs(scale.c), scale.p))

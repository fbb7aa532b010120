"""Numbers as text, with no more digits than their errors leave right."""

from __future__ import annotations

import math


def error_text(error: float) -> str:
    """A bound, rounded up to two digits."""
    if error == 0:
        return "0"
    if math.isinf(error):
        return "∞"
    exponent = math.floor(math.log10(error)) - 1
    if exponent < -300:
        # The powers of ten that this takes are not floats; neither are the digits beyond the first.
        return f"{error:.1e}"
    return f"{math.ceil(error / 10.0**exponent) * 10.0**exponent:.1e}"


def value_text(value: float, error: float | None) -> str:
    """A number with the digits that its error leaves right, at most 15; a dash for a number that is not known."""
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return ">1.8e308" if value > 0 else "<-1.8e308"
    if error is None or error == 0:
        return f"{value:.15g}"
    if error >= abs(value):
        return f"{value:.1e}" if value else "0"
    digits = min(15, max(1, math.floor(math.log10(abs(value))) - math.floor(math.log10(error))))
    # Zeros at the end are digits too, where the error says that they are known.
    return f"{value:#.{digits}g}".replace(".e", "e").rstrip(".") if digits < 15 else f"{value:.15g}"

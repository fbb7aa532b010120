"""Means over draws and their standard errors, also of numbers whose squares are beyond the floats."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def mean(values: Array) -> Array:
    """The mean over the first axis."""
    unit = _unit(values)
    with np.errstate(invalid="ignore"):  # of infinities of both signs there is no mean
        return np.asarray(unit * np.mean(values / unit, axis=0))


def standard_error(values: Array) -> Array:
    """The standard error of the mean over the first axis, sd/√K; of at least two draws."""
    unit = _unit(values)
    return np.asarray(unit * (np.std(values / unit, axis=0, ddof=1) / np.sqrt(len(values))))


def deviation(values: Array) -> Array:
    """The standard deviation over the first axis."""
    unit = _unit(values)
    return np.asarray(unit * np.std(values / unit, axis=0))


def _unit(values: Array) -> float:
    """A power of two near the largest number, by which everything is divided exactly."""
    largest = float(np.max(np.abs(values), initial=0.0))
    if 1e-100 < largest < 1e100 or largest == 0 or not np.isfinite(largest):
        return 1.0
    return float(np.ldexp(1.0, np.frexp(largest)[1] - 1))

"""The functions of the language on arrays of any module that follows the Python array API standard (torch, CuPy, …)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np


def _special(xp: Any) -> Callable[[str], Callable[[Any], Any]]:
    """Maps a name such as erf to the function of the module, or else to that of scipy, by way of the host."""
    name = xp.__name__
    module = None
    if "torch" in name:
        module = import_module("torch").special
    elif "cupy" in name:
        module = import_module("cupyx.scipy.special")
    if module is not None:
        return lambda fn: getattr(module, fn)

    def through_host(fn: str) -> Callable[[Any], Any]:
        def f(x: Any) -> Any:
            import scipy.special

            return xp.asarray(getattr(scipy.special, fn)(np.asarray(x)))

        return f

    return through_host


def _like(xp: Any) -> Callable[[Any, Any], Any]:
    """Makes a number an array with the dtype and device of another array; leaves an array as it is."""

    def like(value: Any, other: Any) -> Any:
        if not isinstance(value, (int, float)):
            return value
        return xp.asarray(value, dtype=other.dtype, device=other.device)

    return like


@lru_cache(maxsize=16)
def library(xp: Any) -> SimpleNamespace:
    """The functions of `netsor.expr.arrays.NUMPY`, by the same names, for the module `xp`."""
    special, like = _special(xp), _like(xp)

    def of_two(f: Callable[[Any, Any], Any], of_numbers: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def made(a: Any, b: Any) -> Any:
            guide = next((v for v in (a, b) if not isinstance(v, (int, float))), None)
            return of_numbers(a, b) if guide is None else f(like(a, guide), like(b, guide))

        return made

    def where(test: Any, a: Any, b: Any) -> Any:
        guide = next((v for v in (a, b) if not isinstance(v, (int, float))), None)
        return xp.where(test, like(a, guide), like(b, guide))

    def step(x: Any) -> Any:
        lost = xp.isnan(x)
        return where(x > 0, where(lost, x, xp.ones_like(x)), where(lost, x, xp.zeros_like(x)))

    maximum, minimum = of_two(xp.maximum, max), of_two(xp.minimum, min)
    return SimpleNamespace(
        abs=xp.abs, sign=xp.sign, exp=xp.exp, expm1=xp.expm1, log=xp.log, sqrt=xp.sqrt, sin=xp.sin, cos=xp.cos,
        tan=xp.tan, atan=xp.atan, tanh=xp.tanh, where=where, maximum=maximum, minimum=minimum,
        clip=lambda x, lo, hi: minimum(maximum(x, lo), hi), logaddexp=xp.logaddexp,
        erf=special("erf"), ndtr=special("ndtr"), expit=special("expit"), log_ndtr=special("log_ndtr"),
        step=step, softplus=lambda x: xp.logaddexp(x, xp.zeros_like(x)),
    )  # fmt: skip


@lru_cache(maxsize=16)
def scope(xp: Any) -> dict[str, Any]:
    """The names that generated code uses (see `netsor.expr.arrays`), for the module `xp`.

    Arguments are numbers, or arrays of one dtype and device; at least one argument of each call is an array.
    """
    like = _like(xp)

    def where(test: Any, a: Any, b: Any, guide: Any) -> Any:
        return xp.where(test, like(a, guide), like(b, guide))

    def power(base: Any, exponent: Any) -> Any:
        if isinstance(exponent, (int, float)):
            if exponent == 0.5:
                return xp.sqrt(base)
            if exponent == -0.5:
                return 1.0 / xp.sqrt(base)
            if exponent == -1:
                return 1.0 / base
            return base**exponent
        return like(base, exponent) ** exponent

    return {
        "_where": where, "_power": power, "_dtype": lambda a: a, "_float64": None,
        "_and": xp.logical_and, "_or": xp.logical_or, "_not": xp.logical_not,
    }  # fmt: skip

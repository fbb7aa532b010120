"""The functions of the language over any module that follows the Python array API standard (torch, CuPy, …)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from netsor.expr.values import SELU_ALPHA, SELU_SCALE


def _special(xp: Any) -> Callable[[str], Callable[[Any], Any]]:
    """erf, ndtr and expit of the module itself, else of scipy by way of the host's memory."""
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


@lru_cache(maxsize=16)
def scope(xp: Any) -> dict[str, Any]:
    """The names that generated code uses (see `netsor.expr.arrays`), over the module `xp`.

    Arguments are arrays of one dtype and device, or numbers; in each call at least one is an array.
    """
    special = _special(xp)

    def like(value: Any, other: Any) -> Any:
        if not isinstance(value, (int, float)):
            return value
        return xp.asarray(value, dtype=other.dtype, device=other.device)

    def pick(test: Any, a: Any, b: Any) -> Any:
        guide = next((v for v in (a, b) if not isinstance(v, (int, float))), None)
        return xp.where(test, like(a, guide), like(b, guide))

    def where(test: Any, a: Any, b: Any, guide: Any) -> Any:
        return xp.where(test, like(a, guide), like(b, guide))

    def fold(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def folded(*xs: Any) -> Any:
            guide = next(v for v in xs if not isinstance(v, (int, float)))
            out = like(xs[0], guide)
            for x in xs[1:]:
                out = f(out, like(x, guide))
            return out

        return folded

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

    def below(x: Any) -> Any:
        return xp.minimum(x, like(0.0, x))

    maximum, minimum = fold(xp.maximum), fold(xp.minimum)
    functions = {
        "abs": xp.abs,
        "sign": xp.sign,
        "step": lambda x: pick(x > 0, pick(xp.isnan(x), x, xp.ones_like(x)), pick(xp.isnan(x), x, xp.zeros_like(x))),
        "relu": lambda x: maximum(x, 0.0),
        "leaky_relu": lambda x, slope=0.01: xp.where(x > 0, x, slope * x),
        "elu": lambda x: xp.where(x > 0, x, xp.expm1(below(x))),
        "selu": lambda x: SELU_SCALE * xp.where(x > 0, x, SELU_ALPHA * xp.expm1(below(x))),
        "gelu": lambda x: x * special("ndtr")(x),
        "silu": lambda x: x * special("expit")(x),
        "softplus": lambda x: xp.logaddexp(x, xp.zeros_like(x)),
        "sigmoid": lambda x: special("expit")(x),
        "tanh": xp.tanh,
        "hardtanh": lambda x: minimum(maximum(x, -1.0), 1.0),
        "clip": lambda x, lo, hi: minimum(maximum(x, lo), hi),
        "erf": lambda x: special("erf")(x),
        "Phi": lambda x: special("ndtr")(x),
        "exp": xp.exp,
        "log": xp.log,
        "sin": xp.sin,
        "cos": xp.cos,
        "tan": xp.tan,
        "atan": xp.atan,
        "max": maximum,
        "min": minimum,
    }
    return {
        "F": functions, "_where": where, "_power": power, "_dtype": lambda a: a, "_float64": None,
        "_and": xp.logical_and, "_or": xp.logical_or, "_not": xp.logical_not,
    }  # fmt: skip

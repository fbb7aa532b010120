"""Random compositions of functions of one variable, with the places where they turn."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
from scipy import special

from netsor.expr import ONE, Expr, Sym, call

Array = np.ndarray
Function = Callable[[Array], Array]
SATURATING: dict[str, Function] = {
    "tanh": np.tanh,
    "erf": special.erf,
    "sigmoid": special.expit,
    "Phi": special.ndtr,
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "atan": np.arctan,
}


def _argument(x: Sym, r: random.Random) -> tuple[Expr, Function, list[float]]:
    """An argument with zeros and extrema that are known."""
    k = 10 ** r.uniform(-1, 3)
    a = r.choice([0.0, round(r.gauss(0, 2), 2)])
    b = r.choice([0.0, 0.0, 1.0, -1.0, round(r.gauss(0, 3), 2)])
    c = a + r.uniform(0.1, 3)
    depth = -b / k
    root = [s * math.sqrt(depth) for s in (1, -1)] if depth > 0 else []
    u = x - a
    kind = r.randrange(8)
    if kind == 0:
        return k * u**2 + b, lambda t: k * (t - a) ** 2 + b, [a, *(a + s for s in root)]
    if kind == 1:
        return k * u**4 + b, lambda t: k * (t - a) ** 4 + b, [a, *(a + math.copysign(abs(s) ** 0.5, s) for s in root)]
    if kind == 2:
        return k * u**3 + b, lambda t: k * (t - a) ** 3 + b, [a, a + float(np.cbrt(depth))]
    if kind == 3:
        return k * u * (x - c), lambda t: k * (t - a) * (t - c), [a, c, (a + c) / 2]
    if kind == 4:
        places = [a, *(a + s * depth for s in (1, -1) if depth > 0)]
        return k * call("abs", u) + b, lambda t: k * np.abs(t - a) + b, places
    if kind == 5:
        # Zeros lie between those of the two limits, k u² and k |u|.
        places = [a, *(a + s for s in root), *(a + s * depth for s in (1, -1) if depth > 0)]
        return k * u * call("tanh", u) + b, lambda t: k * (t - a) * np.tanh(t - a) + b, places
    if kind == 6:
        places = [a, *(a + math.atanh(s) for s in root if abs(s) < 1)]
        return k * call("tanh", u) ** 2 + b, lambda t: k * np.tanh(t - a) ** 2 + b, places
    zeros = [(a + c) / 2 + s * math.sqrt(max((a - c) ** 2 / 4 + q, 0.0)) for s in (1, -1) for q in root]
    return k * (u * (x - c)) ** 2 + b, lambda t: k * ((t - a) * (t - c)) ** 2 + b, [a, c, *zeros]


def composition(x: Sym, seed: int) -> tuple[Expr, Function, list[float], float, float]:
    """(expression, the same as a function of arrays, where it turns, mean and deviation of its variable)."""
    r = random.Random(seed)
    e, g, places = _argument(x, r)
    for _ in range(r.randrange(1, 4)):
        e, g = _outside(e, g, r)
        if r.random() < 0.3:
            e, g = _scaled(e, g, 10 ** r.uniform(-1, 1.5))
    if r.random() < 0.2:
        e, g = e * x, (lambda t, g=g: g(t) * t)
    deviation = 10 ** r.uniform(-2, 4)
    mean = r.choice([0.0, r.uniform(-3, 3), r.uniform(-100, 100) if r.random() < 0.2 else 1.0]) * deviation
    return e, g, places, mean, deviation


def _scaled(e: Expr, g: Function, by: float) -> tuple[Expr, Function]:
    return by * e, lambda t: by * g(t)


def _outside(e: Expr, g: Function, r: random.Random) -> tuple[Expr, Function]:
    kind = r.randrange(12)
    names = list(SATURATING)
    if kind < len(names):
        f = SATURATING[names[kind]]
        return call(names[kind], e), lambda t: f(g(t))
    if kind == 8:
        return call("exp", -(e**2)), lambda t: np.exp(-(g(t) ** 2))
    if kind == 9:
        return ONE / (1 + e**2), lambda t: 1 / (1 + g(t) ** 2)
    if kind == 10:
        return call("log", 1 + e**2), lambda t: np.log1p(g(t) ** 2)
    by = 10 ** r.uniform(0, 2)
    return call("tanh", by * e), lambda t: np.tanh(by * g(t))

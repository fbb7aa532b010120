"""How steeply a smooth function of one variable turns on the scale of a standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from netsor.expr import Add, Call, Const, Expr, Mul, Pow, Sym, canonical, diff, is_singular, mul, postorder, power
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute, is_log
from netsor.gaussian.symbolic.structure import breaks_of
from netsor.gaussian.vectorized.scales import scales_of

Array = np.ndarray
# How many standard deviations of the variable are looked at.
_REACH = 13.0
# The step at which the arguments of functions are examined.
_LOOK = 0.1


def steepness(f: Expr, u: Sym, scalars: Sequence[Sym], at: Sequence[Array]) -> Array:
    """How many times per standard deviation a smooth f varies, for variances and scalars `at`; infinite if unknown."""
    sigma = np.sqrt(np.maximum(at[0], 0.0))
    if u not in f.free:
        return np.zeros(len(sigma))
    scales = None if scalars else scales_of(f, u)
    if scales is not None and not scales.edges:
        return sigma * max(scales.rate, *(slope for _, slope in scales.turns), 0.0)
    rates = _rates(f, u)
    if rates is None:
        return np.full(len(sigma), math.inf)
    run = lambdify(rates, (u, *scalars))
    z = _LOOK * np.arange(-math.ceil(_REACH / _LOOK), math.ceil(_REACH / _LOOK) + 1)
    steepest = np.zeros(len(sigma))
    with np.errstate(all="ignore"):
        for rate in run(sigma[:, None] * z, *(p[:, None] for p in at[1:])):
            steepest = np.fmax(steepest, np.max(rate + np.zeros((len(sigma), len(z))), axis=1))
    return np.where(np.isfinite(steepest), steepest * sigma, math.inf)


@lru_cache(maxsize=1024)
def _rates(f: Expr, u: Sym) -> tuple[Expr, ...] | None:
    """The rates of the arguments of the functions in a composition, each of which can be examined at points.

    A function that varies when its argument changes by one has no narrow feature where the argument changes slowly, and
    by the same reasoning the argument has none. None for functions that vary on other scales.
    """
    out: list[Expr] = []
    for node in postorder(f):
        if u not in node.free or isinstance(node, (Add, Mul, Sym)):
            continue
        if isinstance(node, Call) and len(node.children) == 1:
            inner = node.children[0]
            rate = canonical(diff(inner, u))
            out.append(absolute(mul(rate, power(inner, Const(-1))) if is_log(node) else rate))
        elif isinstance(node, Pow) and isinstance(node.exponent, Const):
            if isinstance(node.exponent.value, int) and node.exponent.value > 0:
                continue
            out.append(absolute(mul(canonical(diff(node.base, u)), power(node.base, Const(-1)))))
        else:
            return None
    return tuple(out)


def is_smooth(e: Expr, symbols: Sequence[Sym]) -> bool:
    """Whether an integrand has no kinks, jumps or singularities in these variables."""
    return not is_singular(e) and all(b.kind == "soft" for b in breaks_of(e, frozenset(symbols) & e.free))

"""What the rounding of an integrand's values leaves in its expectation: terms that cancel leave theirs.

1 + tanh(x − 8), log(1 + x²) of a small x and e^x − 1 smoothed in closed form are known relative to the terms that they
are made of, not to themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from netsor.expr import ONE, Expr, Sym, call, mul
from netsor.expr.arrays import lambdify
from netsor.expr.functions import is_singular
from netsor.expr.rounding import EPS, adds_up, running_error
from netsor.gaussian.integrand import Integrand
from netsor.gaussian.smooth import Smoothing

Array = np.ndarray
_DRAWS = 256


def rounding(f: Integrand) -> float:
    """E |computed − exact| of the values of F, by a running error analysis at some places."""
    if f.radial:
        return 0.0
    run = _compiled(f.factors, f.forms, f.scalars)
    smoothings = [c for c in f.closed if isinstance(c.g, Smoothing)]
    if run is None and not smoothings:
        return 0.0
    x, weights = _places(f.rank)
    with np.errstate(all="ignore"):
        forms = f.root @ x + f.shift[:, None] if len(f.forms) else np.zeros((0, x.shape[1]))
        own, size = (run or _sizes(f.factors, f.forms, f.scalars))(*forms, *f.values)
        error, size = own + np.zeros(x.shape[1]), size + np.zeros(x.shape[1])
        for c in f.closed:
            at = c.a @ x + c.b
            value = np.abs(c.g(at, c.s))
            error = error * value
            if isinstance(c.g, Smoothing):
                error = error + size * c.g.size(at, c.s)
            size = size * value
        for h in f.given:
            error = error * np.abs(h.value(f, x))
        if f.powers:
            error = error * np.abs(f.polynomial(x))
        return EPS * float((np.nan_to_num(error, posinf=0.0) * weights).sum())


def averaged(f: Integrand) -> float:
    """E of the moduli of what F is added up from where a variable was integrated in closed form."""
    x, weights = _places(f.rank)
    return float(f.sizes(x) @ weights) if f.rank else 0.0


Compiled = Callable[..., tuple[Array, Array]]


@lru_cache(maxsize=4096)
def _compiled(factors: tuple[Expr, ...], forms: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> Compiled | None:
    """The rounding of the product of the factors and its modulus; None where nothing is added."""
    if not any(map(adds_up, factors)) or any(map(is_singular, factors)):
        return None
    whole = mul(*factors)
    return lambdify((running_error(whole), call("abs", whole)), (*forms, *scalars))


@lru_cache(maxsize=4096)
def _sizes(factors: tuple[Expr, ...], forms: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> Compiled:
    whole = call("abs", mul(*factors) if factors else ONE)
    return lambdify((whole, whole), (*forms, *scalars))


@lru_cache(maxsize=16)
def _places(rank: int) -> tuple[Array, Array]:
    """Places (rank, N) and weights for a look at an integrand."""
    if rank == 1:
        x = np.linspace(-9.5, 9.5, 65)
        return x[None], np.exp(-0.5 * x * x) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    return np.random.default_rng(31).standard_normal((rank, _DRAWS)), np.full(_DRAWS, 1 / _DRAWS)

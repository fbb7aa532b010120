"""The effect on an expectation of rounding errors in the values of the integrand, where terms cancel.

1 + tanh(x − 8), log(1 + x²) for small x, and e^x − 1 smoothed in closed form have rounding errors relative to their
terms, not to their values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from netsor.expr import ONE, Expr, Sym, mul
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute, is_singular
from netsor.expr.rounding import EPS, adds_up, running_error
from netsor.gaussian.arithmetic.extended_range import compiled_together
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.reductions.truncated_moments import Smoothing

Array = np.ndarray
Noise = Callable[[Array], Array]
_DRAWS = 256
# Rounding errors of a form, in units of its size: in its coefficients, products and sum.
_OF_FORMS = 2.0
# Draws are scaled by these factors and reweighted; wide ones reach the tails.
_SPREADS = (1.0, 2.5)


def noise(f: Integrand) -> Noise | None:
    """x (r, N) ↦ a bound on |computed − exact| of F(x), by a running error analysis; None where it is about ε |F|.

    Several forms are rounded independently, which shifts one relative to another and matters in tails. The rounding of
    a single form is like a shift of the law, with an effect of at most ε E |F| (1 + x²).
    """
    if f.radial:
        return None
    several = len(f.forms) + len(f.closed) > 1
    run = _compiled(f.factors, f.forms, f.scalars, several)
    smoothings = [c for c in f.closed if isinstance(c.g, Smoothing)]
    if run is None and not smoothings:
        return None
    run = run or _sizes(f.factors, f.forms, f.scalars, several)
    moduli = np.abs(f.root)

    def at(x: Array) -> Array:
        with np.errstate(all="ignore"):
            forms = f.root @ x + f.shift[:, None] if len(f.forms) else np.zeros((0, x.shape[1]))
            doubts = _OF_FORMS * (moduli @ np.abs(x) + np.abs(f.shift)[:, None]) if several and len(f.forms) else ()
            own, size = run(*forms, *f.values, *doubts)
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
            return EPS * np.nan_to_num(error, posinf=0.0)

    return at


def rounding(f: Integrand) -> float:
    """E |computed − exact| of the values of F, from draws near the mean, and wider ones that reach the tails."""
    at = noise(f)
    if at is None:
        return 0.0
    z, _ = _places(f.rank)
    found = []
    for wide in _SPREADS:
        weight = wide**f.rank * np.exp(-0.5 * (wide * wide - 1) * (z * z).sum(axis=0))
        found.append(float((at(wide * z) * weight).mean()))
    return max(found)


def averaged(f: Integrand) -> float:
    """E of the sum of the absolute terms of F, where variables were integrated in closed form."""
    x, weights = _places(f.rank)
    return float(f.sizes(x) @ weights) if f.rank else 0.0


Compiled = Callable[..., tuple[Array, Array]]


@lru_cache(maxsize=4096)
def _compiled(
    factors: tuple[Expr, ...], forms: tuple[Sym, ...], scalars: tuple[Sym, ...], several: bool
) -> Compiled | None:
    """The rounding error of the product of the factors, and its absolute value; None where nothing is added."""
    if not several and not any(map(adds_up, factors)) or any(map(is_singular, factors)):
        return None
    whole = mul(*factors)
    doubts = tuple((s, Sym(("rounding", i))) for i, s in enumerate(forms)) if several else ()
    return compiled_together(
        (running_error(whole, doubts), absolute(whole)), (*forms, *scalars, *(d for _, d in doubts))
    )


@lru_cache(maxsize=4096)
def _sizes(factors: tuple[Expr, ...], forms: tuple[Sym, ...], scalars: tuple[Sym, ...], several: bool) -> Compiled:
    whole = absolute(mul(*factors) if factors else ONE)
    doubts = tuple(Sym(("rounding", i)) for i in range(len(forms))) if several else ()
    return lambdify((whole, whole), (*forms, *scalars, *doubts))


@lru_cache(maxsize=16)
def _places(rank: int) -> tuple[Array, Array]:
    """Places (rank, N) and weights for a rough average of an integrand."""
    if rank == 1:
        x = np.linspace(-9.5, 9.5, 65)
        return x[None], np.exp(-0.5 * x * x) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    return np.random.default_rng(31).standard_normal((rank, _DRAWS)), np.full(_DRAWS, 1 / _DRAWS)

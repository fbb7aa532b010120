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
from netsor.gaussian.integrand.probe import divisors_of
from netsor.gaussian.reductions.truncated_moments import Smoothing

Array = np.ndarray
Noise = Callable[[Array], Array]
_DRAWS = 256
# Draws for an integrand that divides by what may vanish, and how many of the largest errors show how their tail falls.
_MANY_DRAWS, _LARGEST = 8192, 128
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
    if divisors_of(f):
        z = _normals(f.rank, _MANY_DRAWS)
        with np.errstate(all="ignore"):
            found.append(_with_tail(at(z), np.abs(f(z))))
    return max(found)


def _with_tail(errors: Array, values: Array) -> float:
    """E of errors that grow without bound beside the zeros of a divisor, until they are as large as the value itself.

    With r the relative error, P(r > t) ~ t^−β and |F| ~ r^γ near the zeros, where β is Hill's estimate (Hill 1975) and
    γ that of least squares, both from the draws with the largest r.
    """
    with np.errstate(all="ignore"):
        relative = np.where(values > 0, errors / values, 0.0)
    order = np.argpartition(relative, -_LARGEST)[-_LARGEST:]
    r, v = relative[order], values[order]
    least = float(r.min())
    spread = float(np.log(r / least).mean()) if least > 0 else 0.0
    if not 0 < least < 1 or spread == 0 or not np.isfinite(v).all():
        return float(errors.mean())
    rest = np.delete(errors, order).sum() / len(errors)
    beta = (1 - 1 / math.sqrt(_LARGEST)) / spread
    logs = np.log(r / least)
    gamma = float(np.clip(logs @ np.log(v / np.median(v)) / (logs @ logs), 0.0, 0.95 * beta))
    size = float(np.median(v * (r / least) ** -gamma))
    # The integral of min(r, 1) |F| over the tail from `least` on, which is a share of all draws.
    over = 1 / least
    power = gamma + 1 - beta
    partly = least * (over**power - 1) / power if abs(power) > 1e-9 else least * math.log(over)
    whole = over ** (gamma - beta) / (beta - gamma)
    return float(rest) + _LARGEST / len(errors) * size * beta * (partly + whole)


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
    return _normals(rank, _DRAWS), np.full(_DRAWS, 1 / _DRAWS)


@lru_cache(maxsize=32)
def _normals(rank: int, draws: int) -> Array:
    return np.random.default_rng(31).standard_normal((rank, draws))

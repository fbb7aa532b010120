"""The growth of an integrand along rays from the mean compared with the density: by exact series, and numerically.

On the ray z = n T w the integrand times the density is a function of n, whose asymptotic series (Hardy's "Orders of
Infinity") has exact coefficients: exp(c relu(z)²) against exp(−z²/2v) is a comparison of c with 1/(2v).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product as choices

import numpy as np

from netsor.expr import ONE, Call, Const, Expr, Pow, Sym, add, canonical, mul, postorder
from netsor.expr.functions import FUNCTIONS, is_exp
from netsor.expr.growth import coefficient, exponential, growth, iterated_log
from netsor.gaussian.arithmetic import extended_range
from netsor.gaussian.existence.rational_basis import Basis, inverse_of, leading, multiple
from netsor.gaussian.symbolic.expansion import Gaussians, expand, exponent_of, factors_of, is_polynomial
from netsor.gaussian.symbolic.structure import affine

Array = np.ndarray
# Radii at which the product with the density is evaluated, and the least decrease of its logarithm that is conclusive.
_FAR = (1e3, 1e6)
_FALLS = 1.0
# Random directions, rounds of refinement, directions tried about the best one in each round, and directions for which a
# proof is attempted.
_WAYS, _ROUNDS, _TRIES, _TRIED = 64, 12, 24, 5
# Where constants are rounded, the density is taken to decrease faster by this factor, so that a proof stays valid.
_MARGIN = 1 + Fraction(1, 10**9)


def may_grow(e: Expr, gaussians: Gaussians) -> bool:
    return any(
        is_exp(node) or isinstance(node, Pow) and not isinstance(node.exponent, Const)
        for node in postorder(e)
        if node.free & gaussians
    )


def is_indefinite(e: Expr, gaussians: Gaussians, basis: Basis) -> bool:
    """Whether e is a monomial times exp of a quadratic form that the exponent of the density does not dominate."""
    exponents = [q for f in factors_of(e) if (q := exponent_of(f)) is not None]
    others = [f for f in factors_of(e) if exponent_of(f) is None]
    if not exponents or not all(is_polynomial(f, gaussians) for f in others):
        return False
    left = [row[:] for row in basis.precision]
    for t in expand(canonical(add(*exponents)), gaussians):
        if t.product is ONE:
            continue
        if t.scalar is not ONE or not is_polynomial(t.product, gaussians):
            return False
        symbols = [s for f in factors_of(t.product) for s in _repeated(f)]
        if len(symbols) > 2:
            return False
        if len(symbols) == 2:
            c, error = coefficient(t.coefficient)
            c = Fraction(c)
            if error:
                return False
            a, b = (basis.rows[s] for s in symbols)
            for i, j in choices(range(basis.rank), repeat=2):
                left[i][j] -= c * (a[i] * b[j] + a[j] * b[i])
    return inverse_of(left) is None


def _repeated(f: Expr) -> list[Sym]:
    if isinstance(f, Pow):
        assert isinstance(f.exponent, Const) and isinstance(f.base, Sym)
        return [f.base] * int(f.exponent.value)
    assert isinstance(f, Sym)
    return [f]


def grows(e: Expr, gaussians: Gaussians, basis: Basis) -> bool:
    """Whether |e| times the density is not integrable along a cone of rays."""
    # A wave is above 1/2 in absolute value on a third of every long interval, and may be left out.
    kept = [f for f in factors_of(e) if not _is_wave(f, gaussians)]
    whole = canonical(mul(*kept)) if len(kept) < len(factors_of(e)) else e
    if basis.rank == 1:
        ways = [[Fraction(1)], [Fraction(-1)]]
        return any(_outgrows(whole, basis, w) for w in ways if _may_outgrow(whole, basis, w))
    # A single direction has measure zero; directions beside it must behave alike.
    beside = np.random.default_rng(11).standard_normal((2, basis.rank)) * 1e-3
    for u in _steep_rays(whole, basis):
        ways = [[Fraction(float(x)).limit_denominator(10**6) for x in basis.root @ v] for v in (u, *(u + beside))]
        if all(_may_outgrow(whole, basis, w) and _outgrows(whole, basis, w) for w in ways):
            return True
    return False


def _steep_rays(e: Expr, basis: Basis) -> list[Array]:
    """The steepest of the directions in which the integrand exceeds the density, and a few of the others."""
    ways, rates = rays(e, basis.symbols, _floats(basis), np.zeros(len(basis.symbols)))
    steep = np.flatnonzero(rates > 0.5 * (1 + 1e-9))
    steep = steep[np.argsort(-rates[steep], kind="stable")]
    if not len(steep):
        return []
    return [ways[:, i] for i in steep[np.unique(np.linspace(0, len(steep) - 1, _TRIED).astype(int))]]


def _floats(basis: Basis) -> Array:
    """A with z = A u, where u is standard normal."""
    return np.array([[float(x) for x in basis.rows[s]] for s in basis.symbols]) @ basis.root


def _is_wave(f: Expr, gaussians: Gaussians) -> bool:
    base = f.base if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value > 0 else f
    if not (isinstance(base, Call) and FUNCTIONS[base.fn].wave):
        return False
    parts = affine(base.children[0], gaussians)
    return parts is not None and len(parts[0]) > 0 and len(base.free & gaussians) == 1


def rays(e: Expr, symbols: tuple[Sym, ...], root: Array, mean: Array) -> tuple[Array, Array]:
    """Unit vectors u, more of them where it is large, and log|e| / r² at z = mean + r root u for a large r."""
    rng = np.random.default_rng(29)
    rank = root.shape[1]
    radius = _FAR[-1]

    def rate(u: Array) -> Array:
        z = mean[:, None] + radius * (root @ u)
        found = extended_range.values(e, dict(zip(symbols, z)), u.shape[1])
        with np.errstate(all="ignore"):
            size = (np.log(np.abs(found.m)) + found.e * math.log(2)) / radius**2
        return np.where(np.isnan(size), -np.inf, size)

    if rank == 1:
        u = np.array([[1.0, -1.0]])
        return u, rate(u)
    u = rng.standard_normal((rank, _WAYS))
    u = np.concatenate([u / np.linalg.norm(u, axis=0), np.eye(rank), -np.eye(rank)], axis=1)
    sizes = rate(u)
    for k in range(_ROUNDS):
        near = u[:, [int(np.argmax(sizes))]] + 0.5 ** (k + 1) * rng.standard_normal((rank, _TRIES))
        near /= np.linalg.norm(near, axis=0)
        u, sizes = np.concatenate([u, near], axis=1), np.concatenate([sizes, rate(near)])
    return u, sizes


def _may_outgrow(e: Expr, basis: Basis, w: Sequence[Fraction]) -> bool:
    """Whether numbers at large radii leave growth possible; series are slower to compute."""
    half = 0.5 * float(basis.square(w))
    at = {s: np.array([float(sum(c * x for c, x in zip(basis.rows[s], w))) * r for r in _FAR]) for s in basis.symbols}
    found = extended_range.values(e, at, len(_FAR))
    with np.errstate(all="ignore"):
        logs = np.log(np.abs(found.m)) + found.e * math.log(2) - half * np.array(_FAR) ** 2
    return not (logs < -_FALLS * np.sqrt(_FAR)).all()


def _outgrows(e: Expr, basis: Basis, w: Sequence[Fraction]) -> bool:
    """Whether ∫ |e(n w)| exp(−n² w'Σ⁻¹w/2) dn is infinite; in several variables, whether it grows like exp(n^a).

    (An exponent that exceeds that of the density on one ray exceeds it on those beside it, and so in a cone.)
    """
    q = basis.square(w) / 2
    if not _is_exact(e):
        q *= _MARGIN
    density = exponential(multiple(-q, iterated_log(0).raised(Fraction(2))), "the density")
    terms = leading(e, basis.along(w))
    if not terms:
        return False
    rate = terms[0][0].times(density.terms[0][0])
    if basis.rank == 1:
        return growth(rate.times(iterated_log(0))) >= 0
    return bool(rate.exps) and growth(rate) > 0


def _is_exact(e: Expr) -> bool:
    """Whether all constants are exact, so that exponents may be compared to the last digit."""
    return all(not coefficient(n.value).error for n in postorder(e) if isinstance(n, Const))

"""E F(x) G(y) of smooth F and G on a grid, one pair of canonical coordinates at a time.

In canonical coordinates x = A ξ, y = B η the ξ's are independent, so are the η's, and ξ_i is correlated with η_i alone,
with correlation ρ_i. Therefore

    E F(x) G(y) = ⟨f, (M_{ρ₁} ⊗ M_{ρ₂} ⊗ …) g⟩,   f = F(Aξ) √p(ξ), g = G(Bη) √p(η), p the normal density,

with Mehler's kernel M_ρ between square roots of densities. Two functions of d variables need d passes over a grid in d
dimensions, or N^{d+1} operations, where a rule in 2d dimensions would need N^{2d} points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.constants import BEYOND_DRAWS, FEW
from netsor.gaussian.problem import Clock
from netsor.gaussian.rules.panels import legendre
from netsor.gaussian.vectorized.draws import carried
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.steepness import is_smooth

Array = np.ndarray
# The reaches at which √p, and p, are about 1e-17.
_REACH, _NEAR = 12.5, 9.0
# Steps of the grid that are tried in turn, each this part of the one before, the most points of a grid, and the most
# dimensions.
_FINER = 0.74
_STEPS = tuple(0.62 * _FINER**k for k in range(10))
_MOST_POINTS = 3_000_000
MOST_DIMENSIONS = 3
# The relative error of the tables of Mehler's kernel, measured against closed forms.
_ROUNDING = 1e-13
_FLAT = 1e-15
NO_END = Clock(None)


class Contracted(NamedTuple):
    """A value, a bound on its error, and the scale of the tolerance, (E F² E G²)^{1/2}."""

    value: float
    error: float
    size: float


def contraction(f: Expr, x: Sequence[Sym], g: Expr, y: Sequence[Sym]) -> Rule | None:
    """The rule for F(x) G(y) with smooth F and G of at most three variables each; None for others.

    Both may depend on the same variable, such as a bias, which then occurs twice in their covariance.
    """
    if max(len(x), len(y)) > MOST_DIMENSIONS or not (is_smooth(f, x) and is_smooth(g, y)):
        return None
    return _Contraction(f, tuple(x), g, tuple(y))


@dataclass(frozen=True)
class _Contraction:
    f: Expr
    x: tuple[Sym, ...]
    g: Expr
    y: tuple[Sym, ...]

    def __call__(self, laws: Laws) -> Bounded:
        symbols = (*self.x, *self.y)
        c = np.stack([np.stack([_flat(laws.cov(s, t).value, laws) for t in symbols], -1) for s in symbols], -2)
        env = {s: _flat(q.value, laws) for s, q in laws.scalars.items()}
        value, error = np.zeros(len(c)), np.full(len(c), np.inf)
        for k in range(len(c)):
            if laws.clock.left() <= 0:
                break
            given = {s: float(v[k]) for s, v in env.items()}
            found = contract(self.f, self.x, self.g, self.y, c[k], given, 0.1 * laws.tol, laws.clock)
            if found is not None:
                value[k], error[k] = found.value, found.error
        spread = carried(mul(self.f, self.g), tuple(dict.fromkeys(symbols)), laws)
        return Bounded(value.reshape(laws.shape), (error + spread).reshape(laws.shape))


def _flat(x: Array, laws: Laws) -> Array:
    return np.broadcast_to(x, laws.shape).ravel()


def contract(
    f: Expr,
    x: Sequence[Sym],
    g: Expr,
    y: Sequence[Sym],
    c: Array,
    env: Mapping[Sym, float],
    tol: float,
    clock: Clock = NO_END,
) -> Contracted | None:
    """E f(x) g(y) for the joint covariance c of (x, y); None where no grid of a bearable size gives it in time."""
    a, b, rho = canonical_coordinates(c, len(x))
    if max(a.shape[1], b.shape[1]) > MOST_DIMENSIONS:
        return None
    left, right = _Side(f, x, env, a), _Side(g, y, env, b)
    before: float | None = None
    best: Contracted | None = None
    # In many variables fewer digits than were asked for are still more than other methods find.
    enough = BEYOND_DRAWS if a.shape[1] + b.shape[1] > FEW else 0.0
    dimension = max(a.shape[1], b.shape[1])
    took, start = 0.0, clock.left()
    for h in _STEPS:
        # A finer grid has 1/0.74 times as many points in each direction, and one more factor for the kernel.
        if took * _FINER ** -(dimension + 1) > start:
            return best
        if _count(h, _REACH if len(rho) else _NEAR) ** dimension > _MOST_POINTS:
            return best
        first, second = left.sampled(h, len(rho)), right.sampled(h, len(rho))
        if first is None or second is None:
            return None
        size = left.size * right.size
        for axis, r in enumerate(rho):
            second = np.moveaxis(np.tensordot(_mehler(float(r), h), second, (1, axis)), 0, axis)
        value = float(first.ravel() @ second.ravel()) * h ** len(rho)
        if before is not None:
            change = abs(value - before)
            # The error of a step h is e^{−c/h}, and the step 0.74 h has the power 1/0.74 of it; a smaller power is
            # assumed.
            error = min(change, 30 * change * (change / size) ** 0.25) if size > 0 else change
            found = Contracted(value, error + _ROUNDING * size, size)
            if error <= tol * size:
                return found
            best = found if error <= enough * size else None
        before = value
        took, start = start - clock.left() if math.isfinite(start) else 0.0, clock.left()
    return best


def canonical_coordinates(c: Array, split: int) -> tuple[Array, Array, Array]:
    """A, B and ρ with x = A ξ, y = B η, Cov(ξ_i, η_j) = ρ_i δ_ij for i < len(ρ), and no other correlations."""
    a, a_inverse = _root(c[:split, :split])
    b, b_inverse = _root(c[split:, split:])
    u, rho, vt = np.linalg.svd(a_inverse @ c[:split, split:] @ b_inverse.T)
    rho = np.minimum(rho, 1.0)
    return a @ u, b @ vt.T, rho[: int((rho > _FLAT).sum())]


def _root(c: Array) -> tuple[Array, Array]:
    """A with A Aᵀ = C and its pseudoinverse, with as many columns as C has rank."""
    values, vectors = np.linalg.eigh(c)
    keep = values > 1e-15 * max(float(values.max(initial=0.0)), 1e-300) * len(values)
    root = np.sqrt(values[keep])
    return vectors[:, keep] * root, (vectors[:, keep] / root).T


class _Side:
    """One factor in its canonical coordinates; those that are uncorrelated with the other side are integrated first."""

    def __init__(self, f: Expr, symbols: Sequence[Sym], env: Mapping[Sym, float], a: Array):
        scalars = tuple(s for s in env if s in f.free)
        self._f = lambdify((f,), (*symbols, *scalars))
        self._scalars = [np.float64(env[s]) for s in scalars]
        self._a = a
        self.size = 0.0

    def sampled(self, h: float, shared: int) -> Array | None:
        d = self._a.shape[1]
        # If nothing is correlated the weight is p itself, which needs a smaller reach than its root.
        t, root = _grid(h, _REACH if shared else _NEAR)
        mesh = np.meshgrid(*[t] * d, indexing="ij", sparse=True)
        arguments = [sum((row[i] * mesh[i] for i in range(d)), np.zeros((1,) * d)) for row in self._a]
        with np.errstate(all="ignore"):
            values = np.asarray(self._f(*arguments, *self._scalars)[0], float)
        values = np.array(np.broadcast_to(values, (len(t),) * d))
        weight = root if shared else root * root
        for i in range(d):
            values *= weight.reshape([len(t) if i == j else 1 for j in range(d)])
        if not np.isfinite(values).all():
            return None
        largest = np.abs(values).max(initial=0.0)
        for i in range(d):
            if np.abs(values.take([0, -1], axis=i)).max(initial=0.0) > 1e-13 * largest:
                return None
        if not shared:
            self.size = float(np.abs(values).sum()) * h**d
            return np.asarray(values.sum() * h**d)
        self.size = math.sqrt(float(values.ravel() @ values.ravel()) * h**d)
        for _ in range(d - shared):
            values = values @ root * h
        return values


def _count(h: float, reach: float) -> int:
    return 2 * math.ceil(reach / h) + 1


@lru_cache(maxsize=32)
def _grid(h: float, reach: float = _REACH) -> tuple[Array, Array]:
    """Points, and √p at them."""
    half = math.ceil(reach / h)
    t = h * np.arange(-half, half + 1)
    return t, np.exp(-0.25 * t * t) / (2 * math.pi) ** 0.25


@lru_cache(maxsize=256)
def _mehler(rho: float, h: float) -> Array:
    """K with (M_ρ g)(t_m) = Σ_j K_mj g(t_j) for functions without frequencies above π/h.

    M_ρ g (x) = √(2/(1+ρ²)) exp(−x² (1−ρ²)/(4(1+ρ²))) E g(2ρx/(1+ρ²) + s z) with s² = 2(1−ρ²)/(1+ρ²). Such a g is Σ
    g(t_j) sinc((· − t_j)/h), whose mean over z is (h/π) ∫₀^{π/h} exp(−s²ω²/2) cos(ω(· − t_j)) dω.
    """
    t, _ = _grid(h)
    if rho >= 1.0:
        return np.eye(len(t))
    square = rho * rho
    spread = 2 * (1 - square) / (1 + square)
    front = math.sqrt(2 / (1 + square)) * np.exp(-t * t * (1 - square) / (4 * (1 + square)))
    centre = 2 * rho * t / (1 + square)
    top = min(math.pi / h, 9.0 / math.sqrt(spread))
    nodes, weights = legendre(16 + math.ceil(0.75 * top * (t[-1] + abs(centre[-1]))))
    omega = top * (nodes + 1) / 2
    weights = weights * (top / 2) * (h / math.pi) * np.exp(-0.5 * spread * omega * omega)
    one, two = np.outer(centre, omega), np.outer(omega, t)
    kernel = (np.cos(one) * weights) @ np.cos(two) + (np.sin(one) * weights) @ np.sin(two)
    return front[:, None] * kernel

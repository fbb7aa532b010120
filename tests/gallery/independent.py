"""Gaussian expectations by formulas and by the trapezoidal rule, written for the truths of the gallery alone.

Nothing here uses netsor. The trapezoidal rule on the whole line converges exponentially in 1/step for functions that
are analytic in a strip, and is a method that netsor's own quadrature does not share.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, ndtr

Array = np.ndarray


def relu_pair(c: Array) -> float:
    """E relu(u) relu(v) for the 2×2 covariance c: √(c₁₁c₂₂) (sin θ + (π − θ) cos θ)/2π (Cho & Saul 2009)."""
    r = np.sqrt(c[0, 0] * c[1, 1])
    cos = np.clip(c[0, 1] / r, -1, 1)
    theta = np.arccos(cos)
    return float(r * (np.sqrt(1 - cos**2) + (np.pi - theta) * cos) / (2 * np.pi))


def relu_kernel(c: Array) -> Array:
    """E relu(u_i) relu(u_j), u ~ N(0, c)."""
    return kernel(relu_pair, c)


def erf_kernel(c: Array) -> Array:
    """E erf(u_i) erf(u_j) = (2/π) asin(2c_ij/√((1+2c_ii)(1+2c_jj))) (Williams 1997)."""
    d = np.sqrt(1 + 2 * np.diag(c))
    return 2 / np.pi * np.arcsin(2 * c / np.outer(d, d))


def erf_slope_kernel(c: Array) -> Array:
    """E erf'(u_i) erf'(u_j) = (4/π)/√((1+2c_ii)(1+2c_jj) − 4c_ij²); diagonal entries are for u_j = u_i."""
    d = 1 + 2 * np.diag(c)
    return 4 / np.pi / np.sqrt(np.outer(d, d) - 4 * c**2)


def erf_slope(variance: float) -> float:
    """E erf'(u) = (2/√π)/√(1+2q), u ~ N(0, q)."""
    return float(2 / np.sqrt(np.pi * (1 + 2 * variance)))


def kernel(pair: Callable[[Array], float], c: Array) -> Array:
    """A matrix with pair(2×2 block of c for i, j) in place i, j."""
    m = len(c)
    return np.array([[pair(c[np.ix_([i, j], [i, j])]) for j in range(m)] for i in range(m)])


def grid(rank: int, step: float, reach: float) -> tuple[Array, Array]:
    """Nodes (N, rank) and weights (N,) of the trapezoidal rule for N(0, 1) in `rank` dimensions."""
    line = np.arange(-round(reach / step), round(reach / step) + 1) * step
    weight = step * np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi)
    nodes = np.stack(np.meshgrid(*[line] * rank, indexing="ij"), -1).reshape(-1, rank)
    weights = weight
    for _ in range(rank - 1):
        weights = np.multiply.outer(weights, weight)
    return nodes, weights.reshape(-1)


def factor(c: Array) -> Array:
    """A with A Aᵀ = c, with as many columns as c has rank."""
    values, vectors = np.linalg.eigh(c)
    keep = values > 1e-13 * values.max()
    return vectors[:, keep] * np.sqrt(values[keep])


def pair_expectation(f: Callable[[Array], Array], g: Callable[[Array], Array], c: Array, step: float = 0.2) -> float:
    """E f(u) g(v), (u, v) ~ N(0, c), for f and g analytic in a strip; ≈ 1e-13 where the strip is wider than 1."""
    if not c.any():
        return float(f(np.zeros(1))[0] * g(np.zeros(1))[0])
    a = factor(c)
    nodes, weights = grid(a.shape[1], step, 9.0)
    u = nodes @ a.T
    return float(weights @ (f(u[:, 0]) * g(u[:, 1])))


def same_kernel(f: Callable[[Array], Array], c: Array) -> Array:
    """E f(u_i) f(u_j), u ~ N(0, c), by the trapezoidal rule."""
    m = len(c)
    out = np.empty((m, m))
    for i in range(m):
        for j in range(i, m):
            out[i, j] = out[j, i] = pair_expectation(f, f, c[np.ix_([i, j], [i, j])])
    return out


def mean(f: Callable[[Array], Array], variance: float, step: float = 0.05) -> float:
    """E f(u), u ~ N(0, variance)."""
    nodes, weights = grid(1, step, 9.0)
    return float(weights @ f(np.sqrt(variance) * nodes[:, 0]))


def gelu(u: Array) -> Array:
    return u * ndtr(u)


def sech2(u: Array) -> Array:
    return 1 - np.tanh(u) ** 2


sigmoid = expit


def normalised(second: Array, first: Array, eps: float) -> Array:
    """Covariance after layernorm of vectors with E x_i = first_i and E x_i x_j = second_ij."""
    c = second - np.outer(first, first)
    scale = np.sqrt(np.diag(c) + eps)
    return c / np.outer(scale, scale)


def upper(name: str, k: Array, *prefix: int) -> dict[str, float]:
    """Outputs name[…, i, j] for i ≤ j, counted from 1, as netsor names them."""
    m = len(k)
    pairs = [(i, j) for i in range(m) for j in range(i, m)]
    return {f"{name}[{','.join(map(str, (*prefix, i + 1, j + 1)))}]": float(k[i, j]) for i, j in pairs}

"""NNGP and NTK of fully trained MLPs in closed form, written from the literature and sharing nothing with netsor.

Cho & Saul 2009 (arc-cosine kernels), Williams 1997 (erf), Jacot, Gabriel & Hongler 2018 (the recursion of the NTK).
"""

from __future__ import annotations

import numpy as np


def relu(a, b, c):
    """E relu(u) relu(v) and E step(u) step(v) for centred u, v with variances a, b and covariance c."""
    root = np.sqrt(a * b)
    θ = np.arctan2(np.sqrt(np.maximum((root - c) * (root + c), 0)), c)
    return root * (np.sin(θ) + (np.pi - θ) * np.cos(θ)) / (2 * np.pi), (np.pi - θ) / (2 * np.pi)


def erf(a, b, c):
    """E erf(u) erf(v) and E erf'(u) erf'(v)."""
    d = np.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * c * c)
    return 2 / np.pi * np.arctan2(2 * c, d), 4 / np.pi / d


def mlp(pair, x, depth, sw, su, sb, sv):
    """(NNGP, NTK) on all rows of x: h¹ = U ξ + b¹, h^l = W φ(h^{l-1}) + b^l, f = vᵀφ(h^depth)/√n.

    Variances: W ~ sw/n, U ~ su/d, b ~ sb, v ~ sv; everything is trained.
    """
    k = su * (x @ x.T) / x.shape[1] + sb
    θ = k.copy()
    for _ in range(depth - 1):
        value, slope = _pairs(pair, k)
        k = sw * value + sb
        θ = k + sw * θ * slope
    value, slope = _pairs(pair, k)
    return sv * value, sv * (value + θ * slope)


def _pairs(pair, k):
    d = np.diagonal(k)
    value, slope = pair(d[:, None], d[None, :], k)
    own, own_slope = pair(d, d, d)
    np.fill_diagonal(value, own)
    np.fill_diagonal(slope, own_slope)
    return value, slope

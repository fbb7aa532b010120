"""Expectations by brute force, written apart from netsor: dense graded panels, plain Python functions."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
REACH = 9.5


def _sigmoid(x):
    return special.expit(x)


def _tanh1(x):
    # 1 − tanh² without cancellation.
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2


def _normal(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

# name: (function, derivative, kinks)
FUNCTIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, (0.0,)),
    "abs": (np.abs, np.sign, (0.0,)),
    "step": (lambda x: (x > 0) * 1.0, None, (0.0,)),
    "sign": (np.sign, None, (0.0,)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1.0, 0.01), (0.0,)),
    "elu": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0))),
        (0.0,),
    ),
    "selu": (
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0))),
        lambda x: SCALE * np.where(x > 0, 1.0, ALPHA * np.exp(np.minimum(x, 0))),
        (0.0,),
    ),
    "gelu": (lambda x: x * special.ndtr(x), lambda x: special.ndtr(x) + x * _normal(x), ()),
    "silu": (lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)), ()),
    "softplus": (lambda x: np.logaddexp(0, x), _sigmoid, ()),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x), ()),
    "tanh": (np.tanh, _tanh1, ()),
    "hardtanh": (lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1) * 1.0, (-1.0, 1.0)),
    "erf": (special.erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x), ()),
    "Phi": (special.ndtr, _normal, ()),
    "sin": (np.sin, np.cos, ()),
    "cos": (np.cos, lambda x: -np.sin(x), ()),
    "atan": (np.arctan, lambda x: 1 / (1 + x * x), ()),
}


def _graded(centres, widths, low=-REACH, high=REACH):
    """Edges that close in on every centre from its width outwards."""
    edges = [np.linspace(low, high, 20)]
    for c, w in zip(centres, widths):
        steps = w * 2.0 ** np.arange(-2, 40)
        steps = steps[steps < 2 * REACH]
        edges += [[c], c + steps, c - steps]
    edges = np.concatenate(edges)
    return np.unique(edges[(edges >= low) & (edges <= high)])


def _rule(edges):
    half = np.diff(edges) / 2
    x = ((edges[1:] + edges[:-1]) / 2)[:, None] + half[:, None] * NODES
    return x.ravel(), (half[:, None] * WEIGHTS).ravel()


def one(f, sd, kinks=()):
    """E f(sd x)."""
    centres = [k / sd for k in (*kinks, 0.0)]
    x, w = _rule(_graded(centres, [0.5 / sd] * len(centres)))
    return float(np.sum(f(sd * x) * w * _normal(x)))


def pair(f, g, su, sv, rho, kinks_f=(), kinks_g=(), spread=None):
    """(E f(u) g(v), √(E f² E g²)) by nested panels, x for u, then z for v given u."""
    size = math.sqrt(one(lambda t: f(t) ** 2, su, kinks_f) * one(lambda t: g(t) ** 2, sv, kinks_g))
    spread = math.sqrt((1 - rho) * (1 + rho)) if spread is None else spread
    if spread == 0:
        sign = 1.0 if rho > 0 else -1.0
        centres = [k / su for k in (*kinks_f, 0.0)] + [sign * k / sv for k in kinks_g]
        widths = [0.5 / su] * (1 + len(kinks_f)) + [0.5 / sv] * len(kinks_g)
        centres, widths = [*centres, 0.0], [*widths, 0.5 / sv]
        x, w = _rule(_graded(centres, widths))
        return float(np.sum(f(su * x) * g(sign * sv * x) * w * _normal(x))), size
    centres = [k / su for k in (*kinks_f, 0.0)]
    widths = [0.5 / su] * len(centres)
    if abs(rho) > 1e-3:
        for k in (*kinks_g, 0.0):
            centres.append(k / (sv * rho))
            widths.append(min(1.0, spread / abs(rho)))
            widths[-1] = max(widths[-1], 1e-9)
        centres.append(0.0)
        widths.append(0.5 / sv)
    x, w = _rule(_graded(centres, widths))
    keep = w * _normal(x) > 1e-22
    x, w = x[keep], w[keep]
    inner = np.zeros(len(x))
    base = np.linspace(-REACH, REACH, 13)
    s = sv * spread
    for i in range(0, len(x), 500):
        c = sv * rho * x[i : i + 500, None]
        special_points = [(k - c) / s for k in (*kinks_g, 0.0)]
        steps = np.concatenate([0.5 / s * 2.0 ** np.arange(0, 12)])
        steps = steps[steps < 2 * REACH]
        columns = [np.broadcast_to(base, (len(c), len(base)))]
        for p in special_points:
            columns += [p, p + steps, p - steps]
        edges = np.sort(np.clip(np.concatenate(columns, axis=1), -REACH, REACH), axis=1)
        half = np.diff(edges, axis=1)[:, :, None] / 2
        z = (edges[:, 1:, None] + edges[:, :-1, None]) / 2 + half * NODES
        inner[i : i + 500] = (g(c[:, :, None] + s * z) * _normal(z) * half * WEIGHTS).sum(axis=(1, 2))
    return float(np.sum(f(su * x) * inner * w * _normal(x))), size


def smoothed(f, c, s, kinks=()):
    """(E f(c + s z), E |f(c + s z)|) at every element of c."""
    c = np.asarray(c, float)
    value, modulus = np.zeros(len(c)), np.zeros(len(c))
    base = np.linspace(-REACH, REACH, 25)
    steps = 0.5 / s * 2.0 ** np.arange(0, 12)
    steps = np.concatenate([[0.0], steps[steps < 2 * REACH]])
    for i in range(0, len(c), 1000):
        part = c[i : i + 1000, None]
        columns = [np.broadcast_to(base, (len(part), len(base)))]
        columns += [np.clip((t - part) / s + sign * steps, -REACH, REACH) for t in (*kinks, 0.0) for sign in (1, -1)]
        edges = np.sort(np.concatenate(columns, axis=1), axis=1)
        half = np.diff(edges, axis=1)[:, :, None] / 2
        z = (edges[:, 1:, None] + edges[:, :-1, None]) / 2 + half * NODES
        v = f(part[:, :, None] + s * z)
        weight = _normal(z) * half * WEIGHTS
        value[i : i + 1000] = (v * weight).sum(axis=(1, 2))
        modulus[i : i + 1000] = (np.abs(v) * weight).sum(axis=(1, 2))
    return value, modulus


def roots(f):
    """Sign changes of a function on [−9.5, 9.5]."""
    grid = np.linspace(-REACH, REACH, 4001) + 1e-7
    v = f(grid)
    at = np.flatnonzero(v[1:] * v[:-1] < 0)
    low, high, value = grid[at], grid[at + 1], v[at]
    for _ in range(60):
        mid = (low + high) / 2
        m = f(mid)
        left = value * m <= 0
        high, low, value = np.where(left, mid, high), np.where(left, low, mid), np.where(left, value, m)
    return list((low + high) / 2)

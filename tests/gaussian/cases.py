"""Random expectations with truths found in another way: each maker returns (integrand, law, truth, size)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from netsor.expr import ONE, Const, call, compare, cond, diff, sym
from netsor.gaussian import FixedLaw
from tests.gaussian import truths

NAMES = list(truths.FUNCTIONS)
RHOS = [-1.0, 1.0, 1 - 1e-6, 1 - 1e-12, -1 + 1e-6, 0.5, -0.3, 0.9, 0.99, 0.01]


def function(rng, u):
    """A random function or derivative of u: (expression, plain function, kinks)."""
    name = NAMES[rng.integers(len(NAMES))]
    f, slope, kinks = truths.FUNCTIONS[name]
    if slope is not None and rng.random() < 0.4:
        return diff(call(name, u), u), slope, kinks
    return call(name, u), f, kinks


def one_variable(rng):
    """E u^k f(u + m): any function, variance 1e-6 … 1e4, a mean, a power."""
    u = sym("u")
    sd = 10 ** rng.uniform(-3, 2)
    # Waves of large variance have expectations far below what a sum in double precision can show.
    wave = True
    while wave:
        e, f, kinks = function(rng, u)
        wave = sd > 2 and any(f in truths.FUNCTIONS[n][:2] for n in ("sin", "cos"))
    mean = float(rng.choice([0.0, 0.0, rng.uniform(-2, 2)]))
    k = int(rng.choice([0, 0, 1, 2]))
    if mean:
        from netsor.expr import substitute

        e = substitute(e, {u: u + Const(mean)})
    shifted = [t - mean for t in (*kinks, 0.0)]
    g = lambda x: x**k * f(x + mean)  # noqa: E731
    truth = truths.one(g, sd, shifted)
    size = truths.one(lambda x: np.abs(g(x)), sd, shifted)
    return u**k * e, FixedLaw([u], [[sd * sd]]), truth, size


def pair(rng):
    """E f(u) g(v) at any correlation, variances 1e-4 … 1e3."""
    u, v = sym("u"), sym("v")
    a, f, kf = function(rng, u)
    b, g, kg = function(rng, v)
    rho = RHOS[rng.integers(len(RHOS))] if rng.random() < 0.6 else float(rng.uniform(-1, 1))
    su, sv = 10 ** rng.uniform(-2, 1.5, 2)
    c = rho * su * sv
    # The truth is that of the matrix as it is rounded, which near ρ = ±1 is not that of ρ.
    spread = Fraction(1) - Fraction(c) ** 2 / (Fraction(su * su) * Fraction(sv * sv))
    spread = math.sqrt(spread) if spread > 1e-15 else 0.0
    truth, size = truths.pair(f, g, su, sv, rho, kf, kg, spread)
    return a * b, FixedLaw([u, v], [[su * su, c], [c, sv * sv]]), truth, size


def factor_product(rng, low=3, high=6):
    """E Π f_i(λ_i x + √(1−λ_i²) z_i): a product of many variables whose truth is one-dimensional."""
    d = int(rng.integers(low, high + 1))
    x, w = truths._rule(np.linspace(-9, 9, 60))
    w = w * truths._normal(x)
    lam, sd = rng.uniform(-0.95, 0.95, d), 10 ** rng.uniform(-0.7, 0.5, d)
    value, modulus, e = 1.0, 1.0, ONE
    symbols = [sym(f"z{i}") for i in range(d)]
    for i in range(d):
        a, f, kinks = function(rng, symbols[i])
        e = e * a
        v, m = truths.smoothed(f, sd[i] * lam[i] * x, sd[i] * math.sqrt(1 - lam[i] ** 2), kinks)
        value, modulus = value * v, modulus * m
    c = np.outer(lam * sd, lam * sd)
    c[np.diag_indices(d)] = sd**2
    return e, FixedLaw(symbols, c), float((value * w).sum()), float((modulus * w).sum())


def polynomial_factor(rng):
    """E v^k w^l f(h): v, w go by conditioning on h."""
    v, w, h = sym("v"), sym("w"), sym("h")
    a = rng.standard_normal((3, 4))
    c = a @ a.T
    k, l = int(rng.integers(1, 3)), int(rng.integers(0, 3))
    e, f, kinks = function(rng, h)
    gain = c[:2, 2] / c[2, 2]
    s = c[:2, :2] - np.outer(gain, gain) * c[2, 2]

    def given(x):
        m, n = gain[0] * x, gain[1] * x
        # E v^k w^l of N((m, n), s) by hand for k, l ≤ 2.
        table = {
            (1, 0): m,
            (2, 0): m * m + s[0, 0],
            (1, 1): m * n + s[0, 1],
            (2, 1): (m * m + s[0, 0]) * n + 2 * s[0, 1] * m,
            (1, 2): (n * n + s[1, 1]) * m + 2 * s[0, 1] * n,
            (2, 2): (m * m + s[0, 0]) * (n * n + s[1, 1]) + 4 * s[0, 1] * m * n + 2 * s[0, 1] ** 2,
        }
        return table[k, l]

    sd = math.sqrt(c[2, 2])
    truth = truths.one(lambda x: given(x) * f(x), sd, kinks)
    size = truths.one(lambda x: np.abs(given(x) * f(x)), sd, kinks)
    return v**k * w**l * e, FixedLaw([v, w, h], c), truth, size


def tilted(rng):
    """E exp(b·v + c) f(h) = exp(c + b² var v / 2) E f(h + b cov)."""
    v, h = sym("v"), sym("h")
    a = rng.standard_normal((2, 3))
    c = a @ a.T
    b = float(rng.uniform(-1, 1))
    e, f, kinks = function(rng, h)
    shift = b * c[0, 1]
    front = math.exp(0.5 * b * b * c[0, 0])
    points = [k - shift for k in (*kinks, 0.0)]
    sd = math.sqrt(c[1, 1])
    truth = front * truths.one(lambda x: f(x + shift), sd, points)
    size = front * truths.one(lambda x: np.abs(f(x + shift)), sd, points)
    return call("exp", b * v) * e, FixedLaw([v, h], c), truth, size


def composite(rng):
    """E f(a x + c g(y)) h(x), x and y independent: no product of functions of one variable."""
    x, y = sym("x"), sym("y")
    a, c = rng.uniform(0.3, 1.5, 2)
    _, f, kf = function(rng, x)
    name_f = next(n for n in NAMES if f in truths.FUNCTIONS[n][:2])
    _, g, kg = function(rng, y)
    name_g = next(n for n in NAMES if g in truths.FUNCTIONS[n][:2])
    eh, h, kh = function(rng, x)
    u = sym("composite argument")
    ef = call(name_f, u)
    ef = ef if truths.FUNCTIONS[name_f][0] is f else diff(ef, u)
    w = sym("inner")
    eg = call(name_g, w)
    eg = eg if truths.FUNCTIONS[name_g][0] is g else diff(eg, w)
    from netsor.expr import substitute

    e = substitute(ef, {u: a * x + c * substitute(eg, {w: y})}) * eh
    meetings = [y0 for t in (*kf,) for r in kh for y0 in truths.roots(lambda z, t=t, r=r: (t - c * g(z)) / a - r)]
    ys, wy = truths._rule(np.unique(np.append(truths._graded([*kg, 0.0], [0.5] * (len(kg) + 1)), meetings)))
    wy = wy * truths._normal(ys)
    keep = wy > 1e-20
    ys, wy = ys[keep], wy[keep]
    shift = c * g(ys)
    if np.unique(shift).size < 6:
        shift, inverse = np.unique(shift, return_inverse=True)
        wy = np.bincount(inverse, wy)
    truth = size = 0.0
    for i in range(0, len(shift), 200):
        part = shift[i : i + 200, None]
        columns = [np.broadcast_to(np.linspace(-9, 9, 25), (len(part), 25))]
        columns += [np.broadcast_to(np.array([t]), (len(part), 1)) for t in (*kh, 0.0)]
        columns += [np.clip((t - part) / a, -9, 9) for t in (*kf, 0.0)]
        edges = np.sort(np.concatenate(columns, axis=1), axis=1)
        half = np.diff(edges, axis=1)[:, :, None] / 2
        xs = (edges[:, 1:, None] + edges[:, :-1, None]) / 2 + half * truths.NODES
        v = f(a * xs + part[:, :, None]) * h(xs) * truths._normal(xs) * half * truths.WEIGHTS
        truth += float(wy[i : i + 200] @ v.sum(axis=(1, 2)))
        size += float(wy[i : i + 200] @ np.abs(v).sum(axis=(1, 2)))
    return e, FixedLaw([x, y], np.eye(2)), truth, size


def branches(rng):
    """E of a user's `if` over an affine test of two variables, with polynomial branches: truth by conditioning."""
    u, v = sym("u"), sym("v")
    a = rng.standard_normal((2, 3))
    c = a @ a.T
    p, q, t = rng.uniform(-1, 1, 3)
    e = cond(compare(">", p * u + q * v, Const(t)), u * u + 1, call("tanh", v))
    # w = p u + q v; u and v given w are Gaussian.
    var = float(np.array([p, q]) @ c @ np.array([p, q]))
    gain = c @ np.array([p, q]) / var
    s = c - np.outer(gain, gain) * var
    sd = math.sqrt(var)

    def given(x):
        then = (gain[0] * x) ** 2 + s[0, 0] + 1
        other, _ = truths.smoothed(np.tanh, (gain[1] * x).ravel(), math.sqrt(s[1, 1]), ())
        return np.where(x > t, then, other.reshape(np.shape(x)))

    def bound(x):
        then = (gain[0] * x) ** 2 + s[0, 0] + 1
        _, other = truths.smoothed(np.tanh, (gain[1] * x).ravel(), math.sqrt(s[1, 1]), ())
        return np.where(x > t, then, other.reshape(np.shape(x)))

    return e, FixedLaw([u, v], c), truths.one(given, sd, [t]), truths.one(bound, sd, [t])


def uncertain(rng):
    """A pair whose covariance is known to within an error only: the bound must cover that as well."""
    u, v = sym("u"), sym("v")
    a, f, kf = function(rng, u)
    b, g, kg = function(rng, v)
    rho = RHOS[rng.integers(len(RHOS))] if rng.random() < 0.4 else float(rng.uniform(-1, 1))
    su, sv = 10 ** rng.uniform(-1, 1, 2)
    truth, size = truths.pair(f, g, su, sv, rho, kf, kg)
    c = np.array([[su * su, rho * su * sv], [rho * su * sv, sv * sv]])
    delta = 10 ** rng.uniform(-13, -4) * np.sqrt(np.outer(np.diag(c), np.diag(c)))
    moved = rng.uniform(-1, 1, (2, 2)) * delta
    moved = np.tril(moved) + np.tril(moved, -1).T
    return a * b, FixedLaw([u, v], c + moved, delta), truth, size


MAKERS = {
    "one variable": one_variable,
    "pair": pair,
    "product of several": factor_product,
    "polynomial factor": polynomial_factor,
    "exponential factor": tilted,
    "composite": composite,
    "branches": branches,
    "uncertain covariance": uncertain,
}

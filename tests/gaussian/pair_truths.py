"""E f(u) g(v) of jointly Gaussian u, v by one independent route: f smoothed by hand, panels for what is left.

Given v, u is normal with mean m and deviation s, and E f(u) has a closed form F(m, s) for every f here. What remains is
one integral over v, on Gauss–Legendre panels that close in geometrically on every place where F or g turns.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.special import erf, expit, ndtr

from netsor.expr import Const, Expr, Sym, call, compare, cond, power, sym

Array = np.ndarray
U, V = sym("u"), sym("v")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _truncated(x: Array, k: int) -> Array:
    """E (x + z)^k 1[x + z > 0]: where it is a tail, φ(x) ∫ t^k e^{xt − t²/2} dt, in which nothing cancels."""
    far = np.minimum(x, -1.0)
    edges = np.array([0.0, 1, 2, 4, 7, 11, 16, 23, 32, 45])
    half = np.diff(edges)[:, None] / 2
    at = ((edges[:-1, None] + half) + half * NODES).ravel()
    t = at / -far[..., None]
    tail = (t**k * np.exp(-at - 0.5 * t * t)) @ (half * WEIGHTS).ravel() / -far * _density(far)
    near = [ndtr(x), x * ndtr(x) + _density(x), (x * x + 1) * ndtr(x) + x * _density(x)][k]
    return np.where(x < -1, tail, near)


def _positive_part(k: int) -> Callable[[Array, float], Array]:
    """m, s ↦ E (m + s z)^k 1[m + s z > 0]."""

    def mean(m: Array, s: float) -> Array:
        return s**k * _truncated(m / s, k) if s else np.where(m > 0, np.abs(m) ** k, 0.0)

    return mean


_step, _relu = _positive_part(0), _positive_part(1)


@dataclass(frozen=True)
class Smoothed:
    """f, E f(m + s z) and the places at which f breaks."""

    text: str
    of: Callable[[Sym], Expr]
    mean: Callable[[Array, float], Array]
    edges: tuple[float, ...] = ()
    # The size of terms that its closed form subtracts.
    cancels: float = 0.0


@dataclass(frozen=True)
class Plain:
    """g, its values, and the places and widths of its turns."""

    text: str
    of: Callable[[Sym], Expr]
    value: Callable[[Array], Array]
    turns: tuple[float, ...] = (0.0,)


def _shifted(a: float) -> Smoothed:
    return Smoothed(f"relu(u - {a})", lambda u: call("relu", u - a), lambda m, s: _relu(m - a, s), (a,))


SMOOTHED = [
    _shifted(0.0),
    _shifted(1.5),
    Smoothed("step(u)", lambda u: call("step", u), _step, (0.0,)),
    Smoothed("step(u + 0.7)", lambda u: call("step", u + 0.7), lambda m, s: _step(m + 0.7, s), (-0.7,)),
    Smoothed("abs(u)", lambda u: call("abs", u), lambda m, s: _relu(m, s) + _relu(-m, s), (0.0,)),
    Smoothed("sign(u)", lambda u: call("sign", u), lambda m, s: _step(m, s) - _step(-m, s), (0.0,)),
    Smoothed(
        "hardtanh(u)",
        lambda u: call("hardtanh", u),
        lambda m, s: np.clip(_relu(m + 1, s) - _relu(m - 1, s) - 1, -1, 1),
        (-1.0, 1.0),
        1.0,
    ),
    Smoothed("erf(u)", lambda u: call("erf", u), lambda m, s: erf(m / math.sqrt(1 + 2 * s * s)), (0.0,)),
    Smoothed(
        "Phi(20 u - 3)",
        lambda u: call("Phi", 20 * u - 3),
        lambda m, s: ndtr((20 * m - 3) / math.sqrt(1 + 400 * s * s)),
        (0.15,),
    ),
    Smoothed("u", lambda u: u, lambda m, s: m),
    Smoothed("u^2", lambda u: power(u, Const(2)), lambda m, s: m * m + s * s),
    Smoothed("u^3", lambda u: power(u, Const(3)), lambda m, s: m**3 + 3 * m * s * s),
    Smoothed("sin(2 u)", lambda u: call("sin", 2 * u), lambda m, s: np.sin(2 * m) * math.exp(-2 * s * s)),
    Smoothed(
        "exp(-u^2)",
        lambda u: call("exp", -power(u, Const(2))),
        lambda m, s: np.exp(-m * m / (1 + 2 * s * s)) / math.sqrt(1 + 2 * s * s),
        (0.0,),
    ),
    Smoothed(
        "relu(u)^2",
        lambda u: power(call("relu", u), Const(2)),
        _positive_part(2),
        (0.0,),
    ),
]

PLAIN = [
    Plain("1", lambda v: Const(1), np.ones_like),
    Plain("tanh(v)", lambda v: call("tanh", v), np.tanh),
    Plain("tanh(30 v + 2)", lambda v: call("tanh", 30 * v + 2), lambda x: np.tanh(30 * x + 2), (-2 / 30,)),
    Plain("softplus(v)", lambda v: call("softplus", v), lambda x: np.logaddexp(0, x)),
    Plain("gelu(v)", lambda v: call("gelu", v), lambda x: x * ndtr(x)),
    Plain("silu(v - 2)", lambda v: call("silu", v - 2), lambda x: (x - 2) * expit(x - 2), (2.0,)),
    Plain("relu(v)", lambda v: call("relu", v), lambda x: np.maximum(x, 0)),
    Plain("step(v - 1)", lambda v: call("step", v - 1), lambda x: np.where(x > 1, 1.0, 0.0), (1.0,)),
    Plain("sqrt(abs(v))", lambda v: power(call("abs", v), Const(0.5)), lambda x: np.sqrt(np.abs(x))),
    Plain("log(1 + v^2)", lambda v: call("log", 1 + power(v, Const(2))), lambda x: np.log1p(x * x)),
    Plain("1/(1 + v^2)", lambda v: power(1 + power(v, Const(2)), Const(-1)), lambda x: 1 / (1 + x * x)),
    Plain("elu(v)", lambda v: call("elu", v), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    Plain("v tanh(v)", lambda v: v * call("tanh", v), lambda x: x * np.tanh(x)),
    Plain("cos(v)", lambda v: call("cos", v), np.cos),
    Plain("hardtanh(3 v)", lambda v: call("hardtanh", 3 * v), lambda x: np.clip(3 * x, -1, 1), (-1 / 3, 1 / 3)),
    Plain(
        "if v > 0.5 then v^2 else 0",
        lambda v: cond(compare(">", v, Const(0.5)), power(v, Const(2)), Const(0)),
        lambda x: np.where(x > 0.5, x * x, 0.0),
        (0.5,),
    ),
    Plain("atan(v^2)", lambda v: call("atan", power(v, Const(2))), lambda x: np.arctan(x * x)),
    Plain("exp(v/2)", lambda v: call("exp", 0.5 * v), lambda x: np.exp(0.5 * x)),
]


@dataclass(frozen=True)
class Case:
    """E f(μ + u) g(ν + v) under a centred law, with u = β v + s z for an independent standard normal z."""

    f: Smoothed
    g: Plain
    means: tuple[float, float]
    sd: float
    beta: float
    s: float

    @property
    def integrand(self) -> Expr:
        return self.f.of(self.means[0] + U) * self.g.of(self.means[1] + V)

    @property
    def covariance(self) -> list[list[float]]:
        c = self.beta * self.sd**2
        return [[self.beta * c + self.s**2, c], [c, self.sd**2]]

    def truth(self) -> tuple[float, float]:
        """(E f g, what its rounding is relative to)."""
        mu, nu = self.means
        # The law is that of the numbers as they are stored, whatever they were rounded from.
        (a, c), (_, b) = ([Fraction(x) for x in row] for row in self.covariance)
        beta, s = float(c / b), math.sqrt(max(a - c * c / b, 0))
        at = [(t - nu) / self.sd for t in self.g.turns]
        if beta:
            at += [(e - mu) / (beta * self.sd) for e in self.f.edges]
        steps = 2.0 ** -np.arange(-6, 48)
        ends = [np.linspace(-39.0, 39.0, 157), *(np.concatenate([p - steps, [p], p + steps]) for p in at)]
        edges = np.unique(np.concatenate(ends))
        edges = edges[(edges >= -39) & (edges <= 39)]
        half = np.diff(edges)[:, None] / 2
        t = (edges[:-1, None] + half) + half * NODES
        weights = self.g.value(nu + self.sd * t) * _density(t) * half * WEIGHTS
        parts = self.f.mean(mu + beta * self.sd * t, s) * weights
        # Densities are as good as their exponents.
        size = float((np.abs(parts) * (1 + t * t / 8)).sum()) + self.f.cancels * float(np.abs(weights).sum())
        return math.fsum(parts.ravel()), size


def random_case(rng: random.Random) -> Case:
    """Means within some deviations, deviations from 0.01 to 30, correlations from 0 to nearly one."""
    sd = 10 ** rng.uniform(-2, 1.5) if rng.random() < 0.5 else 1.0
    if rng.random() < 0.1 and sd > 3:
        sd = 1.0
    kind = rng.randrange(4)
    size = 10 ** rng.uniform(-1.5, 1) if kind == 0 else 1.0
    # tan of the angle between u and v: 0 leaves u = β v, and little leaves a correlation of nearly one.
    loose = [1.0, 10 ** rng.uniform(-8, 0), 0.0, 3.0][kind]
    beta = 0.0 if rng.random() < 0.05 else rng.choice([-1, 1]) * size / sd
    s = loose * size if beta else size
    means = (rng.choice([0.0, 0.0, rng.uniform(-3, 3)]), rng.choice([0.0, 0.0, rng.uniform(-3, 3)]))
    return Case(rng.choice(SMOOTHED), rng.choice(PLAIN), means, _short(sd), _short(beta), _short(s))


def _short(x: float) -> float:
    """A float of 17 bits, so that products of three are exact."""
    mantissa, exponent = math.frexp(x)
    return math.ldexp(round(mantissa * 2**17), exponent - 17)

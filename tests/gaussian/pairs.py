"""Random integrands in two variables and random covariances, for comparing rules with each other."""

from __future__ import annotations

import numpy as np

from netsor.expr import Const, Expr, add, call, diff, mul, power, sym

U, V = sym("u"), sym("v")
KINKED = ["relu", "abs", "step", "sign", "hardtanh", "leaky_relu", "elu", "selu"]
SMOOTH = ["tanh", "erf", "gelu", "silu", "sigmoid", "softplus", "sin", "cos", "Phi", "atan"]


def one_side(rng: np.random.Generator, kind: str, x: Expr) -> Expr:
    """A function of x: kinked, smooth, growing, steep, a Dirac mass, or a bump."""
    shift = Const(float(rng.choice([0.0, 0.0, 0.7, -1.3, 3.0])))
    if kind == "kinked":
        return call(str(rng.choice(KINKED[:5])), add(x, shift))
    if kind == "smooth":
        return call(str(rng.choice(SMOOTH)), add(mul(Const(float(rng.choice([1.0, -0.5, 1.7]))), x), shift))
    if kind == "growing":
        c = Const(float(rng.choice([0.3, 1.0, -1.0])))
        grown = call("exp", mul(c, x)) if rng.random() < 0.6 else power(x, Const(int(rng.integers(2, 7))))
        return mul(grown, call(str(rng.choice(["tanh", "relu", "erf", "cos", "step"])), add(x, shift)))
    if kind == "steep":
        return call(str(rng.choice(["tanh", "erf", "sigmoid", "gelu"])), add(mul(Const(200.0), x), shift))
    if kind == "bump":
        c = Const(-float(rng.choice([0.5, 30.0, 4000.0])))
        return call("exp", mul(c, power(add(x, shift), Const(2))))
    if kind == "terms":
        return add(Const(1.0), call(str(rng.choice(["tanh", "erf"])), add(x, Const(-6.0))))
    if kind == "rational":
        return power(add(Const(1.0), mul(Const(float(rng.choice([1.0, 50.0]))), power(x, Const(2)))), Const(-1))
    # A Dirac mass, where the other side has a value: at 0 these are smooth or vanish.
    return diff(call("step", add(x, shift)), x)


KINDS = ["kinked", "smooth", "growing", "steep", "bump", "terms", "rational", "dirac"]


def integrand(rng: np.random.Generator) -> Expr:
    """f(u) g(v), at times with a second term."""
    one, two = (str(k) for k in rng.choice(KINDS, 2, p=[0.25, 0.25, 0.15, 0.1, 0.08, 0.05, 0.06, 0.06]))
    if "dirac" in (one, two):
        one, two = "dirac", "smooth"
    if "growing" in (one, two) and "bump" in (one, two):
        two = "smooth"
    made = mul(one_side(rng, one, U), one_side(rng, two, V))
    if rng.random() < 0.15 and one != "dirac":
        made = add(made, mul(Const(-0.5), one_side(rng, "smooth", U), one_side(rng, "kinked", V)))
    return made


def covariances(rng: np.random.Generator, count: int, widest: float = 4.0) -> np.ndarray:
    """Pairs of variances 1e-6 … 10^widest and correlations up to ±1, some of them exactly, some variances zero."""
    a, b = 10 ** rng.uniform(-6, widest, (2, count)) if rng.random() < 0.4 else 10 ** rng.uniform(-1, 0.7, (2, count))
    if rng.random() < 0.5:
        b = a.copy()
    rho = rng.uniform(-1, 1, count)
    rho[: count // 3] = rng.choice([1, -1], count // 3) * (1 - 10 ** -rng.uniform(1, 15, count // 3))
    rho[0], rho[1], rho[2] = 1.0, -1.0, 0.0
    c = np.empty((count, 2, 2))
    c[:, 0, 0], c[:, 1, 1] = a, b
    # Rounding may make a matrix indefinite, which `expect` refuses.
    c[:, 0, 1] = c[:, 1, 0] = rho * np.sqrt(a) * np.sqrt(b) * np.where(a == b, 1.0, 1 - 2e-16)
    c[a == b, 0, 1] = c[a == b, 1, 0] = (rho * a)[a == b]
    if rng.random() < 0.2:
        c[3, 0, :] = c[3, :, 0] = 0.0
    return c

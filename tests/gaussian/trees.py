"""Random integrands of a few variables: nested functions, kinks, branches, spikes."""

from __future__ import annotations

import numpy as np

from netsor.expr import ONE, ZERO, Const, Expr, Sym, add, call, compare, cond, power, substitute, sym

SMOOTH = ("tanh", "erf", "Phi", "gelu", "silu", "sigmoid", "softplus", "sin", "cos", "atan")
KINKED = ("relu", "abs", "step", "sign", "hardtanh", "leaky_relu", "elu", "selu")


def affine(rng: np.random.Generator, variables: list[Sym]) -> Expr:
    chosen = rng.choice(len(variables), int(rng.integers(1, len(variables) + 1)), replace=False)
    terms = [Const(round(float(rng.normal()), 2) or 1.0) * variables[i] for i in chosen]
    return add(*terms, Const(round(float(rng.normal() * 0.5), 2))) if terms else ZERO


def tree(rng: np.random.Generator, variables: list[Sym], depth: int) -> Expr:
    def below() -> Expr:
        return tree(rng, variables, depth - 1)

    kind = rng.random()
    if depth == 0 or kind < 0.15:
        return affine(rng, variables)
    if kind < 0.4:
        return call(SMOOTH[rng.integers(len(SMOOTH))], below())
    if kind < 0.65:
        return call(KINKED[rng.integers(len(KINKED))], below())
    if kind < 0.72:
        return below() * below()
    if kind < 0.79:
        return below() + below()
    if kind < 0.84:
        return power(below(), Const(2))
    if kind < 0.88:
        return call("max", below(), below())
    if kind < 0.92:
        return cond(compare(">", below(), below()), below(), below())
    if kind < 0.95:
        return call("exp", Const(-float(rng.choice([1, 30, 300]))) * power(below(), Const(2)))
    if kind < 0.98:
        return ONE / (Const(float(rng.choice([1.0, 0.1, 0.01]))) + power(below(), Const(2)))
    return power(Const(0.1) + power(below(), Const(2)), Const(0.5))


def twice(d: int, seed: int) -> tuple[Expr, list[Sym], np.ndarray, Expr, list[Sym]]:
    """(F, x, Σ, G, y) with E F(x), x ~ N(0, Σ), equal to E G(y), y ~ N(0, 1): the same integral along other axes."""
    rng = np.random.default_rng([d, seed])
    x, y = [sym(f"x{i}") for i in range(d)], [sym(f"y{i}") for i in range(d)]
    f = tree(rng, x, int(rng.integers(2, 4)))
    if rng.random() < 0.5:
        f = f * tree(rng, x, int(rng.integers(1, 3)))
    a = rng.standard_normal((d, d + 1))
    covariance = np.eye(d) if rng.random() < 0.3 else a @ a.T / d
    turn, _ = np.linalg.qr(rng.standard_normal((d, d)))
    root = np.linalg.cholesky(covariance) @ turn
    lines = {x[i]: add(*(Const(float(root[i, j])) * y[j] for j in range(d))) for i in range(d)}
    return f, x, covariance, substitute(f, lines), y

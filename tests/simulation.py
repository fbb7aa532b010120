"""A program at a finite width, straight from its core: an interpreter that shares no code with netsor's."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from netsor.core import MatMul, Nonlin, Program
from netsor.expr import Add, Apply, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Star, Sym

FUNCTIONS = {
    "abs": np.abs,
    "sign": np.sign,
    "step": lambda x: 1.0 * (x > 0),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, s=0.01: np.where(x > 0, x, s * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "clip": np.clip,
    "erf": special.erf,
    "Phi": special.ndtr,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
}
TESTS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal}


def value(e: Expr, env: dict):
    """ψ at arrays; derivatives of definitions by central differences, which no rule of netsor's can have wrong."""
    go = lambda x: value(x, env)  # noqa: E731
    match e:
        case Const():
            return float(e.value)
        case Sym():
            return env[e.name]
        case Add():
            return sum(go(c) for c in e.children)
        case Mul():
            return math.prod((go(c) for c in e.children), start=1.0)
        case Pow():
            return go(e.base) ** go(e.exponent)
        case Call():
            return FUNCTIONS[e.fn](*(go(c) for c in e.children))
        case Cmp():
            return TESTS[e.op](*(go(c) for c in e.children))
        case Logic():
            parts = [go(c) for c in e.children]
            return ~parts[0] if e.op == "not" else (np.logical_and if e.op == "and" else np.logical_or).reduce(parts)
        case Cond():
            return np.where(*(go(c) for c in e.children))
        case Star():
            t = go(e.theta)
            return (value(e.body, {**env, e.bound.name: t}) - value(e.body, {**env, e.bound.name: 0.0})) / t
        case Apply():
            at = dict(zip((p.name for p in e.function.params), (go(c) for c in e.children), strict=True))
            if not any(e.orders):
                return value(e.function.body, at)
            (i,) = (k for k, order in enumerate(e.orders) if order)
            assert e.orders[i] == 1
            p, h = e.function.params[i].name, 1e-5
            sides = [value(e.function.body, {**at, p: at[p] + s * h}) for s in (1, -1)]
            return (sides[0] - sides[1]) / (2 * h)
    raise TypeError(type(e))


def simulate(p: Program, n: int, seed: int, scalars_at: float | None = None) -> dict[str, float]:
    """The outputs of one draw at width n (Setup B.2).

    With `scalars_at` the scalars in n, such as 1/√n, have their values at another width, nearer to their limits.
    """
    rng = np.random.default_rng(seed)
    env: dict = {"n": float(scalars_at or n)}
    matrices = {m.name: rng.standard_normal((n, n)) * math.sqrt(m.variance / n) for m in p.matrices}
    inputs = {u.name: rng.standard_normal((n, u.columns)) * math.sqrt(u.variance) for u in p.input_matrices}
    for g in p.groups:
        drawn = rng.multivariate_normal(g.mean, g.covariance, size=n, method="eigh")
        env.update({name: drawn[:, k] for k, name in enumerate(g.names)})
    env.update({e.name: inputs[e.matrix] @ np.array(p.row(e)) for e in p.embeddings})
    for c in p.constants:
        env[c.name] = value(c.value, env)
    for i in p.instructions:
        if isinstance(i, MatMul):
            m = matrices[i.matrix]
            env[i.name] = (m.T if i.transposed else m) @ env[i.vector]
        else:
            made = value(i.psi, env)
            env[i.name] = made if isinstance(i, Nonlin) else float(np.mean(made))
            if isinstance(i, Nonlin):
                env[i.name] = np.broadcast_to(made, (n,))
    return {o.name: env[o.scalar] for o in p.outputs}


def estimate(p: Program, n: int, seeds: int, scalars_at: float | None = None) -> dict[str, tuple[float, float]]:
    """Mean and standard error of each output over seeds."""
    runs = [simulate(p, n, seed, scalars_at) for seed in range(seeds)]
    return {
        k: (float(np.mean([r[k] for r in runs])), float(np.std([r[k] for r in runs], ddof=1) / math.sqrt(seeds)))
        for k in runs[0]
    }

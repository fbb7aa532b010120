"""A core program at width n on given draws: a page of numpy, for tests that should not depend on the engine."""

from __future__ import annotations

import numpy as np

from netsor.core import DataRef, MatMul, Nonlin, Program
from netsor.expr import WIDTH, evaluate, sym
from netsor.expr.arrays import lambdify


def draw(network: Program, n: int, seed: int) -> dict[str, np.ndarray]:
    """Values of a network's (or program's) parameters by name."""
    rng = np.random.default_rng(seed)
    out: dict[str, np.ndarray] = {}
    for m in network.matrices:
        out[m.name] = rng.standard_normal((n, n)) * np.sqrt(m.variance / n)
    for u in network.input_matrices:
        out[u.name] = rng.standard_normal((n, u.columns)) * np.sqrt(u.variance)
    for g in network.groups:
        values, vectors = np.linalg.eigh(np.array(g.covariance))
        root = vectors * np.sqrt(np.maximum(values, 0))
        x = np.array(g.mean)[:, None] + root @ rng.standard_normal((len(g.names), n))
        out.update(zip(g.names, x, strict=True))
    return out


def run(program: Program, parameters: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """The values of all variables."""
    at: dict[str, np.ndarray] = dict(parameters)
    for g in program.groups:
        for k, name in enumerate(g.names):
            if name not in at:
                assert g.covariance[k][k] == 0
                at[name] = np.full(n, g.mean[k])
    for c in program.constants:
        at[c.name] = np.float64(evaluate(c.value, {WIDTH: float(n)}))
    for e in program.embeddings:
        assert isinstance(e.source, DataRef)
        at[e.name] = at[e.matrix] @ np.array(program.row(e))
    for i in program.instructions:
        if isinstance(i, MatMul):
            w = at[i.matrix]
            at[i.name] = (w.T if i.transposed else w) @ at[i.vector]
            continue
        names = (*i.vectors, *i.scalars)
        f = lambdify((i.psi,), (*(sym(x) for x in names), WIDTH))
        value = f(*(at[x] for x in names), np.float64(n))[0]
        if isinstance(i, Nonlin):
            at[i.name] = np.broadcast_to(value, (n,))
        else:
            at[i.name] = np.mean(value) if i.vectors else np.float64(value)
    return at


def outputs(program: Program, parameters: dict[str, np.ndarray], n: int) -> dict[str, float]:
    at = run(program, parameters, n)
    return {o.name: float(at[o.scalar]) for o in program.outputs}

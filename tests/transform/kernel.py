"""The tangent kernel from the MOMENTs of the backward program (Eqs. 98, 99), for tests of training."""

from __future__ import annotations

import numpy as np

from netsor.core import MatMul, Output, Program
from netsor.expr import ZERO, mul
from netsor.limit import infer_limit
from netsor.transform import passes, trainable
from netsor.transform.examples import inner


def limiting_kernel(network: Program, rows, tol: float = 1e-9) -> np.ndarray:
    """K̊ between all pairs of rows."""
    made, trained = passes(network, rows), trainable(network)
    b, outputs = made.builder, []

    def ask(psi) -> str | None:
        if psi is ZERO:
            return None
        name = f"k[{len(outputs)}]"
        scalar = b.scalar(name, psi)
        outputs.append(Output(name, scalar))
        return name

    terms: list[list[list[tuple[float, list[str | None]]]]] = []
    products = [i for i in made.network.instructions if isinstance(i, MatMul) and i.matrix in trained.matrices]
    embedded = [e for e in made.network.embeddings if e.matrix in trained.input_matrices]
    for p in range(len(rows)):
        terms.append([])
        for q in range(p + 1):
            x, y, (dx,), (dy,) = made.values[p], made.values[q], made.errors[p], made.errors[q]
            found = []
            for i in products:
                for j in products:
                    if i.matrix != j.matrix:
                        continue
                    d, e = dx.get(i.name, ZERO), dy.get(j.name, ZERO)
                    h, k = x[i.vector], y[j.vector]
                    pair = (
                        [ask(mul(d, e)), ask(mul(h, k))]
                        if i.transposed == j.transposed
                        else [ask(mul(d, k)), ask(mul(h, e))]
                    )
                    found.append((trained.matrices[i.matrix], pair))
            for i in embedded:
                for j in embedded:
                    if i.matrix == j.matrix:
                        xi = inner(made.examples[p].sources[i.source][1], made.examples[q].sources[j.source][1])
                        d, e = dx.get(i.name, ZERO), dy.get(j.name, ZERO)
                        found.append((trained.input_matrices[i.matrix] * xi, [ask(mul(d, e))]))
            for v, covariances in trained.vectors.items():
                for w, c in covariances:
                    found.append((c, [ask(mul(dx.get(v, ZERO), dy.get(w, ZERO)))]))
            terms[p].append(found)
    program = b.build("kernel", outputs, prune=True)
    limits = {k: v.value for k, v in infer_limit(program, tol).outputs.items()}
    out = np.zeros((len(rows), len(rows)))
    for p, row in enumerate(terms):
        for q, found in enumerate(row):
            total = sum(c * np.prod([limits[m] if m else 0.0 for m in pair]) for c, pair in found)
            out[p, q] = out[q, p] = total
    return out

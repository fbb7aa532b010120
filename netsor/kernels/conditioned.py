"""The tangent kernel of a network whose readout is conditioned on the outputs at step 0 (Eqs. 69–72).

Where E Z^v Z^x ≠ 0 the coefficients of v̂ = v + X Σ⁺(f/√n − μ) do not vanish in the limit: Z^{v̂} = Z^v − Σ_j Z^{x_j}
(Σ̊⁺ μ̊)_j. The kernel is then that of the backward pass from v̂, and each of its entries depends on all rows in the
condition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netsor.core import Output, Program
from netsor.diagnostics import Diagnostic
from netsor.expr import ZERO, Const, Expr, add, mul
from netsor.kernels.kernel import Kernel, verify_network
from netsor.kernels.terms import ntk_terms
from netsor.limit import infer_limit
from netsor.transform.backward import Backward, Passes, at_start
from netsor.transform.condition import conditioned
from netsor.transform.examples import inner
from netsor.transform.forward import instances
from netsor.transform.names import member
from netsor.transform.parameters import moving, trainable

Array = np.ndarray


def infer_conditioned_ntk(
    network: Program, inputs: Any, test: Any = None, tol: float = 1e-10, budget: float | None = None
) -> tuple[Kernel, tuple[Diagnostic, ...]]:
    """⟨∇f, ∇f'⟩ at v̂ of all rows, test rows last, with the training rows: (rows, training rows, outputs, outputs).

    The limit does not depend on the outputs at step 0, since f/√n tends to 0. An entry without a limit is NaN. Raises
    NetsorError (E660) where v̂ is not the law of v given the outputs.
    """
    verify_network(network)
    made = instances(network, inputs, test)
    count = len(made.network.readouts)
    hats, _ = conditioned(made, [[ZERO] * count for _ in made.examples])
    for values in made.values:
        values.update(hats)
    back = Backward(made, moving(made.network, trainable(made.network)))
    passes = Passes(**vars(made))
    for example, values in zip(made.examples, made.values, strict=True):
        stamps = [example.stamp.toward(j + 1 if count > 1 else None) for j in range(count)]
        pairs = zip(made.network.readouts, stamps, strict=True)
        passes.errors.append([back.errors(r.terms, values, stamp, at_start(made)) for r, stamp in pairs])
    rows, columns = [*made.row_of, *made.test_row_of], made.row_of
    root = made.builder.names.fresh("K")
    entries: dict[tuple[int, ...], str] = {}
    for p in dict.fromkeys(rows):
        for q in dict.fromkeys(columns):
            for a in range(count):
                for b in range(count):
                    name = member(root, p + 1, q + 1, a + 1, b + 1)
                    entries[p, q, a, b] = made.builder.scalar(name, _entry(passes, name, p, q, a, b))
    outputs = [Output(scalar, scalar) for scalar in dict.fromkeys(entries.values())]
    found = infer_limit(made.builder.build(network.name, outputs, prune=True), tol, budget)
    shape = (len(rows), len(columns), count, count)
    value, error = np.zeros(shape), np.zeros(shape)
    for i, p in enumerate(rows):
        for j, q in enumerate(columns):
            for a in range(count):
                for b in range(count):
                    limit = found[entries[p, q, a, b]]
                    value[i, j, a, b] = np.nan if limit.value is None else limit.value
                    error[i, j, a, b] = np.nan if limit.error is None else limit.error
    return Kernel(value, error), tuple(found.diagnostics)


def _entry(made: Passes, name: str, p: int, q: int, a: int, b: int) -> Expr:
    """The sum of the terms of an entry, with each MOMENT as an instruction of its own."""
    parts = []
    for k, term in enumerate(ntk_terms(made, p, q, a, b)):
        moments = [made.builder.moment(f"{name[:-1]},{k + 1},{m + 1}]", psi) for m, psi in enumerate(term.moments)]
        number = term.scale
        if term.rows is not None:
            sources = [dict(made.examples[e].sources.values()) for e in (p, q)]
            number *= inner(*(given[ref] for given, ref in zip(sources, term.rows, strict=True)))
        parts.append(mul(Const(number), *moments))
    return add(*parts)

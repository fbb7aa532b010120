"""Kernels and their derivatives by parameters of the network, from one template of f and ∂f (`transform.tangent`)."""

from __future__ import annotations

from functools import partial
from typing import Any

from netsor.check.outputs import verify_covariance
from netsor.gaussian.problem import Clock
from netsor.kernels.kernel import by_moments, existence, in_time, verify_network
from netsor.kernels.linear_factor import TangentEvaluator
from netsor.kernels.pairs import Template, flat_rows, infer_pairs, templates
from netsor.kernels.tables import Asked, Kernel, Request, tabulate
from netsor.kernels.terms import nngp_terms, ntk_terms
from netsor.limit.many.frames import Step
from netsor.limit.many.terms import Term
from netsor.transform.tangent import Tangents


def infer_gradient(
    moving: Tangents, inputs: Any, which: str = "nngp", tol: float = 1e-10, budget: float | None = None
) -> tuple[Kernel, dict[str, Kernel]]:
    """A kernel ("nngp" or "ntk") on all rows, and its derivatives by the parameters of `moving`, each with errors.

    ∂K(ξ, ξ') = K[∂f, f'] + K[f, ∂f'] is read off the kernels of the network of f and ∂f. Raises NetsorError as
    `infer_nngp` and `infer_ntk`, and E653 where ∂f needs a derivative that does not exist.
    """
    network = moving.network
    verify_network(network)
    pairs = infer_pairs(flat_rows(network, inputs), None)
    tangent = which == "ntk"
    clock = Clock(budget)
    contributions = by_moments(ntk_terms if tangent else partial(nngp_terms, verify_covariance(network)))
    count = len(network.readouts) // (1 + len(moving.params))

    def asked(t: Template | None) -> Asked:
        if t is None:
            return {}
        total = t.evaluator.total
        parts = {(a, b): contributions(t, a, b) for a in range(count) for b in range(count)}
        out = {"": [[total(_all(parts[a, b])) for b in range(count)] for a in range(count)]}
        for k, param in enumerate(moving.params, start=1):
            table = []
            for a in range(count):
                row = []
                for b in range(count):
                    terms = _all(contributions(t, a, k * count + b)) + _all(contributions(t, k * count + a, b))
                    scaled = [(moving.multipliers.get((param, name), 0.0), step) for name, step in parts[a, b].items()]
                    row.append(total(terms + [Term(rate, (step,)) for rate, step in scaled if rate]))
                table.append(row)
            out[param] = table
        return out

    guard = partial(existence, network, which.upper())
    with in_time(network, f"{which.upper()} and its derivatives", budget):
        lent = templates(network, pairs, tol, (which, moving.params), backward=tangent, derivatives=TangentEvaluator)
        with lent as (across, within):
            with guard():
                request = Request(asked(across), asked(within), guard)
            made = tabulate(pairs, across, within, [request], count, clock)[0]
    return made[""], {param: made[param] for param in moving.params}


def _all(parts: dict[str, Step]) -> list[Term]:
    return [Term(1.0, (step,)) for step in parts.values()]

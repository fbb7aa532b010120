"""The report of `netsor check --exact`: every Ż of a program or of the passes of a network, and their effect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netsor.core import MatMul, Matrix, Output, Program
from netsor.deadline import TimeOver, limited
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue.limits import out_of_time
from netsor.expr import mul, sym
from netsor.gaussian.problem import Clock
from netsor.independence.couplings import BACKWARD_FORWARD, Coupling, infer_couplings, product_text
from netsor.limit import LimitResult, LimitValue, infer_limit
from netsor.shown import Shown


@dataclass(frozen=True)
class Comparison:
    """A limit, and the value that it would have if W and Wᵀ were independent."""

    name: str
    true: float | None
    error: float | None
    naive: float | None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "true": self.true, "error": self.error, "naive": self.naive}


@dataclass(frozen=True, repr=False)
class ExactReport(Shown):
    """Every Ż, and the values that differ where one does not vanish; `inputs` are those that a network was examined on.

    `gia` is whether every Ż that pairs the backward with the forward pass vanishes; None where that is not known, and
    for a program.
    """

    program: Program
    couplings: tuple[Coupling, ...]
    comparisons: tuple[Comparison, ...]
    inputs: Mapping[str, Any] | None = None

    @property
    def gia(self) -> bool | None:
        if self.inputs is None:
            return None
        found = [c.vanishes for c in self.couplings if c.kind == BACKWARD_FORWARD]
        return False if False in found else None if None in found else True

    def text(self, name: str) -> str:
        """A product with its definition, such as `dx = Wᵀ dh`."""
        return product_text(self.program, name)

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "couplings": [
                {**c.as_dict(), "product": self.text(c.product), "partner": self.text(c.partner)}
                for c in self.couplings
            ],
            "naive": [c.as_dict() for c in self.comparisons],
        }
        if self.inputs is not None:
            out = {"gia": self.gia, "inputs": dict(self.inputs), **out}
        return out


def infer_exact(program: Program, inputs: Any = None, tol: float = 1e-9, budget: float | None = 60.0) -> ExactReport:
    """Every Ż of a program, or of the passes of a network on `inputs` (by default one row of example numbers).

    Where one does not vanish, the report compares limits with those for independent W and Wᵀ: the outputs of a program,
    or for a network the mean squares of the products and the tangent kernel of the first row with itself. Raises
    NetsorError for a network without a readout (E652), for inputs that do not fit (E654, E655), and where the time was
    over before the passes were written down (E804).
    """
    try:
        with limited(budget):
            return _infer(program, inputs, tol, Clock(budget))
    except TimeOver:
        raise NetsorError(out_of_time(f"the Żs of `{program.name}`")) from None


def _infer(program: Program, inputs: Any, tol: float, clock: Clock) -> ExactReport:
    program = program.evaluated
    if program.kind != "network":
        couplings = infer_couplings(program, None, tol, clock.budget)
        return ExactReport(program, tuple(couplings), _compared_outputs(program, couplings, tol, clock))
    from netsor.transform.backward import passes

    rows = example_rows(program) if inputs is None else inputs
    made = passes(program, rows, only_trained=False)
    forward = {str(s.name) for v in made.values for x in v.values() for s in x.free}
    body = made.builder.build(program.name)
    couplings = infer_couplings(body, forward, tol, clock.budget)
    comparisons: tuple[Comparison, ...] = ()
    if any(c.vanishes is False for c in couplings):
        comparisons = _compared_kernel(made, body, couplings, tol, clock)
    plain = rows if isinstance(rows, Mapping) else {program.inputs[0].name: rows}
    return ExactReport(body, tuple(couplings), comparisons, {k: _listed(v) for k, v in plain.items()})


def example_rows(network: Program) -> dict[str, list[Any]]:
    """One row of different numbers for each input."""
    out: dict[str, list[Any]] = {}
    k = 0
    for i in network.inputs:
        tokens = []
        for _ in i.indices or (0,):
            tokens.append([round(math.cos(2.4 * (k + j) + 0.5), 1) for j in range(i.dimension)])
            k += i.dimension
        out[i.name] = [tokens if i.indices is not None else tokens[0]]
    return out


def independent(program: Program) -> Program:
    """The program in which Wᵀ is replaced by an independent matrix wherever it occurs together with W."""
    used: dict[str, set[bool]] = {}
    for i in program.instructions:
        if isinstance(i, MatMul):
            used.setdefault(i.matrix, set()).add(i.transposed)
    both = {name for name, kinds in used.items() if len(kinds) == 2}
    copies = tuple(Matrix(_copy(m.name), m.variance) for m in program.matrices if m.name in both)
    instructions = tuple(
        replace(i, matrix=_copy(i.matrix)) if isinstance(i, MatMul) and i.transposed and i.matrix in both else i
        for i in program.instructions
    )
    return replace(program, matrices=program.matrices + copies, instructions=instructions)


def _copy(name: str) -> str:
    return f"{name}, independent"


def _compared_outputs(
    program: Program, couplings: Sequence[Coupling], tol: float, clock: Clock
) -> tuple[Comparison, ...]:
    if all(c.vanishes for c in couplings):
        return ()
    true, naive = _both(program, tol, clock)
    return tuple(_comparison(o.name, true[o.name], naive[o.name]) for o in program.outputs)


def _both(program: Program, tol: float, clock: Clock) -> tuple[LimitResult, LimitResult]:
    """The limits, and those for independent W and Wᵀ, which have the time that the others left."""
    shares = ((program, 0.5), (independent(program), 1.0))
    true, naive = (infer_limit(p, tol, clock.part(share)) for p, share in shares)
    return true, naive


def _comparison(name: str, true: LimitValue, naive: LimitValue) -> Comparison:
    return Comparison(name, true.value, true.error, naive.value)


def _compared_kernel(
    made: Any, body: Program, couplings: Sequence[Coupling], tol: float, clock: Clock
) -> tuple[Comparison, ...]:
    """Mean squares of the products whose Ż does not vanish, and the NTK of row 1, true and for independent W and Wᵀ."""
    from netsor.kernels.terms import ntk_terms

    builder = made.builder
    outputs: dict[str, Output] = {}

    def ask(psi: Any) -> str:
        key = f"m{len(outputs)}"
        name = builder.names.fresh("m", ("exact", key))
        outputs[key] = Output(key, builder.scalar(name, psi))
        return key

    squares = {c.product: ask(mul(sym(c.product), sym(c.product))) for c in couplings if c.vanishes is False}
    kernels = {}
    first = made.row_of[0]
    numbers = dict(made.examples[first].sources.values())
    for a, r in enumerate(made.network.readouts):
        terms = []
        for term in ntk_terms(made, first, first, a, a):
            inner = 1.0
            if term.rows is not None:
                inner = math.fsum(x * y for x, y in zip(*(numbers[ref] for ref in term.rows), strict=True))
            terms.append((term.scale * inner, [ask(m) for m in term.moments]))
        kernels[f"NTK of {r.name} on row 1"] = terms
    program = replace(builder.build(body.name), outputs=tuple(outputs.values()))
    true, naive = _both(program, tol, clock)
    found = [_comparison(f"E ({name})²", true[key], naive[key]) for name, key in squares.items()]
    for name, terms in kernels.items():
        value, error = _sum(terms, true)
        found.append(Comparison(name, value, error, _sum(terms, naive)[0]))
    return tuple(found)


def _sum(terms: Sequence[tuple[float, Sequence[str]]], limits: Any) -> tuple[float | None, float | None]:
    """Σ c Π m over the limits m, with the error that follows from theirs."""
    total, bound = 0.0, 0.0
    for c, keys in terms:
        value, error = c, 0.0
        for key in keys:
            v, e = limits[key].value, limits[key].error
            if v is None:
                return None, None
            value, error = value * v, abs(value) * e + abs(v) * error + error * e
        total, bound = total + value, bound + error
    return total, bound


def _listed(rows: Any) -> Any:
    return rows.tolist() if hasattr(rows, "tolist") else rows

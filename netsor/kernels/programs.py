"""A network on rows of inputs as a program, whose outputs are the entries of its kernels.

What holds of programs then holds of the network: its kernels have limits, values at a width, rates at which the one
tends to the other, derivations and drawings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from netsor.check.outputs import verify_covariance
from netsor.core import Output, Program, data_number
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.networks import too_many_entries
from netsor.expr import Expr, Sym, add, as_expr, mul
from netsor.kernels.kernel import verify_network
from netsor.kernels.pairs import flat_rows
from netsor.kernels.terms import KernelTerm, nngp_terms, ntk_terms
from netsor.transform.backward import Passes, passes
from netsor.transform.examples import inner
from netsor.transform.forward import Instances, instances
from netsor.transform.names import member

# More entries than these are a kernel for `netsor ntk`, which writes the limit down once for all rows.
MOST_ENTRIES = 300


@dataclass(frozen=True)
class KernelProgram:
    """The program of a network on `rows` rows, with outputs such as `nngp[1,2]` and `ntk[1,2]`.

    `kernels` are the names of the kernels it has, and `diagnostics` say why one is missing.
    """

    program: Program
    legend: tuple[str, ...]
    rows: int
    kernels: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def kernel_program(network: Program, inputs: Any) -> KernelProgram:
    """Forward and backward pass on every row of `inputs`, with the NNGP kernel and the NTK (Eqs. 97–100) as outputs.

    `nngp[i,j]` is the covariance at initialization of f on rows i ≤ j, and `ntk[i,j]` the inner product of its
    gradients there (Eq. 98); with several readouts their numbers a, b follow: `ntk[i,j,a,b]`. At a width n, the outputs
    are the kernels of the drawn network, as `netsor.kernels.empirical` has them. A network without a derivative has its
    NNGP alone, and one whose covariances are not known its NTK alone, with the reason among the diagnostics. Raises
    NetsorError: a program (E609), no readout (E652), inputs that do not fit (E654, E655), too many entries (E619), or
    the reason where neither kernel is there (E653, E617).
    """
    verify_network(network)
    said: list[Diagnostic] = []
    covariance = None
    try:
        covariance = partial(nngp_terms, verify_covariance(network))
    except NetsorError as fault:
        said += fault.diagnostics
    _verify_size(network, len(flat_rows(network, inputs)))
    made: Instances
    try:
        made = passes(network, inputs)
    except NetsorError as fault:
        if covariance is None or any(d.code != "E653" for d in fault.diagnostics):
            raise
        said += fault.diagnostics
        made = instances(network, inputs)
    entries = Entries(made)
    count = len(made.row_of)
    names = (("nngp",) if covariance else ()) + (("ntk",) if isinstance(made, Passes) else ())
    outputs: list[Output] = []
    if covariance is not None:
        outputs += entries.outputs("nngp", covariance)
    if isinstance(made, Passes):
        outputs += entries.outputs("ntk", ntk_terms)
    warnings = tuple(_as_warning(d) for d in said)
    return KernelProgram(made.builder.build(network.name, outputs), _legend(network, names), count, names, warnings)


class Entries:
    """The entries of kernels as scalars of a program under construction."""

    def __init__(self, made: Instances):
        self.made, self.builder, self.names = made, made.builder, made.builder.names
        self.theta = self.names.fresh("θ")
        self.count = 0

    def outputs(self, kernel: str, terms: Any) -> list[Output]:
        """An output for every entry on or above the diagonal."""
        out = []
        readouts = range(len(self.made.network.readouts))
        for i, p in enumerate(self.made.row_of, start=1):
            for j, q in enumerate(self.made.row_of[i - 1 :], start=i):
                for a in readouts:
                    # On the diagonal, outputs a, b and b, a are one number.
                    for b in readouts if i < j else readouts[a:]:
                        indices = (i, j) if len(readouts) == 1 else (i, j, a + 1, b + 1)
                        name = self.names.scalar("", kernel, indices)
                        out.append(Output(name, self.scalar(name, terms(self.made, p, q, a, b))))
        return out

    def scalar(self, name: str, terms: list[KernelTerm]) -> str:
        """The name of the scalar Σ scale · Π mean ψ · ⟨ξ, ξ'⟩."""
        if all(len(t.moments) == 1 and t.rows is None for t in terms):
            # One mean of a sum reads better than a sum of means.
            return self.builder.scalar(name, add(*(mul(as_expr(t.scale), t.moments[0]) for t in terms)))
        return self.builder.scalar(name, add(*map(self.term, terms)))

    def term(self, t: KernelTerm) -> Expr:
        factors = [as_expr(t.scale), *map(self.moment, t.moments)]
        if t.rows is not None:
            one, other = t.rows
            numbers = {ref: row for e in self.made.examples for ref, row in e.sources.values()}
            base = self.names.fresh(one.name + other.name, ("inner", one.name, other.name))
            value = data_number(inner(numbers[one], numbers[other]), one, other)
            factors.append(self.builder.constant(member(base, *one.row, *other.row), value))
        return mul(*factors)

    def moment(self, psi: Expr) -> Expr:
        """The MOMENT of ψ, named `θ[k]` in order of first use."""
        name = member(self.theta, self.count + 1)
        made = self.builder.moment(name, psi)
        self.count += isinstance(made, Sym) and made.name == name
        return made


def _legend(network: Program, names: tuple[str, ...]) -> tuple[str, ...]:
    readouts = [r.name for r in network.readouts]
    lines = [f"The network {network.name} on rows of data; h[i] is its h on row i."]
    if "nngp" in names:
        lines.append("nngp[i,j] is the covariance of the outputs on rows i, j at initialization, a Gaussian process.")
    if "ntk" in names:
        lines.append("ntk[i,j] is the inner product of the gradients there (Eq. 98); dx is √n ∂f/∂x (Eqs. 74-78).")
    if len(readouts) > 1:
        listed = ", ".join(f"{k} is {name}" for k, name in enumerate(readouts, start=1))
        lines.append(f"The last two indices are the outputs: {listed}.")
    return tuple(lines)


def _as_warning(d: Diagnostic) -> Diagnostic:
    return replace(d, severity="warning")


def _verify_size(network: Program, rows: int) -> None:
    size = rows * len(network.readouts)
    entries = size * (size + 1) // 2
    if entries > MOST_ENTRIES:
        raise NetsorError(too_many_entries(network.name, entries, MOST_ENTRIES))

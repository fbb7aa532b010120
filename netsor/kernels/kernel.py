"""NNGP and NTK of a network at infinite width, for all pairs of rows, with errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from netsor.check.outputs import verify_covariance
from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.gaussian.result import Clock, NoNumber, Unsettled
from netsor.kernels.advice import kinks_met
from netsor.kernels.batch import product
from netsor.kernels.pairs import Pairs, Template, flat_rows, infer_pairs, named_examples, templates
from netsor.kernels.paths import path_contributions
from netsor.kernels.terms import KernelTerm, gram_terms, nngp_terms, ntk_terms
from netsor.shown import Shown

Array = np.ndarray
# No tolerance asks for more than sums of products keep.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Kernel:
    """Values of shape (N, M), or (N, M, outputs, outputs) for several readouts, with |value − limit| ≤ error."""

    value: Array
    error: Array

    def as_dict(self) -> dict[str, Any]:
        return {"value": self.value.tolist(), "error": float(self.error.max(initial=0.0))}


@dataclass(frozen=True)
class Kernels(Shown):
    """The NNGP kernel (the covariance of the readouts) and the NTK (Eq. 98) with what each parameter adds to it.

    `nngp` is None where it is not known, and `diagnostics` say why (E617).
    """

    inputs: int
    nngp: Kernel | None
    ntk: Kernel
    by_parameter: dict[str, Kernel] = field(default_factory=dict)
    classes: dict[str, Kernel] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        nngp = None if self.nngp is None else self.nngp.as_dict()
        out: dict[str, Any] = {"inputs": self.inputs, "nngp": nngp, "ntk": self.ntk.as_dict()}
        if self.by_parameter:
            out["by_parameter"] = {k: v.as_dict() for k, v in self.by_parameter.items()}
        if self.classes:
            out["paths"] = {k: v.as_dict() for k, v in self.classes.items()}
        return out


def infer_kernels(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    method: str = "backward",
    tol: float = 1e-10,
    by_parameter: bool = False,
    classes: bool = False,
    progress: Callable[[str], None] | None = None,
    budget: float | None = None,
) -> Kernels:
    """The kernels on all rows of `inputs` (N, d) or (N, T, d), against those of `inputs2` if given.

    `backward` takes MOMENTs of the backward program (Eqs. 97–100), `paths` sums over isomorphic paths (Eq. 96), which
    needs Assumption A2. What `budget` seconds do not suffice for comes with the larger error that belongs to it, and
    `diagnostics` say so. Raises NetsorError for inputs of a wrong shape, and where the path formula does not hold.
    """
    verify_network(network)
    x = flat_rows(network, inputs)
    y = None if inputs2 is None else flat_rows(network, inputs2)
    pairs = infer_pairs(x, y)
    with_paths = method == "paths" or classes
    if with_paths:
        verify_path_formula(network)
    kept = frozenset(t.name for t in network.train or () if t.name in network.group_of) if with_paths else frozenset()
    across, within = templates(network, pairs, tol, kept, Clock(budget))
    if progress:
        progress(f"{len(pairs.left)} pairs of {len(pairs.inputs)} inputs")
    first: Kernel | None = None
    try:
        kinds = verify_covariance(network)
    except NetsorError as fault:
        # The tangent kernel is there all the same.
        said = list(fault.diagnostics)
    else:
        with _existence(network, "NNGP"):
            first = _single(network, pairs, across, within, partial(nngp_terms, kinds))
        said = _not_reached(network, "NNGP", first, tol, budget)
    with _existence(network, "NTK"):
        ntk, found = _tangent(network, pairs, across, within, method, classes)
    total = _total(list(ntk.values()), _shape(network, pairs))
    said += _not_reached(network, "NTK", total, tol, budget)
    said += kinks_met(network, named_examples(network, x if y is None else np.concatenate([x, y])))
    return Kernels(len(x), first, total, ntk if by_parameter else {}, found if classes else {}, tuple(said))


def infer_ntk(
    network: Program, inputs: Any, inputs2: Any = None, tol: float = 1e-10, budget: float | None = None
) -> tuple[Kernel, tuple[Diagnostic, ...]]:
    """The NTK alone, by MOMENTs of the backward program; arguments and faults as of `infer_kernels`."""
    verify_network(network)
    pairs = infer_pairs(flat_rows(network, inputs), None if inputs2 is None else flat_rows(network, inputs2))
    across, within = templates(network, pairs, tol, clock=Clock(budget))
    with _existence(network, "NTK"):
        parts, _ = _tangent(network, pairs, across, within, "backward", False)
    total = _total(list(parts.values()), _shape(network, pairs))
    return total, tuple(_not_reached(network, "NTK", total, tol, budget))


def _tangent(
    network: Program, pairs: Pairs, across: Template | None, within: Template | None, method: str, classes: bool
) -> tuple[dict[str, Kernel], dict[str, Kernel]]:
    """(contributions by parameter, and by class of isomorphic paths where they are asked for)."""
    if method == "paths":
        parts = _assembled(network, pairs, across, within, path_contributions)
        ntk = {k: v for k, v in parts.items() if not k.startswith("paths ")}
        found = {k.removeprefix("paths "): v for k, v in parts.items() if k.startswith("paths ")}
    else:
        ntk = _assembled(network, pairs, across, within, _by_moments(ntk_terms))
        found = {}
        if classes:
            parts = _assembled(network, pairs, across, within, path_contributions)
            found = {k.removeprefix("paths "): v for k, v in parts.items() if k.startswith("paths ")}
    return ntk, found


@contextmanager
def _existence(network: Program, name: str) -> Iterator[None]:
    """Turns an expectation that diverges into what a user is told; raises NetsorError."""
    try:
        yield
    except NoNumber as fault:
        readout = network.readouts[0] if network.readouts else None
        where = network.by_name.get(readout.terms[0][2]) if readout and readout.terms else None
        unknown = isinstance(fault, Unsettled)
        raise NetsorError(
            Diagnostic(
                "E804" if unknown else "E801",
                f"the {name} of `{network.name}` {'could not be computed' if unknown else 'does not exist'}: {fault}",
                where.span if where else None,
                label="the readout is taken of this",
                notes=(
                    "a kernel is a sum of products of expectations (Eqs. 97–100), and one of them "
                    + ("was not found" if unknown else "diverges"),
                ),
            )
        ) from None


def _not_reached(network: Program, name: str, kernel: Kernel, tol: float, budget: float | None) -> list[Diagnostic]:
    """W901 where the bound on the error of a kernel is larger than was asked for."""
    size = float(np.abs(kernel.value).max(initial=0.0))
    error = float(kernel.error.max(initial=0.0))
    if error <= max(tol, _ROUNDING) * size:
        return []
    where = np.unravel_index(int(np.argmax(kernel.error)), kernel.error.shape)
    more = "give more time with `--budget SECONDS`, or " if budget is not None else ""
    hint = more + "accept this error with a larger `--tol`"
    return [
        Diagnostic(
            "W901", f"the {name} of `{network.name}` was not reached to the tolerance asked for", severity="warning",
            notes=(
                f"the error bound is {error:.1e}, for rows {where[0] + 1} and {where[1] + 1}, and {tol:.1e} of the "
                f"largest entry is {tol * size:.1e}",
            ),
            hint=hint,
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class Covariances(Shown):
    """The NNGP kernel alone, of `inputs` rows, with |value − limit| ≤ error."""

    inputs: int
    nngp: Kernel
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    @property
    def value(self) -> Array:
        return self.nngp.value

    @property
    def error(self) -> Array:
        return self.nngp.error

    def as_dict(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "nngp": self.nngp.as_dict()}


def infer_nngp(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    tol: float = 1e-10,
    progress: Callable[[str], None] | None = None,
    budget: float | None = None,
) -> Covariances:
    """The NNGP kernel alone: covariances of the readouts at initialization, from the forward pass alone.

    Arguments as of `infer_kernels`; the nonlinearities need no derivative. Raises NetsorError for inputs of a wrong
    shape, where the covariance is not known (E617) and where it does not exist (E801).
    """
    verify_network(network)
    kinds = verify_covariance(network)
    found, said = _forward_kernel(network, inputs, inputs2, partial(nngp_terms, kinds), tol, progress, budget)
    return Covariances(len(flat_rows(network, inputs)), found, said)


def infer_gram(network: Program, inputs: Any, tol: float = 1e-10, budget: float | None = None) -> Kernel:
    """The limit of the Σ of Eq. 71 on all rows: covariances of the readouts given their embeddings."""
    return _forward_kernel(network, inputs, None, gram_terms, tol, None, budget)[0]


def _forward_kernel(
    network: Program,
    inputs: Any,
    inputs2: Any,
    terms: Callable[..., list[KernelTerm]],
    tol: float,
    progress: Callable[[str], None] | None,
    budget: float | None,
) -> tuple[Kernel, tuple[Diagnostic, ...]]:
    x = flat_rows(network, inputs)
    pairs = infer_pairs(x, None if inputs2 is None else flat_rows(network, inputs2))
    across, within = templates(network, pairs, tol, clock=Clock(budget), backward=False)
    if progress:
        progress(f"{len(pairs.left)} pairs of {len(pairs.inputs)} inputs")
    with _existence(network, "NNGP"):
        found = _single(network, pairs, across, within, terms)
    return found, tuple(_not_reached(network, "NNGP", found, tol, budget))


def _single(
    network: Program, pairs: Pairs, across: Template | None, within: Template | None,
    terms: Callable[..., list[KernelTerm]],
) -> Kernel:  # fmt: skip
    """A kernel to which no parameter contributes."""
    found = _assembled(network, pairs, across, within, _by_moments(terms)).get("")
    shape = _shape(network, pairs)
    return found or Kernel(np.zeros(shape), np.zeros(shape))


def _shape(network: Program, pairs: Pairs) -> tuple[int, ...]:
    count = len(network.readouts)
    return (len(pairs.row), len(pairs.column)) + (count, count) * (count > 1)


Contributions = Callable[[Template, int, int], dict[str, tuple[Array, Array]]]


def _by_moments(terms: Callable[..., list[KernelTerm]]) -> Contributions:
    """Contributions to a kernel by parameter, each a sum of products of MOMENTs."""

    def evaluate(t: Template, a: int, b: int) -> dict[str, tuple[Array, Array]]:
        out: dict[str, tuple[Array, Array]] = {}
        domain = "LR" if t.examples[0] != t.examples[1] else "L"
        for term in terms(t.made, *t.examples, a, b):
            factors = [t.batch.moment(psi) for psi in term.moments]
            if term.rows is not None:
                factors.append(t.batch.inputs.inner(*term.rows))
            value, error = product(t.batch, factors, domain)
            before = out.get(term.parameter, (0.0, 0.0))
            out[term.parameter] = (before[0] + term.scale * value, before[1] + abs(term.scale) * error)
        return out

    return evaluate


def _assembled(
    network: Program, pairs: Pairs, across: Template | None, within: Template | None, f: Contributions
) -> dict[str, Kernel]:
    count = len(network.readouts)
    parts: dict[str, list[Array]] = {}
    for k, (t, size) in enumerate(((across, len(pairs.left)), (within, len(pairs.own)))):
        if t is None:
            continue
        for a in range(count):
            for b in range(count):
                for name, (value, error) in f(t, a, b).items():
                    if name not in parts:
                        sizes = [len(pairs.left)] * 2 + [len(pairs.own)] * 2
                        parts[name] = [np.zeros((n, count, count)) for n in sizes]
                    parts[name][2 * k][:, a, b] = value
                    parts[name][2 * k + 1][:, a, b] = error
        assert size
    out = {}
    for name, (v, e, own, own_e) in parts.items():
        value, error = pairs.assembled(v, own), pairs.assembled(e, own_e)
        out[name] = Kernel(value, error) if count > 1 else Kernel(value[..., 0, 0], error[..., 0, 0])
    return out


def _total(parts: Sequence[Kernel], shape: tuple[int, ...]) -> Kernel:
    value, error = np.zeros(shape), np.zeros(shape)
    for p in parts:
        value, error = value + p.value, error + p.error
    return Kernel(value, error)


def verify_network(network: Program) -> None:
    """Raises NetsorError for a program that is no network."""
    if network.kind != "network":
        raise NetsorError(
            Diagnostic(
                "E609",
                f"`{network.name or 'the file'}` is a program, and kernels belong to a network",
                hint="start the file with `network NAME(ξ : 3)` and end it with `output f := vᵀ x / √n`",
            )
        )


def verify_path_formula(network: Program) -> None:
    """Raises NetsorError where Eq. 96 misses terms: it needs that no matrix and its transpose are both forward (A2)."""
    from netsor.check.assumptions import infer_assumptions

    found = infer_assumptions(network)
    a2, gia = found["A2"], found["GIA"]
    if not a2.holds:
        raise NetsorError(
            Diagnostic(
                "E611",
                f"the sum over paths does not hold for `{network.name}`: {a2.because}",
                a2.span,
                label="W and Wᵀ are both forward",
                notes=("Żs that pair the backward pass with itself do not vanish then, and Eqs. 95–96 leave them out",),
                hint="use `--method backward`, which has no such restriction",
            )
        )
    if not gia.holds:
        raise NetsorError(
            Diagnostic(
                "E611",
                f"the sum over paths does not hold for `{network.name}`: {gia.because}",
                gia.span,
                notes=("Eq. 103 uses the Simple GIA Check",),
                hint="use `--method backward`",
            )
        )

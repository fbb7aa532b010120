"""NNGP and NTK of a network at infinite width, for all pairs of rows, with error bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from netsor.check.outputs import verify_covariance
from netsor.core import Program
from netsor.deadline import TimeOver, is_stopped, limited
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.diagnostics.catalogue import networks
from netsor.diagnostics.catalogue.limits import no_kernel, out_of_time
from netsor.diagnostics.catalogue.networks import uniform_paths
from netsor.gaussian.problem import Clock, NoNumber, NoPointwiseMeaning, NotTaken, OutOfRange, Unsettled
from netsor.kernels.advice import kinks_met, not_reached
from netsor.kernels.by_entry import has_uniform_inputs, kernels_by_entry
from netsor.kernels.jumps import verify_no_jump
from netsor.kernels.pairs import Pairs, Template, flat_rows, infer_pairs, named_examples, own_template, templates
from netsor.kernels.paths import path_contributions
from netsor.kernels.tables import Asked, Request, tabulate, tabulate_own
from netsor.kernels.tables import Kernel as Kernel
from netsor.kernels.terms import KernelTerm, gram_terms, nngp_terms, ntk_terms
from netsor.limit.collection import rarely_collected
from netsor.limit.many.frames import Step
from netsor.limit.many.terms import Taken, Term
from netsor.progress import Counts, Progress
from netsor.shown import Shown

Array = np.ndarray


@dataclass(frozen=True, repr=False)
class Kernels(Shown):
    """The NNGP kernel (the covariance of the readouts) and the NTK (Eq. 98), with the contribution of each parameter.

    `nngp` is None where it is not known, for the reason in `diagnostics` (E617).
    """

    inputs: int
    nngp: Kernel | None
    ntk: Kernel
    by_parameter: dict[str, Kernel] = field(default_factory=dict)
    classes: dict[str, Kernel] = field(default_factory=dict)
    expectations: tuple[Taken, ...] = field(default=(), repr=False)
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        nngp = None if self.nngp is None else self.nngp.as_dict()
        out: dict[str, Any] = {"inputs": self.inputs, "nngp": nngp, "ntk": self.ntk.as_dict()}
        if self.by_parameter:
            out["by_parameter"] = {k: v.as_dict() for k, v in self.by_parameter.items()}
        if self.classes:
            out["paths"] = {k: v.as_dict() for k, v in self.classes.items()}
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The NTK as numpy takes it."""
        return np.array(self.ntk.value, dtype=dtype, copy=copy)


METHODS = ("backward", "paths")


def infer_kernels(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    method: str = "backward",
    tol: float = 1e-10,
    by_parameter: bool = False,
    classes: bool = False,
    progress: Progress | None = None,
    budget: float | None = None,
) -> Kernels:
    """The kernels on all rows of `inputs` (N, d) or (N, T, d), against those of `inputs2` if given.

    `backward` takes MOMENTs of the backward program (Eqs. 97–100), `paths` sums over isomorphic paths (Eq. 96), which
    needs Assumption A2. Entries for which `budget` seconds do not suffice have a larger error, with a warning in
    `diagnostics` (W901). Raises NetsorError: a program (E609), a path formula that does not hold (E611), inputs of a
    wrong shape (E654, E655), a kernel that does not exist (E801), a jump in a parameter (E803), a kernel that could not
    be computed (E804), an unknown method (E705).
    """
    verify_network(network)
    if method not in METHODS:
        raise NetsorError(faults.bad_choice("method", method, METHODS))
    with in_time(network, "kernels", budget):
        return _kernels(network, inputs, inputs2, method, tol, by_parameter, classes, progress, budget)


def _kernels(
    network: Program, inputs: Any, inputs2: Any, method: str, tol: float, by_parameter: bool, classes: bool,
    progress: Progress | None, budget: float | None,
) -> Kernels:  # fmt: skip
    x = flat_rows(network, inputs)
    y = None if inputs2 is None else flat_rows(network, inputs2)
    pairs = infer_pairs(x, y)
    with_paths = method == "paths" or classes
    if with_paths:
        verify_path_formula(network)
    if has_uniform_inputs(network):
        return _kernels_by_entry(network, x, y, tol, by_parameter, budget)
    kept = frozenset(t.name for t in network.train or () if t.name in network.group_of) if with_paths else frozenset()
    clock = _clock(budget, pairs, progress)
    with templates(network, pairs, tol, ("kernels", method, by_parameter, classes), kept) as (across, within):
        verify_no_jump(network, across or within, pairs.inputs, True)
        said: list[Diagnostic] = []
        requests = []
        try:
            covariance = partial(nngp_terms, verify_covariance(network))
        except NetsorError as fault:
            # The NTK exists even where the covariance of the outputs is not known.
            said = list(fault.diagnostics)
        else:
            requests.append(_request(network, "NNGP", across, within, by_moments(covariance)))
        has_covariance = bool(requests)
        tangent = path_contributions if method == "paths" else by_moments(ntk_terms)
        requests.append(_request(network, "NTK", across, within, tangent, by_parameter or classes))
        if classes and method != "paths":
            requests.append(_request(network, "NTK", across, within, path_contributions, True, "paths"))
        made = tabulate(pairs, across, within, requests, len(network.readouts), clock)
        first = _only(network, pairs, made[0]) if has_covariance else None
        tangents = made[len(requests) - 1 - (classes and method != "paths")]
        total = tangents.pop("", None) or _only(network, pairs, {})
        ntk = {k: v for k, v in tangents.items() if not k.startswith("paths ")}
        found = {k.removeprefix("paths "): v for k, v in made[-1].items() if k.startswith("paths ")}
        said += not_reached(network, {"NNGP": first, "NTK": total}, tol, budget)
        said += kinks_met(network, named_examples(network, x if y is None else np.concatenate([x, y])))
        parts = (ntk if by_parameter else {}, found if classes else {})
        return Kernels(len(x), first, total, *parts, _taken(across, within), tuple(said))


def _kernels_by_entry(
    network: Program, x: Array, y: Array | None, tol: float, by_parameter: bool, budget: float | None
) -> Kernels:
    """The kernels of a network with uniform input matrices."""
    said: list[Diagnostic] = []
    terms: dict[str, Any] = {"NTK": ntk_terms}
    try:
        terms["NNGP"] = partial(nngp_terms, verify_covariance(network))
    except NetsorError as fault:
        said = list(fault.diagnostics)
    made = kernels_by_entry(network, x, y, terms, True, tol, budget)
    said += not_reached(network, {name: made.get(name) for name in ("NNGP", "NTK")}, tol, budget)
    said += kinks_met(network, named_examples(network, x if y is None else np.concatenate([x, y])))
    parts = {name.removeprefix("NTK "): k for name, k in made.items() if name.startswith("NTK ") and by_parameter}
    return Kernels(len(x), made.get("NNGP"), made["NTK"], parts, {}, (), tuple(said))


def infer_ntk(
    network: Program, inputs: Any, inputs2: Any = None, tol: float = 1e-10, budget: float | None = None
) -> tuple[Kernel, tuple[Diagnostic, ...]]:
    """The NTK alone, by MOMENTs of the backward program; arguments and errors are those of `infer_kernels`."""
    verify_network(network)
    if has_uniform_inputs(network):
        made = infer_kernels(network, inputs, inputs2, tol=tol, budget=budget)
        return made.ntk, tuple(d for d in made.diagnostics if d.code != "E617")
    pairs = infer_pairs(flat_rows(network, inputs), None if inputs2 is None else flat_rows(network, inputs2))
    clock = Clock(budget)
    with in_time(network, "NTK", budget), templates(network, pairs, tol, "NTK") as (across, within):
        verify_no_jump(network, across or within, pairs.inputs, True)
        request = _request(network, "NTK", across, within, by_moments(ntk_terms))
        total = _only(network, pairs, tabulate(pairs, across, within, [request], len(network.readouts), clock)[0])
    return total, tuple(whole(not_reached(network, {"NTK": total}, tol, budget)))


@contextmanager
def in_time(network: Program, name: str, budget: float | None) -> Iterator[None]:
    """A block that ends with its budget (`netsor.deadline.limited`); raises NetsorError (E804) where it is cut."""
    try:
        with limited(budget), rarely_collected():
            yield
    except TimeOver:
        raise NetsorError(out_of_time(f"the {name} of `{network.name}`", None, is_stopped())) from None


@contextmanager
def existence(network: Program, name: str) -> Iterator[None]:
    """Turns an expectation without a value into a diagnostic for the user; raises NetsorError (E801, E804)."""
    try:
        yield
    except (NoNumber, NoPointwiseMeaning) as fault:
        readout = network.readouts[0] if network.readouts else None
        where = network.by_name.get(readout.terms[0][2]) if readout and readout.terms else None
        unknown, beyond = isinstance(fault, (Unsettled, NotTaken)), isinstance(fault, OutOfRange)
        span = where.span if where else None
        raise NetsorError(no_kernel(name, network.name, fault, span, unknown, beyond)) from None


def whole(said: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The warnings beside a kernel that is needed as a whole; raises NetsorError (E804) where entries are missing."""
    found = list(said)
    if missing := [d for d in found if d.code == "E804"]:
        raise NetsorError(missing)
    return found


@dataclass(frozen=True, repr=False)
class Covariances(Shown):
    """The NNGP kernel alone, of `inputs` rows, with |value − limit| ≤ error."""

    inputs: int
    nngp: Kernel
    expectations: tuple[Taken, ...] = field(default=(), repr=False)
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    @property
    def value(self) -> Array:
        return self.nngp.value

    @property
    def error(self) -> Array:
        return self.nngp.error

    def as_dict(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "nngp": self.nngp.as_dict()}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The values as numpy takes it."""
        return np.array(self.value, dtype=dtype, copy=copy)


def infer_nngp(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    tol: float = 1e-10,
    progress: Progress | None = None,
    budget: float | None = None,
) -> Covariances:
    """The NNGP kernel alone: covariances of the readouts at initialization, from the forward pass alone.

    Arguments are those of `infer_kernels`; the nonlinearities need no derivative. Raises NetsorError: inputs of a wrong
    shape (E654), a covariance that is not known (E617) or does not exist (E801).
    """
    verify_network(network)
    kinds = verify_covariance(network)
    return _forward_kernel(network, inputs, inputs2, "NNGP", partial(nngp_terms, kinds), tol, progress, budget)


def infer_diagonal(
    network: Program, inputs: Any, which: str = "nngp", tol: float = 1e-10, budget: float | None = None
) -> Kernel:
    """A kernel ("nngp" or "ntk") of every row with itself: shape (N,), or (N, outputs, outputs).

    The entries are those on the diagonal of `infer_nngp` and `infer_ntk`, which raise the same faults.
    """
    verify_network(network)
    x = flat_rows(network, inputs)
    tangent = which == "ntk"
    terms: Callable[..., list[KernelTerm]]
    terms = ntk_terms if tangent else partial(nngp_terms, verify_covariance(network))
    if has_uniform_inputs(network):
        return kernels_by_entry(network, x, None, {which: terms}, tangent, tol, budget, diagonal=True)[which]
    count = len(network.readouts)
    shape = (len(x),) + (count, count) * (count > 1)
    clock = Clock(budget)
    lent = own_template(network, x, tol, ("diagonal", which), backward=tangent)
    with in_time(network, which.upper(), budget), lent as within:
        verify_no_jump(network, within, x, tangent)
        request = _request(network, which.upper(), None, within, by_moments(terms))
        return tabulate_own(within, request, shape, clock)


def infer_gram(network: Program, inputs: Any, tol: float = 1e-10, budget: float | None = None) -> Kernel:
    """The limit of the Σ of Eq. 71 on all rows: covariances of the readouts given their embeddings."""
    found = _forward_kernel(network, inputs, None, "gram", gram_terms, tol, None, budget)
    whole(found.diagnostics)
    return found.nngp


def _forward_kernel(
    network: Program,
    inputs: Any,
    inputs2: Any,
    purpose: str,
    terms: Callable[..., list[KernelTerm]],
    tol: float,
    progress: Progress | None,
    budget: float | None,
) -> Covariances:
    x = flat_rows(network, inputs)
    y = None if inputs2 is None else flat_rows(network, inputs2)
    if has_uniform_inputs(network):
        found = kernels_by_entry(network, x, y, {"NNGP": terms}, False, tol, budget)["NNGP"]
        return Covariances(len(x), found, (), tuple(not_reached(network, {"NNGP": found}, tol, budget)))
    pairs = infer_pairs(x, y)
    clock = _clock(budget, pairs, progress)
    lent = templates(network, pairs, tol, purpose, backward=False)
    with in_time(network, "NNGP", budget), lent as (across, within):
        verify_no_jump(network, across or within, pairs.inputs, False)
        request = _request(network, "NNGP", across, within, by_moments(terms))
        made = tabulate(pairs, across, within, [request], len(network.readouts), clock)
        taken = _taken(across, within)
    found = _only(network, pairs, made[0])
    said = tuple(not_reached(network, {"NNGP": found}, tol, budget))
    return Covariances(len(x), found, taken, said)


def _taken(*made: Template | None) -> tuple[Taken, ...]:
    """The expectations that were computed; the two templates share their records."""
    records = next((m.inputs.records for m in made if m is not None), {})
    return tuple(records.values())


def _clock(budget: float | None, pairs: Pairs, progress: Progress | None) -> Clock:
    """The clock of a kernel, whose steps are told with the number of its entries."""
    if progress is None:
        return Clock(budget)
    progress(f"{len(pairs.row)} × {len(pairs.column)} entries of {len(pairs.inputs)} inputs")
    return Clock(budget, counts=Counts(progress))


def _only(network: Program, pairs: Pairs, made: dict[str, Kernel]) -> Kernel:
    """The sum of all contributions, which is zero where there are none."""
    count = len(network.readouts)
    shape = (len(pairs.row), len(pairs.column)) + (count, count) * (count > 1)
    return made.get("") or Kernel(np.zeros(shape), np.zeros(shape))


# Gives the contributions to a kernel of each parameter, for two readouts.
Contributions = Callable[[Template, int, int], dict[str, Step]]


def by_moments(terms: Callable[..., list[KernelTerm]]) -> Contributions:
    """Contributions of each parameter to a kernel, as sums of products of MOMENTs."""

    def evaluate(t: Template, a: int, b: int) -> dict[str, Step]:
        out: dict[str, list[Term]] = {}
        for term in terms(t.made, *t.examples, a, b):
            factors = [t.evaluator.moment(psi) for psi in term.moments]
            if term.rows is not None:
                factors.append(t.evaluator.inner(*term.rows))
            out.setdefault(term.parameter, []).append(Term(term.scale, tuple(factors)))
        return {name: t.evaluator.total(made) for name, made in out.items()}

    return evaluate


def _summands(parts: dict[str, Step]) -> list[Term]:
    return [Term(1.0, (s,)) for name, s in parts.items() if not name.startswith("paths ")]


def _request(
    network: Program, name: str, across: Template | None, within: Template | None, contributions: Contributions,
    apart: bool = False, kind: str = "",
) -> Request:  # fmt: skip
    """A kernel as the sum of its contributions, under the name "", and with `apart` also each contribution.

    `kind` tells kernels of one name apart that are asked of one template.
    """
    count = range(len(network.readouts))

    def asked(t: Template | None) -> Asked:
        if t is None:
            return {}
        key = name, kind, t.examples
        if key not in t.asked:
            t.asked[key] = steps(t)
        return t.asked[key]

    def steps(t: Template) -> Asked:
        table = [[contributions(t, a, b) for b in count] for a in count]
        names = dict.fromkeys(name for row in table for parts in row for name in parts)
        zero = t.evaluator.zero
        out = {n: [[parts.get(n, zero) for parts in row] for row in table] for n in names if n} if apart else {}
        whole = [[t.evaluator.total(_summands(parts)) for parts in row] for row in table]
        return {"": whole, **out} if names else {}

    guard = partial(existence, network, name)
    with guard():
        return Request(asked(across), asked(within), guard)


def verify_network(network: Program) -> None:
    """Raise NetsorError (E609) for a program, which has no kernels."""
    if network.kind != "network":
        raise NetsorError(networks.no_kernels(network.name))


def verify_path_formula(network: Program) -> None:
    """Raise NetsorError (E611) where Eq. 96 does not hold: W and Wᵀ are both forward (A2), or the GIA check fails."""
    from netsor.check.assumptions import infer_assumptions

    found = infer_assumptions(network)
    a2, gia = found["A2"], found["GIA"]
    uniform = [u.span for u in network.input_matrices if u.bounds] + [g.span for g in network.groups if g.bounds]
    if uniform:
        raise NetsorError(uniform_paths(network.name, uniform[0]))
    if not a2.holds:
        raise NetsorError(networks.paths_both_forward(network.name, a2.because, a2.span))
    if not gia.holds:
        raise NetsorError(networks.paths_without_gia(network.name, gia.because, gia.span))

"""NNGP and NTK of a network at finite width: the sums of the limit, with means over n coordinates of each draw."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from netsor.averages import mean, standard_error
from netsor.check.outputs import verify_covariance
from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.expr import WIDTH, Add, Const, Expr, Mul, Sym
from netsor.expr.arrays import lambdify
from netsor.finite import run_vectors
from netsor.finite.affordable import SEEDS, Affordable, infer_width
from netsor.finite.arguments import draws_of, width_of
from netsor.kernels.kernel import verify_network
from netsor.kernels.pairs import flat_rows, shaped_rows
from netsor.kernels.terms import KernelTerm, nngp_terms, ntk_terms
from netsor.shown import Shown
from netsor.transform.backward import Passes, passes
from netsor.transform.examples import inner
from netsor.transform.forward import Instances, instances

Array = np.ndarray
# Gives the terms of a kernel for two examples (p, q) and two readouts (a, b).
Terms = Callable[[Any, int, int, int, int], list[KernelTerm]]


@dataclass(frozen=True, repr=False)
class EmpiricalKernel(Shown):
    """`values` have shape (seeds, N, M), or (seeds, N, M, outputs, outputs) for several readouts."""

    values: Array

    @property
    def mean(self) -> Array:
        return mean(self.values)

    @property
    def stderr(self) -> Array | None:
        """The standard error of the mean; None for one seed."""
        k = len(self.values)
        return None if k < 2 else standard_error(self.values)

    def as_dict(self) -> dict[str, Any]:
        stderr = self.stderr
        return {
            "value": self.mean.tolist(), "error": None if stderr is None else float(stderr.max(initial=0.0)),
            "stderr": None if stderr is None else stderr.tolist(),
        }  # fmt: skip

    def by_entry(self) -> dict[str, Any]:
        """Mean and standard error of each entry, as `netsor eval` gives them of each output."""
        stderr = self.stderr
        return {"mean": self.mean.tolist(), "stderr": None if stderr is None else stderr.tolist()}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The mean over the draws as numpy takes it."""
        return np.array(self.mean, dtype=dtype, copy=copy)


@dataclass(frozen=True, repr=False)
class EmpiricalKernels(Shown):
    """The kernels of `seeds` draws at width n: covariances of the outputs (NNGP), and ⟨∇f, ∇f'⟩ (NTK, Eq. 98)."""

    inputs: int
    width: int
    seeds: int
    # None where the sum is not a covariance of the outputs, for a reason given in the diagnostics.
    nngp: EmpiricalKernel | None
    ntk: EmpiricalKernel
    by_parameter: dict[str, EmpiricalKernel]
    diagnostics: tuple[Diagnostic, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "inputs": self.inputs, "width": self.width, "seeds": self.seeds,
            "nngp": None if self.nngp is None else self.nngp.as_dict(), "ntk": self.ntk.as_dict(),
        }  # fmt: skip
        if self.by_parameter:
            out["by_parameter"] = {k: v.as_dict() for k, v in self.by_parameter.items()}
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The NTK as numpy takes it."""
        return np.array(self.ntk.mean, dtype=dtype, copy=copy)


@dataclass(frozen=True, repr=False)
class EmpiricalCovariances(Shown):
    """The NNGP kernel alone, of `seeds` draws at width n."""

    inputs: int
    width: int
    seeds: int
    nngp: EmpiricalKernel
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def mean(self) -> Array:
        return self.nngp.mean

    @property
    def stderr(self) -> Array | None:
        return self.nngp.stderr

    def as_dict(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "width": self.width, "seeds": self.seeds, "nngp": self.nngp.as_dict()}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The mean over the draws as numpy takes it."""
        return np.array(self.mean, dtype=dtype, copy=copy)


def infer_empirical_kernels(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    *,
    width: int,
    seeds: int = 1,
    seed: int = 0,
    by_parameter: bool = False,
    progress: Callable[..., None] | None = None,
    **options: Any,
) -> EmpiricalKernels:
    """The kernels at width n on all rows of `inputs`, (N, d) or (N, T, d), against those of `inputs2` if given.

    They are inner products of the vectors of the backward program (Eqs. 97–99), exact for each draw. `options` are
    those of `netsor.finite.run_vectors`. Raises NetsorError: a program (E609), inputs of a wrong shape (E654), a width
    that is not a positive integer (E701), a run that does not fit the memory (E702).
    """
    verify_network(network)
    said: tuple[Diagnostic, ...] = ()
    covariance: Terms | None = None
    try:
        covariance = partial(nngp_terms, verify_covariance(network))
    except NetsorError as fault:
        said = fault.diagnostics
    drawn = _Drawn.of(network, inputs, inputs2, width, seeds, True)

    def terms(made: Instances, *at: int) -> list[KernelTerm]:
        assert isinstance(made, Passes)
        return [*(covariance(made, *at) if covariance else ()), *ntk_terms(made, *at)]

    parts = drawn.kernels(terms, seed, progress, options)
    zero = np.zeros(drawn.shape)
    done = max((len(p.values) for p in parts.values()), default=len(zero))
    zero = zero[:done]
    nngp = parts.pop("", EmpiricalKernel(zero))
    total = EmpiricalKernel(sum((p.values for p in parts.values()), zero))
    first = nngp if covariance else None
    return EmpiricalKernels(drawn.count, drawn.n, done, first, total, parts if by_parameter else {}, said)


def infer_empirical_nngp(
    network: Program,
    inputs: Any,
    inputs2: Any = None,
    *,
    width: int,
    seeds: int = 1,
    seed: int = 0,
    progress: Callable[..., None] | None = None,
    **options: Any,
) -> EmpiricalCovariances:
    """The NNGP kernel alone at width n, from the forward pass alone; arguments and errors as above, and also E617."""
    verify_network(network)
    covariance = partial(nngp_terms, verify_covariance(network))
    drawn = _Drawn.of(network, inputs, inputs2, width, seeds, False)
    nngp = drawn.kernels(covariance, seed, progress, options).get("", EmpiricalKernel(np.zeros(drawn.shape)))
    return EmpiricalCovariances(drawn.count, drawn.n, len(nngp.values), nngp)


# Vectors of so many rows are drawn one by one, and of more rows the program alone is long.
_MOST_ROWS = 60


def infer_kernel_width(network: Program, inputs: Any, inputs2: Any = None, nngp: bool = False) -> Affordable | None:
    """A large width at which the kernels, or the NNGP alone, take little time; None where there is none."""
    if len(flat_rows(network, inputs)) > _MOST_ROWS:
        return None
    try:
        covariance: Terms | None = partial(nngp_terms, verify_covariance(network))
    except NetsorError:
        covariance = None
    drawn = _Drawn.of(network, inputs, inputs2, 1, SEEDS, not nngp)

    def terms(made: Instances, *at: int) -> list[KernelTerm]:
        tangent = ntk_terms(made, *at) if isinstance(made, Passes) else []
        return [*(covariance(made, *at) if covariance else ()), *tangent]

    return infer_width(drawn.made.builder.build(network.name), (), drawn._vectors_of(terms))


@dataclass(frozen=True)
class _Drawn:
    """A network on its rows, to be drawn at width n; `shape` is the shape of its kernels, with the draws first."""

    made: Instances
    n: int
    draws: Sequence[int]
    rows: list[int]
    columns: list[int]

    @classmethod
    def of(cls, network: Program, inputs: Any, inputs2: Any, width: int, seeds: int, backward: bool) -> _Drawn:
        n, draws = width_of(width), draws_of(seeds)
        x = flat_rows(network, inputs)
        rows = x if inputs2 is None else np.concatenate([x, flat_rows(network, inputs2)])
        made = (passes if backward else instances)(network, shaped_rows(network, rows))
        columns = made.row_of[: len(x)] if inputs2 is None else made.row_of[len(x) :]
        return cls(made, n, draws, made.row_of[: len(x)], columns)

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        outputs = len(self.made.network.readouts)
        return (len(self.draws), len(self.rows), len(self.columns), *(outputs, outputs) * (outputs > 1))

    def kernels(
        self, terms: Terms, seed: int, progress: Callable[..., None] | None, options: Mapping[str, Any]
    ) -> dict[str, EmpiricalKernel]:
        """For each parameter the sum of its terms, over all draws."""
        program = self.made.builder.build(self.made.network.name)
        names = self._vectors_of(terms)
        found: dict[str, list[Array]] = {}
        lost: set[str] = set()
        needed = program.needed(names)
        # Once an entry was zero, or nearly so, it is watched where numbers fall below the floats.
        watched: dict[str, Any] = {}
        for k, draw in enumerate(self.draws):
            lost.clear()
            if progress:
                progress(f"draw {k + 1} of {len(self.draws)}")
            try:
                values = run_vectors(program, self.n, seed, names, draw=draw, **options, **watched)
            except KeyboardInterrupt:
                # The draws that are finished are told; `seeds` says how many there are.
                if not found:
                    raise
                break
            sample = _Sample(self.made, terms, {name: np.asarray(v) for name, v in values.items()}, self.n)
            kernels = sample.kernels(self.rows, self.columns)
            if sample.is_tiny(kernels):
                if not watched:
                    watched = {"underflow": lost.add}
                    run_vectors(program, self.n, seed, names, draw=draw, **options, **watched)
                if sample.underflows(self.rows, self.columns) or not lost.isdisjoint(needed):
                    dtype = str(options.get("dtype", "float64"))
                    raise NetsorError(faults.kernel_lost_to_underflow(self.made.network.name, dtype, self.n, draw))
            for name, kernel in kernels.items():
                if not np.all(np.isfinite(kernel)):
                    raise NetsorError(faults.kernel_not_finite(self.made.network.name, self.n, draw))
                found.setdefault(name, []).append(kernel)
        return {name: EmpiricalKernel(np.array(v)) for name, v in found.items()}

    def _vectors_of(self, terms: Terms) -> list[str]:
        """The vectors in the terms of a kernel."""
        names: dict[str, None] = {}
        for p in range(len(self.made.examples)):
            for a in range(len(self.made.network.readouts)):
                for term in terms(self.made, p, p, a, a):
                    for psi in term.moments:
                        vectors = psi.free - {WIDTH}
                        names.update((str(s.name), None) for s in sorted(vectors, key=lambda s: s.digest))
        return list(names)


@dataclass
class _Sample:
    """The vectors of one draw, and the kernels that they give."""

    made: Instances
    terms: Terms
    vectors: dict[str, Array]
    n: int
    watching: bool = False

    def kernels(self, rows: list[int], columns: list[int]) -> dict[str, Array]:
        """For each parameter the sum of its terms; the NNGP kernel has no parameter and is named ""."""
        count = len(self.made.network.readouts)
        shape = (len(rows), len(columns), count, count)
        out: dict[str, Array] = {}
        known: dict[tuple[int, int, int, int], dict[str, float]] = {}
        for i, p in enumerate(rows):
            for j, q in enumerate(columns):
                for a in range(count):
                    for b in range(count):
                        key = (p, q, a, b)
                        if key not in known:
                            known[key] = known[q, p, b, a] = self._entry(*key)
                        for name, value in known[key].items():
                            out.setdefault(name, np.zeros(shape))[i, j, a, b] = value
        return {name: v if count > 1 else v[..., 0, 0] for name, v in out.items()}

    def is_tiny(self, kernels: Mapping[str, Array]) -> bool:
        """Whether an entry of the sum of these kernels is below the normal numbers of the vectors' precision."""
        dtype = np.result_type(np.float32, *self.vectors.values())
        return bool(kernels) and bool(np.any(abs(sum(kernels.values())) < np.finfo(dtype).tiny))

    def underflows(self, rows: list[int], columns: list[int]) -> bool:
        """Whether a product in an entry that is tiny falls below the floats."""
        count = range(len(self.made.network.readouts))
        watching = replace(self, watching=True)
        for p, q, a, b in itertools.product(set(rows), set(columns), count, count):
            if abs(sum(self._entry(p, q, a, b).values())) < np.finfo(float).tiny:
                try:
                    with np.errstate(under="raise"):
                        watching._entry(p, q, a, b)
                except FloatingPointError:
                    return True
        return False

    def _mean(self, psi: Expr) -> float:
        """(1/n) Σ_α ψ, computed as an inner product where ψ is a product of two vectors."""
        if isinstance(psi, Add):
            return sum(self._mean(term) for term in psi.children)
        factors = psi.children if isinstance(psi, Mul) else (psi,)
        vectors = [f for f in factors if isinstance(f, Sym) and f is not WIDTH]
        numbers = [f for f in factors if isinstance(f, Const)]
        if len(vectors) == 2 and len(vectors) + len(numbers) == len(factors):
            x, y = (self.vectors[str(v.name)] for v in vectors)
            if self.watching:  # an inner product of a library does not tell
                return float(np.prod([float(c.value) for c in numbers]) * np.mean(x * y))
            return float(np.prod([float(c.value) for c in numbers]) * np.dot(x, y) / self.n)
        symbols = sorted(psi.free, key=lambda s: s.digest)
        f = lambdify((psi,), tuple(symbols))
        values = (float(self.n) if s is WIDTH else self.vectors[str(s.name)] for s in symbols)
        return float(np.mean(f(*values)[0]))

    def _entry(self, p: int, q: int, a: int, b: int) -> dict[str, float]:
        out: dict[str, float] = {}
        examples = self.made.examples
        numbers = {ref: row for e in (examples[p], examples[q]) for ref, row in e.sources.values()}
        for term in self.terms(self.made, p, q, a, b):
            # A numpy number, which tells of underflow where it is watched.
            value = np.float64(term.scale)
            for psi in term.moments:
                value *= self._mean(psi)
            if term.rows is not None:
                value *= inner(*(numbers[ref] for ref in term.rows))
            out[term.parameter] = out.get(term.parameter, 0.0) + float(value)
        return out

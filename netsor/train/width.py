"""Training of networks of a width: T steps of SGD on arrays, exact at every width (D.1.2).

The forward program and the backward program of `netsor.train.template` run on all rows of data at once. Parameters are
arrays: the vectors themselves, U ξ for every row ξ, and W as in `netsor.train.weights`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netsor.core import InputRef, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.expr import Const, Expr, Sym
from netsor.expr.arrays import lambdify
from netsor.finite import memory
from netsor.finite.arguments import count_of, draws_of, seed_of, width_of
from netsor.finite.device import device_of
from netsor.finite.execute import Job, compile_sweeps, constants_at, execute, execute_stages
from netsor.finite.plan import Plan, Product, Stage
from netsor.finite.prepare import choose, prepare, refuse_years
from netsor.finite.streams import Streams
from netsor.finite.sweep import Many, Underflow
from netsor.finite.workers import Workers, cores
from netsor.train.start import verify_residuals
from netsor.train.template import Leaf, Template, name_of, template
from netsor.train.weights import MovingWeights, fold_after
from netsor.transform.loss import Loss
from netsor.transform.sgd import Beginning, beginning

# More bytes than any width that can be written asks for.
NO_LIMIT = 10**1000
# Bytes for each thread beside the vectors that a run keeps.
SCRATCH = 20_000_000

Array = np.ndarray
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Schedule:
    """The batches of a run, as rows counted from 1, the learning rate, the loss, and the targets (rows, outputs)."""

    batches: Sequence[Sequence[int]]
    lr: float
    loss: Loss
    targets: Array


@dataclass(frozen=True)
class FiniteTraining:
    """What is the same for all networks of a training: the programs, the data, and the steps.

    `start` are the outputs at step 0, (rows, outputs), or None for the networks' own.
    """

    network: Program
    steps: Template
    begin: Beginning
    schedule: Schedule
    start: Array | None

    @classmethod
    def of(cls, network: Program, inputs: Any, test: Any, schedule: Schedule, start: Array | None) -> FiniteTraining:
        """Raises NetsorError for a network, rows or outputs that do not fit, before anything is drawn."""
        f0: Any = "network" if start is None else start.tolist()
        steps = template(network)
        return cls(steps.network, steps, beginning(network, inputs, test, f0), schedule, start)

    @property
    def rows(self) -> list[int]:
        """The example of each row, training rows first."""
        return [*self.begin.made.row_of, *self.begin.made.test_row_of]

    @property
    def drawn(self) -> list[str]:
        """The vectors that the steps begin with: v̂'s, initial vectors, and U ξ for every example."""
        plans = (self.steps.forward_plan, self.steps.backward_plan)
        used = {v for p in plans for s in p.stages for v in (*s.reads, *(x for q in s.products for x in q.vectors))}
        used |= set(self.steps.vectors)
        embeddings = [
            name_of(values[leaf.embedding]) for values in self.begin.made.values for leaf in self.steps.leaves
        ]
        names = [self.begin.hats.get(v, v) for v in self.network.group_of if v in used]
        return list(dict.fromkeys([*names, *embeddings]))

    @property
    def examples(self) -> int:
        return len(self.begin.made.examples)

    def terms(self, matrix: str) -> list[int]:
        """How many terms of rank one each step adds to a matrix."""
        return [len(set(batch)) * self.steps.uses(matrix) for batch in self.schedule.batches]

    def products(self, before: Plan) -> Plan:
        """The products of a whole run, for the rules of thumb of `netsor.finite.cost`."""
        stages = list(before.stages)
        for t in range(len(self.schedule.batches) + 1):
            passes = [(self.steps.forward_plan, self.examples)]
            if t < len(self.schedule.batches):
                passes.append((self.steps.backward_plan, len(set(self.schedule.batches[t]))))
            for plan, count in passes:
                for p in plan.products():
                    k = len(p.names) * count
                    stages.append(Stage(products=[Product(p.matrix, p.transposed, [""] * k, [""] * k)]))
        return Plan(stages, {})

    def capacity(self, matrix: str, n: int, engine: str) -> int:
        """The most terms of a matrix that are kept at once."""
        terms = self.terms(matrix)
        return sum(terms) if engine == "lazy" else min(sum(terms), fold_after(n) + max(terms, default=0))

    def bytes_needed(self, before: Plan, run: Plan, n: int, itemsize: int, engine: str, threads: int) -> int:
        """A bound on the bytes of a draw, from the plan of what precedes the steps and the products of the run."""
        dense = engine == "dense"
        batch = max((len(set(b)) for b in self.schedule.batches), default=0)
        live = memory.peak_vectors(before, dense)[0] + 2 * len(self.drawn)
        live += self.examples * memory.peak_vectors(self.steps.forward_plan, dense)[0]
        live += batch * memory.peak_vectors(self.steps.backward_plan, dense)[0]
        live += 2 * self.examples * len(self.steps.leaves)
        live += sum(2 * self.capacity(m, n, engine) for m in self.network.matrix)
        total = live * n * itemsize + threads * SCRATCH
        if dense:
            return total + len(run.matrices()) * n * n * itemsize
        return total + memory.basis_rows(run, n) * n * itemsize + memory.small_matrices(run, n)

    def run(
        self, width: int, seeds: int | Sequence[int], seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Array:
        """f_t of networks of a width, shape (seeds, T+1, rows, outputs); after Ctrl-C of those that were finished.

        Raises NetsorError as `netsor.finite.run` does, and E659 where the networks drawn cannot have the outputs
        `start`.
        """
        n, draws = width_of(width), draws_of(seeds)
        threads = options.pop("threads", None) or cores()
        job = self._job(n, count_of(draws), threads, **options)
        out = []
        with suppress(KeyboardInterrupt), Workers(threads) as workers:
            for i, draw in enumerate(draws):
                drawn = Network(self, job, Streams(seed_of(seed), draw, n), workers)

                def told(t: int, i: int = i) -> None:
                    if progress is not None:
                        part = t / max(1, len(self.schedule.batches))
                        progress((i + part) / len(draws), f"width {n}, network {i + 1} of {len(draws)}")

                out.append(drawn.descend(told))
        return np.array(out)

    def _job(
        self, n: int, draws: int, threads: int, dtype: str = "float64", engine: str = "auto",
        memory_limit: int | None = None, given: Mapping[str, Any] | None = None, device: str | None = None,
    ) -> Job:  # fmt: skip
        """The job of what precedes the steps, by the engine that is cheaper for the whole run."""
        place = device_of(device)
        if memory_limit is None and place is not None:
            memory_limit = min(memory.available(), place.free_bytes())

        def first(name: str) -> Job:
            # Memory and time are those of the whole run, which are looked at below.
            begin, drawn, lacking = self.begin.program, self.drawn, list(self.begin.lacking)
            return prepare(begin, n, lacking, drawn, dtype, name, NO_LIMIT, None, given, threads, (), device, 0)[0]

        weights = any(name in self.network.matrix for name in given or {})
        jobs = {name: first(name) for name in _engines(engine, weights)}
        plans = {name: self.products(job.plan) for name, job in jobs.items()}
        itemsize = np.dtype(dtype).itemsize

        def need(name: str, width: int) -> int:
            return self.bytes_needed(jobs[name].plan, plans[name], width, itemsize, name, threads)

        chosen, _, _ = choose(self.network, plans, need, n, itemsize, memory_limit, threads, weights)
        refuse_years(self.network, plans[chosen], n, itemsize, chosen, threads, draws)
        return jobs[chosen]


def _engines(engine: str, weights: bool) -> tuple[str, ...]:
    """The engines to compare; one that cannot run is refused by `prepare`."""
    if engine != "auto":
        return (engine,)
    return ("dense",) if weights else ("dense", "lazy")


class Network:
    """One network of a width while it is trained."""

    def __init__(self, training: FiniteTraining, job: Job, streams: Streams, workers: Workers):
        self.training, self.job, self.streams, self.workers = training, job, streams, workers
        self.n, self.steps, self.draw = job.width, training.steps, streams.index
        self.kernels = job.kernels(workers)
        self.engine = job.engine_for(streams, workers, training.products(job.plan).queries())
        capacity = {m: training.capacity(m, self.n, job.engine) for m in training.network.matrix}
        self.weights = MovingWeights(self.engine, self.kernels, self.n, self.steps.variances, capacity)
        self.forward, self.backward = (
            _job(job, program, plan, self.n)
            for program, plan in (
                (self.steps.forward, self.steps.forward_plan),
                (self.steps.backward, self.steps.backward_plan),
            )
        )
        scalars, store = execute(job, streams, workers, engine=self.weights)
        if training.start is not None:
            residuals = [scalars[name] for name in training.begin.lacking.values()]
            verify_residuals([np.array(x) for x in residuals], training.start, self.n)
        hats = training.begin.hats
        self.vectors: dict[str, Any] = {
            v: store[hats.get(v, v)] for v in training.network.group_of if hats.get(v, v) in store
        }
        for g in self.steps.forward.groups:
            # The vector of ones in which a number becomes a vector is in the programs of a step alone.
            if g.names[0] not in training.network.group_of:
                self.vectors[g.names[0]] = self.kernels.constant(self.n, g.mean[0])
        self.embeddings = Embeddings(training, self.kernels, self.n, store)
        self.slopes = [
            lambdify((s,), (*training.schedule.loss.outputs, *training.schedule.loss.targets))
            for s in training.schedule.loss.slopes
        ]

    def descend(self, told: Callable[[int], None]) -> Array:
        """f_t of every row for t = 0…T; shape (T+1, rows, outputs)."""
        start, batches, rows = self.training.start, self.training.schedule.batches, self.training.rows
        history = []
        lost: set[str] = set()
        # Once an output was zero, or nearly so, it is watched where numbers fall below the floats.
        watched: Underflow | None = None
        on_host: Network | None = None
        first: Array | None = None
        for t in range(len(batches) + 1):
            told(t)
            with np.errstate(all="ignore"):
                lost.clear()
                store, scalars, f = self._forward(watched)
                is_tiny = bool(np.any(abs(f) < np.finfo(self.forward.dtype).tiny))
                if is_tiny and self.job.device is not None and on_host is None:
                    # A device tells nothing of it: the same network on numpy's arrays watches all of its steps.
                    on_host = Network(self.training, replace(self.job, device=None), self.streams, self.workers)
                    on_host.descend(told)
                elif is_tiny and self.job.device is None:
                    if watched is None:
                        watched = lost.add
                        self._forward(watched)
                    self._verify_digits(lost, t)
                first = f if first is None else first
                at_rows = f[rows] if start is None else start + (f - first)[rows]
                if not np.all(np.isfinite(at_rows)):
                    raise NetsorError(faults.training_not_finite(self.training.network.name, self.n, t, self.draw))
                history.append(at_rows)
                if t < len(batches):
                    self._move(store, scalars, at_rows, batches[t])
        return np.array(history)

    def _verify_digits(self, lost: set[str], t: int) -> None:
        """Raise NetsorError (E703) where outputs that are zero, or nearly so, have lost their digits to underflow."""
        for i in self.steps.forward.instructions:
            if i.name in lost:
                network, dtype = self.training.network, str(self.forward.dtype)
                raise NetsorError(
                    faults.training_lost_to_underflow(network.name, i.name, i.span, dtype, self.n, t, self.draw)
                )

    def _forward(self, underflow: Underflow | None) -> tuple[dict[str, Any], dict[str, Any], Array]:
        """The vectors and scalars of the forward pass on all examples, and √n Σ c vᵀx/n; (examples, outputs).

        `underflow` is told where numbers fall below the floats.
        """
        count = self.training.examples
        store = {**self.vectors, **self.embeddings.vectors()}
        scalars: dict[str, Any] = dict(self.forward.constants)
        many = Many(self.steps.many, count)
        execute_stages(
            self.forward, self.weights, store, scalars, self.streams, self.workers, many=many, underflow=underflow
        )
        f = [np.broadcast_to(_value(e, scalars), (count,)) for e in self.steps.outputs]
        return store, scalars, self.n**0.5 * np.stack(f, axis=1)

    def _move(self, store: dict[str, Any], scalars: dict[str, Any], f: Array, batch: Sequence[int]) -> None:
        """One step on a batch of rows, counted from 1, whose outputs are in f."""
        times = Counter(batch)
        rows = [r - 1 for r in times]
        where = [self.training.begin.made.row_of[r] for r in rows]
        shares = np.array(list(times.values())) / len(batch)
        of = self.training.schedule
        at = [*f[rows].T, *of.targets[rows].T]
        alias = self.steps.forward_plan.alias
        vectors = {**self.vectors, **self.embeddings.vectors()}
        vectors |= {x: store[alias.get(x, x)] for x in self.steps.kept if alias.get(x, x) in store}
        given = {x: self._of_rows(v, where) if x in self.steps.many else v for x, v in vectors.items()}
        numbers: dict[str, Any] = dict(self.backward.constants)
        for x in self.steps.kept & scalars.keys():
            numbers[x] = np.asarray(scalars[x])[where] if x in self.steps.many else scalars[x]
        for name, slope in zip(self.steps.pulls, self.slopes, strict=True):
            numbers[name] = -of.lr * shares * (slope(*at)[0] + np.zeros(len(rows)))
        many = Many(self.steps.many, len(rows))
        execute_stages(self.backward, self.weights, given, numbers, self.streams, self.workers, many=many)
        for term in self.steps.terms:
            self.weights.move(term.matrix, given[term.a], given[term.b])
        self.weights.fold()
        self._move_vectors(given, len(rows))
        self.embeddings.move(given, where)

    def _move_vectors(self, changes: Mapping[str, Any], rows: int) -> None:
        """b_{t+1} = b_t + Σ C Σ pull db/√n; all changes are those of step t."""
        for b, pairs in self.steps.vectors.items():
            for c, name in pairs:
                moved = self.kernels.stacked([self.vectors[b]])
                self.kernels.add(moved, changes[name], np.full((1, rows), c / self.n**0.5))
                self.vectors[b] = moved[0, :]

    def _of_rows(self, x: Any, where: Sequence[int]) -> Any:
        """The rows of some examples."""
        return x if list(where) == list(range(x.shape[0])) else self.kernels.stacked([x[k, :] for k in where])


class Embeddings:
    """U_t ξ of every example, for every U and every ξ of an example, as rows of one array."""

    def __init__(self, training: FiniteTraining, kernels: Any, n: int, store: Mapping[str, Any]):
        self._kernels, self._n, self._leaves = kernels, n, training.steps.leaves
        values = training.begin.made.values
        self._at: dict[str, slice] = {}
        rows: list[Any] = []
        self._numbers: list[Array] = []
        for leaf in self._leaves:
            is_own = isinstance(leaf.source, InputRef)
            examples = range(len(values)) if is_own else range(1)
            self._at[leaf.name] = slice(len(rows), len(rows) + len(examples))
            for k in examples:
                rows.append(store[name_of(values[k][leaf.embedding])])
                self._numbers.append(np.array(training.begin.made.examples[k].sources[leaf.source][1]))
        self._rows: Any = kernels.stacked(rows) if rows else ()
        self._variances = training.steps.variances

    def vectors(self) -> dict[str, Any]:
        """By the name of the vector: shape (examples, n), or (n,) where it is the same for all."""
        found: dict[str, Any] = {}
        for leaf in self._leaves:
            at = self._at[leaf.name]
            is_own = isinstance(leaf.source, InputRef)
            found[leaf.name] = self._rows[at, :] if is_own else self._rows[at.start, :]
        return found

    def move(self, changes: Mapping[str, Any], where: Sequence[int]) -> None:
        """U_{t+1} ξ̃ = U_t ξ̃ + σ_U²/√n Σ ⟨ξ, ξ̃⟩ Σ pull dg (D.4.1)."""
        moving = [leaf for leaf in self._leaves if leaf.change is not None]
        for leaf in moving:
            for other in moving:
                if leaf.matrix == other.matrix:
                    self._move_one(leaf, other, changes[str(other.change)], where)

    def _move_one(self, leaf: Leaf, by: Leaf, change: Any, where: Sequence[int]) -> None:
        """What the change of one vector of each example in the batch does to another of every example."""
        at, source = self._at[leaf.name], self._at[by.name]
        pulled = list(range(source.start, source.stop))
        pulled = [pulled[k] for k in where] if isinstance(by.source, InputRef) else pulled * len(where)
        inner = np.array([[x @ self._numbers[i] for i in pulled] for x in self._numbers[at]])
        rows = self._rows[at, :]
        self._kernels.add(rows, change, self._variances[leaf.matrix] / self._n**0.5 * inner)


def _job(job: Job, program: Program, plan: Plan, n: int) -> Job:
    """A plan of the steps as a job that shares the arrays of the job before them."""
    used = {x for s in plan.stages for i in [*s.scalars, *s.body] for x in i.scalars}
    return Job(
        program, plan, compile_sweeps(program, plan, {}, {}), n, job.dtype, job.engine,
        constants_at(program, n, used), {}, job.need, job.device,
    )  # fmt: skip


def _value(e: Expr, scalars: Mapping[str, Any]) -> Any:
    assert isinstance(e, (Sym, Const))
    return scalars[str(e.name)] if isinstance(e, Sym) else float(e.value)

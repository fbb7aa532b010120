"""A study of convergence: the draws at several widths as independent tasks, whose results are stored as they finish.

Every finished task is one line of JSON in the store, so that an interrupted study can be resumed, and a study of more
draws or widths uses what is there. The numbers of a task depend on its width and its draws alone; they are the same on
the cores of this machine and on a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from netsor.core import MatMul, Program
from netsor.diagnostics import Diagnostic
from netsor.expr import WIDTH
from netsor.finite import cost, memory
from netsor.finite.arguments import output_names, width_of
from netsor.finite.bias import decays
from netsor.finite.executors import Pool, WorkersLostError, abandon, completed, lost_workers
from netsor.finite.prepare import prepare
from netsor.finite.rates import Convergence, study_output
from netsor.finite.run import run
from netsor.finite.store import Store
from netsor.finite.workers import cores
from netsor.shown import Shown

# The seconds that a task should take: long compared with the cost of sending it to a worker, and short enough for
# frequent progress reports.
TASK_SECONDS = 2.0

Progress = Callable[[float, str], None]
Limit = tuple[float | None, float | None]


@dataclass(frozen=True)
class Task:
    """Some draws at one width, by a named engine.

    `study` is the same for all tasks of a study and for no others.
    """

    study: str
    program: Program = field(repr=False)
    width: int
    draws: tuple[int, ...]
    seed: int
    dtype: str
    engine: str
    outputs: tuple[str, ...]
    threads: int
    seconds: float
    alone: bool


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """The convergence of each output.

    `interrupted` says that not all tasks were finished, `fault` why results could not be kept in the store; `warnings`
    are about lost workers, whose tasks were then run in this process.
    """

    outputs: dict[str, Convergence]
    engines: dict[int, str]
    seconds: float
    interrupted: bool = False
    fault: Diagnostic | None = None
    warnings: tuple[Diagnostic, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {name: c.as_dict() for name, c in self.outputs.items()}


def run_task(task: Task) -> dict[str, Any]:
    """Run one task, in this process or in a worker, and return its line for the store."""
    start = time.perf_counter()
    r = run(
        _program_of(task), task.width, list(task.draws), seed=task.seed, dtype=task.dtype, engine=task.engine,
        outputs=list(task.outputs), threads=task.threads,
    ).whole()  # fmt: skip
    values = {name: v.tolist() for name, v in r.values.items()}
    return {
        "width": task.width, "draws": list(r.draws), "engine": r.engine, "values": values,
        "seconds": round(time.perf_counter() - start, 6),
    }  # fmt: skip


def _program_of(task: Task) -> Program:
    """The program of a task, as one object for all tasks of a study, so that a worker plans it once."""
    if task.study not in _programs:
        _programs.clear()
        _programs[task.study] = task.program
    return _programs[task.study]


# The program of the study that this process works for, by the name of the study.
_programs: dict[str, Program] = {}


def converge(
    program: Program,
    limits: Mapping[str, Limit],
    widths: Iterable[int],
    seeds: int,
    *,
    seed: int = 0,
    dtype: str = "float64",
    engine: str = "auto",
    outputs: Sequence[str] | None = None,
    store: Path | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    keep: bool = True,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Study:
    """Finite values at several widths against the limits (value, error) that the caller has found.

    `store` keeps the result of every finished task; with `resume` what it holds is not computed again, with
    `overwrite` it is deleted. Without `keep` the store of a complete study is deleted. Tasks go to
    `executor` (see `netsor.finite.executors`), or run one at a time in this process without one. Ctrl-C returns
    the study of what is finished. Raises as `run` does, and E707 or E711 if the store cannot be used.
    """
    names = output_names(program, outputs)
    asked = sorted({width_of(w) for w in widths})
    with Store(store, fingerprint(program, seed, dtype), resume, overwrite) as keeper:
        try:
            study = _study(
                program, limits, asked, seeds, keeper, executor, progress, seed=seed, dtype=dtype, engine=engine,
                names=names,
            )  # fmt: skip
        except BaseException:
            keeper.remove_empty()
            raise
        if not keep and not study.interrupted and study.fault is None:
            keeper.remove()
    return study


def _study(
    program: Program,
    limits: Mapping[str, Limit],
    asked: Sequence[int],
    seeds: int,
    keeper: Store,
    executor: Executor | None,
    progress: Progress | None,
    *,
    seed: int,
    dtype: str,
    engine: str,
    names: Sequence[str],
) -> Study:
    start = time.perf_counter()
    study = uuid4().hex
    tasks: list[Task] = []
    engines: dict[int, str] = {}
    # Tasks too large to run in all local processes at once run in this process with all threads, after the others.
    local = isinstance(executor, Pool)
    share = memory.available() // (cores() + 1)
    for n in asked:
        job, _ = prepare(program, n, names, (), dtype, engine, None, None, None, cores(), draws=seeds)
        alone = executor is None or (local and job.need > share)
        threads = cores() if alone else 1
        engines[n] = job.engine
        done = keeper.done(n, job.engine, names)
        left = [d for d in range(seeds) if d not in done]
        one = cost.draw_seconds(job.plan, n, np.dtype(dtype).itemsize, job.engine, 1)
        size = max(1, int(TASK_SECONDS / one))
        tasks += [
            Task(study, program, n, tuple(part), seed, dtype, job.engine, tuple(names), threads, one * len(part), alone)
            for part in (left[i : i + size] for i in range(0, len(left), size))
        ]
    # Widths are in increasing order: short tasks first give an early estimate of the time that is left.
    interrupted, warnings = _run_all(tasks, keeper, progress, executor)
    if (damaged := keeper.warning()) is not None:
        warnings = (damaged, *warnings)
    found = {n: keeper.values(n, engines[n], names, seeds) for n in asked}
    expected = {name: expected_bias_rate(program, name) for name in names}
    result = {
        name: study_output(
            name,
            {n: found[n][name] for n in asked},
            *limits.get(name, (None, None)),
            expected[name],
            slowest_decay(program, name, asked),
        )
        for name in names
    }
    return Study(result, engines, time.perf_counter() - start, interrupted, keeper.fault, warnings)


def verify_study(
    program: Program,
    widths: Iterable[int],
    seeds: int,
    *,
    dtype: str = "float64",
    engine: str = "auto",
    outputs: Sequence[str] | None = None,
) -> None:
    """Raise as `converge` does for a study that cannot be run; only the largest width can exceed the memory."""
    names = output_names(program, outputs)
    widest = max(width_of(w) for w in widths)
    prepare(program, widest, names, (), dtype, engine, None, None, None, cores(), draws=seeds)


def _run_all(
    tasks: list[Task], keeper: Store, progress: Progress | None, executor: Executor | None
) -> tuple[bool, tuple[Diagnostic, ...]]:
    """Run all tasks; returns whether the study was interrupted, and warnings about lost workers."""
    total = sum(t.seconds for t in tasks) or 1.0
    finished = 0.0

    def took(task: Task, line: dict[str, Any]) -> None:
        nonlocal finished
        keeper.add(line)
        finished += task.seconds
        if progress:
            progress(min(1.0, finished / total), f"width {task.width:,}")

    shared = [t for t in tasks if executor is not None and not t.alone]
    warnings: tuple[Diagnostic, ...] = ()
    try:
        if executor is not None:
            try:
                for task, line in completed(run_task, list(shared), executor):
                    took(task, line)
                    shared.remove(task)
            except WorkersLostError as e:
                # The tasks that are left run here, one after the other, since a worker that ran out of memory would do
                # so again.
                warnings = (lost_workers(e, len(shared), "this study"),)
        for task in [*shared, *(t for t in tasks if executor is None or t.alone)]:
            took(task, run_task(task))
        return False, warnings
    except KeyboardInterrupt:
        if executor is not None:
            abandon(executor)
        return True, warnings


def expected_bias_rate(program: Program, output: str) -> float:
    """−1/2 if the output is a readout or depends on a function of n, such as 1/√n, else −1."""
    targets = [o.scalar for o in program.outputs if o.name == output]
    readout = next((r for r in program.readouts if r.name == output), None)
    if readout is not None:
        return -0.5
    needed = program.needed(targets)
    for c in program.constants:
        if c.name in needed and WIDTH in c.value.free:
            return -0.5
    for i in program.instructions:
        if i.name in needed and not isinstance(i, MatMul) and WIDTH in i.psi.free:
            return -0.5
    return -1.0


def slowest_decay(program: Program, output: str, widths: Sequence[int]) -> dict[int, float]:
    """The distances from their limits, at these widths, of 1/n or the slowest function of n in what an output needs."""
    targets = [o.scalar for o in program.outputs if o.name == output]
    targets += [x for r in program.readouts if r.name == output for _, v, h in r.terms for x in (v, h)]
    return dict(zip(widths, decays(program, targets, widths)[-1], strict=True))


def fingerprint(program: Program, seed: int, dtype: str) -> str:
    """A hash of what is computed: the same for the same program, seed and precision."""
    program, h = program.evaluated, blake2b(digest_size=12)
    initial = (program.matrices, program.input_matrices, program.groups, program.embeddings, program.inputs)
    h.update(repr((initial, seed, dtype, program.outputs, program.readouts)).encode())
    for d in program.data:
        h.update(repr((d.name, d.values)).encode())
    for c in program.constants:
        h.update(c.name.encode() + c.value.digest)
    for i in program.instructions:
        if isinstance(i, MatMul):
            h.update(repr((i.name, i.matrix, i.transposed, i.vector)).encode())
        else:
            h.update(repr((i.name, i.vectors, type(i).__name__)).encode() + i.psi.digest)
    return h.hexdigest()

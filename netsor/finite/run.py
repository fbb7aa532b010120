"""Runs of a checked program at width n (Setup B.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.finite.arguments import Inputs, count_of, draws_of, output_names, seed_of, width_of
from netsor.finite.execute import execute
from netsor.finite.initial import draw_matrix, input_matrix
from netsor.finite.plan import Plan
from netsor.finite.prepare import prepare
from netsor.finite.result import FiniteResult
from netsor.finite.streams import Array, Streams
from netsor.finite.sweep import Underflow
from netsor.finite.trace import Watch, trace
from netsor.finite.workers import Workers, cores

Progress = Callable[[float, str], None]


def run(
    program: Program,
    width: int,
    seeds: int | Sequence[int] = 1,
    *,
    seed: int = 0,
    dtype: str = "float64",
    engine: str = "auto",
    outputs: Sequence[str] | None = None,
    progress: Progress | None = None,
    memory_limit: int | None = None,
    inputs: Inputs | None = None,
    given: Mapping[str, Any] | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> FiniteResult:
    """The outputs of a program for K independent draws at width n (Setup B.2, Eqs. 60, 61).

    `seeds` is K, or the indices of the draws wanted; draw k of a `seed` is always the same. `outputs` restricts what is
    computed. `inputs` gives the example of a network, arrays of shape (d,), or (T, d) for a family; its outputs are Σ c
    vᵀx/√n. `given` replaces draws by arrays: matrices (n, n), input matrices (n, d), initial vectors (n,). `device`
    runs on other arrays (`cuda`, `torch:cpu`, …) with the same draws. `progress(fraction, text)` is called from time to
    time. Ctrl-C ends the run, which returns the draws finished so far.

    Raises NetsorError: E700 (would take years) and E702 (memory), before anything is allocated; E701 (width), E703 (an
    output that is not finite, or that underflow made zero), E704 (a Dirac mass), E705 (no such output, engine, dtype or
    draws), E706 (arrays that do not fit), E709 (no such device).
    """
    n = width_of(width)
    draws = draws_of(seeds)
    names = output_names(program, outputs)
    threads = threads or cores()
    job, reason = prepare(
        program, n, names, (), dtype, engine, memory_limit, inputs, given, threads, (), device, count_of(draws)
    )
    values: dict[str, list[float]] = {name: [] for name in names}
    done: list[int] = []
    interrupted = False
    try:
        with Workers(threads) as workers:
            watch = Watch(job)
            for i, draw in enumerate(draws):
                streams = Streams(seed_of(seed), draw, n)
                told = _reporter(progress, i, len(draws))
                scalars, _ = execute(job, streams, workers, told, underflow=watch.watched)
                found = {name: output_value(program, job.plan, name, scalars, n) for name in names}
                for name, value in found.items():
                    if not np.isfinite(value):
                        raise trace(job, streams, workers, name, draw)
                watch.verify(found, streams, workers, draw)
                for name, value in found.items():
                    values[name].append(value)
                done.append(draw)
    except KeyboardInterrupt:
        interrupted = True
    arrays = {name: np.array(v) for name, v in values.items()}
    return FiniteResult(n, job.engine, reason, tuple(done), arrays, str(job.dtype), seed, interrupted)


def run_vectors(
    program: Program,
    width: int,
    seed: int,
    names: Iterable[str],
    *,
    draw: int = 0,
    dtype: str = "float64",
    engine: str = "auto",
    memory_limit: int | None = None,
    inputs: Inputs | None = None,
    given: Mapping[str, Any] | None = None,
    underflow: Underflow | None = None,
) -> dict[str, Array | float]:
    """Variables of one draw: a vector as an array (n,), a scalar as a number, a matrix as (n, n) or (n, d).

    The draw is the same as in `run(..., seed=seed)`; matrices are available from the dense engine only. `underflow` is
    told where numbers fall below the floats. Raises as `run` does.
    """
    n = width_of(width)
    wanted = list(names)
    matrices = [m for m in wanted if m in program.matrix or m in program.input_matrix]
    variables = (program.by_name, program.group_of, program.embedding, program.constant)
    known = {name for kind in (*variables, program.matrix, program.input_matrix) for name in kind}
    for name in wanted:
        if name not in known:
            raise NetsorError(faults.bad_choice("variable", name, sorted(known)))
    vectors = [v for v in wanted if program.kind_of(v) in ("G-var", "X-var")]
    scalars = [s for s in wanted if s not in vectors and s not in matrices]
    if any(m in program.matrix for m in matrices):
        engine = "dense"
    threads = cores()
    job, _ = prepare(program, n, [], vectors, dtype, engine, memory_limit, inputs, given, threads, scalars)
    streams = Streams(seed_of(seed), draw, n)
    with Workers(threads) as workers:
        values, store = execute(job, streams, workers, underflow=underflow)
        out: dict[str, Array | float] = {}
        for name in wanted:
            if name in job.given:
                out[name] = np.asarray(job.given[name])
            elif name in program.matrix:
                out[name] = draw_matrix(streams, name, program.matrix[name].variance, job.dtype, workers)
            elif name in program.input_matrix:
                out[name] = input_matrix(streams, program.input_matrix[name])
            elif name in vectors:
                out[name] = store[job.plan.alias.get(name, name)]
            else:
                out[name] = values[name]
    return out


def output_value(program: Program, plan: Plan, name: str, scalars: Mapping[str, float], n: int) -> float:
    """The value of an output, which is a scalar or a readout Σ c vᵀx/√n = √n Σ c · (vᵀx/n)."""
    for o in program.outputs:
        if o.name == name:
            return scalars[o.scalar]
    readout = next(r for r in program.readouts if r.name == name)
    return float(n**0.5 * sum(c * scalars[f"{name}·{i}"] for i, (c, _, _) in enumerate(readout.terms)))


def _reporter(progress: Progress | None, i: int, total: int) -> Callable[[float], None]:
    if progress is None:
        return lambda _: None
    text = f"draw {i + 1} of {total}"
    return lambda part: progress((i + part) / total, text)

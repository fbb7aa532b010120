"""One draw of a program at width n, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from netsor.core import Moment, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.expr import WIDTH, evaluate, sym
from netsor.finite.dense import Dense
from netsor.finite.device import Device, DeviceDense, DeviceKernels, run_device_sweep
from netsor.finite.initial import Initial
from netsor.finite.kept import kept
from netsor.finite.kernels import Kernels
from netsor.finite.lazy import Lazy
from netsor.finite.plan import Plan, Product
from netsor.finite.scales import largest
from netsor.finite.streams import Array, Streams
from netsor.finite.sweep import ONE, Hook, Many, Step, Sweep, Underflow, compile_step, run_sweep, watched
from netsor.finite.workers import Workers


class Engine(Protocol):
    """What multiplies by the matrices of a draw."""

    def multiply(self, p: Product, xs: list[Any]) -> list[Any]:
        """W x for each x, or Wᵀ x for each x."""

    def release(self, name: str) -> None:
        """Drop a matrix that no later product needs."""


@dataclass(frozen=True)
class Job:
    """A plan prepared for one width: compiled sweeps and checked inputs; a run takes at most `need` bytes."""

    program: Program
    plan: Plan
    sweeps: tuple[Sweep, ...]
    width: int
    dtype: np.dtype[Any]
    engine: str
    constants: Mapping[str, float]
    given: Mapping[str, Array]
    need: int
    device: Device | None = None

    def engine_for(
        self, streams: Streams, workers: Workers, queries: dict[tuple[str, bool], int] | None = None
    ) -> Dense | DeviceDense | Lazy:
        """The engine that multiplies by the matrices of one draw.

        `queries` says how many vectors each matrix and its transpose will be applied to; by default those of the plan.
        """
        if self.device is not None and self.engine == "dense":
            return DeviceDense(self.program, streams, self.dtype, workers, self.given, self.device)
        if self.engine == "dense":
            return Dense(self.program, streams, self.dtype, workers, self.given)
        found = self.plan.queries() if queries is None else queries
        return Lazy(self.program, streams, self.kernels(workers), workers, found)

    def kernels(self, workers: Workers) -> Kernels | DeviceKernels:
        """The operations on rows of the arrays of this job."""
        return DeviceKernels(self.device, self.dtype) if self.device else Kernels(workers, self.dtype)


def constants_at(program: Program, n: int, names: set[str]) -> dict[str, float]:
    """The members of 𝒞 at width n; raises NetsorError (E703) where one is not finite there."""
    out: dict[str, float] = {}
    for c in program.constants:
        if c.name in names:
            value = evaluate(c.value, {WIDTH: float(n)})
            if not np.isfinite(value):
                raise NetsorError(faults.constant_not_finite(c.name, c.span, repr(c.value), value, n))
            out[c.name] = value
    return out


def compile_sweeps(
    program: Program, plan: Plan, rows: Mapping[str, Array], given: Mapping[str, Array]
) -> tuple[Sweep, ...]:
    """The sweeps of a plan with their functions compiled."""
    return tuple(
        Sweep(tuple(s.draws), steps, frozenset(s.kept), tuple(sorted(s.reads)), Initial(program, s.draws, rows, given))
        for s, steps in zip(plan.stages, compile_steps(plan), strict=True)
    )


@kept
def compile_steps(plan: Plan) -> tuple[tuple[Step, ...], ...]:
    """The compiled instructions of each stage; they are the same at every width and for every draw."""
    return tuple(tuple(compile_step(i, plan.alias) for i in stage.body) for stage in plan.stages)


def execute(
    job: Job,
    streams: Streams,
    workers: Workers,
    progress: Callable[[float], None] = lambda _: None,
    hook: Hook | None = None,
    engine: Engine | None = None,
    underflow: Underflow | None = None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run one draw; returns the values of its scalars, and the vectors that the plan keeps.

    An `engine` whose matrices are to outlive this run is given; by default the run has its own. `underflow` is told
    where numbers fall below the floats, on numpy's arrays.
    """
    scalars: dict[str, Any] = dict(job.constants)
    store: dict[str, Any] = {}
    engine = engine or job.engine_for(streams, workers)
    execute_stages(job, engine, store, scalars, streams, workers, progress, hook, ONE, underflow)
    return scalars, store


def execute_stages(
    job: Job,
    engine: Engine,
    store: dict[str, Any],
    scalars: dict[str, Any],
    streams: Streams,
    workers: Workers,
    progress: Callable[[float], None] = lambda _: None,
    hook: Hook | None = None,
    many: Many = ONE,
    underflow: Underflow | None = None,
) -> None:
    """Run the stages of a plan on the vectors in `store` and the `scalars`, to which their results are added."""
    for k, (stage, sweep) in enumerate(zip(job.plan.stages, job.sweeps, strict=True)):
        for m in stage.scalars:
            scalars[m.name] = _scalar(m, scalars, job.width, m.name in many.names, underflow)
            if hook:
                hook(m.name, np.asarray(scalars[m.name]), 0)
        if job.device is None:
            scalars |= run_sweep(sweep, store, scalars, streams, job.dtype, workers, hook, many, underflow)
        else:
            scalars |= run_device_sweep(stage, sweep, store, scalars, streams, job.dtype, job.device, hook, many)
        if hook:
            for s in sweep.steps:
                if s.is_moment:
                    hook(s.name, np.asarray(scalars[s.name]), -1)
        for v in stage.free_sweep:
            workers.spare.keep(store.pop(v, None))
        for p in stage.products:
            store.update(zip(p.names, engine.multiply(p, [store[v] for v in p.vectors]), strict=True))
            if underflow:
                for x, name in zip(p.vectors, p.names, strict=True):
                    # A power of two that was taken out comes back at the end, and may be too small.
                    if largest(store[name]) < np.finfo(job.dtype).tiny and largest(store[x]) > 0:
                        underflow(name)
            if hook:
                for name in p.names:
                    hook(name, job.device.fetch(store[name]) if job.device else store[name], 0)
        for v in stage.free:
            workers.spare.keep(store.pop(v, None))
        for name in stage.free_matrices:
            engine.release(name)
        progress((k + 1) / len(job.sweeps))


def _scalar(m: Moment, scalars: Mapping[str, Any], n: int, is_many: bool, underflow: Underflow | None) -> Any:
    """ψ of scalars alone, or its values on many examples; (count,)."""
    with np.errstate(all="ignore"):
        if underflow:
            watched(
                compile_step(m, {}), (*(np.float64(scalars[x]) for x in m.scalars), np.float64(n)), float, underflow
            )
        if is_many:
            values = compile_step(m, {}).function(*(np.asarray(scalars[x], float) for x in m.scalars), float(n))
            return np.asarray(values[0], float)
        return evaluate(m.psi, {**{sym(x): scalars[x] for x in m.scalars}, WIDTH: float(n)})

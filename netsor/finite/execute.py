"""One draw of a program at width n, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.expr import WIDTH, evaluate, sym
from netsor.finite.dense import Dense
from netsor.finite.device import Device, DeviceDense, DeviceKernels, run_device_sweep
from netsor.finite.faults import no_constant
from netsor.finite.initial import Initial
from netsor.finite.kept import kept
from netsor.finite.kernels import Kernels
from netsor.finite.lazy import Lazy
from netsor.finite.plan import Plan
from netsor.finite.streams import Array, Streams
from netsor.finite.sweep import Hook, Step, Sweep, compile_step, run_sweep
from netsor.finite.workers import Workers


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

    def engine_for(self, streams: Streams, workers: Workers) -> Dense | DeviceDense | Lazy:
        """The engine that multiplies by the matrices of one draw."""
        if self.device is not None and self.engine == "dense":
            return DeviceDense(self.program, streams, self.dtype, workers, self.given, self.device)
        kernels = DeviceKernels(self.device, self.dtype) if self.device else Kernels(workers, self.dtype)
        if self.engine == "dense":
            return Dense(self.program, streams, self.dtype, workers, self.given)
        return Lazy(self.program, streams, kernels, workers, self.plan.queries())


def constants_at(program: Program, n: int, names: set[str]) -> dict[str, float]:
    """The members of 𝒞 at width n; raises NetsorError (E703) where one is not finite there."""
    out: dict[str, float] = {}
    for c in program.constants:
        if c.name in names:
            value = evaluate(c.value, {WIDTH: float(n)})
            if not np.isfinite(value):
                raise no_constant(program, c.name, value, n)
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
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run one draw; returns the values of its scalars, and the vectors that the plan keeps."""
    engine = job.engine_for(streams, workers)
    scalars = dict(job.constants)
    store: dict[str, Any] = {}
    for k, (stage, sweep) in enumerate(zip(job.plan.stages, job.sweeps, strict=True)):
        for m in stage.scalars:
            with np.errstate(all="ignore"):
                values = {sym(x): scalars[x] for x in m.scalars}
                scalars[m.name] = evaluate(m.psi, {**values, WIDTH: float(job.width)})
            if hook:
                hook(m.name, np.asarray(scalars[m.name]), 0)
        if job.device is None:
            scalars |= run_sweep(sweep, store, scalars, streams, job.dtype, workers, hook)
        else:
            scalars |= run_device_sweep(stage, sweep, store, scalars, streams, job.dtype, job.device, hook)
        if hook:
            for s in sweep.steps:
                if s.is_moment:
                    hook(s.name, np.asarray(scalars[s.name]), -1)
        for v in stage.free_sweep:
            store.pop(v, None)
        for p in stage.products:
            products = engine.multiply(p, [store[v] for v in p.vectors])
            for name, y in zip(p.names, products, strict=True):
                store[name] = y
                if hook:
                    hook(name, job.device.fetch(y) if job.device else y, 0)
        for v in stage.free:
            store.pop(v, None)
        for name in stage.free_matrices:
            engine.release(name)
        progress((k + 1) / len(job.sweeps))
    return scalars, store

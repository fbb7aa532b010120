"""Finds the instruction that made an output infinite or NaN, or zero because a number was below the floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock
from typing import Literal

import numpy as np

from netsor.core import Instruction, MatMul, Moment, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.finite.execute import Job, execute
from netsor.finite.streams import Array, Streams
from netsor.finite.sweep import Underflow
from netsor.finite.workers import Workers


def trace(job: Job, streams: Streams, workers: Workers, output: str, draw: int) -> Exception:
    """The error for a non-finite output: runs a draw again to find the first instruction with a non-finite result."""
    program = job.program
    needed = _needed(program, output)
    order = {i.name: k for k, i in enumerate(program.instructions)}
    found: dict[str, tuple[float, int]] = {}
    lock = Lock()

    def hook(name: str, values: Array, lo: int) -> None:
        if name not in needed or name not in order or np.all(np.isfinite(values)):
            return
        at = int(np.argmin(np.isfinite(values)))
        with lock:
            if name not in found or lo + at < found[name][1]:
                found[name] = (float(np.atleast_1d(values)[at]), lo + at)

    execute(job, streams, workers, hook=hook)
    if not found:
        last = next(i for i in reversed(program.instructions) if i.name in needed)
        return _not_finite(output, last, float("inf"), 0, job.width, draw)
    name = min(found, key=lambda x: order[x])
    value, where = found[name]
    return _not_finite(output, program.by_name[name], value, where, job.width, draw)


class Watch:
    """Tells underflow from true zeros: a draw with outputs below the normal numbers of its precision is run again.

    From then on draws are `watched` while they run. What runs on a device is repeated on numpy's arrays.
    """

    def __init__(self, job: Job):
        self._job = job
        self._lost: set[str] = set()
        self.watched: Underflow | None = None

    def verify(self, values: Mapping[str, float], streams: Streams, workers: Workers, draw: int) -> None:
        """Raise NetsorError (E703) where an output that is zero, or nearly so, has lost its digits to underflow."""
        job = self._job
        tiny = [name for name, value in values.items() if abs(value) < float(np.finfo(job.dtype).tiny)]
        if tiny and self.watched is None:
            self._lost.clear()
            execute(replace(job, device=None), streams, workers, underflow=self._lost.add)
            self.watched = None if job.device else self._lost.add
        for output in tiny:
            needed = _needed(job.program, output)
            for i in job.program.instructions:
                if i.name in self._lost and i.name in needed:
                    raise NetsorError(faults.lost_to_underflow(output, i.name, i.span, str(job.dtype), job.width, draw))
        self._lost.clear()


def _needed(program: Program, output: str) -> set[str]:
    """The variables that an output depends on."""
    target = [o.scalar for o in program.outputs if o.name == output]
    target += [x for r in program.readouts if r.name == output for _, v, h in r.terms for x in (v, h)]
    return set(program.needed(target))


def _not_finite(output: str, i: Instruction, value: float, where: int, n: int, draw: int) -> NetsorError:
    kind: Literal["mean", "product", "coordinate"] = (
        "mean" if isinstance(i, Moment) else "product" if isinstance(i, MatMul) else "coordinate"
    )
    return NetsorError(faults.output_not_finite(output, i.name, i.span, kind, value, where, n, draw))

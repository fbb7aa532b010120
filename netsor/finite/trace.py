"""Finds the instruction that made an output infinite or NaN, or zero because a number was below the floats."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Literal

import numpy as np

from netsor.core import Instruction, MatMul, Moment, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.finite.execute import Job, execute
from netsor.finite.streams import Array, Streams
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


def verify_digits(job: Job, streams: Streams, workers: Workers, output: str, value: float, draw: int) -> None:
    """Raise NetsorError (E703) where an output that is zero, or nearly so, has lost its digits to underflow.

    The draw is run again, on numpy's arrays, where its value is below the normal numbers of the run's precision.
    """
    if abs(value) >= float(np.finfo(job.dtype).tiny):
        return
    program = job.program
    needed = _needed(program, output)
    found: set[str] = set()
    execute(replace(job, device=None), streams, workers, underflow=found.add)
    for i in program.instructions:
        if i.name in found and i.name in needed:
            raise NetsorError(faults.lost_to_underflow(output, i.name, i.span, str(job.dtype), job.width, draw))


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

"""A large width that a program can be run at in little time, for numbers that need no integrals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.finite import cost, memory
from netsor.finite.prepare import prepare
from netsor.finite.workers import cores

# Several draws tell their own standard error. The estimates of time may be too low by a factor of a few.
SEEDS = 4
_WIDTHS = (1_000_000, 300_000, 100_000, 30_000, 10_000)
_SECONDS, _SHARE_OF_MEMORY = 20.0, 0.25


class Affordable(NamedTuple):
    """A width, and how many draws."""

    width: int
    seeds: int

    def shared(self, count: int) -> Affordable | None:
        """The same for what takes so many times as long, at a width of one digit; None where that is too small."""
        n = self.width // max(count, 1)
        digit = 10 ** (len(str(n)) - 1)
        return Affordable(n // digit * digit, self.seeds) if n >= _WIDTHS[-1] else None


def infer_width(program: Program, outputs: Sequence[str], vectors: Sequence[str]) -> Affordable | None:
    """The largest of some widths at which these outputs and vectors take about a minute and little memory."""
    limit = int(_SHARE_OF_MEMORY * memory.available())
    for n in _WIDTHS:
        try:
            job, _ = prepare(program, n, outputs, vectors, "float64", "auto", limit, None, None, cores(), draws=SEEDS)
        except NetsorError:
            continue
        seconds = SEEDS * cost.draw_seconds(job.plan, n, job.dtype.itemsize, job.engine, cores())
        if seconds <= _SECONDS:
            return Affordable(n, SEEDS)
    return None

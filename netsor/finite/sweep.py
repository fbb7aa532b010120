"""NONLIN⁺ and MOMENT over all coordinates (Eqs. 60, 61), one block of coordinates at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from netsor.core import Moment, Nonlin
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue.finite import dirac_mass
from netsor.expr import WIDTH, Expr, Star, postorder, substitute, sym
from netsor.expr.arrays import lambdify
from netsor.finite.initial import Initial
from netsor.finite.streams import CHUNK, Array, Streams
from netsor.finite.workers import Workers

# Coordinates in a block: ten float64 arrays of this length fit in the second-level cache, and are long enough that the
# overhead of a numpy call does not dominate.
BLOCK = 1 << 13

Hook = Callable[[str, Array, int], None]
# Told the name of an instruction in which a number became zero, or lost digits, because it is below the floats.
Underflow = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One NONLIN or MOMENT compiled for evaluation; `wide` says that it is evaluated in float64."""

    name: str
    is_moment: bool
    function: Callable[..., tuple[Any, ...]]
    vectors: tuple[str, ...]
    scalars: tuple[str, ...]
    wide: bool


@dataclass(frozen=True)
class Sweep:
    """The pass of a stage over the coordinates; `reads` are the vectors that exist before it."""

    draws: tuple[str, ...]
    steps: tuple[Step, ...]
    kept: frozenset[str]
    reads: tuple[str, ...]
    initial: Initial


@dataclass(frozen=True)
class Many:
    """Which variables of a program of one example have a value for each of `count` examples that are run at once."""

    names: frozenset[str] = frozenset()
    count: int = 1

    def shape(self, name: str, *own: int) -> tuple[int, ...]:
        """The shape of a variable that has the shape `own` on one example."""
        return (self.count, *own) if name in self.names else own

    def block(self) -> int:
        """Coordinates in a block, a power of 2: fewer for many examples, so that the blocks stay in the cache."""
        return BLOCK >> min(5, (self.count - 1).bit_length())


ONE = Many()


def compile_step(i: Nonlin | Moment, alias: Mapping[str, str]) -> Step:
    """The vectorised form of one instruction; raises NetsorError (E704) where ψ holds a Dirac mass."""
    names = (*i.vectors, *i.scalars)
    # The arguments are named by position, so that the iterations of a loop share one compiled function.
    places = tuple(sym(("place", k)) for k in range(len(names)))
    try:
        f = lambdify((substitute(i.psi, dict(zip(map(sym, names), places, strict=True))),), (*places, WIDTH))
    except ValueError as e:
        raise NetsorError(dirac_mass(i.name, i.span)) from e
    # ψ* divides a difference of order 1/√n by 1/√n, which in float32 would lose half of the digits at n = 10⁶.
    wide = _has_star(i.psi)
    return Step(i.name, isinstance(i, Moment), f, tuple(alias.get(v, v) for v in i.vectors), i.scalars, wide)


def _has_star(e: Expr) -> bool:
    return any(isinstance(node, Star) for node in postorder(e))


def run_sweep(
    sweep: Sweep,
    store: dict[str, Array],
    scalars: Mapping[str, float],
    streams: Streams,
    dtype: Any,
    workers: Workers,
    hook: Hook | None = None,
    many: Many = ONE,
    underflow: Underflow | None = None,
) -> dict[str, Any]:
    """Evaluate a sweep: puts the vectors to keep into `store`, and returns the values of its MOMENTs.

    With `many` examples at once, vectors of shape (n,) are those of all examples, vectors of shape (count, n) and
    scalars of shape (count,) have a row for each.

    Blocks and the order in which their sums are added are fixed, so that the result does not depend on the number of
    threads.
    """
    n = streams.width
    if not (sweep.steps or sweep.draws):
        return {}
    size = many.block()
    for name in sweep.kept:
        store[name] = workers.spare.empty(many.shape(name, n), dtype)
    moments = [s.name for s in sweep.steps if s.is_moment]
    sums = {name: np.zeros((-(-n // size), *many.shape(name))) for name in moments}
    # Numpy scalars, which do not turn float32 arrays into float64 ones, and which raise no exception on division by
    # zero.
    with np.errstate(all="ignore"):
        values = {s.name: [_number(x, s, dtype) for x in (*(scalars[y] for y in s.scalars), n)] for s in sweep.steps}

    def work(chunk: int) -> None:
        lo, hi = chunk * CHUNK, min((chunk + 1) * CHUNK, n)
        with np.errstate(all="ignore"):
            drawn = sweep.initial.draw(streams, chunk, lo, hi, dtype) if sweep.draws else {}
            for name, x in drawn.items():
                if name in sweep.kept:
                    store[name][lo:hi] = x
                if hook:
                    hook(name, x, lo)
            if not sweep.steps:
                return
            for a in range(lo, hi, size):
                b = min(a + size, hi)
                block = {name: x[a - lo : b - lo] for name, x in drawn.items()}
                for name in sweep.reads:
                    block[name] = store[name][..., a:b]
                for s in sweep.steps:
                    xs = [block[v] for v in s.vectors]
                    if s.wide:
                        xs = [x.astype(np.float64, copy=False) for x in xs]
                    if underflow:
                        y = watched(s, (*xs, *values[s.name]), dtype, underflow)
                    else:
                        y = s.function(*xs, *values[s.name])[0]
                    if s.is_moment:
                        # A ψ without vectors is one number for all coordinates.
                        y = np.atleast_1d(y)
                        sums[s.name][a // size] = y.sum(axis=-1) if y.shape[-1] == b - a else y[..., 0] * (b - a)
                        if hook:
                            hook(s.name, np.asarray(y), a)
                        continue
                    y = np.broadcast_to(np.asarray(y, dtype), many.shape(s.name, b - a))
                    if s.name in sweep.kept:
                        store[s.name][..., a:b] = y
                    block[s.name] = y
                    if hook:
                        hook(s.name, y, a)

    workers.each(-(-n // CHUNK), work)
    return {name: _total(parts) / n for name, parts in sums.items()}


def watched(step: Step, arguments: Sequence[Any], dtype: Any, underflow: Underflow) -> Any:
    """The values of a step, which tells whether a number was below the floats on the way."""
    with np.errstate(under="call", call=lambda *_: underflow(step.name)):
        y = step.function(*arguments)[0]
        return y if step.is_moment else np.asarray(y, dtype)


def _number(value: Any, step: Step, dtype: Any) -> Any:
    """A scalar, or those of all examples as a column, in the precision of a step."""
    kind = np.float64 if step.wide else np.dtype(dtype).type
    return value[:, None].astype(kind) if isinstance(value, np.ndarray) else kind(value)


def _total(parts: Array) -> Any:
    if parts.ndim > 1:
        return np.array([_total(column) for column in parts.T])
    try:
        return fsum(parts)
    except (OverflowError, ValueError):
        # `fsum` raises for an overflow and for infinities of both signs; the ordinary sum gives ±∞ or NaN.
        with np.errstate(all="ignore"):
            return float(np.sum(parts))

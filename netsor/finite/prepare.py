"""From a program and a width to a `Job`: the plan, the cheaper engine, and whether the run fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite as faults
from netsor.expr import Const, postorder
from netsor.finite import cost, memory
from netsor.finite.arguments import Inputs, arrays_of, embedding_rows, output_names
from netsor.finite.device import device_of
from netsor.finite.execute import Job, compile_sweeps, constants_at
from netsor.finite.initial import Initial
from netsor.finite.kept import kept
from netsor.finite.plan import Plan, make_plan

ENGINES = ("auto", "dense", "lazy")
DTYPES = ("float64", "float32")
# The largest width tried: numpy's indices are 64-bit signed integers.
WIDEST = 2**62


def prepare(
    program: Program,
    n: int,
    outputs: Sequence[str],
    vectors: Sequence[str],
    dtype: str,
    engine: str,
    memory_limit: int | None,
    inputs: Inputs | None,
    given: Mapping[str, Any] | None,
    threads: int,
    scalars: Sequence[str] = (),
    device: str | None = None,
    draws: int = 1,
) -> tuple[Job, str]:
    """The job of a run for the engine chosen, and the reason for that choice.

    Raises NetsorError, as `netsor.finite.run.run` does, before anything of size n is allocated: among others for a run
    that does not fit the memory, or whose `draws` would take more than a year.
    """
    if engine not in ENGINES:
        raise NetsorError(faults.bad_choice("engine", engine, ENGINES))
    if dtype not in DTYPES:
        raise NetsorError(faults.bad_choice("dtype", dtype, DTYPES))
    program = program.evaluated
    arrays = arrays_of(program, n, given or {})
    rows = embedding_rows(program, inputs or {})
    weights = [m for m in arrays if m in program.matrix]
    every_output = tuple(output_names(program, None))
    wanted = tuple(name for name in every_output if name in outputs), tuple(scalars), tuple(vectors)
    plans = {}
    if engine != "lazy":
        plans["dense"] = _plan(program, *wanted)
    if engine != "dense" and not weights:
        # The draws of the lazy engine depend on all queries of a matrix: every subset of the outputs must ask the same
        # ones.
        every = _plan(program, every_output, *wanted[1:])
        plans["lazy"] = every if every.queries() else _plan(program, *wanted)
    if not plans:
        raise NetsorError(faults.bad_array(weights[0], "the lazy engine never holds a matrix; use --engine dense"))
    missing = sorted({e.name for e in program.embeddings} - set(rows) - set(arrays))
    used = {v for p in plans.values() for s in p.stages for v in s.draws}
    for name in missing:
        if name in used:
            source = program.embedding[name].source
            raise NetsorError(faults.bad_array(str(source), f"`{program.name}` needs this input and it was not given"))
    itemsize = np.dtype(dtype).itemsize
    place = device_of(device)
    if memory_limit is None and place is not None:
        memory_limit = min(memory.available(), place.free_bytes())
    on_device = place is not None
    initials = {
        name: {k: Initial(program, [d for d in s.draws if d in rows or d not in program.embedding], rows, arrays)
               for k, s in enumerate(p.stages)}
        for name, p in plans.items()
    }  # fmt: skip

    def need(name: str, width: int) -> int:
        return memory.estimate(plans[name], initials[name], width, itemsize, name, threads, on_device)

    chosen, reason, bytes_needed = choose(program, plans, need, n, itemsize, memory_limit, threads, bool(weights))
    refuse_years(program, plans[chosen], n, itemsize, chosen, threads, draws)

    def job(plan: Plan) -> Job:
        used = {x for s in plan.stages for i in [*s.scalars, *s.body] for x in i.scalars}
        used |= {*scalars, *(o.scalar for o in program.outputs if o.name in outputs)}
        constants = constants_at(program, n, used)
        verify_numbers(plan, dtype)
        sweeps = compile_sweeps(program, plan, rows, arrays)
        return Job(program, plan, sweeps, n, np.dtype(dtype), chosen, constants, arrays, bytes_needed, place)

    try:
        return job(plans[chosen]), reason
    except NetsorError:
        if chosen == "dense" or wanted[0] == every_output:
            raise
        # An output that was not asked for has no value at this width. No run of all outputs exists here whose draws a
        # plan of the outputs asked for would have to reproduce.
        return job(_plan(program, *wanted)), reason


@kept
def _plan(program: Program, outputs: tuple[str, ...], scalars: tuple[str, ...], vectors: tuple[str, ...]) -> Plan:
    wanted = [o.scalar for o in program.outputs if o.name in outputs]
    return make_plan(program, [*wanted, *scalars], vectors, [r for r in program.readouts if r.name in outputs])


def verify_numbers(plan: Plan, dtype: str) -> None:
    """Raise NetsorError (E703) where a number in a ψ is too small for the precision of a run."""
    least = float(np.finfo(dtype).smallest_subnormal)
    for stage in plan.stages if least > float(np.finfo("float64").smallest_subnormal) else ():
        for i in stage.body:
            for node in postorder(i.psi):
                if isinstance(node, Const) and 0 < abs(node.value) < least:
                    raise NetsorError(faults.below_range(i.name, i.span, float(node.value), dtype))


def choose(
    program: Program,
    plans: Mapping[str, Plan],
    need: Callable[[str, int], int],
    n: int,
    itemsize: int,
    memory_limit: int | None,
    threads: int,
    weights: bool = False,
) -> tuple[str, str, int]:
    """The cheapest engine that fits the memory, why it was chosen, and the bytes it needs; raises E702 if none fits.

    `need(engine, width)` are the bytes that a run takes, and `weights` says that matrices are given.
    """
    needs = {name: need(name, n) for name in plans}
    limit = memory.available() if memory_limit is None else memory_limit
    fits = [name for name, size in needs.items() if size <= limit]
    if not fits:
        widest = {name: _widest(partial(need, name), limit) for name in plans}
        raise memory.refuse(program.name, n, needs, limit, widest)
    seconds = {
        name: (cost.dense_seconds if name == "dense" else cost.lazy_seconds)(p, min(n, WIDEST), itemsize, threads)
        for name, p in plans.items()
    }
    fitting = {name: seconds[name] for name in fits}
    chosen = min(fitting, key=lambda name: fitting[name])
    if len(plans) == 1:
        return chosen, "asked for, or needed by the weights that were given" if weights else "asked for", needs[chosen]
    if len(fitting) == 1:
        other = next(name for name in plans if name != chosen)
        return chosen, f"{other} would need {memory.text(needs[other])} of memory", needs[chosen]
    if not any(p.queries() for p in plans.values()):
        return chosen, "no matrix is multiplied", needs[chosen]
    times = " against ".join(f"{_seconds(seconds[name])} ({name})" for name in sorted(plans, key=lambda e: seconds[e]))
    return chosen, f"expected cheaper: {times} a draw for the products", needs[chosen]


def refuse_years(program: Program, plan: Plan, n: int, itemsize: int, engine: str, threads: int, draws: int) -> None:
    """Raise NetsorError (E700) where the draws would take more than a year."""

    def seconds(width: int) -> Decimal:
        # In Decimal, because the number of draws may be larger than any float.
        return draws * Decimal(cost.draw_seconds(plan, width, itemsize, engine, threads))

    if seconds(n) > cost.YEAR:
        day = _widest(lambda width: int(seconds(width)), 86400)
        raise NetsorError(faults.too_long(program.name, n, draws, int(seconds(n) / Decimal(cost.YEAR)), day))


def _seconds(t: float) -> str:
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if t >= s), ("µs", 1e-6))
    # Two significant digits; the format `.2g` alone would write an exponent for numbers from 100 on.
    return f"{float(f'{t / size:.2g}'):g} {unit}"


def _widest(need: Callable[[int], int], limit: int) -> int:
    """The largest width that fits, rounded down to two digits; 0 if none does."""
    lo, hi = 0, 1
    while hi < WIDEST and need(hi) <= limit:
        lo, hi = hi, hi * 2
    while hi - lo > max(1, lo // 1000):
        mid = (lo + hi) // 2
        lo, hi = (mid, hi) if need(mid) <= limit else (lo, mid)
    digits = max(0, len(str(lo)) - 2)
    return lo // 10**digits * 10**digits

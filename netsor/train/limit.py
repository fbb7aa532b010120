"""The limit of SGD at infinite width: that of the program that `netsor.transform.sgd` writes (Eqs. 79–90, Def. B.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import MatMul, Program
from netsor.deadline import TimeOver, verify_time
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.limits import out_of_time
from netsor.gaussian.problem import Clock
from netsor.limit import Limit, LimitResult, infer_limit
from netsor.limit.missing import MISSING, method_without_value
from netsor.train.pairs import changes_of_pairs, depends_on_pairs
from netsor.train.start import all_rows
from netsor.train.steps import Changes, Steps
from netsor.transform import instances
from netsor.transform.loss import Loss
from netsor.transform.sgd import Directions, directions

Array = np.ndarray
_METHODS = ("", "unknown", "none")
# So many steps are combined, in a fraction of a second, before it is asked whether time is over.
_UNASKED = 200


@dataclass(frozen=True)
class TrainingLimit:
    """f_t on all rows for t = 0…T, shape (T+1, rows, outputs), with |value − limit| ≤ error, both NaN where `missing`
    says why there is no number.
    """

    value: Array
    error: Array
    missing: dict[tuple[int, ...], str]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Task:
    """What is trained on what: rows of inputs with `targets` (rows, outputs), test rows, and f_0 on all of them.

    `batches` are rows counted from 1; `drifting` says that v̂ of Eq. 71 does not tend to v.
    """

    network: Program
    inputs: Any
    targets: Array
    test: Any
    start: Array
    batches: Sequence[Sequence[int]]
    lr: float
    loss: Loss
    drifting: bool


def training_limit(
    task: Task,
    unrolled: Callable[[], Program],
    tol: float,
    budget: float | None,
    progress: Callable[[str], None] | None = None,
) -> TrainingLimit:
    """The limits of f_t for t = 0…T, each step within `tol` where `budget` seconds allow.

    Every h_t tends to h_0, so that all steps are combinations of steps from the start. Only where a variable lies on a
    kink or a jump with positive probability does a step matter to those after it, because it moves the variable to one
    side: then the limits are those of the `unrolled` program itself.
    """
    clock = Clock(budget)
    try:
        if _lies_on_kinks(task):
            return _as_listed(task, infer_limit(unrolled(), tol, budget, progress=progress))
        pulled = list(dict.fromkeys(r for batch in task.batches for r in batch)) if task.lr else []
        changes, said = _changes(task, pulled, tol, clock, progress)
    except TimeOver:
        # Not even the program was written down.
        places = np.ndindex(len(task.batches) + 1, *task.start.shape)
        unknown = np.full((len(task.batches) + 1, *task.start.shape), np.nan)
        told = dict.fromkeys(places, MISSING["unknown"])
        return TrainingLimit(unknown, unknown, told, (_out_of_time(task),))
    names = [r.name for r in task.network.readouts]
    run = Steps(changes, task.start, task.targets, task.loss, names)
    values, errors, missing = [run.f], [run.error], [run.missing]
    for t, batch in enumerate(task.batches, start=1):
        try:
            if t % _UNASKED == 0:
                verify_time()
            run.step(batch, task.lr)
        except (NetsorError, TimeOver) as fault:
            # What comes after a pull without a value has none.
            stop = fault if isinstance(fault, NetsorError) else NetsorError(_out_of_time(task))
            said += stop.diagnostics
            unknown = np.full(run.f.shape, np.nan)
            more = len(task.batches) + 1 - len(values)
            values += [unknown] * more
            errors += [unknown] * more
            missing += [np.full(run.f.shape, _METHODS.index(method_without_value(stop)))] * more
            break
        values.append(run.f)
        errors.append(np.where(run.missing > 0, np.nan, run.error))
        missing.append(run.missing)
    kinds = np.array(missing)
    told = {at: MISSING[_METHODS[kinds[at]]] for at in zip(*map(np.ndarray.tolist, np.nonzero(kinds)), strict=True)}
    return TrainingLimit(np.array(values), np.array(errors), told, said)


def _out_of_time(task: Task) -> Diagnostic:
    return out_of_time(f"the limit of {len(task.batches)} steps of SGD")


def _lies_on_kinks(task: Task) -> bool:
    """Whether a variable of the network lies on a kink or a jump with positive probability on one of the rows."""
    limit = Limit(instances(task.network, task.inputs, task.test).builder.build(task.network.name))
    limit.build_all()
    return any(limit.lies_on_kink(i) for i in limit.program.instructions if not isinstance(i, MatMul))


def _changes(
    task: Task, pulled: Sequence[int], tol: float, clock: Clock, progress: Callable[[str], None] | None
) -> tuple[Changes, tuple[Diagnostic, ...]]:
    """The limits of the changes by steps on the rows `pulled`, and zero for the others.

    They are taken for all pairs of rows at once. Where v̂ mixes the rows, and where some change was not found so, they
    are the outputs of one program, of which each has its own message.
    """
    if pulled and not task.drifting and depends_on_pairs(task.network):
        rows = all_rows(task.network, task.inputs, task.test)
        try:
            found = changes_of_pairs(task.network, rows[np.array(pulled) - 1], rows, tol, clock.share(0.5))
        except NetsorError:
            pass
        else:
            if (found.error <= tol * np.maximum(abs(found.value), 1)).all():
                out = _no_changes(task)
                at = np.array(pulled) - 1
                out.value[:, at], out.error[:, at] = (x.transpose(1, 0, 3, 2) for x in (found.value, found.error))
                return out, ()
    steps = directions(task.network, task.inputs, task.test, pulled, condition=task.drifting)
    left = None if clock.budget is None else max(clock.left(), 0.1 * clock.budget)
    each = infer_limit(steps.program, tol, left, progress=progress)
    return _named_changes(task, steps, each), each.diagnostics


def _no_changes(task: Task) -> Changes:
    shape = (len(task.start), len(task.targets), len(task.network.readouts), len(task.network.readouts))
    return Changes(np.zeros(shape), np.zeros(shape), np.zeros(shape, int))


def _named_changes(task: Task, steps: Directions, found: LimitResult) -> Changes:
    out = _no_changes(task)
    for (r, j), names in steps.changes.items():
        for x, of_row in enumerate(names):
            for m, name in enumerate(of_row):
                limit, at = found[name], (x, r - 1, m, j)
                if limit.value is None:
                    out.missing[at] = _METHODS.index(limit.method)
                else:
                    out.value[at], out.error[at] = limit.value, limit.error
    return out


def _as_listed(task: Task, found: LimitResult) -> TrainingLimit:
    """The outputs of an unrolled program, which are ordered by step, row and readout."""
    limits = list(found.outputs.values())
    shape = (len(task.batches) + 1, *task.start.shape)
    value, error = (
        np.array([np.nan if x is None else x for x in numbers], float).reshape(shape)
        for numbers in ([v.value for v in limits], [v.error for v in limits])
    )
    places = zip(np.ndindex(shape), limits, strict=True)
    return TrainingLimit(value, error, {at: v.missing for at, v in places if v.value is None}, found.diagnostics)

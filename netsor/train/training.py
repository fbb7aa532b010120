"""A training run in three ways: the limit of its program, kernel gradient descent, and networks of finite width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import numpy as np

from netsor.averages import mean, standard_error
from netsor.check.outputs import growing
from netsor.core import Program
from netsor.deadline import is_stopped, until
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import networks
from netsor.expr import Expr
from netsor.finite.arguments import count_of, draws_of, width_of
from netsor.gaussian.problem import Clock
from netsor.kernels import infer_conditioned_ntk, infer_ntk
from netsor.kernels.kernel import in_time, verify_network
from netsor.kernels.pairs import flat_rows, named_examples, shaped_rows
from netsor.shown import Shown
from netsor.train.advice import not_covered, overshoots
from netsor.train.descent import kernel_descent
from netsor.train.limit import Task, training_limit
from netsor.train.start import all_rows, first_outputs
from netsor.train.width import FiniteTraining, Schedule
from netsor.transform import sgd
from netsor.transform.loss import Loss
from netsor.transform.sgd import number_table, schedule, verify_rate

Array = np.ndarray


@dataclass(frozen=True)
class Runs:
    """Runs of several networks at one width; `values` has shape (seeds, T+1, rows, outputs).

    `loss` is the mean loss of the training rows after each step, the mean of the networks' own; shape (T+1,).
    """

    width: int
    values: Array
    loss: Array | None = None

    @property
    def mean(self) -> Array:
        return mean(self.values)

    @property
    def stderr(self) -> Array | None:
        """The standard error of the mean; None for one seed."""
        k = len(self.values)
        return None if k < 2 else standard_error(self.values)


@dataclass(frozen=True, repr=False)
class Training(Shown):
    """f_t on training rows and then test rows, arrays of shape (T+1, rows, outputs); None for what was not asked for.

    `program` is the limit of the unrolled program, with `error` bounding |value − limit|, and `kernel` is kernel
    gradient descent; both are None where f_0 is the network's own, which has no limit. `runs` are those at each width.
    `losses` are the mean losses of the training rows after each step, by the name of the field that they belong to.
    `missing` says for each value that `program` lacks (NaN) whether it does not exist or was not computed;
    `interrupted` that Ctrl-C left out some of the runs.
    """

    network: str
    steps: int
    training: int
    program: Array | None = None
    error: Array | None = None
    kernel: Array | None = None
    runs: tuple[Runs, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)
    missing: Mapping[tuple[int, ...], str] = field(default_factory=dict, repr=False)
    losses: Mapping[str, Array] = field(default_factory=dict, repr=False)
    interrupted: bool = False

    @property
    def finite(self) -> Runs | None:
        """The runs at the width that was asked for, or at the first of several."""
        return self.runs[0] if self.runs else None

    @property
    def outputs(self) -> int:
        found = self.program if self.program is not None else self.finite.values if self.finite is not None else None
        return 1 if found is None else int(found.shape[-1])

    def difference(self) -> float | None:
        """The largest |limit of the program − kernel gradient descent| where both have values; None if nowhere."""
        if self.program is None or self.kernel is None:
            return None
        gaps = np.abs(self.program - self.kernel)
        return None if np.isnan(gaps).all() else float(np.nanmax(gaps))

    def as_dict(self) -> dict[str, Any]:
        """`train` and `test`, each with [t][row], or [t][row][out] for several outputs."""
        out: dict[str, Any] = {"steps": self.steps}
        for name, rows in (("train", slice(0, self.training)), ("test", slice(self.training, None))):
            part: dict[str, Any] = {}
            if self.program is not None:
                part["program"] = self._plain(self.program[:, rows])
            if self.kernel is not None:
                part["kernel"] = self._plain(self.kernel[:, rows])
            finite = [self._runs_as_dict(runs, rows) for runs in self.runs]
            if finite:
                part["finite"] = finite if len(finite) > 1 else finite[0]
            out[name] = part
        losses = [runs.loss.tolist() for runs in self.runs if runs.loss is not None]
        if self.losses or losses:
            out["loss"] = {name: loss.tolist() for name, loss in self.losses.items()}
        if losses:
            out["loss"]["finite"] = losses if len(losses) > 1 else losses[0]
        if self.program is not None and self.error is not None:
            out["error"] = None if self.missing else float(self.error.max(initial=0.0))
        if (difference := self.difference()) is not None:
            out["difference"] = difference
        return out

    def _runs_as_dict(self, runs: Runs, rows: slice) -> dict[str, Any]:
        stderr = runs.stderr
        return {
            "width": runs.width,
            "seeds": len(runs.values),
            "mean": self._plain(runs.mean[:, rows]),
            "stderr": None if stderr is None else self._plain(stderr[:, rows]),
            "values": [self._plain(v[:, rows]) for v in runs.values],
        }

    def _plain(self, f: Array) -> list[Any]:
        return (f if f.shape[2] > 1 else f[..., 0]).tolist()


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked of a training: T steps of SGD, what they start from, and how their outputs are computed.

    `order`, `batch`, `lr` and `loss` are those of `netsor.transform.sgd`; `loss` is an expression in f and y, averaged
    over a batch. `f0` is a list (training rows, then test rows), "zero", "gaussian" or "network"; `seed` is the seed of
    the draws. `limit` asks for the limit, a `width` (or several) for `seeds` networks of that width, to whose runs
    the `options` go, which are those of `netsor.finite.run`. `budget` is in seconds, for the kernel and the limit
    together.
    """

    steps: int
    order: Sequence[int] | None = None
    batch: int = 1
    lr: float = 1.0
    loss: Expr | str | None = None
    f0: Any = "zero"
    limit: bool = True
    width: int | Sequence[int] | None = None
    seeds: int = 1
    seed: int = 0
    tol: float = 1e-9
    budget: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, **settings: Any) -> TrainingRequest:
        """The request with these fields; what is not a field of it is an option of the finite runs."""
        own = {f.name for f in fields(cls)} - {"options"}
        options = {k: v for k, v in settings.items() if k not in own}
        return cls(**{k: v for k, v in settings.items() if k in own}, options=options)

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths asked for."""
        if self.width is None:
            return ()
        return tuple(self.width) if isinstance(self.width, Sequence) else (self.width,)

    @property
    def starts_from_own_outputs(self) -> bool:
        """Whether each network begins at its own outputs f_0 = vᵀx/√n."""
        return isinstance(self.f0, str) and self.f0 == "network"


def train(
    network: Program,
    inputs: Any,
    targets: Any,
    test: Any,
    request: TrainingRequest,
    progress: Callable[..., None] | None = None,
) -> Training:
    """T steps of SGD on the rows `inputs` (N, d) or (N, T, d) with `targets` (N,) or (N, outputs).

    With `limit`, f_t is the limit of the unrolled program (Eqs. 79–90, Def. B.3), beside kernel gradient descent with
    the tangent kernel (Eq. 68), both at v̂ of Eq. 71 where its limit is not v; with a `width`, f_t of `seeds` networks
    of that width, conditioned on f_0 by v̂ unless `f0="network"`. Values that miss `tol` for lack of time are named in
    the diagnostics (W901).

    Raises NetsorError: shapes and numbers that do not fit (E654, E655), an order with a missing row (E656), settings
    (E657), a loss without a derivative (E658), outputs at step 0 that no network has (E659, E660), training that
    diverges (E612), f_0 without a limit (E615, E617), and the errors of limits (E8xx) and finite runs (E7xx).
    """
    verify_network(network)
    with in_time(network, "training", request.budget):
        found, at_width = _without_runs(network, inputs, targets, test, request, progress)
    return found if at_width is None else _with_runs(found, at_width, request, progress)


def _with_runs(
    found: Training, at_width: FiniteTraining, request: TrainingRequest, progress: Callable[..., None] | None
) -> Training:
    """The training with runs at each width, up to one that is interrupted."""
    runs: list[Runs] = []
    interrupted = is_stopped()
    schedule = at_width.schedule
    for width in () if interrupted else request.widths:
        # Runs do not ask for the time, whoever set an end.
        with until(None):
            values = at_width.run(width, request.seeds, request.seed, progress, **request.options)
        if len(values):
            runs.append(Runs(width_of(width), values, _losses(values, schedule.targets, schedule.loss)))
        if len(values) < count_of(draws_of(request.seeds)):
            interrupted = True
            break
    if found.program is None and not runs:
        raise KeyboardInterrupt
    return replace(found, runs=tuple(runs), interrupted=interrupted)


def _without_runs(
    network: Program, inputs: Any, targets: Any, test: Any, request: TrainingRequest,
    progress: Callable[..., None] | None,
) -> tuple[Training, FiniteTraining | None]:  # fmt: skip
    """The limit and kernel descent where they are asked for, and what runs at a width need."""
    clock = Clock(request.budget)
    count = len(network.readouts)
    loss = request.loss
    if isinstance(loss, str):
        from netsor.transform.read_loss import read_loss

        loss = read_loss(loss, count)
    steps, lr, own = request.steps, request.lr, request.starts_from_own_outputs
    if own and request.limit:
        raise NetsorError(no_limit(network))
    x = flat_rows(network, inputs)
    batches = schedule(len(x), steps, request.order, request.batch, len(network.instructions))
    verify_rate(lr)
    table = np.array(number_table(targets, len(x), count, "the targets"), float)
    slopes = Loss(loss, count)
    said: list[Diagnostic] = []
    start = first_outputs(network, inputs, test, request.f0, request.seed, clock.part(0.5), said)
    arguments: dict[str, Any] = {"steps": steps, "order": request.order, "batch": request.batch, "lr": lr, "loss": loss}

    # Where E Z^v Z^x is zero the limit of v̂ is v, and the program with v is shorter.
    drifting = bool(growing(network))
    # These come first, so that a network that cannot be trained is refused before the long computations.
    at_width = None
    if request.widths:
        begins = None if own else np.asarray(start)
        at_width = FiniteTraining.of(network, inputs, test, Schedule(batches, lr, slopes, table), begins)
    program = error = kernel = None
    missing: dict[tuple[int, ...], str] = {}
    if request.limit:
        assert isinstance(start, np.ndarray)
        if progress:
            progress("the kernel")
        # At most half of the time goes to the kernel; the limit of the program also reports what the kernel lacks.
        share = clock.part(0.5)
        found_kernel, missed = _kernel(network, inputs, test, drifting, request.tol, share)
        descent = kernel_descent(found_kernel, start, table, batches, lr, slopes)
        said += missed
        said += overshoots(descent, lr)
        kernel = descent.f
        said += not_covered(network, named_examples(network, all_rows(network, inputs, test)))
        given = np.asarray(start).tolist()
        budget = request.budget
        left = None if budget is None else max(clock.left(), 0.1 * budget)
        task = Task(network, inputs, table, test, start, batches, lr, slopes, drifting)
        unrolled = partial(sgd, network, inputs, targets, test, f0=given, condition=drifting, **arguments)
        limits = training_limit(task, unrolled, request.tol, left, progress)
        said += limits.diagnostics
        program, error, missing = limits.value, limits.error, limits.missing
    losses = {
        name: _losses(f, table, slopes) for name, f in (("program", program), ("kernel", kernel)) if f is not None
    }
    found_so_far = Training(network.name, steps, len(x), program, error, kernel, (), tuple(said), missing, losses)
    return found_so_far, at_width


def _losses(f: Array, targets: Array, loss: Loss) -> Array:
    """The mean loss of the training rows after each step, shape (T+1,); of several networks the mean of theirs."""
    runs = f if f.ndim == 4 else f[None]
    each = [
        [float(np.mean([loss.value(*row) for row in zip(step, targets, strict=False)])) for step in run.tolist()]
        for run in runs
    ]
    return np.mean(each, axis=0)


def _kernel(
    network: Program, inputs: Any, test: Any, drifting: bool, tol: float, budget: float | None
) -> tuple[Array, tuple[Diagnostic, ...]]:
    """K̊ of all rows and the training rows, shape (rows, training rows, outputs, outputs), and its warnings."""
    if drifting:
        kernel, said = infer_conditioned_ntk(network, inputs, test, tol, budget)
        if np.isnan(kernel.value).any():
            # Descent with an entry that is not known would be told to diverge.
            raise NetsorError(d for d in said if d.is_error)
        return kernel.value, said
    rows = shaped_rows(network, all_rows(network, inputs, test))
    kernel, said = infer_ntk(network, rows, inputs, tol, budget)
    value = kernel.value
    return value if value.ndim == 4 else value[:, :, None, None], said


def no_limit(network: Program) -> Diagnostic:
    """The error for the limit of training from f_0 = vᵀx/√n, which is random in the limit."""
    return networks.random_start(network.name)

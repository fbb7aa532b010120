"""Predictions of a network of infinite width from its kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.kernels.kernel import in_time, verify_network
from netsor.kernels.pairs import flat_rows, named_examples
from netsor.predict.gaussian_process import Moments, Rows, Targets, ensemble, posterior
from netsor.predict.kernels import AllKernels, Progress, compute_kernels, matrix, own_rows, related_outputs, rows
from netsor.predict.merging import Merged, merge
from netsor.predict.result import Prediction, draw, score
from netsor.predict.rounding import UNIT, Array
from netsor.predict.scaling import infer_scaling
from netsor.predict.systems import Matrix
from netsor.predict.tiles import Tiles
from netsor.train.advice import not_covered
from netsor.transform.sgd import number_table

# Rows times outputs of a kernel that is factored in memory; larger ones are on disk, and are solved by iteration.
MOST_FACTORED = 30_000


@dataclass(frozen=True)
class Request:
    """What is asked for: the kernel, the time of gradient flow, noise or ridge, and whether with covariances."""

    kernel: str = "nngp"
    time: float = math.inf
    noise: float = 0.0
    cov: bool = False
    samples: int = 0
    seed: int = 0

    def verify(self) -> None:
        """Raises NetsorError (E663) where a setting makes no sense."""
        if self.kernel not in ("nngp", "ntk"):
            raise NetsorError(
                derived.bad_prediction("the kernel", f"{self.kernel!r}", "nngp or ntk", "write `--kernel ntk`")
            )
        if math.isnan(self.time) or self.time < 0:
            wanted = "a number from 0 on, or inf for the end of training"
            raise NetsorError(
                derived.bad_prediction(
                    "the time", f"{self.time:g}", wanted, "leave `--time` out for the end of training"
                )
            )
        if not 0 <= self.noise < math.inf:
            hint = "leave `--noise` out where the targets have none"
            raise NetsorError(
                derived.bad_prediction("the noise variance", f"{self.noise:g}", "a number from 0 on", hint)
            )
        if self.samples < 0:
            raise NetsorError(
                derived.bad_prediction("the number of samples", self.samples, "a whole number from 0 on", "give 3, say")
            )
        if self.kernel == "nngp" and not math.isinf(self.time):
            raise NetsorError(derived.time_without_flow())

    def verify_large(self, rows: int) -> None:
        """Raises NetsorError (E663) for what needs a factor of the kernel, which so many rows have not."""
        if not math.isinf(self.time):
            hint = "leave `--time` out for the end of training, with a small `--noise`"
            time = f"the time with {rows} training rows"
            raise NetsorError(derived.bad_prediction(time, f"{self.time:g}", "inf", hint))
        if not self.noise:
            wanted = "above 0, for without it no bound on an error is known"
            noise = f"the noise variance with {rows} training rows"
            raise NetsorError(derived.bad_prediction(noise, "0", wanted, "give `--noise 0.001`, say"))

    @property
    def full(self) -> bool:
        """Whether covariances between test rows are needed."""
        return self.cov or self.samples > 0

    @property
    def interpolates(self) -> bool:
        """Whether a training row is met with its own target."""
        return self.noise == 0 and math.isinf(self.time)


# Targets beyond 2 to this power, or below its inverse, are scaled.
_FAR = 400


def predict(
    network: Program,
    inputs: Any,
    targets: Any,
    test: Any,
    *,
    kernel: str = "nngp",
    time: float = math.inf,
    noise: float = 0.0,
    cov: bool = False,
    samples: int = 0,
    seed: int = 0,
    test_targets: Any = None,
    standardize: bool = False,
    tol: float = 1e-10,
    budget: float | None = None,
    progress: Progress = None,
) -> Prediction:
    """Mean and standard deviation of the outputs on the rows `test`, given `targets` (N,) or (N, outputs) on `inputs`.

    A network of one output may have several columns of targets: those of as many independent outputs like it.

    With K the NNGP kernel, Θ the NTK, X the training and X* the test rows: "nngp" is the posterior of the Gaussian
    process with noise variance S, K*(K + S)⁻¹y and K** − K*(K + S)⁻¹K*ᵀ (Rasmussen & Williams 2006, Eqs. 2.25, 2.26);
    "ntk" the ensemble of networks after gradient flow on Σ (f − y)²/(2N) for the time t from their random
    initialization, Ay and K** + AKAᵀ − AK*ᵀ − K*Aᵀ with A = Θ*Θ⁻¹(1 − e^{−Θt/N}) (Lee et al. 2019, Eqs. 14 to 16), and
    with `noise` on that loss with S |θ − θ₀|²/(2N) added: Θ + S in the place of Θ. What is singular has the answer of
    least norm (W664). The output of the network is predicted, without the noise of a target.

    `cov` asks for covariances, `samples` for so many draws, `test_targets` for scores, and `standardize` for inputs
    less the mean of the training rows, over their standard deviation (1 where that is 0), number by number.
    `tol` and `budget` are those of the kernels. Raises NetsorError: no network (E609), shapes and numbers that do not
    fit (E654, E655), settings (E663), a covariance that is not known (E617), and what kernels raise (E801 to E804).
    """
    asked = Request(kernel, float(time), float(noise), cov, samples, seed)
    asked.verify()
    verify_network(network)
    count = len(network.readouts)
    x, xt = _rows(network, inputs), _rows(network, test)
    y = target_columns(targets, len(x), count, "the targets")
    columns = y.shape[1]
    yt = None
    if test_targets is not None:
        wanted = count if columns == count else columns
        yt = np.array(number_table(test_targets, len(xt), wanted, "the test targets"), float).reshape(len(xt), wanted)
    standard = None
    if standardize and len(x):
        standard = _standard(x)
        x, xt = ((z - standard[0]) / standard[1] for z in (x, xt))
    merged = merge(x, xt, infer_scaling(network))
    distinct = x[merged.first]
    large = len(distinct) * count > MOST_FACTORED
    if large:
        asked.verify_large(len(distinct))
    with _folder(large) as folder:
        with in_time(network, "kernels", budget):
            tables = compute_kernels(network, distinct, xt, kernel == "ntk", asked.full, tol, budget, progress, folder)
        # What overflows has no finite bound, which says it.
        with np.errstate(over="ignore"):
            return _predicted(network, asked, tables, merged, (x, xt, y, yt), standard, progress)


def _predicted(
    network: Program, asked: Request, tables: AllKernels, merged: Merged,
    data: tuple[Array, Array, Array, Array | None], standard: tuple[Array, Array] | None, progress: Progress,
) -> Prediction:  # fmt: skip
    x, xt, y, yt = data
    count, columns, kernel = len(network.readouts), y.shape[1], asked.kernel
    distinct = x[merged.first]
    said = list(tables.diagnostics)
    if kernel == "ntk" and not any(d.code == "W614" for d in said):
        said += not_covered(network, named_examples(network, np.concatenate([distinct, xt])))
    if progress:
        progress("the solution")
    found = _Assembly(len(xt), columns, asked.full)
    # Means are linear in the targets, whose squares may be beyond the doubles.
    exponent = int(np.frexp(np.abs(y).max(initial=0.0))[1])
    exponent = exponent if abs(exponent) > _FAR else 0
    near = np.ldexp(y, -exponent)
    for group in related_outputs(tables):
        members = group if columns == count else [[k] for k in range(columns)]
        moments, size = _solve(tables, group[0], members, merged, near, len(x), asked)
        if exponent:
            mean, error = (np.ldexp(z, exponent) for z in (moments.mean, moments.mean_error))
            moments = replace(moments, mean=mean, mean_error=error)
        if moments.lost:
            bounded = not np.isinf(moments.mean_error).any()
            said.append(derived.singular(network.name, kernel, moments.lost, size, bounded))
        found.add(moments, members)
    made = found.prediction(network.name, asked, len(x), _once(said))
    if asked.samples and made.cov is not None:
        made = replace(made, samples=draw(made.mean, made.cov, asked.samples, asked.seed))
    if yt is not None:
        noise_of_targets = asked.noise if kernel == "nngp" else 0.0
        made = replace(made, scores=score(made.mean, made.std**2 + noise_of_targets, yt))
    made = replace(made, standard=standard)
    return made if asked.cov else replace(made, cov=None, cov_error=None)


@contextmanager
def _folder(needed: bool) -> Iterator[Path | None]:
    """A folder for kernels that memory does not hold, for as long as they are used."""
    if not needed:
        yield None
        return
    with TemporaryDirectory(prefix="netsor-") as name:
        yield Path(name)


def target_columns(targets: Any, rows: int, outputs: int, what: str) -> Array:
    """Targets (rows, columns), a column an output; for a network of one output there may be any number of columns.

    Readouts that are independent and alike have the same kernel and none in common, so that several columns are those
    of a network with so many of them. Raises NetsorError (E654, E655).
    """
    shape = np.shape(targets)
    columns = shape[1] if outputs == 1 and len(shape) == 2 and shape[1] > 0 else outputs
    return np.array(number_table(targets, rows, columns, what), float).reshape(rows, columns)


def standardized(inputs: Any) -> Any:
    """Rows less their mean, over their standard deviation, as `predict` has them; by input where there are several."""
    if isinstance(inputs, dict):
        return {name: standardized(rows) for name, rows in inputs.items()}
    rows = np.asarray(inputs, float)
    mean, deviation = _standard(rows)
    return (rows - mean) / deviation


def _standard(rows: Array) -> tuple[Array, Array]:
    deviation = rows.std(axis=0)
    return rows.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _rows(network: Program, given: Any) -> Array:
    """Rows of inputs (N, D); none are allowed, where all that is given is empty."""
    shapes = [np.shape(v) for v in given.values()] if isinstance(given, dict) else [np.shape(given)]
    if shapes and all(s and s[0] == 0 for s in shapes):
        width = sum(i.dimension * len(i.indices or (0,)) for i in network.inputs)
        return np.zeros((0, width))
    return flat_rows(network, given)


def _once(said: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple({(d.code, d.message): d for d in said}.values())


def _solve(
    tables: AllKernels, group: list[int], members: list[list[int]], merged: Merged, y: Array, count: int, asked: Request
) -> tuple[Moments, int]:
    """Moments of groups of targets whose outputs have the kernels of one group, and the size of the system."""
    width = len(group)
    k = merged.matrix(matrix(tables.nngp.train, group), width)
    cross = merged.rows(rows(tables.nngp.cross, group), width)
    own = own_rows(tables.own, group)
    given = merged.targets(np.stack([y[:, g] for g in members], axis=-1))
    value, error = (x.reshape(-1, len(members)) for x in (given.value, given.error))
    if tables.tangent is None:
        kept = _audible(k)
        k, cross, value, error = _chosen(k, kept), _rows_of(cross, kept), value[kept], error[kept]
        moments = posterior(k, cross, own, Targets(value, error), asked.noise, asked.full)
    else:
        theta = merged.matrix(matrix(tables.tangent.train, group), width)
        theta_cross = merged.rows(rows(tables.tangent.cross, group), width)
        kept = _audible(theta)
        k, cross, value, error = _chosen(k, kept), _rows_of(cross, kept), value[kept], error[kept]
        theta, theta_cross = _chosen(theta, kept), _rows_of(theta_cross, kept)
        # A flow for the time t/N.
        time = asked.time / count if count else 0.0
        given = Targets(value, error)
        moments = ensemble(theta, theta_cross, k, cross, own, given, asked.noise, time, asked.full)
    if not asked.interpolates:
        return moments, int(kept.sum())
    twins = np.repeat(merged.twins, width)
    places = twins * width + np.tile(np.arange(width), len(merged.twins))
    known = (twins >= 0) & np.isin(places, np.flatnonzero(kept))
    fitted = merged.fitted(np.stack([y[:, g] for g in members], axis=-1))
    factors = np.repeat(merged.twin_factors, width)[known, None]
    value, error = (x.reshape(-1, len(members))[places[known]] for x in (fitted.value, fitted.error))
    rounding = np.where(factors == 1, 0.0, 8 * UNIT)
    there = Targets(value * factors, np.abs(factors) * (error + rounding * np.abs(value)))
    return _interpolated(moments, known, there, asked), int(kept.sum())


def _audible(kernel: Matrix | Tiles) -> Array:
    """Rows that are not exactly zero; the others tell nothing, since a kernel is positive semidefinite."""
    if isinstance(kernel, Tiles):
        # With noise they do no harm.
        return np.ones(len(kernel), bool)
    return (kernel.value.diagonal() != 0) | (kernel.error.diagonal() != 0)


def _chosen(kernel: Matrix | Tiles, kept: Array) -> Matrix | Tiles:
    if kept.all() or isinstance(kernel, Tiles):
        return kernel
    return Matrix(kernel.value[np.ix_(kept, kept)], kernel.error[np.ix_(kept, kept)])


def _rows_of(cross: Rows, kept: Array) -> Rows:
    return cross if kept.all() else Rows(cross.value[kept], cross.error[kept])


def _interpolated(moments: Moments, known: Array, there: Targets, asked: Request) -> Moments:
    """Test rows that are training rows: without noise and at the end of training the output there is the target.

    (K e_i)ᵀ K⁻¹ y = y_i and K_ii − (K e_i)ᵀ K⁻¹ (K e_i) = 0, without any rounding; of a singular K the variance alone.
    """
    sure = moments.lost == 0 and not np.isinf(moments.mean_error).any()
    if not known.any() or not (sure or asked.kernel == "nngp"):
        return moments
    mean, error = np.array(moments.mean), np.array(moments.mean_error)
    if sure:
        mean[known], error[known] = there.value, there.error
    cov, low, high = (np.array(x) for x in (moments.cov, moments.cov_low, moments.cov_high))
    for part in (cov, low, high):
        part[known] = 0.0
        if part.ndim == 2:
            part[:, known] = 0.0
    return Moments(mean, error, cov, low, high, moments.lost)


class _Assembly:
    """Moments of groups of outputs, put into arrays over test rows and outputs."""

    def __init__(self, rows: int, outputs: int, full: bool) -> None:
        self.shape, self.full = (rows, outputs), full
        self.mean, self.error = np.zeros(self.shape), np.zeros(self.shape)
        self.var, self.low, self.high = (np.zeros(self.shape) for _ in range(3))
        self.cov, self.slack = (np.zeros((*self.shape, *self.shape)) if full else None for _ in range(2))

    def add(self, moments: Moments, members: list[list[int]]) -> None:
        rows, width = self.shape[0], len(members[0])
        for k, group in enumerate(members):
            self.mean[:, group] = moments.mean[:, k].reshape(rows, width)
            self.error[:, group] = moments.mean_error[:, k].reshape(rows, width)
            for out, part in ((self.var, moments.cov), (self.low, moments.cov_low), (self.high, moments.cov_high)):
                out[:, group] = (part.diagonal() if self.full else part).reshape(rows, width)
            if self.cov is not None and self.slack is not None:
                slack = np.maximum(moments.cov_high - moments.cov, moments.cov - moments.cov_low)
                for a, one in enumerate(group):
                    for b, other in enumerate(group):
                        self.cov[:, one, :, other] = moments.cov[a::width, b::width]
                        self.slack[:, one, :, other] = slack[a::width, b::width]

    def prediction(self, network: str, asked: Request, training: int, said: tuple[Diagnostic, ...]) -> Prediction:
        # No variance is negative.
        low, high = np.maximum(self.low, 0.0), np.maximum(self.high, 0.0)
        std = np.sqrt(np.maximum(self.var, 0.0))
        off = np.maximum(np.sqrt(high) - std, std - np.sqrt(low)) * (1 + 4 * UNIT) + 4 * UNIT * std
        size = self.mean.size
        cov, slack = (None if x is None else x.reshape(size, size) for x in (self.cov, self.slack))
        return Prediction(
            network, asked.kernel, asked.time, asked.noise, training, self.mean, std, self.error, off, cov, slack,
            diagnostics=said,
        )  # fmt: skip

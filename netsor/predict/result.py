"""A prediction: means, standard deviations and covariances of the outputs on test rows, with their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsor.diagnostics import Diagnostic
from netsor.predict.rounding import Array
from netsor.shown import Shown


@dataclass(frozen=True)
class Scores:
    """How a prediction compares with the targets of its test rows.

    `accuracy` is the share of rows whose largest output is where the target's is, for one-hot targets; `nll` the mean
    of −log N(y; mean, variance) over all targets, infinite where a target has no variance and is missed.
    """

    mse: float
    accuracy: float | None
    nll: float

    def as_dict(self) -> dict[str, float | None]:
        return {"mse": self.mse, **({} if self.accuracy is None else {"accuracy": self.accuracy}), "nll": self.nll}


@dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """Predictions on test rows; `mean`, `std`, `error` and `std_error` have the shape (test rows, outputs).

    |mean − truth| ≤ error and |std − truth| ≤ std_error, with what the errors of the kernels and the rounding of the
    algebra do. `cov` is over test rows and outputs, row by row: (rows · outputs, rows · outputs), with
    |cov − truth| ≤ cov_error; `samples` have the shape (samples, test rows, outputs).
    `standard` are the means and deviations by which inputs were standardized, all numbers of a row one after the other.
    """

    network: str
    kernel: str
    time: float
    noise: float
    training: int
    mean: Array
    std: Array
    error: Array
    std_error: Array
    cov: Array | None = None
    cov_error: Array | None = None
    samples: Array | None = None
    scores: Scores | None = None
    standard: tuple[Array, Array] | None = None
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Rows are test rows, columns outputs; the errors are the largest. The time `inf` is None."""
        out: dict[str, Any] = {
            "kernel": self.kernel, "time": None if math.isinf(self.time) else self.time, "noise": self.noise,
            "mean": self.mean.tolist(), "std": self.std.tolist(),
        }  # fmt: skip
        if self.cov is not None:
            out["cov"] = self.cov.tolist()
        out["error"] = float(self.error.max(initial=0.0))
        out["std_error"] = float(self.std_error.max(initial=0.0))
        if self.cov_error is not None:
            out["cov_error"] = float(self.cov_error.max(initial=0.0))
        if self.samples is not None:
            out["samples"] = self.samples.tolist()
        if self.standard is not None:
            out["standardized"] = {"mean": self.standard[0].tolist(), "std": self.standard[1].tolist()}
        if self.scores is not None:
            out["scores"] = self.scores.as_dict()
        return out


def score(mean: Array, variance: Array, targets: Array) -> Scores:
    """Mean squared error, accuracy and negative log likelihood of targets (rows, outputs)."""
    difference = targets - mean
    one_hot = targets.shape[1] > 1 and (np.sum(targets == targets.max(axis=1, keepdims=True), axis=1) == 1).all()
    one_hot = bool(one_hot) and all(len(np.unique(row)) == 2 for row in targets)
    accuracy = float((mean.argmax(axis=1) == targets.argmax(axis=1)).mean()) if one_hot else None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        terms = 0.5 * (difference**2 / variance + np.log(2 * np.pi * variance))
    # A target that is known and met has all probability, one that is known and missed none.
    terms = np.where(variance > 0, terms, np.where(difference == 0, -np.inf, np.inf))
    missed = np.isposinf(terms).any()
    return Scores(float((difference**2).mean()), accuracy, math.inf if missed else float(terms.mean()))


def draw(mean: Array, cov: Array, count: int, seed: int) -> Array:
    """Samples of N(mean, cov), (samples, rows, outputs), the same for every run with this seed."""
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = np.random.default_rng(seed).standard_normal((count, mean.size))
    return np.asarray(mean + (noise @ root.T).reshape(count, *mean.shape))

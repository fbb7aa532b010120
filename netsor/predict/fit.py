"""Hyperparameters that maximize the likelihood of the targets under the Gaussian process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.deadline import TimeOver, is_over, is_stopped
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.kernels.kernel import in_time
from netsor.kernels.pairs import as_inputs, flat_rows
from netsor.predict.hyperparameters import Family
from netsor.predict.predict import target_columns
from netsor.predict.rounding import UNIT, Array

NOISE = "noise"
_STEPS = 60
# How scipy's L-BFGS says that it made all of them.
_STEPS_MADE = 1
# Steps in log parameters; beyond e^±23 nothing is looked for, and within the smaller nothing is told apart.
_FARTHEST, _NEAREST = math.log(1e10), 1e-3


@dataclass(frozen=True)
class Fit:
    """Fitted parameters, the noise (fitted or given), log p(y), and the norm of its gradient by log parameters.

    Where the search is not `finished`, because its time or its steps were over, they are the likeliest that it met.
    """

    values: Mapping[str, float]
    noise: float
    log_likelihood: float
    gradient_norm: float
    evaluations: int
    finished: bool = True

    @property
    def options(self) -> str:
        """The options of a command that give the fitted values."""
        return " ".join((*(f"--set {k}={v!r}" for k, v in self.values.items()), f"--noise {self.noise!r}"))

    def as_dict(self) -> dict[str, Any]:
        return {
            "values": dict(self.values), "noise": self.noise, "log_likelihood": self.log_likelihood,
            "gradient_norm": self.gradient_norm, "evaluations": self.evaluations, "finished": self.finished,
        }  # fmt: skip


def fit(
    family: Family, network: Program, inputs: Any, targets: Any, names: Sequence[str], noise: float = 0.0,
    tol: float = 1e-10, budget: float | None = None, progress: Callable[..., None] | None = None,
) -> Fit:  # fmt: skip
    """Maximizes log p(y) = −½ yᵀA⁻¹y − ½ log det A − ½ N log 2π, A = K + S, over parameters (and `noise`, if named).

    Rasmussen & Williams 2006, Eqs. 2.30 and 5.9: ∂ log p = ½ tr((ααᵀ − A⁻¹) ∂A) with α = A⁻¹y, and ∂K exactly, from
    the engine; L-BFGS over the logarithms. After `budget` seconds the likeliest parameters so far are returned.
    Raises NetsorError: parameters without derivative or not positive, or none (E666), an A that is singular at the
    start (E667), no time for a single likelihood (E804), and what `predict` raises.
    """
    names = list(dict.fromkeys(names))
    if not names:
        raise NetsorError(derived.nothing_to_fit(family.names))
    if not 0 <= noise < math.inf:
        hint = "leave `--noise` out where the targets have none"
        raise NetsorError(derived.bad_prediction("the noise variance", f"{noise:g}", "a number from 0 on", hint))
    count = len(network.readouts)
    x = flat_rows(network, inputs)
    y = target_columns(targets, len(x), count, "the targets")
    # Related outputs are one vector; columns of a network with one output are independent draws of it.
    y = y if count == 1 else y.reshape(-1, 1)
    with_noise = NOISE in names and NOISE not in family.names
    params = [name for name in names if not (with_noise and name == NOISE)]
    start = [family.formulas(params).values[name] for name in params]
    if with_noise:
        start.append(noise or 1e-2 * float(np.mean(y**2) or 1.0))
    for name, value in zip((*params, NOISE), start, strict=False):
        if not value > 0:
            raise NetsorError(derived.not_positive(name, value))
    rows, calls = as_inputs(network, x), 0

    def evaluate(log: Array) -> tuple[float, Array]:
        nonlocal calls
        calls += 1
        values = np.exp(log)
        at = dict(zip(params, values.tolist(), strict=False))
        s = float(values[-1]) if with_noise else noise
        if params:
            k, moved = family.at(at).gradient(params, rows, "nngp", tol)
        else:
            from netsor.kernels import infer_nngp

            k, moved = infer_nngp(network, rows, tol=tol).nngp, {}
        if _is_cut_short():
            # The kernel may lack some of its entries, and its likelihood says nothing.
            raise TimeOver
        a = _flat(k.value) + s * np.eye(len(y))
        slopes = [_flat(moved[name].value) for name in params]
        found, gradient = log_likelihood(a, y, slopes, with_noise, network.name)
        if progress:
            progress(f"log likelihood {found:.6g} after {calls} evaluations")
        return -found, -gradient * values

    known: dict[bytes, tuple[float, Array]] = {}

    def cached(log: Array) -> tuple[float, Array]:
        key = log.tobytes()
        if key not in known:
            try:
                known[key] = evaluate(log)
            except NetsorError as fault:
                if not known or _is_cut_short():
                    raise
                raise _WithoutLikelihood(log.copy()) from fault
        return known[key]

    with in_time(network, "likelihood", budget):
        try:
            finished = _search(cached, known, np.log(start))
        except (KeyboardInterrupt, NetsorError, TimeOver):
            if not (_is_cut_short() and known):
                raise
            finished = False
    key = min(known, key=lambda key: known[key][0])
    best, (value, gradient) = np.frombuffer(key), known[key]
    fitted = np.exp(best)
    return Fit(
        dict(zip(params, fitted.tolist(), strict=False)), float(fitted[-1]) if with_noise else noise, -float(value),
        float(np.linalg.norm(gradient)), calls, finished,
    )  # fmt: skip


class _WithoutLikelihood(Exception):
    """A point of the search where targets have no likelihood, as where A is singular; the argument is the point."""


def _search(
    cost: Callable[[Array], tuple[float, Array]], known: Mapping[bytes, tuple[float, Array]], first: Array
) -> bool:
    """Runs L-BFGS from `first`, and whether it came to its end; what it met is in `known`.

    Where it steps on a point without a likelihood it goes on from the best point so far, in a box that reaches half as
    far, and the box goes along.
    """
    from scipy.optimize import minimize

    centre, reach = first, _FARTHEST
    for _ in range(_STEPS):
        low, high = np.maximum(first - _FARTHEST, centre - reach), np.minimum(first + _FARTHEST, centre + reach)
        box = list(zip(low, high, strict=True))
        try:
            made = minimize(cost, centre, jac=True, method="L-BFGS-B", bounds=box, options={"maxiter": _STEPS})
        except _WithoutLikelihood as at:
            centre = np.frombuffer(min(known, key=lambda key: known[key][0]))
            reach = float(np.abs(at.args[0] - centre).max()) / 2
            if reach < _NEAREST:
                return False
            continue
        at_wall = (made.x == low) | (made.x == high)
        if made.status == _STEPS_MADE or not at_wall.any():
            return bool(made.status != _STEPS_MADE)
        if not (at_wall & (abs(made.x - first) < _FARTHEST)).any():
            return False
        centre = made.x
    return False


def _is_cut_short() -> bool:
    return is_stopped() or is_over()


def log_likelihood(a: Array, y: Array, slopes: Sequence[Array], with_noise: bool, name: str) -> tuple[float, Array]:
    """log p of all columns of y, its derivatives along the matrices `slopes`, and `with_noise` along the identity."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        factor = cho_factor(a, lower=True, check_finite=False)
        # A pivot that rounding may have made is none.
        singular = factor[0].diagonal().min(initial=np.inf) ** 2 <= len(y) * UNIT * a.diagonal().max(initial=0.0)
    except LinAlgError:
        singular = True
    if singular:
        raise NetsorError(derived.no_likelihood(name))
    y = y.reshape(len(a), -1)
    n, columns = y.shape
    alpha = cho_solve(factor, y, check_finite=False)
    inverse = cho_solve(factor, np.eye(n), check_finite=False)
    one = float(np.log(factor[0].diagonal()).sum()) + 0.5 * n * math.log(2 * math.pi)
    value = -0.5 * float(np.sum(y * alpha)) - columns * one
    weight = alpha @ alpha.T - columns * inverse
    out = [0.5 * float(np.einsum("ij,ij->", weight, slope)) for slope in slopes]
    if with_noise:
        out.append(0.5 * float(weight.trace()))
    return value, np.array(out)


def _flat(x: Array) -> Array:
    """A kernel (N, N), or (N, N, q, q), over rows and outputs."""
    return x if x.ndim == 2 else x.transpose(0, 2, 1, 3).reshape(len(x) * x.shape[2], -1)

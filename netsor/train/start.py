"""The outputs at step 0: given, zero, or drawn from the Gaussian process that is their limit (D.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from netsor.check.outputs import growing
from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import derived, networks
from netsor.kernels import infer_gram, infer_nngp
from netsor.kernels.pairs import flat_rows, shaped_rows
from netsor.transform.sgd import number_table

Array = np.ndarray
# Eigenvalues below this share of the largest are rounding errors of zero eigenvalues, from linearly dependent rows. Two
# outputs are equal when the variance of their difference is below the second share of their variances.
_RANK = 1e-13
_EQUAL = 1e-12
# Outputs in a direction of zero variance must vanish, up to a relative error of the decimals given, and up to this many
# of the standard deviations that the error of Σ̊ leaves open.
_DECIMALS, _DEVIATIONS = 1e-6, 100.0
# Tolerance and time limit in seconds of the Σ̊ that f_0 is checked against.
_GRAM_TOL, _GRAM_SECONDS = 1e-10, 20.0


def all_rows(network: Program, inputs: Any, test: Any = None) -> Array:
    """Training rows and then test rows as one array (N, D), with all numbers of an example in one row."""
    x = flat_rows(network, inputs)
    return x if test is None else np.concatenate([x, flat_rows(network, test)])


def first_outputs(
    network: Program, inputs: Any, test: Any = None, f0: Any = "zero", seed: int = 0, budget: float | None = None,
    said: list[Diagnostic] | None = None,
) -> Array | str:  # fmt: skip
    """f_0 as an array (rows, outputs), training rows first; the string "network" is returned unchanged.

    `f0` is "zero", "gaussian" (a draw from the Gaussian process with the NNGP kernel, the same for every run with this
    seed), or numbers, one for each row, or one for each row and output. Where `budget` seconds do not suffice for that
    kernel, `said` is told (W901). Raises NetsorError: E615 (outputs that grow like √n have no Gaussian process), E654,
    E655 (shapes and numbers), E657 (another word), E659 (f_0 outside the range of Σ̊).
    """
    count, rows = len(network.readouts), len(all_rows(network, inputs, test))
    if not isinstance(f0, str):
        table = np.asarray(f0, float) if np.ndim(f0) == 1 else f0
        if count > 1 and np.ndim(table) == 1 and len(table) == rows * count:
            table = np.reshape(table, (rows, count))
        numbers = np.array(number_table(table, rows, count, "f0"))
        _verify_range(network, inputs, test, numbers, _GRAM_SECONDS if budget is None else min(budget, _GRAM_SECONDS))
        return numbers
    if f0 == "network":
        return f0
    if f0 == "zero":
        return np.zeros((rows, count))
    if f0 != "gaussian":
        wanted, hint = "a list of numbers, zero, gaussian or network", "leave it out, and the outputs start at zero"
        raise NetsorError(derived.bad_setting("f0", repr(f0), wanted, hint))
    return _gaussian(network, all_rows(network, inputs, test), seed, budget, [] if said is None else said)


def _gaussian(network: Program, rows: Array, seed: int, budget: float | None, said: list[Diagnostic]) -> Array:
    if growing(network):
        raise NetsorError(no_process(network))
    count = len(network.readouts)
    distinct, where = np.unique(rows + 0.0, axis=0, return_inverse=True)
    found = infer_nngp(network, shaped_rows(network, distinct), budget=budget)
    said += [d for d in found.diagnostics if d.code == "W901"]
    kernel = found.value
    size = len(distinct) * count
    if count > 1:
        kernel = kernel.transpose(0, 2, 1, 3)
    k = kernel.reshape(size, size)
    values, vectors = np.linalg.eigh((k + k.T) / 2)
    values = np.where(values > _RANK * values.max(initial=0.0), values, 0.0)
    # The symmetric square root does not depend on the signs and the order of the eigenvectors.
    root = (vectors * np.sqrt(values)) @ vectors.T
    f = root @ np.random.default_rng(seed).standard_normal(size)
    for i in range(size):
        # Outputs that are equal for every draw of the weights are made equal to the last digit.
        same = k.diagonal()[:i] + k[i, i] - 2 * k[i, :i] <= _EQUAL * (k.diagonal()[:i] + k[i, i])
        if same.any():
            f[i] = f[int(np.argmax(same))]
    return f.reshape(len(distinct), count)[where.ravel()]


def _verify_range(network: Program, inputs: Any, test: Any, f0: Array, seconds: float) -> None:
    """Raise NetsorError (E659) where f_0 lies outside the range of a singular Σ̊, the limit of the Σ of Eq. 71.

    Let g and R be the outputs and Σ̊ in units of standard deviations. An eigenvector u of R with eigenvalue λ is a
    combination of outputs with variance λ; where λ is zero, within rounding and the error of Σ̊, uᵀg must be zero too.
    """
    if not f0.any():
        return
    count = f0.shape[1]
    rows = all_rows(network, inputs, test)
    try:
        gram = infer_gram(network, shaped_rows(network, rows), _GRAM_TOL, seconds)
    except NetsorError:
        # Whether the kernel exists is reported by the caller, who needs more than its range.
        return
    size = len(rows) * count
    k, slack = ((x.transpose(0, 2, 1, 3) if count > 1 else x).reshape(size, size) for x in (gram.value, gram.error))
    f, variance = f0.ravel(), k.diagonal()
    some = variance > slack.diagonal()
    deviation = np.sqrt(np.where(some, variance, 1.0))
    largest = float(np.abs(f).max())
    for i in np.flatnonzero(~some).tolist():
        if abs(f[i]) > _DECIMALS * largest + _DEVIATIONS * np.sqrt(max(variance[i], 0.0) + slack[i, i]):
            raise NetsorError(derived.dependent_outputs(_place(network, inputs, i, count), f[i], "", 0.0))
    index = np.flatnonzero(some).tolist()
    units = np.outer(deviation[index], deviation[index])
    r, g = k[np.ix_(index, index)] / units, f[index] / deviation[index]
    error = float(np.linalg.norm(slack[np.ix_(index, index)] / units))
    values, vectors = np.linalg.eigh((r + r.T) / 2)
    none = values <= max(_EQUAL * len(index), 2 * error)
    along = np.abs(vectors.T @ g)
    bound = _DECIMALS * np.linalg.norm(g) + _DEVIATIONS * np.sqrt(np.maximum(values, 0) + error)
    if not (none & (along > bound)).any():
        return
    # The first row that is a combination of the rows before it, but has another output than that combination.
    kept: list[int] = []
    for i in range(len(index)):
        block = r[np.ix_(kept, kept)]
        c = np.linalg.lstsq(block, r[kept, i], rcond=_EQUAL)[0] if kept else np.zeros(0)
        if 1.0 - c @ r[kept, i] > max(_EQUAL * len(index), 2 * error):
            kept.append(i)
            continue
        reached = float(c @ g[kept])
        if abs(reached - g[i]) > _DECIMALS * np.linalg.norm(g):
            others = [_place(network, inputs, index[j], count) for j, x in zip(kept, c, strict=True) if abs(x) > 1e-9]
            unit = deviation[index[i]]
            raise NetsorError(
                derived.dependent_outputs(
                    _place(network, inputs, index[i], count), f[index[i]], _listed(others), reached * unit
                )
            )


def _place(network: Program, inputs: Any, i: int, count: int) -> str:
    row, training = i // count + 1, len(flat_rows(network, inputs))
    where = f"training row {row}" if row <= training else f"test row {row - training}"
    return where if count == 1 else f"`{network.readouts[i % count].name}` of {where}"


def _listed(places: list[str]) -> str:
    shown = places[:4] + (["others"] if len(places) > 4 else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]


def verify_residuals(lacking: list[Array], f0: Array, width: int) -> None:
    """Raise NetsorError (E659) where v̂ᵀx/√n of a drawn network differs from f_0 by more than rounding."""
    if lacking:
        worst = float(np.abs(np.stack(lacking)).max())
        if worst > _DECIMALS * max(1.0, float(np.abs(f0).max())):
            raise NetsorError(derived.outputs_out_of_reach(width, worst))


def no_process(network: Program) -> Diagnostic:
    """The error for outputs that grow like √n, which have no Gaussian process to draw f_0 from."""
    return networks.no_process(network.name)

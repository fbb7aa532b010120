"""The outputs at step 0: given, zero, or drawn from the Gaussian process that they tend to (D.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from netsor.core import Program
from netsor.kernels import infer_nngp
from netsor.kernels.pairs import flat_rows, shaped_rows
from netsor.transform import faults
from netsor.transform.sgd import number_table

Array = np.ndarray
# Relative to the largest: what is below belongs to rows that depend on others, and is rounding.
_RANK = 1e-13
_EQUAL = 1e-12


def all_rows(network: Program, inputs: Any, test: Any = None) -> Array:
    """Training rows and then test rows as one array (N, D), all numbers of an example in a row."""
    x = flat_rows(network, inputs)
    return x if test is None else np.concatenate([x, flat_rows(network, test)])


def first_outputs(network: Program, inputs: Any, test: Any = None, f0: Any = "zero", seed: int = 0) -> Array | str:
    """f_0 as an array (rows, outputs), training rows first; "network" stays what it is.

    `f0` is "zero", "gaussian" (a draw, the same for every run with this seed, of the Gaussian process with the NNGP
    kernel), or numbers: one for each row, or for each row and output. Raises NetsorError (E654, E655, E657).
    """
    count, rows = len(network.readouts), len(all_rows(network, inputs, test))
    if not isinstance(f0, str):
        table = np.asarray(f0, float) if np.ndim(f0) == 1 else f0
        if count > 1 and np.ndim(table) == 1 and len(table) == rows * count:
            table = np.reshape(table, (rows, count))
        return np.array(number_table(table, rows, count, "f0"))
    if f0 == "network":
        return f0
    if f0 == "zero":
        return np.zeros((rows, count))
    if f0 != "gaussian":
        wanted, hint = "a list of numbers, zero, gaussian or network", "leave it out, and the outputs start at zero"
        raise faults.bad_setting("f0", repr(f0), wanted, hint)
    return _gaussian(network, all_rows(network, inputs, test), seed)


def _gaussian(network: Program, rows: Array, seed: int) -> Array:
    count = len(network.readouts)
    distinct, where = np.unique(rows + 0.0, axis=0, return_inverse=True)
    kernel = infer_nngp(network, shaped_rows(network, distinct)).value
    size = len(distinct) * count
    if count > 1:
        kernel = kernel.transpose(0, 2, 1, 3)
    k = kernel.reshape(size, size)
    values, vectors = np.linalg.eigh((k + k.T) / 2)
    values = np.where(values > _RANK * values.max(initial=0.0), values, 0.0)
    # The symmetric root does not depend on the signs and the order of eigenvectors.
    root = (vectors * np.sqrt(values)) @ vectors.T
    f = root @ np.random.default_rng(seed).standard_normal(size)
    for i in range(size):
        # Outputs that are equal for every draw of the weights are equal here, to the last digit.
        same = k.diagonal()[:i] + k[i, i] - 2 * k[i, :i] <= _EQUAL * (k.diagonal()[:i] + k[i, i])
        if same.any():
            f[i] = f[int(np.argmax(same))]
    return f.reshape(len(distinct), count)[where.ravel()]

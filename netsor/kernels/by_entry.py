"""Kernels entry by entry, as limits of one program on all rows: for networks with uniform input matrices.

U ξ with uniform entries is not Gaussian at a finite number of columns, but a function of as many Gaussians as ξ has
entries, whose coefficients are numbers of the row. The steps of `netsor.limit.many` know rows by their inner products
only, so that such a network is written out on its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from netsor.core import Output, Program
from netsor.diagnostics import NetsorError
from netsor.kernels.pairs import shaped_rows
from netsor.kernels.tables import Kernel
from netsor.kernels.terms import KernelTerm
from netsor.transform.backward import passes
from netsor.transform.forward import instances

Array = np.ndarray
Terms = Callable[..., list[KernelTerm]]


def has_uniform_inputs(network: Program) -> bool:
    """Whether a vector that a readout needs is made by a uniform input matrix."""
    needed = network.needed()
    return any(network.input_matrix[e.matrix].bounds for e in network.embeddings if e.name in needed)


def kernels_by_entry(
    network: Program, x: Array, y: Array | None, terms: Mapping[str, Terms], backward: bool, tol: float,
    budget: float | None, diagonal: bool = False,
) -> dict[str, Kernel]:  # fmt: skip
    """Kernels of rows x (N, D) with rows y, or with themselves; by parameter, under `NAME PARAMETER`, and in total.

    With `diagonal` each row is paired with itself only. Raises NetsorError (E801, E804) for an entry without a limit.
    """
    from netsor.kernels.programs import Entries
    from netsor.limit import infer_limit

    together = shaped_rows(network, x if y is None else np.concatenate([x, y]))
    made = (passes if backward else instances)(network, together)
    entries = Entries(made)
    rows, columns = made.row_of[: len(x)], made.row_of[: len(x)] if y is None else made.row_of[len(x) :]
    every = range(len(columns))
    pairs = [(i, j) for i in range(len(x)) for j in ((i,) if diagonal else every)]
    count = len(network.readouts)
    known: dict[tuple[str, int, int, int, int], dict[str, str]] = {}
    outputs: dict[str, Output] = {}

    def parts(kernel: str, p: int, q: int, a: int, b: int) -> dict[str, str]:
        """The scalars of an entry by parameter, the same for (p, a) with (q, b) as for (q, b) with (p, a)."""
        key = (kernel, p, q, a, b)
        if key not in known:
            grouped: dict[str, list[KernelTerm]] = {}
            for t in terms[kernel](made, p, q, a, b):
                grouped.setdefault(t.parameter, []).append(t)
            names = {}
            for parameter, mine in grouped.items():
                name = f"{kernel} {parameter} {len(outputs)}"
                names[parameter] = entries.scalar(name, mine)
                outputs[names[parameter]] = Output(names[parameter], names[parameter])
            known[key] = known[kernel, q, p, b, a] = names
        return known[key]

    asked = [
        (kernel, i, j, a, b, parts(kernel, rows[i], columns[j], a, b))
        for kernel in terms for i, j in pairs for a in range(count) for b in range(count)
    ]  # fmt: skip
    found = infer_limit(made.builder.build(network.name, list(outputs.values())), tol, budget)
    shape = (len(x), 1 if diagonal else len(columns), count, count)
    out: dict[str, Kernel] = {}
    for kernel, i, j, a, b, names in asked:
        for parameter, name in names.items():
            limit = found[name]
            if limit.value is None or limit.error is None:
                raise NetsorError([d for d in found.diagnostics if d.is_error] or found.diagnostics)
            for key in dict.fromkeys((kernel, f"{kernel} {parameter}")):
                made_kernel = out.setdefault(key, Kernel(np.zeros(shape), np.zeros(shape)))
                at = (i, 0 if diagonal else j, a, b)
                made_kernel.value[at] += limit.value
                made_kernel.error[at] += limit.error
    for kernel in terms:
        out.setdefault(kernel, Kernel(np.zeros(shape), np.zeros(shape)))
    return {name: _plain(k, count, diagonal) for name, k in out.items()}


def _plain(kernel: Kernel, outputs: int, diagonal: bool) -> Kernel:
    value, error = kernel.value, kernel.error
    if outputs == 1:
        value, error = value[..., 0, 0], error[..., 0, 0]
    return Kernel(value[:, 0], error[:, 0]) if diagonal else Kernel(value, error)

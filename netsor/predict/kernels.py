"""The kernels that predictions are made of, as matrices over rows and outputs, by groups of related outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.gaussian.problem import Clock
from netsor.kernels import Kernel, infer_diagonal, infer_kernels, infer_nngp
from netsor.kernels.kernel import whole
from netsor.kernels.pairs import as_inputs
from netsor.kernels.tiled import write_kernels
from netsor.predict.gaussian_process import Rows
from netsor.predict.rounding import Array
from netsor.predict.systems import Matrix
from netsor.predict.tiles import Stored, Tiles

Progress = Callable[..., None] | None
# Of the seconds that are left: for the kernels of the training rows, and for those with test rows.
_FIRST, _SECOND = 0.5, 0.9


@dataclass(frozen=True)
class Tables:
    """K or Θ of training rows (N, N, q, q) and of these with test rows (N, M, q, q), q the number of outputs."""

    train: Kernel | Stored
    cross: Kernel


@dataclass(frozen=True)
class AllKernels:
    """K, of the tangent kernel Θ too where it is asked for, and K of test rows: (M, q, q), or (M, M, q, q)."""

    nngp: Tables
    tangent: Tables | None
    own: Kernel
    diagnostics: tuple[Diagnostic, ...]

    @property
    def outputs(self) -> int:
        return int(self.own.value.shape[-1])


def compute_kernels(
    network: Program, train: Array, test: Array, tangent: bool, full: bool, tol: float, budget: float | None,
    progress: Progress = None, folder: Path | None = None,
) -> AllKernels:  # fmt: skip
    """Kernels of distinct training rows and test rows, arrays (N, D) that hold all numbers of an example in a row.

    With a `folder` the kernels of the training rows are written there, tile by tile.

    Raises NetsorError, as `infer_kernels` does, and where the covariance of the outputs is not known (E617).
    """
    clock = Clock(budget)
    said: dict[tuple[str, str], Diagnostic] = {}

    def left(share: float) -> float | None:
        return None if budget is None else max(share * clock.left(), 0.01 * budget)

    def pair(x: Array, y: Array | None, share: float, what: str) -> tuple[Kernel, Kernel | None]:
        a, b = as_inputs(network, x), None if y is None else as_inputs(network, y)

        def step(*told: Any) -> None:
            if progress:
                progress(*(t if isinstance(t, float) else f"{what}, {t}" for t in told[:1]), *told[1:])

        if tangent:
            both = infer_kernels(network, a, b, tol=tol, budget=left(share), progress=step)
            note(both.diagnostics)
            if both.nngp is None:
                raise NetsorError(d for d in both.diagnostics if d.is_error)
            return _blocks(both.nngp), _blocks(both.ntk)
        found = infer_nngp(network, a, b, tol, step, left(share))
        note(found.diagnostics)
        return _blocks(found.nngp), None

    def note(found: tuple[Diagnostic, ...]) -> None:
        for d in whole(found):
            said.setdefault((d.code, d.message), d)

    q = len(network.readouts)
    k: Kernel | Stored
    theta: Kernel | Stored | None
    if len(train) and folder is not None:
        # In this process alone: where processes are not forked, others would begin with the user's script, which may
        # not be made for that.
        made = write_kernels(network, train, out=folder / "training", nngp=not tangent, tol=tol, progress=progress)
        note(made.diagnostics)
        found = {name: Stored(path, made.error[name]) for name, path in made.files.items()}
        k, theta = found["nngp"], found.get("ntk")
    elif len(train):
        k, theta = pair(train, None, _FIRST, "training rows")
    else:
        k, theta = _nothing(0, 0, q), _nothing(0, 0, q) if tangent else None
    if len(train) and len(test):
        cross, theta_cross = pair(train, test, _SECOND, "training rows with test rows")
    else:
        cross = _nothing(len(train), len(test), q)
        theta_cross = cross if tangent else None
    if full and len(test):
        own_nngp = infer_nngp(network, as_inputs(network, test), None, tol, progress, left(1.0))
        note(own_nngp.diagnostics)
        own = _blocks(own_nngp.nngp)
    elif full:
        own = _nothing(0, 0, q)
    else:
        empty = Kernel(np.zeros(0), np.zeros(0))
        alone = infer_diagonal(network, as_inputs(network, test), "nngp", tol, left(1.0)) if len(test) else empty
        own = Kernel(*(x.reshape(len(test), q, q) for x in (alone.value, alone.error)))
    tables = Tables(theta, theta_cross) if theta is not None and theta_cross is not None else None
    return AllKernels(Tables(k, cross), tables, own, tuple(said.values()))


def _nothing(n: int, m: int, q: int) -> Kernel:
    return Kernel(np.zeros((n, m, q, q)), np.zeros((n, m, q, q)))


def _blocks(kernel: Kernel) -> Kernel:
    if kernel.value.ndim == 4:
        return kernel
    return Kernel(kernel.value[:, :, None, None], kernel.error[:, :, None, None])


def related_outputs(kernels: AllKernels) -> list[list[list[int]]]:
    """Groups of outputs that any kernel relates, and of these the lists whose kernels are the same numbers.

    What is not related is predicted apart, and what is the same is solved once.
    """
    q = kernels.outputs
    if q == 1 or isinstance(kernels.nngp.train, Stored):
        return [[list(range(q))]]
    linked = np.eye(q, dtype=bool)
    for table in _all_tables(kernels):
        for x in (table.value, table.error):
            linked |= (x != 0).any(axis=tuple(range(x.ndim - 2)))
    linked |= linked.T
    groups: list[list[int]] = []
    free = set(range(q))
    while free:
        reached: set[int] = set()
        stack = [min(free)]
        while stack:
            a = stack.pop()
            if a not in reached:
                reached.add(a)
                stack += [int(b) for b in np.flatnonzero(linked[a])]
        free -= reached
        groups.append(sorted(reached))
    classes: list[list[list[int]]] = []
    for group in groups:
        for members in classes:
            if len(members[0]) == len(group) and _same(kernels, members[0], group):
                members.append(group)
                break
        else:
            classes.append([group])
    return classes


def _all_tables(kernels: AllKernels) -> Iterator[Kernel]:
    for tables in (kernels.nngp, kernels.tangent):
        if tables is not None:
            assert isinstance(tables.train, Kernel)
            yield from (tables.train, tables.cross)
    yield kernels.own


def _same(kernels: AllKernels, one: list[int], other: list[int]) -> bool:
    return all(
        np.array_equal(x[..., one, :][..., one], x[..., other, :][..., other])
        for table in _all_tables(kernels)
        for x in (table.value, table.error)
    )


def matrix(kernel: Kernel | Stored, group: list[int]) -> Matrix | Tiles:
    """A kernel (N, N, q, q) over rows and the outputs of a group, output after output in each row."""
    if isinstance(kernel, Stored):
        return Tiles.of(kernel, group)
    return Matrix(*(_flat(x, group) for x in (kernel.value, kernel.error)))


def rows(kernel: Kernel, group: list[int]) -> Rows:
    """A kernel (N, M, q, q) over rows and the outputs of a group."""
    return Rows(*(_flat(x, group) for x in (kernel.value, kernel.error)))


def own_rows(kernel: Kernel, group: list[int]) -> Rows:
    """K of test rows over rows and outputs of a group: a matrix, or where (M, q, q) is known its diagonal."""
    if kernel.value.ndim == 4:
        return rows(kernel, group)
    return Rows(*(x[:, group, group].ravel() for x in (kernel.value, kernel.error)))


def _flat(x: Array, group: list[int]) -> Array:
    if x.shape[2] == 1:
        return x[:, :, 0, 0]
    part = x[:, :, group, :][..., group].transpose(0, 2, 1, 3)
    return part.reshape(x.shape[0] * len(group), x.shape[1] * len(group))

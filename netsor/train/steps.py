"""T steps of SGD in the limit: changes by steps from the start, combined in arrays, with the errors of all numbers.

In the limit f_{t+1} = f_t − (η/B) Σ_r Δ_r ℓ'(f_t(ξ_r), y_r), where Δ_r are the changes of the outputs by a step on row
r with a pull of 1 (`netsor.transform.sgd.directions`). The errors of f_t are affine forms: f ← f − ηΔ(f − y) multiplies
an error of f by 1 − ηΔ, where absolute values would give 1 + ηΔ in each step (Stolfi & de Figueiredo 1997, ch. 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.expr import Const, Expr, Sym, substitute, sym, to_text, unfold
from netsor.expr.entry import REALS
from netsor.gaussian import Estimate
from netsor.limit.scalars import function_of_scalars
from netsor.limit.symbols import scalar
from netsor.transform.loss import Loss

Array = np.ndarray
_HALF = 2.0**-53
# So many errors of roundings are kept apart; then those of each output are added up.
_MOST = 20_000


@dataclass(frozen=True)
class Changes:
    """The changes of the outputs by a pull of 1, shape (rows, training rows, outputs, outputs), with their errors.

    Where a change has no limit it is NaN, and `missing` is 1 where it was not computed, 2 where it does not exist.
    """

    value: Array
    error: Array
    missing: Array


@dataclass(frozen=True)
class _Slope:
    """∂ℒ/∂f_j on one row: its error, the part of it that is not one of the outputs, and its derivatives by these."""

    value: float
    error: float
    own: float
    by_outputs: Array


class Steps:
    """f_t while the steps are made, with |f_t − limit| ≤ `error`; shapes (rows, outputs).

    `missing` is that of the changes, for f_t that has no limit or whose limit is not known.
    """

    def __init__(self, changes: Changes, f0: Array, targets: Array, loss: Loss, names: Sequence[str]):
        """`names` are those of the outputs, for messages."""
        self.f = np.array(f0, float)
        self.error = np.zeros_like(self.f)
        self.missing = np.zeros(self.f.shape, int)
        self._changes, self._targets, self._loss, self._names = changes, targets, loss, names
        self._time = 0
        # For each output the weights of the errors ε, |ε| ≤ 1: of the changes, and then of what came since.
        self._of_changes = np.zeros((self.f.size, changes.error.size))
        self._since = np.zeros((self.f.size, 0))

    def step(self, batch: Sequence[int], lr: float) -> None:
        """A step on a batch of rows, counted from 1. Raises NetsorError as `function_of_scalars`."""
        times = Counter(r - 1 for r in batch)
        rows = np.array(list(times))
        shares = -lr * np.array(list(times.values())) / len(batch)
        self.missing = np.maximum(self.missing, self._missing_after(rows))
        if lr:
            self._move(rows, shares, [[self._slope(j, r) for j in range(self.f.shape[1])] for r in rows])
        gone = self.missing > 0
        self.f[gone] = np.nan
        # Nothing is known of their errors, and nothing that is known depends on them.
        self._of_changes[gone.ravel()], self._since[gone.ravel()] = 0.0, 0.0
        self._time += 1

    def _missing_after(self, rows: Array) -> Array:
        """For which outputs a change on these rows is missing, or acts that comes from one that is."""
        missing, value = self._changes.missing[:, rows], self._changes.value[:, rows]
        pulled = np.where(value != 0, self.missing[rows].max(axis=1)[None, :, None, None], 0)
        return np.asarray(np.maximum(missing, pulled).max(axis=(1, 3)))

    def _move(self, rows: Array, shares: Array, slopes: list[list[_Slope]]) -> None:
        pull = shares[:, None] * np.array([[s.value for s in row] for row in slopes])
        error = abs(shares)[:, None] * np.array([[s.error for s in row] for row in slopes])
        own = abs(shares)[:, None] * np.array([[s.own for s in row] for row in slopes])
        curvature = shares[:, None, None] * np.array([[s.by_outputs for s in row] for row in slopes])
        change = self._changes.value[:, rows]
        sizes = self._changes.error[:, rows]
        terms = change * pull[None, :, None, :]
        moved = terms.sum(axis=(1, 3))
        after = self.f + moved
        # The products of two errors, and the rounding of a sum that is not zero.
        second = (sizes * error[None, :, None, :]).sum(axis=(1, 3))
        rounding = (pull.size + 3) * _HALF * abs(terms).sum(axis=(1, 3)) + _HALF * abs(after) * (moved != 0)
        self.f = after
        self._carry(rows, change, sizes * pull[None, :, None, :], curvature, own, (second + rounding).ravel())

    def _carry(self, rows: Array, change: Array, effect: Array, curvature: Array, own: Array, rest: Array) -> None:
        """The forms of f_{t+1}: those of f_t times 1 + Δ ℓ'', and new errors.

        `effect` is what the errors of the changes do to f_{t+1}, `own` is that of the pulls, and `rest` that of f.
        """
        count, size = self.f.shape[1], self.f.size
        where = (rows[:, None] * count + np.arange(count)).ravel()
        gain = np.einsum("xrab,rbm->xarm", change, curvature).reshape(size, -1)
        by_pulls = (change * own[None, :, None, :]).transpose(0, 2, 1, 3).reshape(size, -1)
        since = self._since + gain @ self._since[where]
        self._of_changes += gain @ self._of_changes[where]
        places = np.arange(self._changes.error.size).reshape(self._changes.error.shape)[:, rows]
        outputs = np.arange(size).reshape(-1, 1, count, 1)
        self._of_changes[np.broadcast_to(outputs, places.shape), places] += effect
        if since.shape[1] > _MOST:
            since = np.diag(abs(since).sum(axis=1))
        self._since = np.concatenate([since, np.diag(rest)[:, rest > 0], by_pulls[:, own.ravel() > 0]], axis=1)
        self.error = (abs(self._of_changes).sum(axis=1) + abs(self._since).sum(axis=1)).reshape(self.f.shape)

    def _slope(self, j: int, row: int) -> _Slope:
        """∂ℒ/∂f_j at the outputs on a row of data; 0 where they are not known."""
        f, error, count = self.f[row], self.error[row], self.f.shape[1]
        if self.missing[row].any():
            return _Slope(0.0, 0.0, 0.0, np.zeros(count))
        at: dict[Sym, Expr] = dict(zip(self._loss.targets, map(Const, self._targets[row].tolist()), strict=True))
        shown: dict[Sym, Expr] = {}
        known: dict[Sym, Estimate] = {}
        symbols = []
        for s, name, x, e in zip(self._loss.outputs, self._names, f.tolist(), error.tolist(), strict=True):
            spelled = f"{name}[{self._time},{row + 1}]"
            shown[s] = sym(spelled)
            symbols.append(scalar(spelled))
            # What is known exactly is a number, at which the slope may be that of a kink.
            at[s] = symbols[-1] if e else Const(x)
            known[symbols[-1]] = Estimate(x, e)
        slope = unfold(self._loss.slopes[j])
        found = function_of_scalars(
            substitute(slope, at), known.__getitem__, lambda s: REALS, substitute(slope, shown), to_text,
            f"χ[{self._time},{row + 1}]", None,
        )  # fmt: skip
        by_outputs = np.array([found.slopes.get(s, 0.0) for s in symbols])
        return _Slope(found.value, found.error, found.own, by_outputs)

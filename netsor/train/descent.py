"""Kernel gradient descent, the limit of SGD at infinite width (Eq. 68)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import networks
from netsor.expr import Const, Expr, Sym, diff, evaluate, is_singular, substitute, unfold
from netsor.transform.loss import Loss

Array = np.ndarray


@dataclass(frozen=True)
class Descent:
    """f_t for t = 0…T, shape (T+1, rows, outputs), and the largest gain η λ ℓ'' of a step, with the step's index."""

    f: Array
    gain: float
    at: int


def kernel_descent(
    kernel: Array, f0: Array, targets: Array, batches: Sequence[Sequence[int]], lr: float, loss: Loss
) -> Descent:
    """f_{t+1}(ξ) = f_t(ξ) − (η/B) Σ_{r in the batch} K̊(ξ, ξ_r) ℓ'(f_t(ξ_r), y_r) (Eq. 68; D.4.3).

    `kernel` has shape (rows, training rows, outputs, outputs), `f0` (rows, outputs), `targets` (training rows,
    outputs); batches count rows from 1. Raises NetsorError (E612) where a step has no finite outcome.
    """
    f = [np.array(f0, float)]
    gain, at = 0.0, 0
    for t, batch in enumerate(batches):
        rows = np.array(batch) - 1
        now = f[-1][rows]
        pull = np.array([[_value(loss, loss.slopes[j], now[k], targets[r]) for j in range(now.shape[1])]
                         for k, r in enumerate(rows)])  # fmt: skip
        with np.errstate(all="ignore"):
            after = f[-1] - lr / len(rows) * np.einsum("xrab,rb->xa", kernel[:, rows], pull)
        if not np.all(np.isfinite(after)) or np.abs(after).max(initial=0.0) > 1e100:
            raise NetsorError(diverged(lr, t))
        step = _gain(kernel, rows, now, targets, loss) * lr / len(rows)
        if step > gain:
            gain, at = step, t
        f.append(after)
    return Descent(np.array(f), gain, at)


def _gain(kernel: Array, rows: Array, now: Array, targets: Array, loss: Loss) -> float:
    """The largest eigenvalue λ of K̊ ℓ'' on a batch; a step multiplies an error along its eigenvector by 1 − η λ/B."""
    size, count = now.shape
    curvature = np.zeros((size, count, size, count))
    for k, r in enumerate(rows):
        for j, slope in enumerate(loss.slopes):
            for m, f in enumerate(loss.outputs):
                second = diff(slope, f)
                if not is_singular(unfold(second)):
                    curvature[k, j, k, m] = _value(loss, second, now[k], targets[r])
    block = kernel[np.ix_(rows, rows)].transpose(0, 2, 1, 3).reshape(size * count, -1)
    product = block @ curvature.reshape(size * count, -1)
    if not np.all(np.isfinite(product)):
        return 0.0
    return float(np.linalg.eigvals(product).real.max(initial=0.0))


def _value(loss: Loss, e: Expr, f: Array, y: Array) -> float:
    at: dict[Sym, Expr] = {s: Const(float(x)) for s, x in zip(loss.outputs, f, strict=True)}
    at |= {s: Const(float(x)) for s, x in zip(loss.targets, y, strict=True)}
    return float(evaluate(substitute(e, at), {}))


def diverged(lr: float, t: int) -> Diagnostic:
    """The error for outputs that are not finite or larger than 1e100."""
    return networks.diverges(lr, t + 1)

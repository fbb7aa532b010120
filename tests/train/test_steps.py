"""Steps of SGD in the limit: their bounds hold for all changes within the errors, and are not much too large."""

from __future__ import annotations

import numpy as np
import pytest

from netsor.train.steps import Changes, Steps
from netsor.transform.loss import Loss
from netsor.transform.read_loss import read_loss

BATCHES = [[1], [2, 3], [1, 1, 3], [2], [3, 1]] * 6


def task(outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(changes of 3 training rows and a test row, f_0, targets), the changes being those of a positive kernel."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((4 * outputs, 6)) / 2
    kernel = (features @ features.T).reshape(4, outputs, 4, outputs).transpose(0, 2, 1, 3)[:, :3]
    return np.ascontiguousarray(kernel), rng.standard_normal((4, outputs)), rng.standard_normal((3, outputs))


def descent(change: np.ndarray, f0: np.ndarray, targets: np.ndarray, loss: Loss, error: float = 0.0) -> Steps:
    size = np.full(change.shape, error)
    names = [f"f{j}" for j in range(f0.shape[1])]
    run = Steps(Changes(change, size, np.zeros(change.shape, int)), f0, targets, loss, names)
    for batch in BATCHES:
        run.step(batch, 0.4)
    return run


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("text", [None, "softplus(2 f) - y f + f^2/8"])
@pytest.mark.parametrize("error", [1e-10, 1e-4])
def test_bounds_hold_for_all_changes_within_the_errors(outputs: int, text: str | None, error: float) -> None:
    loss = Loss(None if text is None else read_loss(text, outputs), outputs)
    change, f0, targets = task(outputs, 5)
    run = descent(change, f0, targets, loss, error)
    assert np.all(np.isfinite(run.error)) and run.error.max() < 1e4 * error
    rng = np.random.default_rng(6)
    worst = np.zeros_like(f0)
    for k in range(40):
        # Errors of one sign and of random signs, at the ends of the bounds and inside.
        signs = rng.choice([-1.0, 1.0], change.shape) if k % 3 else np.full(change.shape, (-1.0) ** k)
        moved = change + error * signs * (1.0 if k % 2 else rng.uniform(size=change.shape))
        other = descent(moved, f0, targets, loss)
        gap = np.abs(other.f - run.f)
        assert np.all(gap <= run.error + other.error)
        worst = np.maximum(worst, gap)
    # The signs of the errors are kept, so that the bound is not many times what they can do.
    assert np.all(run.error <= 30 * worst)


def test_a_change_that_is_missing_spreads_with_the_steps() -> None:
    """A test row whose change is missing says nothing of the others; a training row does, from its next pull on."""
    change, f0, targets = task(1, 7)
    missing = np.zeros(change.shape, int)
    value = change.copy()
    value[3, 1], missing[3, 1] = np.nan, 1
    value[0, 2], missing[0, 2] = np.nan, 2
    # Row 2 is not moved by row 1, and stays known.
    value[1, 0] = 0.0
    run = Steps(Changes(value, np.full(change.shape, 1e-12), missing), f0, targets, Loss(None, 1), ["f"])
    seen = []
    for batch in ([1], [2], [3], [2], [1]):
        run.step(batch, 0.4)
        seen.append(run.missing[:, 0].tolist())
        np.testing.assert_array_equal(np.isnan(run.f), run.missing > 0)
        assert np.all(run.error[run.missing == 0] < 1e-9)
    assert seen == [[0, 0, 0, 0], [0, 0, 0, 1], [2, 0, 0, 1], [2, 0, 0, 1], [2, 0, 2, 2]]

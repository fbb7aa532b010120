"""Pictures of predictions: mean and band over one-dimensional inputs, else predicted against true targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DARK, _LIGHT = "#0b5394", "#a64d00"


@dataclass(frozen=True)
class Picture:
    """What a picture of predictions shows: arrays (rows, outputs), and rows of inputs (rows, d)."""

    inputs: Any
    targets: Any
    test: Any
    mean: Any
    std: Any
    truth: Any = None


def plot_predictions(shown: Picture, path: Path, title: str) -> None:
    """One panel an output (at most 12): two standard deviations about the mean."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    count = min(12, shown.mean.shape[1])
    columns = min(3, count)
    rows = -(-count // columns)
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.2 * rows), squeeze=False)
        panel = _band if shown.test.shape[1] == 1 else _against
        for a, axis in enumerate(axes.flat):
            axis.set_visible(a < count)
            if a < count:
                panel(axis, shown, a)
        axes.flat[0].legend(frameon=False, fontsize=7)
        figure.suptitle(title)
        figure.tight_layout()
        figure.savefig(path, dpi=200)
        plt.close(figure)


def _band(axis: Any, shown: Picture, a: int) -> None:
    order = shown.test[:, 0].argsort(kind="stable")
    x, mean, std = shown.test[order, 0], shown.mean[order, a], shown.std[order, a]
    axis.fill_between(x, mean - 2 * std, mean + 2 * std, color=_DARK, alpha=0.2, lw=0, label="mean ± 2 std")
    axis.plot(x, mean, "-", color=_DARK, lw=1.4, label="mean")
    axis.plot(shown.inputs[:, 0], shown.targets[:, a], "o", ms=3.5, mfc="none", color="black", label="training rows")
    if shown.truth is not None:
        axis.plot(x, shown.truth[order, a], "x", ms=4, color=_LIGHT, label="test targets")
    axis.set_xlabel("input")
    axis.set_ylabel("output" if shown.mean.shape[1] == 1 else f"output {a + 1}")


def _against(axis: Any, shown: Picture, a: int) -> None:
    if shown.truth is None:
        axis.errorbar(
            range(1, len(shown.mean) + 1), shown.mean[:, a], yerr=2 * shown.std[:, a], fmt="o", ms=3, lw=0.8,
            color=_DARK, label="mean ± 2 std",
        )  # fmt: skip
        axis.set_xlabel("test row")
    else:
        truth = shown.truth[:, a]
        axis.errorbar(
            truth, shown.mean[:, a], yerr=2 * shown.std[:, a], fmt="o", ms=3, lw=0.8, color=_DARK, label="mean ± 2 std"
        )
        if len(truth):
            axis.plot([truth.min(), truth.max()], [truth.min(), truth.max()], "--", lw=1, color=_LIGHT, label="equal")
        axis.set_xlabel("target")
    axis.set_ylabel("predicted" if shown.mean.shape[1] == 1 else f"predicted, output {a + 1}")

"""Histograms and Q–Q pictures of coordinates: in text, and drawn (the `plot` extra)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netsor.limit.coordinates import Histogram, Quantiles
from netsor.show.convergence import save

_BAR = 44
_SIDE = (51, 17)


def histogram_text(h: Histogram, width: int = 80) -> str:
    """Bars for the coordinates, a mark │ where the limit ends; a row a bin, in so many columns."""
    longest = min(_BAR, width - 14)
    most = max(float(h.finite.max()), float(h.limit.max()), 1e-12)
    rows = []
    for k in range(len(h.finite)):
        bar = round(longest * float(h.finite[k]) / most)
        mark = round(longest * float(h.limit[k]) / most)
        cells = ["█" if i < bar else " " for i in range(longest + 1)]
        cells[mark] = "│" if mark >= bar else "▌"
        middle = h.edges[k] / 2 + h.edges[k + 1] / 2
        rows.append(f"  {middle:>10.3g} {''.join(cells).rstrip()}")
    return "\n".join(rows)


def quantiles_text(q: Quantiles, width: int = 80) -> str:
    """The quantiles of the coordinates (up) against the limit's (right): · is the diagonal, o a quantile."""
    columns, rows = min(_SIDE[0], width - 14), _SIDE[1]
    low = float(min(q.limit.min(), q.finite.min()))
    high = float(max(q.limit.max(), q.finite.max()))
    span = high - low or 1.0
    grid = [[" "] * columns for _ in range(rows)]
    for i in range(columns):
        grid[round(i / (columns - 1) * (rows - 1))][i] = "·"
    for x, y in zip(q.limit, q.finite, strict=True):
        i = round((float(x) - low) / span * (columns - 1))
        j = round((float(y) - low) / span * (rows - 1))
        grid[j][i] = "o"
    ends = {0: f"{high:.3g}", rows - 1: f"{low:.3g}"}
    out = [f"  {ends.get(k, ''):>10} │{''.join(r)}".rstrip() for k, r in enumerate(reversed(grid))]
    out.append(f"  {'':>10} └{'─' * columns}")
    out.append(f"  {'':>10}  {low:<.3g}{'':{columns - 12}}{high:>.3g}")
    return "\n".join(out)


def plot_coordinates(pictures: dict[str, tuple[Histogram, Quantiles]], path: Path, title: str) -> None:
    """A row a vector: the histogram with the limit as a line, and the Q–Q picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(len(pictures), 2, figsize=(7.2, 3.0 * len(pictures)), squeeze=False)
        for (name, (h, q)), (left, right) in zip(pictures.items(), axes, strict=True):
            _histogram(left, name, h)
            _quantiles(right, name, q)
        figure.suptitle(title)
        figure.tight_layout()
        try:
            save(figure, path)
        finally:
            plt.close(figure)


def _histogram(axis: Any, name: str, h: Histogram) -> None:
    width = np.diff(h.edges)
    axis.bar(h.edges[:-1], h.finite / width, width, align="edge", color="0.8", edgecolor="0.6", label="coordinates")
    axis.stairs(h.limit / width, h.edges, color="black", linewidth=1.2, label="limit")
    axis.set_xlabel(name)
    axis.set_ylabel("density")
    axis.legend(frameon=False, fontsize=7)


def _quantiles(axis: Any, name: str, q: Quantiles) -> None:
    ends = [min(q.limit.min(), q.finite.min()), max(q.limit.max(), q.finite.max())]
    axis.plot(ends, ends, color="0.6", linewidth=0.8)
    axis.plot(q.limit, q.finite, "o", color="black", markersize=2.5)
    axis.set_xlabel(f"quantiles of the limit of {name}")
    axis.set_ylabel("of the coordinates")

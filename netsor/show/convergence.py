"""A picture of convergence: finite widths against the limit, log–log, fit for a paper. Needs the `plot` extra."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files
from netsor.files import replace_file
from netsor.show.writing import verify_writable

SUFFIXES = (".svg", ".png", ".pdf")


def verify_plot(path: Path) -> None:
    """Raises NetsorError, before anything long is computed, where a picture could not be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise NetsorError(files.no_picture_type(str(path), SUFFIXES))
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise NetsorError(files.needs_matplotlib()) from None
    if not path.resolve().parent.is_dir():
        raise NetsorError(files.no_folder_for_picture(str(path.resolve().parent)))
    verify_writable(str(path))


def plot_convergence(outputs: dict[str, Any], path: Path, title: str) -> None:
    """|mean − limit| with its error bars and the spread, against n, one panel an output (at most 12)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [c for c in outputs.values() if c.widths and c.limit is not None][:12]
    columns = min(3, max(1, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 3.0 * rows), squeeze=False)
        for axis, c in zip(axes.flat, shown, strict=False):
            _panel(axis, c)
        if shown:
            axes.flat[0].legend(frameon=False, fontsize=7)
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        figure.suptitle(title)
        figure.tight_layout()
        try:
            save(figure, path)
        finally:
            plt.close(figure)


def save(figure: Any, path: Path) -> None:
    """A figure of matplotlib in the type that the file's name asks for; raises OSError."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.lower().removeprefix("."), dpi=200)
    replace_file(path, content.getvalue())


def _panel(axis: Any, c: Any) -> None:
    n = list(c.widths)
    bias = [abs(m - c.limit) for m in c.mean]
    spread = [(x, s) for x, s in zip(n, c.spread, strict=True) if s]
    seen = [*(b for b in bias if b > 0), *(e for e in c.stderr if e), *(v for _, v in spread)]
    axis.set_xscale("log")
    if seen:
        # A bar that crosses zero has no lower end on a logarithmic axis; it leaves the picture below.
        axis.set_yscale("log")
        axis.set_ylim(0.3 * min(seen), 3 * min(max(seen), 1e307))
    if len(n) == 1:
        axis.set_xlim(n[0] / 2, 2 * n[0])
    # Distinguishable without colour: filled circles with bars, open squares, dashed and dotted guides.
    axis.errorbar(
        n,
        bias,
        yerr=[e or 0.0 for e in c.stderr],
        fmt="o-",
        ms=4,
        lw=1.2,
        color="#0b5394",
        capsize=2,
        label="|mean − limit|",
    )
    if spread:
        axis.plot(
            *zip(*spread, strict=True), "s--", ms=4, lw=1.2, mfc="none", color="#a64d00", label="spread over seeds"
        )
        first_n, first = spread[0]
        axis.plot(n, [first * (first_n / x) ** 0.5 for x in n], ":", color="0.5", label="$n^{-1/2}$")
    axis.set_xlabel("width n")
    axis.set_title(f"{c.output}: {c.verdict}")

"""Kernels as text: matrices with the digits that each entry's error supports, or entries beside their finite values."""

from __future__ import annotations

from typing import Any

from netsor.cli.matrices import matrix
from netsor.cli.output import error_text, value_text
from netsor.cli.tables import table

_MOST_ROWS, _MOST_ENTRIES = 12, 66
# Digits beyond these serve nobody on a screen, and fewer are shown where whole rows then fit.
_FLOORS = (1e-9, 1e-6, 1e-4)


def kernel_text(title: str, kernel: Any) -> str:
    """A kernel of the limit, or the mean of drawn networks, as a matrix under its title."""
    import numpy as np

    empirical = hasattr(kernel, "mean")
    value = np.asarray(kernel.mean if empirical else kernel.value)
    error = kernel.stderr if empirical else kernel.error
    if error is None:
        head, digits = f"{title} (one seed)", None
    else:
        known = np.isfinite(value)
        if value.size and not known.any():
            return f"{title}: not computed"
        bound = error_text(float(error.max(initial=0.0, where=known)))
        head = f"{title} (± {bound}{' stderr' if empirical else ''}{'' if known.all() else ', where computed'})"
        digits = error / 30 if empirical else error
    n, m = value.shape[:2]
    outs = range(value.shape[2]) if value.ndim == 4 else [None]
    columns = [(j, b) for j in range(min(m, _MOST_ROWS)) for b in outs]
    lines = [(i, a) for i in range(min(n, _MOST_ROWS)) for a in outs]

    def shown(floor: float) -> str:
        rows = []
        for i, a in lines:
            at = [(i, j) if a is None else (i, j, a, b) for j, b in columns]
            cells = [_number(float(value[k]), floor if digits is None else max(float(digits[k]), floor)) for k in at]
            rows.append((_label(i, a), cells))
        return matrix("", [_label(j, b) for j, b in columns], rows)

    # With fewer digits a matrix may be readable as one; one that is too wide in any case has more of them.
    made = [shown(floor) for floor in _FLOORS]
    text = next((t for t in made if t.count("\n") == len(lines)), made[1])
    more = "\n  … (`--json` gives them all)" if max(n, m) > _MOST_ROWS else ""
    return f"{head}\n{text}{more}"


def compared(title: str, limit: Any, finite: Any, width: int) -> str:
    """Every entry of the limit beside the mean at a width, each with its own error."""
    import numpy as np

    if finite is None:
        return kernel_text(title, limit)
    mean, stderr = finite.mean, finite.stderr
    n, m = limit.value.shape[:2]
    symmetric = n == m and limit.value.ndim == 2 and np.array_equal(limit.value, limit.value.T)
    places = [k for k in np.ndindex(limit.value.shape) if not symmetric or k[0] <= k[1]]
    heading = ["entry", "limit", "± at most", f"width {width}", *([] if stderr is None else ["± stderr", "apart"])]
    rows = [heading]
    for k in places[:_MOST_ENTRIES]:
        value, error = float(limit.value[k]), float(limit.error[k])
        row = [",".join(str(i + 1) for i in k), value_text(value, max(error, _FLOORS[0])), error_text(error)]
        spread = None if stderr is None else float(stderr[k])
        row.append(_number(float(mean[k]), None if spread is None else spread / 30))
        if spread is not None:
            # In standard errors; without any spread, none are apart.
            row += [error_text(spread), f"{(float(mean[k]) - value) / spread:+.1f} σ" if spread else ""]
        rows.append(row)
    more = f"\n  … {len(places) - _MOST_ENTRIES} more (`--json` gives them all)" if len(places) > _MOST_ENTRIES else ""
    return f"{title}\n{table(rows)}{more}"


def _label(row: int, output: int | None) -> str:
    return str(row + 1) if output is None else f"{row + 1} ({output + 1})"


def _number(value: float, error: float | None) -> str:
    return f"{value:.6g}" if error is None or error == 0 else value_text(value, error)

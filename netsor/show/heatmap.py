"""Kernels as heat maps: one square an entry, coloured by its value, with the numbers where there is room."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

Array = np.ndarray
# The side of a picture's matrix, and the most rows whose numbers can be read in it.
_SIDE, _READABLE = 300.0, 8
_LEFT, _TOP, _GAP, _BAR = 34.0, 52.0, 26.0, 12.0
# Blue through white to orange: told apart by all kinds of colour vision.
_LOW, _MIDDLE, _HIGH = (26, 92, 148), (247, 247, 245), (199, 84, 16)


def heatmap_svg(kernels: Mapping[str, Any], title: str = "") -> str:
    """Matrices side by side as SVG; entries of several outputs are blocks of rows and columns.

    White is zero; the two colours go to the largest modulus of each matrix.
    """
    shown = [(name, flat(np.asarray(k))) for name, k in kernels.items() if k is not None]
    parts, x = [], _LEFT
    for name, values in shown:
        panel, wide = _panel(name, values, x)
        parts.append(panel)
        x += wide + _GAP
    height = _TOP + _SIDE + 22
    head = f'<text x="{_LEFT:g}" y="18" font-size="14">{escape(title)}</text>' if title else ""
    alt = "; ".join(
        f"{name}: {v.shape[0]} × {v.shape[1]} entries from {v.min(initial=np.inf):.4g} to {v.max(initial=-np.inf):.4g}"
        for name, v in shown
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="heatmap" viewBox="0 0 {x:.0f} {height:.0f}" width="{x:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(alt, quote=True)}" font-family="sans-serif" '
        f'font-size="11" fill="currentColor">{head}{"".join(parts)}</svg>\n'
    )


def flat(values: Array) -> Array:
    """(N, M, outputs, outputs) as a matrix of blocks, row by row."""
    if values.ndim == 2:
        return values
    n, m, a, b = values.shape
    return values.transpose(0, 2, 1, 3).reshape(n * a, m * b)


def _panel(name: str, values: Array, x: float) -> tuple[str, float]:
    """One matrix at x with its bar of colours, and how wide both are."""
    rows, columns = values.shape
    cell = _SIDE / max(rows, columns, 1)
    top = float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0)) or 1.0
    out = [f'<text x="{x:.1f}" y="{_TOP - 18:.1f}">{escape(name)}</text>']
    step = math.ceil(max(rows, columns) / 12)
    for i in range(rows):
        for j in range(columns):
            value = float(values[i, j])
            left, y = x + j * cell, _TOP + i * cell
            out.append(
                f'<rect x="{left:.2f}" y="{y:.2f}" width="{cell + 0.05:.2f}" height="{cell + 0.05:.2f}" '
                f'fill="{_colour(value / top)}"/>'
            )
            if max(rows, columns) <= _READABLE:
                ink = "#fff" if abs(value) > 0.6 * top else "#1b1b1b"
                out.append(
                    f'<text x="{left + cell / 2:.1f}" y="{y + cell / 2 + 4:.1f}" text-anchor="middle" fill="{ink}">'
                    f"{_signed(value)}</text>"
                )
    for i in range(0, rows, step):
        y = _TOP + (i + 0.5) * cell + 4
        out.append(f'<text x="{x - 5:.1f}" y="{y:.1f}" text-anchor="end">{i + 1}</text>')
    out += [
        f'<text x="{x + (j + 0.5) * cell:.1f}" y="{_TOP - 5:.1f}" text-anchor="middle">{j + 1}</text>'
        for j in range(0, columns, step)
    ]
    bar = x + columns * cell + 10
    high = min(rows * cell, _SIDE)
    for k in range(40):
        colour = _colour(1 - (k + 0.5) / 20)
        y = _TOP + k * high / 40
        out.append(f'<rect x="{bar:.1f}" y="{y:.2f}" width="{_BAR:g}" height="{high / 40 + 0.1:.2f}" fill="{colour}"/>')
    for text, y in ((_signed(top), 8.0), ("0", high / 2 + 4), (_signed(-top), high)):
        out.append(f'<text x="{bar + _BAR + 4:.1f}" y="{_TOP + y:.1f}">{text}</text>')
    return f"<g>{''.join(out)}</g>", columns * cell + 10 + _BAR + 44


def _colour(share: float) -> str:
    """The colour of a value in units of the largest: −1 is blue, 0 white, 1 orange; what is not a number is grey."""
    if not math.isfinite(share):
        return "#999"
    end = _HIGH if share >= 0 else _LOW
    mixed = (round(m + min(abs(share), 1.0) * (e - m)) for m, e in zip(_MIDDLE, end, strict=True))
    return "#" + "".join(f"{c:02x}" for c in mixed)


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def draw_heatmaps(kernels: Mapping[str, Any], path: str, title: str) -> bytes:
    """The picture in the type that the file's name asks for: svg, and by the extra `draw` pdf and png."""
    svg = heatmap_svg(kernels, title).replace("currentColor", "#1b1b1b")
    suffix = path.rpartition(".")[2].lower()
    if suffix == "svg":
        return svg.encode()
    from netsor.show.drawing.convert import converted

    return converted(svg, suffix)

"""Small pictures of a report, as SVG that the page's own style colours: convergence with n, histograms, Q–Q."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np

from netsor.averages import deviation, standard_error
from netsor.averages import mean as mean_of
from netsor.finite import FiniteResult
from netsor.limit.coordinates import resolved
from netsor.show.markup import path, tag

_W, _H, _LEFT, _BOTTOM, _TOP, _RIGHT = 340.0, 230.0, 58.0, 34.0, 26.0, 12.0


class Axes:
    """A frame with linear or logarithmic axes."""

    def __init__(
        self,
        title: str,
        x: tuple[float, float],
        y: tuple[float, float],
        label: str,
        log_x: bool = False,
        log_y: bool = False,
    ):
        self.title, self.log_x, self.log_y, self.label = title, log_x, log_y, label
        self.x = tuple(map(math.log10, x)) if log_x else resolved(*x)
        self.y = tuple(map(math.log10, y)) if log_y else resolved(*y)
        self.items: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        u = math.log10(x) if self.log_x else x
        v = math.log10(y) if self.log_y else y
        px = _LEFT + (u - self.x[0]) / (self.x[1] - self.x[0]) * (_W - _LEFT - _RIGHT)
        py = _H - _BOTTOM - (v - self.y[0]) / (self.y[1] - self.y[0]) * (_H - _BOTTOM - _TOP)
        return px, py

    def line(self, points: list[tuple[float, float]], css: str) -> None:
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in (self.at(*p) for p in points))
        self.items.append(f'<polyline class="{css}" points="{text}"/>')

    def dot(self, x: float, y: float, css: str, r: float = 2.0) -> None:
        a, b = self.at(x, y)
        self.items.append(f'<circle class="{css}" cx="{a:.1f}" cy="{b:.1f}" r="{r:g}"/>')

    def bar(self, x0: float, x1: float, y: float, css: str) -> None:
        (a, top), (b, bottom) = self.at(x0, y), self.at(x1, self.y[0])
        self.items.append(tag("rect", cls=css, x=a, y=top, width=max(b - a, 0.3), height=max(bottom - top, 0.0)))

    def svg(self, alt: str, xticks: list[tuple[float, str]] | None = None) -> str:
        """The picture with its frame and ticks; `alt` says in words what it shows."""
        out = [
            f'<svg class="plot" viewBox="0 0 {_W:.0f} {_H:.0f}" role="img" aria-label="{escape(alt, quote=True)}" xmlns="http://www.w3.org/2000/svg">',
            f"<title>{escape(alt)}</title>",
        ]
        low, base = _H - _BOTTOM, _LEFT
        for value, text in _ticks(self.y, self.log_y):
            v = 10**value if self.log_y else value
            _, y = self.at(10 ** self.x[0] if self.log_x else self.x[0], v)
            out.append(
                tag("path", cls="grid", d=path("M", base, y, "H", _W - _RIGHT))
                + tag("text", text, x=base - 6, y=y + 4, text_anchor="end")
            )
        for v, text in (
            xticks if xticks is not None else [(10**t if self.log_x else t, s) for t, s in _ticks(self.x, self.log_x)]
        ):
            x, _ = self.at(v, 10 ** self.y[0] if self.log_y else self.y[0])
            out.append(
                tag("path", cls="tick", d=path("M", x, low, "v", 4.0))
                + tag("text", text, x=x, y=low + 17, text_anchor="middle")
            )
        out.append(f'<path class="frame" d="M {base:.1f} {_TOP:.1f} V {low:.1f} H {_W - _RIGHT:.1f}"/>')
        out.append(f'<text class="title" x="{base:.1f}" y="15">{escape(self.title)}</text>')
        out.append(f'<text x="{_W - _RIGHT:.1f}" y="{_H - 3:.1f}" text-anchor="end">{escape(self.label)}</text>')
        return "".join([*out, *self.items, "</svg>"])


def _ticks(span: tuple[float, ...], log: bool) -> list[tuple[float, str]]:
    low, high = span[0], span[1]
    if log:
        whole = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
        step = max(1, math.ceil(len(whole) / 5))
        if len(whole) >= 2:
            return [(float(k), f'10<tspan dy="-5" font-size="9">{_signed(k)}</tspan>') for k in whole[::step]]
        return [(v, f"{10**v:.2g}".replace("-", "−")) for v in np.linspace(low, high, 3)]
    raw = (high - low) / 5
    unit = 10 ** math.floor(math.log10(raw))
    step_ = min((m * unit for m in (1, 2, 5, 10) if m * unit >= raw * 0.8), default=raw)
    first = math.ceil(low / step_ - 1e-9)
    return [(k * step_, _plain(k * step_)) for k in range(first, math.floor(high / step_ + 1e-9) + 1)]


def _plain(v: float) -> str:
    return f"{v:.6g}".replace("-", "−") if abs(v) > 1e-12 else "0"


def _signed(k: int) -> str:
    return str(k).replace("-", "−")


def approach(name: str, runs: list[FiniteResult], limit: float | None) -> str:
    """The values of every draw against n, their means with two standard errors, and the limit as a line."""
    values = np.concatenate([r.values[name] for r in runs])
    low, high = float(values.min()), float(values.max())
    if limit is not None:
        low, high = min(low, limit), max(high, limit)
    pad = 0.08 * (high - low) or 0.1 * max(abs(high), 1e-3)
    widths = [r.width for r in runs]
    axes = Axes(name, (widths[0] / 1.4, widths[-1] * 1.4), (low - pad, high + pad), "n", log_x=True)
    if limit is not None:
        axes.line([(widths[0] / 1.4, limit), (widths[-1] * 1.4, limit)], "limit")
    for r in runs:
        v = r.values[name]
        for x in v:
            axes.dot(r.width, float(x), "draw", 1.8)
        mean = float(mean_of(v))
        if len(v) > 1:
            two = 2 * float(standard_error(v))
            axes.line([(r.width * 1.06, mean - two), (r.width * 1.06, mean + two)], "mean")
        axes.dot(r.width * 1.06, mean, "meandot", 2.8)
    last = float(mean_of(runs[-1].values[name]))
    alt = f"{name} at widths {', '.join(map(str, widths))}: mean {last:.4g} at the largest" + (
        f", limit {limit:.4g}" if limit is not None else ""
    )
    return axes.svg(alt, [(w, str(w)) for w in widths])


def rates(runs: list[FiniteResult], limits: dict[str, float]) -> str | None:
    """Root mean squares over the draws of |value − limit| against n, log–log, with the slope of n^(−1/2) and n^(−1)."""
    widths = [r.width for r in runs]
    curves: dict[str, list[float]] = {}
    for name, limit in limits.items():
        errors = [_root_mean_square(r.values[name] - limit) for r in runs]
        if all(0 < e < math.inf for e in errors):
            curves[name] = errors
    if not curves or len(widths) < 2:
        return None
    everything = [e for c in curves.values() for e in c]
    axes = Axes(
        "distance from the limit (root mean square)",
        (widths[0] / 1.2, widths[-1] * 1.2),
        (min(everything) / 1.5, max(everything) * 1.5),
        "n",
        True,
        True,
    )
    top = max(c[0] for c in curves.values()) * 1.2
    axes.line([(widths[0], top), (widths[-1], top * (widths[-1] / widths[0]) ** -0.5)], "guide")
    for errors in curves.values():
        axes.line(list(zip(map(float, widths), errors)), "curve")
        for w, e in zip(widths, errors):
            axes.dot(w, e, "meandot", 2.2)
    slopes = [float(np.polyfit(np.log(widths), np.log(c), 1)[0]) for c in curves.values()]
    alt = (
        f"Distance from the limit against the width for {len(curves)} outputs; slopes from {min(slopes):.2f} to "
        f"{max(slopes):.2f}; the dashed line falls as one over the root of n"
    )
    return axes.svg(alt, [(w, str(w)) for w in widths])


def _root_mean_square(x: np.ndarray) -> float:
    size = float(np.max(np.abs(x)))
    return size * float(np.sqrt(np.mean((x / size) ** 2))) if 0 < size < math.inf else size


def histogram(law: Any) -> str:
    """The coordinates as bars and the law of Z as a line."""
    samples, coordinates = np.asarray(law.samples), np.asarray(law.coordinates)
    both = np.concatenate([samples, coordinates])
    low, high = (float(q) for q in np.quantile(both, [0.001, 0.999]))
    low, high = resolved(low, high) if high > low else resolved(low - 1, high + 1)
    bins = int(min(60, max(12, 2 * len(coordinates) ** (1 / 3))))
    edges = np.linspace(low, high, bins + 1)
    count, _ = np.histogram(coordinates, edges)
    wide = (high - low) / bins
    heights = count / (len(coordinates) * wide)
    fine = np.linspace(low, high, 2 * bins + 1)
    smooth = np.histogram(samples, fine)[0] / (len(samples) * wide / 2)
    top = 1.08 * float(max(heights.max(), smooth.max())) or 1.0
    axes = Axes(f"coordinates of {law.name}, n = {law.width}", (low, high), (0.0, top), law.name)
    for k, h in enumerate(heights):
        axes.bar(float(edges[k]), float(edges[k + 1]), float(h), "bar")
    middles = (fine[:-1] + fine[1:]) / 2
    axes.line([(float(x), float(min(v, top))) for x, v in zip(middles, smooth)], "limit")
    alt = (
        f"Histogram of the coordinates of {law.name} at width {law.width} with the law of its limit: "
        f"mean {mean_of(coordinates):.3g} against "
        f"{mean_of(samples):.3g}, standard deviation {deviation(coordinates):.3g} against {deviation(samples):.3g}"
    )
    return axes.svg(alt)


def quantiles(law: Any) -> str:
    """Quantiles of the coordinates against those of the limit; on the line they agree."""
    samples, coordinates = np.asarray(law.samples), np.asarray(law.coordinates)
    p = np.linspace(0.005, 0.995, 100)
    x, y = np.quantile(samples, p), np.quantile(coordinates, p)
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    if not high > low:
        low, high = low - 1, high + 1
    pad = 0.04 * (high - low)
    axes = Axes(f"quantiles of {law.name}", (low - pad, high + pad), (low - pad, high + pad), "limit")
    axes.line([(low, low), (high, high)], "guide")
    for a, b in zip(x, y):
        axes.dot(float(a), float(b), "meandot", 1.8)
    return axes.svg(
        f"Quantiles of the coordinates of {law.name} against those of its limit; "
        f"largest difference {float(np.abs(x - y).max()):.2g}"
    )

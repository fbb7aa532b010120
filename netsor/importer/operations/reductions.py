"""Sums, means, maxima and softmax over finite axes and over the width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from netsor.importer.operations.elementwise import elementwise, known, times
from netsor.importer.operations.table import rule
from netsor.importer.operations.views import concatenated, cut, view
from netsor.importer.operators import ONES, act, sum_of
from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import ROW, Tensor, filled, is_width, reshape
from netsor.importer.terms import (
    ONE,
    Entry,
    add,
    call,
    div,
    mean,
    mul,
    num,
    power,
    scaled,
    sub,
)  # fmt: skip
from netsor.importer.translate import Translation


def reduced(x: Tensor, dims: Sequence[int] | None, keep: bool, average: bool) -> Tensor:
    """The sum or the mean over axes."""
    over = sorted(d % x.ndim for d in dims or range(x.ndim))
    wide = any(x.size(d).width for d in over)
    groups = x.by_axis()
    positions = tuple(p for d in over for p in groups[d])
    rest = [p for p in range(x.entries.ndim) if p not in positions]
    moved = x.entries.transpose([*rest, *positions])
    shape = moved.shape[: len(rest)]
    flat = moved.reshape(math.prod(shape), -1)
    count = flat.shape[-1]

    labels = [d for i in over for d in x.axes[i] if is_width(d)]
    if len(labels) > 1:
        raise Refusal("a sum runs over two axes of the width at once")

    def along(e: Entry) -> Entry:
        """The mean over the width; (1/n) Σ_β W_αβ is W 1/n."""
        return mul(num(1.0, Fraction(-1)), act(e, ONES, labels == [ROW])) if e.kind == MATRIX else mean(e)

    def reduction(parts: list[Entry]) -> Entry:
        total = add(*map(along, parts)) if wide else sum_of(parts) if len(x.widths) == 2 else add(*parts)
        if average:
            if total.kind == MATRIX:
                return times(total, num(1 / count))
            return div(total, num(float(count))) if count > 1 else total
        return mul(Entry(ONE.term, Fraction(1)), total) if wide else total

    entries = filled(shape, (reduction(row.tolist()) for row in flat))
    axes: list[Any] = []
    for i, axis in enumerate(x.axes):
        if i not in over:
            axes.append(axis)
        elif keep:
            axes.append((1,))
    made = Tensor(tuple(axes), entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))
    return made.with_width(ROW) if wide else made


@rule("mean", "adaptive_avg_pool1d")
def _mean(t: Translation, a: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    return t.emit(reduced(t.symbolic(a), _dims(dim), keepdim, True), "mean")


@rule("sum")
def _sum(t: Translation, a: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    return t.emit(reduced(t.symbolic(a), _dims(dim), keepdim, False), "sum")


def _dims(dim: Any) -> list[int] | None:
    return [dim] if isinstance(dim, int) else (list(dim) if dim is not None else None)


@rule("var")
def _var(t: Translation, a: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **kw: Any) -> Tensor:
    return _moments(t, t.symbolic(a), _dims(dim), 1.0 if correction is None else float(correction), keepdim)[1]


@rule("var_mean")
def _var_mean(t: Translation, a: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **kw: Any) -> Any:
    correction = 1.0 if correction is None else float(correction)
    average, spread = _moments(t, t.symbolic(a), _dims(dim), correction, keepdim)
    return [spread, average]


def _moments(t: Translation, x: Tensor, dims: Any, correction: float, keep: bool) -> tuple[Tensor, Tensor]:
    over = list(range(x.ndim)) if not dims else [d % x.ndim for d in dims]
    wide = any(x.size(d).width for d in over)
    count = math.prod(x.size(d).c for d in over)
    average = t.emit(reduced(x, dims, True, True), "mean")
    squares = elementwise(t, lambda u, m: power(sub(u, m), 2.0), x, average)
    spread = reduced(squares, dims, True, True)
    if correction:
        if wide:
            # n c / (n c − 1) is not a power of n, and 1 in the limit: the difference is in no statement.
            raise Refusal(
                "a variance over the width with the factor 1/(n − 1)",
                hint="take the mean of the squares: var(unbiased=False)",
            )
        factor = count / (count - correction) if count > correction else math.nan
        if math.isnan(factor):
            raise Refusal("a variance over a single number")
        spread = elementwise(t, lambda v: scaled(factor, v), spread)
    spread = t.emit(spread, "variance")
    if keep:
        return average, spread
    sizes = [x.size(i) for i in range(x.ndim) if i not in over]
    return reshape(average, sizes), reshape(spread, sizes)


@rule("std")
def _std(t: Translation, a: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **kw: Any) -> Tensor:
    return elementwise(t, lambda v: power(v, 0.5), _var(t, a, dim, correction, keepdim), hint="deviation")


@rule("linalg_vector_norm", "norm")
def _norm(t: Translation, a: Any, order: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    if isinstance(order, Entry) or float(order) not in (1.0, 2.0):
        raise Refusal(f"a norm of order {order}")
    x = t.symbolic(a)
    if float(order) == 1.0:
        return t.emit(reduced(elementwise(t, known("abs"), x), _dims(dim), keepdim, False), "norm")
    squares = elementwise(t, lambda u: power(u, 2.0), x)
    total = reduced(squares, _dims(dim), keepdim, False)
    return elementwise(t, lambda v: power(v, 0.5), total, hint="norm")


@rule("amax", "amin", "max", "min")
def _amax(t: Translation, a: Any, dim: Any = None, keepdim: bool = False) -> Any:
    x = t.symbolic(a)
    assert t.node is not None
    name = t.node.target._schema.name.removeprefix("aten::")
    f = "max" if "max" in name else "min"
    over = _dims(dim) or list(range(x.ndim))
    if any(x.size(d % x.ndim).width for d in over):
        raise Refusal("the largest unit of the width is taken", "a maximum over n units grows with the width")
    made = t.emit(_fold(x, [d % x.ndim for d in over], keepdim, lambda *e: call(f, *e) if len(e) > 1 else e[0]), f)
    return made if name.startswith("a") or dim is None else [made, None]


def _fold(x: Tensor, over: list[int], keep: bool, f: Callable[..., Entry]) -> Tensor:
    groups = x.by_axis()
    positions = [p for d in sorted(over) for p in groups[d]]
    rest = [p for p in range(x.entries.ndim) if p not in positions]
    moved = x.entries.transpose([*rest, *positions])
    shape = moved.shape[: len(rest)]
    entries = filled(shape, (f(*row.tolist()) for row in moved.reshape(math.prod(shape), -1)))
    axes: list[Any] = [a if i not in over else (1,) for i, a in enumerate(x.axes) if keep or i not in over]
    return Tensor(tuple(axes), entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))


@rule("cumsum")
def _cumsum(t: Translation, a: Any, dim: int, dtype: Any = None) -> Tensor:
    x = t.symbolic(a)
    dim %= x.ndim
    if x.size(dim).width:
        raise Refusal("a running sum over the units of the width")
    parts = [cut(x, dim, i, i + 1, 1) for i in range(x.size(dim).c)]
    out = [parts[0]]
    for p in parts[1:]:
        out.append(elementwise(t, add, out[-1], p, hint="running"))
    return concatenated(out, dim)


@rule("_softmax", "softmax", "_safe_softmax")
def _softmax(t: Translation, a: Any, dim: int, half: Any = None) -> Tensor:
    # Written whole, it is seen to divide by a sum of positive numbers.
    x = t.emit(t.symbolic(a), "score")
    weights = elementwise(t, known("exp"), x)
    total = reduced(weights, [dim], True, False)
    if x.size(dim % x.ndim).width:
        total = t.emit(total, "total")
    return elementwise(t, div, weights, total, hint="softmax")


@rule("_log_softmax", "log_softmax", "logsumexp")
def _log_softmax(t: Translation, a: Any, dim: Any, half: Any = None) -> Tensor:
    x = t.symbolic(a)
    dims = _dims(dim)
    total = reduced(elementwise(t, known("exp"), x), dims, True, False)
    logs = elementwise(t, known("log"), total, hint="logsumexp")
    assert t.node is not None
    if "logsumexp" in str(t.node.target):
        return view(logs, t.output_sizes())
    return elementwise(t, sub, x, logs, hint="logsoftmax")

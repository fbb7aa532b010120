"""Pooling, upsampling, and constants of a shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netsor.importer.operations.reductions import reduced
from netsor.importer.operations.table import RULES, rule
from netsor.importer.operations.views import picked, windows
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import Tensor, empty, filled, of_sizes
from netsor.importer.terms import (
    NIL,
    Entry,
    add,
    call,
    div,
    num,
)  # fmt: skip
from netsor.importer.translate import Rule, Translation


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(
    t: Translation, a: Any, kernel: Any, stride: Any = (), padding: Any = (0,), ceil: bool = False,
    include: bool = True, divisor: Any = None,
) -> Tensor:  # fmt: skip
    def f(parts: list[Entry], total: int) -> Entry:
        count = divisor or (total if include else len(parts))
        return div(add(*parts), num(float(count)))

    return _pool(t, a, kernel, stride, padding, (1,), f, "pool")


@rule("max_pool2d_with_indices", "max_pool1d", "max_pool2d", "max_pool3d_with_indices")
def _max_pool(
    t: Translation, a: Any, kernel: Any, stride: Any = (), padding: Any = (0,), dilation: Any = (1,), ceil: bool = False
) -> Any:
    def f(parts: list[Entry], total: int) -> Entry:
        return call("max", *parts) if len(parts) > 1 else parts[0]

    made = _pool(t, a, kernel, stride, padding, dilation, f, "pool")
    return [made, None] if t.node is not None and "indices" in str(t.node.target) else made


def _pool(
    t: Translation, a: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, f: Callable[..., Entry], hint: str
) -> Tensor:
    x = t.symbolic(a)
    rank = len(kernel)
    stride = list(stride) or list(kernel)
    stride, padding, dilation = (list(v) * rank if len(v) == 1 else list(v) for v in (stride, padding, dilation))
    assert t.node is not None
    indexed = isinstance(t.node.values[0], (tuple, list))
    where = [s.c for s in t.output_sizes(0 if indexed else None)[-rank:]]
    lead = x.ndim - rank
    found = windows(x, lead, where, kernel, stride, padding, dilation)
    shape = found.shape[:-rank]
    rows = found.reshape(math.prod(shape), -1)
    # What is beyond the border counts as 0 in a mean, and not at all in a maximum.
    entries = filled(shape, (f([e for e in row.tolist() if e is not NIL], math.prod(kernel)) for row in rows))
    return t.emit(Tensor((*x.axes[:lead], *((s,) for s in where)), entries), hint)


@rule("_adaptive_avg_pool2d", "adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def _adaptive(t: Translation, a: Any, size: Sequence[int]) -> Tensor:
    x = t.symbolic(a)
    rank = len(size)
    if all(s == 1 for s in size):
        return t.emit(reduced(x, range(x.ndim - rank, x.ndim), True, True), "pool")
    space = [x.size(x.ndim - rank + i).c for i in range(rank)]
    if any(s % o for s, o in zip(space, size)):
        raise Refusal("an adaptive pooling whose windows have different sizes")
    return _avg_pool(t, a, [s // o for s, o in zip(space, size)])


@rule("upsample_nearest1d", "upsample_nearest2d")
def _upsample(t: Translation, a: Any, *args: Any, **kwargs: Any) -> Tensor:
    x = t.symbolic(a)
    sizes = t.output_sizes()
    for i in range(2, x.ndim):
        have, want = x.size(i).c, sizes[i].c
        x = picked(x, i, [k * have // want for k in range(want)])
    return x


def _filled(value: float | None) -> Rule:
    def apply(t: Translation, *args: Any, **kwargs: Any) -> Tensor:
        c = value if value is not None else args[-1]
        sizes = t.output_sizes()
        entries = empty([s.c for s in sizes])
        for index in np.ndindex(*entries.shape):
            entries[index] = c if isinstance(c, Entry) else num(float(c))
        return of_sizes(sizes, entries)

    return apply


for _name, _value in (("zeros_like", 0.0), ("ones_like", 1.0), ("new_zeros", 0.0), ("new_ones", 1.0)):
    RULES[_name] = _filled(_value)
RULES["full_like"] = RULES["new_full"] = _filled(None)

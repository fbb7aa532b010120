"""Normalization over the width, over groups and over a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from netsor.importer.operations.elementwise import elementwise
from netsor.importer.operations.reductions import reduced
from netsor.importer.operations.table import rule
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import Size, Tensor, reshape
from netsor.importer.terms import (
    Entry,
    add,
    div,
    mul,
    num,
    power,
    sub,
)  # fmt: skip
from netsor.importer.translate import Translation, Varying


def normalized(t: Translation, x: Tensor, dims: Sequence[int], eps: Any, center: bool = True) -> Tensor:
    epsilon = eps if isinstance(eps, Entry) else num(float(eps))
    count = math.prod(x.size(d).c for d in dims)
    wide = any(x.size(d).width for d in dims)
    if count == 1 and not wide:
        raise Refusal(
            "a normalization over a single number, which leaves 0",
            hint="give an example with more rows or positions: --example 8,3",
        )
    centered = x
    if center:
        average = t.emit(reduced(x, dims, True, True), "mean")
        centered = elementwise(t, sub, x, average, hint="centered")
    squares = elementwise(t, lambda u: power(u, 2.0), centered)
    spread = reduced(squares, dims, True, True)
    deviation = elementwise(t, lambda v: power(add(v, epsilon), 0.5), spread, hint="deviation")
    return elementwise(t, div, centered, deviation)


@rule("native_layer_norm", "layer_norm")
def _layer_norm(t: Translation, a: Any, shape: Any, w: Any = None, b: Any = None, eps: float = 1e-5) -> Any:
    x = t.symbolic(a)
    k = len(shape.values[0]) if isinstance(shape, Varying) else len(shape)
    made = normalized(t, x, range(x.ndim - k, x.ndim), eps)
    out = _scaled_and_shifted(t, made, w, b, "norm")
    return [out, None, None]


def _scaled_and_shifted(t: Translation, x: Any, w: Any, b: Any, hint: str) -> Tensor:
    if w is not None and b is not None:
        return elementwise(t, lambda u, g, c: add(mul(u, g), c), x, w, b, hint=hint)
    if w is not None:
        return elementwise(t, mul, x, w, hint=hint)
    return t.emit(t.symbolic(x), hint)


@rule("_fused_rms_norm", "rms_norm")
def _rms_norm(t: Translation, a: Any, shape: Any, w: Any = None, eps: Any = None) -> Any:
    x = t.symbolic(a)
    k = len(shape.values[0]) if isinstance(shape, Varying) else len(shape)
    eps = torch.finfo(torch.float64).eps if eps is None else eps
    made = normalized(t, x, range(x.ndim - k, x.ndim), eps, center=False)
    out = _scaled_and_shifted(t, made, w, None, "norm")
    return [out, None] if t.node is not None and "_fused" in str(t.node.target) else out


@rule("native_group_norm", "group_norm")
def _group_norm(t: Translation, a: Any, w: Any, b: Any, n: Any, c: Any, hw: Any, groups: Any, eps: float) -> Any:
    x = t.symbolic(a)
    sizes = [x.size(i) for i in range(x.ndim)]
    if isinstance(groups, Varying) or sizes[1].c % groups and sizes[1].width:
        finer = 1 if isinstance(groups, Varying) else groups // math.gcd(groups, sizes[1].c)
        raise Refusal("the groups of a normalization cut blocks of the width", finer=finer)
    grouped = reshape(x, [sizes[0], Size(groups, False), Size(sizes[1].c // groups, sizes[1].width), *sizes[2:]])
    made = reshape(normalized(t, grouped, range(2, grouped.ndim), eps), sizes)
    return [_affine(t, made, _channelwise(t, (w, b), x.ndim)), None, None]


def _affine(t: Translation, x: Any, scale_and_shift: Sequence[Any]) -> Tensor:
    return _scaled_and_shifted(t, x, scale_and_shift[0], scale_and_shift[1], "norm")


def _channelwise(t: Translation, parameters: Sequence[Any], rank: int) -> list[Any]:
    out: list[Any] = []
    for p in parameters:
        if p is None:
            out.append(None)
            continue
        v = t.symbolic(p)
        out.append(reshape(v, [v.size(0), *[Size(1, False)] * (rank - 2)]))
    return out


@rule(
    "_native_batch_norm_legit_functional", "_native_batch_norm_legit", "native_batch_norm",
    "_batch_norm_with_update_functional", "_native_batch_norm_legit_no_training",
)  # fmt: skip
def _batch_norm(t: Translation, a: Any, w: Any, b: Any, running_mean: Any, running_var: Any, *rest: Any) -> Any:
    x = t.symbolic(a)
    assert t.node is not None
    training = "no_training" not in str(t.node.target) and bool(rest[0])
    eps = rest[-1]
    if training:
        made: Any = normalized(t, x, [0, *range(2, x.ndim)], eps)
    else:
        average, spread = _channelwise(t, (running_mean, running_var), x.ndim)
        deviation = elementwise(t, lambda v: power(add(v, num(eps)), 0.5), spread)
        made = elementwise(t, lambda u, m, d: div(sub(u, m), d), x, average, deviation)
    out = _affine(t, made, _channelwise(t, (w, b), x.ndim))
    return [out, None, None, running_mean, running_var]

"""Matrix products, convolutions, embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netsor.importer.arrays import Integers
from netsor.importer.contraction import contract, sum_of_products
from netsor.importer.operations.elementwise import elementwise, plus, times
from netsor.importer.operations.table import ONE_HOT, rule
from netsor.importer.operations.views import taken, windows
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import Size, Tensor, empty, reshape
from netsor.importer.terms import add, input_number
from netsor.importer.translate import Constant, Tokens, Translation, Varying


@rule("mm", "matmul", "bmm", "mv", "dot", "_matmul")
def _matmul(t: Translation, a: Any, b: Any) -> Tensor:
    x, y = t.symbolic(a), t.symbolic(b)
    batch = [f"b{i}" for i in range(max(x.ndim, y.ndim) - 2)]
    left = [*batch[max(0, len(batch) - (x.ndim - 2)) :], "i", "k"] if x.ndim > 1 else ["k"]
    right = [*batch[max(0, len(batch) - (y.ndim - 2)) :], "k", "j"] if y.ndim > 1 else ["k"]
    out = [*batch, *(["i"] if x.ndim > 1 else []), *(["j"] if y.ndim > 1 else [])]
    made = contract(x, left, y, right, out)
    return t.emit(made, "linear" if made.widths else "score")


@rule("addmm", "baddbmm", "addmv")
def _addmm(t: Translation, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Tensor:
    x, y = t.symbolic(a), t.symbolic(b)
    names = (["i", "k"], ["k", "j"], ["i", "j"]) if x.ndim == 2 else (["b", "i", "k"], ["b", "k", "j"], ["b", "i", "j"])
    if y.ndim == 1:
        names = (["i", "k"], ["k"], ["i"])
    made = contract(x, names[0], y, names[1], names[2])
    return elementwise(t, lambda u, v, p, q: plus(times(p, u), times(q, v)), made, c, alpha, beta, hint="linear")


@rule("linear")
def _linear(t: Translation, a: Any, w: Any, b: Any = None) -> Tensor:
    x = t.symbolic(a)
    batch = [f"b{i}" for i in range(x.ndim - 1)]
    made = contract(x, [*batch, "k"], t.symbolic(w), ["o", "k"], [*batch, "o"])
    return t.emit(made, "linear") if b is None else elementwise(t, add, made, b, hint="linear")


@rule("convolution", "conv1d", "conv2d", "conv3d")
def _convolution(
    t: Translation, a: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool = False,
    output_padding: Any = (), groups: Any = 1,
) -> Tensor:  # fmt: skip
    x, weight = t.symbolic(a), t.symbolic(w)
    rank = weight.ndim - 2
    stride, padding, dilation = (list(v) * rank if len(v) == 1 else list(v) for v in (stride, padding, dilation))
    kernel = [weight.size(2 + i).c for i in range(rank)]
    sizes = t.output_sizes()
    where = [s.c for s in sizes[2:]]
    patches = windows(x, 2, where, kernel, stride, padding, dilation, transposed)
    axes = (*x.axes[:2], *((s,) for s in where), *((k,) for k in kernel))
    spots, taps = [f"p{i}" for i in range(rank)], [f"k{i}" for i in range(rank)]
    made = _grouped(t, Tensor(axes, patches), weight, spots, taps, groups, transposed)
    if bias is None:
        return t.emit(made, "conv")
    b = t.symbolic(bias)
    b = reshape(b, [b.size(0), *[Size(1, False)] * rank])
    return elementwise(t, add, made, b, hint="conv")


def _grouped(
    t: Translation, x: Tensor, w: Tensor, spots: list[str], taps: list[str], groups: Any, transposed: bool
) -> Tensor:
    first, second = ("o", "c") if not transposed else ("c", "o")
    many = t.exported.size(groups.values if isinstance(groups, Varying) else (groups,) * len(t.exported.widths))
    if many == Size(1, False):
        return contract(x, ["b", "c", *spots, *taps], w, [first, second, *taps], ["b", "o", *spots])
    channels, outputs = x.size(1), w.size(0)
    if many.width:
        if many != channels or outputs != channels:
            raise Refusal("a convolution in groups of the width other than one group for each channel")
        plain = reshape(w, [w.size(0), *(w.size(2 + i) for i in range(len(taps)))])
        return contract(x, ["b", "o", *spots, *taps], plain, ["o", *taps], ["b", "o", *spots])
    if channels.c % many.c or outputs.c % many.c:
        finer = many.c // math.gcd(many.c, channels.c, outputs.c)
        raise Refusal("the groups of a convolution cut blocks of the width", finer=finer)
    g = many.c
    inner, outer = Size(channels.c // g, channels.width), Size(outputs.c // g, outputs.width)
    parts = reshape(x, [x.size(0), Size(g, False), inner, *(x.size(i) for i in range(2, x.ndim))])
    weights = reshape(w, [Size(g, False), outer, *(w.size(i) for i in range(1, w.ndim))])
    names = ["b", "g", "c", *spots, *taps], ["g", first, second, *taps]
    made = contract(parts, names[0], weights, names[1], ["b", "g", "o", *spots])
    return reshape(made, [made.size(0), Size(outputs.c, outputs.width), *(made.size(i) for i in range(3, made.ndim))])


@rule("embedding")
def _embedding(t: Translation, w: Any, index: Any, *args: Any, **kwargs: Any) -> Tensor:
    table = t.symbolic(w)
    if isinstance(index, Constant):
        rows: Tensor = taken(t, table, [index])
        return rows
    if not isinstance(index, Tokens):
        raise Refusal("an index that depends on weights")
    size = table.size(0).c
    shape = (*index.numbers.shape, *table.entries.shape[1:])
    entries = empty(shape)
    for at in np.ndindex(*index.numbers.shape):
        token = int(index.numbers[at])
        t.vocabulary[token] = size
        # One-hot: the number (token, k) of the input meets row k of the table.
        numbers = [input_number(int(i)) for i in one_hot_row(token, size)]
        for rest in np.ndindex(*table.entries.shape[1:]):
            entries[(*at, *rest)] = sum_of_products(numbers, table.entries[(slice(None), *rest)].tolist())
    axes = (*((s,) for s in index.numbers.shape), *table.axes[1:])
    return t.emit(Tensor(axes, entries), "embedding")


def one_hot_row(token: int, size: int) -> Integers:
    """The numbers of the entries of a token's one-hot row; tokens have a range of numbers of their own."""
    return -(1 + token * ONE_HOT + np.arange(size))

"""Operations that only arrange entries: views, transposes, slices, concatenation, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsor.importer.arrays import Array
from netsor.importer.operations.table import rule
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import ROW, Interleaved, Objects, Size, Tensor, aligned, blocks, empty, is_width, reshape
from netsor.importer.terms import NIL, Term, num
from netsor.importer.translate import Constant, Tokens, Translation, Varying


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_copy", "squeeze_copy")
def _view(t: Translation, a: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers.reshape([s.c for s in t.output_sizes()]))
    return view(t.symbolic(a), t.output_sizes())


def view(x: Tensor, sizes: Sequence[Size]) -> Tensor:
    try:
        return reshape(x, sizes)
    except Interleaved as refused:
        refused.units = dict.fromkeys(_rows_of(x), refused.inner)
        raise


def _rows_of(x: Tensor) -> set[tuple[str, int]]:
    """The parameters of which each row gives a unit of a tensor, by path and number of their axis along the width."""
    found: set[tuple[str, int]] = set()
    seen: set[Array] = set()
    stack: list[Term] = [e.term for e in x.entries.flat]
    while stack:
        t = stack.pop()
        if t.op == "var" and t.value[0].parameter is not None:
            found.add((t.value[0].parameter.path, 0))
        elif t.op == "var" and t.value[0] not in seen:
            seen.add(t.value[0])
            stack += t.value[0].terms.values()
        elif t.op == "columns":
            found.add((t.value.parameter.path, 0))
        elif t.op == "matmul":
            found.add((t.args[0].value[0].parameter.path, int(t.value)))
        elif t.op not in ("dot", "mean"):
            stack += t.args
    return found


@rule("permute", "permute_copy")
def _permute(t: Translation, a: Any, order: Sequence[int]) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers.transpose(order))
    x = t.symbolic(a)
    return x.permuted([i % x.ndim for i in order])


@rule("t")
def _t(t: Translation, a: Any) -> Tensor:
    x = t.symbolic(a)
    return x.permuted(list(range(x.ndim))[::-1])


@rule("transpose")
def _transpose(t: Translation, a: Any, i: int, j: int) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers.swapaxes(i, j))
    x = t.symbolic(a)
    order = list(range(x.ndim))
    order[i], order[j] = order[j], order[i]
    return x.permuted(order)


@rule(
    "clone", "alias", "detach", "detach_", "contiguous", "lift_fresh_copy", "_to_copy", "to", "type_as", "dropout",
    "alias_copy", "feature_dropout",
)  # fmt: skip
def _same(t: Translation, a: Any, *args: Any, **kwargs: Any) -> Any:
    if t.node is not None and "dropout" in str(t.node.target):
        rate, training = (*args, 0.0, False)[:2]
        if training and rate:
            raise _dropout(rate)
    return a


def _dropout(rate: float) -> Refusal:
    return Refusal(
        f"dropout with rate {rate:g} is active",
        "the module is in training mode; a dropped unit makes the network random beside its weights",
        hint="return the module in evaluation mode: `return model.eval()`",
    )


@rule("native_dropout")
def _native_dropout(t: Translation, a: Any, rate: float, training: Any = None) -> list[Any]:
    if rate and training is not False:
        raise _dropout(rate)
    return [a, None]


@rule("bernoulli", "rand", "rand_like", "randn_like", "bernoulli_")
def _random(t: Translation, *args: Any, **kwargs: Any) -> Any:
    raise _dropout(float(args[1]) if len(args) > 1 and isinstance(args[1], float) else 0.5)


@rule("expand", "expand_copy", "broadcast_to")
def _expand(t: Translation, a: Any, *args: Any, **kwargs: Any) -> Tensor:
    x = t.symbolic(a)
    sizes = t.output_sizes()
    axes = ((1,),) * (len(sizes) - x.ndim) + x.axes
    shape: list[int] = []
    base: list[int] = []
    out = []
    for axis, s in zip(axes, sizes):
        digits = [int(d) for d in axis if not is_width(d)]
        if not any(map(is_width, axis)) and math.prod(digits) == 1:
            axis = (s.c, ROW) if s.width else (s.c,)
            shape.append(s.c)
            base.append(1)
        else:
            shape += digits
            base += digits
        out.append(axis)
    return Tensor(tuple(out), np.broadcast_to(x.entries.reshape(base), shape))


@rule("repeat", "tile")
def _repeat(t: Translation, a: Any, repeats: Any) -> Tensor:
    x = t.symbolic(a)
    x = reshape(x, [Size(1, False)] * (len(repeats) - x.ndim) + [x.size(i) for i in range(x.ndim)])
    for i, r in enumerate(repeats):
        if r != 1:
            x = concatenated([x] * int(r), i)
    return x


def concatenated(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors one after the other along an axis."""
    wide = [any(map(is_width, p.axes[axis])) for p in parts]
    if any(wide) and not all(wide):
        raise Refusal("a tensor along the width and one of finitely many entries are concatenated")
    if any(wide) and any(not is_width(p.axes[axis][-1]) for p in parts):
        raise Refusal("tensors whose units are interleaved are concatenated")
    others = [_blank(p, axis) for p in parts]
    _, axes = aligned(others)
    arrays = []
    for p in parts:
        shape = [blocks(x) for x in p.axes]
        arrays.append(p.entries.reshape(shape))
    joined = np.concatenate(arrays, axis)
    label = next((d for d in parts[0].axes[axis] if is_width(d)), None)
    size = joined.shape[axis]
    new = (size, label) if label else (size,)
    out = (*axes[:axis], new, *axes[axis + 1 :])
    return Tensor(out, joined.reshape([int(d) for x in out for d in x if not is_width(d)]))


def _blank(p: Tensor, axis: int) -> Tensor:
    axes = (*p.axes[:axis], (1,), *p.axes[axis + 1 :])
    return Tensor(axes, empty([int(d) for x in axes for d in x if not is_width(d)]))


@rule("cat", "concat")
def _cat(t: Translation, parts: Sequence[Any], dim: int = 0) -> Any:
    tensors = [t.symbolic(p) for p in parts if not _vacant(p)]
    return concatenated(tensors, dim % tensors[0].ndim)


def _vacant(p: Any) -> bool:
    return isinstance(p, Constant) and p.values[0].numel() == 0


@rule("stack")
def _stack(t: Translation, parts: Sequence[Any], dim: int = 0) -> Tensor:
    tensors = [t.symbolic(p) for p in parts]
    dim %= tensors[0].ndim + 1
    out = []
    for x in tensors:
        sizes = [x.size(i) for i in range(x.ndim)]
        out.append(reshape(x, [*sizes[:dim], Size(1, False), *sizes[dim:]]))
    return concatenated(out, dim)


def cut(x: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    digits = x.axes[axis]
    if any(map(is_width, digits)) and not is_width(digits[-1]):
        raise Refusal("units that are interleaved are cut apart")
    shape = [x.size(i).c for i in range(x.ndim)]
    flat = x.entries.reshape([*(int(d) for a in x.axes[:axis] for d in a if not is_width(d)), shape[axis],
                              *(int(d) for a in x.axes[axis + 1 :] for d in a if not is_width(d))])  # fmt: skip
    place = sum(1 for a in x.axes[:axis] for d in a if not is_width(d))
    cut = flat[(slice(None),) * place + (slice(start, stop, step),)]
    label = next((d for d in digits if is_width(d)), None)
    new = (cut.shape[place], label) if label else (cut.shape[place],)
    return Tensor((*x.axes[:axis], new, *x.axes[axis + 1 :]), cut)


def _in_units(t: Translation, x: Any, wide: bool, default: int) -> int:
    """A position on an axis, in entries or in blocks of the width."""
    if x is None:
        return default
    values = x.values if isinstance(x, Varying) else (x,) * len(t.exported.widths)
    if not wide:
        value = values[0]
        return default if value > 1 << 40 else int(value)
    if all(v > 1 << 40 for v in values):
        return default
    parts = {v / u for v, u in zip(values, t.exported.units)}
    if len(parts) != 1 or not next(iter(parts)).is_integer():
        raise Refusal(
            "a slice takes part of a block of the width",
            f"it is cut at {', '.join(map(str, values))} at n = {', '.join(map(str, t.exported.widths))}",
            hint="cut at multiples of the width",
        )
    return int(next(iter(parts)))


@rule("slice", "slice_copy", "narrow")
def _slice(t: Translation, a: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers[(slice(None),) * (dim % a.numbers.ndim) + (slice(start, end, step),)])
    x = t.symbolic(a)
    dim %= x.ndim
    size = x.size(dim)
    if size.width and step != 1:
        raise Refusal("every second unit of the width is taken", hint="cut the width in blocks")
    return cut(x, dim, _in_units(t, start, size.width, 0), _in_units(t, end, size.width, size.c), step)


@rule("select", "select_copy")
def _select(t: Translation, a: Any, dim: int, i: Any) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers[(slice(None),) * (dim % a.numbers.ndim) + (i,)])
    x = t.symbolic(a)
    dim %= x.ndim
    if x.size(dim).width:
        raise Refusal("a single unit of the width is taken", "one of n units is random in the limit")
    i %= x.size(dim).c
    one = cut(x, dim, i, i + 1, 1)
    axes = (*one.axes[:dim], *one.axes[dim + 1 :])
    return Tensor(axes, one.entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))


@rule("unbind")
def _unbind(t: Translation, a: Any, dim: int = 0) -> list[Any]:
    x = t.symbolic(a)
    return [_select(t, x, dim, i) for i in range(x.size(dim % x.ndim).c)]


@rule("split_with_sizes", "split", "chunk", "split_with_sizes_copy", "split_copy")
def _split(t: Translation, a: Any, how: Any, dim: int = 0) -> list[Tensor]:
    x = t.symbolic(a)
    dim %= x.ndim
    assert t.node is not None
    sizes = [t.exported.size(s) for s in zip(*([p.shape[dim] for p in v] for v in t.node.values))]
    if any(s.width != x.size(dim).width for s in sizes):
        raise Refusal("the width is cut in finite parts")
    out, at = [], 0
    for s in sizes:
        out.append(cut(x, dim, at, at + s.c, 1))
        at += s.c
    return out


def taken(t: Translation, a: Any, index: Sequence[Any]) -> Any:
    """a[index] with integer tensors along finite axes, as numpy does it."""
    x = t.symbolic(a)
    positions: list[Any] = []
    for i in range(x.ndim):
        if i < len(index) and index[i] is not None:
            if x.size(i).width:
                raise Refusal("units of the width are permuted or chosen", "all units of a block are alike")
            if not isinstance(index[i], Constant):
                raise Refusal("an index that depends on the input or on weights")
            positions.append(index[i].values[0].numpy())
        else:
            positions.append(slice(None))
    if any(map(is_width, (d for axis in x.axes for d in axis[:-1]))):
        raise Refusal("units that are interleaved are indexed")
    numbers = np.arange(x.entries.size).reshape([x.size(i).c for i in range(x.ndim)])
    picked = numbers[tuple(positions)]
    flat = x.entries.reshape(-1)
    entries = empty(picked.shape)
    for k in np.ndindex(*picked.shape):
        entries[k] = flat[picked[k]]
    return Tensor(tuple((s.c, ROW) if s.width else (s.c,) for s in t.output_sizes()), entries)


@rule("index", "_unsafe_index")
def _index(t: Translation, a: Any, index: Sequence[Any]) -> Any:
    return taken(t, a, index)


@rule("index_select")
def _index_select(t: Translation, a: Any, dim: int, index: Any) -> Any:
    x = t.symbolic(a)
    return taken(t, x, [None] * (dim % x.ndim) + [index])


@rule("gather")
def _gather(t: Translation, a: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    x = t.symbolic(a)
    if x.widths or not isinstance(index, Constant):
        raise Refusal("an index that depends on the input or on weights, or picks units of the width")
    where = index.values[0].numpy()
    entries = empty(where.shape)
    flat = x.flat()
    for k in np.ndindex(*where.shape):
        at = list(k)
        at[dim] = int(where[k])
        entries[k] = flat[tuple(at)]
    return Tensor(tuple((s,) for s in entries.shape), entries)


@rule("flip")
def _flip(t: Translation, a: Any, dims: Sequence[int]) -> Tensor:
    x = t.symbolic(a)
    for d in dims:
        if x.size(d % x.ndim).width:
            raise Refusal("units of the width are reversed")
        x = picked(x, d % x.ndim, list(range(x.size(d % x.ndim).c))[::-1])
    return x


@rule("roll")
def _roll(t: Translation, a: Any, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    x = t.symbolic(a)
    for s, d in zip(shifts, dims, strict=True):
        d %= x.ndim
        if x.size(d).width:
            raise Refusal("units of the width are rolled")
        c = x.size(d).c
        x = picked(x, d, [(i - s) % c for i in range(c)])
    return x


def picked(x: Tensor, axis: int, positions: Sequence[int]) -> Tensor:
    parts = [cut(x, axis, i, i + 1, 1) for i in positions]
    return concatenated(parts, axis)


@rule("constant_pad_nd", "pad")
def _pad(t: Translation, a: Any, padding: Sequence[int], value: float = 0.0) -> Tensor:
    x = t.symbolic(a)
    for k in range(len(padding) // 2):
        axis = x.ndim - 1 - k
        before, after = padding[2 * k : 2 * k + 2]
        if not before and not after:
            continue
        if x.size(axis).width:
            raise Refusal("the width is padded")
        if before < 0 or after < 0:
            x = cut(x, axis, max(0, -before), x.size(axis).c - max(0, -after), 1)
        one = cut(x, axis, 0, 1, 1)
        blank = Tensor(one.axes, empty(one.entries.shape))
        for index in np.ndindex(*one.entries.shape):
            blank.entries[index] = num(float(value))
        x = concatenated([blank] * max(0, before) + [x] + [blank] * max(0, after), axis)
    return x


def windows(
    x: Tensor, lead: int, where: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool = False,
) -> Objects:  # fmt: skip
    """What each tap of a window meets at each place, and NIL beyond the border.

    The array is over the axes before the `lead`-th, the places `where` windows lie, and the taps.
    """
    rank = len(where)
    space = [x.size(lead + i).c for i in range(rank)]
    inner = [int(d) for axis in x.axes[:lead] for d in axis if not is_width(d)]
    bordered = np.full([*inner, *(s + 1 for s in space)], NIL, dtype=object)
    bordered[(slice(None),) * len(inner) + tuple(slice(s) for s in space)] = x.entries.reshape([*inner, *space])
    places: list[Any] = [slice(None)] * len(inner)
    for i in range(rank):
        spot, tap = np.arange(where[i])[:, None], np.arange(kernel[i])
        at = spot * stride[i] - padding[i] + tap * dilation[i]
        if transposed:
            at, rest = np.divmod(spot + padding[i] - tap * dilation[i], stride[i])
            at[rest != 0] = -1
        at[(at < 0) | (at >= space[i])] = space[i]
        shape = [1] * (2 * rank)
        shape[i], shape[rank + i] = where[i], kernel[i]
        places.append(at.reshape(shape))
    return np.asarray(bordered[tuple(places)])

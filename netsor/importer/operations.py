"""The table of operations: how each ATen operation acts on tensors of entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, TypeVar

import numpy as np
import torch

from netsor.importer.contraction import contract, scaled_matrix
from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import ROW, Size, Tensor, aligned, blocks, empty, is_width, reshape
from netsor.importer.terms import (
    NIL,
    ONE,
    Entry,
    add,
    call,
    choose,
    div,
    input_number,
    mean,
    mul,
    num,
    power,
    scaled,
    sub,
)  # fmt: skip
from netsor.importer.translate import Constant, Rule, Tokens, Translation, Varying

F = TypeVar("F", bound=Rule)

RULES: dict[str, Rule] = {}
# The numbers of one-hot rows, for tokens of an input: more than any vocabulary has.
ONE_HOT = 10_000_000
INFINITE = 1e30  # masks are −∞, or the most negative number of a type


def rule(*names: str) -> Callable[[F], F]:
    def register(f: F) -> F:
        for name in names:
            RULES[name] = f
        return f

    return register


# Elementwise


def elementwise(t: Translation, f: Callable[..., Entry], *values: Any, hint: str = "") -> Tensor:
    tensors = [t.symbolic(v) for v in values]
    arrays, axes = aligned(tensors)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    arrays = [np.broadcast_to(a, shape) for a in arrays]
    entries = empty(shape)
    for index in np.ndindex(*shape):
        entries[index] = f(*(a[index] for a in arrays))
    labels = {d for axis in axes for d in axis if is_width(d)}
    made = Tensor(axes, entries)
    if any(e.kind == MATRIX for e in entries.flat):
        return made
    if len(labels) < sum(1 for axis in axes for d in axis if is_width(d)) or len(labels) > 1:
        raise Refusal(
            "a tensor with two axes along the width is made",
            "an activation has one axis along the width; a mask of an n×n matrix has no limit",
        )
    return t.emit(made.with_width(ROW), hint) if hint else made


def _is_infinite(e: Entry) -> bool:
    return e.number is not None and abs(e.number.c) >= INFINITE


def _plus(a: Entry, b: Entry) -> Entry:
    if _is_infinite(a):
        return a
    if _is_infinite(b):
        return b
    if MATRIX in (a.kind, b.kind):
        if a.is_zero or b.is_zero:
            return b if a.is_zero else a
        raise Refusal("two matrices are added before they meet a vector", hint="apply them one by one: A x + B x")
    return add(a, b)


def _times(a: Entry, b: Entry) -> Entry:
    if MATRIX in (a.kind, b.kind):
        if a.number is None and b.number is None:
            raise Refusal("a matrix is multiplied by something that is not a number, entry by entry")
        return scaled_matrix(a, b)
    return mul(a, b)


def _over(a: Entry, b: Entry) -> Entry:
    if MATRIX in (a.kind, b.kind):
        return _times(a, div(ONE, b)) if b.number is not None else _times(a, b)
    return div(a, b)


@rule("add", "add_")
def _add(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: _plus(x, _times(c, y)), a, b, alpha, hint="sum")


@rule("sub", "sub_")
def _sub(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: _plus(x, _times(scaled(-1.0, c), y)), a, b, alpha, hint="difference")


@rule("rsub")
def _rsub(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: _plus(y, _times(scaled(-1.0, c), x)), a, b, alpha, hint="difference")


@rule("mul", "mul_")
def _mul(t: Translation, a: Any, b: Any) -> Tensor:
    return elementwise(t, _times, a, b, hint="product")


@rule("div", "div_")
def _div(t: Translation, a: Any, b: Any, rounding_mode: Any = None) -> Tensor:
    if rounding_mode:
        raise Refusal("a quotient is rounded")
    return elementwise(t, _over, a, b, hint="quotient")


@rule("neg")
def _neg(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: _times(num(-1.0), x), a, hint="negative")


@rule("pow")
def _pow(t: Translation, a: Any, k: Any) -> Tensor:
    if isinstance(k, (int, float)):
        return elementwise(t, lambda x: power(x, float(k)), a, hint="power")

    def f(x: Entry, y: Entry) -> Entry:
        if y.number is not None and y.number.p == 0:
            return power(x, y.number.c)
        if x.number is not None and x.number.p == 0 and x.number.c > 0:
            return call("exp", scaled(math.log(x.number.c), y))
        return call("exp", mul(y, call("log", x)))

    return elementwise(t, f, a, k, hint="power")


def function(name: str, f: Callable[..., Entry]) -> Rule:
    def apply(t: Translation, *args: Any, **kwargs: Any) -> Tensor:
        return elementwise(t, lambda *x: f(*x, **kwargs), *args, hint=name)

    return apply


_ZERO_AT_ZERO = {"tanh", "relu", "abs", "erf", "sin", "tan", "atan", "gelu", "silu", "elu", "selu", "sign", "hardtanh"}
_VALUES: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh, "exp": lambda u: math.exp(u) if u > -INFINITE else 0.0, "erf": math.erf, "sin": math.sin,
    "cos": math.cos, "abs": abs, "relu": lambda u: max(u, 0.0), "log": math.log, "sqrt": math.sqrt,
    "sigmoid": lambda u: 1 / (1 + math.exp(-u)), "atan": math.atan, "tan": math.tan,
}  # fmt: skip


def known(name: str) -> Callable[[Entry], Entry]:
    """A function of the language, of a number its value."""

    def f(x: Entry) -> Entry:
        if x.number is not None and x.number.p == 0:
            if x.number.c == 0 and name in _ZERO_AT_ZERO:
                return NIL
            if name in _VALUES:
                return num(_VALUES[name](x.number.c))
        return call(name, x)

    return f


for _name in ("tanh", "exp", "erf", "sin", "cos", "tan", "abs", "relu", "log", "sigmoid", "sign", "atan"):
    RULES[_name] = RULES[_name + "_"] = function(_name, known(_name))
RULES["silu"] = RULES["silu_"] = function("silu", known("silu"))
RULES["sqrt"] = function("sqrt", lambda x: power(x, 0.5))
RULES["rsqrt"] = function("rsqrt", lambda x: power(x, -0.5))
RULES["reciprocal"] = function("inverse", lambda x: power(x, -1.0))
RULES["square"] = function("square", lambda x: power(x, 2.0))
RULES["log1p"] = function("log", lambda x: known("log")(add(ONE, x)))
RULES["expm1"] = function("exp", lambda x: sub(known("exp")(x), ONE))
RULES["maximum"] = function("max", lambda x, y: call("max", x, y))
RULES["minimum"] = function("min", lambda x, y: call("min", x, y))
RULES["sinh"] = function("sinh", lambda x: scaled(0.5, sub(call("exp", x), call("exp", scaled(-1.0, x)))))
RULES["cosh"] = function("cosh", lambda x: scaled(0.5, add(call("exp", x), call("exp", scaled(-1.0, x)))))
RULES["relu6"] = function("relu6", lambda x: call("clip", x, NIL, num(6.0)))
RULES["log_sigmoid"] = function("logsigmoid", lambda x: scaled(-1.0, call("softplus", scaled(-1.0, x))))


@rule("log_sigmoid_forward")
def _log_sigmoid(t: Translation, a: Any) -> list[Any]:
    return [RULES["log_sigmoid"](t, a), None]


@rule("gelu")
def _gelu(t: Translation, a: Any, approximate: str = "none") -> Tensor:
    if approximate == "none":
        return elementwise(t, known("gelu"), a, hint="gelu")

    def f(x: Entry) -> Entry:
        if x.is_zero:
            return NIL
        inner = scaled(math.sqrt(2 / math.pi), add(x, scaled(0.044715, power(x, 3.0))))
        return scaled(0.5, mul(x, add(ONE, call("tanh", inner))))

    return elementwise(t, f, a, hint="gelu")


@rule("leaky_relu", "leaky_relu_")
def _leaky(t: Translation, a: Any, slope: float = 0.01) -> Tensor:
    return elementwise(t, lambda x: NIL if x.is_zero else call("leaky_relu", x, num(slope)), a, hint="leaky")


@rule("_prelu_kernel", "prelu")
def _prelu(t: Translation, a: Any, slope: Any) -> Tensor:
    return elementwise(t, lambda x, s: add(call("max", x, NIL), mul(s, call("min", x, NIL))), a, slope, hint="prelu")


@rule("elu", "elu_", "celu")
def _elu(t: Translation, a: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    def f(x: Entry) -> Entry:
        if x.is_zero:
            return NIL
        if (alpha, scale, input_scale) == (1.0, 1.0, 1.0):
            return call("elu", x)
        if math.isclose(alpha, 1.6732632423543772) and math.isclose(scale, 1.0507009873554805) and input_scale == 1:
            return call("selu", x)
        low = scaled(scale * alpha, sub(call("exp", scaled(input_scale, x)), ONE))
        return choose(">", x, NIL, scaled(scale, x), low)

    return elementwise(t, f, a, hint="elu")


@rule("selu", "selu_")
def _selu(t: Translation, a: Any) -> Tensor:
    return elementwise(t, known("selu"), a, hint="selu")


@rule("softplus")
def _softplus(t: Translation, a: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    if beta == 1:
        return elementwise(t, known("softplus"), a, hint="softplus")
    return elementwise(t, lambda x: scaled(1 / beta, call("softplus", scaled(beta, x))), a, hint="softplus")


@rule("hardtanh", "hardtanh_", "clamp", "clip", "clamp_")
def _clamp(t: Translation, a: Any, low: Any = None, high: Any = None, **kwargs: Any) -> Tensor:
    low, high = kwargs.get("min", low), kwargs.get("max", high)

    def f(x: Entry) -> Entry:
        if low is None:
            return call("min", x, num(high))
        if high is None:
            return call("relu", x) if low == 0 else call("max", x, num(low))
        return call("clip", x, num(low), num(high))

    if t.node is not None and "hardtanh" in str(t.node.target) and low is None:
        low, high = -1.0, 1.0
    return elementwise(t, f, a, hint="clip")


RULES["clamp_min"] = lambda t, a, low: _clamp(t, a, low, None)
RULES["clamp_max"] = lambda t, a, high: _clamp(t, a, None, high)


@rule("hardswish", "hardswish_")
def _hardswish(t: Translation, a: Any) -> Tensor:
    def f(x: Entry) -> Entry:
        return NIL if x.is_zero else div(mul(x, call("clip", add(x, num(3.0)), NIL, num(6.0))), num(6.0))

    return elementwise(t, f, a, hint="hardswish")


@rule("hardsigmoid")
def _hardsigmoid(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: div(call("clip", add(x, num(3.0)), NIL, num(6.0)), num(6.0)), a, hint="gate")


@rule("mish")
def _mish(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: mul(x, call("tanh", call("softplus", x))), a, hint="mish")


@rule("glu")
def _glu(t: Translation, a: Any, dim: int = -1) -> Tensor:
    x = t.symbolic(a)
    half = x.size(dim % x.ndim).c // 2
    one, two = (_cut(x, dim % x.ndim, k * half, (k + 1) * half, 1) for k in (0, 1))
    return elementwise(t, lambda u, v: mul(u, call("sigmoid", v)), one, two, hint="glu")


_COMPARE: dict[str, str] = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!="}


class Condition:
    """A comparison of entries, which `where` takes."""

    def __init__(self, comparison: str, a: Tensor, b: Tensor):
        self.comparison, self.a, self.b = comparison, a, b


def _comparison(name: str) -> Rule:
    def apply(t: Translation, a: Any, b: Any) -> Any:
        x, y = t.symbolic(a), t.symbolic(b)
        if name in ("eq", "ne") and all(_is_infinite(e) for e in y.entries.flat) and not x.widths:
            # Of a finite number and ±∞.
            found = np.vectorize(lambda e: _is_infinite(e) == (name == "eq"), otypes=[bool])(x.flat())
            value = torch.from_numpy(np.asarray(found))
            return Constant(tuple(value for _ in t.exported.widths))
        return Condition(_COMPARE[name], x, y)

    return apply


for _name in _COMPARE:
    RULES[_name] = _comparison(_name)


@rule("where")
def _where(t: Translation, condition: Any, a: Any, b: Any) -> Tensor:
    if isinstance(condition, Condition):
        c = condition

        def f(u: Entry, v: Entry, x: Entry, y: Entry) -> Entry:
            return choose(c.comparison, u, v, x, y)

        return elementwise(t, f, c.a, c.b, a, b, hint="choice")
    if not isinstance(condition, Constant):
        raise Refusal("a choice by a condition that is not a comparison")
    numbers = Constant(tuple(v.to(torch.float64) for v in condition.values))
    return elementwise(t, lambda c, x, y: y if c.is_zero else x, numbers, a, b)


@rule("masked_fill", "masked_fill_")
def _masked_fill(t: Translation, a: Any, mask: Any, value: Any) -> Tensor:
    return _where(t, mask, value, a)


# Views


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_copy", "squeeze_copy")
def _view(t: Translation, a: Any, *args: Any, **kwargs: Any) -> Any:
    return view(t.symbolic(a), t.output_sizes())


def view(x: Tensor, sizes: Sequence[Size]) -> Tensor:
    return reshape(x, sizes)


@rule("permute", "permute_copy")
def _permute(t: Translation, a: Any, order: Sequence[int]) -> Tensor:
    x = t.symbolic(a)
    return x.permuted([i % x.ndim for i in order])


@rule("t")
def _t(t: Translation, a: Any) -> Tensor:
    x = t.symbolic(a)
    return x.permuted(list(range(x.ndim))[::-1])


@rule("transpose")
def _transpose(t: Translation, a: Any, i: int, j: int) -> Tensor:
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


def _cut(x: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
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
    return _cut(x, dim, _in_units(t, start, size.width, 0), _in_units(t, end, size.width, size.c), step)


@rule("select", "select_copy")
def _select(t: Translation, a: Any, dim: int, i: Any) -> Any:
    if isinstance(a, Tokens):
        return Tokens(a.numbers[(slice(None),) * (dim % a.numbers.ndim) + (i,)])
    x = t.symbolic(a)
    dim %= x.ndim
    if x.size(dim).width:
        raise Refusal("a single unit of the width is taken", "one of n units is random in the limit")
    i %= x.size(dim).c
    cut = _cut(x, dim, i, i + 1, 1)
    axes = (*cut.axes[:dim], *cut.axes[dim + 1 :])
    return Tensor(axes, cut.entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))


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
        out.append(_cut(x, dim, at, at + s.c, 1))
        at += s.c
    return out


def _taken(t: Translation, a: Any, index: Sequence[Any]) -> Any:
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
    return _taken(t, a, index)


@rule("index_select")
def _index_select(t: Translation, a: Any, dim: int, index: Any) -> Any:
    x = t.symbolic(a)
    return _taken(t, x, [None] * (dim % x.ndim) + [index])


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
        x = _picked(x, d % x.ndim, list(range(x.size(d % x.ndim).c))[::-1])
    return x


@rule("roll")
def _roll(t: Translation, a: Any, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    x = t.symbolic(a)
    for s, d in zip(shifts, dims, strict=True):
        d %= x.ndim
        if x.size(d).width:
            raise Refusal("units of the width are rolled")
        c = x.size(d).c
        x = _picked(x, d, [(i - s) % c for i in range(c)])
    return x


def _picked(x: Tensor, axis: int, positions: Sequence[int]) -> Tensor:
    parts = [_cut(x, axis, i, i + 1, 1) for i in positions]
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
            x = _cut(x, axis, max(0, -before), x.size(axis).c - max(0, -after), 1)
        one = _cut(x, axis, 0, 1, 1)
        blank = Tensor(one.axes, empty(one.entries.shape))
        for index in np.ndindex(*one.entries.shape):
            blank.entries[index] = num(float(value))
        x = concatenated([blank] * max(0, before) + [x] + [blank] * max(0, after), axis)
    return x


# Reductions


def reduced(x: Tensor, dims: Sequence[int] | None, keep: bool, average: bool) -> Tensor:
    """The sum or the mean over axes."""
    over = list(range(x.ndim)) if not dims else [d % x.ndim for d in dims]
    wide = any(x.size(d).width for d in over)
    groups = x.by_axis()
    positions = tuple(p for d in over for p in groups[d])
    rest = [p for p in range(x.entries.ndim) if p not in positions]
    moved = x.entries.transpose([*rest, *positions])
    shape = moved.shape[: len(rest)]
    flat = moved.reshape([*shape, -1])
    entries = empty(shape)
    count = flat.shape[-1]
    for index in np.ndindex(*shape):
        parts = [mean(e) if wide else e for e in flat[index]]
        total = add(*parts)
        if average:
            entries[index] = div(total, num(float(count))) if count > 1 else total
        else:
            entries[index] = mul(Entry(ONE.term, Fraction(1)), total) if wide else total
    axes: list[Any] = []
    for i, axis in enumerate(x.axes):
        if i not in over:
            axes.append(axis)
        elif keep:
            axes.append((1,))
    return Tensor(tuple(axes), entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))


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
            # n c / (n c − 1) is no power of n, and 1 in the limit: the difference is in no statement.
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
    positions = [p for d in over for p in groups[d]]
    rest = [p for p in range(x.entries.ndim) if p not in positions]
    moved = x.entries.transpose([*rest, *positions])
    flat = moved.reshape([*moved.shape[: len(rest)], -1])
    entries = empty(moved.shape[: len(rest)])
    for index in np.ndindex(*entries.shape):
        entries[index] = f(*flat[index])
    axes: list[Any] = [a if i not in over else (1,) for i, a in enumerate(x.axes) if keep or i not in over]
    return Tensor(tuple(axes), entries.reshape([int(d) for a in axes for d in a if not is_width(d)]))


@rule("cumsum")
def _cumsum(t: Translation, a: Any, dim: int, dtype: Any = None) -> Tensor:
    x = t.symbolic(a)
    dim %= x.ndim
    if x.size(dim).width:
        raise Refusal("a running sum over the units of the width")
    parts = [_cut(x, dim, i, i + 1, 1) for i in range(x.size(dim).c)]
    out = [parts[0]]
    for p in parts[1:]:
        out.append(elementwise(t, add, out[-1], p, hint="running"))
    return concatenated(out, dim)


@rule("_softmax", "softmax", "_safe_softmax")
def _softmax(t: Translation, a: Any, dim: int, half: Any = None) -> Tensor:
    x = t.symbolic(a)
    weights = elementwise(t, known("exp"), x)
    if not x.size(dim % x.ndim).width:
        weights = t.emit(weights, "weight")
    total = t.emit(reduced(weights, [dim], True, False), "total")
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


# Products


@rule("mm", "matmul", "bmm", "mv", "dot", "_matmul")
def _matmul(t: Translation, a: Any, b: Any) -> Tensor:
    x, y = t.symbolic(a), t.symbolic(b)
    batch = [f"b{i}" for i in range(max(x.ndim, y.ndim) - 2)]
    left = [*batch[max(0, len(batch) - (x.ndim - 2)) :], "i", "k"] if x.ndim > 1 else ["k"]
    right = [*batch[max(0, len(batch) - (y.ndim - 2)) :], "k", "j"] if y.ndim > 1 else ["k"]
    out = [*batch, *(["i"] if x.ndim > 1 else []), *(["j"] if y.ndim > 1 else [])]
    return t.emit(contract(x, left, y, right, out), "linear")


@rule("addmm", "baddbmm", "addmv")
def _addmm(t: Translation, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Tensor:
    x, y = t.symbolic(a), t.symbolic(b)
    names = (["i", "k"], ["k", "j"], ["i", "j"]) if x.ndim == 2 else (["b", "i", "k"], ["b", "k", "j"], ["b", "i", "j"])
    if y.ndim == 1:
        names = (["i", "k"], ["k"], ["i"])
    made = contract(x, names[0], y, names[1], names[2])
    return elementwise(t, lambda u, v, p, q: add(mul(p, u), mul(q, v)), made, c, alpha, beta, hint="linear")


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
    space = [x.size(2 + i).c for i in range(rank)]
    kernel = [weight.size(2 + i).c for i in range(rank)]
    sizes = t.output_sizes()
    where = [s.c for s in sizes[2:]]
    channel_positions = [p for axis in x.by_axis()[:2] for p in axis]
    flat = x.entries.reshape([*(x.entries.shape[p] for p in channel_positions), *space])
    patches = empty([*flat.shape[: len(channel_positions)], *where, *kernel])
    lead = flat.shape[: len(channel_positions)]
    for spot in product(*(range(s) for s in where)):
        for tap in product(*(range(k) for k in kernel)):
            at: list[int] | None = []
            for o, k, s, p, d, size in zip(spot, tap, stride, padding, dilation, space):
                if transposed:
                    i, rest = divmod(o + p - k * d, s)
                else:
                    i, rest = o * s - p + k * d, 0
                if rest or not 0 <= i < size:
                    at = None
                    break
                assert at is not None
                at.append(i)
            for c in np.ndindex(*lead):
                patches[(*c, *spot, *tap)] = NIL if at is None else flat[(*c, *at)]
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
        taken: Tensor = _taken(t, table, [index])
        return taken
    if not isinstance(index, Tokens):
        raise Refusal("an index that depends on weights")
    size = table.size(0).c
    shape = (*index.numbers.shape, *table.entries.shape[1:])
    entries = empty(shape)
    for at in np.ndindex(*index.numbers.shape):
        token = int(index.numbers[at])
        t.vocabulary[token] = size
        for rest in np.ndindex(*table.entries.shape[1:]):
            # One-hot: the number (token, k) of the input meets row k of the table.
            parts = [mul(table.entries[(k, *rest)], input_number(_one_hot(token, k))) for k in range(size)]
            entries[(*at, *rest)] = add(*parts)
    axes = (*((s,) for s in index.numbers.shape), *table.axes[1:])
    return t.emit(Tensor(axes, entries), "embedding")


def _one_hot(token: int, k: int) -> int:
    """The number of entry k of a token's one-hot row; tokens have a range of numbers of their own."""
    return -(1 + token * ONE_HOT + k)


# Normalization


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


# Pooling


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
    positions = [p for axis in x.by_axis()[:lead] for p in axis]
    space = [x.size(lead + i).c for i in range(rank)]
    flat = x.entries.reshape([*(x.entries.shape[p] for p in positions), *space])
    shape = (*flat.shape[: len(positions)], *where)
    entries = empty(shape)
    for c in np.ndindex(*flat.shape[: len(positions)]):
        for spot in product(*(range(s) for s in where)):
            parts = []
            for tap in product(*(range(k) for k in kernel)):
                at = [o * s - p + k * d for o, s, p, k, d in zip(spot, stride, padding, tap, dilation)]
                if all(0 <= i < size for i, size in zip(at, space)):
                    parts.append(flat[(*c, *at)])
            entries[(*c, *spot)] = f(parts, math.prod(kernel))
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
        x = _picked(x, i, [k * have // want for k in range(want)])
    return x


def _filled(value: float | None) -> Rule:
    def apply(t: Translation, *args: Any, **kwargs: Any) -> Tensor:
        c = value if value is not None else args[-1]
        sizes = t.output_sizes()
        entries = empty([s.c for s in sizes])
        for index in np.ndindex(*entries.shape):
            entries[index] = c if isinstance(c, Entry) else num(float(c))
        return Tensor(tuple((s.c, ROW) if s.width else (s.c,) for s in sizes), entries)

    return apply


for _name, _value in (("zeros_like", 0.0), ("ones_like", 1.0), ("new_zeros", 0.0), ("new_ones", 1.0)):
    RULES[_name] = _filled(_value)
RULES["full_like"] = RULES["new_full"] = _filled(None)

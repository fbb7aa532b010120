"""Functions of entries: arithmetic, activations, comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from netsor.importer.operations.table import INFINITE, RULES, rule
from netsor.importer.operations.views import cut
from netsor.importer.operators import ONES, inverse, outer, sum_of, transposed
from netsor.importer.operators import scaled as scaled_entries
from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import COLUMN, ROW, Tensor, aligned, filled
from netsor.importer.terms import (
    NIL,
    ONE,
    SCALAR,
    VECTOR,
    Entry,
    add,
    call,
    choose,
    div,
    mul,
    num,
    power,
    scaled,
    sub,
)  # fmt: skip
from netsor.importer.translate import Constant, Rule, Translation

# Functions that torch.export would take apart into comparisons and roundings.
WHOLE = {
    "softplus", "mish", "mish_", "hardswish", "hardswish_", "hardsigmoid", "hardsigmoid_", "log_sigmoid_forward",
    "_prelu_kernel", "silu", "silu_", "glu", "softshrink",
}  # fmt: skip


def elementwise(t: Translation, f: Callable[..., Entry], *values: Any, hint: str = "") -> Tensor:
    tensors = [t.symbolic(v) for v in values]
    paired = _on_two_widths(tensors)
    arrays, axes = aligned(paired or tensors)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    lists = [np.broadcast_to(a, shape).reshape(-1).tolist() for a in arrays]
    made = Tensor(axes, filled(shape, map(f, *lists)))
    if paired is None:
        return t.emit(made.with_width(ROW), hint) if hint else made.with_width(ROW)
    if any(e.term.op not in ("var", "prod", "operator") if e.kind == MATRIX else e.number is None and e.kind != SCALAR
           for e in made.entries.flat):  # fmt: skip
        raise Refusal(
            "a function is taken of a tensor with two axes along the width, entry by entry",
            "an activation has one axis along the width. Matrices W and outer products k vᵀ may be added, scaled and "
            "multiplied, until they meet a vector",
        )
    return made


def _on_two_widths(tensors: list[Tensor]) -> list[Tensor] | None:
    """The operands as matrices with rows and columns in one order, where there are two axes along the width."""
    rank = max(x.ndim for x in tensors)
    places = sorted({rank - x.ndim + i for x in tensors for i in range(x.ndim) if x.size(i).width})
    if len(places) < 2:
        return None
    if len(places) > 2:
        raise Refusal("a tensor with three axes along the width is made", "an activation has one axis along the width")
    order = next((x.widths for x in tensors if len(x.widths) == 2), [ROW, COLUMN])

    def matrix(x: Tensor) -> Tensor:
        if not x.widths or x.widths == order:
            return x
        if len(x.widths) == 2:
            return _mapped(x, transposed, dict(zip(order, order[::-1])))
        place = next(i for i in range(x.ndim) if x.size(i).width)
        label = order[places.index(rank - x.ndim + place)]

        def broadcast(e: Entry) -> Entry:
            if e.kind != VECTOR:
                return e
            return outer(e, ONES) if label == ROW else outer(ONES, e)

        return _mapped(x, broadcast, dict.fromkeys((ROW, COLUMN), label))

    return [matrix(x) for x in tensors]


def _mapped(x: Tensor, f: Callable[[Entry], Entry], labels: dict[str, str]) -> Tensor:
    axes = tuple(tuple(labels[d] if isinstance(d, str) else d for d in axis) for axis in x.axes)
    return Tensor(axes, filled(x.entries.shape, map(f, x.entries.reshape(-1).tolist())))


def _is_infinite(e: Entry) -> bool:
    return e.number is not None and abs(e.number.c) >= INFINITE


def plus(a: Entry, b: Entry) -> Entry:
    if _is_infinite(a):
        return a
    if _is_infinite(b):
        return b
    return sum_of([a, b]) if MATRIX in (a.kind, b.kind) else add(a, b)


def times(a: Entry, b: Entry) -> Entry:
    return scaled_entries(a, b) if MATRIX in (a.kind, b.kind) else mul(a, b)


def _over(a: Entry, b: Entry) -> Entry:
    return scaled_entries(a, inverse(b)) if MATRIX in (a.kind, b.kind) else div(a, b)


@rule("add", "add_")
def _add(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: plus(x, times(c, y)), a, b, alpha, hint="sum")


@rule("sub", "sub_")
def _sub(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: plus(x, times(scaled(-1.0, c), y)), a, b, alpha, hint="difference")


@rule("rsub")
def _rsub(t: Translation, a: Any, b: Any, alpha: Any = 1) -> Tensor:
    return elementwise(t, lambda x, y, c: plus(y, times(scaled(-1.0, c), x)), a, b, alpha, hint="difference")


@rule("mul", "mul_")
def _mul(t: Translation, a: Any, b: Any) -> Tensor:
    return elementwise(t, times, a, b, hint="product")


@rule("div", "div_")
def _div(t: Translation, a: Any, b: Any, rounding_mode: Any = None) -> Tensor:
    if rounding_mode:
        raise Refusal("a quotient is rounded")
    return elementwise(t, _over, a, b, hint="quotient")


@rule("neg")
def _neg(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: times(num(-1.0), x), a, hint="negative")


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


@rule("hardsigmoid", "hardsigmoid_")
def _hardsigmoid(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: div(call("clip", add(x, num(3.0)), NIL, num(6.0)), num(6.0)), a, hint="gate")


@rule("softshrink")
def _softshrink(t: Translation, a: Any, bound: float = 0.5) -> Tensor:
    return elementwise(t, lambda x: sub(x, call("clip", x, num(-bound), num(bound))), a, hint="softshrink")


@rule("mish", "mish_")
def _mish(t: Translation, a: Any) -> Tensor:
    return elementwise(t, lambda x: mul(x, call("tanh", call("softplus", x))), a, hint="mish")


@rule("glu")
def _glu(t: Translation, a: Any, dim: int = -1) -> Tensor:
    x = t.symbolic(a)
    half = x.size(dim % x.ndim).c // 2
    one, two = (cut(x, dim % x.ndim, k * half, (k + 1) * half, 1) for k in (0, 1))
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

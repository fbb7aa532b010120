"""Habits of numpy and PyTorch: modules, methods, arrays that are made and sliced."""

from __future__ import annotations

import re

from netsor.syntax.mistakes.habit import MEMBER, NAME, habit
from netsor.syntax.mistakes.laws import squared

_MODULE = (
    r"(?<![\w.])(?:np|numpy|torch|jnp|jax|math|F|nn|tf|scipy|sp|keras|cp|special|stats|norm(?=\.cdf)|K(?=\.[a-z]))"
    r"(?:\.(?:functional|special|linalg|nn|numpy|math|random|stats|norm(?=\.)|activations|backend))*\."
)
_RENAMED = {
    "maximum": "max", "minimum": "min", "absolute": "abs", "fabs": "abs", "arctan": "atan", "heaviside": "step",
    "average": "mean", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu", "Sigmoid": "sigmoid", "clamp": "clip",
    "cdf": "Phi", "ndtr": "Phi",
}  # fmt: skip
_MODULES_NOTE = "nothing is imported: every function of the language is at hand by its name"
_RANDOM = r"(?:randn|rand|normal|standard_normal|randn_like|Linear|Parameter|Embedding|uniform|empty)"
_PIECE = r"[^(),]*(?:\([^()]*\)[^(),]*)*"
_ARGUMENTS = r"(?:[^()]|\([^()]*\))*"


_FACTOR = re.compile(r"([*/])\s*([^*/()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?)")


def _drawn(m: re.Match[str]) -> str:
    """The declaration with the law that the numbers around the draw give it."""
    name, before, kind, arguments, behind = (m.group(i) or "" for i in range(1, 6))
    parts = _split(arguments)
    if kind in ("uniform", "rand"):
        ends = parts[:2] if kind == "uniform" and len(parts) >= 2 else ["0", "1"]
        return f"vector {name} ~ U({ends[0]}, {ends[1]})"
    deviation = "1"
    if kind == "normal" and len(parts) >= 2:
        shape = ",".join(parts[2:])
        deviation = parts[1].partition("=")[2].strip() or parts[1]
        if parts[0].partition("=")[2].strip() not in ("", "0") or not re.fullmatch(r"(?:\w+\s*=\s*)?0\.?0*", parts[0]):
            return f"vector {name} ~ N({parts[0]}, {squared(deviation)})"
    else:
        shape = arguments
    is_matrix = shape.count("n") >= 2 or "," in shape or not shape.strip()
    factors = [("*", before.strip().rstrip("*").strip()), *_FACTOR.findall(behind)]
    variance = _variance(deviation, factors)
    if is_matrix:
        return f"matrix {name}" if variance in ("1", "1/n") else f"matrix {name} ~ N(0, {variance})"
    return f"vector {name} ~ N(0, {variance})"


def _split(arguments: str) -> list[str]:
    parts, depth = [""], 0
    for c in arguments:
        depth += (c in "([") - (c in ")]")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def _variance(deviation: str, factors: list[tuple[str, str]]) -> str:
    """The product of the squares of a deviation and its factors, divisions by what depends on n last."""
    over, under = [squared(deviation)], list[str]()
    for sign, factor in factors:
        if factor:
            (over if sign == "*" else under).append(squared(factor))
    over = [f for f in over if f != "1"]
    if len(over) > 1:
        over = [f"({f})" if "/" in f else f for f in over]
    top = " * ".join(over) or "1"
    return top + "".join(f"/{f}" if re.fullmatch(r"[\w.]+", f) else f"/({f})" for f in under)


def _leaky(m: re.Match[str]) -> str:
    slope = m.group(1).strip()
    return f"leaky_relu({m.group(2)}, {slope})" if slope else f"leaky_relu({m.group(2)})"


def _linear(m: re.Match[str]) -> str:
    x, w, b = m.groups()
    return f"{w} ({x.strip()})" if not b else f"({w} ({x.strip()}) + {b.strip()})"


def _function(m: re.Match[str]) -> str:
    return _RENAMED.get(m.group(1), m.group(1))


def _method(m: re.Match[str]) -> str:
    whole = m.group(1)
    if m.group(2) in _NO_CHANGE:
        compares = re.fullmatch(r"\(([^()]*[<>=][^()]*)\)", whole)
        return f"(if {compares[1]} then 1 else 0)" if compares else whole
    inside = whole[1:-1] if whole.startswith("(") else whole
    # A number is an axis of what is taken over one, and an argument of all else.
    second = f", {m.group(3)}" if m.group(3) and m.group(2) not in _OVER_AXES else ""
    return f"{_RENAMED.get(m.group(2), m.group(2))}({inside}{second})"


def _first(parts: list[str]) -> tuple[str, list[str]]:
    return (parts[0], parts[1:]) if parts else ("", [])


def _clamped(written: str, name: str, value: str, arguments: list[str]) -> str:
    """`max`, `min` or `clip` of a value, by which of the two bounds a call gives."""
    bounds: dict[str, str] = {}
    places = (name.removeprefix("clamp_"),) if name.startswith("clamp_") else ("min", "max")
    for place, argument in zip(places, arguments, strict=False):
        key, equals, bound = argument.partition("=")
        bounds[key.strip().removeprefix("a_") if equals else place] = (bound if equals else argument).strip()
    low, high = (bounds.get(k, "None") for k in ("min", "max"))
    u = value[1:-1] if value.startswith("(") else value
    if "None" not in (low, high):
        return f"clip({u}, {low}, {high})"
    if low == high:
        return written
    return f"max({u}, {low})" if high == "None" else f"min({u}, {high})"


_OVER_AXES = (
    "mean", "sum", "std", "var", "prod", "max", "min", "amax", "amin", "norm", "softmax", "log_softmax", "logsumexp",
    "cumsum", "argmax", "argmin", "median", "average", "all", "any",
)  # fmt: skip
# Methods that change where numbers are kept, and not the numbers.
_NO_CHANGE = ("detach", "clone", "copy", "cpu", "cuda", "numpy", "float", "double", "contiguous", "squeeze", "flatten")
_OBJECT = rf"({MEMBER}|\([^()]*\))"
_METHOD_NOTE = "nothing has methods: a function is applied, `mean(x)`, and a matrix stands before its vector, `W x`"


def _keeps_first(m: re.Match[str]) -> bool:
    """Whether the product's index is the first of the matrix."""
    return re.search(rf",\s*{m.group(2)}\b", m.group()) is not None


HABITS = (
    habit(
        rf"^({NAME})\s*:?=\s*([\w.√]*(?:\([^()]*\))?\s*\*\s*)?(?:{_MODULE})({_RANDOM})\b\s*"
        r"(?:\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\))?(.*)$",
        "`{}` draws at random, and what is random is declared by its law",
        _drawn,
        note="a matrix has iid N(0, σ²/n) entries and a vector iid coordinates; `matrix W` alone has σ = 1",
    ),
    habit(
        rf"(?:{_MODULE})?\bwhere\(({_PIECE}),({_PIECE}),({_PIECE})\)",
        "`{}` is a conditional, which is written in words here",
        lambda m: f"(if {m.group(1).strip()} then {m.group(2).strip()} else {m.group(3).strip()})",
        "E124",
        note="a conditional is `if C then A else B`",
    ),
    habit(
        rf"{_MODULE}(?:matmul|mm|mv|dot(?=\(\s*[A-Z]))\(\s*({MEMBER}(?:ᵀ|\.T)?)\s*,({_PIECE})\)",
        "`{}`: a product with a matrix is `W x`, and there are no modules",
        lambda m: f"{m.group(1)} ({m.group(2).strip()})",
    ),
    habit(
        rf"{_MODULE}(?:dot|inner|vdot)\(({_PIECE}),({_PIECE})\)",
        "`{}`: an inner product is `⟨x, y⟩`, and there are no modules",
        lambda m: f"⟨{m.group(1).strip()}, {m.group(2).strip()}⟩",
    ),
    habit(
        rf"{_MODULE}einsum\(\s*[\"'](\w)(\w),\s*(?:\1(?:->\2)?|\2(?:->\1)?)[\"']\s*,\s*({MEMBER})\s*,({_PIECE})\)",
        "`{}`: a product with a matrix is `W x`, and there are no modules",
        lambda m: f"{m.group(3)}{'' if _keeps_first(m) else 'ᵀ'} ({m.group(4).strip()})",
    ),
    habit(rf"{_MODULE}heaviside\(({_PIECE}),{_PIECE}\)", "there are no modules, so `{}` has no meaning", r"step(\1)",
          note=_MODULES_NOTE),
    habit(
        rf"{_MODULE}LeakyReLU\((?:negative_slope\s*=\s*)?([^()]*)\)\s*\(({_ARGUMENTS})\)",
        "there are no modules, so `{}` has no meaning",
        _leaky,
        note=_MODULES_NOTE,
    ),
    habit(
        rf"{_MODULE}linear\(({_PIECE}),\s*({MEMBER})\s*(?:,({_PIECE}))?\)",
        "`{}`: a product with a matrix is `W x`, and there are no modules",
        _linear,
    ),
    habit(
        rf"(?:{_MODULE}|(?<![\w.])(?=\w+\({_ARGUMENTS}=)|(?<![\w.])(?=clamp_))(clamp_min|clamp_max|clamp|clip)\(({_ARGUMENTS})\)",
        "`{}`: the bounds of `clip(u, low, high)` are known by their places, and one bound is `max` or `min`",
        lambda m: _clamped(m.group(), m.group(1), *_first(_split(m.group(2)))),
    ),
    habit(
        rf"({MEMBER}(?:\([^()]*\))?|\([^()]*\))\.(clamp_min|clamp_max|clamp|clip)_?\(({_ARGUMENTS})\)",
        "`{}` calls a method",
        lambda m: _clamped(m.group(), m.group(2), m.group(1), _split(m.group(3))),
        note=_METHOD_NOTE,
    ),
    habit(
        rf"(?:{_MODULE})(Dropout|LayerNorm|RMSNorm|Softmax|ReLU|GELU|SiLU|Tanh|Sigmoid|ELU|Softplus|Mish|Identity)"
        r"\([^()]*\)(?=\s*\()",
        "there are no modules, so `{}` has no meaning", _function, note=_MODULES_NOTE,
    ),
    habit(
        rf"{_MODULE}(\w*dropout\w*|layer_norm|rms_norm|normalize)\(({_PIECE}),(?:[^()]|\([^()]*\))*\)",
        "there are no modules, so `{}` has no meaning",
        lambda m: f"{'dropout' if 'dropout' in m.group(1) else m.group(1)}({m.group(2).strip()})", note=_MODULES_NOTE,
    ),
    habit(rf"{_MODULE}({NAME})", "there are no modules, so `{}` has no meaning", _function, note=_MODULES_NOTE),
    habit(r"(?<![\w.])self\.", "there are no objects, so `{}` has no meaning", "", note=_MODULES_NOTE),
    # A row of activations times W.T is W times the column.
    habit(rf"({MEMBER})\s*@\s*({MEMBER})(?P<at>\.(?:t\(\)|m?T(?!\w))|ᵀ)",
          "a product with a matrix is `W x`, the matrix first", r"\2 \1"),
    habit(rf"{_OBJECT}\.(?:t|transpose|adjoint)\((?:\s*-?\d+\s*,\s*-?\d+\s*)?\)|{_OBJECT}\.m?[TH](?!\w)",
          "a transpose is written `ᵀ` or `^T`", lambda m: f"{m.group(1) or m.group(2)}ᵀ", "E109"),
    habit(rf"({MEMBER}ᵀ?)\.(?:dot|matmul|mm|mv)\(", "`{}…)`: a product with a matrix is `W x`", r"\1 (",
          note=_METHOD_NOTE),
    habit(rf"({MEMBER}(?:\([^()]*\))?|\([^()]*\))\.({NAME})\(\s*(?:(?:axis|dim)\s*=\s*[\w-]+|(-?[\d.]+))?(?:,\s*keepdims?\s*=\s*\w+)?\s*\)",
          "`{}` calls a method", _method,
          note=_METHOD_NOTE),
    habit(r",\s*(?:axis|dim|keepdims?)\s*=\s*[\w-]+", "`{}`: a vector has one axis, so none is named", "",
          note="`mean(x)` averages over all n coordinates"),
    habit(rf"{NAME}\[[^\[\]]*:[^\[\]]*\]", "`{}` takes some coordinates of a vector, and no coordinate has a name",
          None, "E117", note="programs speak of all n coordinates at once, in functions of a coordinate and in means",
          hint="members of a family are declared with a range: `vector g[1..3] ~ N(0, 1)`"),
    habit(rf"{NAME}\.(?:{NAME})(?:\.{NAME})*", "`{}` has no meaning: nothing has parts that a point would name", None,
          "E132", note=_METHOD_NOTE, hint="use the name alone"),
)  # fmt: skip

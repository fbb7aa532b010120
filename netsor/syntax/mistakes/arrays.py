"""Habits of numpy and PyTorch: modules, methods, arrays that are made and sliced."""

from __future__ import annotations

import re

from netsor.syntax.mistakes.habit import MEMBER, NAME, habit

_MODULE = (
    r"(?<![\w.])(?:np|numpy|torch|jnp|jax|math|F|nn|tf|scipy|sp|keras|cp)"
    r"(?:\.(?:functional|special|linalg|nn|numpy|math|random))*\."
)
_RENAMED = {
    "maximum": "max", "minimum": "min", "absolute": "abs", "fabs": "abs", "arctan": "atan", "heaviside": "step",
    "average": "mean", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu", "Sigmoid": "sigmoid", "clamp": "clip",
}  # fmt: skip
_MODULES_NOTE = "nothing is imported: every function of the language is at hand by its name"
_RANDOM = r"(?:randn?|normal|standard_normal|randn_like|Linear|Parameter|Embedding|uniform|empty)"
_PIECE = r"[^(),]*(?:\([^()]*\)[^(),]*)*"


def _drawn(m: re.Match[str]) -> str:
    name, arguments = m.group(1), m.group(2)
    inside = arguments[: arguments.find(")")] if ")" in arguments else arguments
    return f"matrix {name}" if "," in inside else f"vector {name} ~ N(0, 1)"


def _function(m: re.Match[str]) -> str:
    return _RENAMED.get(m.group(1), m.group(1))


def _method(m: re.Match[str]) -> str:
    whole = m.group(1)
    inside = whole[1:-1] if whole.startswith("(") else whole
    return f"{_RENAMED.get(m.group(2), m.group(2))}({inside})"


_OBJECT = rf"({MEMBER}|\([^()]*\))"
_METHOD_NOTE = "nothing has methods: a function is applied, `mean(x)`, and a matrix stands before its vector, `W x`"

HABITS = (
    habit(
        rf"^({NAME})\s*:?=\s*(?:{_MODULE}){_RANDOM}\b\s*\(?(.*)$",
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
        rf"{_MODULE}(?:dot|inner|vdot)\(({_PIECE}),({_PIECE})\)",
        "`{}`: an inner product is `⟨x, y⟩`, and there are no modules",
        lambda m: f"⟨{m.group(1).strip()}, {m.group(2).strip()}⟩",
    ),
    habit(
        rf"{_MODULE}(?:matmul|mm|mv)\(\s*({MEMBER}(?:ᵀ|\.T)?)\s*,({_PIECE})\)",
        "`{}`: a product with a matrix is `W x`, and there are no modules",
        lambda m: f"{m.group(1)} ({m.group(2).strip()})",
    ),
    habit(rf"{_MODULE}({NAME})", "there are no modules, so `{}` has no meaning", _function, note=_MODULES_NOTE),
    habit(r"(?<![\w.])self\.", "there are no objects, so `{}` has no meaning", "", note=_MODULES_NOTE),
    habit(rf"{_OBJECT}\.(?:t|transpose)\(\)|{_OBJECT}\.m?T(?!\w)", "a transpose is written `ᵀ` or `^T`",
          lambda m: f"{m.group(1) or m.group(2)}ᵀ", "E109"),
    habit(rf"({MEMBER}ᵀ?)\.(?:dot|matmul|mm|mv)\(", "`{}…)`: a product with a matrix is `W x`", r"\1 (",
          note=_METHOD_NOTE),
    habit(rf"{_OBJECT}\.({NAME})\(\s*(?:(?:axis|dim)\s*=\s*[\w-]+|[\d-]+)?\s*\)", "`{}` calls a method", _method,
          note=_METHOD_NOTE),
    habit(r",\s*(?:axis|dim|keepdims?)\s*=\s*[\w-]+", "`{}`: a vector has one axis, so none is named", "",
          note="`mean(x)` averages over all n coordinates"),
    habit(rf"{NAME}\[[^\[\]]*:[^\[\]]*\]", "`{}` takes some coordinates of a vector, and no coordinate has a name",
          None, "E117", note="programs speak of all n coordinates at once, in functions of a coordinate and in means",
          hint="members of a family are declared with a range: `vector g[1..3] ~ N(0, 1)`"),
    habit(rf"{NAME}\.(?:{NAME})(?:\.{NAME})*", "`{}` has no meaning: nothing has parts that a point would name", None,
          "E132", note=_METHOD_NOTE, hint="use the name alone"),
)  # fmt: skip

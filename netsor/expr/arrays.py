"""Expressions compiled to functions of arrays, which compute each shared subexpression once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from netsor.expr.array_api import library
from netsor.expr.array_api import scope as names_over
from netsor.expr.build import rewrite, star_quotient
from netsor.expr.canonical import canonical
from netsor.expr.differentiate import unfold
from netsor.expr.functions import FUNCTIONS
from netsor.expr.nodes import Add, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Star, Sym, postorder

Compiled = Callable[..., tuple[Any, ...]]


def _special(name: str) -> Callable[[Any], Any]:
    """A function of scipy.special, imported at its first call because the import takes half a second."""

    def f(x: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(x)

    return f


def _where(test: Any, a: Any, b: Any, dtype: Any) -> Any:
    return np.where(test, np.asarray(a, dtype), np.asarray(b, dtype))


def _power(base: Any, exponent: Any) -> Any:
    # For arrays, `np.power` is far slower than `np.sqrt` and products.
    if isinstance(exponent, (int, float)):
        if exponent == 0.5:
            return np.sqrt(base)
        if exponent == -0.5:
            return 1.0 / np.sqrt(base)
        if exponent == -1:
            return np.divide(1.0, base)  # of a plain 0.0 too
        if isinstance(exponent, int) and 0 < exponent <= 4:
            if exponent == 1:
                return base
            square = base * base
            return square if exponent == 2 else square * (base if exponent == 3 else square)
    return np.power(base, float(exponent) if isinstance(exponent, int) else exponent)


# The array functions from which the entries of `netsor.expr.functions` compute their values; `netsor.expr.array_api`
# has the same names for other modules.
NUMPY = SimpleNamespace(
    abs=np.abs, sign=np.sign, exp=np.exp, expm1=np.expm1, log=np.log, sqrt=np.sqrt, sin=np.sin, cos=np.cos, tan=np.tan,
    atan=np.arctan, tanh=np.tanh, where=np.where, maximum=np.maximum, minimum=np.minimum, clip=np.clip,
    logaddexp=np.logaddexp, erf=_special("erf"), ndtr=_special("ndtr"), expit=_special("expit"),
    log_ndtr=_special("log_ndtr"),
    step=lambda x: np.where(np.isnan(x), x, x > 0),
    softplus=lambda x: np.logaddexp(x, np.zeros((), np.asarray(x).dtype)),
)  # fmt: skip


def functions_of(xp: Any) -> dict[str, Callable[..., Any]]:
    """The functions of the language by name, computed with `xp`, a namespace like `NUMPY`, without Dirac masses."""
    found: dict[str, Callable[..., Any]] = {}
    for name, entry in FUNCTIONS.items():
        if isinstance(entry.array, str):
            found[name] = getattr(xp, entry.array)
        elif entry.array is not None:
            found[name] = partial(entry.array, xp)
    return found


ARRAY_FUNCTIONS = functions_of(NUMPY)
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}


@lru_cache(maxsize=4096)
def lambdify(exprs: tuple[Expr, ...], args: tuple[Sym, ...], xp: Any = None) -> Compiled:
    """A function of arrays (one for each of `args`, broadcast together) that returns the values of `exprs`.

    The dtype of the first array is kept, so that float32 stays float32. Users' functions are replaced by their bodies,
    and ψ* by its quotient at θ. With `xp`, a module that follows the array API standard, the arguments are its arrays,
    all of one dtype, and so are the values that depend on them. Raises ValueError for an expression with a Dirac mass,
    which has no values, and KeyError for a symbol that is not in `args`.
    """
    roots = [canonical(rewrite(unfold(e), lambda x: star_quotient(x) if isinstance(x, Star) else x)) for e in exprs]
    names: dict[Expr, str] = {s: f"a{i}" for i, s in enumerate(args)}
    lines: list[str] = []
    nodes = list(postorder(*roots))
    waiting: dict[Expr, int] = dict.fromkeys(roots, 1)
    for node in nodes:
        for c in set(node.children):
            waiting[c] = waiting.get(c, 0) + 1
    # A local variable is reused once its value is no longer needed, so that few arrays exist at a time and they stay in
    # the cache.
    vacant: list[str] = []
    slots = 0
    for node in nodes:
        if node in names:
            continue
        if isinstance(node, Const):
            names[node] = repr(node.value) if math.isfinite(node.value) else f"float('{node.value}')"
            if node.value < 0:
                names[node] = f"({names[node]})"
            continue
        if isinstance(node, Sym):
            raise KeyError(node.name)
        code = _code(node, [names[c] for c in node.children])
        for c in set(node.children):
            waiting[c] -= 1
            if not waiting[c] and names[c].startswith("t"):
                vacant.append(names[c])
        if not vacant:
            vacant.append(f"t{slots}")
            slots += 1
        names[node] = vacant.pop()
        lines.append(f"    {names[node]} = {code}")
    parameters = ", ".join(f"a{i}" for i in range(len(args)))
    results = ", ".join(names[r] for r in roots) + ("," if roots else "")
    dtype = "_dtype(a0)" if args else "_float64"
    source = f"def compiled({parameters}):\n    dt = {dtype}\n" + "\n".join(lines) + f"\n    return ({results})\n"
    if xp is None:
        scope = dict(_NUMPY)
    else:
        scope = {**names_over(xp), "F": functions_of(library(xp))}
    exec(compile(source, "<netsor expression>", "exec"), scope)
    return scope["compiled"]


def _dtype_of(x: Any) -> Any:
    dtype = np.asarray(x).dtype
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


_NUMPY: dict[str, Any] = {
    "F": ARRAY_FUNCTIONS, "_where": _where, "_power": _power, "_dtype": _dtype_of, "_float64": np.float64,
    "_and": np.logical_and, "_or": np.logical_or, "_not": np.logical_not,
}  # fmt: skip


def _code(node: Expr, parts: list[str]) -> str:
    match node:
        case Add():
            return " + ".join(parts)
        case Mul():
            return " * ".join(parts)
        case Pow():
            return f"_power({parts[0]}, {parts[1]})"
        case Call():
            if node.fn not in ARRAY_FUNCTIONS:
                raise ValueError("a Dirac mass has no values")
            return f"F['{node.fn}']({', '.join(parts)})"
        case Cmp():
            return f"({parts[0]} {_OPERATORS[node.op]} {parts[1]})"
        case Logic():
            if node.op == "not":
                return f"_not({parts[0]})"
            return f"_fold_{node.op}" if not parts else _nested(f"_{node.op}", parts)
        case Cond():
            return f"_where({parts[0]}, {parts[1]}, {parts[2]}, dt)"
        case _:
            raise TypeError(type(node).__name__)


def _nested(fn: str, parts: list[str]) -> str:
    out = parts[0]
    for p in parts[1:]:
        out = f"{fn}({out}, {p})"
    return out

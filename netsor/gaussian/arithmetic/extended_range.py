"""Values of expressions whose intermediate results overflow or underflow, with numbers m 2^e of any integer e.

log(1 + exp(1000)) and exp(1000)/(1 + exp(1000)) are ordinary numbers. Values that are not finite in floating point are
computed again in this arithmetic, and those that are still not finite do not exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from netsor.expr import Add, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Sym, canonical, postorder
from netsor.expr.arrays import ARRAY_FUNCTIONS, NUMPY, lambdify
from netsor.expr.functions import FUNCTIONS, is_exp, is_log, is_mass
from netsor.gaussian.arithmetic.two_product import two_product

Array = np.ndarray
_LN2 = math.log(2)
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6
_FARTHEST = 1e15


class Wide(NamedTuple):
    """m 2^e elementwise, 1/2 ≤ |m| < 1 (or m is 0, infinite or NaN)."""

    m: Array
    e: Array

    def floats(self) -> Array:
        return np.ldexp(self.m, np.clip(self.e, -2200, 2200).astype(int))


def wide(m: Array, e: Array | float = 0.0) -> Wide:
    m, k = np.frexp(m)
    return Wide(m, np.where((m == 0) | ~np.isfinite(m), 0.0, e + k))


def _exponential(x: Array) -> Wide:
    k = np.where(np.isfinite(x), np.round(x / _LN2), 0.0)
    far = np.abs(k) > _FARTHEST
    # ln 2 as a sum of two floats; the first has so few digits that its product with k is exact (Cody & Waite 1980).
    rest = np.where(far, 0.0, (x - k * _LN2_HIGH) - k * _LN2_LOW)
    m = np.where(far, np.where(x > 0, np.inf, 0.0), np.exp(rest))
    return wide(np.where(np.isnan(x), np.nan, m), np.where(far, 0.0, k))


def _logarithm(u: Wide) -> Array:
    near = np.abs(u.e) < 1000
    return np.where(near, np.log(u.floats()), np.log(u.m) + u.e * _LN2)


def _sum(terms: Sequence[Wide]) -> Wide:
    top = np.max([np.where(t.m == 0, -np.inf, t.e) for t in terms], axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.sum([np.ldexp(t.m, np.clip(t.e - top, -2200, 0).astype(int)) for t in terms], axis=0)
    return wide(total, top)


def _product(factors: Sequence[Wide]) -> Wide:
    out = factors[0]
    for f in factors[1:]:
        out = wide(out.m * f.m, out.e + f.e)
    return out


def _power(base: Wide, exponent: Array) -> Wide:
    value = np.power(base.floats(), exponent)
    # Where the plain power over- or underflows: (m 2^e)^r = |m|^r 2^{er}, e r without rounding, which would be relative
    # to the size of the exponent.
    size, rest = two_product(base.e, np.where(np.isfinite(exponent), exponent, 0.0))
    whole = np.floor(np.where(np.isfinite(size), size, 0.0))
    power = wide(np.abs(base.m) ** exponent * np.exp2((size - whole) + rest), whole)
    sign = np.where((base.m < 0) & (np.mod(exponent, 2) == 1), -1.0, 1.0)
    sign = np.where((base.m < 0) & (exponent != np.floor(exponent)), np.nan, sign)
    plain = np.isfinite(value) & (value != 0) | (base.m == 0) | ~np.isfinite(base.m)
    return _where(plain, wide(value), Wide(sign * power.m, power.e))


def _call(node: Call, parts: list[Wide]) -> Wide:
    u = parts[0]
    if is_exp(node):
        return _exponential(u.floats())
    if is_log(node):
        return wide(_logarithm(u))
    if is_mass(node):
        # A Dirac mass, which is the slope of a jump, is zero beside its place and has no value at it.
        return wide(np.where((u.m == 0) | np.isnan(u.m), np.nan, 0.0))
    return _value(node.fn, parts)


def _value(fn: str, parts: list[Wide]) -> Wide:
    entry, f = FUNCTIONS[fn], ARRAY_FUNCTIONS[fn]
    u, *others = parts
    if entry.degree is not None:
        # f(m 2^e) = 2^{ke} f(m) for a function f of degree k.
        return wide(f(u.m, *(p.floats() for p in others)), entry.degree * u.e)
    if entry.chooses is not None:
        return _chosen(parts, entry.chooses)
    if entry.log_array is not None:
        return _exponential(entry.log_array(NUMPY, u.floats()))
    out = wide(np.asarray(f(*(p.floats() for p in parts)), float))
    if entry.times_argument is not None:
        out = _product([u, _value(entry.times_argument, [u])])
    if entry.slope is not None:
        below = np.asarray(f(np.full(u.m.shape, -1e5)), float)
        out = _where(u.e > 1000, _where(u.m > 0, wide(u.m * entry.slope, u.e), wide(below)), out)
    if entry.decays:
        out = _where(u.floats() < -37, _exponential(u.floats()), out)
    if entry.is_periodic:
        # The argument is beyond the floats and its angle is not known: the function has a value, but not a known one.
        return Wide(np.where(np.isinf(u.floats()), np.inf, out.m), out.e)
    return out


def _chosen(parts: list[Wide], op: str) -> Wide:
    """The largest or the smallest of several numbers."""
    out = parts[0]
    for v in parts[1:]:
        less = _sum([out, Wide(-v.m, v.e)]).m
        out = _where(np.isnan(less) | ((less < 0) == (op == "<")), out, v)
        out = Wide(np.where(np.isnan(less), np.nan, out.m), out.e)
    return out


def _where(test: Array, a: Wide, b: Wide) -> Wide:
    return Wide(np.where(test, a.m, b.m), np.where(test, a.e, b.e))


def values(root: Expr, at: dict[Sym, Array], count: int) -> Wide:
    """The value of a canonical expression at arrays of `count` numbers."""
    done: dict[Expr, Any] = {}
    with np.errstate(all="ignore"):
        for node in postorder(root):
            parts = [done[c] for c in node.children]
            match node:
                case Const():
                    done[node] = wide(np.full(count, float(node.value)))
                case Sym():
                    done[node] = wide(np.broadcast_to(np.asarray(at[node], float), (count,)))
                case Add():
                    done[node] = _sum(parts)
                case Mul():
                    done[node] = _product(parts)
                case Pow():
                    done[node] = _power(parts[0], parts[1].floats())
                case Call():
                    done[node] = _call(node, parts)
                case Cmp():
                    sign = _sum([parts[0], Wide(-parts[1].m, parts[1].e)]).m
                    done[node] = _COMPARED[node.op](sign, 0.0)
                case Logic():
                    joined = np.all if node.op == "and" else np.any
                    done[node] = ~parts[0] if node.op == "not" else joined(np.stack(parts), axis=0)
                case Cond():
                    done[node] = _where(*parts)
                case _:
                    raise TypeError(type(node).__name__)
    return done[root]


_COMPARED: dict[str, Callable[[Array, float], Array]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


@lru_cache(maxsize=4096)
def compiled(e: Expr, args: tuple[Sym, ...]) -> Callable[..., Any]:
    """`lambdify` of one expression, with values that are not finite computed again in extended range."""
    run = compiled_together((e,), args)
    return lambda *given: run(*given)[0]


def compiled_together(es: tuple[Expr, ...], args: tuple[Sym, ...]) -> Callable[..., tuple[Any, ...]]:
    """The same of several expressions, which share what they have in common."""
    run = lambdify(es, args)
    forms = tuple(map(canonical, es))

    def again(form: Expr, out: Any, given: tuple[Any, ...]) -> Any:
        lost = ~np.isfinite(out)
        if not lost.any():
            return out
        shape = np.broadcast_shapes(np.shape(out), *(np.shape(x) for x in given))
        out = np.array(np.broadcast_to(out, shape), float)
        lost = ~np.isfinite(out)
        at = {s: np.broadcast_to(x, shape)[lost] for s, x in zip(args, given)}
        with np.errstate(all="ignore"):
            out[lost] = values(form, at, int(lost.sum())).floats()
        return out

    return lambda *given: tuple(again(form, out, given) for form, out in zip(forms, run(*given), strict=True))

"""Expectations with a closed form at any covariance, evaluated for all pairs at once.

With u ~ N(0, C), a Gaussian factor exp(−½ uᵀQu) is a change of measure,

    E exp(−½ uᵀQu) f(u) = det(I + CQ)^{−1/2} E f(u'),  u' ~ N(0, C (I + QC)^{−1}),

and E erf(α·u) erf(β·u) = (2/π) asin(2 αᵀCβ / √((1 + 2 αᵀCα)(1 + 2 βᵀCβ))) (Williams 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netsor.expr import Add, Call, Const, Expr, Mul, Pow, Sym, mul, split_coefficient
from netsor.expr.evaluate import evaluate

Array = np.ndarray
_ROUNDING = 1e-15


@dataclass
class _Parts:
    """number · Π erf(α·u) · exp(−½ uᵀQu) · Π u_i."""

    quadratic: Array
    number: float = 1.0
    erfs: list[Array] = field(default_factory=list)
    powers: list[int] = field(default_factory=list)


def closed_form(block: Expr, symbols: Sequence[Sym], c: Array) -> tuple[Array, Array] | None:
    """(values, errors) of E block for covariances (N, d, d) of `symbols`; None where there is no such form here."""
    parts = _read(block, tuple(symbols))
    if parts is None or len(parts.erfs) not in (0, 2) or len(parts.powers) not in (0, 2):
        return None
    if parts.erfs and parts.powers:
        return None
    d = len(symbols)
    # A growing factor may have no expectation, which is for others to tell.
    if np.linalg.eigvalsh(parts.quadratic).min(initial=0.0) < -1e-14 * abs(parts.quadratic).max(initial=0.0):
        return None
    scale = np.full(len(c), parts.number)
    if parts.quadratic.any():
        tilted = np.eye(d) + c @ parts.quadratic
        determinant = np.linalg.det(tilted)
        if not np.all(determinant > 0):
            return None
        scale = scale / np.sqrt(determinant)
        c = np.linalg.solve(tilted, c)
    value = scale
    if parts.powers:
        i, j = parts.powers
        value = scale * c[:, i, j]
        return value, _ROUNDING * abs(scale) * np.sqrt(abs(c[:, i, i] * c[:, j, j]))
    if parts.erfs:
        a, b = parts.erfs
        aa, bb, ab = (np.einsum("i,kij,j->k", x, c, y) for x, y in ((a, a), (b, b), (a, b)))
        inside = (1 + 2 * aa) * (1 + 2 * bb) - 4 * ab * ab
        # asin(x/√p) as an angle, which loses nothing where it is near ±π/2.
        value = scale * 2 / np.pi * np.arctan2(2 * ab, np.sqrt(np.maximum(inside, 0)))
        lost = _ROUNDING * (1 + 2 * aa) * (1 + 2 * bb) / np.maximum(inside, 1e-300)
        return value, abs(scale) * (4 * _ROUNDING + lost)
    return value, 8 * _ROUNDING * abs(value)


def _read(block: Expr, symbols: tuple[Sym, ...]) -> _Parts | None:
    d = len(symbols)
    out = _Parts(np.zeros((d, d)))
    stack = list(block.children) if isinstance(block, Mul) else [block]
    while stack:
        e = stack.pop()
        if not e.free:
            out.number *= evaluate(e, {})
        elif isinstance(e, Sym) and e in symbols:
            out.powers.append(symbols.index(e))
        elif isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value in (2, 3, 4):
            stack += [e.base] * int(e.exponent.value)
        elif isinstance(e, Mul):
            stack += e.children
        elif isinstance(e, Call) and e.fn == "erf":
            row = _linear(e.children[0], symbols)
            if row is None:
                return None
            out.erfs.append(row)
        elif isinstance(e, Call) and e.fn == "exp":
            form = _quadratic(e.children[0], symbols)
            if form is None:
                return None
            out.quadratic -= 2 * form
        else:
            return None
    return out


def _linear(e: Expr, symbols: tuple[Sym, ...]) -> Array | None:
    """α with e = α·u."""
    row = np.zeros(len(symbols))
    for term in e.children if isinstance(e, Add) else (e,):
        k, s = split_coefficient(term)
        if s not in symbols:
            return None
        row[symbols.index(s)] += k
    return row


def _quadratic(e: Expr, symbols: tuple[Sym, ...]) -> Array | None:
    """A with e = uᵀAu, symmetric."""
    form = np.zeros((len(symbols), len(symbols)))
    for term in e.children if isinstance(e, Add) else (e,):
        k, s = split_coefficient(term)
        if isinstance(s, Pow) and isinstance(s.exponent, Const) and s.exponent.value == 2:
            row = _linear(s.base, symbols)
            if row is None:
                return None
            form += k * np.outer(row, row)
            continue
        pair = [t for t in s.children if t in symbols] if isinstance(s, Mul) else []
        if len(pair) != 2 or mul(*pair) is not s:
            return None
        i, j = (symbols.index(t) for t in pair)
        form[i, j] += k / 2
        form[j, i] += k / 2
    return form

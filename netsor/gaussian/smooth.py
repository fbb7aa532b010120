"""Closed forms of E g(c + s z) for one standard normal z: g piecewise Σ u^k e^{αu − qu²/2}, and Φ, erf, sin, cos.

Every piecewise function of the language falls out of one formula, the truncated Gaussian moment: relu, step, abs,
hardtanh, elu, their powers, derivatives and products, and users' `if`s. A factor e^{αu − qu²/2} moves the mean to
(c + αs²)/(1 + qs²) and the variance to s²/(1 + qs²).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from netsor.expr import FUNCTIONS, ONE, Call, Cond, Const, Expr, Sym, canonical, evaluate, postorder, substitute
from netsor.expr.evaluate import truth
from netsor.expr.nodes import with_children
from netsor.gaussian.shape import affine, breaks_of
from netsor.gaussian.terms import expand, exponent_of, factors_of, integer_power, monomial

Array = np.ndarray
_SQRT_2PI = math.sqrt(2 * math.pi)
_HIGHEST = 12


@dataclass(frozen=True)
class Monomial:
    """coefficient · u^k · exp(αu − qu²/2), α complex for waves, times Φ(λu + μ) where `phi` is (λ, μ)."""

    coefficient: complex
    k: int
    alpha: complex = 0.0
    q: float = 0.0
    phi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Piece:
    low: float
    high: float
    terms: tuple[Monomial, ...]


@dataclass(frozen=True)
class Smoothing:
    """(c, s) ↦ E g(c + s z) in closed form; `edges` are the places where g is not smooth."""

    pieces: tuple[Piece, ...]
    edges: tuple[float, ...]

    def __call__(self, c: Array, s: Any) -> Array:
        """The expectation at arrays c and s > 0."""
        out: Any = 0.0
        with np.errstate(all="ignore"):
            for p in self.pieces:
                for group in _by_exponent(p.terms):
                    out = out + _group(group, p.low, p.high, c, s)
        return np.asarray(np.real(out), float) + np.zeros(np.shape(c))


def _by_exponent(terms: tuple[Monomial, ...]) -> list[list[Monomial]]:
    groups: dict[tuple, list[Monomial]] = {}
    for t in terms:
        groups.setdefault((t.alpha, t.q, t.phi), []).append(t)
    return list(groups.values())


def _group(group: list[Monomial], low: float, high: float, c: Array, s: Any) -> Any:
    first = group[0]
    top = max(t.k for t in group)
    if first.phi is not None:
        table = _normal_moments(top, first.alpha, *first.phi, c, s)
    else:
        table = truncated(top, first.alpha, first.q, low, high, c, s)
    out = group[0].coefficient * table[group[0].k]
    for t in group[1:]:
        out = out + t.coefficient * table[t.k]
    return out


def truncated(top: int, alpha: Any, q: float, low: float, high: float, c: Array, s: Any) -> list[Array]:
    """E u^k e^{αu − qu²/2} 1[low < u < high] for k = 0 … top, u ~ N(c, s²)."""
    from scipy.special import log_ndtr, ndtr

    if q:
        shrink = 1 + q * s * s
        mean = (c + alpha * s * s) / shrink
        sd = s / np.sqrt(shrink)
        log = (alpha * c + 0.5 * alpha**2 * s * s - 0.5 * q * c * c) / shrink - 0.5 * np.log(shrink)
    else:
        mean = c + alpha * s * s if alpha else c
        sd = s
        log = alpha * c + 0.5 * alpha**2 * s * s if alpha else None
    if low == -math.inf and high == math.inf:
        table = [np.exp(log) if log is not None else np.ones(np.shape(c))]
        for k in range(1, top + 1):
            table.append(mean * table[-1] + ((k - 1) * sd * sd * table[-2] if k > 1 else 0.0))
        return table
    a, b = (low - mean) / sd, (high - mean) / sd
    if log is None:
        if low == -math.inf:
            mass = ndtr(b)
        elif high == math.inf:
            mass = ndtr(-a)
        else:
            mass = np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
        at_low = np.exp(-0.5 * a * a) / _SQRT_2PI if low > -math.inf else 0.0
        at_high = np.exp(-0.5 * b * b) / _SQRT_2PI if high < math.inf else 0.0
    else:
        # The integrand at the ends, of which nothing cancels: log is of the size α²s², and so is a²/2.
        shrunk = np.sqrt(shrink) if q else 1.0
        at_low = _at_end(low, alpha, q, c, s) / shrunk if low > -math.inf else 0.0
        at_high = _at_end(high, alpha, q, c, s) / shrunk if high < math.inf else 0.0
        # exp(log) may overflow where the mass underflows: they are multiplied as logarithms.
        if low == -math.inf:
            mass = np.where(b < -1, at_high * _mills(-b), np.exp(log + log_ndtr(b)))
        elif high == math.inf:
            mass = np.where(a > 1, at_low * _mills(a), np.exp(log + log_ndtr(-a)))
        else:
            right = a > 0
            first = log_ndtr(np.where(right, -a, b))
            mass = np.exp(log + first) * -np.expm1(log_ndtr(np.where(right, -b, a)) - first)
    table = [mass]
    for k in range(1, top + 1):
        edge = 0.0
        if low > -math.inf:
            edge = edge + low ** (k - 1) * at_low
        if high < math.inf:
            edge = edge - high ** (k - 1) * at_high
        table.append(mean * table[-1] + ((k - 1) * sd * sd * table[-2] if k > 1 else 0.0) + sd * edge)
    return table


def _at_end(at: float, alpha: Any, q: float, c: Array, s: Any) -> Any:
    """e^{αu − qu²/2} φ((u − c)/s) at an end."""
    return np.exp(alpha * at - 0.5 * q * at * at - 0.5 * ((at - c) / s) ** 2) / _SQRT_2PI


def _mills(x: Array) -> Array:
    """Φ(−x)/φ(x)."""
    from scipy.special import erfcx

    return math.sqrt(math.pi / 2) * erfcx(np.maximum(x, -20.0) / math.sqrt(2))


def _normal_moments(top: int, alpha: Any, slope: float, offset: float, c: Array, s: Any) -> list[Array]:
    """E u^k e^{αu} Φ(λu + μ): Stein's lemma lowers k, as Φ' = λφ is the exponential of a square."""
    from scipy.special import ndtr

    mean = c + alpha * s * s
    weight = np.exp(alpha * c + 0.5 * alpha * alpha * s * s) if alpha else 1.0
    table = [ndtr((slope * mean + offset) / np.sqrt(1 + slope * slope * s * s)) * np.ones(np.shape(c))]
    if top:
        scale = slope * math.exp(-0.5 * offset * offset) / _SQRT_2PI
        bell = truncated(top - 1, -slope * offset, slope * slope, -math.inf, math.inf, mean, s)
        for k in range(1, top + 1):
            table.append(
                mean * table[-1] + s * s * ((k - 1) * table[-2] if k > 1 else 0.0) + s * s * scale * bell[k - 1]
            )
    return [weight * t for t in table]


@lru_cache(maxsize=4096)
def smoothing(g: Expr, u: Sym, scalars: tuple[tuple[Sym, float], ...] = ()) -> Smoothing | None:
    """The closed form of E g(c + s z), or None where there is none here."""
    g = canonical(substitute(g, {s: Const(v) for s, v in scalars})) if scalars else g
    if g.free - {u}:
        return None
    only = frozenset((u,))
    edges: set[float] = set()
    for b in breaks_of(g, only):
        if b.kind == "soft":
            continue
        parts = affine(b.at, only)
        if b.kind in ("singular", "pole") or parts is None or parts[0][u].free:
            return None
        edges.add(-evaluate(parts[1]) / evaluate(parts[0][u]))
    cuts = sorted(edges)
    pieces = []
    bounds = [-math.inf, *cuts, math.inf]
    for low, high in zip(bounds, bounds[1:]):
        inside = (low + high) / 2 if math.isfinite(low + high) else (high - 1 if math.isfinite(high) else low + 1)
        if not math.isfinite(inside):
            inside = 0.37
        terms = _monomials(_branchless(g, u, inside), u, whole=not cuts)
        if terms is None:
            return None
        if terms:
            pieces.append(Piece(low, high, terms))
    return Smoothing(tuple(pieces), tuple(cuts))


def _branchless(g: Expr, u: Sym, at: float) -> Expr:
    """g as it reads around u = at, without branches."""
    done: dict[Expr, Expr] = {}
    here: dict[Sym, Expr] = {u: Const(at)}
    for node in postorder(g):
        if isinstance(node, Cond):
            # A test that holds at the point holds on its whole piece.
            done[node] = done[node.then] if truth(substitute(node.test, here)) else done[node.other]
            continue
        new = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(new, Call) and FUNCTIONS[new.fn].pieces is not None:
            entry = FUNCTIONS[new.fn]
            new = entry.pieces(*new.children)  # type: ignore[misc]
            if entry.breaks or new.rank != 5:
                new = _branchless(new, u, at)
        done[node] = new
    return canonical(done[g])


def _monomials(g: Expr, u: Sym, whole: bool) -> tuple[Monomial, ...] | None:
    only = frozenset((u,))
    out: list[Monomial] = []
    for t in _expanded(g, only):
        if t is None:
            return None
        current = [Monomial(t[0], 0)]
        for f in factors_of(t[1]):
            grown = _factor(f, u, only, whole)
            if grown is None:
                return None
            current = (
                [m for a in current for b in grown if (m := _product(a, b)) is not None]
                if all(_product(a, b) is not None for a in current for b in grown)
                else []
            )
            if not current:
                return None
        out.extend(current)
    return tuple(out) if all(m.k <= _HIGHEST for m in out) else None


def _expanded(g: Expr, only: frozenset[Sym]) -> list[tuple[float, Expr] | None]:
    """g multiplied out all the way: `expand` keeps functions of one variable together, so sums are opened here."""
    from netsor.expr import Add, Mul, Pow, mul, split_coefficient

    out: list[tuple[float, Expr] | None] = []
    stack: list[tuple[float, Expr]] = [(1.0, g)]
    while stack:
        c, e = stack.pop()
        if len(out) + len(stack) > 200:
            return [None]
        d, e = split_coefficient(e)
        c *= d
        if isinstance(e, Add):
            stack.extend((c, x) for x in e.children)
            continue
        factors = list(factors_of(e)) if isinstance(e, (Mul,)) else [e]
        for i, f in enumerate(factors):
            base, k = integer_power(f)
            if isinstance(f, Call) and f.fn == "exp" and isinstance(f.children[0], Add):
                continue
            if isinstance(base, Add) and k <= _HIGHEST:
                others = factors[:i] + factors[i + 1 :]
                lower = [base] * (k - 1)
                stack.extend((c, canonical(mul(x, *lower, *others))) for x in base.children)
                break
            if isinstance(base, Pow) and k > 1:
                return [None]
        else:
            if not e.free:
                if not isinstance(e, Const) and e is not ONE:
                    return [None]
                out.append((c * (float(e.value) if isinstance(e, Const) else 1.0), ONE))
            else:
                out.append((c, e))
    return out


def _factor(f: Expr, u: Sym, only: frozenset[Sym], whole: bool) -> list[Monomial] | None:
    power = monomial(f, only)
    if power:
        return [Monomial(1.0, power[1])]
    exponent = exponent_of(f)
    if exponent is not None:
        return _exponential(exponent, u, only)
    base, k = integer_power(f)
    if not whole or not isinstance(base, Call) or k > 4:
        return None
    parts = affine(base.children[0], only)
    if parts is None or u not in parts[0]:
        return None
    slope, offset = evaluate(parts[0][u]), evaluate(parts[1])
    if base.fn in ("sin", "cos"):
        lead = 0.5**k if base.fn == "cos" else (1 / 2j) ** k
        sign = 1 if base.fn == "cos" else -1
        return [
            Monomial(lead * math.comb(k, j) * sign**j * np.exp(1j * (k - 2 * j) * offset), 0, 1j * (k - 2 * j) * slope)
            for j in range(k + 1)
        ]
    if k == 1 and base.fn == "Phi":
        return [Monomial(1.0, 0, phi=(slope, offset))]
    if k == 1 and base.fn == "erf":
        r = math.sqrt(2)
        return [Monomial(2.0, 0, phi=(r * slope, r * offset)), Monomial(-1.0, 0)]
    return None


def _exponential(exponent: Expr, u: Sym, only: frozenset[Sym]) -> list[Monomial] | None:
    constant, alpha, q = 0.0, 0.0, 0.0
    for t in expand(canonical(exponent), only):
        if t.scalar is not ONE:
            return None
        power = monomial(t.product, only) if t.product is not ONE else (u, 0)
        if power is None or power[1] > 2:
            return None
        if power[1] == 0:
            constant += t.coefficient
        elif power[1] == 1:
            alpha += t.coefficient
        else:
            q -= 2 * t.coefficient
    return [Monomial(math.exp(constant), 0, alpha, q)] if q >= 0 and constant < 700 else None


def _product(a: Monomial, b: Monomial) -> Monomial | None:
    if a.phi and b.phi or (a.phi or b.phi) and (a.q or b.q or isinstance(a.alpha + b.alpha, complex)):
        return None
    return Monomial(a.coefficient * b.coefficient, a.k + b.k, a.alpha + b.alpha, a.q + b.q, a.phi or b.phi)


Smooth = Callable[[Array, Any], Array]

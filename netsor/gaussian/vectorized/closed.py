"""Expectations with a closed form at any covariance: polynomials, exponentials of squares, and pairs of erf.

A Gaussian factor exp(−½ uᵀQu) is a change of measure (Rasmussen & Williams 2006, A.3),

    E exp(−½ uᵀQu) f(u) = det(I + CQ)^{−1/2} E f(u'),  u' ~ N(0, C'),  C' = (C⁻¹ + Q)⁻¹,

and E erf(α·u) erf(β·u) = (2/π) asin(2 αᵀCβ / √((1 + 2 αᵀCα)(1 + 2 βᵀCβ))) (Williams 1997).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netsor.expr import Add, Call, Const, Expr, Mul, Pow, Sym, evaluate, mul, split_coefficient
from netsor.expr.functions import ERROR_FUNCTION, FUNCTIONS, is_exp
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.arithmetic.two_product import two_product
from netsor.gaussian.vectorized.laws import Laws, Rule

Array = np.ndarray
_EPS = 2.0**-52
_HIGHEST = 16


@dataclass
class _Parts:
    """number · Π erf(α·u) · exp(−½ uᵀQu) · Π u_i^{k_i}."""

    quadratic: Array
    powers: list[int]
    number: float = 1.0
    erfs: list[Array] = field(default_factory=list)


def closed_form(block: Expr, symbols: Sequence[Sym]) -> Rule | None:
    """The rule for a monomial, an exponential of a negative square, or a pair of erf, in at most two variables."""
    parts = _read(block, tuple(symbols))
    if parts is None or len(parts.erfs) not in (0, 2) or parts.erfs and any(parts.powers):
        return None
    if sum(parts.powers) > _HIGHEST:
        return None
    if parts.quadratic.any() or parts.erfs:
        if len(symbols) > 2:
            return None
        # A growing factor may have no expectation, which other rules decide.
        least = np.linalg.eigvalsh(parts.quadratic).min(initial=0.0)
        if least < -1e-14 * abs(parts.quadratic).max(initial=0.0):
            return None
    if sum(parts.powers) == 2 and not parts.quadratic.any():
        i, j = (k for k, n in enumerate(parts.powers) for _ in range(n))
        return _Covariance(parts.number, symbols[i], symbols[j])
    pair = erf_pair(block, tuple(symbols)) if len(symbols) == 2 else None
    if pair is not None:
        return _ErfPair(pair[0], (symbols[0], symbols[1]), pair[1], pair[2])
    if len(symbols) == 2 and not (parts.erfs or any(parts.powers) or parts.quadratic[0, 1]):
        return _Bells(parts.number, (symbols[0], symbols[1]), *np.diag(parts.quadratic).tolist())
    return _Closed(parts, tuple(symbols))


def erf_pair(block: Expr, symbols: tuple[Sym, ...]) -> tuple[float, float, float] | None:
    """(number, α, β) with block = number · erf(αu) erf(βv), and v = u where there is only one symbol; or None."""
    parts = _read(block, symbols)
    if parts is None or len(parts.erfs) != 2 or parts.quadratic.any() or any(parts.powers):
        return None
    one, two = parts.erfs if parts.erfs[0][0] else parts.erfs[::-1]
    if len(symbols) == 1:
        return parts.number, float(one[0]), float(two[0])
    apart = one[0] and two[1] and not (one[1] or two[0])
    return (parts.number, float(one[0]), float(two[1])) if apart else None


@dataclass(frozen=True)
class _Covariance:
    number: float
    u: Sym
    v: Sym

    def __call__(self, laws: Laws) -> Bounded:
        return laws.cov(self.u, self.v).times(self.number)


@dataclass(frozen=True)
class _ErfPair:
    """number · E erf(αu) erf(βv), with derivatives by the entries of the covariance."""

    number: float
    symbols: tuple[Sym, Sym]
    alpha: float
    beta: float

    def __call__(self, laws: Laws) -> Bounded:
        u, v = self.symbols
        a, b, c = laws.var(u), laws.var(v), laws.cov(u, v)
        p, q = 1 + (2 * self.alpha**2) * a.value, 1 + (2 * self.beta**2) * b.value
        root = np.sqrt(p) * np.sqrt(q)
        x = (2 * self.alpha * self.beta) * c.value / root
        inside = (1 - x) * (1 + x)
        front = abs(self.number) * 2 / math.pi
        # The derivative of asin x is 1/√(1 − x²), and x is 2αβ c (pq)^{−1/2}.
        moved = (2 * abs(self.alpha * self.beta)) * c.error / root
        moved = moved + abs(x) * (self.alpha**2 * a.error / p + self.beta**2 * b.error / q + 3 * _EPS)
        value = (self.number * 2 / math.pi) * np.arcsin(np.clip(x, -1, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            error = front * (moved / np.sqrt(inside)) + 2 * _EPS * abs(value)
        good = (moved < 1e-3 * inside) & (a.value >= 0) & (b.value >= 0)
        return Bounded(value, np.where(good, error, np.inf))


@dataclass(frozen=True)
class _Bells:
    """number · E exp(−½ (p u² + q v²)) = number · ((1 + pa)(1 + qb)(1 − x²))^{−1/2}, x² = pq c²/((1 + pa)(1 + qb))."""

    number: float
    symbols: tuple[Sym, Sym]
    p: float
    q: float

    def __call__(self, laws: Laws) -> Bounded:
        u, v = self.symbols
        a, b, c = laws.var(u), laws.var(v), laws.cov(u, v)
        one, two = 1 + self.p * a.value, 1 + self.q * b.value
        root = np.sqrt(one) * np.sqrt(two)
        front = math.sqrt(self.p) * math.sqrt(self.q)
        x = front * c.value / root
        inside = (1 - x) * (1 + x)
        relative = (self.p * a.error) / one + (self.q * b.error) / two
        moved = 2 * abs(x) * (front * c.error / root + abs(x) * (0.5 * relative + 3 * _EPS))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.number / (root * np.sqrt(inside))
            error = abs(value) * (0.5 * (moved / (inside - moved) + relative) + 4 * _EPS)
        good = (moved < 1e-3 * inside) & (a.value >= 0) & (b.value >= 0)
        return Bounded(value, np.where(good, error, np.inf))


@dataclass(frozen=True)
class _Closed:
    parts: _Parts
    symbols: tuple[Sym, ...]

    def __call__(self, laws: Laws) -> Bounded:
        d = len(self.symbols)
        c = [[laws.cov(a, b) for b in self.symbols] for a in self.symbols]
        p, q = self.parts, self.parts.quadratic
        scale = Bounded.exact(np.full((1, 1), p.number))
        if q.any():
            narrowed, c = _tilted(c, q) if d == 2 else _tilted_alone(c, float(q[0, 0]))
            scale = scale.over(narrowed.root())
        if p.erfs:
            area = determinant(c[0][0], c[1][1], c[0][1]) if d == 2 else Bounded.exact(np.zeros((1, 1)))
            return scale * _arcsine(c, area, *p.erfs)
        if any(p.powers):
            return scale * moment(tuple(p.powers), c)
        return scale


def moment(powers: tuple[int, ...], c: Sequence[Sequence[Bounded]]) -> Bounded:
    """E Π u_i^{k_i} by E u_i F = Σ_j C_ij E ∂_j F (Isserlis 1918)."""
    known: dict[tuple[int, ...], Bounded] = {}

    def of(k: tuple[int, ...]) -> Bounded:
        if not any(k):
            return Bounded.exact(np.ones((1, 1)))
        if k not in known:
            i = next(i for i, x in enumerate(k) if x)
            rest = tuple(x - (j == i) for j, x in enumerate(k))
            total = Bounded.exact(np.zeros((1, 1)))
            for j, x in enumerate(rest):
                if x:
                    total = total + (c[i][j] * of(tuple(y - (m == j) for m, y in enumerate(rest)))).times(float(x))
            known[k] = total
        return known[k]

    return of(powers) if sum(powers) % 2 == 0 else Bounded.exact(np.zeros((1, 1)))


def determinant(a: Bounded, b: Bounded, c: Bounded) -> Bounded:
    """ab − c² with error-free products (Dekker 1971), so that only the errors of a, b and c are left."""
    (p, p_low), (q, q_low) = two_product(a.value, b.value), two_product(c.value, c.value)
    value = (p - q) + (p_low - q_low)
    error = a.value * b.error + b.value * a.error + 2 * abs(c.value) * c.error + a.error * b.error + c.error**2
    return Bounded(np.maximum(value, 0.0), error + 2 * _EPS * abs(value))


def _tilted(c: list[list[Bounded]], q: Array) -> tuple[Bounded, list[list[Bounded]]]:
    """det(I + CQ) and C' of two variables: C' = (C + det C adj Q)/det(I + CQ)."""
    (a, off), (_, b) = c
    area = determinant(a, b, off)
    one = Bounded.exact(np.ones((1, 1)))
    whole = one + a.times(float(q[0, 0])) + b.times(float(q[1, 1])) + off.times(2 * float(q[0, 1]))
    whole = whole + area.times(float(q[0, 0] * q[1, 1] - q[0, 1] ** 2))
    left = (a + area.times(float(q[1, 1]))).over(whole)
    right = (b + area.times(float(q[0, 0]))).over(whole)
    across = (off + area.times(-float(q[0, 1]))).over(whole)
    return whole, [[left, across], [across, right]]


def _tilted_alone(c: list[list[Bounded]], q: float) -> tuple[Bounded, list[list[Bounded]]]:
    whole = Bounded.exact(np.ones((1, 1))) + c[0][0].times(q)
    return whole, [[c[0][0].over(whole)]]


def _arcsine(c: list[list[Bounded]], area: Bounded, a: Array, b: Array) -> Bounded:
    """(2/π) atan(2 αᵀCβ/√…), with a root of 1 + 2 αᵀCα + 2 βᵀCβ + 4 det C (α × β)², which does not cancel."""

    def form(x: Array, y: Array) -> Bounded:
        total = Bounded.exact(np.zeros((1, 1)))
        for i in range(len(x)):
            for j in range(len(y)):
                if x[i] and y[j]:
                    total = total + c[i][j].times(float(x[i] * y[j]))
        return total

    one = Bounded.exact(np.ones((1, 1)))
    p, q, r = one + form(a, a).times(2.0), one + form(b, b).times(2.0), form(a, b).times(2.0)
    across = float(a[0] * b[1] - a[1] * b[0]) ** 2 if len(a) == 2 else 0.0
    inside = p + q - one + area.times(4 * across)
    with np.errstate(divide="ignore", invalid="ignore"):
        # As the angle of the point (√(pq − r²), r) it keeps its accuracy near ±π/2.
        value = 2 / math.pi * np.arctan2(r.value, np.sqrt(np.maximum(inside.value, 0)))
        spoiled = 2 / math.pi * (r.error + abs(r.value) * (p.error / p.value + q.error / q.value) / 2)
        error = spoiled / np.sqrt(np.maximum(inside.value - inside.error, 0)) + 4 * _EPS
    return Bounded(value, np.where(np.isfinite(error), error, np.inf))


def _read(block: Expr, symbols: tuple[Sym, ...]) -> _Parts | None:
    d = len(symbols)
    out = _Parts(np.zeros((d, d)), [0] * d)
    stack = list(block.children) if isinstance(block, Mul) else [block]
    while stack:
        e = stack.pop()
        if not e.free:
            out.number *= evaluate(e, {})
        elif isinstance(e, Sym) and e in symbols:
            out.powers[symbols.index(e)] += 1
        elif isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value in range(2, _HIGHEST + 1):
            stack += [e.base] * int(e.exponent.value)
        elif isinstance(e, Mul):
            stack += e.children
        elif isinstance(e, Call) and FUNCTIONS[e.fn].normal == ERROR_FUNCTION:
            row = _linear(e.children[0], symbols)
            if row is None:
                return None
            out.erfs.append(row)
        elif is_exp(e):
            form = _quadratic(e.children[0], symbols)
            if form is None:
                return None
            out.quadratic -= 2 * form
        else:
            return None
    return out if math.isfinite(out.number) else None


def _linear(e: Expr, symbols: tuple[Sym, ...]) -> Array | None:
    """α with e = α·u, or None."""
    row = np.zeros(len(symbols))
    for term in e.children if isinstance(e, Add) else (e,):
        k, s = split_coefficient(term)
        if s not in symbols:
            return None
        row[symbols.index(s)] += k
    return row


def _quadratic(e: Expr, symbols: tuple[Sym, ...]) -> Array | None:
    """The symmetric A with e = uᵀAu, or None."""
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

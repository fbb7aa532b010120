"""Closed forms of E g(c + s z) for one standard normal z: g piecewise Σ u^k e^{αu − qu²/2}, and Φ, erf, sin, cos.

All piecewise functions of the language follow from one formula, the truncated Gaussian moment: relu, step, abs,
hardtanh, elu, their powers, derivatives and products, and users' conditionals. A factor e^{αu − qu²/2} moves the mean
to (c + αs²)/(1 + qs²) and the variance to s²/(1 + qs²).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np

from netsor.expr import FUNCTIONS, ONE, Call, Cond, Const, Expr, Sym, add, canonical, evaluate, postorder, substitute
from netsor.expr.build import with_children
from netsor.expr.evaluate import truth
from netsor.expr.functions import is_exp
from netsor.gaussian.rules.panels import legendre
from netsor.gaussian.symbolic.expansion import expand, exponent_of, factors_of, integer_power, monomial
from netsor.gaussian.symbolic.structure import affine, breaks_of

Array = np.ndarray
_SQRT_2PI = math.sqrt(2 * math.pi)
_HIGHEST = 12
# Pieces narrower than this many standard deviations are integrated at this many Gauss–Legendre nodes, to rounding.
_NARROW, _NODES = 1.5, 16
# Beyond this many standard deviations, moments of tails are products of ratios. Each ratio is a polynomial of this
# degree in t, computed from a continued fraction of this many terms.
_FAR, _SPREAD, _DEGREE, _TERMS = 2.0, 5.0, 24, 600


@dataclass(frozen=True)
class Monomial:
    """coefficient · u^k · exp(αu − qu²/2), α complex for waves, times Φ(λu + μ) where `phi` is (λ, μ)."""

    coefficient: complex
    k: int
    alpha: complex = 0.0
    q: float = 0.0
    phi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Group:
    """Σ_k c_k u^k e^{αu − qu²/2} (Φ(λu + μ)) with coefficients that change at `edges`.

    `pieces` are the coefficients between the edges. `near` are those of each piece in powers of u minus its low end
    (for the first piece, its high end), and `jumps` those of the change at each edge, in powers of u minus the edge.
    Near an edge, where tails matter, these do not cancel as powers of u do.
    """

    alpha: complex
    q: float
    phi: tuple[float, float] | None
    edges: tuple[float, ...]
    pieces: tuple[tuple[complex, ...], ...]
    near: tuple[tuple[float, ...], ...] = ()
    jumps: tuple[tuple[float, ...], ...] = ()

    def __call__(self, c: Array, s: Any) -> Any:
        """The expectation under N(c, s²)."""
        if self.phi is not None:
            powers = self.pieces[0]
            return _combined(powers, _normal_moments(len(powers) - 1, self.alpha, *self.phi, c, s))
        law = _Tilted(self.alpha, self.q, c, s)
        if not self.edges:
            return _combined(self.pieces[0], law.moments(len(self.pieces[0]) - 1))
        if len(self.edges) > 1 and (narrow := law.sd * _NARROW > self._least_gap).any():
            narrow = np.broadcast_to(narrow, law.mean.shape)
            out = np.empty(law.mean.shape)
            out[narrow] = self._piece_by_piece(law.at(narrow))
            if not narrow.all():
                out[~narrow] = self._from_the_middle(law.at(~narrow))
            return out
        return self._from_the_middle(law)

    def size(self, c: Array, s: Any) -> Any:
        """The sum of the absolute terms of the expectation, to which its rounding is relative."""
        if self.phi is not None:
            powers = self.pieces[0]
            table = _normal_moments(len(powers) - 1, self.alpha, *self.phi, c, s)
            return _combined([abs(x) for x in powers], [np.abs(m) for m in table])
        law = _Tilted(self.alpha, self.q, c, s)
        if not self.edges:
            powers = self.pieces[0]
            return _combined([abs(x) for x in powers], [np.abs(m) for m in law.moments(len(powers) - 1)])
        out: Any = 0.0
        place = np.searchsorted(self._edges, law.mean)
        for column, moment in zip(self._columns, law.moments(len(self._columns) - 1)):
            if column.any():
                out = out + np.where(column[place], np.abs(column[place] * moment), 0.0)
        for edge, jump in zip(self.edges, self.jumps):
            # The density has the relative error of its exponent's terms, which nearly cancel where edge and mean are
            # close.
            far, terms = (law.c - edge) / law.s, (np.abs(law.c) + abs(edge)) / law.s
            out = out + np.abs(law.beyond(edge, jump)) * (1 + np.abs(far) * terms)
        return out

    @cached_property
    def _least_gap(self) -> float:
        return min(b - a for a, b in zip(self.edges, self.edges[1:]))

    @cached_property
    def _columns(self) -> tuple[Array, ...]:
        """For each power its coefficients in all pieces."""
        return tuple(np.array([np.real(c) for c in column]) for column in zip_longest(*self.pieces, fillvalue=0.0))

    def _from_the_middle(self, law: _Tilted) -> Array:
        """The polynomial around the mean on the whole line, plus at each edge the tail of the change there."""
        out: Any = 0.0
        place = np.searchsorted(self._edges, law.mean)
        for column, moment in zip(self._columns, law.moments(len(self._columns) - 1)):
            if column.any():
                # Where the coefficient is zero an exponential may overflow.
                out = out + np.where(column[place], column[place] * moment, 0.0)
        for edge, jump in zip(self.edges, self.jumps):
            out = out + law.beyond(edge, jump)
        return out

    @cached_property
    def _edges(self) -> Array:
        return np.array(self.edges)

    def _piece_by_piece(self, law: _Tilted) -> Array:
        """Each piece alone: the outer ones as tails, narrow ones by nodes, where differences of tails cancel."""
        out = np.zeros(law.mean.shape)
        out += law.tail(self.edges[0], _mirrored(self.near[0]), -1)
        out += law.tail(self.edges[-1], self.near[-1], 1)
        for i, (low, high) in enumerate(zip(self.edges, self.edges[1:]), 1):
            if not any(self.near[i]):
                continue
            narrow = np.broadcast_to(law.sd * _NARROW > high - low, law.mean.shape)
            out[narrow] += law.at(narrow).between(low, high, self.near[i])
            if not narrow.all():
                out[~narrow] += self._alone(i)._from_the_middle(law.at(~narrow))
        return out

    def _alone(self, i: int) -> Group:
        """The i-th piece, with zero on both sides."""
        ends, start, stop = self.edges[i - 1 : i + 1], self.near[i], _moved(self.near[i], self.edges[i - 1 : i + 1])
        jumps = (start, tuple(-c for c in stop))
        return replace(self, edges=ends, pieces=((), self.pieces[i], ()), near=(), jumps=jumps)


@dataclass(frozen=True)
class Smoothing:
    """(c, s) ↦ E g(c + s z) in closed form; `edges` are the places where g is not smooth."""

    groups: tuple[Group, ...]
    edges: tuple[float, ...]

    def __call__(self, c: Array, s: Any) -> Array:
        """The expectation at arrays c and s > 0."""
        out: Any = 0.0
        with np.errstate(all="ignore"):
            for g in self.groups:
                out = out + g(c, s)
        return np.asarray(np.real(out), float) + np.zeros(np.shape(c))

    def size(self, c: Array, s: Any) -> Array:
        """The size that the rounding of the expectation is relative to."""
        with np.errstate(all="ignore"):
            return np.asarray(sum(np.abs(g.size(c, s)) for g in self.groups), float) + np.zeros(np.shape(c))


def _groups(pieces: Sequence[Expr], u: Sym, edges: tuple[float, ...]) -> tuple[Group, ...] | None:
    """The groups of a function that is `pieces` between its edges; None where a piece is not of their form."""
    known = []
    for g in pieces:
        terms = _monomials(g, u, whole=not edges)
        if terms is None:
            return None
        known.append(_by_exponent(terms))
    sides = [(_powers_from(pieces[i], u, e), _powers_from(pieces[i + 1], u, e)) for i, e in enumerate(edges)]
    out = []
    for key in dict.fromkeys(key for found in known for key in found):
        alpha, q, phi = key
        powers = tuple(tuple(found.get(key, ())) for found in known)

        def about(
            i: int, e: int, side: int, key: tuple[Any, ...] = key, powers: tuple[Any, ...] = powers
        ) -> tuple[float, ...]:
            found = sides[e][side]
            if found is None or key[1]:
                return _about(powers[i], edges[e])
            return found.get(key[0], ())

        jumps = tuple(_difference(about(i + 1, i, 1), about(i, i, 0)) for i in range(len(edges)))
        near = (about(0, 0, 0), *(about(i + 1, i, 1) for i in range(len(edges)))) if edges else ()
        out.append(Group(alpha, q, phi, edges, powers, near, jumps))
    return tuple(out)


def _difference(p: Sequence[float], q: Sequence[float]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip_longest(p, q, fillvalue=0.0))


def _by_exponent(terms: Sequence[Monomial]) -> dict[tuple[Any, ...], list[complex]]:
    """The coefficients c_0, c_1, … of the terms with the same (α, q, Φ)."""
    out: dict[tuple[Any, ...], list[complex]] = {}
    for t in terms:
        powers = out.setdefault((t.alpha, t.q, t.phi), [])
        powers += [0.0] * (t.k + 1 - len(powers))
        powers[t.k] += t.coefficient
    return out


def _powers_from(g: Expr, u: Sym, end: float) -> dict[complex, tuple[float, ...]] | None:
    """For each α the coefficients of e^{αu} in powers of u − end, expanded directly from g.

    (u − 1.7)^2 is a single square there. Expanded about 0 first, it would keep the rounding error of 1.7², which is not
    small near the end.
    """
    terms = _monomials(canonical(substitute(g, {u: add(u, Const(end))})), u, whole=False)
    if terms is None:
        return None
    found = {alpha: powers for (alpha, q, _), powers in _by_exponent(terms).items() if not q}
    return {a: tuple(float(np.real(c)) * math.exp(-float(np.real(a)) * end) for c in p) for a, p in found.items()}


def _about(powers: Sequence[complex], at: float) -> tuple[float, ...]:
    """The coefficients of Σ c_k u^k in powers of u − at, by Horner's scheme in rational arithmetic."""
    c = [Fraction(float(np.real(x))) for x in powers]
    for i in range(len(c)):
        for k in range(len(c) - 2, i - 1, -1):
            c[k] += Fraction(at) * c[k + 1]
    return tuple(map(float, c))


def _moved(powers: Sequence[float], ends: Sequence[float]) -> tuple[float, ...]:
    """Coefficients in powers of u minus the first end, converted to powers of u minus the second."""
    return _about(powers, ends[1] - ends[0])


def _mirrored(powers: Sequence[float]) -> tuple[float, ...]:
    """The coefficients in x of a polynomial in −x."""
    return tuple(-c if k % 2 else c for k, c in enumerate(powers))


def _combined(powers: Sequence[complex], table: Sequence[Array]) -> Any:
    out: Any = 0.0
    for c, moment in zip(powers, table):
        if c:
            out = out + c * moment
    return out


class _Tilted:
    """e^{αu − qu²/2} times the density of N(c, s²), which is a multiple of that of N(mean, sd²)."""

    def __init__(self, alpha: Any, q: float, c: Array, s: Any):
        self.alpha, self.q, self.c, self.s = alpha, q, np.asarray(c), np.asarray(s)
        self.is_plain = not alpha and not q
        self.shrink = 1 + q * s * s if q else 1.0
        self.mean = (c + alpha * s * s) / self.shrink if not self.is_plain else self.c
        self.sd = s / np.sqrt(self.shrink) if q else self.s

    def at(self, mask: Array) -> _Tilted:
        """The same at some of the places."""
        c, s = np.broadcast_arrays(self.c, self.s)
        return _Tilted(self.alpha, self.q, c[mask], s[mask])

    @property
    def log(self) -> Any:
        """The logarithm of the total mass."""
        a, q, c, s = self.alpha, self.q, self.c, self.s
        return (a * c + 0.5 * a * a * s * s - 0.5 * q * c * c) / self.shrink - 0.5 * np.log(self.shrink)

    def moments(self, top: int) -> list[Any]:
        """∫ u^k for k = 0 … top."""
        table = [np.ones(self.c.shape) if self.is_plain else np.exp(self.log)]
        for k in range(1, top + 1):
            table.append(self.mean * table[-1] + ((k - 1) * self.sd * self.sd * table[-2] if k > 1 else 0.0))
        return table

    def beyond(self, end: float, powers: Sequence[float]) -> Array:
        """∫ Σ d_k (u − end)^k over the side of the end without the mean, times −1 where that is the lower side."""
        x = (self.mean - end) / self.sd
        return self._summed(self._half_moments(-np.abs(x), end, powers), powers, np.where(x > 0, -1.0, 1.0))

    def tail(self, end: float, powers: Sequence[float], side: int) -> Array:
        """∫ Σ d_k |u − end|^k over u > end, or over u < end if the side is −1."""
        x = side * (self.mean - end) / self.sd
        return self._summed(self._half_moments(x, end, powers), powers, 1.0)

    def between(self, low: float, high: float, powers: Sequence[float]) -> Array:
        """∫ Σ d_k (u − low)^k over low < u < high, at Gauss–Legendre nodes."""
        t, w = legendre(_NODES)
        half = (high - low) / 2
        v = half * (1 + t)
        u = low + v
        values = np.polynomial.polynomial.polyval(v, powers) * half * w
        c, s = np.broadcast_arrays(self.c, self.s)
        x = (u - c[..., None]) / s[..., None]
        return np.exp(self.alpha * u - 0.5 * self.q * u * u - 0.5 * x * x) @ values / (_SQRT_2PI * s)

    def _summed(self, table: Sequence[Array], powers: Sequence[float], sign: Any) -> Array:
        """Σ d_k sd^k m_k, with `sign` multiplying the terms of even degree."""
        out: Any = 0.0
        scale: Any = 1.0
        for k, (c, moment) in enumerate(zip(powers, table)):
            if c:
                out = out + (c * scale * moment if k % 2 else sign * (c * scale * moment))
            scale = scale * self.sd
        return out

    def _half_moments(self, x: Array, end: float, powers: Sequence[float]) -> list[Array]:
        """E (x + z)^k 1[x + z > 0] times the mass, where x is the signed distance of the mean from the end, over sd."""
        from scipy.special import erfcx, ndtr

        top = max((k for k, c in enumerate(powers) if c), default=0)
        # The density at the end. It is not exp(log) times a mass, because the former may overflow where the latter
        # underflows.
        edge = np.exp(-0.5 * x * x) / _SQRT_2PI if self.is_plain else self._at(end)
        if self.is_plain:
            table = [ndtr(x)]
        else:
            mills = math.sqrt(math.pi / 2) * erfcx(np.maximum(-x, -20.0) / math.sqrt(2))
            table = [np.where(x < -1, edge * mills, np.exp(self.log) * ndtr(np.maximum(x, -1.0)))]
        for k in range(top):
            table.append(x * table[-1] + (k * table[-2] if k else edge))
        if top:
            far = np.flatnonzero(x < -_FAR)
            if len(far):
                y, mass = -x[far], table[0][far]
                t = (y - (_FAR + _SPREAD)) / (y - (_FAR - _SPREAD))
                for k in range(1, top + 1):
                    ratio = np.full(len(t), _tail_ratios(k)[-1])
                    for c in _tail_ratios(k)[-2::-1]:
                        ratio *= t
                        ratio += c
                    mass = mass * ratio / y
                    table[k][far] = mass
        return table

    def _at(self, end: float) -> Any:
        """e^{αu − qu²/2} φ((u − c)/s) at an end, as a multiple of the density of (u − mean)/sd."""
        x = (end - self.c) / self.s
        return np.exp(self.alpha * end - 0.5 * self.q * end * end - 0.5 * x * x) / (_SQRT_2PI * np.sqrt(self.shrink))


@lru_cache(maxsize=64)
def _tail_ratios(k: int) -> tuple[float, ...]:
    """The coefficients of y m_k/m_{k−1} on y > f = `_FAR` as a polynomial in t = (y − f − l)/(y − f + l),
    l = `_SPREAD`, where m_k = E (z − y)^k 1[z > y].

    From m_{k+1} = k m_{k−1} − y m_k the ratio is k/(y + m_{k+1}/m_k), a continued fraction without cancellation
    (Gautschi 1967, on repeated integrals of erfc).
    """
    t = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    y = _FAR + _SPREAD * (1 + t) / (1 - t)
    ratio = np.zeros_like(y)
    for j in range(k + _TERMS, k - 1, -1):
        ratio = j / (y + ratio)
    series = np.polynomial.chebyshev.chebfit(t, y * ratio, _DEGREE)
    return tuple(map(float, np.polynomial.chebyshev.cheb2poly(series)))


def _normal_moments(top: int, alpha: Any, slope: float, offset: float, c: Array, s: Any) -> list[Array]:
    """E u^k e^{αu} Φ(λu + μ), with k lowered by Stein's lemma, since Φ' = λφ is the exponential of a square."""
    from scipy.special import ndtr

    mean = c + alpha * s * s
    weight = np.exp(alpha * c + 0.5 * alpha * alpha * s * s) if alpha else 1.0
    table = [ndtr((slope * mean + offset) / np.sqrt(1 + slope * slope * s * s)) * np.ones(np.shape(c))]
    if top:
        scale = slope * math.exp(-0.5 * offset * offset) / _SQRT_2PI
        bell = _Tilted(-slope * offset, slope * slope, mean, s).moments(top - 1)
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
    cuts = tuple(sorted(edges))
    bounds = [-math.inf, *cuts, math.inf]
    pieces = []
    for low, high in zip(bounds, bounds[1:]):
        inside = (low + high) / 2 if math.isfinite(low + high) else (high - 1 if math.isfinite(high) else low + 1)
        pieces.append(_branchless(g, u, inside if math.isfinite(inside) else 0.37))
    groups = _groups(pieces, u, cuts)
    return None if groups is None else Smoothing(groups, cuts)


def _branchless(g: Expr, u: Sym, at: float) -> Expr:
    """g without branches, as it is near u = at."""
    done: dict[Expr, Expr] = {}
    here: dict[Sym, Expr] = {u: Const(at)}
    for node in postorder(g):
        if isinstance(node, Cond):
            # Breaks separate the pieces, so that a test has one truth value on a piece.
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
    """g fully expanded, including sums of functions of one variable, which `expand` keeps together."""
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
            if is_exp(f) and isinstance(f.children[0], Add):
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
    entry = FUNCTIONS[base.fn]
    if (wave := entry.wave) is not None:
        return [
            Monomial(
                wave.c**k * math.comb(k, j) * wave.s**j * np.exp(1j * (k - 2 * j) * offset), 0, 1j * (k - 2 * j) * slope
            )
            for j in range(k + 1)
        ]
    if k == 1 and (cdf := entry.normal) is not None:
        phi = Monomial(cdf.a, 0, phi=(cdf.b * slope, cdf.b * offset))
        return [phi, Monomial(cdf.c, 0)] if cdf.c else [phi]
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

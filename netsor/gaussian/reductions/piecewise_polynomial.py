"""One variable of a piecewise polynomial integrated in closed form given all others, between zeros of quadratics.

step(1 − x² − y² − z²) and relu(x² + y z − w²) are polynomials in their last variable between the zeros of their
arguments. Given the other variables these zeros are known, and a polynomial between two of them is a sum of truncated
moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from netsor.expr import FUNCTIONS, Add, Call, Cond, Const, Expr, Mul, Pow, Sym, postorder
from netsor.gaussian.integrand.integrand import Integrand, Values, build, without_form
from netsor.gaussian.integrand.levels import Level, cuts_at, last_variable, levels_of
from netsor.gaussian.integrand.projection import bands_of, tips_of
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import Problem, Trust
from netsor.gaussian.reductions.reduction import Elimination
from netsor.gaussian.rules.panels import EPS, legendre
from netsor.gaussian.symbolic.structure import Gaussians, Shape, affine, degree_in

Array = np.ndarray
_SQRT_2PI = math.sqrt(2 * math.pi)
_HIGHEST = 8
_LEAST_OWN = 1e-5
# Beyond the first number a polynomial times the density is negligible; on panels narrower than the second,
# Gauss–Legendre nodes integrate it to rounding.
_REACH, _NARROW, _NODES = 14.0, 1.5, 14


@dataclass(frozen=True)
class Pieces:
    """x ↦ E F(x, z) for the last coordinate z of `whole`, in which F is piecewise polynomial of a `degree`."""

    whole: Integrand
    level: Level
    degree: int
    # Breakpoints are differences, so that their rounding errors exceed those of their terms by this factor.
    magnified: float

    def value(self, f: Integrand, x: Array) -> Array:
        """The value at the columns of x; coordinates that are missing in x do not matter."""
        x, low, high = self._panels(x)
        out = np.zeros(x.shape[1])
        wide = high - low > _NARROW
        for mask, rule in ((wide, self._wide), (~wide & (high > low), self._narrow)):
            owner, column = np.nonzero(mask)
            if len(owner):
                owner, parts = rule(x, owner, low[owner, column], high[owner, column])
                out += np.bincount(owner, parts, minlength=len(out))
        return out

    def moved(self, x: Array) -> Array:
        """An estimate of the effect of rounding in the breakpoints on the value."""
        x, low, high = self._panels(x)
        owner, column = np.nonzero(high > low)
        a, b = low[owner, column], high[owner, column]
        size = np.abs(self._at(x, owner, np.clip((a + b) / 2, a, b)[:, None]))[:, 0]
        ends = sum((1 + np.abs(e)) * np.exp(-0.5 * e * e) for e in (a, b))
        return self.magnified * EPS * np.bincount(owner, size * ends, minlength=x.shape[1]) / _SQRT_2PI

    def _panels(self, x: Array) -> tuple[Array, Array, Array]:
        """(all coordinates but the last, (N, m) low and high ends of the last one's panels)."""
        k = self.whole.rank - 1
        x = np.concatenate([x, np.zeros((k - len(x), x.shape[1]))])
        n = x.shape[1]
        cuts = [cuts_at(self.level, x, k, _REACH, (), 0.0), *(c.cuts(x, _REACH) for c in self.level.curves)]
        ends = np.broadcast_to((-_REACH, _REACH), (n, 2))
        at = np.sort(np.concatenate([ends, *cuts], axis=1), axis=1)
        return x, at[:, :-1], at[:, 1:]

    def _at(self, x: Array, owner: Array, z: Array) -> Array:
        m = z.shape[1]
        return self.level.factor(np.concatenate([np.repeat(x[:, owner], m, axis=1), z.reshape(1, -1)])).reshape(z.shape)  # type: ignore[misc]

    def _narrow(self, x: Array, owner: Array, low: Array, high: Array) -> tuple[Array, Array]:
        t, w = legendre(_NODES)
        half = (high - low) / 2
        z = ((low + high) / 2)[:, None] + half[:, None] * t
        return owner, half * ((self._at(x, owner, z) * np.exp(-0.5 * z * z)) @ w) / _SQRT_2PI

    def _wide(self, x: Array, owner: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Σ c_j ∫ (z − m)^j φ over the panel, with c_j from values at degree + 1 places around m.

        ∫ (z − m)^{j+1} φ = −[(z − m)^j φ] + j ∫ (z − m)^{j−1} φ − m ∫ (z − m)^j φ.
        """
        from scipy.special import ndtr

        t, coefficients = _interpolation(self.degree)
        # The places lie in the panel, as near to 0 as possible.
        size = _NARROW / 2
        middle = np.clip(0.0, low + size, high - size)
        values = self._at(x, owner, middle[:, None] + size * t)
        alive = np.flatnonzero(values.any(axis=1))
        if len(alive) < len(owner):
            # Panels on which the function is zero, as outside a ball, are skipped.
            owner, values, low, high, middle = (v[alive] for v in (owner, values, low, high, middle))
        ends = [np.exp(-0.5 * e * e) / _SQRT_2PI for e in (low, high)]
        mass = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
        a, b = (low - middle) / size, (high - middle) / size
        out = np.zeros(len(low))
        before, now = np.zeros(len(low)), mass
        for j in range(self.degree + 1):
            out += (values @ coefficients[j]) * now
            following = (ends[0] * a**j - ends[1] * b**j + j / size * before - middle * now) / size
            before, now = now, following
        return owner, out

    def is_sharp(self, f: Integrand) -> bool:
        return True

    def last_variable(self, f: Integrand) -> int:
        """The last coordinate that it depends on."""
        f = self.whole
        used = [row[:-1] for s, row in zip(f.forms, f.root) if row[-1] or any(s in g.free for g in f.factors)]
        return max([0, *map(last_variable, used), *map(last_variable, f.gain[:, :-1])])

    def tips(self, f: Integrand) -> list[list[Expr]]:
        """For each level the functions over whose zeros an inner interval ends."""
        return tips_of(self.whole)[:-1]

    def bands(self, f: Integrand) -> list[list[tuple[Expr, ...]]]:
        """For each level the functions that vanish where a curve passes given places."""
        return bands_of(self.whole)[:-1]


@dataclass(frozen=True)
class _Moved:
    """The effect of rounding on the value of `pieces`."""

    pieces: Pieces

    def value(self, f: Integrand, x: Array) -> Array:
        return self.pieces.moved(x)

    def is_sharp(self, f: Integrand) -> bool:
        return True

    def last_variable(self, f: Integrand) -> int:
        return self.pieces.last_variable(f)

    def tips(self, f: Integrand) -> list[list[Expr]]:
        return self.pieces.tips(f)

    def bands(self, f: Integrand) -> list[list[tuple[Expr, ...]]]:
        return self.pieces.bands(f)


def moved(f: Integrand) -> Integrand | None:
    """An integrand whose modulus bounds the effect of rounding in breakpoints; None where there are none."""
    mine = [h for h in f.given if isinstance(h, Pieces)]
    return replace(f, given=(_Moved(mine[0]),)) if mine else None


@lru_cache(maxsize=16)
def _interpolation(degree: int) -> tuple[Array, Array]:
    """(places in [−1, 1], rows that give the coefficients of t^j from values there)."""
    t = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    return t, np.linalg.inv(np.vander(t, increasing=True))


@lru_cache(maxsize=20_000)
def piecewise_degree(e: Expr, variables: Gaussians) -> int | None:
    """The degree of a piecewise polynomial in the variables; None for other functions, and above degree eight."""
    done: dict[Expr, int | None] = {}
    for node in postorder(e):
        parts = [done[c] for c in node.children]
        degree: int | None = None
        if not node.free & variables:
            degree = 0
        elif isinstance(node, Sym):
            degree = 1
        elif isinstance(node, Cond):
            degree = None if None in parts[1:] else max(parts[1:])  # type: ignore[type-var]
        elif isinstance(node, Add):
            degree = None if None in parts else max(parts)  # type: ignore[type-var]
        elif isinstance(node, Mul):
            degree = None if None in parts else sum(parts)  # type: ignore[arg-type]
        elif isinstance(node, Pow) and isinstance(node.exponent, Const) and isinstance(node.exponent.value, int):
            base = done[node.base]
            degree = None if base is None or node.exponent.value < 0 else node.exponent.value * base
        elif isinstance(node, Call) and FUNCTIONS[node.fn].pieces is not None:
            whole = FUNCTIONS[node.fn].pieces(*node.children)  # type: ignore[misc]
            degree = None if isinstance(whole, Call) and whole.fn == node.fn else piecewise_degree(whole, variables)
        done[node] = None if degree is None or degree > _HIGHEST else degree
    return done[e]


class PiecewisePolynomial(Elimination):
    """E of a piecewise polynomial by truncated moments between the zeros of quadratics (Kan & Robotti 2017)."""

    integrands = "a variable in which a piecewise polynomial breaks at zeros of quadratics, as in step(1 − x² − y²)"
    becomes = "truncated moments between these zeros (Kan & Robotti 2017)"

    def eliminate(self, problem: Problem) -> Integrand | None:
        if len(problem.shape.forms) < 2:
            return None
        return by_pieces(problem.shape, problem.law, problem.task.env, problem.task.trust)


def by_pieces(shape: Shape, state: State, env: Values, trust: Trust) -> Integrand | None:
    """The integrand without the variable in which most curved breaks are quadratic; None where there is none."""
    forms = frozenset(shape.form_symbols)
    curved = [b.at for b in shape.breaks if b.kind != "soft" and affine(b.at, forms) is None]
    best: tuple[int, int, Sym] | None = None
    for i, s in enumerate(shape.form_symbols if curved else ()):
        mine = [g for g in shape.factors if s in g.free]
        there = sum(s in at.free for at in curved)
        if not there or any(piecewise_degree(g, frozenset((s,))) is None for g in mine):
            continue
        asked = [b for b in shape.breaks if s in b.at.free]
        if any(b.kind not in ("kink", "jump") or degree_in(b.at, frozenset((s,))) is None for b in asked):
            continue
        if best is None or (there, i) > best[:2]:
            best = (there, i, s)
    return _without(shape, best[2], build(shape, state, env, last=best[2], trust=trust), env) if best else None


def _without(shape: Shape, s: Sym, f: Integrand, env: Values) -> Integrand | None:
    i = f.forms.index(s)
    if f.rank < 2 or np.abs(np.delete(f.root[:, -1], i)).max(initial=0.0) > 0:
        return None
    own = abs(float(f.root[i, -1]))
    if own < _LEAST_OWN * float(np.linalg.norm(f.root[i])):
        # Near a degenerate law the variable hardly varies given the others, and integrating it smooths nothing.
        return None
    moved = bool(f.powers) and max(map(last_variable, f.gain)) == f.rank - 1
    degree = sum(piecewise_degree(g, frozenset((s,))) or 0 for g in f.factors if s in g.free)
    degree += sum(f.powers) if moved else 0
    if degree > _HIGHEST:
        return None
    last = levels_of(f)[-1]
    level = replace(last, planes=tuple(p for p in last.planes if p.soft == 0 and np.abs(p.a[-1]) > 0), features=None)
    given = Pieces(f, level, degree, float(np.linalg.norm(f.root[i])) / own)
    out = without_form(f, shape, s, env, given)
    return replace(out, powers=()) if moved else out

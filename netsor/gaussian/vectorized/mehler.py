"""E f(u) g(v) of smooth f and g by Mehler's formula, a power series in the correlation.

With the normalized Hermite polynomials h_k and a_k = E f(σ z) h_k(z), b_k = E g(τ z) h_k(z),

    E f(u) g(v) = Σ_k a_k b_k ρ^k,    |Σ_{k ≥ K}| ≤ |ρ|^K (Σ_{k ≥ K} a_k² Σ_{k ≥ K} b_k²)^{1/2}

(Mehler 1866; Cauchy–Schwarz). The coefficients belong to one side each, so that N inputs need N sets of coefficients
and N² series. By Price's theorem the derivative by the covariance is E f'(u) g'(v) = Σ k a_k b_k ρ^{k−1}/(στ), and that
by a variance is E f''(u) g(v)/2, at most (E f''² E g²)^{1/2}/2 with E f''² = Σ k (k − 1) a_k²/σ⁴.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.expr import Expr, Sym, add, canonical, mul
from netsor.expr.arrays import lambdify
from netsor.expr.functions import absolute
from netsor.expr.rounding import running_error
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.expansion import factors_of
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.steepness import is_smooth, steepness

Array = np.ndarray
_EPS = 2.0**-52
# √p is 1e-17 at this reach. The step resolves the frequencies of h_k √p, which are below √k, together with those of f.
_REACH = 12.6
_STEEPEST = 8.0
_SEGMENT = 32
# The numbers of terms in the two tables; the short one is used if the coefficients have decayed at its end.
_SHORT, _LONG = 512, 2048
_STEPS = {_SHORT: 0.05, _LONG: 0.025}
_DIED_AWAY = 3e-7
# How large the last terms of a fourth derivative may be where it bounds terms of second order.
_SMALL = 1e-3
# The number of inputs treated at once, always the same, so that a result does not depend on the number of inputs.
_ROWS = 96
# Terms are left out once the remainder is below this share of (E f² E g²)^{1/2}.
_NEGLIGIBLE = 1e-17
_FEW = 0.5


class Coefficients(NamedTuple):
    """a_k (n, K) of n inputs, bounds on the error of a in the Euclidean norm, and tails (n, K/32 + 1).

    `row` gives the rows of these inputs in `table`, which holds the a_k of all inputs. `tails` are (Σ_{k ≥ 32 s}
    a_k²)^{1/2}, for the `segments` of 32 terms that an input has; `bend` is (E f''²)^{1/2}, and `slip` the root mean
    square change of f due to the errors of its own scalars.
    """

    table: Array
    row: Array
    error: Array
    tails: Array
    segments: Array
    bend: Array
    slip: Array

    def at(self, rows: Array) -> Coefficients:
        return Coefficients(self.table, *(x[rows] for x in self[1:]))

    def segment(self, s: int, rows: Array | slice = slice(None)) -> Array:
        """The a_k of one segment for some of these inputs."""
        return self.table[self.row[rows], s * _SEGMENT : (s + 1) * _SEGMENT]


def smooth_sides(block: Expr, symbols: Sequence[Sym]) -> tuple[Expr, Expr] | None:
    """f and g with block = f(u) g(v), smooth and of one variable each; None for other blocks."""
    if len(symbols) != 2:
        return None
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for factor in factors_of(block):
        mine = [s for s in symbols if s in factor.free]
        if len(mine) > 1:
            return None
        groups[mine[0] if mine else symbols[0]].append(factor)
    f, g = (canonical(mul(*groups[s])) for s in symbols)
    if not (is_smooth(f, symbols[:1]) and is_smooth(g, symbols[1:])):
        return None
    return (f, g) if f.free and g.free else None


def hermite_coefficients(f: Expr, u: Sym, laws: Laws) -> Coefficients:
    """The coefficients of f at every variance of u and the scalars of f, in the order of the flattened arrays."""
    scalars = tuple(s for s in laws.scalars if s in f.free)
    given = [laws.var(u), *(laws.scalars[s] for s in scalars)]
    at = [p.ravel() for p in np.broadcast_arrays(*(q.value for q in given))]
    errors = [np.broadcast_to(q.error, np.broadcast_shapes(*(p.value.shape for p in given))).ravel() for q in given]
    out: list[Coefficients] = []
    for i in range(0, len(at[0]), _ROWS):
        rows = slice(i, i + _ROWS)
        count = len(at[0][rows])
        here = [np.pad(p[rows], (0, _ROWS - count), mode="edge") for p in at]
        moved = [np.pad(e[rows], (0, _ROWS - count), mode="edge") for e in errors]
        made = _coefficients(f, u, scalars, here, moved, _SHORT)
        slow = made.tails[:, -1] > _DIED_AWAY * made.tails[:, 0]
        if slow.any():
            made = _merged(made, _coefficients(f, u, scalars, here, moved, _LONG), slow)
        out.append(Coefficients(*(x[:count] for x in made)))
    most = max(made.table.shape[1] for made in out)
    whole = Coefficients(*(np.concatenate(x) for x in zip(*(_widened(made, most) for made in out), strict=True)))
    return whole._replace(row=np.arange(len(whole.table)))


def _merged(short: Coefficients, long: Coefficients, slow: Array) -> Coefficients:
    """The coefficients, from the longer series for the rows that need it."""
    short = _widened(short, long.table.shape[1])
    return Coefficients(
        *(np.where(slow.reshape(-1, *[1] * (x.ndim - 1)), y, x) for x, y in zip(short, long, strict=True))
    )


def _widened(made: Coefficients, terms: int) -> Coefficients:
    """The same in arrays with so many terms, padded with zeros."""
    more = terms - made.table.shape[1]
    if not more:
        return made
    a, tails = (np.pad(x, ((0, 0), (0, k))) for x, k in ((made.table, more), (made.tails, more // _SEGMENT)))
    return made._replace(table=a, tails=tails)


def coefficients_at(f: Expr, u: Sym, variance: float) -> tuple[Array, float, float] | None:
    """a_k of a function of `u` alone at one variance, with the error in the Euclidean norm and the norm of what is cut.

    None where they are not found, or the last of them are not small in the fourth derivative as well.
    """
    for terms in (_SHORT, _LONG):
        made = _coefficients(f, u, (), [np.array([variance])], [np.zeros(1)], terms)
        a, error, tail = made.table[0], float(made.error[0]), float(made.tails[0, -1])
        size = float(made.tails[0, 0])
        last = float(np.linalg.norm(a[-_SEGMENT:])) * terms**2
        if math.isfinite(error) and tail <= _DIED_AWAY * size and last <= _SMALL * size:
            return a, error, tail
    return None


def _coefficients(
    f: Expr, u: Sym, scalars: tuple[Sym, ...], at: list[Array], errors: list[Array], terms: int
) -> Coefficients:
    z, root, table = _hermite(terms)
    step = _STEPS[terms]
    sizes = add(absolute(f), running_error(f))
    run = lambdify((f, sizes), (u, *scalars))
    sigma = np.sqrt(np.maximum(at[0], 0.0))[:, None]
    zeros = np.zeros((len(sigma), len(z)))
    with np.errstate(all="ignore"):
        values, lost = (np.asarray(x, float) + zeros for x in run(sigma * z, *(p[:, None] for p in at[1:])))
        weighted = values * root
        square = step * (weighted * weighted).sum(axis=1)
        a = step * (weighted @ table)
        # The difference from the sum over every other point estimates the error of the double step, whose square is
        # about that of this step.
        odd = 2 * step * (weighted[:, 1::2] @ table[1::2])
        apart = np.sqrt(((a - odd) ** 2).sum(axis=1) / np.where(square > 0, square, 1.0))
        norm = np.sqrt(square)
        # Beyond the ends the integrand is assumed to decay at least like √p.
        ends = np.abs(weighted[:, [0, -1]]).max(axis=1) / _REACH
        rounding = _EPS * (8 * norm + 4 * np.sqrt(step * ((lost * root) ** 2).sum(axis=1)))
        error = np.where(apart < 0.05, 30 * apart**1.8 * norm, np.inf) + 4 * ends + rounding
        slip = np.zeros(len(norm))
        for k, e in enumerate(errors[1:], 1):
            if e.any():
                for sign in (1.0, -1.0):
                    there = [p + sign * e if i == k else p for i, p in enumerate(at)]
                    change = (np.asarray(run(sigma * z, *(p[:, None] for p in there[1:]))[0]) - values) * root
                    slip = slip + np.sqrt(step * (change * change).sum(axis=1))
    left = np.cumsum((a * a)[:, ::-1], axis=1)[:, ::-1]
    # The remainder after the last term is only known from E f², which is rounded.
    beyond = np.maximum(square - left[:, 0], 0.0) + 8 * _EPS * square
    tails = np.sqrt(np.concatenate([left[:, ::_SEGMENT] + beyond[:, None], beyond[:, None]], axis=1))
    order = np.arange(terms, dtype=float)
    with np.errstate(all="ignore"):
        bend = np.sqrt((order * (order - 1) * a * a).sum(axis=1)) / np.where(at[0] > 0, at[0], np.nan)
    seen = (steepness(f, u, scalars, at) <= _STEEPEST) & (at[0] > 0) & np.isfinite(square)
    error = np.where(seen & np.isfinite(error), error, np.inf)
    clean = np.isfinite(a).all(axis=1)
    segments = np.full(len(norm), terms // _SEGMENT)
    rows = np.arange(len(norm))
    return Coefficients(np.where(clean[:, None], a, 0.0), rows, error, np.nan_to_num(tails), segments, bend, slip)


@lru_cache(maxsize=2)
def _hermite(terms: int) -> tuple[Array, Array, Array]:
    """Points z, √p(z), and h_k(z) √p(z) for all k, by the recurrence of the normalized Hermite functions."""
    step = _STEPS[terms]
    half = math.ceil(_REACH / step)
    z = step * (np.arange(-half, half) + 0.5)
    root = np.exp(-0.25 * z * z) / (2 * math.pi) ** 0.25
    table = np.zeros((len(z), terms))
    table[:, 0], table[:, 1] = root, z * root
    for k in range(1, terms - 1):
        table[:, k + 1] = (z * table[:, k] - math.sqrt(k) * table[:, k - 1]) / math.sqrt(k + 1)
    return z, root, table


@dataclass(frozen=True)
class MehlerSeries:
    """E f(u) g(v) from the coefficients of both, with one row for each variance of u and of v."""

    symbols: tuple[Sym, Sym]

    def __call__(self, laws: Laws, f: Coefficients, g: Coefficients) -> Bounded:
        """The value; its error is infinite where the series does not converge within its terms."""
        u, v = self.symbols
        if laws.var(u).value.shape[1] > 1 or laws.var(v).value.shape[0] > 1 < laws.shape[1]:
            # The rows must be those of the first function.
            u, v, f, g = v, u, g, f
        a, b, c = laws.var(u), laws.var(v), laws.cov(u, v)
        with np.errstate(all="ignore"):
            su, sv = np.sqrt(a.value), np.sqrt(b.value)
            rho = np.broadcast_to(c.value / (su * sv), laws.shape)
            inside = np.isfinite(rho) & (np.abs(rho) <= 1 + 4 * _EPS)
            rho = np.where(inside, np.clip(rho, -1, 1), 0.0)
        paired = laws.shape[1] == 1
        if paired:
            f, g = (x if len(x.row) == len(rho) else x.at(np.zeros(len(rho), int)) for x in (f, g))
        value, slope, left = (_of_pairs if paired else _of_tile)(rho, f, g)

        def over(x: Array, side: int) -> Array:
            return x[:, None] if paired or side == 0 else x[None, :]

        fs, gs = over(f.tails[:, 0], 0), over(g.tails[:, 0], 1)
        with np.errstate(all="ignore"):
            doubt = abs(slope) / (su * sv) * c.error + abs(slope * rho) * 3 * _EPS
            doubt = doubt + 0.51 * (over(f.bend, 0) * gs * a.error + over(g.bend, 1) * fs * b.error)
            doubt = doubt + over(f.slip, 0) * gs + over(g.slip, 1) * fs
            own = left + over(f.error, 0) * gs + over(g.error, 1) * fs + 4 * _EPS * fs * gs
            error = doubt + own
        good = inside & np.isfinite(error) & (own <= laws.enough * fs * gs)
        return Bounded(value, np.where(good, error, np.inf))


def _of_tile(rho: Array, f: Coefficients, g: Coefficients) -> tuple[Array, Array, Array]:
    """(series, its derivative by ρ, a bound on the remainder) for all pairs of a row of f and a row of g."""
    n, m = rho.shape
    value, slope = np.zeros((n, m)), np.zeros((n, m))
    power = np.ones((n, m))
    size = f.tails[:, :1] * g.tails[:, 0]
    left = size
    last = np.minimum(f.segments[:, None], g.segments)
    term, inner, step = np.empty((n, m)), np.empty((n, m)), np.empty((n, m))
    for s in range(int(last.max())):
        first = s * _SEGMENT
        one, other = f.segment(s).T.copy()[:, :, None], g.segment(s).T.copy()[:, None, :]
        inner[:], step[:] = 0.0, 0.0
        for k in range(_SEGMENT - 1, -1, -1):
            step *= rho
            step += inner
            inner *= rho
            np.multiply(one[k], other[k], out=term)
            inner += term
        # Decided entry by entry, so that a result does not depend on the other entries.
        alive = (left > _NEGLIGIBLE * size) & (s < last)
        value += np.where(alive, power * inner, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            lead = first * power / rho if first else 0.0
        slope += np.where(alive & (rho != 0), power * step + lead * inner, np.where(alive & (first == 0), step, 0.0))
        power = power * rho**_SEGMENT
        left = np.where(alive, abs(power) * f.tails[:, s + 1, None] * g.tails[None, :, s + 1], left)
        wanted = (left > _NEGLIGIBLE * size) & (s + 1 < last)
        if not wanted.any():
            break
        if np.count_nonzero(wanted) < _FEW * wanted.size:
            i, j = np.nonzero(wanted)
            so_far = [x[i, j][:, None] for x in (value, slope, power, size)]
            more = _of_pairs(rho[i, j][:, None], f.at(i), g.at(j), s + 1, so_far)
            for whole, part in zip((value, slope, left), more, strict=True):
                whole[i, j] = part[:, 0]
            break
    return value, slope, left


def _of_pairs(
    rho: Array, f: Coefficients, g: Coefficients, start: int = 0, so_far: list[Array] | None = None
) -> tuple[Array, Array, Array]:
    """The same for pairs (k, 1), from segment `start` on, where `so_far` has the sums, ρ^{32 s} and the sizes."""
    size = f.tails[:, :1] * g.tails[:, :1]
    value, slope, power, size = so_far or [np.zeros(rho.shape), np.zeros(rho.shape), np.ones(rho.shape), size]
    left = abs(power) * f.tails[:, start, None] * g.tails[:, start, None]
    rows = np.arange(len(rho))
    last = np.minimum(f.segments, g.segments)
    for s in range(start, int(last.max(initial=0))):
        rows = rows[(left > _NEGLIGIBLE * size)[rows, 0] & (s < last[rows])]
        if not len(rows):
            break
        first = s * _SEGMENT
        r, c = rho[rows], f.segment(s, rows) * g.segment(s, rows)
        inner, step = np.zeros(r.shape), np.zeros(r.shape)
        for k in range(_SEGMENT - 1, -1, -1):
            step = step * r
            step = step + inner
            inner = inner * r
            inner = inner + c[:, k, None]
        value[rows] += power[rows] * inner
        with np.errstate(divide="ignore", invalid="ignore"):
            lead = first * power[rows] / r if first else 0.0
        slope[rows] += np.where(r != 0, power[rows] * step + lead * inner, step if first == 0 else 0.0)
        power[rows] = power[rows] * r**_SEGMENT
        left[rows] = abs(power[rows]) * f.tails[rows, s + 1, None] * g.tails[rows, s + 1, None]
    return value, slope, left

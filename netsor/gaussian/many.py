"""The same expectation at many covariances: by rules for all pairs, Chebyshev series in the angle, or one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from netsor.expr import Const, Expr, Sym, canonical, is_singular, mul, substitute
from netsor.gaussian.engine import expectation
from netsor.gaussian.fixed import FixedLaw
from netsor.gaussian.outcome import Outcome, Task
from netsor.gaussian.pairs import Side, by_grid, by_panels
from netsor.gaussian.planner import expect
from netsor.gaussian.result import Clock, Divergent, Expectation, NoPointwiseMeaning, Settings
from netsor.gaussian.scales import scales_of
from netsor.gaussian.smooth import smoothing
from netsor.gaussian.state import ROUNDED, State
from netsor.gaussian.terms import expand, factors_of
from netsor.gaussian.twofold import two_product

Array = np.ndarray
_FEW = 160
_DEGREES = (40, 80, 160)
# A value is kept where its error is so small a part of its size.
_GOOD = 1e-10


def expect_many(
    integrand: Expr,
    symbols: Sequence[Sym],
    covariances: Array,
    scalars: Mapping[Sym, float | Array] | None = None,
    tol: float = 1e-12,
) -> tuple[Array, Array]:
    """(values, errors) of E integrand for each of N covariances (N, d, d) of `symbols`, d ≤ 4.

    Scalars are numbers or arrays of length N. Perfect correlation and zero variances are allowed.
    """
    e = canonical(integrand)
    symbols = tuple(symbols)
    c = np.asarray(covariances, float)
    n, d = c.shape[:2]
    if not np.isfinite(c).all():
        raise Divergent("a covariance is not finite")
    given = {s: np.broadcast_to(np.asarray(v, float), n) for s, v in (scalars or {}).items() if s in e.free}
    used = [i for i, s in enumerate(symbols) if s in e.free]
    symbols, c = tuple(symbols[i] for i in used), c[:, used][:, :, used]
    d = len(used)
    # Equal problems are solved once.
    rows, columns = np.tril_indices(d)
    table = np.concatenate([c[:, rows, columns], *(v[:, None] for v in given.values())], axis=1)
    if not table.shape[1]:
        table = np.zeros((n, 1))
    if d == 2 and not given:
        # The variances' order of symbols stays; the correlation is what there are many of.
        values, errors = _pairs(e, symbols, c, tol)
        return values, errors
    distinct, where = np.unique(table, axis=0, return_inverse=True)
    first = np.zeros(len(distinct), int)
    first[where.ravel()[::-1]] = np.arange(n)[::-1]
    values, errors = np.zeros(len(distinct)), np.zeros(len(distinct))
    for k, i in enumerate(first):
        o = _one(e, symbols, c[i], {s: float(v[i]) for s, v in given.items()}, tol)
        values[k], errors[k] = o.value, o.error
    return values[where.ravel()], errors[where.ravel()]


def _one(e: Expr, symbols: tuple[Sym, ...], c: Array, env: Mapping[Sym, float], tol: float) -> Outcome:
    task = Task(frozenset(symbols), env, tol, Clock(None), ROUNDED)
    return expectation(e, State.centred(symbols, c), task)


def _pair(e: Expr, symbols: tuple[Sym, ...], a: float, b: float, r: float, tol: float) -> Expectation:
    """One pair as `expect` has it; |r| is at most √(ab), and what is more is an error of the covariances."""
    square = Fraction(a) * Fraction(b)
    if Fraction(r) ** 2 > square:
        r = math.copysign(math.sqrt(a) * math.sqrt(b), r)
        while Fraction(r) ** 2 > square:
            r = math.nextafter(r, 0.0)
    return expect(e, FixedLaw(symbols, [[a, r], [r, b]]), Settings(tol, None))


def _pairs(e: Expr, symbols: tuple[Sym, ...], c: Array, tol: float) -> tuple[Array, Array]:
    """Pairs of variables: by groups of equal variances where these are large, by a rule for all, or one by one.

    A value is kept where its own error is small; how many others there are changes the way, not the bound.
    """
    a, b, r = c[:, 0, 0], c[:, 1, 1], c[:, 0, 1]
    values, errors = np.zeros(len(c)), np.zeros(len(c))
    variances = np.stack([a, b], axis=1)
    if len(c) and (variances == variances[0]).all():
        groups, order, bounds = variances[:1], np.arange(len(c)), np.array([0, len(c)])
    else:
        groups, where = np.unique(variances, axis=0, return_inverse=True)
        where = where.ravel()
        order = np.argsort(where, kind="stable")
        bounds = np.searchsorted(where[order], np.arange(len(groups) + 1))
    rho, spread = _correlations(a, b, r)
    rest: list[Array] = []
    for k, (p, q) in enumerate(groups):
        index = order[bounds[k] : bounds[k + 1]]
        if p > 0 and q > 0 and len(index) > _FEW:
            series = _series(e, symbols, float(p), float(q), tol)
            if series is not None:
                values[index] = series(np.arctan2(spread[index], rho[index]))
                errors[index] = series.error
                index = index[series.error > _GOOD * np.abs(values[index])]
        rest.append(index)
    index = np.concatenate(rest) if rest else np.zeros(0, int)
    flat = (a[index] <= 0) | (b[index] <= 0)
    direct, looped = index[~flat], index[flat]
    if len(direct) > 8 and not is_singular(e):
        got = _direct(e, symbols, np.sqrt(a[direct]), np.sqrt(b[direct]), rho[direct], spread[direct])
        if got is not None:
            values[direct], errors[direct], size = got
            direct = direct[~(errors[direct] <= _GOOD * size)]
    known: dict[tuple[float, float, float], Expectation] = {}
    for i in np.concatenate([looped, direct]):
        key = (float(a[i]), float(b[i]), float(r[i]))
        if key not in known:
            known[key] = _pair(e, symbols, *key, tol)
        values[i], errors[i] = known[key].value, known[key].error
    return values, errors


def _correlations(a: Array, b: Array, r: Array) -> tuple[Array, Array]:
    """ρ and √(1 − ρ²) of pairs; ab − r² does not cancel, its products being taken in two parts each (Dekker)."""
    _, i = np.frexp(np.where(a > 0, a, 1.0))
    _, j = np.frexp(np.where(b > 0, b, 1.0))
    # Even powers of two, so that a, b and r are scaled exactly.
    i, j = i - i % 2, j - j % 2
    x, y, z = np.ldexp(a, -i), np.ldexp(b, -j), np.ldexp(r, -((i + j) // 2))
    (p, p_low), (q, q_low) = two_product(x, y), two_product(z, z)
    left = np.maximum((p - q) + (p_low - q_low), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.where(p > 0, left / np.where(p > 0, p, 1.0), 1.0)
        rho = np.where(p > 0, z / np.sqrt(np.where(p > 0, p, 1.0)), 0.0)
    return np.clip(rho, -1.0, 1.0), np.sqrt(np.minimum(square, 1.0))


class _Series:
    """A Chebyshev series on the angle φ ∈ [0, π]; `error` bounds what is left out and what the nodes lack."""

    def __init__(self, coefficients: Array, error: float):
        self.coefficients, self.error = coefficients, error

    def __call__(self, angle: Array) -> Array:
        return np.polynomial.chebyshev.chebval(2 * angle / math.pi - 1, self.coefficients)


@lru_cache(maxsize=64)
def _series(e: Expr, symbols: tuple[Sym, ...], p: float, q: float, tol: float) -> _Series | None:
    """The series for variances p and q; None where the value at a node does not exist, or no degree resolves it."""
    known: dict[int, Outcome] = {}
    size = math.sqrt(p) * math.sqrt(q)
    top = _DEGREES[-1]
    for degree in _DEGREES:
        nodes = [k * (top // degree) for k in range(degree + 1)]
        angles = np.array([math.pi * math.cos(math.pi * k / top / 2) ** 2 for k in nodes])
        try:
            for k, angle in zip(nodes, angles, strict=True):
                if k not in known:
                    known[k] = _at_angle(e, symbols, p, q, size, float(angle), k in (0, top), tol)
        except (Divergent, NoPointwiseMeaning):
            return None
        got = [known[k] for k in nodes]
        coefficients = _chebyshev(np.array([o.value for o in got]))
        scale = max(o.scale for o in got)
        tail = float(np.abs(coefficients[-degree // 8 :]).max())
        if tail <= 2e-13 * scale:
            # The covariance of a node is rounded, and its angle with it.
            x = 2 * angles[1:-1] / math.pi - 1
            slope = np.abs(np.polynomial.chebyshev.chebval(x, np.polynomial.chebyshev.chebder(coefficients)))
            moved = float((slope * (2 / math.pi) * 4e-16 / np.sin(angles[1:-1])).max())
            node = max(o.error for o in got) + moved
            # The Lebesgue constant of these nodes is below (2/π) log(degree) + 1.
            return _Series(coefficients, 4 * tail + node * (1 + 0.64 * math.log(degree)) + 4e-15 * scale)
    return None


def _at_angle(
    e: Expr, symbols: tuple[Sym, ...], p: float, q: float, size: float, angle: float, end: bool, tol: float
) -> Outcome:
    if end:
        # One variable in truth, which rounded variances would not say.
        u, v = symbols
        factor = math.copysign(math.sqrt(q) / math.sqrt(p), 1 - angle)
        one = canonical(substitute(e, {v: mul(Const(factor), u)}))
        return _one(one, (u,), np.array([[p]]), {}, tol)
    r = math.cos(angle) * size
    return _one(e, symbols, np.array([[p, r], [r, q]]), {}, tol)


def _chebyshev(values: Array) -> Array:
    """Chebyshev coefficients from the values at cos(πk/N), k = 0 … N."""
    n = len(values) - 1
    extended = np.concatenate([values, values[-2:0:-1]])
    spectrum = np.fft.rfft(extended).real / n
    spectrum[0] /= 2
    spectrum[n] /= 2
    return spectrum[: n + 1]


def _direct(
    e: Expr, symbols: tuple[Sym, ...], su: Array, sv: Array, rho: Array, spread: Array
) -> tuple[Array, Array, Array] | None:
    """(values, errors, sizes) of sums of products f(u) g(v): panels in u, g smoothed in closed form, or a grid.

    None where the integrand is not that; an error is infinite where the rule does not see a row's integrand. A size is
    what an error may be compared with: E|ψ| of one product, the value of a sum.
    """
    only = frozenset(symbols)
    total, error, size = np.zeros(len(rho)), np.zeros(len(rho)), np.zeros(len(rho))
    terms = expand(e, only)
    for t in terms:
        if t.scalar.free:
            return None
        if not t.product.free:
            total += float(t.coefficient)
            continue
        parts = _sides(t.product, symbols)
        if parts is None:
            return None
        value, bound, scale = _product(parts, symbols, su, sv, rho, spread)
        total += t.coefficient * value
        error += abs(t.coefficient) * bound
        size += abs(t.coefficient) * scale
    return total, error + 4e-16 * np.abs(total), size if len(terms) == 1 else np.abs(total)


def _sides(product: Expr, symbols: tuple[Sym, ...]) -> tuple[Expr, Expr] | None:
    groups: dict[Sym, list[Expr]] = {s: [] for s in symbols}
    for f in factors_of(product):
        if len(f.free) != 1:
            return None
        groups[next(iter(f.free))].append(f)
    return canonical(mul(*groups[symbols[0]])), canonical(mul(*groups[symbols[1]]))


def _product(
    parts: tuple[Expr, Expr], symbols: tuple[Sym, ...], su: Array, sv: Array, rho: Array, spread: Array
) -> tuple[Array, Array, Array]:
    """(value, error, E|f g|) of E f(u) g(v) for every row."""
    scales = [scales_of(g, s) for g, s in zip(parts, symbols, strict=True)]
    smooth = [smoothing(g, s) for g, s in zip(parts, symbols, strict=True)]
    nothing, unseen = np.zeros(len(rho)), np.full(len(rho), np.inf)
    if scales[0] is None or scales[1] is None:
        return nothing, unseen, nothing
    # The side with more edges is smoothed; the other needs panels.
    best = [i for i in (1, 0) if smooth[i] is not None]
    if best:
        i = max(best, key=lambda i: len(smooth[i].edges))  # type: ignore[union-attr]
        sides = [(parts[k], symbols[k], scales[k], (su, sv)[k]) for k in (1 - i, i)]
        return by_panels(Side(*sides[0]), Side(*sides[1]), smooth[i], rho, spread)  # type: ignore[arg-type]
    if any(x.edges for x in scales if x):
        return nothing, unseen, nothing
    sides = [(parts[k], symbols[k], scales[k], (su, sv)[k]) for k in (0, 1)]
    return by_grid(Side(*sides[0]), Side(*sides[1]), rho, spread)  # type: ignore[arg-type]

"""Where smooth functions of curved arguments vary within less than a standard deviation: edges, ridges and wells.

h(g(x)) varies where g comes near the value at which h varies: at a zero of g within 1/|g′|, at an extremum of g within
√(2/|g″|), at every depth of composition. Both are computed from g, g′ and g″ at a few places of every panel (by
Newton's step towards the zero and towards the extremum, exact for g of degree two). Panels cut there are examined
again, until every place found is the end of a panel. For a variable with inner ones, g is evaluated with the inner
variables at stationary points, where a ridge ends (by the Schur complement of its second derivatives).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.deadline import verify_time
from netsor.expr import (
    FUNCTIONS,
    MINUS_ONE,
    ZERO,
    Add,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    add,
    canonical,
    diff,
    mul,
    postorder,
    rewrite,
)
from netsor.expr.arrays import lambdify
from netsor.expr.functions import SINGULAR, is_exp, is_log
from netsor.expr.intervals import infer_range
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.problem import OutOfTime
from netsor.gaussian.symbolic.structure import affine, degree_in, has_positive_bound

Array = np.ndarray
# Ends of panels around a place, in widths: far enough for an exponential to decay, or to leave a root or a pole.
_MULTIPLES = np.array([0.0, *(s * m for m in (1.0, 3.0, 9.0, 27.0, 81.0) for s in (-1, 1))])
# A function that decays like a power of the distance varies on every scale.
_POWERS = np.array([*_MULTIPLES, *(s * 81 * 9.0**k for k in range(1, 12) for s in (-1, 1))])
# A wider feature needs no panels of its own; a narrower one is not resolved as a smooth function.
_WIDEST, _NARROWEST = 0.7, 1e-14
# Places on a panel, from −1 to 1, at which the models are computed; not symmetric, since odd functions vanish at the
# middle.
_SAMPLES = np.array([-0.72, 0.06, 0.75])
# A panel is halved where the second-order models of its places contradict each other by more than this, unless it is
# shorter than the second number.
_CONTRADICTION, _SHORTEST = 0.25, 0.02
# A place this close to the end of a panel, in widths, counts as that end.
_SAME = 0.3
# A step towards a feature must stay this share of the panel away from its ends to be useful.
_STEP = 0.05
# The most rounds of refinement, and the most panel ends on a line if there are many lines, and if there is one.
_MOST_ROUNDS, _MOST_PANELS, _MOST_ALONE = 40, 200, 8000
# Starting points for stationary points of inner variables, how far out these count, and a typical value of such a
# variable.
_STARTS, _FAR_OUT, _TYPICAL = (0.0, -1.3, 1.3, -3.0, 3.0), 8.0, 3.0
# The panel ends on a line from which steepness is judged, and the number of such lines.
_TABLE, _LINES = 11, 16
# exp(−40) is negligible beside 1.
_FADED = 40.0
# Two numbers with a smaller relative difference than this may be equal.
_ALIKE = 1e-6
_EPS = 2.0**-52
_MOST_NODES = 300


@dataclass(frozen=True)
class Feature:
    """A feature of the integrand: it varies where `at` is near zero, within `scale`, and is linear beyond `fades`.

    A scale of 0 stands for a power or logarithm of something positive, whose wells are as wide as they are deep. A
    function that is `never_straight`, such as an exponential, is taken to vary at all extrema.
    """

    at: Expr
    scale: float
    fades: float
    never_straight: bool = False

    def multiples(self) -> tuple[Array, ...]:
        """Panel ends around its extremum and its two zeros, in widths; a power has extrema only."""
        return _multiples(self.scale, self.fades)


@lru_cache(maxsize=64)
def _multiples(scale: float, fades: float) -> tuple[Array, ...]:
    if not scale or math.isinf(fades):
        return (_POWERS,) * (3 if scale else 1)
    edge = _MULTIPLES[np.abs(_MULTIPLES) < 3 * fades / scale]
    return _MULTIPLES[np.abs(_MULTIPLES) < 3 * math.sqrt(2 * fades / scale)], edge, edge


@lru_cache(maxsize=4096)
def features_of(factor: Expr, forms: frozenset[Sym]) -> tuple[Feature, ...]:
    """The features of a factor at all depths of composition, except those of affine arguments, which are planes."""
    out: dict[Feature, None] = {}

    def note(at: Expr, scale: float, fades: float, never_straight: bool = False) -> None:
        at = canonical(at)
        if at.free & forms and affine(at, forms) is None:
            out[Feature(at, scale, fades, never_straight)] = None

    for node in postorder(factor):
        if not node.free & forms:
            continue
        if is_log(node):
            _note_zeros(node.children[0], note)
        elif is_exp(node):
            # An exponential matters near its maximum, or where it is comparable to what it is added to.
            top = infer_range(node.children[0], {})[1]
            at = add(node.children[0], Const(-top)) if -math.inf < top < 0 else node.children[0]
            note(at, 1.0, _FADED, True)
        elif isinstance(node, Call):
            turn = FUNCTIONS[node.fn].turn
            if turn is not None:
                note(node.children[0], *turn)
        elif isinstance(node, Pow):
            k = node.exponent.value if isinstance(node.exponent, Const) else None
            if k is None or k < 0 or not isinstance(k, int):
                _note_zeros(node.base, note)
    return tuple(out)


def _note_zeros(base: Expr, note: Callable[..., None]) -> None:
    """Note the wells of a power or logarithm with a positive base; other bases are cut at their zeros already."""
    if isinstance(base, Mul):
        for c in base.children:
            _note_zeros(c, note)
    elif isinstance(base, Pow) and isinstance(base.exponent, Const):
        _note_zeros(base.base, note)
    elif isinstance(base, Add):
        exponents = [e for c in base.children if (e := _exponent(c)) is not None]
        if exponents and len(exponents) == len(base.children):
            # A sum of exponentials varies where one of them overtakes another.
            for i, a in enumerate(exponents):
                for b in exponents[:i]:
                    note(add(a, mul(MINUS_ONE, b)), 1.0, _FADED)
        elif has_positive_bound(base):
            note(base, 0.0, math.inf)


def _exponent(e: Expr) -> Expr | None:
    """q where e = c exp(q) with c > 0, else None."""
    if isinstance(e, Const):
        return Const(math.log(e.value)) if e.value > 0 else None
    if is_exp(e):
        return e.children[0]
    if isinstance(e, Mul):
        parts = [_exponent(c) for c in e.children]
        return add(*(p for p in parts if p is not None)) if all(p is not None for p in parts) else None
    return None


@lru_cache(maxsize=4096)
def _jet(at: Expr, forms: tuple[Sym, ...]) -> tuple[Expr, ...]:
    """The function, its first derivatives and its second derivatives (upper triangle), almost everywhere."""
    first = [_slope(at, s) for s in forms]
    second = [_slope(d, s) for i, d in enumerate(first) for s in forms[i:]]
    return at, *first, *second


def _slope(e: Expr, s: Sym) -> Expr:
    return rewrite(diff(e, s), lambda node: ZERO if isinstance(node, Call) and node.fn in SINGULAR else node)


class _Model:
    """g of one feature to second order along a coordinate, with inner variables at stationary points."""

    def __init__(self, f: Integrand, feature: Feature, k: int, last: int):
        used = [i for i, s in enumerate(f.forms) if s in feature.at.free]
        forms = tuple(f.forms[i] for i in used)
        known = [i for i, s in enumerate(f.scalars) if s in feature.at.free]
        self.run = lambdify(_jet(feature.at, forms), (*forms, *(f.scalars[i] for i in known)))
        self.root, self.shift = f.root[used, : last + 1], f.shift[used, None]
        self.values = tuple(f.values[i] for i in known)
        self.feature, self.k, self.inside = feature, k, last - k
        newest = frozenset(f.forms[i] for i in used if np.abs(f.root[i, k : last + 1]).max() > 0)
        self.exact = degree_in(feature.at, newest) is not None
        outer = self.inside > 0 and not self.exact
        self.starts = [np.full(self.inside, t) for t in _STARTS] if outer else [np.zeros(self.inside)]
        self.steps = 4 if outer else 1

    def along(self, x: Array) -> Array:
        """(S, 3, N): value, slope and second derivative at the columns of x (k + 1, N), for S stationary points."""
        out = []
        with np.errstate(all="ignore"):
            for start in self.starts:
                y = np.broadcast_to(start[:, None], (self.inside, x.shape[1]))
                if not self.inside:
                    value, first, second = self._derivatives(x)
                    out.append(np.stack([value, first[0], second[0, 0]]))
                    continue
                if not out:
                    out.append(self._pinned(*self._derivatives(np.concatenate([x, y]))))
                for _ in range(self.steps):
                    at = y
                    value, first, second = self._derivatives(np.concatenate([x, y]))
                    step = _solved(second[1:, 1:], first[1:])
                    y = np.clip(y - np.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0), -_FAR_OUT, _FAR_OUT)
                out.append(np.where(_is_near(at, step), _eliminated(value, first, second, step), np.nan))
        return np.stack(out)

    def _pinned(self, value: Array, first: Array, second: Array) -> Array:
        """g with the inner variables at their means, divided by the scale on which they move it."""
        moved = np.abs(first[1:]).sum(axis=0) + 0.5 * np.abs(np.einsum("iin->in", second[1:, 1:])).sum(axis=0)
        if not self.feature.scale:
            return np.stack([value + moved, first[0], second[0, 0]])
        return np.stack([value, first[0], second[0, 0]]) / (1 + moved / self.feature.scale)

    def _derivatives(self, x: Array) -> tuple[Array, Array, Array]:
        n = x.shape[1]
        values = self.run(*(self.root @ x + self.shift), *self.values)
        m = len(self.root)
        full = [np.broadcast_to(np.asarray(v, float), (n,)) for v in values]
        directions = self.root[:, self.k :]
        first = directions.T @ np.stack(full[1 : m + 1])
        d = directions.shape[1]
        second = np.zeros((d, d, n))
        place = m + 1
        for i in range(m):
            for j in range(i, m):
                both = np.outer(directions[i], directions[j])
                both = both + both.T if i != j else both
                second += both[:, :, None] * full[place]
                place += 1
        return full[0], first, second


def _solved(matrix: Array, right: Array) -> Array:
    """The solutions (d, N) of small systems, matrix (d, d, N); NaN where one is singular."""
    if len(right) == 1:
        return right / matrix[0]
    try:
        return np.linalg.solve(np.moveaxis(matrix, 2, 0), right.T[:, :, None])[:, :, 0].T
    except np.linalg.LinAlgError:
        return np.full(right.shape, np.nan)


def _is_near(at: Array, step: Array) -> Array:
    """Whether the stationary point is within the bulk of the density, or is not known."""
    return ~(np.abs(at - step).max(axis=0) > 2 * _FAR_OUT) | ~np.isfinite(step).all(axis=0)


def _eliminated(value: Array, first: Array, second: Array, step: Array) -> Array:
    """Value, slope and second derivative of g with the inner variables at the stationary point one step away.

    Where g is affine in a single inner variable there is none, and g varies as a whole where that slope vanishes.
    """
    lean = _solved(second[1:, 1:], second[0, 1:])
    shift, bend = (second[0, 1:] * step).sum(axis=0), (second[0, 1:] * lean).sum(axis=0)
    out = np.stack(
        [
            value - 0.5 * (first[1:] * step).sum(axis=0),
            _difference(first[0], shift),
            _difference(second[0, 0], bend),
        ]
    )
    if len(first) == 2:
        flat = np.abs(second[1, 1]) <= 1e-14 * (np.abs(first[1]) + np.abs(second[0, 1]))
        slope = _TYPICAL * np.stack([first[1], second[0, 1], np.zeros(len(value))])
        out = np.where(flat, slope, out)
    return out


def _difference(a: Array, b: Array) -> Array:
    """a − b, or 0 where the difference is due to rounding and unfinished steps: along a ridge g is constant."""
    return np.where(np.abs(a - b) <= _ALIKE * (np.abs(a) + np.abs(b)), 0.0, a - b)


class Features:
    """All features of an integrand along its k-th coordinate."""

    def __init__(self, models: list[_Model]):
        self.exact = [m for m in models if m.exact]
        self.loose = [m for m in models if not m.exact]
        # The smallest width found so far.
        self.narrowest = math.inf
        self.outer = any(m.inside for m in models)

    def cuts(self, x: Array, reach: float, edges: Array, late: Callable[[], bool] = lambda: False) -> Array:
        """Panel ends (N, J) along the next coordinate that resolve the features, for each column of x, besides `edges`.

        Raises OutOfTime as soon as it is `late`.
        """
        n = x.shape[1]
        out = []
        if self.exact:
            origin = np.concatenate([x, np.zeros((1, n))])
            for m in self.exact:
                for g in m.along(origin):
                    centres = _centres(g[0], g[1], g[2], m.feature)
                    for place, width, multiples in zip(*centres, m.feature.multiples(), strict=True):
                        near = (width < _WIDEST) & (width > _NARROWEST) & (np.abs(place) < 2 * reach)
                        if near.any():
                            self.narrowest = min(self.narrowest, float(width[near].min()))
                            place, width = np.where(near, place, reach), np.where(near, width, 0.0)
                            out.append(place[:, None] + width[:, None] * multiples)
        if self.loose:
            table = np.sort(np.concatenate([edges, *out], axis=1), axis=1)
            out.append(self._sought(x, reach, table, late))
        return np.clip(np.concatenate(out, axis=1), -reach, reach) if out else np.zeros((n, 0))

    def _sought(self, x: Array, reach: float, table: Array, late: Callable[[], bool]) -> Array:
        n = x.shape[1]
        low, high = table[:, :-1], table[:, 1:]
        owner, column = np.nonzero(high - low > 8 * _EPS * reach)
        low, high = low[owner, column], high[owner, column]
        owners, found = [], []
        total = 0
        for _ in range(_MOST_ROUNDS):
            verify_time()
            if late():
                raise OutOfTime
            if not len(owner):
                break
            which, at = self._cuts_inside(x, owner, low, high)
            total += len(at)
            if not len(at):
                break
            owners.append(owner[which])
            found.append(at)
            acting = np.unique(which)
            label = np.concatenate([which, acting, acting])
            ends = np.concatenate([at, low[acting], high[acting]])
            order = np.lexsort((ends, label))
            label, ends = label[order], ends[order]
            pair = np.flatnonzero((label[1:] == label[:-1]) & (np.diff(ends) > 8 * _EPS * (1 + np.abs(ends[1:]))))
            owner, low, high = owner[label[pair]], ends[pair], ends[pair + 1]
            if total > (_MOST_PANELS * n if len(x) or self.outer else _MOST_ALONE):
                break
        if not owners:
            return np.zeros((n, 0))
        rows, at = np.concatenate(owners), np.concatenate(found)
        order = np.argsort(rows, kind="stable")
        rows, at = rows[order], at[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        out = np.full((n, int(place.max()) + 1), reach)
        out[rows, place] = at
        return out

    def _cuts_inside(self, x: Array, owner: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """(indices of panels, cuts strictly inside them), from the models of the panels themselves."""
        middle, half = (low + high) / 2, (high - low) / 2
        at = middle[:, None] + half[:, None] * _SAMPLES
        count = len(_SAMPLES)
        points = np.concatenate([np.repeat(x[:, owner], count, axis=1), at.reshape(1, -1)])
        which, cuts = [], []
        contradicted = np.zeros(len(owner), bool)
        for m in self.loose:
            g = m.along(points).reshape(-1, 3, len(owner), count)
            multiples = m.feature.multiples()
            every = max(multiples, key=len)
            used = np.array([np.isin(every, mine) for mine in multiples])
            for way, (value, slope, bend) in enumerate(g):
                place, width = _centres(value, slope, bend, m.feature)
                # Of the models of a panel, the one with the shortest step is the most accurate.
                best = np.abs(np.where(np.isfinite(place), place, np.inf)).argmin(axis=2)[:, :, None]
                place = np.take_along_axis(place + at, best, axis=2)[:, :, 0]
                width = np.take_along_axis(width, best, axis=2)[:, :, 0]
                with np.errstate(all="ignore"):
                    near = (width < _WIDEST) & (width > _NARROWEST * (1 + np.abs(place)))
                kind, panel = np.nonzero(near)
                if len(panel):
                    p, w = place[kind, panel], width[kind, panel]
                    ends = p[:, None] + w[:, None] * every
                    inside = (ends > (low[panel] + _SAME * w)[:, None]) & (ends < (high[panel] - _SAME * w)[:, None])
                    inside &= used[kind]
                    i, j = np.nonzero(inside)
                    self.narrowest = min(self.narrowest, float(w[i].min(initial=math.inf)))
                    which.append(panel[i])
                    cuts.append(ends[i, j])
                if way:
                    # Only the first stationary point is used here, since others appear and disappear along the line.
                    continue
                # The step leads to a feature in another part of the panel, according to the model.
                margin = _STEP * (high - low)
                going = ~near & (place > low + margin) & (place < high - margin) & _varies(value, m.feature.scale)
                kind, panel = np.nonzero(going)
                which.append(panel)
                cuts.append(place[kind, panel])
                contradicted |= _contradicted(value, slope, bend, at, m.feature.scale)
        contradicted &= half > _SHORTEST
        for p in which:
            contradicted[p] = False
        which.append(np.flatnonzero(contradicted))
        cuts.append(middle[contradicted])
        return np.concatenate(which), np.concatenate(cuts)

    def steepness(self, x: Array, reach: float) -> float:
        """One over the smallest width found along the coordinate, for any column of x."""
        self.narrowest = math.inf
        base = np.linspace(-reach, reach, _TABLE)
        self.cuts(x, reach, np.broadcast_to(base, (x.shape[1], _TABLE)))
        return 1 / self.narrowest


def _centres(value: Array, slope: Array, bend: Array, feature: Feature) -> tuple[Array, Array]:
    """(steps, widths), each (3, …), to the extremum and the zeros of value + slope t + bend t²/2."""
    with np.errstate(all="ignore"):
        turn = -slope / bend
        top = value + 0.5 * slope * turn
        if not feature.scale:
            place, width = turn[None], np.sqrt(2 * np.abs(top) / np.abs(bend))[None]
        else:
            steep = np.sqrt(slope * slope - 2 * bend * value)
            q = -(slope + np.copysign(steep, slope))
            flat = np.sqrt(2 * feature.scale / np.abs(bend))
            if not feature.never_straight:
                flat = np.where(np.abs(top) <= feature.fades, flat, np.inf)
            edge = feature.scale / steep
            place, width = np.stack([turn, q / bend, 2 * value / q]), np.stack([flat, edge, edge])
        return np.where(np.isfinite(place), place, np.inf), np.where(np.isfinite(width), width, np.inf)


def _varies(value: Array, scale: float) -> Array:
    """Whether a function varies enough on a panel to have a feature there."""
    with np.errstate(all="ignore"):
        return np.ptp(value, axis=1) > (scale or 0.5 * np.abs(value).min(axis=1))


def _contradicted(value: Array, slope: Array, bend: Array, at: Array, scale: float) -> Array:
    """Whether the models of neighbouring places of a panel disagree."""
    with np.errstate(all="ignore"):
        gap = np.diff(at, axis=1)
        told = value[:, :-1] + gap * (slope[:, :-1] + 0.5 * gap * bend[:, :-1])
        wrong = np.abs(told - value[:, 1:]).max(axis=1)
        return wrong > _CONTRADICTION * (np.ptp(value, axis=1) + scale)


def features_along(f: Integrand, k: int) -> Features | None:
    """The features of an integrand along its k-th coordinate; None where there are none."""
    known = frozenset(f.forms)
    models = []
    for feature in dict.fromkeys(x for g in f.factors for x in features_of(g, known)):
        if not feature.at.free <= {*f.forms, *f.scalars} or sum(1 for _ in postorder(feature.at)) > _MOST_NODES:
            # Variables integrated in closed form need no panels.
            continue
        rows = np.abs(f.root[[i for i, s in enumerate(f.forms) if s in feature.at.free]])
        there = np.flatnonzero((rows > 1e-15 * rows.max(axis=1, keepdims=True, initial=0.0)).any(axis=0))
        if len(there) and k <= there[-1] and k in there:
            models.append(_Model(f, feature, k, int(there[-1])))
    return Features(models) if models else None


def steepest(f: Integrand) -> float:
    """One over the smallest width of the features of an integrand, judged at a few places."""
    places = np.random.default_rng(11).standard_normal((f.rank, _LINES))
    found = (features_along(f, k) for k in range(f.rank))
    return max((x.steepness(places[:k], 8.5) for k, x in enumerate(found) if x is not None), default=0.0)

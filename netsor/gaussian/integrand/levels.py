"""An integrand of several variables, decomposed by variables: F(x) = Π_k F_k(x₁ … x_k).

A factor belongs to the level of its last variable. It is evaluated there and not again on inner levels, and where it is
zero the inner levels are skipped. Breaks belong to the level that they cut.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from netsor.expr import Expr, Sym, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic import extended_range
from netsor.gaussian.integrand.breakpoints import roots_of_degree
from netsor.gaussian.integrand.integrand import Integrand, Plane, Surface
from netsor.gaussian.integrand.projection import bands_of, coordinate, tips_of
from netsor.gaussian.integrand.transitions import Features, features_along
from netsor.gaussian.symbolic.structure import degree_in

Array = np.ndarray
Function = Callable[[Array], Array]
_MOST_PLANES, _MOST_CENTRED = 24, 6
# A transition narrower than the first number gets panels that widen by the second as they recede from it.
_NARROW, _WIDER = 1e-3, 6.0
_WIDEST_BAND, _SAME_PLACE = 0.6, 1e-12
# A coefficient below this share of the largest in its row is the rounding error of zero.
_NOTHING = 1e-15


@dataclass(frozen=True)
class Curve:
    """A break that is not a plane: the zeros of `at` along the newest coordinate, and its degree there if known."""

    at: Function
    kind: str
    degree: int | None

    def cuts(self, x: Array, reach: float, points: int = 64, also: Array | None = None) -> Array:
        """Where it crosses the next coordinate, for each column of x; the places `also` join the grid for roots."""
        return roots_of_degree(self.degree, self.at, x, reach, points, also)


@dataclass(frozen=True)
class Band:
    """A region between curves where the integral inside changes; it is cut where the curves lie close together."""

    members: tuple[Curve, ...]

    def cuts(self, x: Array, reach: float) -> Array:
        """Where they cross the next coordinate, for each column of x; `reach` where no other curve is near."""
        parts = [c.cuts(x, reach) for c in self.members]
        labels = np.repeat(np.arange(len(parts)), [p.shape[1] for p in parts])
        at = np.concatenate(parts, axis=1)
        order = np.argsort(at, axis=1)
        at, labels = np.take_along_axis(at, order, axis=1), labels[order]
        gap = np.diff(at, axis=1)
        near = (gap < _WIDEST_BAND) & (gap > _SAME_PLACE) & (np.diff(labels, axis=1) != 0)
        alone = np.zeros((len(at), 1), bool)
        return np.where(np.concatenate([alone, near], axis=1) | np.concatenate([near, alone], axis=1), at, reach)


@dataclass(frozen=True)
class Level:
    """What adding x_k brings: the factor F_k (None: 1), and the planes, curves and features that cut x_k.

    Over the `tips` an interval of an inner level ends, so that the inner integral has a root or a kink there. Across
    the `bands` a feature of an inner level appears and disappears.
    """

    factor: Function | None
    planes: tuple[Plane, ...]
    curves: tuple[Curve, ...]
    features: Features | None
    tips: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()


def last_variable(row: Array) -> int:
    """The index of the last coordinate that a linear form depends on; −1 for a constant."""
    size = float(np.abs(row).max(initial=0.0))
    there = np.flatnonzero(np.abs(row) > _NOTHING * size)
    return int(there[-1]) if len(there) else -1


def with_tips(f: Integrand, levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels with the places where the structure of inner levels changes."""
    coordinates = tuple(coordinate(k) for k in range(f.rank))
    tips = f.given[0].tips(f) if f.given else tips_of(f)
    bands = f.given[0].bands(f) if f.given else bands_of(f)

    def curves(members: Iterable[Expr], k: int) -> tuple[Curve, ...]:
        return tuple(curve_in(e, coordinates[: k + 1]) for e in members)

    return tuple(
        replace(level, tips=curves(tips[k], k), bands=tuple(Band(curves(b, k)) for b in bands[k]))
        for k, level in enumerate(levels)
    )


def curve_in(e: Expr, coordinates: tuple[Sym, ...]) -> Curve:
    """The curve on which a function of the coordinates vanishes."""
    run = lambdify((e,), coordinates)
    return Curve(lambda x: run(*x)[0] + np.zeros(x.shape[1]), "kink", degree_in(e, frozenset(coordinates[-1:])))


def levels_of(f: Integrand) -> tuple[Level, ...]:
    """The levels of an integrand, first variable first."""
    factors = _factors(f)
    planes = _planes(f.planes, f.rank)
    for s in f.surfaces:
        centre = _centre(f, s)
        if centre is not None:
            # Panels end at the centre, so that even a small ellipsoid around it is found.
            for k, at in enumerate(centre):
                planes[k].append(Plane("kink", np.eye(f.rank)[k], -float(at)))
    curves: list[list[Curve]] = [[] for _ in range(f.rank)]
    for s in f.surfaces:
        k, curve = _curve(f, s)
        if k >= 0:
            curves[k].append(curve)
    features = [None if f.radial else features_along(f, k) for k in range(f.rank)]
    return tuple(Level(g, tuple(p), tuple(c), t) for g, p, c, t in zip(factors, planes, curves, features, strict=True))


def _factors(f: Integrand) -> list[Function | None]:
    if f.radial:
        return [None] * (f.rank - 1) + [f]
    parts: list[list[Function]] = [[] for _ in range(f.rank)]
    where = {s: last_variable(row) for s, row in zip(f.forms, f.root)}
    grouped: dict[int, list[Expr]] = {}
    for g in f.factors:
        grouped.setdefault(max([0, *(where[s] for s in g.free if s in where)]), []).append(g)
    for k, members in grouped.items():
        parts[k].append(_compiled(f, members, k))
    for c in f.closed:
        k = max(0, last_variable(c.a))
        parts[k].append(lambda x, c=c, k=k: c.g(c.a[: k + 1] @ x + c.b, c.s))  # type: ignore[misc]
    for h in f.given:
        parts[max(0, h.last_variable(f))].append(lambda x, h=h: h.value(f, x))  # type: ignore[misc]
    if f.powers:
        k = max([0, *(last_variable(row) for row in f.gain)])
        parts[k].append(lambda x, k=k: f.polynomial(x, k + 1))  # type: ignore[misc]
    return [_times(p) if p else None for p in parts]


def _compiled(f: Integrand, members: list[Expr], k: int) -> Function:
    whole = mul(*members)
    used = [i for i, s in enumerate(f.forms) if s in whole.free]
    known = [i for i, s in enumerate(f.scalars) if s in whole.free]
    root, shift = f.root[used, : k + 1], f.shift[used, None]
    values = tuple(f.values[i] for i in known)
    run = extended_range.compiled(whole, (*(f.forms[i] for i in used), *(f.scalars[i] for i in known)))

    def factor(x: Array) -> Array:
        return np.broadcast_to(np.asarray(run(*(root @ x + shift), *values), float), x.shape[1:])

    return factor


def _times(parts: list[Function]) -> Function:
    if len(parts) == 1:
        return parts[0]

    def product(x: Array) -> Array:
        out = parts[0](x)
        for p in parts[1:]:
            out = out * p(x)
        return out

    return product


def _curve(f: Integrand, s: Surface) -> tuple[int, Curve]:
    where = {u: last_variable(row) for u, row in zip(f.forms, f.root) if u in s.at.free}
    k = max(where.values(), default=-1)
    newest = frozenset(u for u, last in where.items() if last == k)
    whole = f.on_surface(s)

    def at(x: Array) -> Array:
        return whole(np.concatenate([x, np.zeros((f.rank - len(x), x.shape[1]))]))

    return k, Curve(at, s.kind, degree_in(s.at, newest))


def _centre(f: Integrand, s: Surface) -> Array | None:
    """The stationary point of a quadratic function, which is the centre of the ellipsoid where it vanishes, or None."""
    if f.rank > _MOST_CENTRED or degree_in(s.at, frozenset(f.forms)) != 2:
        return None
    at = f.on_surface(s)
    one = np.eye(f.rank)
    zero = float(at(np.zeros((f.rank, 1)))[0])
    plus, minus = at(one), at(-one)
    slope = (plus - minus) / 2
    bend = np.diag(plus + minus - 2 * zero)
    for i in range(f.rank):
        for j in range(i):
            both = float(at((one[i] + one[j])[:, None])[0])
            bend[i, j] = bend[j, i] = both - plus[i] - plus[j] + zero
    values = np.linalg.eigvalsh(bend)
    if not (values[0] > 1e-9 * values[-1] > 0 or values[-1] < 1e-9 * values[0] < 0):
        return None
    return np.linalg.solve(bend, -slope)


def _planes(planes: list[Plane], rank: int) -> list[list[Plane]]:
    """For each level the planes that cut it, which are those with their last component there."""
    sharp = [p for p in planes if p.soft == 0 and np.abs(p.a).max(initial=0) > 0]
    out: list[list[Plane]] = [[] for _ in range(rank)]
    current = [Plane(p.kind, p.a / n, p.b / n) for p in sharp if (n := float(np.abs(p.a).max())) > 0]
    for k in range(rank - 1, -1, -1):
        here = [p for p in current if abs(p.a[k]) > 1e-12]
        rest = [p for p in current if abs(p.a[k]) <= 1e-12]
        out[k] = here
        shadows = []
        if len(here) <= _MOST_PLANES:
            for p, q in itertools.combinations(here, 2):
                a = p.a * q.a[k] - q.a * p.a[k]
                b = p.b * q.a[k] - q.b * p.a[k]
                a[k:] = 0.0
                n = float(np.abs(a).max())
                if n > 1e-9:
                    shadows.append(Plane("kink", a / n, b / n))
        current = _distinct(rest + shadows)
    soft = [p for p in planes if p.soft > 0]
    for k in range(rank):
        out[k] = _distinct(out[k])[: 2 * _MOST_PLANES] + [p for p in soft if abs(p.a[k]) > 1e-12]
        # After integration over later levels, their sharp planes act here as smoothed breaks.
        out[k] += [p for p in sharp if abs(p.a[k]) > 1e-12 and np.abs(p.a[k + 1 :]).max(initial=0) > 1e-12]
    return out


def _distinct(planes: list[Plane]) -> list[Plane]:
    kept: list[Plane] = []
    for p in sorted(planes, key=lambda p: p.kind != "singular"):
        v = np.append(p.a, p.b)
        if not any(
            np.abs(v - np.append(q.a, q.b)).max() < 1e-11 or np.abs(v + np.append(q.a, q.b)).max() < 1e-11 for q in kept
        ):
            kept.append(p)
    return kept


# How strongly the nodes close in on an end of a panel: not, on a square root or a kink, on a pole.
CLOSING = (1, 2, 6)
TIP, POLE = 1, 2
COINCIDE = 2.0**-40


def closing_in(s: Array) -> tuple[Array, Array, Array]:
    """(places, 1 − places, slopes), each (9, n), of nodes s in (0, 1), clustered at the ends of their panel.

    With the closing-in a of the low end and b of the high one, places are ∫ t^{a−1} (1 − t)^{b−1} dt, from 0 to s and
    divided by the whole, so that a function like a power of the distance from an end is smooth in s. The rows are in
    the order of `code`.
    """
    rows = [_clustered(s, a, b) for b in CLOSING for a in CLOSING]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


def _clustered(s: Array, a: int, b: int) -> tuple[Array, Array, Array]:
    """The incomplete beta function of whole a and b, its complement and its derivative (Abramowitz & Stegun 26.5.7)."""
    n = a + b - 1
    terms = [math.comb(n, j) * s**j * (1 - s) ** (n - j) for j in range(n + 1)]
    slope = a * math.comb(n, a) * s ** (a - 1) * (1 - s) ** (b - 1)
    return sum(terms[a:], np.zeros(len(s))), sum(terms[:a], np.zeros(len(s))), slope


def nodes_between(low: Array, high: Array, codes: Array, s: Array) -> tuple[Array, Array]:
    """(places, slopes), each (…, n), of nodes s in (0, 1) between low and high ends (…) with these codes.

    Places are counted from the nearer end, because distances from an end at 0 matter at all scales.
    """
    places, remote, slopes = (rows[codes] for rows in closing_in(s))
    width = (high - low)[..., None]
    return np.where(places < 0.5, low[..., None] + width * places, high[..., None] - width * remote), slopes


def code(low: Array, high: Array) -> Array:
    """The row of `closing_in` for ends that are 0, `TIP` or `POLE`."""
    return low + len(CLOSING) * high


def ends_of(code: Array) -> tuple[Array, Array]:
    """The ends of which this is the code."""
    return code % len(CLOSING), code // len(CLOSING)


def panel_ends(
    edges: list[Array], tips: list[Array], poles: list[Array], reach: float, least: float
) -> tuple[Array, Array, Array]:
    """(low ends, high ends, codes of their ends), each (N, panels), from cuts (N, J).

    Cuts closer than `least` to each other are all taken for what the strongest of them is, and so are those that
    coincide with a pole up to the error of a root.
    """
    at = np.concatenate([*edges, *tips, *poles], axis=1)
    if not tips and not poles:
        at = np.sort(at, axis=1)
        return at[:, :-1], at[:, 1:], np.zeros((len(at), at.shape[1] - 1), int)
    kinds = np.concatenate(
        [np.full(c.shape[1], kind) for kind, group in ((0, edges), (TIP, tips), (POLE, poles)) for c in group]
    )
    order = np.argsort(at, axis=1)
    at = np.take_along_axis(at, order, axis=1)
    kind = kinds[order] * (np.abs(at) < reach)
    apart = at[:, 1:] - at[:, :-1]
    same = coinciding(at[:, 1:])
    while True:
        strongest = np.maximum(kind[:, 1:], kind[:, :-1])
        joined = (apart <= np.where(strongest == POLE, np.maximum(same, least), least)) & (kind[:, 1:] != kind[:, :-1])
        if not joined.any():
            break
        strongest *= joined
        kind[:, 1:] = np.maximum(kind[:, 1:], strongest)
        kind[:, :-1] = np.maximum(kind[:, :-1], strongest)
    return at[:, :-1], at[:, 1:], code(kind[:, :-1], kind[:, 1:])


def coinciding(at: Array) -> Array:
    """The distance below which places coincide with these, up to rounding and the error of a root."""
    return COINCIDE * (1 + np.abs(at))


def without_poles(level: Level, x: Array, values: Array) -> Array:
    """The values of a factor at the columns of x (k + 1, N), 0 where they are infinite because of the level's poles.

    What is left out is counted with the rounding errors, which take the whole integrand beside its poles.
    """
    infinite = np.flatnonzero(~np.isfinite(values))
    if not len(infinite):
        return values
    x = x[:, infinite]
    near = coinciding(np.abs(x).max(axis=0))
    at = np.zeros(len(infinite), bool)
    for p in level.planes:
        if p.kind == "singular" and not p.a[len(x) :].any():
            at |= np.abs(p.a[: len(x)] @ x + p.b) <= near * float(np.abs(p.a).max())
    for c in level.curves:
        if c.kind == "singular":
            at |= np.abs(c.at(x)) <= near * (1 + np.abs(x).max(axis=0))
    values = values.copy()
    values[infinite[at]] = 0.0
    return values


def poles_at(level: Level, x: Array, k: int, reach: float) -> Array:
    """The places (N, J) where x_k meets singular planes, given the columns of x (k, N)."""
    found = [_centre_of(p, x, k) for p in level.planes if p.kind == "singular" and _width(p, k) == 0]
    return np.clip(np.stack(found, axis=1), -reach, reach) if found else np.zeros((x.shape[1], 0))


def _centre_of(p: Plane, x: Array, k: int) -> Array:
    return np.asarray(-(p.b + p.a[:k] @ x) / p.a[k] if k else np.full(x.shape[1], -p.b / p.a[k]))


def _width(p: Plane, k: int) -> float:
    """The width on which a break varies along x_k, with the later variables integrated out."""
    return math.sqrt(p.soft**2 + float((p.a[k + 1 :] ** 2).sum())) / abs(float(p.a[k]))


def cuts_at(level: Level, x: Array, k: int, reach: float, edges: tuple[float, ...], widest: float) -> Array:
    """The places (N, J) where x_k is cut, given the columns of x (k, N).

    A break of a width below `widest` gets cuts at `edges` times its width.
    """
    columns: list[Array] = []
    n = x.shape[1]
    for p in level.planes:
        centre, width = _centre_of(p, x, k), _width(p, k)
        if width == 0:
            columns.append(centre)
        elif width < widest:
            columns.extend(centre + w * width for w in edges if abs(w) * width < 4)
            if edges and width < _NARROW:
                # Panels widen step by step, because the nodes of one wide panel would miss what is left beyond the
                # transition.
                far = edges[-1] * _WIDER ** np.arange(1.0, math.log(1 / (edges[-1] * width)) / math.log(_WIDER))
                columns.extend(centre + sign * w * width for w in far for sign in (-1, 1))
    out = np.stack(columns, axis=1) if columns else np.zeros((n, 0))
    return np.clip(out, -reach, reach)

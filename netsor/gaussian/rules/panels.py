"""E f(x) for one standard normal x: Gauss–Legendre panels, cut where f breaks and halved where it is not resolved."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from netsor.deadline import is_over
from netsor.gaussian.integrand import missing
from netsor.gaussian.problem import SingularSums

Array = np.ndarray
EPS = 2.0**-52
_SQRT_2PI = math.sqrt(2 * math.pi)
_NODES = 24
REACH = 9.5
# With 24 nodes, panels of this length are resolved to rounding if poles are at a distance of at least 1.5.
_BASE = np.linspace(-REACH, REACH, 13)
_FARTHEST = 37.5
_DEEPEST, _DEEPEST_AT_ZERO = 48, 120
# The range of the panels, counted towards a singular point, from which the exponent there is estimated.
_SHELLS, _SHELLS_AT_ZERO = (28, 38), (90, 112)
# Relative places between the reach and the farthest point; beyond the reach a density above this share of the whole
# matters.
_PARTS = np.linspace(0.0, 1.0, 60)
_COUNTS = 1e-16
# Coefficients below this share of the values are rounding errors.
_NOISE = 1e-15
# For panels with less than this share of the largest one, rounding is estimated at one point.
_MATTERS = 1e-3
# Smaller sums have lost their digits to underflow.
_NOTHING = 1e-280


class Quadrature(NamedTuple):
    """An integral, a bound on its error, and the integral of the modulus."""

    value: float
    error: float
    scale: float


@lru_cache(maxsize=256)
def legendre(n: int) -> tuple[Array, Array]:
    """Nodes and weights of the n-point Gauss–Legendre rule on [−1, 1]."""
    return np.polynomial.legendre.leggauss(n)


# The distance of Lobatto's end nodes from the ends of the panel.
_INSIDE = 1e-12


@lru_cache(maxsize=64)
def lobatto(n: int) -> tuple[Array, Array]:
    """Nodes and weights of the n-point Lobatto rule on [−1, 1], with the end nodes slightly inside.

    A kink between an end and the first inner node is invisible to Gauss's rule, and visible to this one. The end nodes
    are inside so that they lie on the right side of a jump at the end of a panel.
    """
    inner = np.polynomial.legendre.Legendre.basis(n - 1).deriv().roots()
    x = np.concatenate([[-1.0], np.sort(inner.real), [1.0]])
    w = 2 / (n * (n - 1) * np.polynomial.legendre.Legendre.basis(n - 1)(x) ** 2)
    x, w = x * (1 - _INSIDE), w * (1 - _INSIDE)
    w[[0, -1]] += _INSIDE
    return x, w


@lru_cache(maxsize=64)
def coefficient_rows(n: int, ends: bool) -> Array:
    """Rows that give the Legendre coefficients of a function from its values at the nodes of either rule."""
    return np.linalg.inv(np.polynomial.legendre.legvander((lobatto if ends else legendre)(n)[0], n - 1))


def nodes_of(low: Array, high: Array, n: int, ends: bool) -> Array:
    """The nodes (P, n) of panels, with end nodes on the right side of a jump whose place is rounded."""
    half = (high - low) / 2
    at = ((low + high) / 2)[:, None] + half[:, None] * (lobatto if ends else legendre)(n)[0]
    if ends:
        # The shift is limited by the width of the panel, which may be tiny near 0.
        least = 1e-3 * (high - low)
        at[:, 0] = np.maximum(at[:, 0], low + np.minimum(8 * EPS * (1 + np.abs(low)), least))
        at[:, -1] = np.minimum(at[:, -1], high - np.minimum(8 * EPS * (1 + np.abs(high)), least))
    return at


def panel_sums(values: Array, half: Array, ends: bool = False) -> tuple[Array, Array, Array]:
    """(integral, error estimate, integral of the modulus) of each panel, from values (panels, nodes).

    With t the relative size of the last Legendre coefficients, the estimate is 10 t^{3/2}. It is very pessimistic where
    the coefficients decay geometrically (the error is then about t²), and right where they decay like k⁻². A low,
    narrow feature beside a high, smooth one shows in a slow decay of the last ten coefficients, to which the same rule
    is applied relative to its own height.
    """
    functionals = _functionals(values.shape[1], ends)
    out = values @ functionals
    size = np.abs(values)
    integral, modulus = half * out[:, 0], half * (size @ functionals[:, 0])
    top = size.max(axis=1)
    coefficients = np.abs(out[:, 1:])
    before, tail = coefficients[:, :5].max(axis=1), coefficients[:, 5:].max(axis=1)
    ratio = np.minimum(tail / np.maximum(top, 1e-300), 1.0)
    late = np.minimum(tail / np.maximum(before, 1e-300), 1.0) ** 2
    error = half * tail * np.minimum(2.0, np.maximum(10 * np.sqrt(ratio), np.where(tail > _NOISE * top, 2 * late, 0.0)))
    return integral, error, modulus


@lru_cache(maxsize=64)
def _functionals(n: int, ends: bool) -> Array:
    """(n, 11): the weights of the rule, and the functionals of the last ten coefficients."""
    return np.column_stack([(lobatto if ends else legendre)(n)[1], coefficient_rows(n, ends)[-10:].T])


def integrate(
    f: Callable[[Array], Array],
    cuts: Iterable[float] = (),
    singular: Iterable[float] = (),
    tips: Iterable[float] = (),
    tol: float = 1e-13,
    rounds: int = 40,
    most: int = 6000,
    noise: Callable[[Array], Array] | None = None,
    gaps: Iterable[float] = (),
) -> Quadrature:
    """E f(x), x standard normal; `cuts` are kinks, jumps and edges of scales, `singular` points of possible blow-up.

    At `tips` f is bounded but has a square-root singularity. `noise` bounds the errors of the values of f. Beside a
    gap f is smooth, but its values lose their digits: panels that end there have no node near it.

    Raises Divergent where f has no real value, and SingularSums where the sums do not decrease towards a singular point
    or towards infinity, which for so few panels does not prove that the integral diverges.
    """
    poles = sorted({float(p) for p in singular if abs(p) < _FARTHEST})
    ends = sorted({float(t) for t in tips if abs(t) < REACH})
    holes = sorted({float(g) for g in gaps if abs(g) < _FARTHEST})
    inner = sorted({*holes, *(float(c) for c in cuts if abs(c) < _FARTHEST)})
    reach = REACH
    if poles or ends or holes:
        edges = _graded(_edges(reach, inner + poles + ends), sorted({*poles, *ends}))
        lo, hi = edges[:-1], edges[1:]
        keep = hi - lo > 0
        lo, hi = lo[keep], hi[keep]
        integral, error, modulus = _panels(f, lo, hi, poles, holes)
        # Growing integrands, and those whose mass begins far out, need a larger reach than the density alone.
        needed, tail = _needed_reach(f, reach, inner + poles, float(modulus.sum()))
    else:
        lo, hi, nodes, beyond, every, density = _start(tuple(inner))
        with np.errstate(all="ignore"):
            values = f(every) * density
        missing.verify(lambda x: f(x[0]), nodes.reshape(1, -1), values[: nodes.size])
        panels = values[: nodes.size].reshape(nodes.shape)
        integral, error, modulus = panel_sums(panels, (hi - lo) / 2, True)
        needed, tail = _reach_of(values[nodes.size :], beyond, reach, float(modulus.sum()))
    while reach < needed:
        grown = min(reach + 4.0, _FARTHEST)
        more = np.unique(
            np.concatenate([np.linspace(reach, grown, 3), [c for c in inner + poles if reach < c < grown]])
        )
        less = np.unique(
            np.concatenate([np.linspace(-grown, -reach, 3), [c for c in inner + poles if -grown < c < -reach]])
        )
        new_lo, new_hi = np.concatenate([less[:-1], more[:-1]]), np.concatenate([less[1:], more[1:]])
        a, b, c = _panels(f, new_lo, new_hi, poles, holes)
        lo, hi = np.concatenate([lo, new_lo]), np.concatenate([hi, new_hi])
        integral, error, modulus = (np.concatenate(p) for p in ((integral, a), (error, b), (modulus, c)))
        reach = grown
        if reach >= needed:
            needed, tail = _needed_reach(f, reach, inner + poles, float(modulus.sum()))
    # Mass at the farthest panels may begin there; it is growth if the tail beyond is not small beside the whole.
    if reach >= _FARTHEST and tail > 1e-12 * modulus.sum() > _NOTHING:
        raise SingularSums("the integrand grows nearly as fast as the Gaussian density falls")
    for _ in range(rounds):
        scale = float(modulus.sum())
        if float(error.sum()) <= tol * scale or len(lo) > most or is_over():
            break
        bad = error > max(tol * scale / (2 * len(lo)), 0.02 * float(error.max()) if len(lo) > most // 2 else 0.0)
        bad &= (hi - lo) > 4 * EPS * np.maximum(np.abs(lo), np.abs(hi))
        if noise is not None and holes:
            bad &= ~_beside(lo, hi, holes) | (error > _noise_of_panels(noise, lo, hi, False))
        if not bad.any():
            break
        mid = (lo[bad] + hi[bad]) / 2
        new_lo, new_hi = np.concatenate([lo[bad], mid]), np.concatenate([mid, hi[bad]])
        a, b, c = _panels(f, new_lo, new_hi, poles, holes)
        keep = ~bad
        lo, hi = np.concatenate([lo[keep], new_lo]), np.concatenate([hi[keep], new_hi])
        integral = np.concatenate([integral[keep], a])
        error = np.concatenate([error[keep], b])
        modulus = np.concatenate([modulus[keep], c])
    scale = float(modulus.sum())
    rest, within, left = 0.0, 0.0, np.ones(len(lo), bool)
    for p in poles:
        replaced, added, unsure = _continued(p, lo, hi, integral, error, modulus)
        left &= ~replaced
        within += added
        rest += unsure
    if noise is not None:
        beside = _beside(lo, hi, holes)
        rest += _noise(noise, lo[~beside], hi[~beside], modulus[~beside])
        rest += float(_noise_of_panels(noise, lo[beside], hi[beside], False).sum())
    # The density has a relative rounding error proportional to its exponent, and so has a place.
    rest += EPS * (4 * scale + 1.5 * float(modulus @ np.maximum(lo * lo, hi * hi)))
    return Quadrature(float(integral[left].sum()) + within, float(error[left].sum()) + tail + rest, scale + abs(within))


def _beside(lo: Array, hi: Array, holes: Sequence[float]) -> Array:
    """Which panels end at a gap."""
    return np.isin(lo, holes) | np.isin(hi, holes)


def _noise_of_panels(noise: Callable[[Array], Array], lo: Array, hi: Array, ends: bool) -> Array:
    """The integral of the noise over each panel."""
    x = nodes_of(lo, hi, _NODES, ends)
    weights = (lobatto if ends else legendre)(_NODES)[1]
    density = np.exp(-0.5 * x * x) / _SQRT_2PI
    return (hi - lo) / 2 * ((noise(x.ravel()).reshape(x.shape) * density) @ weights)


def _noise(noise: Callable[[Array], Array], lo: Array, hi: Array, modulus: Array) -> float:
    """E of the noise: at the nodes of panels that hold the mass, and at the middle of the others."""
    full = modulus > _MATTERS * modulus.max(initial=0.0)
    half, middle = (hi - lo) / 2, (lo + hi) / 2
    inside = nodes_of(lo[full], hi[full], _NODES, True)
    x = np.concatenate([inside.ravel(), middle[~full]])
    weights = np.concatenate([(half[full, None] * lobatto(_NODES)[1]).ravel(), 2 * half[~full]])
    return float((noise(x) * np.exp(-0.5 * x * x)) @ weights) / _SQRT_2PI


@lru_cache(maxsize=512)
def _start(cuts: tuple[float, ...]) -> tuple[Array, Array, Array, Array, Array, Array]:
    """(low ends, high ends, nodes (P, n), places beyond the reach, all of these in one array, the density there) of the
    first panels, which depend on the integrand only through its cuts.
    """
    edges = _edges(REACH, list(cuts))
    lo, hi = edges[:-1], edges[1:]
    nodes, beyond = nodes_of(lo, hi, _NODES, True), _places_beyond(REACH, list(cuts))
    every = np.concatenate([nodes.ravel(), beyond, -beyond])
    return lo, hi, nodes, beyond, every, np.exp(-0.5 * every * every) / _SQRT_2PI


def _places_beyond(reach: float, cuts: list[float]) -> Array:
    """Places beyond the reach, also around cuts there; the first one is inside."""
    at = np.concatenate([[reach - 0.5], reach + (_FARTHEST - reach) * _PARTS])
    beyond = [abs(c) for c in cuts if reach < abs(c) < _FARTHEST]
    if beyond:
        more = np.concatenate([[c, c + 1e-6, c + 0.05, c + 0.3] for c in beyond])
        at = np.concatenate([at[:1], np.sort(np.concatenate([at[1:], more[more <= _FARTHEST]]))])
    return at


def _needed_reach(f: Callable[[Array], Array], reach: float, cuts: list[float], total: float) -> tuple[float, float]:
    """(the reach that is needed, a bound on the integral beyond it), from values farther out."""
    at = _places_beyond(reach, cuts)
    both = np.concatenate([at, -at])
    with np.errstate(all="ignore"):
        return _reach_of(f(both) * np.exp(-0.5 * both * both) / _SQRT_2PI, at, reach, total)


def _reach_of(values: Array, at: Array, reach: float, total: float) -> tuple[float, float]:
    """The same from values times the density, at these places and at their negatives."""
    v = np.abs(values)
    # Values may overflow at distant places; these are ignored, and growth is recognised at the places before them.
    v = np.where(np.isfinite(v), v, 0.0).reshape(2, len(at))
    counts = np.flatnonzero((v[:, 1:] > _COUNTS * total).any(axis=0))
    needed = max(float(at[counts[-1] + 1]) + 0.6, reach) if len(counts) and at[counts[-1] + 1] > reach else reach
    tail = 0.0
    for inside, edge in v[:, :2].tolist():
        # Beyond the edge it is assumed to fall at least as fast as between the place inside and the edge.
        fall = 2 * math.log(inside / edge) if 0 < edge < inside < math.inf else 0.0
        tail += edge / fall if fall > 0.2 else edge * 5
    return min(max(needed, reach + 1.0 if tail > 1e-14 * total else reach), _FARTHEST), tail


def _edges(reach: float, cuts: list[float]) -> Array:
    inside = [c for c in cuts if -reach < c < reach]
    return np.unique(np.concatenate([_BASE, inside])) if inside else _BASE


def _graded(edges: Array, poles: list[float]) -> Array:
    if not poles:
        return edges
    # Towards 0 distances keep their relative accuracy at all scales; towards other points they do not.
    extra = np.concatenate(
        [p + sign * 2.0 ** -np.arange(0, _DEEPEST_AT_ZERO if p == 0 else _DEEPEST) for p in poles for sign in (-1, 1)]
    )
    for p in poles:
        others = [q for q in poles if q != p]
        if others:
            gap = min(abs(q - p) for q in others) / 2
            extra = np.concatenate([extra, [p - gap, p + gap]])
    return np.unique(np.concatenate([edges, poles, extra[np.abs(extra) < max(edges[-1], 1)]]))


def _panels(
    f: Callable[[Array], Array], lo: Array, hi: Array, poles: Sequence[float] = (), holes: Sequence[float] = ()
) -> tuple[Array, Array, Array]:
    if not len(poles) and not len(holes):
        return _panels_by(f, lo, hi, poles, True)
    # Near a singular point, and at a gap, the ends of panels must be avoided.
    near = _beside(lo, hi, holes)
    for p in poles:
        near |= (np.abs(lo - p) < 1e-3) | (np.abs(hi - p) < 1e-3)
    out = np.zeros((3, len(lo)))
    for mask, ends in ((near, False), (~near, True)):
        if mask.any():
            out[:, mask] = _panels_by(f, lo[mask], hi[mask], poles, ends)
    return out[0], out[1], out[2]


def _panels_by(
    f: Callable[[Array], Array], lo: Array, hi: Array, poles: Sequence[float], ends: bool
) -> tuple[Array, Array, Array]:
    half = (hi - lo) / 2
    x = nodes_of(lo, hi, _NODES, ends)
    with np.errstate(all="ignore"):
        density = np.exp(-0.5 * x * x) / _SQRT_2PI
        values = f(x.ravel()).reshape(x.shape) * density
    if not np.isfinite(values).all():
        for p in poles:
            # These nodes coincide with the singular point up to rounding; `_continued` replaces their contribution.
            values[~np.isfinite(values) & (np.abs(x - p) <= 2.0**-40 * (1 + abs(p)))] = 0.0
    missing.verify(lambda at: f(at[0]), x.reshape(1, -1), values.ravel())
    return panel_sums(values, half, ends)


def _continued(
    p: float, lo: Array, hi: Array, integral: Array, error: Array, modulus: Array
) -> tuple[Array, float, float]:
    """(the panels next to a singular point, their sum, its error); SingularSums where the sums do not decrease.

    Near a singularity |x − p|^{−α} the panel [2^{−k−1}, 2^{−k}] holds about 2^{−k(1−α)}, so that the panels farther in
    are a geometric series, whose ratio is taken from two stretches of panels.
    """
    replaced, added, unsure = np.zeros(len(lo), bool), 0.0, 0.0
    distance = np.minimum(np.abs(lo - p), np.abs(hi - p))
    # The innermost panels for which distances are accurate; panels farther out may contain features of any width.
    first, last = _SHELLS_AT_ZERO if p == 0 else _SHELLS
    for side in (lo >= p, hi <= p):
        shells = []
        for k in (first, (first + last) // 2, last):
            inside = side & (distance >= 2.0 ** -(k + 1) * 0.999) & (distance < 2.0**-k * 0.999)
            shells.append(float(modulus[inside].sum()))
        beyond = side & (distance < 2.0 ** -(last + 1) * 0.999)
        if min(shells) <= 1e-300:
            continue
        before, ratio = ((b / a) ** (2 / (last - first)) for a, b in itertools.pairwise(shells))
        if max(ratio, before) > 0.998:
            raise SingularSums("the integrand is so singular that its sums do not converge")
        rest, other = (shells[-1] * r / (1 - r) for r in (ratio, before))
        here, size = float(integral[beyond].sum()), float(modulus[beyond].sum())
        replaced |= beyond
        if abs(here) > 0.999 * size:
            # The sign does not change.
            added += math.copysign(rest, here)
            unsure += float(slower(abs(rest - other), rest > other, 1 - ratio, last, (last - first) // 2))
        else:
            added += here
            unsure += size + rest + float(error[beyond].sum())
    return replaced, added, unsure


def slower(apart: Any, growing: Any, fall: Any, k: int, stretch: int) -> Any:
    """An error of a series that is continued as a geometric one from its k-th term.

    `apart` is the difference that the ratio of the `stretch` of terms before makes. Where the terms fall less and less
    (`growing`), they may do so like k^{−m}, as those of 1/(x log²x) do: then m = k · `fall`, and the whole of what is
    left is m/(m − 1) times the geometric series.
    """
    m = k * fall
    return apart * np.where(growing, np.maximum(2.0, 2 * k / stretch / np.maximum(m - 1, 0.05)), 2.0)

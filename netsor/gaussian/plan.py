"""E of a block under a law in numbers: exponentials, masses and trigonometric factors exactly, then a quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from netsor.expr import ONE, ZERO, Const, Expr, Pow, Sym, canonical, evaluate, mul, postorder
from netsor.gaussian.existence.growth import may_grow
from netsor.gaussian.integrand import poles
from netsor.gaussian.integrand.integrand import (
    Integrand,
    build,
    common_factors,
    form_to_smooth,
    value_of,
    without_last,
)
from netsor.gaussian.integrand.rounding import averaged, rounding
from netsor.gaussian.integrand.transitions import steepest
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import Clock, Divergent, NotDefinite, Unsettled
from netsor.gaussian.reductions import change_of_measure, dirac, quadratic_powers, stein, tilting
from netsor.gaussian.reductions.chebyshev import Table
from netsor.gaussian.reductions.conditional import smoothed_given_rest
from netsor.gaussian.reductions.piecewise_polynomial import by_pieces, moved
from netsor.gaussian.rules import adaptive, lattice, line, nested, qmc
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.symbolic.expansion import Term, expand, factors_of
from netsor.gaussian.symbolic.structure import Shape, affine, is_quadratic, shape_of
from netsor.gaussian.task import EPS, OVERFLOW, Outcome, Task, scaled, total

Array = np.ndarray
_DRAWS, _WIDER, _FEW = 2**15, 2.0, 0.05
# No number of draws that there is time for gets farther.
_BEYOND_DRAWS = 1e-6
# Turns steeper than this are not for a lattice.
_STEEP = 5.0
# Where a lattice gets this far no other rule in as many dimensions gets farther.
_DEEP = {2: 1e-12, 3: 1e-9, 4: 1e-6, 5: 1e-6, 6: 1e-6}


def expectation(e: Expr, state: State, task: Task) -> Outcome:
    """E e for any canonical expression: term by term, but for those that need each other's company to be finite."""
    parts = []
    groups = quadratic_powers.grouped(expand(e, task.gaussians), task.gaussians)
    task = replace(task, floor=task.floor / len(groups)) if task.floor and len(groups) > 1 else task
    for group in groups:
        if len(group) > 1:
            o = quadratic_powers.sum_of_powers(group, state, _exacting(task), expectation)
            if o is not None:
                parts.append(o)
                continue
        parts.extend(_term(t, state, task) for t in group)
    return total(parts)


def _term(t: Term, state: State, task: Task) -> Outcome:
    c = t.coefficient * value_of(t.scalar, task.env)
    if t.product is ONE:
        return Outcome(c, 0.0, abs(c), 0, "exact algebra")
    o = product(t.product, state, replace(task, floor=task.floor / abs(c)) if task.floor and c else task)
    return Outcome(c * o.value, abs(c) * o.error, abs(c) * o.scale, o.dimension, o.method)


def _exacting(task: Task) -> Task:
    """The task of a part that what is made of it may magnify."""
    return replace(task, floor=0.0) if task.floor else task


def product(e: Expr, state: State, task: Task) -> Outcome:
    """E of a product of factors."""
    dirac.verify(e)
    shape = shape_of(e, task.gaussians)
    if shape.masses:
        return dirac.mass(e, state, _exacting(task), expectation)
    if not task.exists:
        branches = change_of_measure.by_branches(e, task.gaussians)
        if branches is not None:
            return total([product(b, state, _exacting(task)) for b in branches if b is not ZERO])
    if shape.exponent is not ZERO:
        try:
            log, size, moved = tilting.tilt(shape.exponent, state, task)
        except NotDefinite:
            # Another factor may keep it in bounds.
            return _as_it_is(e, state, task)
        task = replace(task, floor=task.floor * math.exp(min(-log, 500.0)))
        kept = [f for f in factors_of(e) if not _in_exponent(f, shape, task)]
        rest = canonical(mul(*kept))
        if log > OVERFLOW and rest is not ONE:
            # What is left keeps e^x in bounds, as 1/(1 + e^x) does, and is nothing under a law moved so far.
            return _as_it_is(e, state, task)
        if rest is ONE:
            return scaled(Outcome(1.0, 0.0, 1.0, 0, "exact algebra"), log, size=size)
        return scaled(product(rest, moved, task), log, size=size)
    if not shape.trigonometric:
        for f in factors_of(e):
            if quadratic_powers.is_power_of_square(f, task.gaussians):
                o = quadratic_powers.power_of_square(f, e, state, _exacting(task), expectation)
                if o is not None:
                    return o
    if shape.trigonometric or not shape.factors:
        return tilting.exact(shape, state, task)
    by_parts = stein.by_steins_lemma(e, shape, state, _exacting(task), expectation)
    if by_parts is not None:
        return by_parts
    return _perhaps_heavy(e, shape, state, task)


def _as_it_is(e: Expr, state: State, task: Task) -> Outcome:
    """E of a product whose exponentials are factors like others."""
    return _perhaps_heavy(e, shape_of(e, task.gaussians, False), state, task)


def _perhaps_heavy(e: Expr, shape: Shape, state: State, task: Task) -> Outcome:
    """By a quadrature, under a wider law where tails may be too heavy for its reach, which is far in one variable."""
    wider = None
    if not task.exists and len(shape.forms) > 1 and may_grow(e, task.gaussians):
        wider = change_of_measure.widened(e, state, task)
    if wider is None:
        try:
            return quadrature(reduced(shape, state, task), task)
        except Unsettled:
            wider = None if task.exists else change_of_measure.widened(e, state, task)
            if wider is None:
                raise
    return _under_a_wider_law(*wider, task)


def _under_a_wider_law(log: float, e: Expr, state: State, task: Task) -> Outcome:
    task = replace(task, floor=task.floor * math.exp(-log))
    return scaled(quadrature(reduced(shape_of(e, task.gaussians, False), state, task), task), log, how="wider law")


def reduced(shape: Shape, state: State, task: Task) -> Integrand:
    """The integrand, with one variable smoothed away in closed form where there is one to smooth."""
    factored = None
    if len(shape.forms) + len(shape.polynomial) > 2 and len(shape.forms) > 1 and not task.rough:
        factored = common_factors(shape, state, task.env)
        # Where a kink is left sharp, more dimensions without it beat fewer with it, unless they are very few.
        if factored is not None and (factored.rank <= 2 or not is_sharp(factored)):
            return factored
    f = _directly(shape, state, task)
    return f if factored is None or f.rank < 6 or f.rank <= factored.rank else factored


def _directly(shape: Shape, state: State, task: Task) -> Integrand:
    """The integrand over the variables themselves, one of them smoothed away in closed form if it can be."""
    if len(shape.forms) > 1:
        smoothed = smoothed_given_rest(shape, state, task.env, task.slack)
        if smoothed is not None:
            return smoothed
        pieces = by_pieces(shape, state, task.env, task.slack)
        if pieces is not None:
            return pieces
        last = _straightening(shape)
        if last is not None:
            return build(shape, state, task.env, last=last, slack=task.slack)
        last = form_to_smooth(shape, task.env)
        if last is not None:
            f = build(shape, state, task.env, last=last, slack=task.slack)
            return (without_last(f, last, task.env) or f) if f.rank > 1 else f
    return build(shape, state, task.env, slack=task.slack)


def _in_exponent(f: Expr, shape: Shape, task: Task) -> bool:
    from netsor.gaussian.symbolic.expansion import exponent_of

    q = exponent_of(f)
    return q is not None and is_quadratic(q, task.gaussians)


def _straightening(shape: Shape) -> Sym | None:
    """A form in which every curved break is affine: integrated first, it meets each of them once."""
    forms = frozenset(shape.form_symbols)
    curved = [b.at for b in shape.breaks if b.kind != "soft" and affine(b.at, forms) is None]
    if not curved:
        return None
    for s in shape.form_symbols:
        if all(s in at.free and affine(at, frozenset((s,))) is not None for at in curved):
            return s
    return None


def quadrature(f: Integrand, task: Task) -> Outcome:
    """E F by the rule that suits its dimension."""
    o = _by_dimension(f, task)
    if f.closed:
        # Interpolated factors are good to some 1e-14, and the split of the covariance to its defect.
        tables = sum(isinstance(c.g, Table) for c in f.closed)
        slack = ((3e-15 + 20 * f.defect) * len(f.closed) + 7e-15 * tables) * o.scale
        # Terms that cancel in closed form, as in 1 − 2Φ, are of what is averaged too.
        o = replace(o, error=o.error + slack, scale=max(o.scale, averaged(f)))
    ends = moved(f)
    if ends is not None and f.rank <= 3:
        if f.rank == 1:
            rough = line.integrate(ends)
        else:
            rough = adaptive.integrate(ends, 0.1, task.clock, _part(task.clock, 0.1))
        o = replace(o, error=o.error + 2 * rough.scale)
    return replace(o, error=o.error + rounding(f)) if f.rank > 1 else o


def _by_dimension(f: Integrand, task: Task) -> Outcome:
    # In few dimensions ten more digits are cheap, and what is built on this one will want them.
    spare = {2: 1e-4, 3: 0.3}.get(f.rank, 0.5)
    tol = max(spare * min(task.tol, 1e-6), 1e-13)
    if f.rank == 0:
        value = float(f(np.zeros((0, 1)))[0])
        if not math.isfinite(value):
            raise Divergent("the integrand has no value where its argument is constant")
        return Outcome(value, 4 * EPS * abs(value), abs(value), 0, "exact algebra")
    if f.rank == 1:
        return _outcome(
            line.integrate(f), 1, "closed form + quadrature 1-D" if f.closed or f.given else "quadrature 1-D"
        )
    if not task.exists:
        poles.refuse(f)
    how = " + closed form" if f.closed or f.given else ""
    if task.rough and f.rank >= 3:
        return _outcome(lattice.rough(f, f.rank) if f.rank <= 6 else qmc.rough(f), f.rank, "rough")
    centred = not f.given and not np.abs(f.shift).max(initial=0.0)
    if 2 <= f.rank <= 6 and centred and _is_radial(f) and _through_origin(f):
        radial = _radial(replace(f, radial=True), tol, task, how)
        if radial is not None:
            return radial
    found: list[tuple[Quadrature, str]] = []
    for name, rule in _rules(f, tol, task):
        if name == "quasi-Monte Carlo" and any(p.error < _BEYOND_DRAWS * p.scale for p, _ in found):
            break
        q = rule()
        found.append((q, name))
        goal = max((_DEEP[f.rank] if name == "lattice" else task.tol) * q.scale, task.floor)
        if math.isfinite(q.error) and q.error <= goal:
            break
    q, name = _best(found)
    q = _held_to_draws(q, f) if f.surfaces or f.given else q
    return _outcome(q, f.rank, name + ("" if name == "quasi-Monte Carlo" else f" {f.rank}-D") + how)


def _rules(f: Integrand, tol: float, task: Task) -> Iterator[tuple[str, Callable[[], Quadrature]]]:
    """The rules that may do for an integrand, the most promising first; the next is tried where one falls short."""
    slope = max((float(np.linalg.norm(p.a)) / p.soft for p in f.planes if p.soft), default=1.0)
    clock = task.clock
    steep = not f.radial and steepest(f) >= _STEEP
    smooth = not is_sharp(f) and not steep
    if smooth and f.rank <= 6 and (slope < 4 or f.rank > 4):
        yield "lattice", lambda: lattice.integrate(f, f.rank, tol, clock, slope)
    wary = bool(f.surfaces) or bool(f.given) or steep or _is_radial(f)
    if f.rank == 2:
        yield "adaptive quadrature", lambda: adaptive.integrate(f, tol, clock, None, task.floor)
    elif f.rank == 3:
        if not wary or not steep and f.given and not _is_radial(f) and nested.knows_all_breaks(f):
            yield "quadrature", lambda: nested.integrate(f, tol, clock, wary, _part(clock, 0.1), task.floor)
        yield "adaptive quadrature", lambda: adaptive.integrate(f, tol, clock, _part(clock, 0.8), task.floor)
    elif f.rank <= 6:
        yield "quadrature", lambda: nested.integrate(f, tol, clock, wary, _part(clock, 0.5), task.floor)
        if f.rank == 4:
            least = 0.3 * task.tol
            yield "adaptive quadrature", lambda: adaptive.integrate(f, least, clock, _part(clock, 0.5), task.floor)
    if f.rank > 2:
        yield "quasi-Monte Carlo", lambda: qmc.integrate(f, tol, clock)


def _part(clock: Clock, share: float) -> float | None:
    """Seconds for one rule of several."""
    return max(share * clock.left(), 0.3) if math.isfinite(clock.left()) else None


def _radial(g: Integrand, tol: float, task: Task, how: str) -> Outcome | None:
    """What is singular at the origin, spread over all scales; None where that does not get far."""
    if any(p.kind in ("jump", "kink") for p in g.planes):
        if g.rank > 4:
            return None
        q = nested.integrate(replace(g, surfaces=[]), max(tol, 0.2 * task.tol), task.clock)
        return _outcome(q, g.rank, f"radial quadrature {g.rank}-D{how}")
    q = lattice.integrate(g, g.rank, max(tol, 0.1 * task.tol), task.clock)
    if math.isfinite(q.error) and (q.error <= task.tol * q.scale or g.rank > 3):
        return _outcome(q, g.rank, f"radial lattice {g.rank}-D{how}")
    return None


def _held_to_draws(q: Quadrature, f: Integrand) -> Quadrature:
    """The rule's error, or the gap to sample means that contradict it: a small curved region may be missed.

    Draws of the law see islands, but not what is far out, of which their spread says nothing; draws that are spread
    twice as wide and weighted see both, less sharply. Both must contradict, neither by a few draws alone.
    """
    z = np.random.default_rng(20210721).standard_normal((f.rank, _DRAWS))
    gaps = []
    size = 0.0
    for wide in (1.0, _WIDER):
        with np.errstate(all="ignore"):
            v = f(wide * z) * (wide**f.rank * np.exp(-0.5 * (wide * wide - 1) * (z * z).sum(axis=0)))
        if not np.isfinite(v).all():
            continue
        mean, spread = float(v.mean()), float(v.std()) / math.sqrt(_DRAWS)
        gap = abs(mean - q.value)
        few = float(np.abs(v).max()) > _FEW * float(np.abs(v).sum())
        if q.scale > 0 and (few or spread == 0 or gap <= q.error + 6 * spread):
            return q
        if spread == 0:
            # Of a rule that saw nothing either, the other draws tell.
            continue
        gaps.append(gap + 6 * spread)
        size = max(size, float(np.abs(v).mean()))
    return q._replace(error=max(q.error, min(gaps)), scale=max(q.scale, size)) if gaps else q


def _best(found: list[tuple[Quadrature, str]]) -> tuple[Quadrature, str]:
    """The rule with the least error, which grows where another one contradicts it."""
    known = [x for x in found if math.isfinite(x[0].error)]
    if not known:
        return found[-1]
    q, name = min(known, key=lambda x: x[0].error)
    apart = max((abs(q.value - p.value) for p, _ in known if abs(q.value - p.value) > q.error + p.error), default=0.0)
    return q._replace(error=max(q.error, apart)), name


def _is_radial(f: Integrand) -> bool:
    """Whether a fractional or negative power of something that vanishes at the origin occurs, as in x/|x|."""
    known = frozenset(f.forms)
    origin = {**dict.fromkeys(f.forms, 0.0), **dict(zip(f.scalars, f.values))}
    for g in f.factors:
        for node in postorder(g):
            if isinstance(node, Pow) and isinstance(node.exponent, Const) and len(node.base.free & known) > 1:
                k = node.exponent.value
                if (k < 0 or not isinstance(k, int)) and affine(node.base, known) is None:
                    at = evaluate(node.base, origin)
                    if not math.isfinite(at) or abs(at) < 1e-6:
                        return True
    return False


def _through_origin(f: Integrand) -> bool:
    """Whether every break is a plane through the origin, which the radial map leaves where it is."""
    straight = all(abs(p.b) <= 1e-12 for p in f.planes if p.kind in ("jump", "kink", "edge"))
    return straight and all(s.kind == "singular" for s in f.surfaces)


def is_sharp(f: Integrand) -> bool:
    """Whether something happens within less than 0.4 standard deviations that a lattice would not see."""
    return (
        bool(f.surfaces)
        or any(h.is_sharp(f) for h in f.given)
        or any(
            p.kind != "soft" and p.soft < 0.4 * float(np.linalg.norm(p.a)) and float(np.abs(p.a).max(initial=0.0)) > 0
            for p in f.planes
        )
    )


def _outcome(q: Quadrature, dimension: int, method: str) -> Outcome:
    if not math.isfinite(q.value):
        raise Unsettled("the integrand overflows")
    return Outcome(q.value, q.error, q.scale, dimension, method)

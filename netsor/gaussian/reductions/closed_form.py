"""The last variable integrated in closed form, or by a table, where only one form depends on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from netsor.expr import Expr, Sym, mul
from netsor.gaussian.integrand.integrand import Closed, Integrand, Plane, Values, build
from netsor.gaussian.problem import Problem
from netsor.gaussian.reductions.chebyshev import Table, table
from netsor.gaussian.reductions.reduction import Elimination
from netsor.gaussian.reductions.truncated_moments import Smoothing, smoothing
from netsor.gaussian.symbolic.structure import Shape, affine


class ClosedForm(Elimination):
    """E g(c + s z) by truncated Gaussian moments (Kan & Robotti 2017), for waves, and for Φ (Owen 1980)."""

    integrands = "one variable: piecewise Σ u^k e^{αu − qu²/2}, Φ, erf, a wave; of three or more any smooth one"
    becomes = "E g(c + s z) by truncated moments (Kan & Robotti 2017), or in Chebyshev polynomials of c"

    def eliminate(self, problem: Problem) -> Integrand | None:
        shape, env, trust = problem.shape, problem.task.env, problem.task.trust
        last = form_to_smooth(shape, env) if len(shape.forms) > 1 else None
        if last is None:
            return None
        f = build(shape, problem.law, env, last=last, trust=trust)
        return (without_last(f, last, env) or f) if f.rank > 1 else f


class Straightening(Elimination):
    """The form in which all curved breaks are affine becomes the last variable, which then meets each break once."""

    integrands = "curved breaks that are affine in one of the variables"
    becomes = "an integral over that variable first, which meets each break once"

    def eliminate(self, problem: Problem) -> Integrand | None:
        last = _straightening(problem.shape) if len(problem.shape.forms) > 1 else None
        if last is None:
            return None
        return build(problem.shape, problem.law, problem.task.env, last=last, trust=problem.task.trust)


class AllVariables(Elimination):
    """An integrand in as many variables as the affine arguments have rank."""

    integrands = "all others"
    becomes = "as many variables as the affine arguments have rank"

    def eliminate(self, problem: Problem) -> Integrand:
        return build(problem.shape, problem.law, problem.task.env, trust=problem.task.trust)


def _straightening(shape: Shape) -> Sym | None:
    """A form in which every curved break is affine: the innermost integral over it meets each break once."""
    forms = frozenset(shape.form_symbols)
    curved = [b.at for b in shape.breaks if b.kind != "soft" and affine(b.at, forms) is None]
    if not curved:
        return None
    for s in shape.form_symbols:
        if all(s in at.free and affine(at, frozenset((s,))) is not None for at in curved):
            return s
    return None


def form_to_smooth(shape: Shape, env: Values) -> Sym | None:
    """A form that is the only argument of its factors and can be smoothed in closed form, one with the most edges.

    In three or more variables a table serves for a smooth factor.
    """
    best: tuple[int, Sym] | None = None
    for s in shape.form_symbols:
        mine = [f for f in shape.factors if s in f.free]
        if any(f.free & frozenset(shape.form_symbols) != {s} for f in mine):
            continue
        g = _smoothing_of(mine, s, env)
        edges = len(g.edges) if g is not None else -1
        if g is None and (len(shape.forms) < 3 or any(b.kind != "soft" for b in shape.breaks if s in b.at.free)):
            continue
        if best is None or edges > best[0]:
            best = (edges, s)
    return best[1] if best else None


def _smoothing_of(factors: list[Expr], s: Sym, env: Values) -> Smoothing | None:
    g = mul(*factors)
    return smoothing(g, s, tuple((t, float(env[t])) for t in sorted(g.free - {s}, key=lambda t: t.digest)))


def without_last(f: Integrand, s: Sym, env: Values) -> Integrand | None:
    """The integrand with its last variable integrated in closed form; None unless only the form s depends on it."""
    i = f.forms.index(s)
    last = f.root[:, -1]
    alone = np.abs(np.delete(last, i)).max(initial=0.0) == 0.0
    if not alone or last[i] == 0 or (f.powers and np.abs(f.gain[:, -1]).max() > 0):
        return None
    mine = [g for g in f.factors if s in g.free]
    sd = abs(float(last[i]))
    smooth: Smoothing | Table | None = _smoothing_of(mine, s, env)
    if smooth is None:
        whole = mul(*mine)
        scalars = tuple((t, float(env[t])) for t in sorted(whole.free - {s}, key=lambda t: t.digest))
        reach = 11.0 * float(np.linalg.norm(f.root[i, :-1])) + abs(float(f.shift[i])) + 1e-3
        smooth = table(whole, s, sd, float(f"{reach:.2g}") * 1.1, scalars)
    if smooth is None:
        return None
    a, b = f.root[i, :-1], float(f.shift[i])
    keep = [j for j in range(len(f.forms)) if j != i]
    planes = [replace(p, a=p.a[:-1]) for p in f.planes if p.a[-1] == 0]
    planes += [Plane("edge", a, b - t, sd) for t in smooth.edges]
    if not smooth.edges:
        planes.append(Plane("soft", a, b, math.hypot(1.0, sd)))
    return replace(
        f,
        rank=f.rank - 1,
        factors=tuple(g for g in f.factors if s not in g.free),
        forms=tuple(f.forms[j] for j in keep),
        root=f.root[keep, :-1],
        shift=f.shift[keep],
        planes=planes,
        surfaces=[surface for surface in f.surfaces if s not in surface.at.free],
        gain=f.gain[:, :-1],
        closed=(*f.closed, Closed(smooth, a, b, sd)),
    )

"""One variable integrated in closed form given all others: g(α + β u) with α and β functions of the others.

relu(x y + z w) has curved kinks in four variables. Given x, y and z it is a kinked function of w alone with a known
expectation, and the remaining integrand is smooth except where β = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.expr import Const, Expr, Sym, add, canonical, evaluate, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.integrand.integrand import Integrand, Values, build, note_break, without_form
from netsor.gaussian.integrand.projection import PLACES, bands_of, in_coordinates, linear, put_band, tips_of
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import Problem, Trust
from netsor.gaussian.reductions.reduction import Elimination
from netsor.gaussian.reductions.truncated_moments import Smoothing, smoothing
from netsor.gaussian.symbolic.structure import Break, Shape, affine
from netsor.gaussian.symbolic.zero_sets import exchanged

Array = np.ndarray
_INNER = Sym(("inner", 0))


@dataclass(frozen=True)
class GivenRest:
    """x ↦ E g(α(x) + β(x) (a·x + b + s z)) over a standard normal z."""

    g: Smoothing
    offset: Expr
    slope: Expr
    a: Array
    b: float
    s: float

    def value(self, f: Integrand, x: Array) -> Array:
        """The value at the columns of x; coordinates that are missing in x do not matter."""
        run = lambdify((self.offset, self.slope), (*f.forms, *f.scalars))
        k = len(x)
        alpha, beta = run(*(f.root[:, :k] @ x + f.shift[:, None]), *f.values)
        centre = alpha + beta * (self.a[:k] @ x + self.b)
        spread = np.abs(beta) * self.s + np.zeros(x.shape[1])
        size = 1e-14 * (np.abs(centre) + self.s) + 1e-280
        return self.g(centre + np.zeros(x.shape[1]), np.maximum(spread, size))

    def is_sharp(self, f: Integrand) -> bool:
        """Whether the slope β vanishes somewhere, where nothing is smoothed."""
        return bool(self.slope.free & frozenset(f.forms))

    def last_variable(self, f: Integrand) -> int:
        """The last coordinate that it depends on."""
        used = [i for i, s in enumerate(f.forms) if s in self.offset.free | self.slope.free]
        rows = np.abs(np.vstack([self.a[None], f.root[used]]))
        there = np.flatnonzero((rows > 1e-15 * rows.max(axis=1, keepdims=True, initial=1e-300)).any(axis=0))
        return int(there[-1]) if len(there) else 0

    def tips(self, f: Integrand) -> list[list[Expr]]:
        """For each level the functions over whose zeros an inner interval ends.

        Where the slope vanishes g is not smoothed; a break of g occurs there where the offset vanishes too.
        """
        return tips_of(f, (self.offset, self.slope))

    def bands(self, f: Integrand) -> list[list[tuple[Expr, ...]]]:
        """For each level the functions that vanish where an edge of g passes given places z."""
        out = bands_of(f)
        offset, slope = in_coordinates(f, self.offset), in_coordinates(f, self.slope)
        for edge in self.g.edges:
            at = (linear(self.a, self.b + self.s * z) for z in PLACES)
            put_band(out, [canonical(add(offset, mul(slope, u), Const(-edge))) for u in at])
        return out


class GivenTheRest(Elimination):
    """E[g(α + βu) | the other variables] in closed form (the tower property), which removes curved kinks."""

    integrands = "a variable u in which all curved breaks are affine, as in relu(x y + z w)"
    becomes = "E g(α + β u) in closed form, with α and β functions of the other variables"

    def eliminate(self, problem: Problem) -> Integrand | None:
        if len(problem.shape.forms) < 2:
            return None
        return smoothed_given_rest(problem.shape, problem.law, problem.task.env, problem.task.trust)


def smoothed_given_rest(shape: Shape, state: State, env: Values, trust: Trust) -> Integrand | None:
    """The integrand without a variable in which all its curved breaks are affine; None where there is none."""
    forms = frozenset(shape.form_symbols)
    curved = [b.at for b in shape.breaks if b.kind != "soft" and affine(b.at, forms) is None]
    candidates: list[tuple[bool, Sym, Expr]] = []
    for s in shape.form_symbols if curved else ():
        inner = _argument([f for f in shape.factors if s in f.free], s)
        if inner is not None and all(s in at.free for at in curved):
            slopes, _ = affine(inner, frozenset((s,)))  # type: ignore[misc]
            if s in slopes:
                candidates.append((bool(slopes[s].free & forms), s, inner))
    # Forms with a constant slope come first, since they leave no sharp places.
    for _, s, inner in sorted(candidates, key=lambda c: c[0]):
        found = _without(shape, s, inner, build(shape, state, env, last=s, trust=trust), env)
        if found is not None:
            return found
    return None


def _argument(factors: list[Expr], s: Sym) -> Expr | None:
    """The one affine function of s through which the factors depend on s; None where there are several."""
    found: set[Expr] = set()
    stack = list(factors)
    while stack:
        e = stack.pop()
        if s not in e.free:
            continue
        if affine(e, frozenset((s,))) is not None:
            found.add(e)
        else:
            stack.extend(e.children)
    return found.pop() if len(found) == 1 else None


def _without(shape: Shape, s: Sym, inner: Expr, f: Integrand, env: Values) -> Integrand | None:
    i = f.forms.index(s)
    if f.rank < 2 or np.abs(np.delete(f.root[:, -1], i)).max(initial=0.0) > 0 or f.root[i, -1] == 0:
        return None
    if f.powers and np.abs(f.gain[:, -1]).max() > 0:
        return None
    outer = canonical(exchanged(mul(*(g for g in f.factors if s in g.free)), inner, _INNER))
    if outer.free & frozenset(f.forms):
        return None
    g = smoothing(
        outer, _INNER, tuple((t, float(env[t])) for t in sorted(outer.free - {_INNER}, key=lambda t: t.digest))
    )
    if g is None:
        return None
    slopes, offset = affine(inner, frozenset((s,)))  # type: ignore[misc]
    row = np.where(np.abs(f.root[i]) <= 4e-15 * np.linalg.norm(f.root[i]), 0.0, f.root[i])
    closed = GivenRest(g, offset, slopes[s], row[:-1], float(f.shift[i]), abs(float(f.root[i, -1])))
    out = without_form(f, shape, s, env, closed)
    # Where the slope vanishes the function is not smoothed and has its kinks.
    if closed.slope.free & frozenset(out.forms):
        note_break(out, Break("kink", closed.slope), env)
    elif evaluate(closed.slope, dict(env)) == 0:
        return None
    return out

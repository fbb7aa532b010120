"""Dirac masses: conditioning on the plane where they lie, and integration by parts for their derivatives."""

from __future__ import annotations

import math

import numpy as np

from netsor.expr import Const, Expr, Sym, add, canonical, diff, evaluate, is_singular, mul, substitute
from netsor.expr.functions import dirac, is_mass, mass_order
from netsor.gaussian.integrand.integrand import build, value_of
from netsor.gaussian.law import rational
from netsor.gaussian.law.gaussian_law import RANK, State, pivoted_root
from netsor.gaussian.problem import NOTHING, Method, NoPointwiseMeaning, NotTaken, Outcome, Problem, Stage, Task, Trust
from netsor.gaussian.reductions.reduction import Reduction, Sum, Weighted
from netsor.gaussian.rules import level_sets
from netsor.gaussian.symbolic.expansion import expand, factors_of, integer_power
from netsor.gaussian.symbolic.structure import affine, shape_of

# Two places count as one if their distance is smaller than this share of the deviations.
_SAME_POINT = 1e-12


class DiracMass(Reduction):
    """E δ(u) F = density(u = 0) E[F | u = 0]; derivatives of δ by integration by parts (Gel'fand & Shilov 1964)."""

    integrands = "a Dirac mass δ(u), or a derivative of one, as a factor"
    becomes = "the others given u = 0, times the density there; on curves, the co-area formula (Federer 1969)"
    method = Method.DIRAC

    def reduce(self, problem: Problem) -> Sum | None:
        if problem.stage >= Stage.AS_IT_IS:
            return None
        verify(problem.integrand)
        return mass(problem.integrand, problem.law, problem.task.exacting()) if problem.shape.masses else None


def mass(e: Expr, state: State, task: Task) -> Sum:
    """E δ(u) F = density(u = 0) E[F | u = 0]; E δ'(u) F = E δ(u) ((u − E u) F / Var u − ∂F along Σa/Var u)."""
    factors = list(factors_of(e))
    orders = {i: order for i, f in enumerate(factors) if (order := mass_order(f)) is not None}
    if not orders:
        raise NoPointwiseMeaning("a power of a Dirac mass")
    # Masses come before their derivatives, because integrating another mass by parts would only move the derivative
    # back.
    first = min(orders, key=orders.__getitem__)
    delta, order = factors.pop(first), orders[first]
    rest = canonical(mul(*factors))
    u = delta.children[0]
    parts = affine(u, task.gaussians)
    if parts is None:
        return Sum((_mass_on_curve(u, order, rest, state, task),))
    linear, constant = parts
    a = state.vector([(s, value_of(c, task.env)) for s, c in linear.items()])
    c = value_of(constant, task.env)
    density, _slope, gain, given = state.on(a, c)
    if density == 0.0:
        return Sum((NOTHING,))
    _refuse_jumps(rest, given, state, task)
    if order == 0:
        return Sum((Weighted(Problem(rest, given, task), density, method=Method.DIRAC),))
    variance = float(a @ state.covariance @ a)
    mean = float(a @ state.mean) + c
    lower = dirac(u, order - 1)
    weighted = mul(add(u, Const(-mean)), Const(1 / variance), rest)
    slopes = [
        mul(Const(-float(g)), diff(rest, s))
        for s, g in zip(state.symbols, gain, strict=True)
        if s in rest.free and g != 0
    ]
    inner = canonical(add(weighted, *slopes))
    terms = expand(inner, task.gaussians)
    moved = [mul(Const(t.coefficient), t.scalar, t.product, lower) for t in terms]
    return Sum(tuple(Weighted(Problem(canonical(m), state, task)) for m in moved))


def _refuse_jumps(rest: Expr, given: State, before: State, task: Task) -> None:
    shape = shape_of(rest, task.gaussians) if rest.free & task.gaussians else None
    if shape is None:
        return
    try:
        f = build(shape, given, task.env, trust=Trust.UNCERTAIN)
    except KeyError:
        return
    size = float(np.sqrt(np.abs(given.variances)).max(initial=0.0))
    for p in f.planes:
        flat = float(np.abs(p.a).max(initial=0.0)) <= 1e-7 * max(size, 1e-300)
        if p.kind == "jump" and flat and abs(p.b) <= 1e-12 * (1 + size):
            raise NoPointwiseMeaning("a Dirac mass meets a jump at the same point")
    for m in shape.masses:
        parts = affine(m[1], task.gaussians)
        if parts:
            a = given.vector([(s, value_of(c, task.env)) for s, c in parts[0].items()])
            c = value_of(parts[1], task.env)
            least = rational.NOTHING if task.trust is Trust.EXACT else RANK * 10
            if float(a @ given.covariance @ a) > least * float(a**2 @ before.variances):
                continue
            # Given u = 0 the argument of the other mass is constant: if it is 0 the two coincide, otherwise they do not
            # meet.
            size = float(np.abs(a) @ (np.abs(given.mean) + np.sqrt(np.abs(before.variances)))) + abs(c)
            if abs(float(a @ given.mean) + c) <= _SAME_POINT * size:
                raise NoPointwiseMeaning("two Dirac masses at the same point")


def verify(e: Expr) -> None:
    """Raise NoPointwiseMeaning for a function of a Dirac mass, unless it is the mass itself as a factor."""
    if is_singular(e):
        for f in factors_of(e):
            base, k = integer_power(f)
            if not is_mass(base) or k < 1:
                if is_singular(f):
                    raise NoPointwiseMeaning("a function of a Dirac mass has no meaning")
            elif is_singular(base.children[0]):
                raise NoPointwiseMeaning("a function of a Dirac mass has no meaning")


def _mass_of_number(u: float) -> Outcome:
    """E δ(u) F of a number u, as where all variances are zero."""
    if u == 0 or math.isnan(u):
        raise NoPointwiseMeaning("a Dirac mass stands where its argument always is")
    if abs(u) < _SAME_POINT:
        raise NotTaken("a Dirac mass may stand where its argument always is")
    return NOTHING


def _mass_on_curve(u: Expr, order: int, rest: Expr, state: State, task: Task) -> Outcome:
    """E δ(u) F = ∫ over directions ω of Σ over the roots r > 0 of u(r ω) of F φ(r) r^(k−1) / |∂u/∂r|.

    This is the co-area formula on rays from the mean (Federer, Geometric Measure Theory, 3.2.12); in one variable there
    are two directions, in two and three variables those of a circle and a sphere. Raises NotTaken for derivatives of
    masses, for masses within each other, and in more than three variables.
    """
    if order:
        raise NotTaken("it has the derivative of a Dirac mass on a curve")
    symbols = tuple(sorted((u.free | rest.free) & task.gaussians, key=lambda s: s.digest))
    index = [state.symbols.index(s) for s in symbols]
    c = state.covariance[np.ix_(index, index)]
    root, _ = pivoted_root(c, RANK * len(c) * state.variances[index], trust=task.trust)
    rank = root.shape[1]
    if rank > 3:
        raise NotTaken("it has a Dirac mass on a surface in more than three variables")
    lines = tuple(Sym(("line", j)) for j in range(rank))
    along = {
        s: add(*(mul(Const(float(root[i, k])), t) for k, t in enumerate(lines)), Const(float(state.mean[j])))
        for i, (s, j) in enumerate(zip(symbols, index))
    }
    there = canonical(substitute(u, along))
    weight = canonical(substitute(rest, along))
    if is_singular(there) or is_singular(weight):
        raise NotTaken("it has nested Dirac masses on curves")
    scalars = tuple(sorted((there.free | weight.free) - set(lines), key=lambda s: s.digest))
    fixed: dict[Sym, Expr] = {s: Const(float(task.env[s])) for s in scalars}
    there, weight = (canonical(substitute(e, fixed)) for e in (there, weight))
    if not lines:
        return _mass_of_number(evaluate(there, {}))
    return level_sets.integrate(there, weight, lines)

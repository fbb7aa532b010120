"""Products with a power of a nonnegative quadratic form, by Laplace's integral (see `laplace`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from netsor.expr import ONE, Const, Expr, Pow, Sym, add, canonical, is_singular, mul, postorder
from netsor.expr.arrays import lambdify
from netsor.gaussian.existence.divisors import divides
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.integrand.integrand import value_of
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import OVERFLOW, Method, Outcome, Problem, Stage, Step, Steps, Task, scaled, total
from netsor.gaussian.reductions import laplace
from netsor.gaussian.reductions.reduction import Reduced, Reduction, Solve, Sum, Weighted, evaluate_in_turn
from netsor.gaussian.reductions.tilting import quadratic
from netsor.gaussian.symbolic.expansion import Gaussians, Term, expand, factors_of
from netsor.gaussian.symbolic.structure import affine, is_quadratic

Array = np.ndarray


class Terms(Reduction):
    """A sum term by term, except for terms that share a singular power of a form and may be finite together."""

    integrands = "a sum"
    becomes = "its terms"

    def reduce(self, problem: Problem) -> Reduced | None:
        if problem.stage is not Stage.SUM:
            return None
        task = problem.task
        groups = grouped(expand(problem.integrand, task.gaussians), task.gaussians)
        if len(groups) > 1 and any(_may_not_exist(t, task.gaussians) for group in groups for t in group):
            return Sum((Weighted(replace(problem, stage=Stage.AS_IT_IS)),))
        task = task.divided(len(groups))
        parts: list[Reduced] = []
        for group in groups:
            whole = _of_terms(group, replace(problem, task=task.exacting())) if len(group) > 1 else None
            parts += [whole] if whole is not None else [_one(t, replace(problem, task=task)) for t in group]
        return Together(tuple(parts))


def _may_not_exist(t: Term, gaussians: Gaussians) -> bool:
    """Whether a term has a divisor so singular that it may have an expectation only together with others."""
    return divides(t.product, gaussians) and not integrable(t.product, gaussians)


@dataclass(frozen=True)
class Together:
    """Σ of sums and integrals."""

    parts: tuple[Reduced, ...]
    unless: tuple[type[Exception], ...] = ()

    def evaluate(self, solve: Solve) -> Outcome:
        return total(evaluate_in_turn(self.parts, solve))


def _one(t: Term, problem: Problem) -> Sum:
    c = t.coefficient * value_of(t.scalar, problem.task.env)
    if t.product is ONE:
        return Sum((Outcome(c, 0.0, abs(c)),))
    part = Problem(t.product, problem.law, problem.task.divided(abs(c)), Stage.PRODUCT)
    return Sum((Weighted(part, c),))


class QuadraticPower(Reduction):
    """b^{−p} = ∫₀^∞ t^{p−1} e^{−tb} dt / Γ(p) (Abramowitz & Stegun 6.1.1), where e^{−tb} changes the law."""

    integrands = "a fractional or negative power of a nonnegative quadratic form, as in batchnorm"
    becomes = "an integral over Laplace transforms, each under a law changed by e^{−tb} (Abramowitz & Stegun 6.1.1)"
    method = Method.LAPLACE

    def reduce(self, problem: Problem) -> Reduced | None:
        if problem.stage >= Stage.AS_IT_IS or problem.shape.trigonometric or problem.task.clock.left() <= 0:
            return None
        for f in factors_of(problem.integrand):
            if is_power_of_square(f, problem.task.gaussians):
                assert isinstance(f, Pow)
                others = list(factors_of(problem.integrand))
                others.remove(f)
                items = [(1.0, f, canonical(mul(*others)))]
                found = over_square(f.base, items, problem.law, problem.task.exacting())
                if found is not None:
                    return found
        return None


def is_power_of_square(f: Expr, gaussians: Gaussians) -> bool:
    if not isinstance(f, Pow) or not isinstance(f.exponent, Const) or not f.base.free & gaussians:
        return False
    k = f.exponent.value
    # Powers of functions of one variable and of affine functions are treated as ordinary functions.
    return (
        len(f.base.free & gaussians) > 1
        and (k < 0 or not isinstance(k, int))
        and affine(f.base, gaussians) is None
        and is_quadratic(f.base, gaussians)
    )


def singular_base(product: Expr, gaussians: Gaussians) -> Expr | None:
    """A quadratic form whose power in a product is so negative that the product may not be integrable alone.

    Terms that diverge one by one may have a finite sum: ∂(u/|u|) is a sum of terms like u_i u_j/|u|³ and |u|⁻¹.
    """
    for f in factors_of(product):
        if is_power_of_square(f, gaussians):
            assert isinstance(f, Pow) and isinstance(f.exponent, Const)
            if f.exponent.value < 0 and len(f.base.free & gaussians) - 1 <= -2 * f.exponent.value:
                return f.base
    return None


def needs_company(e: Expr, gaussians: Gaussians) -> bool:
    """Whether a sum inside an expression has terms that may be finite only as a sum."""
    return any(
        isinstance(node, Pow) and singular_base(node, gaussians) is not None
        for node in postorder(e)
        if node.free & gaussians
    )


def grouped(terms: Sequence[Term], gaussians: Gaussians) -> list[list[Term]]:
    """The terms of a sum, grouped by the quadratic form of their singular power."""
    out: list[list[Term]] = []
    place: dict[Expr, int] = {}
    for t in terms:
        base = singular_base(t.product, gaussians) if t.product is not ONE else None
        if base is None:
            out.append([t])
        elif base in place:
            out[place[base]].append(t)
        else:
            place[base] = len(out)
            out.append([t])
    return out


def _of_terms(terms: Sequence[Term], problem: Problem) -> LaplaceIntegral | None:
    """E of terms that share singular powers of a quadratic form, as one integral."""
    base = singular_base(terms[0].product, problem.task.gaussians)
    assert base is not None
    items = []
    for t in terms:
        others = list(factors_of(t.product))
        f = next(f for f in others if is_power_of_square(f, problem.task.gaussians) and f.base is base)  # type: ignore[attr-defined]
        others.remove(f)
        items.append((t.coefficient * value_of(t.scalar, problem.task.env), f, canonical(mul(*others))))
    return over_square(base, items, problem.law, problem.task)


@dataclass(frozen=True)
class LaplaceIntegral:
    """front · ∫₀^∞ t^{p−1} E_t[whole · shares(t)] dt / Γ(p), with E_t under the law changed by e^{−t b}.

    b = least + (z − centre)' square (z − centre).
    """

    whole: Expr
    law: State
    task: Task
    square: Array
    centre: Array
    least: float
    typical: float
    # For each power its symbol, coefficient and exponent.
    shares: tuple[tuple[Sym, float, float], ...]
    front: float
    unless: tuple[type[Exception], ...] = ()

    def evaluate(self, solve: Solve) -> Outcome:
        p = max(w[2] for w in self.shares)
        task = self.task
        dimension: dict[Steps, int] = {}
        tol = 1e-4 if task.rough else max(0.1 * task.tol, 1e-13)

        def inner(t: float) -> tuple[float, float, float]:
            log, moved = self.law.tilted_about(2 * t * self.square, self.centre, -t * max(self.least, 0.0))
            if log < -OVERFLOW:
                return 0.0, 0.0, 0.0
            env = dict(task.env)
            if len(self.shares) > 1:
                env.update((s, w * math.gamma(p) / math.gamma(r) * t ** (r - p)) for s, w, r in self.shares)
            inside = replace(task, tol=max(0.1 * task.tol, 1e-13), env=env)
            o = scaled(solve(Problem(self.whole, moved, inside)), log)
            dimension[o.steps] = max(dimension.get(o.steps, 0), o.dimension)
            return o.value, o.error, o.scale

        value, error, scale = laplace.integrate(inner, p, self.typical, tol, min(w[2] for w in self.shares))
        steps = dict.fromkeys(s for way in dimension for s in way if s.method is not Method.EXACT)
        c = self.front
        ways = (Step(Method.LAPLACE), *steps)
        return Outcome(c * value, abs(c) * error, abs(c) * scale, 1 + max(dimension.values()), ways)


def over_square(
    base: Expr, items: Sequence[tuple[float, Expr, Expr]], state: State, task: Task
) -> LaplaceIntegral | None:
    """E Σ coefficient · power of b · rest, for (coefficient, power, rest) and a nonnegative quadratic form b.

    With b^{−p} = ∫ t^{p−1} e^{−tb} dt / Γ(p) the terms are added under one integral, so that terms which diverge one by
    one may have a finite sum. None where b is not such a form.
    """
    # At each of thousands of nodes there is an expectation of as many variables.
    task.verify_few(len(base.free & task.gaussians))
    if len(items) > 1:
        state = _without_idle_directions(base, items, state, task)
    q, b, c = quadratic(base, state, task)
    square = -q / 2
    values, vectors = np.linalg.eigh(square)
    size = float(np.abs(values).max(initial=0.0))
    if size == 0 or values[0] < -1e-12 * size:
        return None
    keep = values > 1e-12 * size
    # Rounding errors of zero eigenvalues would matter after multiplication by a large t.
    square = (vectors[:, keep] * values[keep]) @ vectors[:, keep].T
    centre = -0.5 * (vectors[:, keep] / values[keep]) @ (vectors[:, keep].T @ b)
    least = c + 0.5 * float(b @ centre)
    if (
        np.abs(b + 2 * square @ centre).max(initial=0.0) > 1e-10 * (1 + np.abs(b).max(initial=0.0))
        or least < -1e-13 * size
        or int(keep.sum()) == 1
    ):
        return None
    typical = (
        abs(least)
        + float(np.trace(square @ state.covariance))
        + float((state.mean - centre) @ square @ (state.mean - centre))
    )
    if not typical > 0:
        return None
    weights: list[tuple[Sym, float, float]] = []
    parts: list[Expr] = []
    for i, (coefficient, f, rest) in enumerate(items):
        assert isinstance(f, Pow) and isinstance(f.exponent, Const)
        k = float(f.exponent.value)
        raised = max(0, math.ceil(k))
        # If another factor contains the form, its expectation stays as hard, and would be needed for every t.
        if raised == k or any(base in postorder(g) and not _is_power(g, base) for g in factors_of(rest)):
            return None
        share = Sym(("share", base.digest, i))
        weights.append((share, coefficient, raised - k))
        parts.append(mul(*([share] if len(items) > 1 else []), rest, *[base] * raised))
    front = items[0][0] if len(items) == 1 else 1.0
    whole = canonical(add(*parts))
    return LaplaceIntegral(whole, state, task, square, centre, least, typical, tuple(weights), front)


def _without_idle_directions(base: Expr, items: Sequence[tuple[float, Expr, Expr]], state: State, task: Task) -> State:
    """The law without the directions on which neither the form nor the whole sum depends.

    In (u_i − mean) / |u − mean| the mean cancels exactly; left in, it would cancel numerically, and lose more digits
    the closer the form is to a singular point.
    """
    q, b, _ = quadratic(base, state, task)
    used = np.flatnonzero(np.abs(q).sum(axis=0))
    values, vectors = np.linalg.eigh(-q[np.ix_(used, used)] / 2)
    idle = vectors[:, np.abs(values) <= 1e-12 * float(np.abs(values).max())]
    if not idle.shape[1] or np.abs(idle.T @ b[used]).max() > 1e-12 * (1 + np.abs(b).max()):
        return state
    whole = canonical(add(*(mul(Const(c), f, rest) for c, f, rest in items)))
    scalars = tuple(sorted(whole.free - frozenset(state.symbols), key=lambda s: s.digest))
    if any(is_singular(rest) for _, _, rest in items) or not all(s in task.env for s in scalars):
        return state
    run = lambdify((whole,), (*state.symbols, *scalars))
    rng = np.random.default_rng(17)
    x = rng.standard_normal((len(state.symbols), 12))
    moved = x.copy()
    moved[used] += idle @ rng.standard_normal((idle.shape[1], 12))
    with np.errstate(all="ignore"):
        here, there = (np.asarray(run(*y, *(task.env[s] for s in scalars))[0], float) for y in (x, moved))
    if not np.allclose(here, there, rtol=1e-9, atol=1e-11 * float(np.abs(here).max(initial=0.0))):
        return state
    project = np.eye(len(state.symbols))
    project[np.ix_(used, used)] -= idle @ idle.T
    return replace(state, mean=project @ state.mean, covariance=project @ state.covariance @ project.T)


def _is_power(g: Expr, base: Expr) -> bool:
    return g is base or isinstance(g, Pow) and g.base is base

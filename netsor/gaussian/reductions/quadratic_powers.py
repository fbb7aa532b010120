"""Products with a power of a nonnegative quadratic form, by Laplace's integral (see `laplace`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from netsor.expr import ONE, Const, Expr, Pow, Sym, add, canonical, is_singular, mul, postorder
from netsor.expr.arrays import lambdify
from netsor.gaussian.integrand.integrand import value_of
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.reductions import laplace
from netsor.gaussian.reductions.tilting import quadratic
from netsor.gaussian.symbolic.expansion import Gaussians, Term, factors_of
from netsor.gaussian.symbolic.structure import affine, is_quadratic
from netsor.gaussian.task import OVERFLOW, Outcome, Task, scaled

Expectation = Callable[[Expr, State, Task], Outcome]


def is_power_of_square(f: Expr, gaussians: Gaussians) -> bool:
    if not isinstance(f, Pow) or not isinstance(f.exponent, Const) or not f.base.free & gaussians:
        return False
    k = f.exponent.value
    # A power of a function of one variable, or of an affine function, is an ordinary function.
    return (
        len(f.base.free & gaussians) > 1
        and (k < 0 or not isinstance(k, int))
        and affine(f.base, gaussians) is None
        and is_quadratic(f.base, gaussians)
    )


def singular_base(product: Expr, gaussians: Gaussians) -> Expr | None:
    """A quadratic form of which a product holds so negative a power that it may not be integrable by itself.

    What diverges term by term may converge as a sum: ∂(u/|u|) is Σ of terms like u_i u_j/|u|³ about |u|⁻¹.
    """
    for f in factors_of(product):
        if is_power_of_square(f, gaussians):
            assert isinstance(f, Pow) and isinstance(f.exponent, Const)
            if f.exponent.value < 0 and len(f.base.free & gaussians) - 1 <= -2 * f.exponent.value:
                return f.base
    return None


def needs_company(e: Expr, gaussians: Gaussians) -> bool:
    """Whether a sum inside an expression has terms that may be finite together alone."""
    return any(
        isinstance(node, Pow) and singular_base(node, gaussians) is not None
        for node in postorder(e)
        if node.free & gaussians
    )


def grouped(terms: Sequence[Term], gaussians: Gaussians) -> list[list[Term]]:
    """Terms of a sum, those with singular powers of the same quadratic form together."""
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


def power_of_square(f: Expr, e: Expr, state: State, task: Task, expectation: Expectation) -> Outcome | None:
    """E of a product with b^k, b a nonnegative quadratic form (see laplace); None where b is not one."""
    assert isinstance(f, Pow)
    others = list(factors_of(e))
    others.remove(f)
    return sum_over_square(f.base, [(1.0, f, canonical(mul(*others)))], state, task, expectation)


def sum_of_powers(terms: Sequence[Term], state: State, task: Task, expectation: Expectation) -> Outcome | None:
    """E of terms that share singular powers of a quadratic form, as one integral (see laplace)."""
    base = singular_base(terms[0].product, task.gaussians)
    assert base is not None
    items = []
    for t in terms:
        others = list(factors_of(t.product))
        f = next(f for f in others if is_power_of_square(f, task.gaussians) and f.base is base)  # type: ignore[attr-defined]
        others.remove(f)
        items.append((t.coefficient * value_of(t.scalar, task.env), f, canonical(mul(*others))))
    return sum_over_square(base, items, state, task, expectation)


def sum_over_square(
    base: Expr, items: Sequence[tuple[float, Expr, Expr]], state: State, task: Task, expectation: Expectation
) -> Outcome | None:
    """E Σ coefficient · power of b · rest, for (coefficient, power, rest) and a nonnegative quadratic form b.

    With b^{−p} = ∫ t^{p−1} e^{−tb} dt / Γ(p) the terms are added under one integral sign, so that what diverges only
    by itself need not.
    """
    if len(items) > 1:
        state = _without_idle_directions(base, items, state, task)
    q, b, c = quadratic(base, state, task)
    square = -q / 2
    values, vectors = np.linalg.eigh(square)
    size = float(np.abs(values).max(initial=0.0))
    if size == 0 or values[0] < -1e-12 * size:
        return None
    keep = values > 1e-12 * size
    # What rounding left of a zero would count once it is multiplied by a large t.
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
        # Where the form also occurs inside another factor, that would stay as hard as it is, once for every t.
        if raised == k or any(base in postorder(g) and not _is_power(g, base) for g in factors_of(rest)):
            return None
        share = Sym(("share", base.digest, i))
        weights.append((share, coefficient, raised - k))
        parts.append(mul(*([share] if len(items) > 1 else []), rest, *[base] * raised))
    whole = canonical(add(*parts))
    p = max(w[2] for w in weights)
    methods: dict[str, int] = {}
    tol = 1e-4 if task.rough else max(0.1 * task.tol, 1e-13)

    def inner(t: float) -> tuple[float, float, float]:
        log, moved = state.tilted_about(2 * t * square, centre, -t * max(least, 0.0))
        if log < -OVERFLOW:
            return 0.0, 0.0, 0.0
        env = dict(task.env)
        if len(items) > 1:
            env.update((s, w * math.gamma(p) / math.gamma(r) * t ** (r - p)) for s, w, r in weights)
        inside = replace(task, tol=max(0.1 * task.tol, 1e-13), env=env)
        o = scaled(expectation(whole, moved, inside), log)
        methods[o.method] = max(methods.get(o.method, 0), o.dimension)
        return o.value, o.error, o.scale

    value, error, scale = laplace.integrate(inner, p, typical, tol, min(w[2] for w in weights))
    names = [m for m in dict.fromkeys(x for name in methods for x in name.split(" + ")) if m != "exact algebra"]
    front = items[0][0] if len(items) == 1 else 1.0
    method = " + ".join(["Laplace transform", *names])
    return Outcome(front * value, abs(front) * error, abs(front) * scale, 1 + max(methods.values()), method)


def _without_idle_directions(base: Expr, items: Sequence[tuple[float, Expr, Expr]], state: State, task: Task) -> State:
    """The law without those directions on which neither the form nor the whole sum depends.

    In (u_i − mean) / |u − mean| the mean cancels; left in, it would cancel in digits, the more the nearer to a
    singular point.
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

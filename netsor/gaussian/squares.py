"""Products with a power of a nonnegative quadratic form, by Laplace's integral (see `laplace`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netsor.expr import Const, Expr, Pow, canonical, mul, postorder
from netsor.gaussian import laplace
from netsor.gaussian.algebra import quadratic
from netsor.gaussian.outcome import OVERFLOW, Outcome, Task, scaled
from netsor.gaussian.shape import affine, is_quadratic
from netsor.gaussian.state import State
from netsor.gaussian.terms import Gaussians, factors_of

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


def power_of_square(f: Expr, e: Expr, state: State, task: Task, expectation: Expectation) -> Outcome | None:
    """E of a product with b^k, b a nonnegative quadratic form (see laplace); None where b is not one."""
    assert isinstance(f, Pow) and isinstance(f.exponent, Const)
    q, b, c = quadratic(f.base, state, task)
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
    ):
        return None
    k = float(f.exponent.value)
    raised = max(0, math.ceil(k))
    p = raised - k
    # Where the form also occurs inside another factor, that would stay as hard as it is, once for every t.
    if p == 0 or any(f.base in postorder(g) for g in factors_of(e) if g is not f):
        return None
    others = list(factors_of(e))
    others.remove(f)
    rest = canonical(mul(*others, *[f.base] * raised))
    if int(keep.sum()) == 1:
        return None
    typical = (
        abs(least)
        + float(np.trace(square @ state.covariance))
        + float((state.mean - centre) @ square @ (state.mean - centre))
    )
    if not typical > 0:
        return None
    methods: dict[str, int] = {}
    tol = 1e-4 if task.rough else max(0.1 * task.tol, 1e-13)
    inside = replace(task, tol=max(0.1 * task.tol, 1e-13))

    def inner(t: float) -> tuple[float, float, float]:
        log, moved = state.tilted_about(2 * t * square, centre, -t * max(least, 0.0))
        if log < -OVERFLOW:
            return 0.0, 0.0, 0.0
        o = scaled(expectation(rest, moved, inside), log)
        methods[o.method] = max(methods.get(o.method, 0), o.dimension)
        return o.value, o.error, o.scale

    value, error, scale = laplace.integrate(inner, p, typical, tol)
    names = [m for m in dict.fromkeys(x for name in methods for x in name.split(" + ")) if m != "exact algebra"]
    return Outcome(value, error, scale, 1 + max(methods.values()), " + ".join(["Laplace transform", *names]))

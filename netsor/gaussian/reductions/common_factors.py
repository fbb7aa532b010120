"""Common factors y of many variables, which are independent given y: one integral over y alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from netsor.expr import Const, mul, power
from netsor.gaussian.constants import FEW_FACTORS, MANY_VARIABLES
from netsor.gaussian.integrand.integrand import Closed, Integrand, Plane, Values, value_of
from netsor.gaussian.integrand.probe import is_sharp
from netsor.gaussian.law.factor_analysis import decompose
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import OutOfTime, Problem
from netsor.gaussian.reductions.chebyshev import Table, table
from netsor.gaussian.reductions.reduction import Elimination
from netsor.gaussian.reductions.truncated_moments import Smoothing, smoothing
from netsor.gaussian.symbolic.structure import Shape


class CommonFactors(Elimination):
    """Σ = D + BB': given y ~ N(0, 1) the variables b_i·y + √D_i z_i are independent (Dunnett & Sobel 1955).

    Where a kink stays sharp, one of the `others` with more dimensions and no kink is better, unless the factors are
    very few or the others very many.
    """

    integrands = "a product of functions of one affine argument each, in three or more variables"
    becomes = "one integral over common factors of the covariance (Dunnett & Sobel 1955), each function in closed form"

    def __init__(self, others: Sequence[Elimination]):
        self.others = others

    def eliminate(self, problem: Problem) -> Integrand | None:
        shape = problem.shape
        if len(shape.forms) + len(shape.polynomial) <= 2 or len(shape.forms) <= 1 or problem.task.rough:
            return None
        try:
            f = common_factors(shape, problem.law, problem.task.env, lambda: problem.task.clock.left() <= 0)
        except OutOfTime:
            return None
        if f is None or f.rank <= FEW_FACTORS or not is_sharp(f):
            return f
        other = next(g for g in (e.eliminate(problem) for e in self.others) if g is not None)
        return other if other.rank < MANY_VARIABLES or other.rank <= f.rank else f


def common_factors(
    shape: Shape, state: State, env: Values, late: Callable[[], bool] = lambda: False
) -> Integrand | None:
    """The integrand over common factors of the forms; None unless each factor depends on one form.

    Raises OutOfTime where it is `late` and a factor has no closed form.
    """
    forms = shape.form_symbols
    known = frozenset(forms)
    if any(len(f.free & known) != 1 for f in shape.factors):
        return None
    k, p = len(forms), len(shape.polynomial)
    rows = np.zeros((k + p, len(state.symbols)))
    for i, (_, items) in enumerate(shape.forms):
        rows[i] = state.vector([(s, value_of(c, env)) for s, c in items])
    for i, (s, _) in enumerate(shape.polynomial):
        rows[k + i, state.symbols.index(s)] = 1.0
    c = rows @ state.covariance @ rows.T
    for i, (_, degree) in enumerate(shape.polynomial, k):
        if degree == 1:
            # The variance of a variable that occurs linearly does not matter; any that makes c definite will do.
            try:
                explained = float(c[i, :k] @ np.linalg.solve(c[:k, :k], c[:k, i]))
            except np.linalg.LinAlgError:
                return None
            c[i, i] = (
                1.5 * explained + float(np.abs(c[i, k:]).sum() - abs(c[i, i])) + 1e-3 * float(np.trace(c[:k, :k])) / k
            )
    parts = decompose(c)
    if parts is None:
        return None
    d, b, defect = parts
    rank = b.shape[1]
    if rank >= k + p or rank >= k and not any(q.kind in ("jump", "kink") for q in shape.breaks):
        return None
    shift = rows @ state.mean
    symbols = [*forms, *(s for s, _ in shape.polynomial)]
    closed: list[Closed] = []
    planes: list[Plane] = []
    for i, u in enumerate(symbols):
        if i < k:
            mine = mul(*(f for f in shape.factors if u in f.free))
        else:
            mine = power(u, Const(shape.polynomial[i - k][1]))
        scalars = tuple((t, float(env[t])) for t in sorted(mine.free - {u}, key=lambda t: t.digest))
        sd = math.sqrt(d[i])
        g: Smoothing | Table | None = smoothing(mine, u, scalars)
        if g is None:
            reach = 11.0 * float(np.linalg.norm(b[i])) + abs(float(shift[i])) + 1e-3
            g = table(mine, u, sd, float(f"{reach:.2g}") * 1.1, scalars, late)
        if g is None:
            return None
        closed.append(Closed(g, b[i], float(shift[i]), max(sd, 1e-14 * math.sqrt(float(c[i, i])))))
        planes += [Plane("edge", b[i], float(shift[i]) - t, sd) for t in g.edges]
        if not g.edges and i < k:
            planes.append(Plane("soft", b[i], float(shift[i]), math.hypot(1.0, sd)))
    return Integrand(
        rank, (), (), np.zeros((0, rank)), np.zeros(0), (), (), planes, [], closed=tuple(closed), defect=defect
    )

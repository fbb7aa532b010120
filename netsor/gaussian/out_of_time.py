"""What is known of an expectation when the time is over: a mean over draws, or the range of the integrand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from netsor.deadline import TimeOver
from netsor.expr import Add, Const, Expr, Mul, Pow, postorder
from netsor.expr.arrays import lambdify
from netsor.expr.differentiate import unfold
from netsor.expr.intervals import infer_range
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.law import Law
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.problem import Expectation, Method, Outcome, Step
from netsor.gaussian.rules.qmc import shifted_normals, spread_of
from netsor.gaussian.sensitivity.distance import by_distance
from netsor.gaussian.sensitivity.perturbations import moves_of
from netsor.gaussian.symbolic.expansion import Gaussians

Array = np.ndarray
# Points of each of the twelve sequences. A region that would contain this many draws on average is practically certain
# to be seen.
_POINTS, _UNSEEN = 2**11, 5.0
# Draws that show what a moved input does, the standard errors that are added to it, and the least step, as a part of an
# input.
_DRAWS, _DEVIATIONS, _STEP = 2**11, 4.0, 1e-3
# Laws at random corners of the errors of the inputs, for errors above this share of an input; and a margin, because
# only a few of the corners are tried.
_CORNERS, _LARGE, _ROOM = 16, 1e-4, 1.3
# Products of up to this many linear forms are computed as always: a formula or a quadrature takes no longer than draws.
_FEW = 2


def whole_by_draws(e: Expr, gaussians: Gaussians, law: Law, tol: float) -> Expectation | None:
    """E e as one mean over draws, without looking for easier parts; None where that is no better than to look.

    That is where all products have few factors, where e is not known to have an expectation, and where draws say
    nothing.
    """
    if not _has_products_beyond(_FEW, e, gaussians) or integrable(e, gaussians) is not True:
        return None
    symbols = tuple(sorted(gaussians, key=lambda s: s.digest))
    c, errors = np.zeros((len(symbols), len(symbols))), np.zeros((len(symbols), len(symbols)))
    for i, a in enumerate(symbols):
        for j, b in enumerate(symbols[: i + 1]):
            if i == j or not law.independent(a, b):
                known = law.covariance(a, b)
                c[i, j] = c[j, i] = known.value
                errors[i, j] = errors[j, i] = abs(known.error)
    scalars = {s: law.scalar(s) for s in sorted(e.free - gaussians, key=lambda s: s.digest)}
    inputs = Inputs(
        symbols, c, errors, {s: x.value for s, x in scalars.items()}, {s: abs(x.error) for s, x in scalars.items()}
    )
    try:
        o = by_draws(e, inputs)
    except TimeOver:
        return None
    error = min(o.error + moved_by_draws(e, inputs), _length_of_range(e))
    if not math.isfinite(error):
        return None
    return Expectation(o.value, error, Method.QMC.value, error <= tol * o.scale, scale=o.scale, own=error)


def by_draws(e: Expr, inputs: Inputs) -> Outcome:
    """E e over some ten thousand draws, for inputs without errors; raises TimeOver for Dirac masses.

    The points are twelve shifted Kronecker sequences (Niederreiter 1992, §3), whose spread is the error, with room for
    a region that none of them met.
    """
    inputs = _with_all_variances(inputs)
    z = shifted_normals(len(inputs.symbols), _POINTS)
    v = _values(e, inputs, z.reshape(len(inputs.symbols), -1))
    with np.errstate(all="ignore"):
        means = v.reshape(z.shape[1:]).mean(axis=1)
        value, size, top = float(means.mean()), float(np.abs(v).mean()), float(np.abs(v).max())
        error = float(spread_of(means)) + _UNSEEN * top / v.size
    if not math.isfinite(value) or not math.isfinite(error):
        raise TimeOver
    return Outcome(value, error, size, len(inputs.symbols), (Step(Method.QMC),))


def moved_by_draws(e: Expr, inputs: Inputs) -> float:
    """A bound on what the errors of the inputs do to E e: by the distance of the laws, else by draws from moved ones.

    Infinite where neither says anything, as of an error of a variance that is 0, which acts as its root does.
    """
    inputs = _with_all_variances(inputs)
    moves = moves_of(inputs, None)
    if not moves:
        return 0.0
    bound = by_distance(e, inputs, moves)
    if bound is None:
        bound = 0.0
    else:
        moves = [m for m in moves if m.at is None]
        inputs = replace(inputs, errors=np.zeros_like(inputs.errors))
    z = np.random.default_rng(20210721).standard_normal((len(inputs.symbols), _DRAWS))
    try:
        here = _values(e, inputs, z)
    except TimeOver:
        return math.inf

    def change(there: Inputs) -> float:
        with np.errstate(all="ignore"):
            apart = _values(e, there, z) - here
            return float(abs(apart.mean()) + _DEVIATIONS * apart.std() / math.sqrt(_DRAWS))

    for m in moves:
        if m.at is not None and not m.size:
            return math.inf
        step = max(m.whole, _STEP * m.size)
        bound += 1.1 * m.whole / step * max(change(m.applied(inputs, sign * step)) for sign in (1, -1))
    if any(m.part > _LARGE for m in moves):
        # First order is not enough for these.
        bound += _ROOM * max(change(there) for there in _corners(inputs))
    return bound if math.isfinite(bound) else math.inf


def by_range(e: Expr, gaussians: Gaussians, tol: float) -> Expectation:
    """The middle of the range of e, with half its length as the error; raises TimeOver where e may not be bounded."""
    low, high = infer_range(unfold(e), {})
    if not -math.inf < low <= high < math.inf or integrable(e, gaussians) is not True:
        raise TimeOver
    value, error = (low + high) / 2, (high - low) / 2
    size = abs(value) + error
    return Expectation(value, error, Method.RANGE.value, error <= tol * size, scale=size, own=error)


def _with_all_variances(inputs: Inputs) -> Inputs:
    """The inputs with variances for the variables in which e is linear, whose own are not asked for.

    Any that leave a covariance will do: beyond what the others explain, a diagonal that dominates its row.
    """
    c = inputs.covariance
    missing = np.flatnonzero((np.diag(c) == 0) & (np.abs(c).sum(axis=1) > 0))
    if not len(missing):
        return inputs
    known = np.setdiff1d(np.arange(len(c)), missing)
    across = c[np.ix_(missing, known)]
    explained = across @ np.linalg.pinv(c[np.ix_(known, known)]) @ across.T
    rest = np.abs(c[np.ix_(missing, missing)] - explained)
    np.fill_diagonal(rest, 0.0)
    c = c.copy()
    c[missing, missing] = (1 + 1e-9) * (np.diag(explained) + rest.sum(axis=1))
    return replace(inputs, covariance=c)


def _has_products_beyond(most: int, e: Expr, gaussians: Gaussians) -> bool:
    """Whether e, expanded into products, may have one with more than so many linear forms of the Gaussians."""
    forms: dict[Expr, frozenset[Expr]] = {}
    widths: dict[Expr, int] = {}
    for node in postorder(e):
        if _is_linear(node, gaussians):
            forms[node], widths[node] = frozenset((node,)), 1
            continue
        forms[node] = frozenset[Expr]().union(*(forms[c] for c in node.children))
        width = len(forms[node])
        if isinstance(node, Add):
            width = max(widths[c] for c in node.children)
        elif isinstance(node, Mul):
            width = min(width, sum(widths[c] for c in node.children))
        elif isinstance(node, Pow) and isinstance(node.exponent, Const) and node.exponent.value in (2, 3, 4):
            width = min(width, int(node.exponent.value) * widths[node.base])
        widths[node] = width
    return widths[e] > most


def _is_linear(e: Expr, gaussians: Gaussians) -> bool:
    """Whether e is a sum of multiples of Gaussians, without looking deeper than two levels."""
    if not e.free & gaussians:
        return False
    terms = e.children if isinstance(e, Add) else (e,)
    return all(
        t in gaussians or isinstance(t, Mul) and sum(bool(c.free & gaussians) for c in t.children) == 1
        and any(c in gaussians for c in t.children)
        for t in terms if t.free & gaussians
    )  # fmt: skip


def _length_of_range(e: Expr) -> float:
    low, high = infer_range(unfold(e), {})
    return high - low if low <= high else math.inf


def _values(e: Expr, inputs: Inputs, z: Array) -> Array:
    """Values of e at draws; raises TimeOver for a Dirac mass, which has none."""
    try:
        run = lambdify((e,), (*inputs.symbols, *inputs.scalars))
    except ValueError:
        raise TimeOver from None
    squares, vectors = np.linalg.eigh(inputs.covariance)
    with np.errstate(all="ignore"):
        v = run(*((vectors * np.sqrt(np.maximum(squares, 0.0))) @ z), *inputs.scalars.values())[0]
    return np.broadcast_to(np.asarray(v, float), (z.shape[1],))


def _corners(inputs: Inputs) -> Iterator[Inputs]:
    """The inputs at random corners of their errors."""
    rng = np.random.default_rng(23)
    for _ in range(_CORNERS):
        by = np.triu(rng.choice([-1.0, 1.0], inputs.errors.shape) * inputs.errors)
        scalars = {s: v + rng.choice([-1.0, 1.0]) * inputs.scalar_errors[s] for s, v in inputs.scalars.items()}
        c = inputs.covariance + by + np.triu(by, 1).T
        np.fill_diagonal(c, np.maximum(np.diag(c), 0.0))
        yield replace(inputs, covariance=c, scalars=scalars)

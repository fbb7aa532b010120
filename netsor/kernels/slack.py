"""How errors of covariances and scalars carry into the expectation of a smooth function, and a sample's word on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netsor.expr import Expr, Sym
from netsor.expr.arrays import lambdify

Array = np.ndarray
# How far covariances are moved to see a slope, relative to the variances, and how well it has to be seen.
_SEEN, _SEEN_TOL = 1e-3, 1e-5
_SAMPLE = 8
_DRAWS = 2**15
# An integral for covariances (N, d, d) and scalars, to a tolerance: values and errors, or None.
Evaluation = Callable[[Array, dict[Sym, Array], float], tuple[Array, Array] | None]


def sampled(f: Expr, symbols: Sequence[Sym], c: Array, env: Mapping[Sym, Array]) -> tuple[Array, Array]:
    """E f for covariances (N, d, d) from one sample, and six standard errors: what can be said without time for more.

    The sample is always the same, and a symmetric root of c moves as little as c does, so that differences are good.
    """
    z = np.random.default_rng(20210721).standard_normal((len(symbols), _DRAWS))
    scalars = tuple(s for s in env if s in f.free)
    g = lambdify((f,), (*symbols, *scalars))
    values, errors = np.zeros(len(c)), np.zeros(len(c))
    for k in range(len(c)):
        squares, vectors = np.linalg.eigh(c[k])
        root = (vectors * np.sqrt(np.maximum(squares, 0))) @ vectors.T
        with np.errstate(all="ignore"):
            v = np.broadcast_to(g(*(root @ z), *(np.float64(env[s][k]) for s in scalars))[0], (_DRAWS,))
        values[k], errors[k] = v.mean(), 6 * v.std() / math.sqrt(_DRAWS)
    return values, errors


def carried_smoothly(
    evaluate: Evaluation, c: Array, slack: Array, env: dict[Sym, Array], env_slack: dict[Sym, Array]
) -> Array | None:
    """What errors of covariances and scalars do to the expectation of a smooth function: slope times error.

    The slope is seen at steps much larger than the errors, which asks for few digits. Variances, covariances and each
    scalar are moved one kind at a time, and the changes added; of many pairs a sample tells the slope for all. None
    where there is no value at a moved point.
    """
    count, d = len(c), c.shape[1]
    tried = np.arange(count) if count <= _SAMPLE else np.linspace(0, count - 1, _SAMPLE).astype(int)
    near, given = c[tried], {s: v[tried] for s, v in env.items()}
    deviation = np.sqrt(np.einsum("kii->ki", c))
    reach = _SEEN * deviation[:, :, None] * deviation[:, None, :]
    eye = np.eye(d, dtype=bool)
    # (what a step moves c and the scalars to, and how many such steps the errors are)
    kinds: list[tuple[list[tuple[Array, dict[Sym, Array]]], Array]] = []
    for entries in (eye, ~eye):
        step = np.where(entries & (slack.max(axis=0) > 0), reach, 0.0)
        steps = np.divide(slack, step, out=np.zeros_like(slack), where=step > 0).max(axis=(1, 2), initial=0.0)
        kinds.append(([(near + sign * step[tried], given) for sign in (1.0, -1.0)], steps))
    for s, error in env_slack.items():
        by = _SEEN * np.maximum(abs(env[s]), 1e-2)
        kinds.append(([(near, {**given, s: given[s] + sign * by[tried]}) for sign in (1.0, -1.0)], error / by))
    base = evaluate(near, given, _SEEN_TOL) if any(steps.any() for _, steps in kinds) else None
    carried = np.zeros(count)
    for moves, steps in kinds:
        if not steps.any():
            continue
        found = [evaluate(*at, _SEEN_TOL) for at in moves]
        if base is None or None in found:
            return None
        change = np.max([abs(v[0] - base[0]) for v in found if v is not None], axis=0)
        slope = np.full(count, 2 * change.max(initial=0.0))
        slope[tried] = change
        carried += slope * steps
    return carried

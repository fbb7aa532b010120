"""A bound on E|F| where every node of a rule saw zeros: sup × mass over boxes, refined where that is large."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netsor.expr import ZERO, Cmp, Const, Expr, Sym, add, canonical, compare, mul, neg, postorder, substitute, sym
from netsor.expr.build import with_children
from netsor.expr.differentiate import unfold
from netsor.expr.entry import REALS, Interval
from netsor.expr.intervals import infer_range
from netsor.gaussian.law.gaussian_law import RANK, State, pivoted_root
from netsor.gaussian.problem import OVERFLOW, Trust
from netsor.gaussian.symbolic.homogeneity import pulled
from netsor.gaussian.symbolic.powers_of_two import NORMAL

Box = tuple[Interval, ...]
_SQRT_2PI = math.sqrt(2 * math.pi)
# The most boxes that are examined, and the logarithm of the least normal float, below which a bound is negligible.
_BOXES, _LEAST = 600, -1022 * math.log(2)
# A bound that has fallen by less than this factor after so many boxes will not fall far: interval arithmetic does not
# see that terms cancel, and halving boxes in several dimensions helps little.
_TRIAL, _FALL = 60, 1e-3
# Beyond the first number a standard normal has less mass than that float; an integrand whose expectation exists is
# taken to contribute nothing beyond the second.
_FAR, _FARTHEST = 38.6, 2.0**20


def _with_all_variances(law: State) -> State:
    """The law with variances for the variables that have none, because they occur linearly and E F does not need them.

    The least one that goes with the other variables, and the sum of the covariances that these do not explain, make the
    law definite.
    """
    bare = (np.diag(law.covariance) == 0) & law.covariance.any(axis=1)
    if not bare.any():
        return law
    c = law.covariance.copy()
    # By a power of two, so that an inverse of small variances is a double.
    scale = math.ldexp(1.0, math.frexp(float(np.abs(c).max()))[1])
    across = c[np.ix_(bare, ~bare)] / scale
    explained = across @ np.linalg.pinv(c[np.ix_(~bare, ~bare)] / scale, hermitian=True) @ across.T * scale
    left = np.abs(c[np.ix_(bare, bare)] - explained)
    np.fill_diagonal(left, 0.0)
    variances = np.diag(explained) + left.sum(axis=1)
    c[bare, bare] = variances
    sizes = law.variances.copy()
    sizes[bare] = variances
    return replace(law, covariance=c, variances=sizes)


def bound_of_modulus(integrand: Expr, law: State, scalars: Mapping[Sym, float], trust: Trust = Trust.EXACT) -> float:
    """A bound on E|F|, for an F whose expectation exists; exactly 0 only where F vanishes on the whole space.

    On a box of independent standard normals E|F| is at most sup|F|, by interval arithmetic (Moore 1966), times the mass
    of the box. The box with the largest contribution is halved until the sum is below the least normal float, or the
    number of boxes is exhausted. Infinite where F is unbounded at a finite place.
    """
    law = _with_all_variances(law)
    root, _ = pivoted_root(law.covariance, RANK * law.variances, trust=trust)
    z = tuple(sym(f"z{k}") for k in range(root.shape[1]))
    forms: dict[Sym, Expr] = {
        s: add(Const(float(m)), *(mul(Const(float(c)), x) for c, x in zip(row, z) if c))
        for s, m, row in zip(law.symbols, law.mean, root)
    }
    forms |= {s: Const(float(x)) for s, x in scalars.items()}
    f = _against_zero(unfold(pulled(canonical(substitute(integrand, forms)))))
    if f is ZERO:
        return 0.0
    numbers = itertools.count()

    def entry(box: Box) -> tuple[float, int, Box]:
        low, high = infer_range(f, dict(zip(z, box)))
        size = max(abs(low), abs(high))
        mass = sum(_log_mass(i) for i in box)
        far = any(a >= _FARTHEST or b <= -_FARTHEST for a, b in box)
        log = -math.inf if size == 0 or far else math.inf if math.isnan(size) else math.log(size)
        return -(log + mass), next(numbers), box

    queue, whole = [entry((REALS,) * len(z))], list[float]()
    most = -queue[0][0]
    for k in range(_BOXES):
        if k == _TRIAL and queue and -queue[0][0] > most + math.log(_FALL):
            break
        if not queue or -queue[0][0] <= _LEAST - math.log(k + 1):
            break
        size, _, box = heapq.heappop(queue)
        halves = _halves(box)
        if halves is None:
            whole.append(-size)
            break
        for half in halves:
            heapq.heappush(queue, entry(half))
    logs = [x for x in (*whole, *(-size for size, _, _ in queue)) if x > -math.inf]
    if not logs:
        return 0.0
    most = max(logs)
    if most > OVERFLOW:
        return math.inf
    return max(math.exp(most) * math.fsum(math.exp(x - most) for x in logs), NORMAL)


def _against_zero(root: Expr) -> Expr:
    """The same function with tests that compare differences with 0, in which common terms cancel."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        children = tuple(done[c] for c in node.children)
        if isinstance(node, Cmp):
            done[node] = compare(node.op, canonical(add(children[0], neg(children[1]))), ZERO)
        else:
            done[node] = with_children(node, children)
    return done[root]


def _log_mass(interval: Interval) -> float:
    """log P(x in the interval), as an upper bound that is accurate where the mass is small."""
    low, high = interval
    if low < 0 < high:
        return min(0.0, math.log((high - low) / _SQRT_2PI)) if high - low < math.inf else 0.0
    near, length = min(abs(low), abs(high)), high - low
    # Mills' ratio is at most 1/x, and at most √(π/2).
    across = min(length, 1 / near if near else math.inf, _SQRT_2PI / 2)
    return math.log(across / _SQRT_2PI) - 0.5 * near * near


def _halves(box: Box) -> tuple[Box, Box] | None:
    """The box cut in half across its longest side; None where no float lies between its ends."""
    k = max(range(len(box)), key=lambda i: box[i][1] - box[i][0], default=None)
    if k is None:
        return None
    low, high = box[k]
    if high == math.inf:
        at = 0.0 if low == -math.inf else _FAR if low < _FAR else _FARTHEST
    elif low == -math.inf:
        at = -_FAR if high > -_FAR else -_FARTHEST
    elif low > 1:
        at = math.sqrt(low) * math.sqrt(high)
    elif high < -1:
        at = -math.sqrt(-low) * math.sqrt(-high)
    else:
        at = (low + high) / 2
    if not low < at < high:
        return None
    return (*box[:k], (low, at), *box[k + 1 :]), (*box[:k], (at, high), *box[k + 1 :])

"""The error for an integrand without a value at a node: undefined nearby, or lost in floating point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netsor.expr import Call, Const, Expr, Pow, postorder
from netsor.expr.functions import FUNCTIONS
from netsor.expr.intervals import infer_range
from netsor.gaussian.problem import Divergent, Unsettled

Array = np.ndarray
# The relative distance of the points beside a node, and the most nodes that are examined.
_BESIDE, _FEW = 1e-7, 64
LOST = "the integrand overflows, or has no value at a point"


class NoRealValue(Divergent):
    """No number was found anywhere around a node: proof of divergence only for an integrand that can lack values."""


def may_lack_values(e: Expr) -> bool:
    """Whether an expression has a root or a logarithm of something that can be negative; else it is 0/0 or ∞/∞."""
    for node in postorder(e):
        match node:
            case Pow():
                integer = isinstance(node.exponent, Const) and isinstance(node.exponent.value, int)
                if not integer and infer_range(node.base, {})[0] < 0:
                    return True
            case Call() if FUNCTIONS[node.fn].positive_only and infer_range(node.children[0], {})[0] < 0:
                return True
    return False


def verify(f: Callable[[Array], Array], x: Array, values: Array) -> None:
    """Raise an error where a value of f at the columns of x is not finite.

    NoRealValue where f has no real value anywhere around one of them, as log(x) for x < 0. Otherwise Unsettled, because
    overflow, or 0/0 at a single point, says nothing about the expectation.
    """
    if np.isfinite(values).all():
        return
    where = x[:, np.flatnonzero(np.isnan(values))]
    # Examined at all distances, because nodes clustered at a singular point are closer to it than the points beside
    # them.
    order = np.argsort((where * where).sum(axis=0), kind="stable")
    where = where[:, order[np.unique(np.linspace(0, len(order) - 1, min(_FEW, len(order))).astype(int))]]
    for at, around in zip(where.T, (_around(f, p) for p in where.T)):
        if np.isnan(around).all():
            raise NoRealValue(f"the integrand has no real value {_place(at)}")
    raise Unsettled(LOST)


def _around(f: Callable[[Array], Array], at: Array) -> Array:
    step = _BESIDE * (1 + np.abs(at))
    corners = np.stack([at + sign * step * axis for axis in np.eye(len(at)) for sign in (-1, 1)], axis=1)
    with np.errstate(all="ignore"):
        return np.asarray(f(corners))


def _place(at: Array) -> str:
    if len(at) > 1:
        return "where it matters"
    way = "below" if at[0] < 0 else "above"
    how_far = "just" if abs(at[0]) < 1e-3 else f"{abs(at[0]):.2g} standard deviations"
    return f"{how_far} {way} the mean"

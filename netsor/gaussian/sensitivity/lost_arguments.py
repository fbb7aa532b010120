"""Jumps whose side is not known: step(z) where z is within the errors of its coefficients and covariances of 0.

E step(z) is 1/2 for every positive variance and 0 for none, so that no derivative by the variance or by a coefficient
shows what an error of these does. At given points the argument and a bound on its error say whether its side is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from netsor.expr import FUNCTIONS, ZERO, Call, Cmp, Cond, Const, Expr, Sym, add, canonical, diff, neg, postorder
from netsor.expr.arrays import lambdify
from netsor.expr.build import rewrite
from netsor.expr.functions import is_mass, is_singular
from netsor.expr.intervals import infer_range
from netsor.expr.rounding import EPS, running_error
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.problem import Unsettled

Array = np.ndarray

_POINTS = 256
# A side is known where the argument exceeds the bound on its error this many times; the bound is of first order, and
# one standard deviation of what a covariance leaves open.
_CLEAR = 12.0
# What a mean over the points may fall short of the expectation.
_SAFETY = 2.0

# The argument, its rounding error in units of ε with doubts of the scalars, its slopes by the variables, and what the
# block changes by at the jump.
_Jump = Callable[..., tuple[Any, ...]]


def lost_at_jumps(block: Expr, inputs: Inputs) -> float:
    """A bound on E |what the block changes by at its jumps| 1(the side is not known).

    Raises Unsettled where the place of a Dirac mass is not known.
    """
    jumps = _jumps(block, inputs.symbols, tuple(inputs.scalars))
    if not jumps:
        return 0.0
    n = len(inputs.symbols)
    points = _root(inputs.covariance) @ _normals(n)
    scalars = list(inputs.scalars.values())
    doubts = [inputs.scalar_errors.get(s, 0.0) / EPS for s in inputs.scalars]
    lost = 0.0
    for jump in jumps:
        with np.errstate(all="ignore"):
            at, rounding, *rest = (np.broadcast_to(x, _POINTS) for x in jump(*points, *scalars, *doubts))
            slopes, change = np.array(rest[:n]).reshape(n, _POINTS), rest[n]
            variance = np.maximum(np.einsum("ik,ij,jk->k", slopes, inputs.covariance, slopes), 0.0)
            open_variance = np.einsum("ik,ij,jk->k", np.abs(slopes), inputs.errors, np.abs(slopes))
            left_open = np.sqrt(variance + open_variance) - np.sqrt(np.maximum(variance - open_variance, 0.0))
            error = _CLEAR * (EPS * rounding + left_open)
            unknown = (error > 0) & (np.abs(at) <= error)
        if unknown.any() and is_singular(block):
            raise Unsettled("the argument of a jump or of a Dirac mass cannot be told from a constant")
        lost += _SAFETY * float(np.abs(np.where(unknown, change, 0.0)).mean())
    if not lost:
        return 0.0
    low, high = infer_range(block, {})
    return min(lost, high - low) if math.isfinite(lost) else high - low


@lru_cache(maxsize=4096)
def _jumps(block: Expr, variables: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> tuple[_Jump, ...]:
    """The jumps and Dirac masses of a block, compiled."""
    gaussians = frozenset(variables)
    found: dict[tuple[Expr, Expr], None] = {}
    for node in postorder(block):
        if not node.free & gaussians:
            continue
        if is_mass(node):
            found[node.children[0], ZERO] = None
        elif isinstance(node, Call):
            for place in FUNCTIONS[node.fn].jumps:
                change = _change(block, node, *(Const(end) for end in infer_range(node, {})))
                found[add(node.children[0], Const(-place)), change] = None
        elif isinstance(node, Cond):
            change = _change(block, node, node.then, node.other)
            for test in postorder(node.test):
                if isinstance(test, Cmp):
                    found[add(test.children[0], neg(test.children[1])), change] = None
    doubts = tuple((s, Sym(("doubt", i))) for i, s in enumerate(scalars))
    args = (*variables, *scalars, *(d for _, d in doubts))
    return tuple(
        lambdify((at, running_error(at, doubts), *(_slope(at, v) for v in variables), change), args)
        for at, change in found
    )


def _change(block: Expr, node: Expr, above: Expr, below: Expr) -> Expr:
    """What a block changes by where a node passes from one value to another; 0 for blocks with Dirac masses."""
    if is_singular(block):
        return ZERO

    def with_node(value: Expr) -> Expr:
        return rewrite(block, lambda e: value if e is node else e)

    return canonical(add(with_node(above), neg(with_node(below))))


def _slope(e: Expr, v: Sym) -> Expr:
    return rewrite(diff(e, v), lambda node: ZERO if is_mass(node) else node)


@lru_cache(maxsize=16)
def _normals(n: int) -> Array:
    return np.random.default_rng(11).standard_normal((n, _POINTS))


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))

"""A bound on the effect of errors in a covariance, from a distance of Gaussian laws and without further integration.

|E_Q F − E_P F| ≤ √(E_P F²) √χ²(Q‖P) by the Cauchy–Schwarz inequality, with χ² + 1 = Π (1 − e_i²)^{−1/2} for centred
Gaussians, where the e_i are the eigenvalues of P^{−1/2} (Q − P) P^{−1/2} (Tsybakov, Nonparametric Estimation, §2.4).
"""

from __future__ import annotations

import math

import numpy as np

from netsor.expr import Expr
from netsor.expr.arrays import lambdify
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.sensitivity.perturbations import Move

_DRAWS = 4096
# If no draw contributes more than this share of the mean square, its estimate is accurate to about a third.
_FEW = 0.1
_ROOM = 1.5


def by_distance(e: Expr, inputs: Inputs, moves: list[Move]) -> float | None:
    """A bound on the effect of the errors of the covariances (`moves`) on E e; None where there is no useful bound."""
    places = [m for m in moves if m.at is not None]
    if not places:
        return 0.0
    deviations = np.sqrt(np.maximum(np.diag(inputs.covariance), 0.0))
    if not (deviations > 0).all():
        return None
    moved = np.zeros(inputs.covariance.shape)
    for m in places:
        assert m.at is not None
        moved[m.at] = moved[m.at[::-1]] = m.whole / float(deviations[m.at[0]] * deviations[m.at[1]])
    values, vectors = np.linalg.eigh(inputs.covariance / np.outer(deviations, deviations))
    if not values[0] > 0:
        return None
    # Entrywise bounds on P^{−1/2} (Q − P) P^{−1/2}, for all signs of the errors.
    inverse_root = np.abs((vectors / np.sqrt(values)) @ vectors.T)
    # Squares of errors that are much larger than the law may be beyond the doubles.
    largest = math.hypot(*(inverse_root @ moved @ inverse_root).ravel())
    # For a nearly degenerate law, or errors as large as the law itself, the distance is not small.
    if not largest < 0.9:
        return None
    distance = math.sqrt(math.expm1(0.5 * largest**2 / (1 - largest**2)))
    size = _root_mean_square(e, inputs, deviations[:, None] * (vectors * np.sqrt(values)))
    return None if size is None else _ROOM * size * distance


def _root_mean_square(e: Expr, inputs: Inputs, root: np.ndarray) -> float | None:
    """√(E e²) from draws; None where these are not reliable, as for Dirac masses and singular integrands."""
    try:
        run = lambdify((e,), (*inputs.symbols, *inputs.scalars))
    except ValueError:
        return None
    z = np.random.default_rng(29).standard_normal((len(root), _DRAWS))
    with np.errstate(all="ignore"):
        squares = np.broadcast_to(np.asarray(run(*(root @ z), *inputs.scalars.values())[0], float), (_DRAWS,)) ** 2
    whole = float(squares.sum())
    if not (0 < whole < math.inf) or float(squares.max()) > _FEW * whole:
        return None
    return math.sqrt(whole / _DRAWS)

"""Gradients of batch normalization: sums that are finite although their terms are not, and those that are not."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from netsor.expr import Const, Expr, add, diff, mul, power, sym
from netsor.expr.rationals import number
from netsor.gaussian import Divergent, FixedLaw, Unsettled, expect


def gradient(batch: int, of: int = 0) -> tuple[Expr, list]:
    """∂(h₁ − m)/|h − m| / ∂h_of, m the mean of the batch."""
    h = [sym(f"h{i}") for i in range(batch)]
    m = mul(Const(number(Fraction(1, batch))), add(*h))
    s = power(add(*(power(x - m, Const(2)) for x in h)), Const(0.5))
    return diff((h[0] - m) / s, h[of]), h


def held(e: Expr, symbols: list, truth: float) -> None:
    found = expect(e, FixedLaw(symbols, np.eye(len(symbols))))
    assert abs(found.value - truth) <= found.error
    assert found.error <= 1e-8 * abs(truth)


@pytest.mark.parametrize("batch", [3, 4, 6])
def test_the_mean_of_a_gradient(batch: int) -> None:
    # In the d = batch − 1 dimensions of h − m, g = a (1 − c²)/r, a = d/batch, c a coordinate of a point of the sphere.
    d = batch - 1
    inverse = math.gamma((d - 1) / 2) / (math.sqrt(2) * math.gamma(d / 2))
    g, h = gradient(batch)
    held(g, h, d / batch * (1 - 1 / d) * inverse)


@pytest.mark.parametrize("batch", [4, 5, 6])
def test_the_square_of_a_gradient(batch: int) -> None:
    # E (1 − c²)² = (d² − 1)/(d (d + 2)), E 1/r² = 1/(d − 2).
    d = batch - 1
    g, h = gradient(batch)
    held(g * g, h, (d / batch) ** 2 * (d * d - 1) / (d * (d + 2)) / (d - 2))


def test_the_square_of_a_gradient_of_three_does_not_exist() -> None:
    # E 1/r² diverges in the plane.
    g, h = gradient(3)
    with pytest.raises(Divergent):
        expect(g * g, FixedLaw(h, np.eye(3)))


@pytest.mark.parametrize("square", [False, True])
def test_gradients_of_two_are_not_known(square: bool) -> None:
    # The normalized value is a sign, and what is written as its gradient is 0 where it has a value.
    g, h = gradient(2)
    with pytest.raises(Unsettled):
        expect(g * g if square else g, FixedLaw(h, np.eye(2)))

"""What a tolerance is relative to: E|ψ| of the integrand as it is written, not of the terms it is taken apart into."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netsor.expr import Const, Expr, call, sym
from netsor.gaussian import FixedLaw, Settings, expect

X, Y = sym("x"), sym("y")
DENSITY = math.exp(-4.5) / math.sqrt(2 * math.pi)
TAIL = 0.5 * math.erfc(3 / math.sqrt(2))


def law(c: float = 0.0) -> FixedLaw:
    return FixedLaw([X, Y], np.array([[1.0, c], [c, 1.0]]))


# E relu(−x − 3) = φ(3) − 3 (1 − Φ(3)); E tanh(y)² = 0.394294 by a fine trapezoidal rule.
@pytest.mark.parametrize(
    "e, size",
    [
        (call("relu", X + 3) - X - 3, DENSITY - 3 * TAIL),
        ((call("relu", X + 3) - X - 3) * call("tanh", Y) ** 2, 0.3942944903978 * (DENSITY - 3 * TAIL)),
        (call("tanh", X + Const(1e-13)) - call("tanh", X), 6.057e-14),
        (call("exp", X) - call("exp", Const(1 + 1e-10) * X), 1.92e-10),
    ],
)
def test_terms_that_cancel_do_not_count(e: Expr, size: float) -> None:
    found = expect(e, law(), Settings(1e-15, 5.0))
    # Seen by draws, to which a tail of one in a thousand is known roughly.
    assert 0.5 * size <= found.scale <= 2 * size
    assert found.error > 1e-15 * size and not found.converged
    assert expect(e, law(), Settings(1e-2, 5.0)).converged


def test_a_value_that_is_nothing_beside_what_is_averaged() -> None:
    # |sign sign| is 1, whatever the covariance, though given one variable the mean of the other is next to nothing.
    for c in (6e-17, 1e-9):
        found = expect(call("sign", X) * call("sign", Y), law(c), Settings(1e-8, 5.0))
        assert found.converged and 0.9 <= found.scale <= 1.1
        assert abs(found.value - 2 / math.pi * math.asin(c)) <= found.error <= 1e-14

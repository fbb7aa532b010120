"""Training with a trained bias that starts at zero, where an argument of relu is zero with positive probability."""

from __future__ import annotations

import math

import numpy as np
import pytest

import netsor

KINK = """network kink(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
vector b ~ N(0, 0)
vector v ~ N(0, 1)
train b * 1
x := relu(U ξ + b)
output f := vᵀ x / √n
"""
PADDED = """network padded(ξ[1..2] : 2)
matrix U : (n, 2) ~ N(0, 1/2)
vector b ~ N(0, 0)
vector v ~ N(0, 1)
train U
train b * 1
x := relu(U ξ[1] + b) + relu(U ξ[2] + b)
output f := vᵀ x / √n
"""
DEAD = """network dead(ξ : 2)
matrix U : (n, 2) ~ N(0, 1/2)
vector b ~ N(0, 0)
vector v ~ N(0, 1)
train b * 1
x := relu(relu(U ξ) + b)
output f := vᵀ x / √n
"""


def trained(text: str, inputs, targets, test, steps: int, **options):
    return netsor.loads(text).train(inputs, targets, test, steps=steps, lr=0.5, **options)


def test_a_test_row_of_zeros() -> None:
    """δb = φ'(h) v, so that f on the row of zeros is E v relu(φ'(h) v) = 1/4; then 1/4 + (1 − 0.5/2 − …)."""
    found = trained(KINK, [[1, 0]], [2], [[0, 0]], 2).program[..., 0]
    # b_t = c_t φ'(h) v with c_1 = lr·2 and f = c/2 on the training row: c_2 = c_1 + lr (2 − c_1/2).
    assert found == pytest.approx(np.array([[0, 0], [0.5, 0.25], [0.875, 0.4375]]), rel=1e-10, abs=1e-12)


def test_a_padded_token() -> None:
    """With h = U ξ[1] and lr = 0.5: f = ½ [σ² |ξ|² ½ + ½ + E φ'(h) v relu(φ'(h) v)] = ½ (0.3125 + 0.5 + 0.25)."""
    found = trained(PADDED, [[[1, 0.5], [0, 0]]], [1], None, 1).program[..., 0]
    assert found == pytest.approx(np.array([[0], [0.53125]]), rel=1e-10, abs=1e-12)


def test_a_second_step_starts_beside_the_kink() -> None:
    """After a step the padded token's argument is δb/√n, and relu'(δb/√n) is step(δb): as wide networks have it."""
    result = trained(PADDED, [[[1, 0.5], [0, 0]]], [1], None, 2, width=4000, seeds=24, seed=5)
    assert result.finite is not None and result.finite.stderr is not None
    gap = np.abs(result.finite.mean - result.program)[-1, 0, 0]
    # The bias of a width of 4000 is of the order of 1/√n; the gradient in place of the derivative is off by 0.25.
    assert gap < 5 * result.finite.stderr[-1, 0, 0] + 1 / math.sqrt(4000)


def test_dead_units() -> None:
    """A bias after relu: half of the units sit on the kink. Their one-sided derivative counts."""
    result = trained(DEAD, [[1, 0]], [1], [[0.5, 1]], 1, width=4000, seeds=24, seed=6)
    assert result.finite is not None and result.finite.stderr is not None
    gap = np.abs(result.finite.mean - result.program)[-1, :, 0]
    assert (gap < 5 * result.finite.stderr[-1, :, 0] + 1 / math.sqrt(4000)).all()
    assert abs(result.program[1, 1, 0] - result.kernel[1, 1, 0]) > 0.02

"""One law at a time and many at once: two ways to the same expectations, each within its bound of the truth.

The ways share closed forms but not the rest: `expect` takes an expectation apart and integrates by rules for one law,
`expect_many` by rules whose covariances are arrays. Where they differ by more than both bounds, one bound is wrong.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from netsor.expr import Expr, call, power, sym
from netsor.expr.nodes import Const
from netsor.gaussian import FixedLaw, Settings, Unsettled, expect, expect_many

U, V = sym("u"), sym("v")
FUNCTIONS = (
    "relu", "step", "tanh", "erf", "gelu", "silu", "Phi", "hardtanh", "abs", "elu", "softplus", "sin", "atan", "sign",
    "exp", "sigmoid", "cos", "selu", "leaky_relu",
)  # fmt: skip
LAWS = 20


def one_side(rng: random.Random, x: Expr) -> Expr:
    """A function of one variable: of the list, or its square, of c x + d, perhaps times x."""
    slope, shift = rng.choice((0.3, 1, 1, 2)), rng.choice((0, 0, 0, 0.5, -1))
    name = rng.choice(FUNCTIONS)
    e = call(name, (0.3 if name == "exp" else slope) * x + shift)
    if rng.random() < 0.15:
        e = power(e, Const(2))
    return x * e if rng.random() < 0.15 else e


def laws(rng: random.Random) -> np.ndarray:
    """Covariances of all sizes, with correlations in the middle, near ±1, ±1 and 0, and variances of 0."""
    out = np.empty((LAWS, 2, 2))
    for c in out:
        a, b = (10 ** rng.uniform(-2, 1) for _ in range(2))
        rho = rng.choice((0.0, 1.0, -1.0, 1 - 1e-10, -1 + 1e-5, *(rng.uniform(-1, 1) for _ in range(6))))
        if rng.random() < 0.03:
            a = 0.0
        if abs(rho) == 1:
            b = a * rng.choice((1.0, 4.0))
        c[0, 0], c[1, 1] = a, b
        c[0, 1] = c[1, 0] = rho * np.sqrt(a * b)
    return out


def disagreements(seed: int, integrands: int) -> list[str]:
    """Where the two ways differ by more than both bounds, or one gives a number and the other does not."""
    rng = random.Random(seed)
    out = []
    for _ in range(integrands):
        e = one_side(rng, U) * one_side(rng, V)
        covariances = laws(rng)
        values, errors = expect_many(e, [U, V], covariances)
        for c, value, error in zip(covariances, values, errors, strict=True):
            try:
                one = expect(e, FixedLaw([U, V], c), Settings(1e-9))
            except Unsettled:
                if np.isfinite(error):
                    out.append(f"{e!r} at {c.tolist()}: {value} ± {error}, and none")
                continue
            if not abs(one.value - value) <= one.error + error + 3e-15 * max(one.scale, abs(value)):
                out.append(f"{e!r} at {c.tolist()}: {one.value} ± {one.error}, and {value} ± {error}")
    return out


def test_they_agree() -> None:
    assert disagreements(1, 20) == []


# Where the true value is small or zero although both functions are large, and where a transition is in mid-panel.
@pytest.mark.parametrize(
    "e, a, b, c, truth",
    [
        (call("relu", U) * call("relu", V), 5.540758011959757, 22.163032047839028, -11.081516023919514, 0.0),
        (call("relu", U) * V * call("relu", V), 4.014003650057932, 4.014003650057932, -4.014003650057932, 0.0),
        (
            call("gelu", 2 * U + Const(0.5)) * power(call("tanh", 2 * V), Const(2)),
            2.464417900003502, 2.464417900003502, -2.464417900003502, 1.33201839504641256,
        ),
        (call("relu", U) * call("step", V), 2.0, 0.0, 0.0, 0.0),
    ],
)  # fmt: skip
def test_many_at_correlations_of_minus_one(e: Expr, a: float, b: float, c: float, truth: float) -> None:
    (value,), (error,) = expect_many(e, [U, V], np.array([[[a, c], [c, b]]]))
    assert abs(value - truth) <= error <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_they_agree_on_many(seed: int) -> None:
    assert disagreements(seed, 100) == []

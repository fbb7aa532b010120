"""A divisor, or the argument of a logarithm, that is 0 with positive probability, and one that is 0 at a point only."""

import math

import pytest

import netsor
from netsor.limit import LimitResult


def limit(e: str) -> LimitResult:
    return netsor.loads(f"vector x, y ~ N(0, 1)\noutput o := mean({e})\n").limit()


@pytest.mark.parametrize(
    "e",
    [
        "log(relu(x))",
        "relu(x)^(-1/2)",
        "1/step(x)",
        "x^2/step(x)",
        "1/(step(x) + step(y))",
        "1/max(relu(x), relu(y))",
        "tanh(x)/relu(x)",
        "relu(x)*log(relu(x))",
        "(1 + hardtanh(x))^(-0.3)",
        "1/(1 - step(y)) + x",
        "exp(x)/step(y)",
        "1/(if x > y then 0 else x^2 + 1)",
    ],
)
def test_zero_with_positive_probability(e: str) -> None:
    (fault,) = limit(e).diagnostics
    assert fault.code == "E801" and "positive probability" in fault.message


@pytest.mark.parametrize(
    ("e", "truth"),
    [
        ("1/(1 + step(x))", 0.75),
        ("x^2/sign(x)^2", 1.0),
        ("log(1 + step(x))", math.log(2) / 2),
        ("1/max(x + abs(x), 2)^0", 1.0),
        ("1/(1 + relu(x) - x)^0", 1.0),
        ("tanh(1/(1 + step(x)))", (math.tanh(1) + math.tanh(0.5)) / 2),
        # The divisor is 0 at a point only.
        ("abs(x)^(-1/2)", 2**-0.25 * math.gamma(0.25) / math.sqrt(math.pi)),
        ("log(max(x, -x))", -(math.log(2) + 0.5772156649015329) / 2),
        ("if x > 0 then 1 else 1/(if x > 0 then 0 else 2)", 0.75),
    ],
)
def test_zero_with_probability_zero(e: str, truth: float) -> None:
    found = limit(e)["o"]
    assert found.value is not None and found.error is not None and found.error < 1e-8
    assert found.value == pytest.approx(truth, abs=max(found.error, 1e-15))

"""Scalars that may have no value: 0 times 1/0 is no zero, wherever a mean of zero is claimed without a number."""

from __future__ import annotations

import pytest

import netsor
from netsor.diagnostics import NetsorError
from netsor.limit import infer_limit
from netsor.limit.law import CoordinateLaw

HEAD = """vector x, y ~ N(0, 1)
matrix A ~ N(0, 1/n)
q := mean(x^2)
t := mean((q - 1)^2*y^2)
s := mean((x - mean(x))^2)
r := mean(relu(-abs(x)))
"""


@pytest.mark.parametrize(
    "line",
    [
        "output a := mean(x/sqrt(t))",
        "w := A (x/sqrt(t))\noutput a := mean(w)",
        "w := A (x/sqrt(t))\noutput a := mean(w*y)",
        "w := A tanh(A (x/t))\noutput a := mean(w)",
        "output a := mean(x/r)",
        "output a := mean(x*log(t))",
        "output a := mean(x)/t",
    ],
)
def test_a_scalar_that_tends_to_zero_divides(line: str) -> None:
    result = infer_limit(netsor.loads(HEAD + line + "\n").program)
    assert result["a"].value is None and [d.code for d in result.diagnostics] == ["E802"]


@pytest.mark.parametrize(
    "line",
    [
        "output a := mean(x/sqrt(s))",
        "output a := mean((A (x/sqrt(s)))*y)",
        "output a := mean(A (x/sqrt(q + 1)))",
        "output a := mean(x/mean(relu(x)^2))",
        "output a := mean(x/mean(tanh(x)^2 + abs(y)))",
        "output a := mean(x*log(mean(exp(y))))",
    ],
)
def test_a_mean_of_what_is_positive_divides(line: str) -> None:
    result = infer_limit(netsor.loads(HEAD + line + "\n").program)
    assert result["a"].value == 0 == result["a"].error and not result.taken


def test_the_law_of_coordinates_asks_too() -> None:
    program = netsor.loads(HEAD + "w := A (x/sqrt(t))\noutput a := mean(w)\n").program
    with pytest.raises(NetsorError) as fault:
        CoordinateLaw(program, ["w"]).mean("w")
    assert [d.code for d in fault.value.diagnostics] == ["E802"]

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
        # What multiplies it is 0 by algebra, not by an expectation.
        "m := mean(x)\noutput a := mean(tanh(m*x)/m*x)",
        "m := mean(x)\noutput a := mean(sin(m)/m*x)",
        "m := mean(x)\noutput a := mean((1 - exp(-m^2*x^2))/m^2)",
        "m := mean(x)\noutput a := mean((relu(x + m) - relu(x))/m)",
        "m := mean(x)\nw := tanh(m*x)/m\noutput a := mean(w^2)",
        "m := mean(x)\nw := A (tanh(m*x)/m)\noutput a := mean(w*y)",
        "m := mean(x)\nk := sin(m)/m\noutput a := k*m",
        "m := mean(x)\noutput a := m^2*mean(x/m)",
        "m := mean(x)\noutput a := m*log(m)",
        "m := mean(x)\noutput a := mean(if m < 1 then m*x/m^2 else x)",
        "output a := mean(if t < 1 then x/t else x)",
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


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("output a := mean(if t > 1 then x/t else x^2)", 1.0),
        ("m := mean(x)\noutput a := mean(if m > 1 then x/m else x^2)", 1.0),
        ("m := mean(x)\noutput a := mean(if m^2 + t < 1/2 then x^2 else log(m)*x)", 1.0),
        ("m := mean(x)\noutput a := mean(tanh(m*x)/(m^2 + q))", 0.0),
        ("m := mean(x)\noutput a := mean(m*x/m*x)", 1.0),
    ],
)
def test_what_is_not_used_needs_no_value(line: str, right: float) -> None:
    result = infer_limit(netsor.loads(HEAD + line + "\n").program)
    assert not result.diagnostics and result["a"].value == pytest.approx(right, abs=1e-14)


def test_the_law_of_coordinates_asks_too() -> None:
    program = netsor.loads(HEAD + "w := A (x/sqrt(t))\noutput a := mean(w)\n").program
    with pytest.raises(NetsorError) as fault:
        CoordinateLaw(program, ["w"]).mean("w")
    assert [d.code for d in fault.value.diagnostics] == ["E802"]


ZERO_OVER_ZERO = "vector x, y ~ N(0, 1)\nθ := mean(x*y)\na := mean(x)/θ\nz := a * x\noutput c := mean(z*y)\n"


def test_a_derivation_says_that_a_scalar_has_no_value() -> None:
    text = str(netsor.loads(ZERO_OVER_ZERO).derive())
    assert "the limit of `a` does not exist" in text


def test_a_kernel_is_refused_where_a_scalar_has_no_value() -> None:
    # 0/0 multiplies what the kernel would take for a number.
    network = netsor.loads(
        "network f(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1/2)\nvector b ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\n"
        "h := U ξ\ng := W tanh(h)\nθ := mean(h*b)\nz := tanh(g) * (mean(b*g)/θ)\noutput f := vᵀ z / √n\n"
    )
    with pytest.raises(netsor.NetsorError, match="no value"):
        network.nngp([[1.0, 0.5], [0.2, -1.0]])

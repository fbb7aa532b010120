"""Differences of constants that meet n: what is 0 has a limit, and what is tiny grows."""

from __future__ import annotations

import pytest

import netsor

ZERO = [
    "n*(√2*√2 - 2)",
    "n*(exp(log(3)) - 3)",
    "n^2*(cos(1)^2 + sin(1)^2 - 1)",
    "n*(log(2) + log(3) - log(6))",
    "n*(√8 - 2√2)",
    "n*(1/3*3 - 1)",
    "√n*(sigmoid(2) + sigmoid(-2) - 1)",
    "n*(4*atan(1) - pi)",
]
GROWS = [
    "n*(tanh(20) - 1)",
    "n*(erf(9) - 1)",
    "√n*(sigmoid(40) - 1)",
    "n*(Phi(9) - 1)",
    "n*((1 + 1e-17) - 1)",
    "n^2*(softplus(50) - 50)",
    "n*(exp(1e-20) - 1)",
]


def declared(c: str) -> netsor.Document:
    return netsor.loads(f"vector x ~ N(0, 1)\nscalar c = {c}\noutput a := c + mean(x)\n")


@pytest.mark.parametrize("c", ZERO)
def test_identities_have_the_limit_zero(c: str) -> None:
    found = declared(c).limit()["a"]
    assert found.value == found.error == 0


@pytest.mark.parametrize("c", GROWS)
def test_tiny_differences_grow(c: str) -> None:
    assert [d.code for d in declared(c).check().diagnostics if d.is_error] == ["E503"]


@pytest.mark.parametrize(
    ("c", "value"),
    [
        # −2/(e⁴⁰ + 1), and 1 − erf(9) = erfc(9), at 30 digits with mpmath.
        ("1e17*(tanh(20) - 1)", -0.84967085105831779546),
        ("1e37*(1 - erf(9))", 4.1370317465138102381),
        ("n*(exp(1/n) - 1)", 1.0),
    ],
)
def test_tiny_differences_keep_their_digits(c: str, value: float) -> None:
    found = declared(c).limit()["a"]
    assert abs(found.value - value) <= found.error + 4e-16 * abs(value)
    assert found.error <= 1e-14 * abs(value)


@pytest.mark.parametrize("factor", ["(√2*√2 - 2)", "(exp(log(3)) - 3)"])
def test_coefficients_of_vectors(factor: str) -> None:
    found = netsor.loads(f"vector x ~ N(0, 1)\nz := √n * {factor} * x + x\noutput a := mean(z^2)\n").limit()["a"]
    assert abs(found.value - 1) <= found.error <= 1e-13

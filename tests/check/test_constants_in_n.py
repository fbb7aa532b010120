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


HEAD = "vector x ~ N(0, 1)\nmatrix W ~ N(0, 1/n)\nscalar c = √2\nscalar t = tanh(20)\n"


@pytest.mark.parametrize("z", ["n*tanh(20)*x - n*x", "n*(tanh(20)*x - x)", "tanh(20)*(n*x) - n*x", "n*x*t - n*x"])
def test_differences_of_vectors_grow(z: str) -> None:
    document = netsor.loads(f"{HEAD}z := {z}\noutput a := mean(z^2)\n")
    assert [d.code for d in document.check().diagnostics if d.is_error] == ["E501"]


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        # tanh 20 − 1, its square, and (π − 3.141592653589793)², at 30 digits with mpmath.
        ("output a := mean(t - 1 + x)", -8.49670851058317781e-18),
        ("output a := mean(x^2)*t - mean(x^2)", -8.49670851058317781e-18),
        ("z := tanh(20)*x - x\noutput a := mean(z^2)", 7.21940555138166063e-35),
        ("z := x*t - x\noutput a := mean(z^2)", 7.21940555138166063e-35),
        ("z := pi*x - 3.141592653589793*x\noutput a := mean(z^2)", 5.68644322893411357e-32),
        ("z := √2*√2*x - 2*x\noutput a := mean(z^2)", 0.0),
        ("z := x/3 + x/3 + x/3 - x\noutput a := mean(z^2)", 0.0),
        # The same constants, met in lines of their own.
        ("y := t*x\nz := y - x\noutput a := mean(z^2)", 7.21940555138166063e-35),
        ("y := c*x\nz := c*y - 2x\noutput a := mean((1e15*z)^2)", 0.0),
        ("y := W (c*x)\nw := W x\nz := c*y - 2w\noutput a := mean((1e15*z)^2)", 0.0),
        ("y := c*x + 1e-17*x\nz := y - c*x\noutput a := mean((1e17*z)^2)", 1.0),
        ("y := x/3\nz := 3y - x\noutput a := mean((1e17*z)^2)", 0.0),
        ("y := exp(0.1)*x\nz := exp(0.2)*y - exp(0.3)*x\noutput a := mean((1e15*z)^2)", 0.0),
    ],
)
def test_differences_across_lines_keep_their_digits(lines: str, value: float) -> None:
    found = netsor.loads(f"{HEAD}{lines}\n").limit()["a"]
    assert abs(found.value - value) <= found.error + 4e-16 * abs(value)
    assert found.error <= 1e-14 * abs(value)


def test_rational_constants_are_listed_as_they_are() -> None:
    listing = netsor.loads(f"{HEAD}z := x/3 + (2/3)*x^2\noutput a := mean(z^(1/3))\n").listing()
    assert "1/3" in listing and "2/3" in listing and "0.333" not in listing


@pytest.mark.parametrize(
    "definition", ["1e-200*1e-200*n", "mean(1e-400*n + x)", "mean(exp(-800)*n + x^2)", "mean(x^2) - 1e-400*n"]
)
def test_a_factor_that_no_float_holds_is_not_zero(definition: str) -> None:
    source = f"program p\nvector x ~ N(0, 1)\noutput a := {definition}\n"
    with pytest.raises(netsor.NetsorError, match="grows like n"):
        netsor.loads(source).limit()


def test_a_tiny_factor_of_what_converges_is_a_tiny_number() -> None:
    value = netsor.loads("program p\nvector x ~ N(0, 1)\noutput a := mean(1e-250*1e-50*x^2 + 1e-400/n)\n").limit()["a"]
    assert value.value == pytest.approx(1e-300, rel=1e-12)

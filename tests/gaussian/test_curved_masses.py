"""Dirac masses of functions: δ(g) is the sum of 1/|∂g| over g = 0, on lines, curves and surfaces."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad
from scipy.stats import norm

import netsor

VECTORS = "vector x, y, z ~ N(0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])\n"


def limit_of(integrand: str):
    return netsor.loads(f"{VECTORS}output a := mean({integrand})\n").limit()


@pytest.mark.parametrize(
    ("integrand", "right"),
    [
        ("step'(x^2-1)", norm.pdf(1)),
        ("step'(x^3-x)", norm.pdf(0) + norm.pdf(1)),
        # Roots 2e-3 apart: Σ φ(r) / |2 (r − 0.37)|.
        ("step'((x-0.37)^2-0.000001)", (norm.pdf(0.371) + norm.pdf(0.369)) / 2e-3),
        ("step'(exp(x)-2)", norm.pdf(math.log(2)) / 2),
        ("step'(relu(x)-1)", norm.pdf(1)),
        # On the circle r = 1: 2π · e^(−1/2)/(2π) / 2, and E x² is half of it by symmetry.
        ("step'(x^2+y^2-1)", math.exp(-0.5) / 2),
        ("step'(x^2+y^2-1)*x^2", math.exp(-0.5) / 4),
        ("step'(x^2+y^2-1)*z^2", math.exp(-0.5) / 2),
        # On the sphere: 4π (2π)^(−3/2) e^(−1/2) / 2.
        ("step'(x^2+y^2+z^2-1)", 2 * math.pi * (2 * math.pi) ** -1.5 * math.exp(-0.5)),
        # Solved for y: φ(y)/|∂g/∂y| on every line.
        ("step'(y-x^2)", quad(lambda x: norm.pdf(x) * norm.pdf(x * x), -9, 9, epsabs=1e-13)[0]),
        ("step'(x*y-1)", 2 * quad(lambda x: norm.pdf(x) * norm.pdf(1 / x) / x, 0, 12, epsabs=1e-13)[0]),
    ],
)
def test_curved_masses(integrand: str, right: float) -> None:
    found = limit_of(integrand)
    assert not found.diagnostics
    assert found["a"].value == pytest.approx(right, rel=1e-7)
    assert abs(found["a"].value - right) <= found["a"].error + 1e-13


@pytest.mark.parametrize(
    "integrand", ["step'(x^3)", "relu''(x^3)", "step'(x^2)", "step'((x-0.37)^2)", "step'(relu(x))"]
)
def test_a_mass_where_its_argument_touches_zero_diverges(integrand: str) -> None:
    found = limit_of(integrand)
    assert found["a"].value is None
    assert [d.code for d in found.diagnostics] == ["E801"]


@pytest.mark.parametrize(
    "integrand",
    ["abs(step'(x))", "exp(step'(x))", "tanh(step'(x)*y)", "√(step'(x))", "1/step'(x)", "step'(x)*step'(x)"],
)
def test_functions_of_masses_mean_nothing(integrand: str) -> None:
    found = limit_of(integrand)
    assert found["a"].value is None
    assert [d.code for d in found.diagnostics] == ["E801"]
    assert "Dirac mass" in found.diagnostics[0].message


@pytest.mark.parametrize(
    "integrand",
    [
        "step''(x^2-1)",
        "step'(x*y)",
        "step'((x^2+y^2-1)^2)",
        "step'(x^2+y^2-1)*step(x-0.3)",
        "step'(sign(x)+x/2)",
    ],
)
def test_masses_that_are_not_taken_are_not_said_to_diverge(integrand: str) -> None:
    found = limit_of(integrand)
    assert found["a"].value is None
    assert [d.code for d in found.diagnostics] == ["E804"]

"""Functions of scalars that leave the range of floats on the way: what overflows there is not without a value."""

from __future__ import annotations

import math

import numpy as np
import pytest

import netsor
from netsor.expr import Sym
from netsor.expr.functions import dirac
from netsor.gaussian.arithmetic.extended_range import values

C = "vector x ~ N(0, 1)\nc := mean(x^2)\n"


@pytest.mark.parametrize(
    "formula, right",
    [
        ("exp(1000 c)/exp(999 c)", math.e),
        ("log(exp(-1000 c))", -1000.0),
        ("log(1 + exp(1000 c))", 1000.0),
        ("exp(1000 c)/(1 + exp(1000 c))", 1.0),
        ("1/(1 + exp(1000 c))", 0.0),
        ("√(exp(2000 c))/exp(1000 c)", 1.0),
        ("sigmoid(-1000 c) * exp(1000 c)", 1.0),
    ],
)
def test_a_value_behind_an_overflow(formula: str, right: float) -> None:
    found = netsor.loads(C + f"output f := {formula}\n").limit()["f"]
    assert found.value is not None and abs(found.value - right) <= found.error <= 1e-11 * max(1.0, abs(right))


@pytest.mark.parametrize(
    "formula, code",
    [
        ("exp(1000 c)", "E804"),
        ("exp(exp(1000 c))", "E804"),
        ("1/(c - 1)", "E802"),
        ("log(c - 1)", "E802"),
        ("log(c - 2)", "E802"),
        ("exp(1/(c - 1))", "E802"),
    ],
)
def test_too_large_is_not_without_a_value(formula: str, code: str) -> None:
    found = netsor.loads(C + f"output f := {formula}\n").limit()
    assert found["f"].value is None and [d.code for d in found.diagnostics] == [code]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_variances_whose_product_is_no_float() -> None:
    text = "vector x ~ N(0, 1e200)\nmatrix W\nh := W (x + relu(x))\noutput f := mean(tanh(h)^2)\n"
    found = netsor.loads(text).limit()["f"]
    assert found.value is not None and abs(found.value - 1) <= found.error < 1e-12


@pytest.mark.parametrize("jump, right", [("sign(k)", 1.0), ("step(k - 3)", 0.0)])
def test_the_slope_of_a_jump_beside_its_place(jump: str, right: float) -> None:
    """The slope is a Dirac mass, which is 0 beside the jump."""
    text = f"vector x ~ N(0, 1)\nk := mean(x^2)\noutput f := softplus(if {jump} >= 1 then k else {jump})\n"
    found = netsor.loads(text).limit()["f"]
    assert found.value is not None and abs(found.value - math.log1p(math.exp(right))) <= found.error <= 1e-11


def test_the_value_of_a_dirac_mass() -> None:
    x = Sym("x")
    found = values(dirac(x), {x: np.array([-2.0, 0.0, 1e-300, math.inf, math.nan])}, 5).floats()
    np.testing.assert_array_equal(found, [0.0, math.nan, 0.0, 0.0, math.nan])


@pytest.mark.parametrize("k", [2e300, 2e-300, -1e250])
def test_a_dirac_mass_of_a_variable_of_any_size(k: float) -> None:
    # δ(k x) with x ~ N(1, 1) is φ(1)/|k|, and δ(k (x − 1/2)) is φ(1/2)/|k|.
    text = f"vector x ~ N(1, 1)\noutput a := mean(step'({k} * x))\noutput b := mean(step'({k} * x - {k / 2}))\n"
    found = netsor.loads(text).limit()
    for name, density in (("a", 0.24197072451914337), ("b", 0.3520653267642995)):
        assert found[name].value == pytest.approx(density / abs(k), rel=1e-12)

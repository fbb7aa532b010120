"""Tests that say the same in other words are one test: their products are exact, not small."""

import math

import pytest

import netsor

HEAD = "vector g, h ~ N(0, 1)\nc := 0.8 * mean(g^2)\n"
# Each says c (h − g/2) > g, or its opposite.
HOLDS = ("c*(h - 0.5*g) > g", "c*h - 0.5*c*g > g", "g < c*(h - 0.5*g)", "2*c*h > c*g + 2*g")
FAILS = ("g >= c*(h - 0.5*g)", "c*h <= 0.5*c*g + g", "c*(h - 0.5*g) <= g")


@pytest.mark.parametrize("one", HOLDS)
@pytest.mark.parametrize("other", (*HOLDS, *FAILS))
def test_products_of_a_test_with_itself(one: str, other: str) -> None:
    same = other in HOLDS
    text = (
        f"{HEAD}output product := mean((if {one} then 1 else 0) * (if {other} then 1 else 0))\n"
        f"output square := mean((-0.5*c*(if {one} then 1 else 0) + (if {other} then 1 else 0))^2)\n"
        f"output mixed := mean(g^2 * ((if {one} then 2 else 1) + c*(if {other} then 1 else 0))^3)\n"
    )
    limits = netsor.loads(text).limit()
    # P = 1/2 by symmetry, and the square of g is independent of which of the two halves of the plane holds.
    square = (1 - 0.4) ** 2 / 2 if same else (0.4**2 + 1) / 2
    mixed = ((2 + 0.8) ** 3 + 1) / 2 if same else (2**3 + (1 + 0.8) ** 3) / 2
    for name, truth in (("product", 0.5 if same else 0.0), ("square", square), ("mixed", mixed)):
        found = limits[name]
        assert found.value is not None and found.error is not None and found.error < 1e-12
        assert found.value == pytest.approx(truth, abs=found.error + 1e-15)


def test_other_tests_stay_apart() -> None:
    text = f"{HEAD}output o := mean((if c*(h - 0.5*g) > g then 1 else 0) * (if c*(h + 0.5*g) > g then 1 else 0))\n"
    found = netsor.loads(text).limit()["o"]
    # The half-planes 0.8 h − 1.4 g > 0 and 0.8 h − 0.6 g > 0.
    assert found.value == pytest.approx(0.25 + math.asin(1.48 / math.sqrt(2.6)) / (2 * math.pi), abs=1e-12)

"""Programs whose zeros may not be claimed, and limits that were said not to exist and do."""

from __future__ import annotations

import math

import pytest

from netsor.api import loads
from netsor.limit import LimitResult

ARE_NORMAL = "vector x, y ~ N(0, [[1, 0], [0, 1]])\n"


def limits(text: str) -> LimitResult:
    document = loads(ARE_NORMAL + text)
    assert document.report.ok, document.report.diagnostics
    return document.limit(budget=20.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("output a := mean(x) / mean(y)\n", "E802"),
        ("m := mean(x)\nz := x / m\noutput a := mean(z)\n", "E802"),
        ("m := mean(x)\nz := x / m\noutput a := mean(tanh(z) * y)\n", "E802"),
        ("m := mean(x)\nz := x * log(m)\noutput a := mean(z)\n", "E802"),
        ("m := mean(1/y)\nz := x * m\noutput a := mean(z)\n", "E801"),
        ("output a := mean(x / y)\n", "E801"),
        ("output a := mean(x * exp(x^2))\n", "E801"),
        ("output a := mean(x * exp(y^2))\n", "E801"),
        ("output a := mean(x * log(y))\n", "E801"),
        ("output a := mean(x / abs(x)^3)\n", "E801"),
        ("output a := mean(exp(100 * x))\n", "E804"),
    ],
)
def test_no_limit(text, code):
    result = limits(text)
    assert result["a"].value is None
    assert [d.code for d in result.diagnostics] == [code]


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("output a := mean(x*y / (x^2 + y^2))\n", 0.0),
        ("output a := mean(x*y / (1 + x^2 + y^2))\n", 0.0),
        ("output a := mean(x*y / √(x^2 + y^2))\n", 0.0),
        ("output a := mean(tanh(x)*tanh(y) / (x^2 + y^2))\n", 0.0),
        ("m := mean(x^2)\nz := x / √(m)\noutput a := mean(z)\n", 0.0),
        ("m := mean(x^2)\nz := x / √(m)\noutput a := mean(z^2)\n", 1.0),
        ("output a := mean(if x > 0 then √x else y)\n", 2**0.25 * math.gamma(0.75) / (2 * math.sqrt(math.pi))),
    ],
)
def test_a_limit(text, truth):
    result = limits(text)
    assert result.diagnostics == ()
    assert result["a"].value == pytest.approx(truth, abs=1e-12)


def test_a_zero_of_a_coefficient_is_claimed_still():
    """E tanh(h) = 0 makes h' = Wᵀ tanh(h) and x independent: exact algebra, without a number."""
    result = limits("matrix W\nh := W x\ng := Wᵀ tanh(h)\noutput a := mean(g * y)\noutput b := mean(x / (1 + x^2))\n")
    assert [(result[k].value, result[k].error) for k in "ab"] == [(0.0, 0.0), (0.0, 0.0)]


def test_normalised_independent_inputs():
    """a = x/√s and b = y/√s with s = (x² + y² + z²)/3 are uncorrelated and equally large."""
    text = (
        "vector z ~ N(0, 1)\nmatrix W\ns := (x^2 + y^2 + z^2) / 3\na := x / √s\nb := y / √s\n"
        "h := W a\ng := W b\noutput c := mean(h * g)\noutput d := mean(relu(h) * relu(g))\n"
    )
    result = limits(text)
    assert result["c"].value == 0.0
    assert result["d"].value == pytest.approx(1 / (2 * math.pi), abs=1e-10)


@pytest.mark.parametrize(
    "integrand",
    [
        "if 0 < 1/h then 1 else 2",
        "if abs(h) < 1/h then 1/h else abs(h)",
        "if not (log(h) < 0) then 1 else 2",
        "if h > 0 or 1/h > 0 then 1 else 2",
        "max(h, 1/h)",
        "min(1, log(h))",
    ],
)
def test_what_is_decided_by_a_number_that_does_not_exist_has_no_limit(integrand: str) -> None:
    """h = W 0 is 0 at every width, and 1/h and log h are no numbers."""
    result = loads(f"matrix W\nvector x ~ N(0, 0)\nh := W x\noutput o := mean({integrand})\n").limit()
    assert result["o"].value is None
    assert [d.code for d in result.diagnostics] == ["E802"]


@pytest.mark.parametrize("integrand", ["if h > 0 then 1/h else 3", "if h > 0 and 1/h > 0 then 1 else 3"])
def test_what_is_not_asked_for_needs_no_value(integrand: str) -> None:
    result = loads(f"matrix W\nvector x ~ N(0, 0)\nh := W x\noutput o := mean({integrand})\n").limit()
    assert result["o"].value == 3

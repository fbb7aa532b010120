"""W (s x) = s W x for a scalar s of the program, whatever follows; and what is 0 only by such an equation is 0.

The truth of every one of these is exact: at every width z is 0 (up to the rounding of floats).
"""

import math

import pytest

from netsor.api import loads

HEAD = "matrix W\nvector x, y ~ N(0, 1)\ns := mean(abs(x))\nt := mean(softplus(y))\n"

# Each z is 0 at every width.
ZEROS = {
    "a factor": "a := W (s*x)\nb := W x\nz := a - s*b\n",
    "two factors": "a := W (s*t*x)\nb := W (s*x)\nz := a - t*b\n",
    "a sum": "a := W (s*x + y)\nb := W x\nc := W y\nz := a - s*b - c\n",
    "opened products": "a := W (x*(y + 1))\nb := W (x*y)\nc := W x\nz := a - b - c\n",
    "no product": "z := x*(y + 1) - x*y - x\n",
    "a square": "z := (x + y)^2 - x^2 - 2*x*y - y^2\n",
}


@pytest.mark.parametrize("lines", ZEROS.values(), ids=list(ZEROS))
def test_what_is_zero_by_linearity_is_zero(lines: str) -> None:
    result = loads(f"{HEAD}{lines}output q := mean(abs(z))\noutput r := mean(step(z))\noutput p := mean(z^2)\n").limit()
    for name in "qr":
        assert (result[name].value, result[name].error) == (0.0, 0.0)
    # A square is multiplied out, and its terms are numbers.
    p = result["p"]
    assert p.value is not None and p.error is not None and abs(p.value) <= p.error < 1e-12


# Equations that are true but not seen as such: a number has to know that it may be 0.
HIDDEN = {
    "under the transpose": "a := W x\nb := Wᵀ (s*tanh(a))\nc := Wᵀ tanh(a)\nz := b - s*c\n",
    "a scalar that is zero": "u := mean(x^2) - 1\na := W (u*tanh(x) + y)\nb := Wᵀ (u*a + tanh(a))\n"
    "z := b - u*Wᵀ a - Wᵀ tanh(a)\n",
    "a name of a scalar": "u := mean(abs(x)) - sqrt(2/pi)\na := W (u*x + y)\nb := W (x - y)\n"
    "z := W ((u + 1)*x) - a - b\n",
    "three products": "a := W (s*x + t*y)\nb := W (x + y)\nc := W (x - y)\nz := a - (s + t)/2*b - (s - t)/2*c\n",
    "an identity": "z := W (sin(x)^2 + cos(x)^2 - 1)\n",
    "a kink": "z := W (relu(x) - relu(-x) - x)\n",
    "another": "z := sigmoid(x) + sigmoid(-x) - 1\n",
}


@pytest.mark.parametrize("lines", HIDDEN.values(), ids=list(HIDDEN))
def test_a_jump_at_what_may_be_zero_is_not_known(lines: str) -> None:
    result = loads(f"{HEAD}{lines}output r := mean(step(z))\noutput p := mean(z^2)\n").limit()
    for name in "rp":
        value, error = result[name].value, result[name].error
        assert value is not None and error is not None and abs(value) <= error
    # An error larger than the range of the function would say nothing more.
    assert result["r"].value + result["r"].error <= 1 + 1e-12


def test_a_scalar_factor_changes_the_law_as_it_should() -> None:
    """s W tanh(x) and W (s tanh(x)), and Wᵀ of them, by hand: E (W (s u))² = s² E u²."""
    lines = "a := W (s*tanh(x))\nb := W tanh(x)\nc := Wᵀ (s*relu(a))\n"
    outputs = "output p := mean(a^2)\noutput q := mean(a*b)\noutput r := mean(b^2)\noutput u := mean(c*tanh(x))\n"
    result = loads(f"{HEAD}{lines}{outputs}output s2 := s\n").limit()
    s, own = result["s2"].value, result["r"].value
    assert s is not None and own is not None
    assert result["p"].value == pytest.approx(s * s * own, rel=1e-14)
    assert result["q"].value == pytest.approx(s * own, rel=1e-14)
    # Ż^{Wᵀ(s relu(a))} = s² E relu'(a) tanh(x).
    assert result["u"].value == pytest.approx(s * s * 0.5 * own, rel=1e-13)


def test_what_is_unbounded_beside_an_unknown_side_is_estimated() -> None:
    """E 1(z > 0) |v| is E |v| or 0 or half of it, as z is: the bound reaches the truth, 0, and says not much more."""
    result = loads(f"{HEAD}z := sigmoid(x) + sigmoid(-x) - 1\noutput r := mean(step(z) * abs(y))\n").limit()["r"]
    assert result.value is not None and result.error is not None
    assert abs(result.value) <= result.error <= 4 * (2 / math.pi) ** 0.5


def test_jumps_whose_side_is_known_cost_no_digits() -> None:
    lines = "a := W (s*x)\noutput r := mean(step(a - t*W x)*step(tanh(y)))\noutput q := mean(step(x*y - s)*abs(y))\n"
    result = loads(HEAD + lines).limit()
    assert all(v.error is not None and v.error < 1e-9 for v in result.outputs.values())

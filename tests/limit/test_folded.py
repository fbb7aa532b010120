"""Vectors of variance 0 and scalars that fold to numbers: rational where they can be, else with their rounding."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import pytest

import netsor
from netsor.limit import infer_limit

HEAD = """vector z ~ N(0.1, 0)
vector y ~ N(0, 1)
u := z + 0.2
w := u - 0.3
r := tanh(z)
s := r - 0.0996679946249558
p := exp(z)*exp(-z) - 1
"""
mp.mp.dps = 40
TENTH = mp.mpf(1) / 10
LEFT = mp.tanh(TENTH) - mp.mpf("0.0996679946249558")


@pytest.mark.parametrize(
    ("line", "truth"),
    [
        ("mean(w)", Fraction(0)),
        ("mean(w*y^2)", Fraction(0)),
        ("mean(z*3)", Fraction(3, 10)),
        ("mean(u)/3", Fraction(1, 10)),
        ("mean(z^3)", Fraction(1, 1000)),
        ("mean(tanh(z))", mp.tanh(TENTH)),
        ("mean(s)", LEFT),
        ("mean(s*y^2)", LEFT),
        ("mean(s)*1e17", LEFT * 10**17),
        ("mean(p)", Fraction(0)),
        ("mean(sqrt(z)*z - 0.0316)", mp.sqrt(TENTH) * TENTH - mp.mpf("0.0316")),
        ("mean(z/3)", Fraction(1, 30)),
        ("mean(exp(u)*y^2)", mp.exp(mp.mpf(3) / 10)),
    ],
)
def test_a_folded_number_carries_its_rounding(line: str, truth: Fraction | mp.mpf) -> None:
    found = infer_limit(netsor.loads(HEAD + f"output a := {line}\n").program)["a"]
    right = mp.mpf(truth.numerator) / truth.denominator if isinstance(truth, Fraction) else truth
    # Of a rational limit the decimal that is printed may be the number itself.
    off = min(abs(mp.mpf(found.value) - right), abs(mp.mpf(repr(found.value)) - right))
    assert off <= found.error <= 4e-15 * max(abs(found.value), 1) if "1e17" not in line else off <= found.error

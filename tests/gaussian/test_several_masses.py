"""Derivatives of functions with several jumps: Dirac masses at different places, which have nothing to do with each
other.

E ψ⁽ᵏ⁾(aX + b) p(X) = (−1/a)ᵏ ∫ ψ(ax + b) (p ϕ)⁽ᵏ⁾ dx, by polynomial calculus and panels between the jumps.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import Polynomial

import netsor

BRANCHES = {
    "if u > -1 and u < 1 then u else 0": [(-1.0, 1.0, Polynomial([0, 1]))],
    "if u > -1 and u < 1 then u^2 else 1/2": [
        (-np.inf, -1.0, Polynomial([0.5])), (-1.0, 1.0, Polynomial([0, 0, 1])), (1.0, np.inf, Polynomial([0.5])),
    ],
    "if u > 0.3 then (if u < 2 then u else 3) else -u": [
        (-np.inf, 0.3, Polynomial([0, -1])), (0.3, 2.0, Polynomial([0, 1])), (2.0, np.inf, Polynomial([3])),
    ],
    "if u < -2 or u > 0.5 then 1 else u^3": [
        (-np.inf, -2.0, Polynomial([1])), (-2.0, 0.5, Polynomial([0, 0, 0, 1])), (0.5, np.inf, Polynomial([1])),
    ],
}  # fmt: skip


def _by_parts(pieces: list[tuple[float, float, Polynomial]], k: int, weight: Polynomial, a: float, b: float) -> float:
    slope = weight
    for _ in range(k):
        slope = slope.deriv() - Polynomial([0, 1]) * slope
    t, w = np.polynomial.legendre.leggauss(40)
    total = 0.0
    for low, high, value in pieces:
        ends = np.linspace(max((low - b) / a, -12.0), min((high - b) / a, 12.0), 30)
        for p, q in zip(ends, ends[1:]):
            x = (p + q) / 2 + (q - p) / 2 * t
            total += (q - p) / 2 * w @ (value(a * x + b) * slope(x) * np.exp(-0.5 * x * x)) / np.sqrt(2 * np.pi)
    return total * (-1 / a) ** k


@pytest.mark.parametrize("text", BRANCHES)
def test_higher_derivatives_of_functions_that_jump_more_than_once(text):
    lines, expected = [f"psi(u) = {text}", "vector x ~ N(0, 1)"], {}
    for k in (1, 2, 3):
        for a, b, weight in ((1, 0, "x"), (1, 1, "x^2"), (3, -0.5, "(1 + x^3)")):
            name = f"o{len(expected)}"
            lines.append(f"output {name} := mean(psi{chr(39) * k}({a} * x + {b}) * {weight})")
            p = {"x": Polynomial([0, 1]), "x^2": Polynomial([0, 0, 1]), "(1 + x^3)": Polynomial([1, 0, 0, 1])}[weight]
            expected[name] = _by_parts(BRANCHES[text], k, p, a, b)
    found = netsor.loads("\n".join(lines) + "\n").limit().outputs
    for name, truth in expected.items():
        assert found[name].value == pytest.approx(truth, abs=found[name].error + 1e-13), name
        assert found[name].error < 1e-12


def test_masses_of_independent_variables():
    text = "psi(u) = if u > -1 and u < 1 then u else 0\nvector x ~ N(0, 1)\nvector y ~ N(0, 1)\n"
    text += "output one := mean(psi''(x) * x)\noutput two := mean(psi''(x) * psi''(y) * x * y)\n"
    found = netsor.loads(text).limit().outputs
    assert found["two"].value == pytest.approx(found["one"].value ** 2, abs=1e-13)


def test_masses_at_one_point_are_told():
    text = "psi(u) = if u > -1 and u < 1 then u else 0\nvector x ~ N(0, 1)\noutput a := mean(psi'(x) * psi'(x))\n"
    (fault,) = netsor.loads(text).limit().diagnostics
    assert fault.code == "E801"

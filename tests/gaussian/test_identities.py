"""One function written in several ways: products inside absolute values and roots, arguments of max in any order."""

from math import asin, gamma, pi, sqrt

import pytest

import netsor

# E |z|^(-1/2) and E |z|^(-9/10) of a standard normal z (Gradshteyn & Ryzhik 3.461).
ROOT, NEARLY = (2 ** (-p / 2) * gamma((1 - p) / 2) / sqrt(pi) for p in (0.5, 0.9))
CASES = {
    "max(u, w) - max(w, u)": 0.0,
    "max(u, w, u) - max(w, u)": 0.0,
    "max(u, max(w, v)) - max(max(u, w), v)": 0.0,
    "max(u, max(w, v))": 3 / (2 * sqrt(pi)),
    "min(u, u) * tanh(0*u) + max(u, u)^2": 1.0,
    "abs(u*w*v)^(-0.5)": ROOT**3,
    "abs(u*w)^(-0.9)": NEARLY**2,
    "abs(u*w) * abs(u)": sqrt(2 / pi),
    "sqrt(abs(u*w)) / abs(u*v)": None,
    "sign(x*y)": 2 / pi * asin(0.5),
    "abs(x*y) - abs(x)*abs(y)": 0.0,
}


@pytest.mark.parametrize("integrand", sorted(CASES))
def test_the_spelling_does_not_matter(integrand: str) -> None:
    program = "program p\nvector u, w, v ~ N(0, 1)\nvector x, y ~ N(0, [[1, 0.5], [0.5, 1]])\n"
    result = netsor.loads(f"{program}output a := mean({integrand})\n").limit()["a"]
    truth = CASES[integrand]
    if truth is None:
        assert result.value is None
        return
    assert result.value is not None, result
    assert abs(result.value - truth) <= result.error + 1e-15 * truth
    assert result.error <= (1e-11 * truth if truth else 0)

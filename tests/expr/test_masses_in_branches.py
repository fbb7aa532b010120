"""Derivatives of conditionals with `and`, `or` and nested branches, whose Dirac masses lie inside branches."""

from __future__ import annotations

import math

import pytest

import netsor


def value(text: str) -> float | None:
    return netsor.loads(text).limit()["a"].value


def test_masses_of_a_conjunction() -> None:
    """E φ'(x) = E x φ(x) by Stein's lemma: 0 for u² on (−1, 1), E x²; |x| < 1 for u."""
    inside = "φ(u) = if u > -1 and u < 1 then {} else 0\nvector x ~ N(0, 1)\noutput a := mean(φ'(x))\n"
    assert value(inside.format("u^2")) == pytest.approx(0, abs=1e-14)
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    assert value(inside.format("u")) == pytest.approx(math.erf(math.sqrt(0.5)) - 2 * density, rel=1e-12)


def test_second_derivative_of_hardtanh() -> None:
    """hardtanh'' = δ(x + 1) − δ(x − 1), so that E hardtanh''(x) x is −2 times the density at 1."""
    text = "vector x ~ N(0, 1)\noutput a := mean(hardtanh''(x) * x)\n"
    assert value(text) == pytest.approx(-2 * math.exp(-0.5) / math.sqrt(2 * math.pi), rel=1e-12)


def test_masses_outside_their_branch() -> None:
    """Softshrink by signs is softshrink by cases, with its derivative."""
    cases = "if u > 1 then u - 1 else if u < -1 then u + 1 else 0"
    signs = ("if abs(u) > 1 then u - sign(u) else 0", "if abs(u) <= 1 then 0 else u - step(u) + step(-u)")
    for spelled in signs:
        for of in ("ψ'(x)", "ψ(x) * x * x * x", "ψ'(x)^2"):
            text = "ψ(u) = {}\nvector x ~ N(0, 2)\noutput a := mean({})\n"
            assert value(text.format(spelled, of)) == pytest.approx(value(text.format(cases, of)), rel=1e-12)

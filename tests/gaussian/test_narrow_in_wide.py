"""Functions that turn on a scale of 1, of variables whose deviations are anything up to 1e100."""

from __future__ import annotations

import math

import pytest

import netsor

SIZES = [1e5, 1e8, 1e12, 1e20, 1e30, 1e100]
FUNCTIONS = [("tanh'", 2.0), ("sigmoid'", 1.0), ("erf'", 2.0)]
# Those that take a rule to its budget take ten seconds each.
CASES = [
    pytest.param(f, area, size, marks=[pytest.mark.slow] if f != "erf'" and size > 1e5 else [])
    for f, area in FUNCTIONS
    for size in SIZES
]


@pytest.mark.parametrize(("function", "area", "size"), CASES)
def test_a_spike_at_the_origin(function, area, size):
    """∫∫ f(u) f(v) times the density at 0, 1/(2π √(25 − 9) s²), as far as s⁻² goes."""
    a, b = 5 * size * size, 3 * size * size
    text = f"vector u, v ~ N(0, [[{a!r}, {b!r}], [{b!r}, {a!r}]])\noutput a := mean({function}(u)*{function}(v))\n"
    found = netsor.loads(text).limit(tol=1e-3, budget=60)["a"]
    truth = area**2 / (2 * math.pi * 4 * size * size)
    assert abs(found.value - truth) <= found.error + 4 * truth / size**2
    assert found.error < 1e-2 * truth

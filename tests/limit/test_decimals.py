"""Decimals of a text are the numbers meant, also in sums that decide on which side of a jump something lies."""

from __future__ import annotations

import pytest

import netsor

SINGULAR = "vector u, v, w ~ N([0.1, 0.2, 0.3], [[1, 0, 1], [0, 1, 1], [1, 1, 2]])\n"


@pytest.mark.parametrize(
    "text, right",
    [
        ("scalar a = 0.1\nscalar b = 0.2\noutput f := if a + b > 0.3 then 1 else 0\n", 0.0),
        ("scalar a = 0.1\nscalar b = 0.2\noutput f := √(a + b - 0.3)\n", 0.0),
        ("vector u ~ N(0.1, 0)\noutput f := mean(step(u + 0.2 - 0.3))\n", 0.0),
        ("vector u ~ N(0.1, 0)\nvector w ~ N(0, 1)\noutput f := mean(step(w * (u + 0.2 - 0.3)))\n", 0.0),
        ("vector u ~ N(0.3, 1e-30)\noutput f := mean(step(u - 0.1 - 0.2))\n", 0.5),
        (SINGULAR + "output f := mean(step(u + v - w))\n", 0.0),
        (SINGULAR + "output f := mean(abs(u + v - w))\n", 0.0),
    ],
)
def test_a_jump_where_decimals_cancel(text: str, right: float) -> None:
    found = netsor.loads(text).limit()["f"]
    assert found.value is not None and found.error < 1e-14
    assert abs(found.value - right) <= found.error

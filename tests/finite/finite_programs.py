"""Programs that the tests of finite width share, and ways to measure them."""

from __future__ import annotations

import netsor
from netsor.core import Program

FEEDBACK = """
matrix W ~ N(0, 1.3/n)
vector x ~ N(0, 1)
vector c ~ N(0.5, 1)
y := W x
p := tanh(y) + 0.3 c
u := Wᵀ p
q := relu(u) - 0.2 x
z := W q
r := Wᵀ (y ⊙ z)
s := W (x + r)
t := Wᵀ (z - y)
output yy := mean(y^2)
output uu := mean(u^2)
output xu := mean(x * u)
output zz := mean(z^2)
output yz := mean(y * z)
output rr := mean(tanh(r) * u)
output ss := mean(tanh(s) * z)
output su := mean(sin(s) * p)
output tt := mean(t^2)
output tx := mean(tanh(t) * x)
"""


def program(text: str) -> Program:
    """The core of a text, which must be right."""
    return netsor.loads(text).program

"""Decimal balls against mpmath at twice the digits: each value lies within its error."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import mpmath as mp
import pytest

from netsor.expr import balls
from netsor.expr.balls import arithmetic

FUNCTIONS = {
    "exponential": (balls.exponential, mp.exp, (-60, 60)),
    "logarithm": (balls.logarithm, mp.log, (1e-30, 1e30)),
    "sigmoid": (balls.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), (-90, 90)),
    "tanh": (balls.tanh, mp.tanh, (-60, 60)),
    "softplus": (balls.softplus, lambda x: mp.log(1 + mp.exp(x)), (-60, 60)),
    "erf": (balls.erf, mp.erf, (-9, 9)),
    "normal": (balls.normal, mp.ncdf, (-9, 9)),
    "sine": (balls.sine, mp.sin, (-50, 50)),
    "cosine": (balls.cosine, mp.cos, (-50, 50)),
    "tangent": (balls.tangent, mp.tan, (-1.5, 1.5)),
    "arctangent": (balls.arctangent, mp.atan, (-1e6, 1e6)),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions(name: str) -> None:
    f, truth, (low, high) = FUNCTIONS[name]
    rng = random.Random(name)
    for _ in range(40):
        scale = rng.choice([1.0, 1e-3, 1e-9])
        x = rng.uniform(low, high) * (scale if low <= 0 else 1.0)
        with arithmetic(60) as at, mp.workdps(140):
            found = f(at, at.rational(Fraction(x)))
            right = truth(mp.mpf(x))
            apart = abs(mp.mpf(str(found.value)) - right)
            assert apart <= mp.mpf(str(found.error)), (name, x)
            assert found.error <= abs(found.value) * Decimal("1e-45") + Decimal("1e-55")

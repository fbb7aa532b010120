"""How fast the value of a program at width n approaches its limit.

Averages over n coordinates have a bias of order 1/n. A function of n in the program, such as 1/√n or 1/log n, adds its
own distance from its limit, which may decrease arbitrarily slowly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from netsor.core import MatMul, Program
from netsor.expr import WIDTH, Expr, evaluate, postorder

# Widths at which the limit of a function of n is judged. Each is the square of the one before, so that even 1/log n is
# halved at every step; the second triple serves functions that overflow or underflow at the first.
_FAR = ((1e75, 1e150, 1e300), (1e3, 1e6, 1e12))


def functions_of_width(program: Program, targets: Iterable[str]) -> list[Expr]:
    """The functions of n, in n alone, that the given scalars and vectors depend on."""
    program, needed = program.evaluated, program.needed(list(targets))
    found: dict[Expr, None] = {}
    whole = [c.value for c in program.constants if c.name in needed]
    whole += [i.psi for i in program.instructions if i.name in needed and not isinstance(i, MatMul)]
    for e in whole:
        if WIDTH in e.free:
            found |= dict.fromkeys(x for x in postorder(e) if x is not WIDTH and set(x.free) == {WIDTH})
    return list(found)


def decays(program: Program, targets: Iterable[str], widths: Iterable[float]) -> list[list[float]]:
    """Distances to their limits at the widths of 1/n and of each function of n that tends to one, slowest last."""
    asked = list(widths)
    found = [[1 / n for n in asked]]
    for e in functions_of_width(program, targets):
        end = _end(e)
        values = [_value(e, n) for n in asked]
        if end is not None and all(map(math.isfinite, values)):
            gaps = [abs(v - end) for v in values]
            if gaps[-1] > 0 and all(b < a for a, b in zip(gaps, gaps[1:])):
                found.append(gaps)
    return sorted(found, key=lambda g: g[-1] / g[0])


def _end(e: Expr) -> float | None:
    """The limit of a function of n, or None where it grows or its values are not conclusive."""
    for points in _FAR:
        a, b, c = (_value(e, n) for n in points)
        if all(map(math.isfinite, (a, b, c))) and (abs(c - b) < abs(b - a) or a == b == c):
            return c
    return None


def _value(e: Expr, n: float) -> float:
    try:
        return float(evaluate(e, {WIDTH: float(n)}))
    except (ArithmeticError, ValueError):
        return math.nan

"""How fast what a program says at width n nears what it says in the limit.

Averages over n coordinates have a bias of order 1/n. A function of n that a program holds, such as 1/√n or 1/log n,
brings its own distance to its limit, which may fall as slowly as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from netsor.core import MatMul, Program
from netsor.expr import WIDTH, Expr, evaluate, postorder

# Where a function of n is taken for its limit: at the square of the square of one point, and of the next.
_FAR = ((1e75, 1e150, 1e300), (1e3, 1e6, 1e12))


def functions_of_width(program: Program, targets: Iterable[str]) -> list[Expr]:
    """The functions of n, in n alone, that the given scalars and vectors depend on."""
    needed = program.needed(list(targets))
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
            if all(0 < b < a for a, b in zip(gaps, gaps[1:])):
                found.append(gaps)
    return sorted(found, key=lambda g: g[-1] / g[0])


def _end(e: Expr) -> float | None:
    """The limit of a function of n, None where it grows or is not known."""
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

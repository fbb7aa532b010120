"""Powers of two that no float can hold are taken out of expectations: Z^x = 2^k u with u of ordinary size.

A variance of 1e-400 is not a float, although step(Z) has a limit; its mantissa is one after the power of two is taken
out.
"""

from __future__ import annotations

import math

from netsor.expr import Add, Expr, add, canonical, mul, postorder
from netsor.expr.build import wide
from netsor.gaussian import Estimate, OutOfRange
from netsor.gaussian.symbolic.powers_of_two import FAR, LEAST, gathered, is_far, size


class Scales:
    """Finds numbers of extraordinary size; examines each node once, since Z's of a long program share nodes."""

    def __init__(self) -> None:
        self._ordinary: set[Expr] = set()

    def has_far(self, e: Expr) -> bool:
        """Whether an expression contains a number of extraordinary size."""
        for node in postorder(e, known=lambda n: n in self._ordinary):
            if is_far(node):
                return True
            if all(c in self._ordinary for c in node.children):
                self._ordinary.add(node)
        return False

    def unscaled(self, e: Expr) -> tuple[int, Expr]:
        """(k, u) with e = 2^k u, where k = 0 unless all terms of e have factors of extraordinary size."""
        if not self.has_far(e):
            return 0, e
        u = gathered(canonical(e))
        terms = u.children if isinstance(u, Add) else (u,)
        k = max(map(size, terms))
        if -FAR < k < FAR:
            return 0, u
        back = wide(1, -k)
        return k, canonical(add(*(mul(back, t) for t in terms)))


def times_power(x: float, error: float, k: int) -> Estimate:
    """2^k (x ± error) as a number; raises Unsettled where no float can hold it."""
    if k == 0:
        return Estimate(x, error)
    try:
        value, bound = math.ldexp(x, k), math.ldexp(error, k)
    except OverflowError:
        size = (math.log2(abs(x)) + k) * math.log10(2) if x else 0.0
        raise OutOfRange(f"its size is about 1e{size:+.0f}, out of the range of floating-point numbers") from None
    exact = bound == 0 and (value == 0) == (x == 0) and abs(value) >= 2.0**-1022
    return Estimate(value, bound if exact or x == error == 0 else bound + LEAST)

"""Whether a function whose parts are not pseudo-Lipschitz fails to be so as a whole: by looking for the place.

x sign(x) is |x|, and 1/(1 + exp(-x)) is a sigmoid. A verdict "fails" needs a jump, a pole, an unbounded slope or a
growth beyond polynomials that the whole function shows along some line; else it cannot be told.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import lru_cache

from netsor.expr import Expr, Sym, evaluate, substitute
from netsor.expr.entry import REALS, Interval
from netsor.expr.functions import is_singular

_REACH = 40.0
_STEPS = 80
_BESIDE = 1e-4
_DEGREE = 24  # a polynomial of a higher degree is taken for something worse


def shows_failure(psi: Expr, ranges: Mapping[Sym, Interval]) -> bool:
    """Whether ψ has a jump, a pole, an unbounded slope or too fast a growth on one of a few lines in its domain."""
    if is_singular(psi):
        return True
    symbols = sorted(psi.free, key=lambda s: s.digest)
    plain = substitute(psi, {s: Sym(f"x{k}") for k, s in enumerate(symbols)})
    return _fails(plain, tuple(ranges.get(s, REALS) for s in symbols))


@lru_cache(maxsize=1024)
def _fails(psi: Expr, ranges: tuple[Interval, ...]) -> bool:
    symbols = [Sym(f"x{k}") for k in range(len(ranges))]
    rng = random.Random(20210721)

    def inside(r: Interval) -> float:
        low, high = max(r[0], -1.5), min(r[1], 1.5)
        return rng.uniform(low, high) if low < high else low

    lines = []
    for k in range(len(symbols)):
        # Along one variable through 0, where most kinks are, and through a point of no distinction.
        unit = [1.0 if j == k else 0.0 for j in range(len(symbols))]
        lines += [([0.0] * len(symbols), unit), ([inside(r) for r in ranges], unit)]
    lines += [([inside(r) for r in ranges], [rng.uniform(-1, 1) for _ in symbols]) for _ in range(3)]
    for start, way in lines[:24]:

        def along(t: float, start: list[float] = start, way: list[float] = way) -> float:
            at = (min(max(a + t * b, r[0]), r[1]) for a, b, r in zip(start, way, ranges, strict=True))
            return evaluate(psi, dict(zip(symbols, at, strict=True)))

        if _breaks(along):
            return True
    return False


def _breaks(f: Callable[[float], float]) -> bool:
    # Points of no distinction, and 0 itself.
    grid = sorted([*(_REACH * (2 * (k + 0.3183) / _STEPS - 1) for k in range(_STEPS)), 0.0])
    values = [f(t) for t in grid]
    if all(map(math.isnan, values)):
        # The line lies in a set that is excepted, as x = 0 is for sin(x)/x.
        return False
    zero = grid.index(0.0)
    removable = math.isnan(values[zero]) and _joins_up(f)
    if removable:
        values[zero] = f(_BESIDE)
    if any(not math.isfinite(v) for v in values):
        return True
    # A polynomial of degree d grows by 2^d whenever the distance doubles, at whatever distance.
    size = [max(abs(f(t)), abs(f(-t)), 1e-3) for t in (_REACH / 4, _REACH / 2, _REACH)]
    early, late = size[1] / size[0], size[2] / size[1]
    if late > 2.0**_DEGREE or late > 64 * max(early, 1.0):
        return True
    order = sorted(range(len(grid) - 1), key=lambda k: -abs(values[k + 1] - values[k]) / (1 + abs(grid[k]) ** 3))
    if removable:
        # Nearby its values are rounding.
        return any(_is_steep(f, grid[k], grid[k + 1]) for k in order[:6] if k not in (zero, zero - 1))
    return any(_is_steep(f, grid[k], grid[k + 1]) for k in {*order[:6], zero, zero - 1})


def _joins_up(f: Callable[[float], float]) -> bool:
    """Whether 0/0 at 0 is surrounded by values that agree: then it may be removable."""
    near = [f(s * t) for t in (10 * _BESIDE, _BESIDE) for s in (1, -1)]
    return all(map(math.isfinite, near)) and max(near) - min(near) <= 100 * _BESIDE * (1 + max(map(abs, near)))


def _is_steep(f: Callable[[float], float], a: float, b: float) -> bool:
    """Whether halving an interval towards its steepest part never lets the slope settle."""
    fa, fb = f(a), f(b)
    slopes = []
    for _ in range(36):
        m = (a + b) / 2
        fm = f(m)
        if not math.isfinite(fm):
            return True
        if abs(fm - fa) >= abs(fb - fm):
            b, fb = m, fm
        else:
            a, fa = m, fm
        slopes.append(abs(fb - fa) / (b - a))
    # A smooth part settles after a few halvings; a root's slope and a jump's grow to the end.
    return slopes[-1] > 50 * max(slopes[12], 1e-6) and slopes[-1] > 4 * max(slopes[-9], 1e-6)

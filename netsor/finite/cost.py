"""Rough times of a run, from a few measured rates, to choose the cheaper engine and to refuse a run of years.

The rates were measured on two cores with numpy 2.4. The choice of an engine needs only the ratio of two times, which is
of the order of the width.
"""

from __future__ import annotations

from netsor.finite.plan import Plan

NORMALS = 80e6  # standard normals drawn per second and core
BANDWIDTH = 18e9  # bytes read per second
FLOPS = 25e9  # floating-point operations per second and core, in float64 products of matrices
CALL = 2e-6  # seconds of overhead of one numpy call
STEP = 10e-9  # seconds for one coordinate of one instruction or draw, on one core
YEAR = 365.25 * 86400.0  # seconds


def dense_seconds(plan: Plan, n: int, itemsize: int, threads: int) -> float:
    """Seconds to draw each matrix, and to read it once for each batch of products."""
    draw = len(plan.matrices()) * n * n / (NORMALS * (threads if n > 512 else 1))
    products = 0.0
    for p in plan.products():
        k = len(p.names)
        products += 4 * CALL + max(n * n * itemsize / BANDWIDTH, 2.0 * n * n * k * itemsize / 8 / (FLOPS * threads))
    return draw + products


def lazy_seconds(plan: Plan, n: int, itemsize: int, threads: int) -> float:
    """Seconds to draw a Gaussian vector for each query, and to read directions and normals five times in all."""
    rows: dict[tuple[str, bool], int] = {}
    total = 0.0
    for p in plan.products():
        k = len(p.names)
        mine, other = rows.get((p.matrix, p.transposed), 0), rows.get((p.matrix, not p.transposed), 0)
        own = 3.0 * (mine + k) + 2.0 * other
        read = own * n * itemsize * (1 + 0.15 * (k - 1)) / BANDWIDTH
        normals = k * n / (NORMALS * (threads if n > 16384 else 1))
        total += (25 + 10 * k) * CALL + normals + read + 8 * k * n * itemsize / BANDWIDTH
        rows[p.matrix, p.transposed] = min(n, mine + k)
    return total


def draw_seconds(plan: Plan, n: int, itemsize: int, engine: str, threads: int) -> float:
    """Seconds for one draw: the products, and a pass over the coordinates for each instruction and initial vector."""
    # The caller may pass a width of any size; the square of 10^100 is still a float, and beyond it only the order
    # matters.
    n = min(n, 10**100)
    products = (dense_seconds if engine == "dense" else lazy_seconds)(plan, n, itemsize, threads)
    steps = sum(len(s.body) + len(s.draws) for s in plan.stages)
    return float(products + steps * (20e-6 + n * STEP / (threads if n > 16384 else 1)) + 5e-4)

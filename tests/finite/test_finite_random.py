"""Random programs of products, nonlinearities and moments: the lazy engine has the law of the matrices themselves."""

from __future__ import annotations

import numpy as np
import pytest
from finite_programs import program
from random_products import random_products
from test_finite_exactness import ALARM, smallest_p

from netsor.core import MatMul
from netsor.finite import lazy, run

PROGRAMS, SEEDS = 10, 250


def least_p(seed: int) -> tuple[float, int]:
    """The smallest p-value over the outputs of a random program, and their number."""
    p = program(random_products(seed))
    n = (2, 3, 5, 8, 13)[seed % 5]
    dense = run(p, n, SEEDS, seed=1, engine="dense").values
    found = run(p, n, SEEDS, seed=2, engine="lazy", dtype=("float64", "float32")[seed % 2]).values
    # Heavy tails would spoil the normal law of the mean of squares: compare on a bounded scale.
    with np.errstate(invalid="ignore"):
        return min(smallest_p(np.arctan(dense[k]), np.arctan(found[k])) for k in dense), len(dense)


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_programs_have_one_law(seed: int) -> None:
    p, outputs = least_p(seed)
    # All programs together raise a false alarm with probability at most `ALARM`.
    assert p > ALARM / (3 * outputs * PROGRAMS)


def test_a_transpose_of_its_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lazy.Lazy.multiply

    def multiply(self, p, xs):  # type: ignore[no-untyped-def]
        # The transpose is that of another matrix of the same law.
        other = f"{p.matrix}{p.transposed:d}"
        self._program = _Laws(self._program, other, p.matrix)
        self._queries = {**self._queries, (other, p.transposed): self._queries[p.matrix, p.transposed]}
        return original(self, type(p)(other, p.transposed, p.names, p.vectors), xs)

    monkeypatch.setattr(lazy.Lazy, "multiply", multiply)
    asks_both = [seed for seed in range(PROGRAMS) if _asks_both_ways(seed)]
    assert len(asks_both) >= 3
    assert min(least_p(seed)[0] for seed in asks_both) < ALARM / (12 * PROGRAMS)


class _Laws:
    """The matrices of a program with one more, which has the law of another."""

    def __init__(self, program, name: str, like: str):  # type: ignore[no-untyped-def]
        self.matrix = {**program.matrix, name: program.matrix[like]}


def _asks_both_ways(seed: int) -> bool:
    asked = {(i.matrix, i.transposed) for i in program(random_products(seed)).instructions if isinstance(i, MatMul)}
    return any((m, not t) in asked for m, t in asked)

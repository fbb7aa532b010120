"""Lazy against dense in distribution at widths where n matters, and proof that these tests can fail.

Every comparison of two samples is a Kolmogorov–Smirnov test and two z-tests (mean, mean square). All of them
together raise a false alarm with probability at most `ALARM` by the union bound (seeds are fixed, so in fact never
again). An engine with a planted error must set off the alarm.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pytest
from finite_programs import FEEDBACK, program
from scipy.stats import kstwo

from netsor.finite import lazy, run
from netsor.finite.kernels import Kernels
from netsor.finite.streams import Streams
from netsor.finite.workers import Workers

ALARM = 1e-6
SEEDS = 3000
KERNELS = Kernels(Workers(1), "float64")


def smallest_p(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest p-value of the three tests of one pair of samples (K,), two-sided."""
    grid = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(x), grid, "right") for x in (a, b)]
    gap = np.max(np.abs(below[0] - below[1])) / len(a)
    ps = [float(kstwo.sf(gap, len(a) / 2))]
    for f in (lambda x: x, np.square):
        x, y = f(a), f(b)
        z = (x.mean() - y.mean()) / np.sqrt(x.var() / len(x) + y.var() / len(y))
        ps.append(2 * NormalDist().cdf(-abs(float(z))))
    return min(ps)


@lru_cache
def dense_sample(n: int) -> dict[str, np.ndarray]:
    """The outputs of the program with feedback, with the matrix itself."""
    return run(program(FEEDBACK), n, SEEDS, seed=1, engine="dense").values


def worst_p(n: int) -> tuple[float, int]:
    """The smallest p-value over all outputs of the program with feedback, and the number of tests behind it."""
    a = dense_sample(n)
    b = run(program(FEEDBACK), n, SEEDS, seed=2, engine="lazy").values
    # Heavy tails would spoil the normal law of the mean of squares: compare on a bounded scale.
    return min(smallest_p(np.arctan(a[k]), np.arctan(b[k])) for k in a), 3 * len(a)


@pytest.mark.parametrize("n", [4, 8, 16])
def test_lazy_and_dense_have_one_law(n: int) -> None:
    p, tests = worst_p(n)
    assert p > ALARM / (3 * tests)


DEPENDENT = """
matrix W
vector x, w ~ N(0, 1)
vector z ~ N(0, 0)
a := W x
again := W x
b := W w
c := W (2 * x - 3 * w)
e := Wᵀ (a + b)
f := Wᵀ a
g := Wᵀ (a - b)
h := W e
k := W (f + g + z)
l := Wᵀ (h - k) + W z
output o1 := mean(c * a)
output o2 := mean(l * x)
output o3 := mean(h * k)
output o4 := mean(l^2)
output o5 := mean(e * f)
output same := mean((c - 2 * a + 3 * b)^2) + mean((a - again)^2) + mean((e - f - Wᵀ b)^2) + mean((W z)^2)
"""
# At n = 4 and 5 nine queries of either side leave nothing of the space to be asked.
EXHAUSTED = """
matrix A
matrix V ~ N(0, 2/n)
vector v ~ N(0, 1)
vector g[1..9] ~ N(0, 1)
h[0] := v
for t in 1..9:
    h[t] := A tanh(h[t-1])
for t in 1..9:
    b[t] := Aᵀ (h[t] * h[t-1] + g[t])
r := V relu(b[9])
s := Vᵀ (r + h[9])
output o1 := mean(h[9] * h[1])
output o2 := mean(b[9] * b[1])
output o3 := mean(b[5] * h[5])
output o4 := mean((A b[8])^2)
output o5 := mean(s * b[9])
output o6 := mean(s^2)
"""


@pytest.mark.parametrize(("n", "dtype"), [(4, "float64"), (5, "float32"), (16, "float64")])
@pytest.mark.parametrize("text", [DEPENDENT, EXHAUSTED], ids=["dependent", "exhausted"])
def test_dependent_and_exhausting_queries_have_the_law_of_the_matrix(text: str, n: int, dtype: str) -> None:
    p = program(text)
    dense = run(p, n, 500, seed=3, engine="dense").values
    lazy = run(p, n, 500, seed=4, engine="lazy", dtype=dtype).values
    names = [k for k in dense if k != "same"]
    # All cases of this test together raise a false alarm with probability at most `ALARM`.
    for k in names:
        assert smallest_p(np.arctan(dense[k]), np.arctan(lazy[k])) > ALARM / (3 * len(names) * 6), k
    if "same" in lazy:
        assert np.max(lazy["same"]) < (1e-20 if dtype == "float64" else 1e-8)


def _independent_transpose(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lazy.Asked._image

    def image(self, side, other, split):  # type: ignore[no-untyped-def]
        original(self, side, other, split)
        side.mixing[side.count : side.count + len(split.fresh)] = 0.0

    monkeypatch.setattr(lazy.Asked, "_image", image)


def _with_normals_along(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale what the fresh Gaussians seem to have along the known directions, which is subtracted from them."""
    original = Kernels.fresh
    monkeypatch.setattr(Kernels, "fresh", lambda *args: factor * original(*args))


def _missing_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    # The known part is added, but the fresh Gaussian keeps its components along what is known.
    _with_normals_along(0.0, monkeypatch)


def _forgotten_known_part(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lazy.Asked._image

    def image(self, side, other, split):  # type: ignore[no-untyped-def]
        original(self, side, other, split)
        r, t = side.count, other.count
        new = slice(r, r + len(split.fresh))
        side.mixing[new, :t] -= other.by_row(side.pairs[new, :t])

    monkeypatch.setattr(lazy.Asked, "_image", image)


def _wrong_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lazy.Asked.__init__

    def init(self, name, variance, queries, streams, kernels):  # type: ignore[no-untyped-def]
        # n − 1 where n belongs: 14 % of the variance at n = 8.
        original(self, name, variance * self_width(streams) / (self_width(streams) - 1), queries, streams, kernels)

    monkeypatch.setattr(lazy.Asked, "__init__", init)


def self_width(streams: Streams) -> int:
    return streams.width


PLANTS = [_independent_transpose, _missing_projection, _forgotten_known_part, _wrong_variance]
PLANTED = [*((4, f) for f in PLANTS), (8, _independent_transpose), (8, _missing_projection)]


@pytest.mark.parametrize(("n", "plant"), PLANTED)
def test_a_planted_error_is_found(n: int, plant, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    plant(monkeypatch)
    p, tests = worst_p(n)
    assert p < ALARM / (3 * tests)


@pytest.mark.parametrize("n", [3, 4, 8])
def test_the_matrix_behind_adaptive_queries_is_iid_gaussian(n: int) -> None:
    """After queries that depend on the answers, ask for all of W: its entries are iid N(0, 1/n)."""
    seeds = 1500
    entries = np.empty((seeds, n * n))
    for k in range(seeds):
        w = lazy.Asked("W", 1.0, (n + 3, 3), Streams(5, k, n), KERNELS)
        x = np.arange(1.0, n + 1)
        (y,) = w.multiply(False, [x])
        (u,) = w.multiply(True, [np.maximum(y, 0) + 0.1])
        (z,) = w.multiply(False, [np.tanh(u) - x])
        w.multiply(True, [z, y * z])
        entries[k] = np.stack(w.multiply(False, list(np.eye(n))), axis=1).ravel()
    entries *= np.sqrt(n)
    tests = 3 * n * n + n**4
    normal = NormalDist()
    threshold = -normal.inv_cdf(ALARM / tests / 2)
    ordered = np.sort(entries, axis=0)
    cdf = np.vectorize(normal.cdf)(ordered)
    steps = np.arange(1, seeds + 1)[:, None] / seeds
    gaps = np.max(np.maximum(np.abs(cdf - steps), np.abs(cdf - steps + 1 / seeds)), axis=0)
    assert kstwo.sf(gaps.max(), seeds) > ALARM / tests
    second = (entries.T @ entries) / seeds - np.eye(n * n)
    spread = np.where(np.eye(n * n) > 0, np.sqrt(2), 1) / np.sqrt(seeds)
    assert np.max(np.abs(second) / spread) < threshold
    assert np.max(np.abs(entries.mean(axis=0))) * np.sqrt(seeds) < threshold

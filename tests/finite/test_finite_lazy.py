"""The lazy engine's algebra: what it says of one matrix hangs together, and stays so after hundreds of products."""

from __future__ import annotations

import numpy as np
import pytest
from finite_programs import FEEDBACK, program

from netsor.finite import lazy, run_vectors
from netsor.finite.kernels import Kernels
from netsor.finite.lazy import Asked
from netsor.finite.streams import Streams
from netsor.finite.workers import Workers

WORKERS = Workers(2)


def asked(n: int, right: int, left: int, dtype: str = "float64", draw: int = 0, variance: float = 1.0) -> Asked:
    return Asked("W", variance, (right, left), Streams(0, draw, n), Kernels(WORKERS, dtype))


def gram_error(basis: np.ndarray) -> float:
    """The largest entry of V Vᵀ − I, computed in float64."""
    v = basis.astype(np.float64)
    return float(np.max(np.abs(v @ v.T - np.eye(len(v)))))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_sides_agree(dtype: str) -> None:
    eps = np.finfo(dtype).eps
    p = program(FEEDBACK)
    for n in (3, 4, 8, 1000, 70_000):
        names = ["x", "c", "y", "p", "u", "q", "z", "r", "s"]
        d = run_vectors(p, n, 1, names, engine="lazy", dtype=dtype)
        # ⟨p, W x⟩ = ⟨Wᵀ p, x⟩ for every pair that was asked; (argument, product).
        right = [("x", "y"), ("q", "z")]
        left = [("p", "u")]
        v = {k: x.astype(float) for k, x in d.items()}
        for a, wa in right:
            for b, wb in left:
                scale = np.linalg.norm(v[a]) * np.linalg.norm(v[b])
                assert abs(v[wa] @ v[b] - v[a] @ v[wb]) < 40 * eps * scale, (n, a, b)
        assert all(x.dtype == dtype for x in d.values())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8])
def test_repeated_dependent_and_exhausting_queries_are_of_one_matrix(n: int) -> None:
    rng = np.random.default_rng(n)
    w = asked(n, 6 * n + 9, 3 * n)
    said: list[tuple[bool, np.ndarray, np.ndarray]] = []

    def ask(transposed: bool, *xs: np.ndarray) -> None:
        ys = w.multiply(transposed, list(xs))
        said.extend((transposed, x.copy(), y.copy()) for x, y in zip(xs, ys, strict=True))

    for _ in range(n):
        x, y = rng.standard_normal((2, n))
        ask(False, x, 2 * x, np.zeros(n))
        ask(True, np.tanh(said[-3][2]) + y)
        ask(False, x + 0.5 * said[-1][2])
        ask(True, y - 3 * x)
    ask(False, *np.eye(n))
    matrix = np.stack([y for _, _, y in said[-n:]], axis=1)
    for transposed, x, y in said:
        expected = (matrix.T if transposed else matrix) @ x
        assert np.allclose(y, expected, rtol=0, atol=1e-12 * (1 + np.linalg.norm(x)))
    assert w.sides[0].count == n and w.sides[1].count <= n


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_orthogonality_after_hundreds_of_drifting_queries(dtype: str) -> None:
    eps = float(np.finfo(dtype).eps)
    n, steps = 1000, 200
    w = asked(n, steps, steps, dtype)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n).astype(dtype)
    drift = rng.standard_normal((steps, 2, n)).astype(dtype)
    ys, us = [], []
    for k in range(steps):
        # As in training: each vector is the one before plus a small step.
        (y,) = w.multiply(False, [x])
        p = np.tanh(y) + dtype_of(dtype, 1e-3) * drift[k, 0]
        (u,) = w.multiply(True, [p])
        ys.append((x, y))
        us.append((p, u))
        x = x + dtype_of(dtype, 1e-3) * (np.tanh(u) + drift[k, 1])
    assert w.sides[0].count == steps and w.sides[1].count == steps
    for side in w.sides:
        assert gram_error(side.directions) < 30 * eps
    worst = max(
        abs(float(y.astype(float) @ p - x.astype(float) @ u)) / float(np.linalg.norm(x) * np.linalg.norm(p))
        for x, y in ys[::7]
        for p, u in us[::7]
    )
    assert worst < 100 * eps


def test_projecting_once_would_lose_it() -> None:
    """The queries above are hard enough to need the second projection: with one, orthogonality is gone."""
    n, steps = 2000, 60
    rng = np.random.default_rng(0)
    x, drift = rng.standard_normal((2, n))
    basis = np.empty((0, n))
    for k in range(steps):
        v = x - basis.T @ (basis @ x)
        basis = np.vstack([basis, v / np.linalg.norm(v)])
        x = x + 1e-9 / (k + 1) * np.tanh((k + 1) * (x + drift))
    w = asked(n, steps, 0)
    x, drift = np.random.default_rng(0).standard_normal((2, n))
    for k in range(steps):
        w.multiply(False, [x])
        x = x + 1e-9 / (k + 1) * np.tanh((k + 1) * (x + drift))
    assert gram_error(basis) > 1e-8
    assert gram_error(w.sides[0].directions[: w.sides[0].count]) < 1e-14


def test_a_batch_of_nearly_equal_vectors() -> None:
    n = 500
    rng = np.random.default_rng(1)
    x = rng.standard_normal(n)
    w = asked(n, 40, 10)
    w.multiply(False, [rng.standard_normal(n)])
    w.multiply(True, [rng.standard_normal(n)])
    batch = [x + 10.0**-k * rng.standard_normal(n) for k in range(0, 18, 2)] + [x, -x]
    ys = w.multiply(False, batch)
    assert gram_error(w.sides[0].directions[: w.sides[0].count]) < 1e-13
    assert np.allclose(ys[-1], -ys[-2], rtol=0, atol=1e-13)
    # W is a bounded map: close arguments have close products.
    steps = zip(ys, ys[1:], batch, batch[1:])
    assert all(np.linalg.norm(a - b) < 3 * np.linalg.norm(x - y) + 1e-13 for a, b, x, y in steps)


@pytest.mark.parametrize("ahead", [1, 3])
def test_how_many_normals_are_drawn_ahead_does_not_matter(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their products with directions that come later are those that the directions would have found."""
    n = 300

    def products() -> list[np.ndarray]:
        rng = np.random.default_rng(2)
        w = asked(n, 30, 30)
        x = rng.standard_normal(n)
        out = [*w.multiply(False, [x])]
        for k in range(12):
            # Single products and batches, with vectors among them that are dependent.
            out += w.multiply(True, [np.tanh(out[-1]), out[0]][: 1 + k % 2])
            out += w.multiply(False, [x + 0.1 * out[-1], x, np.sin(out[-1])][: 1 + k % 3])
        return out

    found = products()
    monkeypatch.setattr(lazy, "AHEAD", ahead)
    for a, b in zip(found, products(), strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-12 * np.abs(a).max())


def test_numbers_that_are_none_pass_through() -> None:
    w = asked(50, 3, 0)
    good, bad = np.ones(50), np.full(50, np.inf)
    y, z = w.multiply(False, [bad, good])
    assert np.all(np.isnan(y)) and np.all(np.isfinite(z))


def dtype_of(dtype: str, value: float) -> np.floating:
    return np.dtype(dtype).type(value)

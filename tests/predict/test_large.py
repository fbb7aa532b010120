"""Kernels on disk and conjugate gradients against the factorization in memory, and against plain numpy."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from netsor.api import loads
from netsor.diagnostics import NetsorError
from netsor.predict.iterative import Iterative, pivoted_cholesky
from netsor.predict.tiles import Stored, Tiles

# The function of this name stands before the module in its package.
MODULE = sys.modules["netsor.predict.predict"]
RELU = "network r(ξ : 3)\nmatrix U : (n, 3) ~ N(0, 1)\nmatrix W ~ N(0, 2/n)\nvector b ~ N(0, 0.1)\nvector v ~ N(0, 1)\n"
RELU += "train U, W, b, v\nx := relu(U ξ + b)\noutput f := vᵀ relu(W x) / √n\n"
TWO = "network two(ξ : 3)\nmatrix U : (n, 3)\nvector v, w ~ N(0, [[1, 0.5], [0.5, 1]])\nx := erf(U ξ)\n"
TWO += "output f := vᵀ x / √n\noutput g := wᵀ x / √n\n"
rng = np.random.default_rng(4)
X, TEST, Y = rng.standard_normal((40, 3)), rng.standard_normal((5, 3)), rng.standard_normal(40)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "MOST_FACTORED", 10)


def stored(tmp_path, matrix: np.ndarray, error: float = 0.0) -> Tiles:
    np.save(tmp_path / "k.npy", matrix)
    return Tiles.of(Stored(tmp_path / "k.npy", error), [0])


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_iteration_gives_what_a_factor_gives(small, monkeypatch, kernel):
    twice = np.concatenate([X, X[:3]])
    targets = np.concatenate([Y, Y[:3] + 1])
    document = loads(RELU)
    large = document.predict(twice, targets, TEST, kernel=kernel, noise=0.05, cov=True)
    monkeypatch.setattr(MODULE, "MOST_FACTORED", 10_000)
    exact = document.predict(twice, targets, TEST, kernel=kernel, noise=0.05, cov=True)
    assert (abs(large.mean - exact.mean) <= large.error + exact.error).all()
    assert (abs(large.cov - exact.cov) <= large.cov_error + exact.cov_error).all()
    assert large.error.max() <= 1e-8


def test_several_outputs_with_a_common_kernel(small, monkeypatch):
    targets = np.stack([Y, -Y], axis=1)
    document = loads(TWO)
    large = document.predict(X, targets, TEST, noise=0.1)
    monkeypatch.setattr(MODULE, "MOST_FACTORED", 10_000)
    exact = document.predict(X, targets, TEST, noise=0.1)
    assert (abs(large.mean - exact.mean) <= large.error + exact.error).all()
    assert (abs(large.std - exact.std) <= large.std_error + exact.std_error).all()


@pytest.mark.parametrize(("request_", "word"), [({"noise": 0.0}, "noise"), ({"kernel": "ntk", "time": 3.0}, "time")])
def test_what_needs_a_factor_is_refused(small, request_, word):
    with pytest.raises(NetsorError, match=f"E663: the {word}"):
        loads(RELU).predict(X, Y, TEST, **request_)


def test_an_ill_conditioned_system_within_its_bound(tmp_path):
    """Eigenvalues from 1 to 1e-10 with S = 1e-6, against a solution in long floats."""
    turn, _ = np.linalg.qr(rng.standard_normal((60, 60)))
    k = (turn * np.logspace(0, -10, 60)) @ turn.T
    k = (k + k.T) / 2
    system = Iterative(stored(tmp_path, k), 1e-6)
    rhs = rng.standard_normal((60, 3))
    found = system.solve(rhs)
    a = k.astype(np.longdouble) + 1e-6 * np.eye(60, dtype=np.longdouble)
    truth = np.linalg.solve(a.astype(float), rhs).astype(np.longdouble)
    for _ in range(5):
        truth += np.linalg.solve(a.astype(float), (rhs - a @ truth).astype(float))
    off = np.linalg.norm((found.value - truth).astype(float), axis=0)
    assert (off <= system.distance(found)).all()
    form = system.form(found, found)
    assert (abs(form.value - (rhs.T @ truth).astype(float)) <= form.bound).all()


@pytest.mark.parametrize("columns", [0, 1, 70])
def test_columns_that_are_equal_or_zero(tmp_path, columns):
    """They have no Krylov space of their own, and 70 of 60 numbers are dependent in any case."""
    root = rng.standard_normal((60, 20))
    k = root @ root.T
    rhs = rng.standard_normal((60, columns))
    rhs = np.hstack([rhs, rhs, np.zeros((60, 1)), 1e-200 * rhs])
    system = Iterative(stored(tmp_path, k), 0.01)
    found = system.solve(rhs)
    assert (
        np.linalg.norm(found.value - np.linalg.solve(k + 0.01 * np.eye(60), rhs), axis=0) <= system.distance(found)
    ).all()
    assert not found.value[:, 2 * columns].any()
    assert (system.distance(found) <= 1e-6 * np.linalg.norm(found.value, axis=0)).all()


def test_a_step_reads_the_kernel_once_for_all_columns(tmp_path, monkeypatch):
    """Steps until the errors are those of rounding: few, for a kernel of 300 rows with a preconditioner of rank 40."""
    x = rng.standard_normal((300, 3))
    k = np.exp(-0.5 * ((x[:, None] - x) ** 2).sum(-1))
    read = []
    times = Tiles.times
    monkeypatch.setattr(Tiles, "times", lambda self, x: (read.append(x.shape), times(self, x))[1])
    monkeypatch.setattr("netsor.predict.iterative._RANK", 40)
    system = Iterative(stored(tmp_path, k), 0.01)
    rhs = np.hstack([k[:, :20], rng.standard_normal((300, 1))])
    found = system.solve(rhs)
    assert set(read) == {(300, 21)}
    assert len(read) <= 20
    form = system.form(found, found)
    truth = rhs.T @ np.linalg.solve(k + 0.01 * np.eye(300), rhs)
    assert form.bound.max() <= 1e-8 * abs(truth).max()
    assert (abs(form.value - truth) <= form.bound + 1e-12 * abs(truth).max()).all()


@pytest.mark.parametrize(("outputs", "group"), [(1, [0]), (3, [0, 2])])
def test_products_read_some_rows_at_a_time(tmp_path, monkeypatch, outputs, group):
    """Those of half a kernel, some rows at a time, against long floats."""
    n = 37
    root = rng.standard_normal((n * outputs, 50))
    k = root @ root.T
    k = (k + k.T) / 2
    whole = np.ascontiguousarray(k.reshape(n, outputs, n, outputs).transpose(0, 2, 1, 3))
    np.save(tmp_path / "k.npy", whole if outputs > 1 else whole[:, :, 0, 0])
    monkeypatch.setattr("netsor.predict.tiles._AT_ONCE", 8 * 5 * whole[0].size)
    monkeypatch.setattr("netsor.predict.tiles.PANEL", 4)
    d = rng.uniform(0.5, 2, n * len(group))
    given = Tiles.of(Stored(tmp_path / "k.npy", 0.0), group).scaled(d)
    chosen = k.reshape(n, outputs, n, outputs)[:, group][:, :, :, group].reshape(len(d), len(d))
    exact = d[:, None] * (chosen.astype(np.longdouble) * d)
    x = rng.standard_normal((len(d), 3))
    size = abs(exact) @ abs(x)
    assert (abs(given.times(x) - exact @ x) <= given.depth * 2.0**-53 * size).all()
    assert given.depth < len(d)
    np.testing.assert_allclose(given.column(5), exact[:, 5].astype(float), rtol=1e-14)


def test_the_preconditioner(tmp_path):
    root = rng.standard_normal((30, 4))
    low = pivoted_cholesky(stored(tmp_path, root @ root.T), 10, 1e-12)
    assert low.shape[1] == 4
    np.testing.assert_allclose(low @ low.T, root @ root.T, atol=1e-10)

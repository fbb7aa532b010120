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


def test_the_preconditioner(tmp_path):
    root = rng.standard_normal((30, 4))
    low = pivoted_cholesky(stored(tmp_path, root @ root.T), 10, 1e-12)
    assert low.shape[1] == 4
    np.testing.assert_allclose(low @ low.T, root @ root.T, atol=1e-10)

"""Expectations of many variables, which are means over points: gates of recurrent cells and their like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import norm

import netsor
from netsor.expr import Const, Expr, Sym, add, mul
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.vectorized import draws, replicates
from netsor.gaussian.vectorized.draws import carried
from netsor.gaussian.vectorized.laws import Laws
from netsor.limit.many import drawn
from netsor.limit.many.frames import Frame

# cos(a b + c d + e) of five independent pre-activations, then a layer that needs its covariance.
WAVES = """
network waves(ξ : 3)
matrix U[1..5] : (n, 3) ~ N(0, 1/3)
matrix W
vector v ~ N(0, 1)
h := cos((U[1] ξ) * (U[2] ξ) + (U[3] ξ) * (U[4] ξ) + U[5] ξ)
output f := vᵀ tanh(W h) / √n
"""
GATES = """
network gates(ξ[1..2] : 3)
include std
matrix U[1..4] : (n, 3) ~ N(0, 1/3)
matrix W[1..4]
vector b[1..4] ~ N(0, 0.1)
vector h[0], c[0] ~ N(0, 0)
vector v ~ N(0, 1)
train U, W, b, v
for t in 1..2:
    c[t] := lstm_memory(ξ[t], h[t-1], c[t-1], U, W, b)
    h[t] := lstm_state(ξ[t], h[t-1], c[t], U, W, b)
output f := vᵀ h[2] / √n
"""


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of points where there is no limit of time; 2¹⁰ at first."""
    monkeypatch.setattr(drawn, "_UNLIMITED", 2**10)
    return lambda count: monkeypatch.setattr(drawn, "_UNLIMITED", count)


def waves(x: np.ndarray) -> np.ndarray:
    """E cos q(z) cos q(z') over all pairs of rows: ½ Re of the characteristic functions of q − q' and q + q'."""
    n = len(x)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            c = np.array([[x[i] @ x[i], x[i] @ x[j]], [x[i] @ x[j], x[j] @ x[j]]]) / 3
            for sign in (-1, 1):
                # q ± q' = zᵀ Q z + ℓᵀ z with z = (a, b, c, d) of both rows, and e apart.
                q = np.kron(np.array([[0, 0.5], [0.5, 0]]), np.diag([1, sign]))
                pair = np.linalg.det(np.eye(4) - 2j * np.kron(np.eye(2), c) @ q)
                line = np.exp(-0.5 * np.array([1, sign]) @ c @ np.array([1, sign]))
                out[i, j] += 0.5 * line * (pair**-0.5 * pair**-0.5).real
    return out


X = 0.3 * np.random.default_rng(2).standard_normal((4, 3))


def test_means_are_those_of_a_closed_form() -> None:
    found = netsor.loads(WAVES.replace("tanh(W h)", "h")).nngp(X)
    assert {way for e in found.expectations for way in e.ways} == {"quasi-Monte Carlo"}
    assert (np.abs(found.value - waves(X)) <= found.error).all()
    assert found.error.max() < 3e-3


def test_errors_go_through_the_layers_after_them() -> None:
    found = netsor.loads(WAVES).nngp(X)
    z, w = np.polynomial.hermite_e.hermegauss(60)
    c, exact = waves(X), np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            rho = c[i, j] / np.sqrt(c[i, i] * c[j, j])
            v = np.sqrt(c[j, j]) * (rho * z[:, None] + np.sqrt(max(1 - rho**2, 0.0)) * z)
            exact[i, j] = (w * np.tanh(np.sqrt(c[i, i]) * z)) @ np.tanh(v) @ w / (2 * np.pi)
    assert (np.abs(found.value - exact) <= found.error).all()
    assert found.error.max() < 2e-3


def test_bounds_hold_as_often_as_they_say(points: Callable[[int], None]) -> None:
    x = np.random.default_rng(5).standard_normal((6, 2, 3))
    document = netsor.loads(GATES)
    rough = document.ntk(x)
    points(2**12)
    fine = document.ntk(x)
    above = np.triu_indices(6)
    for one, other in ((rough.nngp, fine.nngp), (rough.ntk, fine.ntk)):
        assert one is not None and other is not None
        ratio = (np.abs(one.value - other.value) / (one.error + other.error))[above]
        # Bounds fail in 1 of 100 cases, and the entries have their points in common.
        assert np.mean(ratio > 1) <= 0.06
        assert np.median(ratio) > 0.05
        assert other.error.max() < 0.5 * one.error.max()


def test_an_entry_does_not_depend_on_other_rows() -> None:
    x = np.random.default_rng(5).standard_normal((5, 2, 3))
    document = netsor.loads(GATES)
    whole, part = document.ntk(x), document.ntk(x[[3, 1]])
    for one, other in ((whole.nngp, part.nngp), (whole.ntk, part.ntk)):
        assert one is not None and other is not None
        assert (one.value[np.ix_([3, 1], [3, 1])] == other.value).all()
        assert (one.error[np.ix_([3, 1], [3, 1])] == other.error).all()
    across = document.ntk(x[:2], x[2:])
    assert (across.ntk.value == whole.ntk.value[:2, 2:]).all()


def test_expectations_of_one_level_have_their_points_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal ones are taken once, and all of two inputs take as many calls as there are levels and sets of variables."""
    calls: list[int] = []

    def counted(integrands: tuple[Expr, ...], *rest: Any) -> Any:
        assert len(set(integrands)) == len(integrands)
        calls.append(len(integrands))
        return replicates.means(integrands, *rest)

    monkeypatch.setattr(drawn, "means", counted)
    found = netsor.loads(GATES).ntk(np.random.default_rng(5).standard_normal((2, 2, 3)))
    taken = [e for e in found.expectations if "quasi-Monte Carlo" in e.ways]
    assert sum(calls) <= len(taken)
    assert len(calls) <= 4


def test_more_time_is_more_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock on which a point takes a millisecond, and all else nothing."""
    clock = [0.0]

    def slow(integrands: Any, smooth: Any, families: Any, laws: Any, given: Any, seed: int) -> Any:
        clock[0] += 1e-3 * given.points
        return replicates.means(integrands, smooth, families, laws, replace(given, points=2), seed)

    monkeypatch.setattr(drawn, "means", slow)
    told = SimpleNamespace(monotonic=lambda: clock[0], thread_time=lambda: clock[0])
    monkeypatch.setattr("netsor.deadline.time", told)
    document, x = netsor.loads(WAVES), X[:2]
    points: list[int] = []
    settle = Frame.settle

    def noted(frame: Frame, steps: Any) -> None:
        assert frame.replicated is not None and frame.replicated.replicates is not None
        points.append(frame.replicated.replicates.points)
        settle(frame, steps)

    monkeypatch.setattr(Frame, "settle", noted)
    before = [0, 0]
    for budget in (1.0, 3.0, 10.0, 30.0, 100.0):
        points.clear()
        start = clock[0]
        document.nngp(x, budget=budget)
        assert clock[0] - start <= 1.25 * budget
        assert clock[0] - start >= 0.25 * budget
        assert all(a >= b for a, b in zip(points, before, strict=True))
        before = list(points)


def test_errors_of_laws_take_no_longer_than_the_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few points for each of many inputs, few draws show what the errors of their laws do."""
    values = {"means": 0, "carried": 0}
    at = {"means": replicates.values_at, "carried": draws.values_at}

    def counted(kind: str) -> Callable[..., Any]:
        def values_at(run: Any, x: np.ndarray, scalars: np.ndarray) -> Any:
            values[kind] += x.shape[0] * x.shape[2]
            return at[kind](run, x, scalars)

        return values_at

    monkeypatch.setattr(replicates, "values_at", counted("means"))
    monkeypatch.setattr(draws, "values_at", counted("carried"))
    monkeypatch.setattr(drawn, "_UNLIMITED", 2**8)
    netsor.loads(WAVES).nngp(X)
    assert 0 < values["carried"] <= 2.5 * values["means"]


def test_errors_of_the_law_add_up_whatever_their_signs() -> None:
    """E (u₁ v₁ − u₂ v₂ + …) changes by the sum of the errors of the covariances, which a common move would not show."""
    error = 1e-9
    for pairs in (2, 6):
        u = [Sym(f"u{k}") for k in range(2 * pairs)]
        one, zero = (Bounded(np.full((1, 1), x), np.zeros((1, 1))) for x in (1.0, 0.0))
        covariances = {(a, b): one if a is b else zero for i, a in enumerate(u) for b in u[i:]}
        # In the second case there are errors everywhere, most of which do nothing.
        rough = Bounded(np.full((1, 1), 0.5), np.full((1, 1), error))
        for a, b in zip(u[::2], u[1::2], strict=True):
            covariances[a, b] = rough
        if pairs == 6:
            nothing = Bounded(np.zeros((1, 1)), np.full((1, 1), error))
            covariances |= {pair: nothing for pair, c in covariances.items() if c is zero}
        signs = [(-1) ** k for k in range(pairs)]
        block = add(*(mul(Const(s), mul(a, b)) for s, a, b in zip(signs, u[::2], u[1::2], strict=True)))
        found = carried(block, u, Laws((1, 1), covariances, {}))
        assert pairs * error <= found[0] <= 8 * pairs * error


BEST = """
network best(ξ[1..5] : 5)
φ(u) = PHI
matrix U : (n, 5) ~ N(0, 1)
vector v ~ N(0, 1)
for i in 1..5:
    x[i] := U ξ[i]
output f := vᵀ φ(max(x[1], x[2], x[3], x[4], x[5])) / √n
"""


@pytest.mark.parametrize("phi", ["u", "step(u - 5)"], ids=["kinks", "no point beyond the jump"])
def test_kinks_and_jumps_of_many_variables(phi: str) -> None:
    """E φ(M)² of the largest M of five independent standard normals, with the density 5 φ Φ⁴."""
    document = netsor.loads(BEST.replace("PHI", phi))
    found = document.nngp(np.stack([np.eye(5), np.eye(5)[::-1]]))
    z = np.linspace(-10, 10, 200_001)
    m = z if phi == "u" else (z > 5.0).astype(float)
    truth = trapezoid(5 * norm.pdf(z) * norm.cdf(z) ** 4 * m * m, z)
    assert (abs(found.value - truth) <= found.error).all()
    assert found.error.max() < 0.03

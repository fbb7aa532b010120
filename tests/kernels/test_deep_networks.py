"""Networks of many layers: kernels against the arc-cosine recursion in 40 digits, with bounds that depth leaves small.

With ρ = cos θ (Cho & Saul 2009, Jacot, Gabriel & Hongler 2018),

    E relu(u) relu(v) = √(ab) (sin θ + (π − θ) cos θ)/(2π),   E step(u) step(v) = (π − θ)/(2π).
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import netsor
from netsor.kernels.pairs import forget_templates
from netsor.limit.many import products

NETWORK = """
network deep(ξ : 2)
matrix U : (n, 2) ~ N(0, 1/2)
matrix W[1..{L}] ~ N(0, 2/n)
vector v ~ N(0, 1)
train U, W, v
x[0] := relu(U ξ)
for l in 1..{L}:
    x[l] := relu(W[l] x[l-1]{bias})
output f := vᵀ x[{L}] / √n
"""
# Two rows on either side of a right angle, and one nearly parallel to the first.
ROWS = np.array([[1.0, 0.5], [-0.75, 1.25], [1.0, 0.5009765625]])


def arccosine(rows: np.ndarray, depth: int, bias: float) -> tuple[list, list]:
    """(NNGP, NTK) of the network above, entry by entry."""
    with mpmath.workdps(40):
        exact = [[mpmath.mpf(float(x)) for x in row] for row in rows]
        count, square = range(len(rows)), mpmath.mpf(str(bias))
        k = [[mpmath.fdot(exact[i], exact[j]) / 2 for j in count] for i in count]
        tangent = [list(row) for row in k]
        for layer in range(depth + 1):
            value = [[mpmath.mpf(0) for _ in count] for _ in count]
            slope = [[mpmath.mpf(1) / 2 for _ in count] for _ in count]
            for i in count:
                for j in count:
                    root = mpmath.sqrt(k[i][i] * k[j][j])
                    angle = mpmath.acos(k[i][j] / root) if i != j else mpmath.mpf(0)
                    inside = mpmath.sin(angle) + (mpmath.pi - angle) * mpmath.cos(angle)
                    value[i][j] = root * inside / (2 * mpmath.pi)
                    slope[i][j] = (mpmath.pi - angle) / (2 * mpmath.pi)
            last = layer == depth
            w, b = (1, 0) if last else (2, square)
            k = [[w * value[i][j] + b for j in count] for i in count]
            tangent = [[k[i][j] + w * slope[i][j] * tangent[i][j] for j in count] for i in count]
        return k, tangent


def verify(found, truth: list, relative: float) -> None:
    """Every entry is within its bound, and no bound is larger than asked, relative to the largest entry."""
    for i, row in enumerate(truth):
        for j, right in enumerate(row):
            assert abs(mpmath.mpf(float(found.value[i, j])) - right) <= found.error[i, j], (i, j)
    assert found.error.max() <= relative * abs(found.value).max()


@pytest.mark.parametrize(
    ("depth", "bias", "method", "wanted"),
    [
        (3, 0.1, "backward", 1e-13),
        (3, 0.1, "paths", 1e-13),
        (100, 0, "backward", 1e-11),
        (100, 0, "paths", 1e-11),
        pytest.param(100, 0.1, "backward", 1e-9, marks=pytest.mark.slow),
        pytest.param(100, 0.1, "paths", 1e-9, marks=pytest.mark.slow),
        pytest.param(300, 0, "backward", 1e-11, marks=pytest.mark.slow),
        pytest.param(300, 0, "paths", 1e-11, marks=pytest.mark.slow),
        pytest.param(300, 0.1, "backward", 1e-6, marks=pytest.mark.slow),
        pytest.param(300, 0.1, "paths", 1e-6, marks=pytest.mark.slow),
    ],
)
def test_relu_networks_of_many_layers(depth: int, bias: float, method: str, wanted: float) -> None:
    text = NETWORK.format(L=depth, bias=" + b[l]" if bias else "")
    if bias:
        text = text.replace("train", f"vector b[1..{depth}] ~ N(0, {bias})\ntrain b,")
    found = netsor.loads(text).ntk(ROWS, method=method)
    nngp, tangent = arccosine(ROWS, depth, bias)
    verify(found.nngp, nngp, wanted)
    verify(found.ntk, tangent, wanted)


def homogeneous(rows: np.ndarray, depth: int, below: str) -> tuple[list, list]:
    """(NNGP, NTK) for φ(u) = u above 0 and −q |u| … below it, f(−1) = `below`, and hidden variances 2/(1 + q²)."""
    with mpmath.workdps(40):
        exact = [[mpmath.mpf(float(x)) for x in row] for row in rows]
        count, q = range(len(rows)), mpmath.mpf(below)
        same, across, w = 1 + q * q, 2 * q, 2 / (1 + q * q)
        k = [[mpmath.fdot(exact[i], exact[j]) / 2 for j in count] for i in count]
        tangent = [list(row) for row in k]
        for layer in range(depth + 1):
            variance = w if layer < depth else 1
            value, slope = ([[mpmath.mpf(0) for _ in count] for _ in count] for _ in range(2))
            for i in count:
                for j in count:
                    root = mpmath.sqrt(k[i][i] * k[j][j])
                    angle = mpmath.acos(k[i][j] / root) if i != j else mpmath.mpf(0)
                    sine, cosine = mpmath.sin(angle), mpmath.cos(angle)
                    inside = same * (sine + (mpmath.pi - angle) * cosine) + across * (sine - angle * cosine)
                    value[i][j] = root * inside / (2 * mpmath.pi)
                    # The derivative is 1 above 0 and −q below it.
                    slope[i][j] = (same * (mpmath.pi - angle) - across * angle) / (2 * mpmath.pi)
            k = [[variance * value[i][j] for j in count] for i in count]
            tangent = [[k[i][j] + variance * slope[i][j] * tangent[i][j] for j in count] for i in count]
        return k, tangent


@pytest.mark.parametrize(
    ("phi", "below"), [("relu(u) - 0.25 * relu(-u)", "-0.25"), ("abs(u)", "1"), ("relu(u) + 0.5 * relu(-u)", "0.5")]
)
@pytest.mark.parametrize("depth", [120, pytest.param(400, marks=pytest.mark.slow)])
def test_other_homogeneous_networks_of_many_layers(phi: str, below: str, depth: int) -> None:
    """The angle of two rows tends to 0 like 1/l, and to the fixed point of |u| from either side."""
    variance = 2 / (1 + float(below) ** 2)
    text = NETWORK.format(L=depth, bias="").replace("relu", "φ").replace("N(0, 2/n)", f"N(0, {variance!r}/n)")
    text = text.replace("matrix U", f"φ(u) = {phi}\nmatrix U")
    found = netsor.loads(text).ntk(np.vstack([ROWS, -ROWS[:1] * 1.5]))
    nngp, tangent = homogeneous(np.vstack([ROWS, -ROWS[:1] * 1.5]), depth, below)
    verify(found.nngp, nngp, 1e-10)
    verify(found.ntk, tangent, 1e-10)


BEFORE_THE_WEIGHTS = """
network residual(ξ : 2)
param L = {L}
matrix U : (n, 2) ~ N(0, 1/2)
matrix W[1..L] ~ N(0, 2/n)
vector v ~ N(0, 1)
train U, W, v
x[0] := U ξ
for l in 1..L:
    x[l] := x[l-1] + W[l] relu(x[l-1]) / √L
output f := vᵀ x[L] / √n
"""


def test_residual_networks_with_relu_before_the_weights() -> None:
    """K_l = K_{l−1} + 2 E φφ'/L and Θ_l = Θ_{l−1} + (2 E φφ' + 2 Θ_{l−1} E φ̇φ̇')/L, with Θ = Θ_L + K_L."""
    depth, rows = 24, ROWS[:2]
    k = rows @ rows.T / 2
    tangent = k.copy()
    for _ in range(depth):
        size = np.sqrt(np.outer(np.diag(k), np.diag(k)))
        angle = np.arccos(np.clip(k / size, -1, 1))
        value = size * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
        tangent = tangent + 2 * (value + tangent * (np.pi - angle) / (2 * np.pi)) / depth
        k = k + 2 * value / depth
    found = netsor.loads(BEFORE_THE_WEIGHTS.format(L=depth)).ntk(rows)
    assert found.nngp is not None
    assert np.abs(found.nngp.value - k).max() <= found.nngp.error.max() + 1e-13
    assert np.abs(found.ntk.value - k - tangent).max() <= found.ntk.error.max() + 1e-13
    assert found.ntk.error.max() < 1e-12


def test_error_signals_are_paired_term_by_term(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error signal has a term for each layer behind it, so that the expansion of products has the square of that."""
    split, terms = products._split, []

    def counted(*args: Any) -> Any:
        terms[-1] += 1
        return split(*args)

    monkeypatch.setattr(products, "_split", counted)
    for depth in (8, 16):
        forget_templates()
        terms.append(0)
        netsor.loads(BEFORE_THE_WEIGHTS.format(L=depth)).ntk(ROWS[:2])
    assert terms[1] <= 2.2 * terms[0]

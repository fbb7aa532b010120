"""The NNGP kernel as the covariance of the outputs, for readouts that are not centred or not independent."""

from __future__ import annotations

import math

import numpy as np
import pytest

import netsor
from netsor.diagnostics import NetsorError

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(150)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
# E erf(z)² at unit variance (Williams 1997)
Q = 2 / math.pi * math.asin(2 / 3)
HEAD = """network case(ξ : 2)
matrix U : (n, 2) ~ N(0, {u})
matrix W ~ N(0, 1/n)
{vectors}
train U
h := U ξ
{body}
"""


def document(body: str, vectors: str = "vector v ~ N(0, 1)", u: str = "1") -> netsor.Document:
    return netsor.loads(HEAD.format(body=body, vectors=vectors, u=u))


def codes(found) -> list[str]:
    return [d.code for d in found.diagnostics]


def mean(f, *sds: float) -> float:
    """E f(x, y, …) of independent centred Gaussians, by Gauss and Hermite: for smooth f."""
    grids = np.meshgrid(*(sd * NODES for sd in sds), indexing="ij")
    weights = np.ones(())
    for _ in sds:
        weights = np.multiply.outer(weights, WEIGHTS)
    return float((f(*grids) * weights).sum())


def test_a_readout_with_a_mean_and_an_odd_body():
    found = document("output f := vᵀ tanh(h) / √n", "vector v ~ N(0.5, 1)", "1/2").ntk([[1, 0]])
    # E v² E x², v and x being independent and E x zero.
    truth = 1.25 * mean(lambda z: np.tanh(z) ** 2, math.sqrt(0.5))
    assert abs(found.nngp.value[0, 0] - truth) < 1e-12
    assert found.nngp.error[0, 0] < 1e-12 and not found.diagnostics


def test_a_readout_with_a_mean_and_iid_coordinates_that_have_one():
    made = document("output f := vᵀ relu(h) / √n", "vector v ~ N(0.5, 1)")
    assert codes(made.check()) == ["W618"]
    found = made.ntk([[1, 0], [3, 4]])
    # Var(v x) of one coordinate: E v² E x² − (E v)² (E x)², with E relu² = σ²/2 and E relu = σ/√2π.
    half = 1.25 / 2 - 0.25 / (2 * math.pi)
    cosine, angle = 0.6, math.acos(0.6)
    across = 1.25 * 5 * (math.sin(angle) + (math.pi - angle) * cosine) / (2 * math.pi) - 0.25 * 5 / (2 * math.pi)
    np.testing.assert_allclose(found.nngp.value, [[half, across], [across, 25 * half]], rtol=1e-12)


@pytest.mark.parametrize(
    ("body", "truth"),
    [
        # E v² v² h² = 3 ⟨ξ, ξ⟩
        ("output f := vᵀ (abs(v) * h) / √n", 3.0),
        # E v⁴ E erf(k)², k = W z with E z² = E erf(h)² = Q
        ("k := W erf(h)\noutput f := vᵀ (erf(k) * v) / √n", 6 / math.pi * math.asin(2 * Q / (1 + 2 * Q))),
        # v is an embedding: Var v² = 2
        ("output f := vᵀ (v + 0 * h) / √n", 2.0),
        # the row of W may change its sign, whatever v feeds: E v² E erf(Wv + U ξ)², variances 1 + 1
        ("output f := vᵀ erf(W v + h) / √n", 2 / math.pi * math.asin(4 / 5)),
    ],
)
def test_a_readout_that_the_body_knows(body, truth):
    found = document(body).ntk([[1, 0]])
    assert abs(found.nngp.value[0, 0] - truth) <= found.nngp.error[0, 0] + 1e-13
    assert found.nngp.error[0, 0] < 1e-11


@pytest.mark.parametrize(
    ("body", "vectors"),
    [
        ("output f := vᵀ relu(W relu(h)) / √n", "vector v ~ N(1, 1)"),
        ("output f := bᵀ tanh(W tanh(h) + b) / √n", "vector b ~ N(0, 1)"),
        ("output f := vᵀ tanh(W tanh(h) + b) / √n", "vector v, b ~ N(0, [[1, 0.5], [0.5, 1]])"),
        ("s := mean(h^2)\noutput f := vᵀ (tanh(h) + s * h^2) / √n", "vector v ~ N(1, 1)"),
        # W again: the rows of its products are not drawn for themselves.
        ("output f := vᵀ tanh(W tanh(W tanh(h))) / √n", "vector v ~ N(1, 1)"),
    ],
)
def test_what_is_not_known_is_refused_and_the_tangent_kernel_stays(body, vectors):
    made = document(body, vectors)
    with pytest.raises(NetsorError, match="E617"):
        made.nngp([[1, 0]])
    found = made.ntk([[1, 0]])
    assert found.nngp is None and "E617" in codes(found)
    assert found.ntk.value[0, 0] > 0
    assert found.as_dict()["nngp"] is None
    drawn = made.ntk([[1, 0]], width=20)
    assert drawn.nngp is None and codes(drawn) == ["E617"]


PIECES = ["tanh(h)", "relu(h)", "h^2", "abs(v) * h", "v * tanh(h)", "relu(h + b)", "b * h", "tanh(h - 2*b)",
          "cos(h) * v"]  # fmt: skip


def value(piece: str, h, v, b):
    """A piece in numpy."""
    names = {"h": h, "v": v, "b": b, "tanh": np.tanh, "abs": np.abs, "cos": np.cos, "relu": lambda x: np.maximum(x, 0)}
    return eval(piece.replace("^", "**"), names)


def test_random_readouts_against_a_sample_of_one_coordinate():
    """Coordinates of these networks are iid, so that Var f is the variance of v x at every width."""
    rng = np.random.default_rng(11)
    count = 400_000
    for _ in range(12):
        m, (one, two) = float(rng.choice([0.0, 0.7])), rng.choice(len(PIECES), 2, replace=False)
        body = f"output f := vᵀ ({PIECES[one]} + {PIECES[two]}) / √n"
        made = document(body, f"vector v ~ N({m}, 1)\nvector b ~ N(0, 0.5)")
        h, v, b = rng.standard_normal((3, count)) * np.sqrt([[1.0], [1.0], [0.5]]) + [[0.0], [m], [0.0]]
        y = v * (value(PIECES[one], h, v, b) + value(PIECES[two], h, v, b))
        spread = math.sqrt(((y - y.mean()) ** 2).var() / count)
        found = made.nngp([[1, 0]])
        assert abs(found.value[0, 0] - y.var()) < 5 * spread, body
        # What is said to grow like √n is what has a mean.
        if abs(y.mean()) > 6 * y.std() / math.sqrt(count):
            assert codes(made.check()) == ["W618"], body
        elif m == 0 and "v" not in body.replace("vᵀ", ""):
            assert codes(made.check()) == [], body


def test_steps_have_the_kernel_of_the_forward_pass():
    made = document("output f := vᵀ step(W step(h)) / √n")
    rows = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]])
    with pytest.raises(NetsorError, match="E653"):
        made.ntk(rows)
    found = made.nngp(rows)
    angles = np.arccos(np.array([[1, math.sqrt(0.5), 0, -1], [math.sqrt(0.5), 1, math.sqrt(0.5), -math.sqrt(0.5)],
                                 [0, math.sqrt(0.5), 1, 0], [-1, -math.sqrt(0.5), 0, 1]]))  # fmt: skip
    first = (math.pi - angles) / (2 * math.pi)
    truth = (math.pi - np.arccos(np.clip(2 * first, -1, 1))) / (2 * math.pi)
    assert np.all(np.abs(found.value[:4, :4] - truth) <= found.error[:4, :4] + 1e-15)
    # step(0) is 0: the row of zeros has no output.
    assert np.all(found.value[4] == 0)
    np.testing.assert_array_equal(made.nngp(rows[:2], rows[1:]).value, found.value[:2, 1:])
    drawn = made.nngp(rows[:2], width=500, seeds=10)
    assert np.all(np.abs(drawn.mean - found.value[:2, :2]) < 5 * drawn.stderr + 1e-3)


def test_the_kernel_alone_is_that_beside_the_tangent_kernel():
    made = document("output f := vᵀ erf(W relu(h)) / √n\noutput g := vᵀ relu(h) / √n")
    rows = np.random.default_rng(3).standard_normal((3, 2))
    np.testing.assert_array_equal(made.nngp(rows).value, made.ntk(rows).nngp.value)
    assert set(made.nngp(rows).as_dict()) == {"inputs", "nngp"}
    drawn = made.nngp(rows, width=50, seeds=2)
    np.testing.assert_array_equal(drawn.mean, made.ntk(rows, width=50, seeds=2).nngp.mean)

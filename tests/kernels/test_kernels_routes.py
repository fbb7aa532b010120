"""The two routes to a kernel, and finite width: they agree where they should, and refuse where they do not hold."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_networks import GALLERY, TIED, load, rows

import netsor
from netsor.diagnostics import NetsorError


@pytest.mark.parametrize("name", [n for n in GALLERY if n not in TIED])
def test_backward_and_paths_agree(name):
    document = load(name)
    x = rows(document, 3)
    one, two = document.ntk(x), document.ntk(x, method="paths")
    np.testing.assert_allclose(one.ntk.value, two.ntk.value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.nngp.value, two.nngp.value, rtol=1e-13, atol=1e-15)
    assert np.all(np.abs(one.ntk.value - two.ntk.value) <= one.ntk.error + two.ntk.error + 1e-15)


@pytest.mark.parametrize("name", TIED)
def test_paths_are_refused_where_a_matrix_and_its_transpose_are_forward(name):
    document = load(name)
    with pytest.raises(NetsorError, match="D.4.2|Wᵀ") as caught:
        document.ntk(rows(document, 2), method="paths")
    assert caught.value.diagnostics[0].code == "E611"


@pytest.mark.parametrize("name", GALLERY)
def test_finite_width_tends_to_the_limit(name):
    document = load(name)
    x = rows(document, 2, seed=1)
    limit = document.ntk(x, by_parameter=True)
    finite = document.ntk(x, width=600, seeds=16, by_parameter=True)
    assert finite.ntk.values.shape == (16, *limit.ntk.value.shape)
    for a, b in [(limit.nngp, finite.nngp), (limit.ntk, finite.ntk)] + [
        (limit.by_parameter[k], finite.by_parameter[k]) for k in limit.by_parameter
    ]:
        # Five standard errors, and the bias of order 1/n.
        scale = np.abs(a.value).max()
        assert np.all(np.abs(b.mean - a.value) <= 5 * b.stderr + 30 / 600 * scale + 1e-12)


def test_the_readme_of_the_paper():
    """f = vᵀWᵀφ(W φ(W'x₀))/√n with φ the identity and only W' trained: its NTK is 2, not 1."""
    text = """
network linear(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix V, W
vector v ~ N(0, 1)
train V
x2 := Wᵀ (W (V (U ξ)))
output f := vᵀ x2 / √n
"""
    x = np.array([[0.6, 0.8], [1.0, 0.0]])
    found = netsor.loads(text).ntk(x)
    np.testing.assert_allclose(found.ntk.value, 2 * x @ x.T, rtol=1e-12)


def test_the_network_of_d42():
    """f = vᵀWᵀφ(Wx)/√n: E φ'φ̃' + E φ' E φ̃' stands where the path formula has E φ'φ̃' alone."""
    text = """
network decoder(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
train U
y := Wᵀ erf(W (U ξ))
output f := vᵀ y / √n
"""
    x = np.array([[0.6, 0.8], [1.0, 0.3]])
    k = x @ x.T
    d = np.diagonal(k)
    both = 4 / np.pi / np.sqrt((1 + 2 * d[:, None]) * (1 + 2 * d[None, :]) - 4 * k**2)
    alone = np.sqrt(4 / np.pi / (1 + 2 * d))
    found = netsor.loads(text).ntk(x)
    np.testing.assert_allclose(found.ntk.value, k * (both + np.outer(alone, alone)), rtol=1e-9)


def test_several_outputs():
    document = load("two_outputs")
    x = rows(document, 3)
    found = document.ntk(x)
    assert found.ntk.value.shape == (3, 3, 2, 2)
    # K_ab(ξ, ξ') = K_ba(ξ', ξ)
    np.testing.assert_allclose(found.ntk.value, found.ntk.value.transpose(1, 0, 3, 2), atol=1e-13)
    assert document.ntk(x, width=50).ntk.mean.shape == (3, 3, 2, 2)


def test_outputs_that_share_a_readout_are_correlated():
    text = """
network shared(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
vector a, b ~ N(0, [[1, 0.5], [0.5, 2]])
train U, a, b
x := relu(U ξ)
output f := aᵀ x / √n
output g := 2 bᵀ x / √n - aᵀ x / √n
"""
    document = netsor.loads(text)
    x = np.array([[1.0, 0.2], [-0.3, 0.4]])
    found = document.ntk(x, by_parameter=True)
    single = found.nngp.value[:, :, 0, 0]
    # Cov(f, g) = 2 · 0.5 − 1, Var(g) = 4 · 2 − 4 · 0.5 + 1.
    np.testing.assert_allclose(found.nngp.value[:, :, 0, 1], 0 * single, atol=1e-14)
    np.testing.assert_allclose(found.nngp.value[:, :, 1, 1], 7 * single, rtol=1e-12)
    finite = document.ntk(x, width=2000, seeds=12, by_parameter=True)
    assert np.all(np.abs(finite.ntk.mean - found.ntk.value) <= 5 * finite.ntk.stderr + 0.02)
    # The vectors are whitened: their share is E x x̃ times the covariance of (f, g)'s coefficients.
    share = found.by_parameter["a"].value + found.by_parameter["b"].value
    np.testing.assert_allclose(share, found.nngp.value, rtol=1e-9, atol=1e-12)


def test_several_inputs_and_data_of_the_network():
    text = """
network attended(ξ : 3, ζ[1..2] : 2)
data P : (2, 2) = [[1, 2], [3, -1]]
matrix U : (n, 3) ~ N(0, 1/3)
matrix V : (n, 2) ~ N(0, 1/3)
matrix W
vector v ~ N(0, 1)
train U, V, W, v
x := tanh(W erf(U ξ + V ζ[1] + V P[2]) + V ζ[2]) * erf(V P[1])
output f := vᵀ x / √n
"""
    document = netsor.loads(text)
    rng = np.random.default_rng(0)
    x = {"ξ": rng.standard_normal((3, 3)), "ζ": rng.standard_normal((3, 2, 2))}
    found, paths = document.ntk(x), document.ntk(x, method="paths")
    np.testing.assert_allclose(found.ntk.value, paths.ntk.value, rtol=1e-9)
    finite = document.ntk(x, width=1000, seeds=12)
    assert np.all(np.abs(finite.ntk.mean - found.ntk.value) <= 5 * finite.ntk.stderr + 0.02)


def test_one_network_is_one_draw():
    document = load("mlp_relu")
    x = rows(document, 2)
    a, b = document.ntk(x, width=40, seeds=3, seed=5), document.ntk(x, width=40, seeds=2, seed=5)
    np.testing.assert_array_equal(a.ntk.values[:2], b.ntk.values)
    assert b.ntk.as_dict()["error"] > 0 and document.ntk(x, width=40).ntk.as_dict()["error"] is None
    # A Gram matrix of gradients is positive semidefinite for every draw.
    assert all(np.linalg.eigvalsh(k).min() > -1e-12 for k in a.ntk.values)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("E654", np.zeros((2, 4))), ("E654", np.zeros(3)), ("E654", np.zeros((0, 3))), ("E654", np.zeros((2, 3, 1))),
        ("E655", np.array([[1, 2, np.nan]])), ("E655", np.array([[1, 2, np.inf]])), ("E662", {"ζ": np.zeros((1, 3))}),
        ("E654", {}),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(code, given):
    with pytest.raises(NetsorError) as caught:
        load("mlp_relu").ntk(given)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_a_program_has_no_kernel():
    with pytest.raises(NetsorError) as caught:
        netsor.loads("vector g ~ N(0, 1)\noutput m := mean(g)\n").ntk([[1.0]])
    assert caught.value.diagnostics[0].code == "E609"


def test_a_jump_has_no_gradient():
    text = """
network jump(ξ : 1)
matrix U : (n, 1) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
train U
x := W sign(U ξ)
output f := vᵀ x / √n
"""
    with pytest.raises(NetsorError) as caught:
        netsor.loads(text).ntk([[1.0]])
    assert caught.value.diagnostics[0].code == "E653"
    # What stands after the jump may be trained.
    found = netsor.loads(text.replace("train U", "train W")).ntk([[1.0], [-2.0]])
    np.testing.assert_allclose(found.ntk.value, [[1, -1], [-1, 1]], atol=1e-12)

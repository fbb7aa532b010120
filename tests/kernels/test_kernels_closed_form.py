"""Kernels of MLPs against published closed forms, by both routes, with errors that are bounds."""

from __future__ import annotations

import closed_forms
import numpy as np
import pytest
from kernel_networks import MLP

import netsor

X = np.array([[1, 0.3, -0.5], [0.2, -1.1, 0.4], [1, 0.31, -0.5], [-1, -0.3, 0.5], [0, 0, 0], [3, 1, 2]])


@pytest.mark.parametrize("method", ["backward", "paths"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ["relu", "erf"])
def test_mlps_with_biases(name, depth, method):
    document = netsor.loads(MLP.replace("PHI", name), set={"L": depth})
    found = document.ntk(X, method=method)
    nngp, ntk = closed_forms.mlp(getattr(closed_forms, name), X, depth, sw=1.7, su=1.3, sb=0.2, sv=0.9)
    for kernel, truth in ((found.nngp, nngp), (found.ntk, ntk)):
        np.testing.assert_allclose(kernel.value, truth, rtol=1e-9, atol=1e-10)
        # An error is a bound, up to the rounding of the closed form.
        assert np.all(np.abs(kernel.value - truth) <= kernel.error + 1e-12 * (1 + np.abs(truth)))


def test_two_arguments_are_a_block_of_one():
    document = netsor.loads(MLP.replace("PHI", "relu"))
    whole = document.ntk(X)
    for method in ("backward", "paths"):
        part = document.ntk(X[:2], X[1:], method=method)
        np.testing.assert_allclose(part.ntk.value, whole.ntk.value[:2, 1:], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(part.nngp.value, whole.nngp.value[:2, 1:], rtol=1e-12, atol=1e-12)
        assert part.inputs == 2


def test_rows_that_repeat_are_one_input():
    document = netsor.loads(MLP.replace("PHI", "relu"))
    twice = document.ntk(np.concatenate([X[:3], X[:3]]))
    once = document.ntk(X[:3]).ntk.value
    np.testing.assert_array_equal(twice.ntk.value, np.tile(once, (2, 2)))


@pytest.mark.parametrize("activation", ["relu", "abs", "tanh", "erf", "gelu", "hardtanh"])
def test_parallel_opposite_and_zero_rows_without_biases(activation):
    text = MLP.replace("PHI", activation).replace("0.2)", "0)").replace(", b[1..L]", "")
    base = np.array([0.5, -1.0, 2.0])
    rows = np.stack([base, 2 * base, -base, 1e-3 * base, 0 * base, base * (1 + 1e-9), base + 1e-7])
    found = netsor.loads(text, set={"L": 3}).ntk(rows)
    for kernel in (found.nngp, found.ntk):
        assert np.all(np.isfinite(kernel.value)) and np.all(np.isfinite(kernel.error))
        np.testing.assert_array_equal(kernel.value, kernel.value.T)
        assert np.linalg.eigvalsh(kernel.value).min() > -1e-6
        # E step(u) step(v) has the slope of a root at perfect correlation: half of the digits are what there is.
        assert kernel.error.max() < 1e-4
    # Rows closer than rounding can tell have kernels to match.
    np.testing.assert_allclose(found.ntk.value[0, 5], found.ntk.value[0, 0], rtol=1e-4)
    if activation == "relu":
        # Homogeneous networks: K(c ξ, ξ') = c K(ξ, ξ').
        gap = np.abs(found.ntk.value[1] - 2 * found.ntk.value[0])
        assert np.all(gap <= found.ntk.error[1] + 2 * found.ntk.error[0])
        np.testing.assert_allclose(gap, 0, atol=1e-5)
    np.testing.assert_allclose(found.nngp.value[4], 0, atol=1e-12)


def test_by_parameter_and_by_class_of_paths():
    document = netsor.loads(MLP.replace("PHI", "erf"), set={"L": 3})
    found = document.ntk(X, by_parameter=True, classes=True)
    parts = found.by_parameter
    assert set(parts) == {"U", "W[2]", "W[3]", "b[1]", "b[2]", "b[3]", "v"}
    np.testing.assert_allclose(sum(p.value for p in parts.values()), found.ntk.value, rtol=1e-13)
    # The readout's own share is the NNGP kernel.
    np.testing.assert_allclose(parts["v"].value, found.nngp.value, rtol=1e-13)
    assert "W[2] → W[3] → v" in found.classes
    np.testing.assert_allclose(found.classes["W[2] → W[3] → v"].value, parts["W[2]"].value, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sum(p.value for p in found.classes.values()), found.ntk.value, rtol=1e-9, atol=1e-11)


def test_multipliers_scale_the_shares():
    text = MLP.replace("PHI", "erf").replace("train U, W[2..L], b[1..L], v", "train U * 2, W[2..L] * 0.5, b[1..L] * 3")
    plain = netsor.loads(MLP.replace("PHI", "erf")).ntk(X, by_parameter=True).by_parameter
    scaled = netsor.loads(text).ntk(X, by_parameter=True).by_parameter
    assert "v" not in scaled
    for name, ratio in (("U", 4 * 3 / 1.3), ("W[2]", 0.25 / 1.7), ("b[1]", 9 / 0.2), ("b[2]", 9 / 0.2)):
        np.testing.assert_allclose(scaled[name].value, ratio * plain[name].value, rtol=1e-9, atol=1e-12)


def test_a_residual_network_has_its_classes():
    text = """
network residual(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W[1..2]
vector v ~ N(0, 1)
x0 := U ξ
x1 := x0 + W[1] erf(x0)
x2 := x1 + W[2] erf(x1)
output f := vᵀ x2 / √n
"""
    found = netsor.loads(text).ntk([[1.0, 0.5], [-0.2, 0.7]], method="paths", classes=True)
    assert set(found.classes) == {"W[1] → v", "W[2] → v", "W[1] → W[2] → v"}


def test_heavisides_of_dependent_products_through_a_transpose():
    """Remark B.6 beside a derivative that exists: d - b is a, so that x = Wᵀ(step(a) + c) + u.

    E x u = E a (step(a) + c) + 1 and E x w = E b (step(a) + c) give Ż, and E (step(a) + c)² = 1/2 + 2 + 2 E a⁺ gives Ẑ.
    """
    document = netsor.loads(
        "network heavisides(ξ : 2)\nmatrix U, V : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\ntrain v\n"
        "u := U ξ\nw := V ξ\na := W u\nb := W w\nc := W (u - w)\nd := W (u + w)\n"
        "x := Wᵀ (step(a) * step(d - b) + c) + u\noutput f := vᵀ x / √n\n"
    )
    half = 1 / np.sqrt(2 * np.pi)
    found = document.ntk(np.array([[0.6, -0.8]])).nngp
    np.testing.assert_allclose(found.value, [[2.5 + 2 * half + (half + 2) ** 2 + 1]], rtol=1e-8)

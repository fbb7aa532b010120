"""`check --exact`: every Ż, those of GIA apart from those of the backward pass with itself, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest
from training_networks import FOLDER, GALLERY

import netsor

TILTED = """
network tilted(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W ~ N(0, 1.3/n)
vector v ~ N(1, 0.5)
train U
h := W erf(U ξ)
x := gelu(h)
output f := vᵀ x / √n
"""


@pytest.mark.parametrize("name", GALLERY)
def test_gradient_independence_holds_in_the_gallery(name):
    found = netsor.load(FOLDER / f"{name}.netsor").exact()
    assert found.gia is True
    kinds = {c.kind for c in found.couplings if not c.vanishes}
    tied = name.startswith("tied")
    assert kinds == ({"forward with forward", "backward with backward"} if tied else set())
    assert bool(found.comparisons) == tied


def test_a_readout_with_a_mean_breaks_it():
    document = netsor.loads(TILTED)
    assert document.check().assumptions["GIA"].holds is False
    x = np.array([[0.6, 0.8]])
    found = document.exact(x)
    assert found.gia is False
    (coupling,) = found.couplings
    # Ż = σ_W² E v φ''(h) Z^z with E φ'' for gelu and h ~ N(0, q).
    q = 1.3 * 2 / np.pi * np.arcsin(2 / 3)
    curvature = (2 - q / (1 + q)) / np.sqrt(2 * np.pi * (1 + q))
    assert coupling.coefficient == pytest.approx(1.3 * curvature, abs=1e-9)
    assert coupling.error < 1e-9
    # The kernel of U with W and Wᵀ as they are, and with an independent copy of W in the backward pass.
    (kernel,) = [c for c in found.comparisons if c.name.startswith("NTK")]
    true = document.ntk(x).ntk.value[0, 0]
    assert kernel.true == pytest.approx(true, rel=1e-9)
    assert abs(kernel.naive - kernel.true) > 0.04
    finite = document.ntk(x, width=2000, seeds=12)
    assert abs(finite.ntk.mean[0, 0] - kernel.true) < 5 * finite.ntk.stderr[0, 0] + 0.005


def test_a_check_that_fails_where_independence_holds():
    """A readout used in the body at an odd place: the simple check fails, every Ż vanishes."""
    text = """
network odd(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
x := W erf(U ξ) + 0.1 v^2
output f := vᵀ x / √n
"""
    document = netsor.loads(text)
    assert document.check().assumptions["GIA"].holds is False
    assert document.exact().gia is True


def test_the_tangent_kernel_of_a_tied_network_is_about_twice_the_naive_one():
    found = netsor.load(FOLDER / "tied_first_layer.netsor").exact()
    (kernel,) = [c for c in found.comparisons if c.name == "NTK of f on row 1"]
    assert 1.6 < kernel.true / kernel.naive < 2.2


def test_programs_with_a_matrix_and_its_transpose():
    text = "matrix A ~ N(0, 3/n)\nvector v ~ N(0, 1)\nx := Aᵀ (2 A v)\noutput m := mean(v * x)\noutput q := mean(x^2)\n"
    document = netsor.loads(text)
    found = document.exact()
    assert found.gia is None
    (c,) = found.couplings
    assert c.kind == "program" and c.product == "x"
    assert c.vanishes is False
    # x = 2 AᵀA v: Ż = 2·3 v, E x v = 6, E x² = 4 (9 + 9) and E Ẑ² = 36 without the Ż.
    assert c.coefficient == pytest.approx(6, abs=1e-12)
    numbers = {k.name: (k.true, k.naive) for k in found.comparisons}
    assert numbers["m"] == pytest.approx((6, 0))
    assert numbers["q"] == pytest.approx((72, 36))
    assert found.as_dict()["couplings"][0]["vanishes"] is False


def test_a_program_without_couplings():
    found = netsor.loads("matrix A\nvector v ~ N(0, 1)\nx := A v\noutput m := mean(x^2)\n").exact()
    assert not found.couplings and not found.comparisons

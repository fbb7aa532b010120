"""Verdicts where an argument lies on a kink with positive probability: neither B8 nor NTKTRAIN holds there."""

from __future__ import annotations

import pytest

import netsor
from netsor.check.assumptions import infer_assumptions

VECTORS = (
    "vector x, d, e ~ N(0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])\nvector zero ~ N(0, 0)\nvector one ~ N(1, 0)\nmatrix W\n"
)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("z := √n * relu(d/√n)", "the argument of `relu` lies on its kink"),
        ("z := √n (abs(zero + d/√n) - abs(zero))", "the argument of `abs` lies on its kink"),
        ("u := relu(x)\nz := √n (relu(u + d/√n) - relu(u))", "the argument of `relu` lies on its kink"),
        ("z := √n (max(x, x + d/√n) - max(x, x))", "two arguments of `max` are equal"),
        ("z := √n (hardtanh(one + d/√n) - hardtanh(one))", "the argument of `hardtanh` lies on its kink"),
        ("φ(u) = if u > 1 then 3*u - 2 else u\nz := √n (φ(one + d/√n) - φ(one))", "are equal"),
        ("y := zero + d/√n\nz := √n (relu(y + e/√n) - relu(y))", "the argument of `relu` lies on its kink"),
        ("g := W x\nh := W x\nz := √n (relu(g - h + d/√n) - relu(g - h))", "the argument of `relu` lies on its kink"),
        ("y := zero + d/√n\nz := step(y) * d", "the argument of `step` lies on its jump"),
        ("z := step(x/√n)", "the argument of `step` lies on its jump"),
        ("z := √n * √(d^2/n)", "a root is taken of 0"),
    ],
)
def test_a_quotient_at_an_atom(lines: str, told: str) -> None:
    found = netsor.loads(f"{VECTORS}{lines}\noutput a := mean(z * d)\n").report.assumptions["B8"]
    assert found.holds is False
    assert f"{told} with positive probability" in found.because
    assert "no version of the Master Theorem covers it" in found.because
    assert "(Yang 2020b)" not in found.because


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        # On no kink: a version for rank stability covers these.
        ("z := √n (relu(x + d/√n) - relu(x))", False),
        ("u := 2*x\nz := √n (relu(u + d/√n) - relu(u))", False),
        ("g := W x\nh := W d\nz := √n (max(g, h + d/√n) - max(g, h))", False),
        # relu² is differentiable once, and relu(zero + d/√n) tends to 0 from either side.
        ("z := √n (relu(zero + d/√n)^2 - relu(zero)^2)", True),
        ("z := relu(zero + d/√n)", True),
    ],
)
def test_a_quotient_beside_the_kink(lines: str, holds: bool) -> None:
    found = netsor.loads(f"{VECTORS}{lines}\noutput a := mean(z * d)\n").report.assumptions["B8"]
    assert found.holds is holds
    assert holds or "rank stability cover it" in found.because


def network(layers: str, train: str = "train U\ntrain b * 1") -> netsor.Document:
    return netsor.loads(
        "network case(ξ[1..2] : 2)\nmatrix U, Q : (n, 2) ~ N(0, 1/2)\nmatrix W\nvector b, c ~ N(0, 0)\n"
        f"vector v ~ N(0, 1)\n{train}\n{layers}\noutput f := vᵀ x / √n\n"
    )


ROWS = {"ξ[1]": (1.0, 0.5), "ξ[2]": (0.3, 0.1)}
PADDED = {**ROWS, "ξ[2]": (0.0, 0.0)}
EQUAL = {**ROWS, "ξ[2]": (1.0, 0.5)}


@pytest.mark.parametrize(
    ("layers", "train", "examples", "holds"),
    [
        # Zero padding: certain where the rows are known, and a condition where they are not.
        ("x := relu(U ξ[1] + b) + relu(U ξ[2] + b)", "train U\ntrain b * 1", None, None),
        ("x := relu(U ξ[1] + b) + relu(U ξ[2] + b)", "train U\ntrain b * 1", ROWS, True),
        ("x := relu(U ξ[1] + b) + relu(U ξ[2] + b)", "train U\ntrain b * 1", PADDED, False),
        ("h := W tanh(U ξ[1])\nx := relu(h + b)", "train U\ntrain b * 1", {**ROWS, "ξ[1]": (0.0, 0.0)}, False),
        # A bias that is not trained does not move, nor does U 0, nor W 0.
        ("x := relu(U ξ[1] + b) + relu(U ξ[2] + b)", "train U", None, True),
        ("h := W tanh(U ξ[1])\nx := relu(h)", "train U, W", PADDED | {"ξ[1]": (0.0, 0.0)}, True),
        # A dead unit below a bias: at any input.
        ("x := relu(relu(U ξ[1]) + b)", "train U\ntrain b * 1", None, False),
        ("x := relu(relu(U ξ[1]))", "train U\ntrain b * 1", None, True),
        ("x := tanh(relu(U ξ[1]) + b)", "train U\ntrain b * 1", None, True),
        # Equal rows, whose preactivations move apart.
        ("x := max(U ξ[1] + b, U ξ[2] + c)", "train b * 1, c * 1", None, None),
        ("x := max(U ξ[1] + b, U ξ[2] + c)", "train b * 1, c * 1", EQUAL, False),
        ("x := max(U ξ[1] + b, U ξ[2] + b)", "train b * 1", EQUAL, True),
        ("x := max(U ξ[1] + b, Q ξ[2] + c)", "train b * 1, c * 1", EQUAL, True),
        # What is left of two kinks may have none.
        ("x := relu(U ξ[1] + b) + tanh(b)", "train b * 1", PADDED, True),
        ("x := relu(U ξ[2] + b)^2", "train b * 1", PADDED, True),
    ],
)
def test_networks(layers: str, train: str, examples: dict | None, holds: bool | None) -> None:
    p = network(layers, train).program
    found = infer_assumptions(p, None if examples is None else [ROWS, examples])
    assert found["NTKTRAIN"].holds is holds
    if holds is None:
        assert "unless" in found["NTKTRAIN"].because
        assert "unless" in found["B8"].relaxation
    if holds is False:
        assert found["B8"].holds is False
        assert not found["B8"].relaxation
        assert "with positive probability" in found["B8"].because


def test_the_condition_is_told() -> None:
    because = network("x := relu(U ξ[1] + b)").report.assumptions["NTKTRAIN"].because
    assert "unless an input row is zero: then the argument of `relu` lies on its kink" in because


def test_kernels_and_training_say_it() -> None:
    document = network("x := relu(U ξ[1] + b) + relu(U ξ[2] + b)")
    padded, other = [[[1, 0.5], [0, 0]]], [[[1, 0.5], [0.2, 0]]]
    assert [d.code for d in document.ntk(padded).diagnostics] == ["W614"]
    assert not document.ntk(other).diagnostics
    assert "W614" in [d.code for d in document.ntk(other, padded).diagnostics]
    assert "W614" in [d.code for d in document.train(other, [1], padded, steps=1, lr=0.5).diagnostics]
    assert not document.train(other, [1], steps=1, lr=0.5).diagnostics

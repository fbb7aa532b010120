"""Uniform vectors and input matrices, against moments in rational numbers, exact piecewise polynomials and draws."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

import netsor
from netsor.check import check_source
from netsor.diagnostics import NetsorError, Source, apply_edits
from netsor.show.listing import listing


def codes(text: str) -> list[str]:
    return [d.code for d in check_source(Source("p", text)).diagnostics]


def moment(low: Fraction, high: Fraction, k: int) -> Fraction:
    """E u^k of U(low, high)."""
    return (high ** (k + 1) - low ** (k + 1)) / ((k + 1) * (high - low))


def test_moments() -> None:
    rng = random.Random(20211)
    lines, truths = [], []
    for i in range(3):
        low = Fraction(rng.randint(-30, 10), 10)
        high = low + Fraction(rng.randint(1, 40), 10)
        lines.append(f"vector u[{i}] ~ U({float(low)}, {float(high)})")
        for k in range(1, 5):
            lines.append(f"output m[{i},{k}] := mean(u[{i}]^{k})")
            truths.append((f"m[{i},{k}]", moment(low, high, k)))
    found = netsor.loads("\n".join(lines) + "\n").limit()
    for name, truth in truths:
        value = found[name]
        assert abs(value.value - float(truth)) <= value.error + 2e-16 * abs(float(truth)), name
        assert value.error <= 1e-13 * max(1.0, abs(float(truth)))


def test_products_of_independent_ones() -> None:
    found = netsor.loads("vector u, w ~ U(-0.5, 1)\noutput a := mean(u^2 * w)\noutput b := mean(relu(u))\n").limit()
    # E u² E w = 1/4 · 1/4, and ∫₀¹ u du / 1.5
    assert abs(found["a"].value - 1 / 16) < 1e-14
    assert abs(found["b"].value - 1 / 3) < 1e-14


def relu_square(weights: list[Fraction]) -> Fraction:
    """E relu(Σ w_k u_k)² of independent u_k ~ U(−1, 1): the density of the sum is a spline of degree d − 1.

    E (s − t)₊² at t = 0 is the (d + 2)-fold integral of the product of central differences:
    Σ_ε Π ε_k (ε · w)₊^{d+2} 2!/((d + 2)! Π 2 w_k).
    """
    d = len(weights)
    total = Fraction(0)
    for signs in product((1, -1), repeat=d):
        s = sum((e * w for e, w in zip(signs, weights, strict=True)), Fraction(0))
        sign = 1
        for e in signs:
            sign *= e
        if s > 0:
            total += sign * s ** (d + 2)
    for w in weights:
        total /= 2 * w
    return total * 2 / factorial(d + 2)


@pytest.mark.parametrize("row", [("1",), ("1", "0.5"), ("0.3", "-1.5")])
def test_sums_through_a_nonlinearity(row: tuple[str, ...]) -> None:
    d = len(row)
    text = (
        f"data X : (1, {d}) = [[{', '.join(row)}]]\nmatrix U : (n, {d}) ~ U(-1, 1)\nh := U X[1]\n"
        "output a := mean(relu(h)^2)\noutput b := mean(h^4)\n"
    )
    found = netsor.loads(text).limit(tol=1e-8)
    weights = [abs(Fraction(x)) for x in row]
    assert abs(found["a"].value - float(relu_square(weights))) <= found["a"].error + 1e-15
    fourth = sum(w**4 for w in weights) / 5 + sum(
        6 * (v * w) ** 2 / 9 for i, v in enumerate(weights) for w in weights[:i]
    )
    assert abs(found["b"].value - float(fourth)) <= found["b"].error + 1e-15
    assert found["a"].error < 1e-7 and found["b"].error < 1e-12


NET = (
    "network f(ξ : 2)\nmatrix U : (n, 2) ~ {u}\nmatrix W ~ N(0, 2/n)\nvector b ~ U(-0.5, 1)\nvector v ~ U(-1, 1)\n"
    "train all\nx := W (U ξ + b)\noutput f := vᵀ (x ⊙ x) / √n\n"
)
X = [[1.0, 0.5], [0.3, -1.0]]


def test_kernels_depend_on_more_than_inner_products() -> None:
    # x ~ N(0, 2 q), q = E (u·ξ + b)² = |ξ|²/3 + 1/4; NNGP = E v² E x⁴ = (1/3) · 3 · (2 q)².
    uniform = netsor.loads(NET.format(u="U(-1, 1)")).ntk(X, tol=1e-9)
    gaussian = netsor.loads(NET.format(u="N(0, 1/3)")).ntk(X)
    q = (1.25 / 3) + 0.25
    assert abs(uniform.nngp.value[0, 0] - (2 * q) ** 2) <= uniform.nngp.error[0, 0] + 1e-13
    # A linear layer sees second moments only.
    assert np.allclose(uniform.nngp.value, gaussian.nngp.value, atol=1e-9)
    assert np.allclose(uniform.ntk.value, gaussian.ntk.value, atol=1e-8)


def test_kernels_of_one_layer_are_moments() -> None:
    # f = vᵀ (U ξ)²/√n with one column: NNGP = E v² ξ² ξ'² E u⁴, NTK of v the same, of U: σ_U² 4 E v² E u² ξ ξ' ξ ξ'.
    text = (
        "network f(ξ : 1)\nmatrix U : (n, 1) ~ U(-1, 1)\nvector v ~ N(0, 2)\ntrain all\n"
        "h := U ξ\noutput vᵀ (h ⊙ h) / √n\n"
    )
    made = netsor.loads(text).ntk([[1.0], [0.5]], by_parameter=True)
    x = np.array([[1.0, 0.5], [0.5, 0.25]]) ** 2
    assert np.allclose(made.nngp.value, 2 / 5 * x, atol=1e-12)
    assert np.allclose(made.by_parameter["v"].value, 2 / 5 * x, atol=1e-12)
    assert np.allclose(made.by_parameter["U"].value, 4 * 2 / 3 / 3 * x, atol=1e-12)
    cross = netsor.loads(text).ntk([[1.0]], [[0.5]])
    assert np.allclose(cross.ntk.value, made.ntk.value[:1, 1:], atol=1e-12)
    assert np.allclose(netsor.loads(text).nngp([[1.0], [0.5]]).value, made.nngp.value, atol=1e-12)


def test_draws_at_a_width() -> None:
    text = "data X : (1, 2) = [[1, -2]]\nvector u ~ U(2, 3)\nmatrix U : (n, 2) ~ U(0, 1)\nh := U X[1]\n" \
           "output a := mean(u^2)\noutput b := mean(h^2)\noutput m := mean(h)\n"  # fmt: skip
    document = netsor.loads(text)
    found, limit = document.run(2000, seeds=8), document.limit()
    # E u² = 19/3; h = u₁ − 2 u₂ has mean −1/2 and variance 5/12
    for name, truth in (("a", 19 / 3), ("b", 5 / 12 + 1 / 4), ("m", -0.5)):
        assert abs(limit[name].value - truth) < 1e-13
        values = np.asarray(found.values[name])
        assert abs(values.mean() - truth) < 5 * values.std(ddof=1) / np.sqrt(8) + 1e-12


def test_training_has_the_variance_for_its_scale() -> None:
    # c v with one trained uniform readout: f moves by η χ Var(v) E x² a step.
    text = "network f(ξ : 1)\nmatrix U : (n, 1) ~ N(0, 1)\nvector v ~ U(-1, 1)\ntrain v\noutput f := vᵀ (U ξ) / √n\n"
    found = netsor.loads(text).train([[1.0]], [2.0], steps=2, lr=0.5, limit=True)
    f = [0.0]
    for _ in range(2):
        f.append(f[-1] - 0.5 / 3 * (f[-1] - 2))
    assert np.allclose(np.ravel(found.program), f, atol=1e-12)


def test_the_listing_reads_back() -> None:
    program = netsor.loads(NET.format(u="U(-0.25, 1)")).program
    again = check_source(Source("p", listing(program))).program
    assert again is not None and again.groups == program.groups and again.input_matrices == program.input_matrices


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("vector x ~ N(0, 1)\nmatrix W ~ U(-1, 1)\noutput mean((W x)^2)\n", "E409"),
        ("vector x ~ N(0, 1)\nmatrix W ~ U(-1/√n, 1/√n)\noutput mean((W x)^2)\n", "E409"),
        ("vector x ~ U(1, -1)\noutput mean(x^2)\n", "E413"),
        ("vector x ~ U(1, 1)\noutput mean(x^2)\n", "E413"),
        ("vector x ~ uniform(-1, 2)\noutput mean(x^2)\n", "E121"),
        ("network f(ξ : 1)\nmatrix U : (n, 1) ~ N(0, 1)\nvector v ~ N(0, 1)\nscalar c ~ U(-1, 1)\n"
         "output f := vᵀ (U ξ) / √n + c\n", "E620"),
    ],
)  # fmt: skip
def test_edits(text: str, code: str) -> None:
    (fault,) = check_source(Source("p", text)).diagnostics
    assert fault.code == code
    assert codes(apply_edits(text, fault.edits[:1])) == []


def test_the_edit_of_a_matrix_keeps_the_variance() -> None:
    text = "vector x ~ N(0, 1)\nmatrix W ~ U(-3/√n, 1/√n)\noutput mean((W x)^2)\n"
    (fault,) = check_source(Source("p", text)).diagnostics
    program = check_source(Source("p", apply_edits(text, fault.edits))).program
    assert program is not None and abs(program.matrices[0].variance - 16 / 12) < 1e-15
    assert codes("vector x ~ U(0, 1/n)\noutput mean(x)\n") == ["E408"]


def test_paths_are_refused() -> None:
    with pytest.raises(NetsorError) as found:
        netsor.loads(NET.format(u="U(-1, 1)")).ntk(X, method="paths")
    assert found.value.diagnostics[0].code == "E611"

"""`scalar c ~ N(0, s)` in readouts: a number N(0, s) that is trained, in every reader of a network."""

from __future__ import annotations

import numpy as np
import pytest

import netsor
from netsor.check import check_source
from netsor.diagnostics import Source, apply_edits
from netsor.show.listing import listing

HEAD = "network f(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 2)\n"
BODY = "x := relu(U ξ)\noutput f := vᵀ x / √n"
X = [[1.0, 0.5], [0.3, -1.0], [-0.2, 0.4]]


def codes(text: str) -> list[str]:
    return [d.code for d in check_source(Source("p", text)).diagnostics]


def pair(bias: str, train: str = "train U, v") -> tuple[netsor.Document, netsor.Document]:
    return netsor.loads(f"{HEAD}{train}\n{BODY}\n"), netsor.loads(f"{HEAD}scalar c ~ N(0, 0.3)\n{bias}\n")


def test_its_share_of_the_kernels_is_s() -> None:
    plain, biased = pair(f"train all\n{BODY} + c")
    for method in ("backward", "paths"):
        a, b = plain.ntk(X, method=method), biased.ntk(X, method=method)
        assert np.allclose(b.ntk.value, a.ntk.value + 0.3, atol=1e-13)
        assert np.allclose(b.nngp.value, a.nngp.value + 0.3, atol=1e-13)
    still = pair(f"train U, v\n{BODY} + c")[1].ntk(X)
    assert np.allclose(still.ntk.value, a.ntk.value, atol=1e-13)
    assert np.allclose(still.nngp.value, a.nngp.value + 0.3, atol=1e-13)
    scaled = pair(f"train U, v, c * 0.5\n{BODY} - 2 c")[1].ntk(X)
    assert np.allclose(scaled.ntk.value, a.ntk.value + 4 * 0.25, atol=1e-13)
    assert np.allclose(scaled.nngp.value, a.nngp.value + 4 * 0.3, atol=1e-13)


def test_gradient_and_training_at_a_width() -> None:
    plain, biased = pair(f"train all\n{BODY} + c")
    for engine_seed in (0, 1):
        a = plain.ntk(X, width=40, seeds=2, seed=engine_seed)
        b = biased.ntk(X, width=40, seeds=2, seed=engine_seed)
        assert np.allclose(b.ntk.mean, a.ntk.mean + 0.3, atol=1e-12)


def test_a_bias_divided_by_a_power_of_n_vanishes() -> None:
    plain, small = pair(f"train all\n{BODY} + 2 c / √n")
    a, b = plain.ntk(X), small.ntk(X)
    assert np.allclose(a.ntk.value, b.ntk.value, atol=1e-13) and np.allclose(a.nngp.value, b.nngp.value, atol=1e-13)
    a, b = (d.ntk(X, width=25, seeds=3) for d in (plain, small))
    # (2/√25)² = 4/25, where c is c₀ √0.3
    assert np.allclose(b.ntk.mean, a.ntk.mean + 0.3 * 4 / 25, atol=1e-12)
    assert codes(HEAD + "scalar c ~ N(0, 1)\ntrain all\n" + BODY + " + √n c\n") == ["E601"]
    assert codes(HEAD + "train all\n" + BODY + " + vᵀ x / n\n") == ["E601"]


def test_training_follows_a_number() -> None:
    # f = c alone with one row: c_{t+1} = c_t − η s (c_t − y).
    network = netsor.loads("network g(ξ : 1)\nmatrix U : (n, 1)\nvector v ~ N(0, 1)\nscalar c ~ N(0, 0.25)\n"
                           "train c\noutput f := vᵀ tanh(U ξ) / √n + c\n")  # fmt: skip
    made = network.train([[1.0]], [2.0], steps=3, lr=0.5, limit=True, width=30, seeds=2)
    f = [0.0]
    for _ in range(3):
        f.append(f[-1] - 0.5 * 0.25 * (f[-1] - 2))
    assert np.allclose(np.ravel(made.program), f, atol=1e-12)
    assert np.allclose(made.finite.mean[:, 0, 0], f, atol=1e-10)


def test_a_gain_that_starts_at_one_is_no_part_of_the_bias() -> None:
    head = HEAD + "vector g ~ N(1, 0)\ntrain U, v, g * 1\nx := g * relu(U ξ)\noutput f := vᵀ x / √n"
    plain, biased = (
        netsor.loads(head + "\n"),
        netsor.loads(head.replace("vector g", "scalar c ~ N(0, 1)\nvector g") + " + c\n"),
    )
    assert np.allclose(plain.ntk(X).ntk.value, biased.ntk(X).ntk.value, atol=1e-13)


def test_outputs_with_biases_of_their_own() -> None:
    network = netsor.loads(
        HEAD + "vector w ~ N(0, 1)\nscalar c[1..2] ~ N(0, 0.5)\ntrain all\nx := relu(U ξ)\n"
        "output f[1] := vᵀ x / √n + c[1]\noutput f[2] := wᵀ x / √n + c[2]\n"
    )
    value = network.nngp([[1.0, 0.0]]).value[0, 0]
    # E relu(z)² = 1/2 for z ~ N(0, 1)
    assert np.allclose(value, [[1.0 + 0.5, 0], [0, 0.5 + 0.5]], atol=1e-13)


def test_a_prediction_with_a_bias_is_that_of_its_kernel() -> None:
    _, biased = pair(f"train all\n{BODY} + c")
    y = np.array([1.0, -1.0, 0.5])
    found = biased.predict(X, y, [[0.5, 0.5]], noise=0.1)
    k = biased.nngp(X).value + 0.1 * np.eye(3)
    assert np.allclose(found.mean.ravel(), biased.nngp([[0.5, 0.5]], X).value @ np.linalg.solve(k, y), atol=1e-10)


def test_the_listing_reads_back() -> None:
    program = pair(f"train all\n{BODY} + c")[1].program
    again = check_source(Source("p", listing(program))).program
    assert again is not None and again.readouts == program.readouts and again.groups == program.groups


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "scalar c ~ N(0, 1)\nx := relu(U ξ + c)\noutput f := vᵀ x / √n\n",
        HEAD + "scalar c ~ N(1, 1)\n" + BODY + " + c\n",
        "scalar c ~ N(0, 1)\nvector x ~ N(0, 1)\noutput mean((x + c)^2)\n",
        HEAD + "scalar c[1..2] ~ N(0, 1)\nx := relu(U ξ + c[1])\noutput f := vᵀ x / √n\n",
    ],
)
def test_edits(text: str) -> None:
    (fault,) = check_source(Source("p", text)).diagnostics
    assert fault.code == "E620"
    assert codes(apply_edits(text, fault.edits)) == []


def test_faults() -> None:
    assert codes(HEAD + "scalar c ~ N(0, -1)\n" + BODY + " + c\n") == ["E413"]
    assert codes(HEAD + "scalar c[1..2] = 3\n" + BODY + "\n") == ["E117"]
    assert codes(HEAD + "scalar c ~ N(0, 1)\n" + BODY + " + c^2\n") == ["E601"]
    assert codes(HEAD + "scalar c ~ N(0, 0)\ntrain all\n" + BODY + " + c\n") == ["E605"]

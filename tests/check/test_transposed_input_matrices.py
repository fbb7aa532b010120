"""Uᵀ x of an n×d matrix: a family of d numbers, as MOMENTs and as readouts."""

import numpy as np
import pytest
from language import codes, core

import netsor
from netsor.show.listing import listing

HEAD = "network auto(ξ : 2)\nmatrix U : (n, 2)\nmatrix W ~ N(0, 2/n)\n"
BODY = "x := tanh(W tanh(U ξ))\n"
X = [[1.0, 0.5], [0.3, -1.0]]


def test_moments_of_a_matrix_that_applies_to_data() -> None:
    text = (
        "data X : (1, 2) = [[1, 2]]\nmatrix U : (n, 2) ~ N(0, 1/2)\nh := U X[1]\n"
        "z := Uᵀ h / n\nw := 2 Uᵀ relu(h) / n + z\noutput z[1]\noutput z[2]\noutput w[2]\n"
    )
    found = netsor.loads(text).limit()
    # Uᵀ U ξ / n → σ² ξ, and by Stein's lemma Uᵀ relu(U ξ) / n → σ² ξ / 2
    for name, truth in (("z[1]", 0.5), ("z[2]", 1.0), ("w[2]", 2.0)):
        assert abs(found[name].value - truth) < 1e-13
    run = netsor.loads(text).run(4000, seeds=3)
    assert abs(np.mean(run.values["w[2]"]) - 2) < 0.15
    assert core(listing(core(text))) == core(text)


def test_a_decoder_is_as_many_vectors() -> None:
    decoder = netsor.loads(
        HEAD + "matrix V : (n, 2) ~ N(0, 3)\nscalar c[1..2] ~ N(0, 0.5)\ntrain V, W, U, c\n" + BODY
        + "output f := Vᵀ x / √n + c\n"
    )  # fmt: skip
    vectors = netsor.loads(
        HEAD + "vector v[1..2] ~ N(0, 3)\nscalar c[1..2] ~ N(0, 0.5)\ntrain all\n" + BODY
        + "output f[1] := v[1]ᵀ x / √n + c[1]\noutput f[2] := v[2]ᵀ x / √n + c[2]\n"
    )  # fmt: skip
    a, b = decoder.ntk(X), vectors.ntk(X)
    assert [r.name for r in decoder.program.readouts] == ["f[1]", "f[2]"]
    assert np.allclose(a.ntk.value, b.ntk.value, atol=1e-12) and np.allclose(a.nngp.value, b.nngp.value, atol=1e-12)
    again = core(listing(decoder.program))
    assert again.readouts == decoder.program.readouts and again.train == decoder.program.train


def test_families_of_decoders_uniform_ones_and_multipliers() -> None:
    program = core(
        HEAD + "matrix V[1..2] : (n, 3) ~ U(-1, 1)\ntrain V[2] * 0.5, W\n" + BODY
        + "output f := V[1]ᵀ x / √n\noutput g := V[2]ᵀ x / √n\n"
    )  # fmt: skip
    assert [r.name for r in program.readouts] == ["f[1]", "f[2]", "f[3]", "g[1]", "g[2]", "g[3]"]
    assert {t.name: t.multiplier for t in program.train or ()} == {
        "V[2,1]": 0.5, "V[2,2]": 0.5, "V[2,3]": 0.5, "W": None,
    }  # fmt: skip
    assert program.group_of["V[1,2]"][0].bounds == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD + BODY + "output f := Uᵀ x / √n\n", "E622"),
        (HEAD + "matrix V : (n, 2)\n" + BODY + "output f := V x / √n\n", "E312"),
        (HEAD + "matrix V : (n, 2)\nx := tanh(W Vᵀ)\noutput f := Vᵀ x / √n\n", "E309"),
        (HEAD + "matrix V : (n, 2)\ntrain V, V\n" + BODY + "output f := Vᵀ x / √n\n", "E607"),
        (HEAD + "matrix V : (n, 2)\nvector v ~ N(0, 1)\ndef f(y):\n    return Vᵀ y / n\n" + BODY
         + "output vᵀ (f(x) * x) / √n\n", "E312"),
    ],
)  # fmt: skip
def test_what_is_told(text: str, code: str) -> None:
    assert code in codes(text)

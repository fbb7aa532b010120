"""What `netsor derive` writes, pinned: set NETSOR_PIN=1 to write the expected files anew, and read them."""

import os
from pathlib import Path

import pytest

import netsor
from netsor.api import load, loads
from netsor.diagnostics.columns import text_width
from netsor.show.derivation import as_text, derive, with_numbers

HERE = Path(__file__).parent
PROGRAMS = Path(netsor.__file__).parent.parent / "programs"
PINNED = {
    "algorithm1": (PROGRAMS / "algorithm1.netsor", [], False),
    "algorithm1_numbers": (PROGRAMS / "algorithm1.netsor", [], True),
    "sgd_two_hidden": (PROGRAMS / "sgd_two_hidden.netsor", [], False),
    "sgd_two_hidden_numbers": (PROGRAMS / "sgd_two_hidden.netsor", [], True),
    "two_layer_ntk": (HERE / "two_layer_ntk.netsor", [], False),
    "remark_b5": (PROGRAMS / "remark_b5.netsor", [], False),
    "marchenko_pastur_2": (PROGRAMS / "marchenko_pastur.netsor", ["K=2"], False),
    "heaviside": (PROGRAMS / "heaviside.netsor", [], False),
    "tied_decoder": (PROGRAMS / "tied_decoder.netsor", [], False),
    "layernorm": (PROGRAMS / "layernorm.netsor", [], False),
}


@pytest.mark.parametrize("name", PINNED)
def test_text_is_as_expected(name):
    path, settings, numbers = PINNED[name]
    d = load(path, set=settings).derive()
    if numbers:
        d = with_numbers(d)
    text = as_text(d)
    expected = HERE / "expected" / f"{name}.txt"
    if os.environ.get("NETSOR_PIN"):
        expected.write_text(text, encoding="utf-8")
    assert _digits(text) == _digits(expected.read_text(encoding="utf-8"))


def _digits(text: str) -> str:
    """Without the bounds, whose last digits differ between machines."""
    return "\n".join(line.split(" ± ")[0] for line in text.splitlines())


def _lines(name: str) -> str:
    return as_text(load(PROGRAMS / f"{name}.netsor").derive())


def test_algorithm_1_is_claim_3_1():
    text = _lines("algorithm1")
    assert "Z^{dh} = φ'(Z^h) Z^v " in text  # Eq. 53
    assert "Z^{δh̃} = −χ̊ θ̊ Z^{dh} = −χ̊ θ̊ φ'(Z^h) Z^v " in text
    assert "Z^{δx̃} = φ'(Z^h̃) Z^{δh̃} = −χ̊ θ̊ φ'(Z^h) φ'(Z^h̃) Z^v " in text
    assert "= −χ̊ E[φ(Z^g) φ(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)]\n" in text


def test_two_hidden_layers_are_eqs_53_to_59():
    text = _lines("sgd_two_hidden")
    # ξ is ξ[1] in this program, ξ̃ is ξ[2].
    assert "Z^{δz̃} = φ'(Z^g̃) Z^{δg̃} = −χ̊ ξ[1]ᵀξ[2] φ'(Z^g) φ'(Z^g̃) Z^{dz} " in text  # Eq. 54
    assert "Z^{δh̃} = Z^{Wδz̃} − χ̊ θ̊ Z^{dh} " in text  # Eq. 55
    assert "Z^{δx̃} = φ'(Z^h̃) Z^{δh̃} " in text  # Eq. 56
    assert "a₁ = E ∂Z^{δz̃}/∂Ẑ^{Wᵀdh} = −χ̊ ξ[1]ᵀξ[2] E[φ'(Z^g) φ'(Z^g̃)]\n" in text  # Eqs. 58, 59
    assert "E Z^v φ'(Z^h̃) Ẑ^{Wδz̃} = 0: Z^v has mean 0 and is independent of the rest" in text
    assert "      = −χ̊ K̊\n" in text  # Claim 3.1
    kernel = "ξ[1]ᵀξ[2] E[φ'(Z^g) φ'(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)] + E[φ(Z^g) φ(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)]"
    assert f"      = −χ̊ ({kernel})\n" in text
    assert f"  kernel → K̊{' ' * 71}[ZMOMENT, Eq. 63]\n      = {kernel}\n" in text  # Eqs. 43, 44
    assert "0.6" not in text
    assert "gap → Δf̃° + χ̊ K̊ = 0 " in text
    assert "ω / √n → 0" in text


def test_two_layer_kernel_is_eqs_43_and_44():
    text = as_text(derive(load(HERE / "two_layer_ntk.netsor").program))
    assert "= E[φ'(Z^g) φ'(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)]\n" in text
    assert "= c̊ E[φ'(Z^g) φ'(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)] + E[φ(Z^g) φ(Z^g̃)] E[φ'(Z^h) φ'(Z^h̃)]\n" in text


def test_only_what_is_needed_unless_all_is_asked_for():
    program = load(PROGRAMS / "remark_b5.netsor").program
    some = as_text(derive(program, "xv"))
    assert "xv →" in some and "x4 →" not in some
    assert "x4 →" in as_text(derive(program, "xv", every=True))
    vector = as_text(derive(program, "x"))
    assert "Z^x = Ẑ^{Aᵀy} + Ż^{Aᵀy} = Ẑ^{Aᵀy} + Z^v" in vector and "Var Ẑ^{Aᵀy}" in vector and "→ E" not in vector


def test_a_long_formula_is_cut_and_says_so():
    text = "program p\nmatrix W\nvector v, b ~ N(0, 1)\n" + "x[0] := v\n"
    text += "".join(f"x[{k + 1}] := tanh(x[{k}]) + b * x[{k}]\n" for k in range(7)) + "output o := mean(x[7] * v)\n"
    d = derive(loads(text).program)
    cut = as_text(d)
    assert "characters; --full shows them)" in cut
    assert "characters; --full" not in as_text(d, longest=None)
    assert len(as_text(d, longest=None)) > len(cut)


def test_zero_vectors_parity_and_constants():
    text = "program p\nmatrix W\nvector zero ~ N(0, 0)\nvector v ~ N(0, 1)\nvector m ~ N(2, 0)\n"
    text += "y := W zero\nw := y + m * v\noutput a := mean(tanh(v) * v^2)\noutput b := mean(w^2)\n"
    shown = as_text(derive(loads(text).program))
    assert "a → E tanh(Z^v) (Z^v)² = 0" in shown and "whose law is symmetric" in shown
    assert "Z^y = 0" in shown and "Z^m = 2" in shown
    assert "b → E (Z^w)² = 4 E[(Z^v)²] = 4" in shown or "= 4 " in shown


def test_a_program_without_outputs_is_derived_as_a_whole():
    text = "program p\nmatrix W\nvector v ~ N(0, 1)\nh := W v\nx := tanh(h)\n"
    shown = as_text(derive(loads(text).program))
    assert "Z^x = tanh(Z^h)" in shown and "Var Ẑ^{Wv} = E (Z^v)² = 1" in shown


def test_a_long_integrand_stands_in_the_vectors_of_the_program():
    document = load(PROGRAMS / "batchnorm.netsor")
    d = document.derive()
    text = as_text(d)
    assert "  k[1,1,2] → E Z^{y[1,1]} Z^{y[1,2]}  " in text
    assert "Cov(Ẑ^{W[2]y[1,1]}, Ẑ^{W[2]y[1,2]}) = 2 E Z^{y[1,1]} Z^{y[1,2]}  " in text
    assert max(text_width(row) for row in text.splitlines()) <= 102
    full = as_text(d, longest=None)
    assert "E relu((0.75 Z^{h[1,1]}" in full and "--full" not in full and len(full) > 2 * len(text)


def test_numbers_of_a_law_that_is_only_told_by_its_size_are_not_listed():
    text = (
        "program p\ndata X : (5, 2) = [[1, 0.5], [0.3, -1], [-0.5, 2], [3, 1], [1, 2]]\nmatrix U : (n, 2) ~ N(0, 1)\n"
    )
    text += "for i in 1..5:\n    h[i] := U X[i]\noutput o := mean(tanh(h[1]+h[2]+h[3]+h[4]+h[5])^2)\n"
    shown = as_text(with_numbers(loads(text).derive()))
    assert "K is 5 × 5" in shown and "X[1]ᵀX[2] =" not in shown

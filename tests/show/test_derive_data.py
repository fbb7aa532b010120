"""Products and entries of data stand by name in a derivation, and only where the text has them."""

import pytest
from evaluator import Evaluator

from netsor.api import loads
from netsor.show.derivation import as_latex, as_text, with_numbers

HEAD = """program p
φ(u) = tanh(u)
param s = 0.5
data X : (3, 2) = [[1, 0.5], [0.3, -1], [-0.5, 1]]
data y : (3) = [0.5, -1, 2]
matrix W
matrix U : (n, 2) ~ N(0, 0.5)
vector v ~ N(0, 1)
for i in 1..3:
    h[i] := U X[i]
"""


def derived(body, **given):
    document = loads(HEAD + body, **given)
    assert document.check().ok, document.check().diagnostics
    d = document.derive()
    limit = document.limit()
    for o in document.program.outputs:
        assert Evaluator(d).scalar(o.scalar) == pytest.approx(limit[o.name].value, rel=1e-8, abs=1e-9)
    return d


def test_a_number_that_only_looks_like_a_product_stays_a_number():
    # ⟨X[1], X[2]⟩ is -0.2, and so is a number of the text.
    text = as_text(derived("a := -0.2 v\nb := ⟨X[1], X[2]⟩ v\noutput o := mean(a * b)\n"))
    assert "Z^a = −0.2 Z^v" in text and "Z^b = X[1]ᵀX[2] Z^v" in text
    assert "= −0.2 X[1]ᵀX[2] E[(Z^v)²] = −0.2 X[1]ᵀX[2] " in text


def test_products_in_loops_sums_and_scalars():
    text = as_text(
        derived(
            "for i in 1..2:\n    for j in 1..2:\n        output k[i, j] := ⟨X[i], X[j]⟩ mean(φ(h[i]) * φ(h[j]) * v^2)\n"
            "output t := sum(i in 1..3: y[i] * mean(φ(h[i])^2)) + s\n",
            set={"s": 2},
        )
    )
    assert "k[1,2] → X[1]ᵀX[2] E[φ(Z^{h[1]}) φ(Z^{h[2]}) (Z^v)²]" in text
    assert "= X[1]ᵀX[2] E[φ(Z^{h[1]}) φ(Z^{h[2]})]\n" in text
    assert "t → y[1] t_1° + y[2] t_2° + y[3] t_3° + 2 " in text


def test_expectations_of_embeddings_are_inner_products():
    d = derived("output a := mean(h[1] * h[2])\noutput b := mean(h[1]^2 * h[2]^2)\noutput z := mean(h[1] * h[3])\n")
    text = as_text(d)
    assert "~ N(0, 0.5 [[X[1]ᵀX[1], X[1]ᵀX[2], 0]," in text  # X[1] and X[3] are orthogonal
    assert "a → E Z^{h[1]} Z^{h[2]} = 0.5 X[1]ᵀX[2] " in text
    assert "z → E Z^{h[1]} Z^{h[3]} = 0 " in text
    assert "= 0.25 X[1]ᵀX[1] X[2]ᵀX[2] + 0.5 (X[1]ᵀX[2])² " in text
    assert "0.5\\, X_{1}^{\\top} X_{2}" in as_latex(d)


def test_the_loss_derivative_keeps_its_name():
    # χ̊ = f̊ − y[1] put in its place would take −χ̊ K̊ apart (Claim 3.1).
    text = as_text(
        derived(
            "scalar f = 0.2\nχ := f - y[1]\nd := -χ ⟨X[1], X[2]⟩ φ'(h[1]) ⊙ v\noutput Δ := mean(v * φ'(h[2]) * d)\n"
        )
    )
    assert "χ → χ̊ = f̊ − y[1] " in text
    assert "= −χ̊ X[1]ᵀX[2] E[φ'(Z^{h[1]}) φ'(Z^{h[2]})]\n" in text


def test_numbers_tell_what_the_data_come_to_once():
    d = with_numbers(derived("b := ⟨X[1], X[2]⟩ v\nc := y[2] b\noutput o := mean(c * b)\n"))
    text = as_text(d)
    assert text.count("X[1]ᵀX[2] = −0.2") == 1 and text.count("y[2] = −1") == 1


def test_rows_of_several_axes_whole_data_and_definitions():
    text = (
        "program p\ndata y : (3) = [0.5, -1, 2]\ndata T : (2, 2, 2) = [[[1, 0.5], [0.3, -1]], [[-0.5, 2], [2, 0.1]]]\n"
    )
    text += "matrix W\nmatrix U : (n, 2) ~ N(0, 2)\nvector v ~ N(0, 1)\n"
    text += "def layer(x; c):\n    m := mean(x^2)\n    return c * tanh(W x) / √(1 + m) + ⟨T[1,1], T[2,1]⟩ * x\n"
    text += "h := U T[1,1]\nk := U T[2,1]\na := layer(h; y[2])\nb := ⟨y, y⟩ a / √(⟨T[1,1], T[1,1]⟩) + v\n"
    text += "output o := mean(b * v) + y[3]\noutput q := mean(b * k)\n"
    document = loads(text)
    d = document.derive()
    for o in document.program.outputs:
        assert Evaluator(d).scalar(o.scalar) == pytest.approx(document.limit()[o.name].value, rel=1e-8)
    shown = as_text(d)
    assert "h = U T[1,1], k = U T[2,1]" in shown
    assert "Z^a = y[2] tanh(Z^{a_1}) a_2° + T[1,1]ᵀT[2,1] Z^h " in shown
    assert "Z^b = yᵀy Z^a / √(T[1,1]ᵀT[1,1]) + Z^v " in shown


def test_where_a_number_is_wanted_the_data_are_numbers():
    text = as_text(
        derived(
            "vector w ~ N(y[1], ⟨X[1], X[1]⟩)\nq := if ⟨X[1], X[2]⟩ > 0 then v else 2 v\nr := w^y[3]\n"
            "output a := mean(q * v) + mean(r)\n"
        )
    )
    assert "Z^w ~ N(0.5, 1.25)" in text and "Z^q = 2 Z^v" in text


def test_an_order_of_factors_is_no_step():
    text = as_text(derived("output k := mean(φ(h[2]) * φ(h[1]))\n"))
    assert "k → E φ(Z^{h[2]}) φ(Z^{h[1]}) " in text and "= E φ(Z^{h[1]}) φ(Z^{h[2]})" not in text


def test_a_delta_that_meets_an_independent_factor_vanishes_for_that():
    text = as_text(derived("a := W φ(h[1])\nb := step(a) ⊙ v\nc := Wᵀ b\noutput o := mean(c^2 * φ(h[1])^2)\n"))
    assert "Ż^{Wᵀb} = 0: E ∂Z^b/∂Ẑ^{Wa_1} = 0, for Z^v has mean 0 and is independent of the rest" in " ".join(
        text.split()
    )


def test_a_wide_law_is_broken_between_its_rows():
    text = "program p\ndata X : (4, 2) = [[1, 0.5], [0.3, -1], [-0.5, 2], [3, 1]]\nmatrix U : (n, 2) ~ N(0, 1/3)\n"
    text += "for i in 1..4:\n    hidden[i] := U X[i]\noutput o := mean(hidden[1] * hidden[2] * hidden[3] * hidden[4])\n"
    rows = as_text(loads(text).derive()).splitlines()
    assert max(map(len, rows)) <= 100
    assert any(r.strip().startswith("[X[1]ᵀX[2], X[2]ᵀX[2], X[2]ᵀX[3], X[2]ᵀX[4]]") for r in rows)


NETWORK = """network two(ξ : 3)
φ(u) = erf(u)
matrix U : (n, 3) ~ N(0, 1/3)
matrix W ~ N(0, 1/n)
vector v ~ N(0, 1)
train U, W
g := U ξ
h := W φ(g)
output f := vᵀ φ(h) / √n
"""


def test_an_sgd_program_reads_as_appendix_a():
    trained = loads(NETWORK).sgd([[1, 0.5, 0.2], [0.3, -1, 0.7]], [0.5, -1], [[0.2, 0.2, 1]], steps=1)
    document = loads(trained.listing())
    d = document.derive()
    for o in document.program.outputs:
        assert Evaluator(d).scalar(o.scalar) == pytest.approx(document.limit()[o.name].value, rel=1e-8, abs=1e-9)
    text = as_text(d)
    # Eq. 54 with σ_U² = 1/3, on a training row and on the test row.
    assert "= −1/3 χ[0,1]° ξ[1]ᵀξ[2] φ'(Z^{g[1]}) φ'(Z^{g[2]}) Z^" in text
    assert "ξ[1]ᵀξ̃[1]" in text and "ξξ" not in text and "ξξ̃" not in text
    # Claim 3.1: the loss derivative stands before the kernel.
    assert "= −χ[0,1]° (1/3 ξ[1]ᵀξ[2] E[φ'(Z^{g[1]}) φ'(Z^{g[2]})] E[" in text


def test_a_constant_that_is_only_called_like_a_product_keeps_its_name():
    text = "scalar XX[1,2] = 3\nb := XX[1,2] * h[1]\noutput o := mean(b * h[2])\n"
    assert "XX[1,2]°" in as_text(derived(text))


def test_a_constant_that_is_a_product_stands_as_that():
    text = as_text(derived("scalar c = ⟨X[1], X[2]⟩\nb := c * h[1]\noutput o := mean(b * h[2])\n"))
    assert "Z^b = X[1]ᵀX[2] Z^{h[1]} " in text and "c°" not in text


def test_the_core_keeps_names_and_the_interpreters_read_numbers():
    body = "a := 2 ⟨X[1], X[2]⟩ v\nb := y[3] v / y[1] - y[2]\nc := W (y[1] * 2 * v)\noutput o := mean(a * b * c^y[3])\n"
    program = loads(HEAD + body).program
    listed = loads(HEAD + body).listing()
    assert "NONLIN: a := 2 * ⟨X[1], X[2]⟩ * v" in listed and "NONLIN: b := y[3] * v / y[1] - y[2]" in listed
    # y[1] · 2 is 1: no line multiplies by it; an exponent is a number.
    assert "MATMUL: c := W v" in listed and "c^2" in listed
    assert loads(listed).program == program
    numbers = {i.name: str(i.psi) for i in program.evaluated.instructions if i.name in "ab"}
    assert numbers == {"a": "-0.4 * v", "b": "4 * v + 1"} and program.evaluated.evaluated is program.evaluated


@pytest.mark.parametrize(
    "line",
    [
        "a := v / (y[1] - 0.5)", "a := √(y[2]) v", "a := 1e300 y[3] v * (1e10 * y[3])", "a := n^y[1] v",
        "vector w ~ N(0, y[2])", "scalar c = log(y[2])", "a := W y[1]", "a := n * y[3] * v",
    ],
)  # fmt: skip
def test_names_hide_no_fault(line):
    found = loads(HEAD + line + "\noutput o := mean(v^2)\n").check().diagnostics
    plain = line.replace("y[1]", "0.5").replace("y[2]", "(-1)").replace("y[3]", "2.0")
    same = loads(HEAD + plain + "\noutput o := mean(v^2)\n").check().diagnostics
    assert [d.code for d in found] == [d.code for d in same] != []

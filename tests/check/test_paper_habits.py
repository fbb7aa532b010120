"""What someone with the paper open types: the edit that is offered is accepted, and its limit is what was meant."""

from __future__ import annotations

import math
import re

import pytest

import netsor

HEAD = "matrix W\nvector z ~ N(0, 1)\nvector v, x, y ~ N(1, [[2, 1, 0], [1, 3, 1], [0, 1, 2]])\n"

# A line, and the limit that its writer means. E z² = 1, E v² = 3, E v x = 2, E x y = 2, E v y = 1, E x² = 4.
OUTPUTS: list[tuple[str, float]] = [
    ("|z|^2/n", 1), ("|z|² / n", 1), ("‖v‖²/n", 3), ("‖v‖^2/n", 3), ("||v||^2/n", 3), ("‖v‖_2^2/n", 3),
    ("‖v‖₂²/n", 3), ("1/n ‖v‖²", 3), ("(1/n) ‖v‖²", 3), ("\\|v\\|^2/n", 3), ("\\frac{1}{n} \\|v\\|^2", 3),
    ("‖v - x‖²/n", 3), ("‖x‖/√n", 2), ("norm(v)^2/n", 3), ("(1/n) norm(v)^2", 3), ("|W v|^2/n", 3),
    ("v·x/n", 2), ("v · x / n", 2), ("v * x / n", 2), ("v ⊙ x / n", 2), ("v.x/n", 2), ("dot(v, x)/n", 2),
    ("v'x/n", 2), ("v^⊤ x/n", 2), ("v^{⊤} x/n", 2), ("v^t x / n", 2), ("v^\\top x/n", 2), ("<v|x>/n", 2),
    ("E[v x]", 2), ("𝔼[v x]", 2), ("E[v]", 1), ("E v²", 3), ("E v^2", 3), ("𝔼 v x", 2), ("E[relu(z)^2]", 0.5),
    ("E[(W v) z]", 0), ("\\mathbb{E}[v x]", 2), ("E z", 0),
    ("Var(v)", 2), ("Var v", 2), ("var(v)", 2), ("Cov(v, x)", 1), ("std(v)", math.sqrt(2)),
    ("mean((z)_+)", 1 / math.sqrt(2 * math.pi)), ("mean(z_+)", 1 / math.sqrt(2 * math.pi)),
    ("mean(z₊)", 1 / math.sqrt(2 * math.pi)), ("mean([z]_+)", 1 / math.sqrt(2 * math.pi)),
    ("mean((z)₊^2)", 0.5), ("mean(ReLU(z)_+)", 1 / math.sqrt(2 * math.pi)),
    ("mean(ReLU(z))", 1 / math.sqrt(2 * math.pi)),
    ("mean(ReLU(z)₊)", 1 / math.sqrt(2 * math.pi)), ("mean((z)_{+})", 1 / math.sqrt(2 * math.pi)),
    ("mean(𝟏{z > 0})", 0.5), ("mean(1{z > 0})", 0.5), ("mean(1[z>0])", 0.5), ("mean(𝟙(z > 0) z²)", 0.5),
    ("(1/n) sum(v^2)", 3), ("sum(v * x)/n", 2), ("(1/n) Σ_α v_α x_α", 2), ("(1/n) Σ v_α²", 3), ("Σ_α v_α^2 / n", 3),
    ("mean(sgn(z) z)", math.sqrt(2 / math.pi)),
]  # fmt: skip


def errors(text: str) -> list[netsor.diagnostics.Diagnostic]:
    return [d for d in netsor.loads(text).report.diagnostics if d.is_error]


def mended(text: str) -> str:
    """The text after the edit of each first fault: of the line, or of what is underlined."""
    for _ in range(8):
        found = errors(text)
        if not found:
            return text
        d = found[0]
        edit = re.search(r"(?:write|did you mean) `([^`]*)`", d.hint)
        assert edit is not None and d.span is not None, f"{d.message}: {d.hint}\n{text}"
        below = re.search(r"and below it `([^`]*)`", d.hint)
        lines = text.split("\n")
        at = d.span.line - 1
        whole = re.match(r"\s*(?:vector|matrix|output|scalar)\b|.*:=", edit.group(1))
        if whole:
            indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
            lines[at : at + 1] = [indent + edit.group(1), *([below.group(1)] if below else [])]
            text = "\n".join(lines)
        else:
            text = text[: d.span.start] + edit.group(1) + text[d.span.end :]
    raise AssertionError(f"still wrong: {errors(text)[0].message}\n{text}")


def limits(text: str) -> list[float]:
    return [v.value for v in netsor.loads(text).limit().outputs.values()]


@pytest.mark.parametrize(("typed", "meant"), OUTPUTS, ids=[t for t, _ in OUTPUTS])
def test_an_output_as_on_paper(typed: str, meant: float) -> None:
    text = f"{HEAD}output a := {typed}\n"
    assert errors(text) or typed == "E z", "this is accepted as it stands, so it is no habit"
    assert limits(mended(text)) == pytest.approx([meant], abs=1e-6)


# A declaration, lines below it, and the limits that are meant.
LAWS: list[tuple[str, list[float]]] = [
    ("vector u ~ Rademacher\noutput a := mean(u^2)\noutput b := mean(u + cos(u))\n", [1, math.cos(1)]),
    ("vector u ~ Rademacher(1/2)\noutput a := mean(u^4)\n", [1]),
    ("vector u ~ Uniform(-1, 3)\noutput a := mean(u)\noutput b := mean(u^2)\n", [1, 7 / 3]),
    ("vector u ~ unif(0, 1)\noutput b := mean(u^2)\n", [1 / 3]),
    ("vector u ~ Bernoulli(0.3)\noutput a := mean(u)\noutput b := mean(u^2)\n", [0.3, 0.3]),
    ("vector u ~ Normal(2, 3)\noutput a := mean(u)\noutput b := mean(u^2)\n", [2, 7]),
    ("vector u ~ Gaussian(0, 1)\noutput b := mean(u^2)\n", [1]),
    ("vector u ~ N(0, I)\noutput b := mean(u^2)\n", [1]),
    ("vector u ~ N(0, I_n)\noutput b := mean(u^2)\n", [1]),
    ("matrix A ~ Ginibre\nvector x ~ N(0, 1)\nh := A x\noutput b := mean(h^2)\n", [1]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), LAWS, ids=[t.split("\n")[0] for t, _ in LAWS])
def test_a_law_by_its_name(text: str, meant: list[float]) -> None:
    assert errors(text)
    assert limits(mended(text)) == pytest.approx(meant, abs=1e-6)


@pytest.mark.parametrize("law", ["GOE", "GOE(n)", "GUE", "Wigner"])
def test_a_symmetric_matrix(law: str) -> None:
    (d,) = errors(f"matrix A ~ {law}\nvector x ~ N(0, 1)\nh := A x\ng := A h\noutput a := mean(g * x)\n")
    declared, product = re.findall(r"`([^`]*)`", d.hint)
    assert (declared, product) == ("matrix A", "(A x + Aᵀ x) / √2")
    g = product.replace("x", "h")
    text = f"{declared}\nvector x ~ N(0, 1)\nh := {product}\ng := {g}\ngh := {g}\nk := {product.replace('x', 'g')}\n"
    text += "l := (A k + Aᵀ k) / √2\noutput a := mean(g * x)\noutput b := mean(l * x)\n"
    # Moments of the semicircle: Catalan numbers.
    assert limits(text) == pytest.approx([1, 2])


def test_no_other_law_is_claimed_for_an_orthogonal_matrix() -> None:
    (d,) = errors("matrix Q ~ Haar\nvector x ~ N(0, 1)\nh := Q x\noutput a := mean(h^2)\n")
    assert "write" not in d.hint and "orthogonal" in d.notes[0]


SUPERSCRIPTS = [
    "matrix W^1\nvector x^0 ~ N(0, 1)\nx^1 := tanh(W^1 x^0)\noutput a := mean(x^1 * x^1)\n",
    "matrix W¹\nvector x⁰ ~ N(0, 1)\nx¹ := tanh(W¹ x⁰)\noutput a := mean(x¹ * x¹)\n",
    "matrix W^{(1)}\nvector x^{(0)} ~ N(0, 1)\nx^{(1)} := tanh(W^{(1)} x^{(0)})\noutput a := mean(x^{(1)} * x^{(1)})\n",
    "matrix W^{1}\nvector x^{0} ~ N(0, 1)\nx^{1} = tanh(W^{1} x^{0})\noutput a := mean(x^{1} * x^{1})\n",
    "matrix W\nvector x^0, b ~ N(0, 1)\nx^1 := tanh(W x^0) + 0 * b^2\noutput a := mean(x^1 * x^1)\n",
    "matrix W[1..2]\nvector x^0 ~ N(0, 1)\nfor l in 1..1:\n    x^l := tanh(W^l x^{l-1})\noutput a := mean(x^1 * x^1)\n",
    "matrix W1\nvector x0 ~ N(0, 1)\nx1 := tanh(W^1 x^0)\noutput a := mean(x^1 * x^1)\n",
]


@pytest.mark.parametrize("text", SUPERSCRIPTS, ids=[t.split("\n")[0] + t.split("\n")[2] for t in SUPERSCRIPTS])
def test_superscripts_are_indices(text: str) -> None:
    # E tanh(Z)², 12 digits by mpmath.
    assert limits(mended(text)) == pytest.approx([0.394294490397], abs=1e-9)


def test_the_headline_says_both_ways_to_write_an_index() -> None:
    d = errors(SUPERSCRIPTS[0])[0]
    assert "`W1` or `W[1]`" in d.message


def test_greek_letters_by_their_words() -> None:
    for letter, word in (("φ", "phi"), ("σ", "sigma"), ("ψ", "psi"), ("λ", "lambda")):
        text = f"vector x ~ N(0, 1)\n{letter}(u) = tanh(u)\noutput a := mean({word}(x)^2)\n"
        (d,) = errors(text)
        assert d.hint == f"did you mean `{letter}`?"
        assert limits(mended(text)) == pytest.approx([0.394294490397], abs=1e-9)
    # Φ is another function, and so is what the program calls Phi's small letter.
    (d,) = errors("vector x ~ N(0, 1)\noutput a := mean(phi(x)^2)\n")
    assert "Phi" not in d.hint
    (d,) = errors("vector x ~ N(0, 1)\nphi(u) = tanh(u)\noutput a := mean(φ(x)^2)\n")
    assert d.hint == "did you mean `phi`?"


def test_powers_stay_powers() -> None:
    for line in ("output a := mean(z^2)", "output a := mean(relu(z)^2) + 1", "output a := mean(abs(z)^2)"):
        assert errors(f"{HEAD}{line}\n") == []
    (d,) = errors(f"{HEAD}output a := mean(|z|^2)\n")
    assert d.hint == "write `output a := mean(abs(z)^2)`"

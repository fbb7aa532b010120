"""LaTeX and Markdown of derivations: names, balanced brackets, and a real LaTeX where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import netsor
from netsor.api import load, loads
from netsor.show.derivation import as_latex, as_markdown, as_text, derive, with_numbers
from netsor.show.formula.latex import latex_name

HERE = Path(__file__).parent
PROGRAMS = Path(netsor.__file__).parent.parent / "programs"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("h", "h"), ("h̃", "\\tilde{h}"), ("δh̃", "\\delta\\tilde{h}"), ("Δf̃", "\\Delta\\tilde{f}"), ("h1", "h_{1}"),
        ("x[1,2]", "x_{1, 2}"), ("W[2,-1]", "W_{2, {-}1}"), ("K_12", "K_{12}"), ("total", "\\mathit{total}"),
        ("dg_linear", "dg_{\\mathit{linear}}"), ("ℓ", "\\ell"), ("λ", "\\lambda"), ("Α", "\\mathrm{A}"),
        ("ж", "\\mathrm{zhe}"), ("x̂", "\\hat{x}"), ("δx", "\\delta x"), ("σ_1[3]", "\\sigma_{1, 3}"), ("_", "\\_"),
    ],
)  # fmt: skip
def test_names(name, latex):
    assert latex_name(name) == latex


def test_claim_3_1_in_latex():
    text = as_latex(derive(load(PROGRAMS / "algorithm1.netsor").program))
    assert (
        "= -\\mathring{\\chi}\\, \\mathbb{E}[\\phi(Z^{g})\\, \\phi(Z^{\\tilde{g}})]\\, "
        "\\mathbb{E}[\\phi'(Z^{h})\\, \\phi'(Z^{\\tilde{h}})]" in text
    )
    assert "\\operatorname{Cov}(\\hat{Z}^{W z}, \\hat{Z}^{W \\tilde{z}})" in text


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.netsor")), ids=lambda p: p.stem)
def test_brackets_match_and_nothing_is_left_in_unicode(path):
    d = derive(load(path).program)
    for text in (as_latex(d), as_latex(d, longest=None)):
        depth = 0
        for c in re.sub(r"\\[{}]", "", text):
            depth += (c == "{") - (c == "}")
            assert depth >= 0
        assert depth == 0
        assert text.count("\\left") - text.count("\\leftarrow") == text.count("\\right") - text.count("\\rightarrow")
        assert text.isascii(), sorted({c for c in text if not c.isascii()})
    assert as_markdown(d).count("$") % 2 == 0


def test_markdown_has_a_formula_and_a_rule_a_line():
    text = as_markdown(derive(load(PROGRAMS / "remark_b5.netsor").program))
    assert (
        "- $Z^{x} = \\hat{Z}^{A^{\\top} y} + \\dot{Z}^{A^{\\top} y} = \\hat{Z}^{A^{\\top} y} + Z^{v}$ — ZMATMUL" in text
    )


ODD = """program odd_names
ψ(x, y; θ) = if x > 0 and not (y > θ) then exp(-x) / (1 + y^2) else abs(x) ^ 1.5
matrix Wide_matrix ~ N(0, 1/n)
vector жук, ᾱ_long_name ~ N(0.25, [[1, 1e-7], [1e-7, 1/3]])
scalar ε = 1e-12
h₁ := Wide_matrix жук
q := Wide_matrixᵀ ψ(h₁, ᾱ_long_name; ε)
output o_1 := mean(max(q, h₁) * √(1 + ᾱ_long_name^2))
output o_2 := 1 / (1 + mean(q^2))
"""


def compiles(text: str, folder: Path) -> None:
    (folder / "a.tex").write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
        cwd=folder,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.netsor")), ids=lambda p: p.stem)
def test_it_compiles(path, tmp_path):
    compiles(as_latex(derive(load(path).program)), tmp_path)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_odd_names_and_numbers_compile(tmp_path):
    program = loads(ODD).program
    text = as_latex(with_numbers(derive(program), tol=1e-3, budget=5), longest=None)
    assert text.isascii()
    compiles(text, tmp_path)


def test_odd_names_are_ascii_in_latex():
    assert as_latex(derive(loads(ODD).program)).isascii()


DEEP = """program deep
matrix W[2..7] ~ N(0, 2/n)
vector h[1], k[1] ~ N(0, [[1, 0.6], [0.6, 1]])
vector v ~ N(0, 1)
for l in 2..7:
    h[l] := W[l] relu(h[l-1])
    k[l] := W[l] relu(k[l-1])
dh[7] := step(h[7]) * v
dk[7] := step(k[7]) * v
for r in 1..6:
    dh[7-r] := step(h[7-r]) * (W[8-r]ᵀ dh[8-r])
    dk[7-r] := step(k[7-r]) * (W[8-r]ᵀ dk[8-r])
output Θ := mean(dh[1] * dk[1])
"""


def test_a_product_of_many_expectations_stays_on_the_page(tmp_path):
    text = as_latex(loads(DEEP).derive())
    # About two signs of LaTeX print as a letter.
    assert max(len(row.split("&")[-1].split("\\tag")[0]) for row in text.splitlines() if "&&" in row) < 260
    # A note stands between rows and ends none: an empty row would stand below it.
    assert "\\intertext" in text
    assert not [row for row in text.splitlines() if row.startswith("\\intertext") and row.endswith("\\\\")]
    if shutil.which("pdflatex"):
        compiles(text, tmp_path)
        wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt", (tmp_path / "a.log").read_text(errors="replace"))
        assert all(float(w) < 60 for w in wide)


def test_digits_with_a_bound_are_no_fraction_and_one_is_no_coefficient():
    text = (
        "program p\nmatrix A\nvector v ~ N(0, 1)\nscalar c = 1/√2\ny := c v\nz := √2 y\noutput o := mean(z * tanh(z))\n"
    )
    assert " 1 Z" not in as_text(loads(text).derive())
    text = "program p\nvector v ~ N(0, 1/3)\noutput o := mean(v * tanh(v)) / 1e5\noutput q := mean(v^2)\n"
    latex = as_latex(with_numbers(loads(text).derive()))
    assert "10^{-5}\\," in latex and not re.search(r"(?<![\d.])1 \\cdot", latex)
    assert "\\tfrac{1}{3}" in latex and not re.search(r"tfrac\{\d+\}\{\d+\} \\pm", latex)

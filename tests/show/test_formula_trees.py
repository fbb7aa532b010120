"""Formulas as trees: three spellings of each, their widths, and where a row is cut."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import netsor
from netsor.api import load
from netsor.report.formulas import derivation_rows
from netsor.show.formula.latex import Latex
from netsor.show.formula.mathml import MathML
from netsor.show.formula.text import Text
from netsor.show.formula.tree import (
    Applied,
    Brackets,
    Branches,
    Builtin,
    Call,
    Compare,
    Covariance,
    Derivative,
    Fraction,
    Function,
    Indicator,
    Limit,
    Matrix,
    Mean,
    Name,
    Negated,
    Number,
    Over,
    Power,
    Product,
    Root,
    Row,
    Sign,
    Subscript,
    Sum,
    Tree,
    items_of,
)

A, B, H = Name("a"), Name("b"), Over("Z", Name("h"))
PROGRAMS = Path(netsor.__file__).parent.parent / "programs"


@pytest.mark.parametrize(
    ("tree", "text", "latex", "mathml"),
    [
        (H, "Z^h", "Z^{h}", "<msup><mi>Z</mi><mrow><mi>h</mi></mrow></msup>"),
        (Over("Ẑ", Applied(Name("W"), True, A)), "Ẑ^{Wᵀa}", "\\hat{Z}^{W^{\\top} a}", None),
        (Applied(Name("W1"), False, Name("dh")), "W1 dh", "W_{1}\\,dh", None),
        (Applied(Name("ξ[1]"), True, Name("ξ[2]"), tight=True), "ξ[1]ᵀξ[2]", "\\xi_{1}^{\\top} \\xi_{2}", None),
        (Limit(Name("χ")), "χ̊", "\\mathring{\\chi}", None),
        (Limit(Name("K_1")), "K_1°", "{K_{1}}^{\\circ}", None),
        (Subscript(Name("κ"), (Number(12),)), "κ₁₂", "\\kappa_{12}", None),
        (Number(-0.6), "−0.6", "-0.6", '<mo form="prefix">−</mo><mn>0.6</mn>'),
        (Number(1 / 3), "1/3", "\\tfrac{1}{3}", "<mfrac><mn>1</mn><mn>3</mn></mfrac>"),
        (Number(1e-7), "10⁻⁷", "10^{-7}", "<msup><mn>10</mn><mn>−7</mn></msup>"),
        (Number(2.5e20), "2.5·10²⁰", "2.5 \\cdot 10^{20}", None),
        (Sum((A, B), (True, True)), "−a − b", "-a - b", '<mo form="prefix">−</mo><mi>a</mi><mo>−</mo><mi>b</mi>'),
        (Product((A, H)), "a Z^h", "a\\, Z^{h}", None),
        (Fraction(A, B), "a / b", "\\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (Fraction(A, Product((A, B))), "a / (a b)", "\\frac{a}{a\\, b}", None),
        (Power(Brackets(H), Number(2)), "(Z^h)²", "(Z^{h})^{2}", None),
        (Power(A, Number(1.5, exact=False)), "a^1.5", "a^{1.5}", None),
        (Root(A), "√a", "\\sqrt{a}", "<msqrt><mi>a</mi></msqrt>"),
        (Mean(H), "E[Z^h]", "\\mathbb{E}[Z^{h}]", None),
        (Mean(Product((H, H)), whole=True), "E Z^h Z^h", "\\mathbb{E}\\, Z^{h}\\, Z^{h}", None),
        (Mean(Fraction(H, A)), "E[Z^h / a]", "\\mathbb{E}\\left[\\frac{Z^{h}}{a}\\right]", None),
        (Covariance(H, None), "Var Z^h", "\\operatorname{Var} Z^{h}", None),
        (Mean(Derivative(H, A), whole=True), "E ∂Z^h/∂a", "\\mathbb{E}\\, \\frac{\\partial Z^{h}}{\\partial a}", None),
        (Call(Function(Name("φ"), (("u", 1),)), (H,)), "φ'(Z^h)", "\\phi'(Z^{h})", None),
        (Call(Function(Name("ψ"), (("x", 2),), False), (A,), (B,)), "∂_x ∂_x ψ(a; b)", None, None),
        (Call(Builtin("exp"), (A,)), "exp(a)", "\\exp(a)", None),
        (Call(Builtin("abs"), (A,)), "abs(a)", "\\left|a\\right|", "<mrow><mo>|</mo><mi>a</mi><mo>|</mo></mrow>"),
        (Indicator(Compare(">=", H, Number(0))), "1{Z^h ≥ 0}", "\\mathbf{1}\\{Z^{h} \\ge 0\\}", None),
        (Branches(Compare("<", A, B), A, B), "(if a < b then a else b)", None, None),
        (Matrix((A, B, B, A), 2), "[[a, b], [b, a]]", "\\begin{pmatrix} a & b \\\\ b & a \\end{pmatrix}", None),
        (Matrix((A, B), 1, column=True), "[a, b]", "\\begin{pmatrix} a \\\\ b \\end{pmatrix}", None),
    ],
)  # fmt: skip
def test_three_spellings(tree: Tree, text: str, latex: str | None, mathml: str | None) -> None:
    assert Text()(tree) == text
    assert latex is None or Latex().text(tree) == latex
    ET.fromstring(MathML().math(tree))
    assert mathml is None or MathML()(tree) == mathml


def test_widths_are_those_of_what_is_printed() -> None:
    wide = Sum((A, B), (False, False))
    assert Latex()(Call(Function(Name("relu")), (H,))).width == pytest.approx(7.68)
    assert Latex()(Fraction(wide, A)).width == pytest.approx(Latex()(wide).width)
    matrix = Matrix((A, B, Name("abc"), Name("d")), 2)
    assert Latex()(matrix).width == pytest.approx(len("abc&d"))


def test_long_rows_are_cut_at_terms_then_at_factors_and_never_inside_brackets() -> None:
    long = [Mean(Sum((Call(Name("f"), (x,)), Call(Name("g"), (x,))), (False, False))) for x in (A, B)]
    row = Row((Sign("="), Sum((A, Product((B, *long)), Name("c")), (False, False, True))))
    latex = Latex()
    rows = [latex.line(r).text for r in latex.broken(items_of(row), 16)]
    assert rows == ["= a", "+ b\\, \\mathbb{E}[f(a) + g(a)]", "\\mathbb{E}[f(b) + g(b)]", "- c"]
    whole = items_of(Call(Name("f"), (Sum((A, B, A, B), (False,) * 4),)))
    assert latex.broken(whole, 3) == [whole]


def test_a_minus_before_a_product_stands_close() -> None:
    assert Latex().text(Negated(Product((A, B)))) == "-a\\, b"
    assert Text()(Negated(Product((A, B)))) == "−a b"


def test_a_deep_formula_has_no_stack() -> None:
    tree: Tree = A
    for _ in range(20_000):
        tree = Brackets(tree)
    assert Text()(tree).count("(") == 20_000 and Latex()(tree).width == 40_001


@pytest.mark.parametrize(
    "path", [p for p in sorted(PROGRAMS.glob("*.netsor")) if p.stem in ("algorithm1", "sgd_two_hidden", "layernorm")]
)
def test_derivations_are_well_formed_in_browsers(path: Path) -> None:
    rows = derivation_rows(load(path).derive())
    page = ET.fromstring(f"<div>{rows}</div>")
    parts = [e for e in page.iter() if e.tag.rpartition("}")[2] in ("msup", "msub", "mfrac", "mover")]
    assert len(parts) > 100 and all(len(e) == 2 for e in parts)

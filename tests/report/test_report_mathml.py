"""LaTeX of derivations as MathML."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netsor.api import load
from netsor.report import formulas
from netsor.report.mathml import UnknownLatex, mathml

PROGRAMS = sorted((Path(__file__).parents[2] / "programs").glob("*.netsor"))


def body(latex: str) -> str:
    text = mathml(latex)
    ET.fromstring(text)
    return text[text.index("<mrow>") + 6 : text.rindex("</mrow>")]


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("Z^{v}", "<msup><mi>Z</mi><mrow><mi>v</mi></mrow></msup>"),
        ("dh", "<mrow><mi>d</mi><mi>h</mi></mrow>"),
        ("W z", "<mi>W</mi><mi>z</mi>"),
        ("\\phi'", "<msup><mi>φ</mi><mo>′</mo></msup>"),
        ("\\frac{1}{2}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"),
        ("\\mathbb{E}", "<mi>𝔼</mi>"),
        ("= -x", '<mo>=</mo><mo form="prefix">−</mo><mi>x</mi>'),
        ("x - y", "<mi>x</mi><mo>−</mo><mi>y</mi>"),
        ("\\text{if } x", "<mtext>if\u00a0</mtext><mi>x</mi>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)
def test_translations(latex: str, expected: str) -> None:
    assert body(latex) == expected


def test_accents_stand_over_their_letter() -> None:
    assert body("\\hat{Z}").startswith('<mover accent="true"><mrow><mi>Z</mi></mrow>')


def test_matrices_have_rows_and_cells() -> None:
    text = body("\\begin{pmatrix} 1 & 0.5 \\\\ 0.5 & 1 \\end{pmatrix}")
    assert text.count("<mtr>") == 2 and text.count("<mtd>") == 4


@pytest.mark.parametrize("latex", ["\\unheard{x}", "{x", "x^", "\\frac{1}"])
def test_what_is_not_known_is_said(latex: str) -> None:
    with pytest.raises(UnknownLatex):
        mathml(latex)


@pytest.mark.parametrize(
    "path", [p for p in PROGRAMS if p.stem in ("algorithm1", "sgd_two_hidden", "layernorm", "gru")]
)
def test_derivations_are_translated_throughout(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsor.show.derivation import derive

    failed: list[str] = []

    def strict(latex: str, block: bool = False) -> str:
        try:
            text = mathml(latex, block)
            ET.fromstring(text)
        except UnknownLatex:
            failed.append(latex)
            raise
        return text

    monkeypatch.setattr(formulas, "mathml", strict)
    assert "<math" in formulas.derivation_rows(derive(load(path).program))
    assert failed == []

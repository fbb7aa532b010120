"""Two names of a program are two names in LaTeX and in MathML, however alike their usual forms are."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsor.api import loads
from netsor.report.formulas import derivation_rows
from netsor.show.derivation import as_latex, as_markdown, derive
from netsor.show.formula.latex import Latex, latex_name
from netsor.show.formula.mathml import MathML
from netsor.show.formula.names import Names
from netsor.show.formula.tree import Name
from netsor.syntax.names import is_name, normalise

PROGRAM = """program case
vector h_1 ~ N(0, 1)
vector h[1..1] ~ N(0, 1)
output a := mean(h_1^2 * h[1]^2)
"""


def spelled(*names: str) -> Callable[[str], str]:
    latex = Latex(Names(names))
    return lambda name: latex.name(name).text


def test_the_member_of_a_family_keeps_its_index() -> None:
    names = spelled("h_1", "h1", "h[1]", "h[2]")
    assert [names(x) for x in ("h[1]", "h[2]", "h_1", "h1")] == ["h_{1}", "h_{2}", "\\mathtt{h\\_1}", "\\mathtt{h1}"]
    # What is alone looks as ever, and a name that nobody announced is told apart too.
    assert spelled("h_1")("h_1") == latex_name("h_1") and names("h__1") == "\\mathtt{h\\_\\_1}"
    assert spelled("n_")("n_") == "\\mathtt{n\\_}"


def test_a_greek_capital_is_not_the_latin_letter_that_it_looks_like() -> None:
    names = spelled("A", "Α", "Α[1]", "A[1]")
    found = [re.sub(r"\\math(it|rm)|[{} ]", "", names(x)) for x in ("A", "Α", "Α[1]", "A[1]")]
    assert len(set(found)) == 4


@given(
    st.lists(
        st.tuples(st.text("hHnaAΑασ_12̃", min_size=1, max_size=4), st.sampled_from(["", "[1]", "[2]", "[1,2]", "[12]"])),
        min_size=2,
        max_size=8,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_two_names_are_one(parts: list[tuple[str, str]]) -> None:
    given = list(dict.fromkeys(normalise(stem) + index for stem, index in parts if is_name(stem)))
    names = Names(given)
    found = [Latex(names).name(x).text for x in given]
    plain = [re.sub(r"\\math(it|rm)|[{} ]", "", x) for x in found]
    assert len(set(plain)) == len(given)
    assert len({MathML(names)(Name(x)) for x in given}) == len(given)
    assert all(x.isascii() and x.count("{") == x.count("}") for x in found)


@pytest.mark.parametrize("printed", [as_latex, as_markdown, derivation_rows])
def test_a_derivation_names_two_vectors(printed) -> None:  # type: ignore[no-untyped-def]
    text = printed(derive(loads(PROGRAM).program))
    # In the order of the program: the law of h_1 comes first.
    first, second = ("<mi mathvariant=\"monospace\">h_1</mi>", "<mn>1</mn>") if printed is derivation_rows else (
        "Z^{\\mathtt{h\\_1}}", "Z^{h_{1}}"
    )  # fmt: skip
    assert 0 <= text.index(first) < text.index(second)


def test_coefficients_and_definitions_have_letters_of_their_own() -> None:
    text = (
        "matrix A\nvector v ~ N(0, 1)\nscalar a1 = 2\ny := A v\nφ_1(u) = tanh(u)\nφ1(u) = sin(u)\n"
        "z := Aᵀ (φ_1(y) * a1)\noutput o := mean(z * φ1(v))\n"
    )
    latex = as_latex(derive(loads(text).program))
    assert "\\phi_{1}(u)" in latex and "\\phi\\mathtt{1}(u)" in latex
    scalar = re.search(r"& (\S+) \\to .*= 2 ", latex)
    assert scalar is not None and scalar.group(1) == "a_{1}"
    # The coefficient of Ż is another letter than the scalar's.
    assert "b_{1}\\, Z^{v}" in latex and "a_{1}\\, Z^{v}" not in latex

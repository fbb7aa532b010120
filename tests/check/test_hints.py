"""Hints that are edits: the line with the edit in the place of what is underlined is accepted."""

import re

import pytest
from language import END, HEAD, check, codes

DATA = "data X : (1, 2) = [[1, 2]]\nmatrix U : (n, 2)\n"
NET = "network a(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := tanh(U ξ)\n"


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        (f"{HEAD}z := x W\n{END}", "W x"),
        (f"{HEAD}z := (x + y) W\n{END}", "W (x + y)"),
        (f"{DATA}h := X[1] U\noutput mean(h^2)\n", "U X[1]"),
        (f"{NET}output f := vᵀ x / n\n", "output f := vᵀ x / √n"),
        (f"{NET}output f := ⟨v, x⟩\n", "output f := ⟨v, x⟩ / √n"),
    ],
)
def test_edits_are_accepted(text: str, edit: str) -> None:
    (d,) = check(text).diagnostics
    assert d.hint == f"write `{edit}`"
    line = text.splitlines()[d.span.line - 1]
    mended = edit if edit.startswith("output") else line.replace(d.span.text, edit)
    assert codes(text.replace(line, mended)) == []


def test_a_readout_whose_terms_cancel_is_told_so() -> None:
    (d,) = check(f"{NET}output f := vᵀ x/√n + -1 * vᵀ x/√n\n").diagnostics
    assert d.code == "E601" and "cancel" in d.message and "no readout" not in d.message


def test_a_small_t_is_no_transpose() -> None:
    (d,) = check(f"{HEAD}z := W^t x\n{END}").diagnostics
    assert (d.code, d.hint) == ("E201", "write `W^T`")
    (d,) = check(f"{HEAD}z := x^s\n{END}").diagnostics
    assert d.code == "E201" and "declare" in d.hint


def test_what_is_no_family_is_told_by_its_kind() -> None:
    for text, declared in (
        (f"{HEAD}z := W[1] x\n{END}", "`matrix W[1..3]`"),
        (f"{HEAD}z := x[1]\n{END}", "`vector x[1..3] ~ N(0, 1)`"),
        (f"{NET}y := U ξ[1]\noutput f := vᵀ x / √n\n", "in the header, as in `ξ[1..3] : 2`"),
    ):
        (d,) = check(text).diagnostics
        assert d.code == "E317" and declared in d.hint


@pytest.mark.parametrize(
    "line",
    [
        "for i in 1..1e22:\n    z[i] := x",
        "for i in 1..2:\n    for j in 1..1e22:\n        z[i, j] := x",
        "vector g[1..1e22] ~ N(0, 1)",
        "output sum(i in 1..1e22: mean(x))",
        "output sum(i in 1..1e300: mean(x))",
    ],
)
def test_ranges_beyond_all_counting(line: str) -> None:
    (d,) = check(f"{HEAD}{line}\n{END}").diagnostics
    assert d.code == "E411" and re.search(r"would have 1e\+\d+ members", d.message)

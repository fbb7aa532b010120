"""Canonical text: idempotent, the same program, and no comment lost."""

import pytest
from hypothesis import given, settings
from syntax_programs import FRAGMENTS, programs

from netsor.diagnostics import NetsorError, Source
from netsor.syntax import ast, parse
from netsor.syntax.format import format_source


def tree(text: str) -> ast.File:
    return parse(Source("t", text))


def comments(text: str) -> list[str]:
    return [c.text for c in tree(text).comments]


def check(text: str) -> str:
    formatted = format_source(text)
    assert tree(formatted) == tree(text)
    assert comments(formatted) == comments(text)
    assert format_source(formatted) == formatted
    assert "\n\n\n" not in formatted and formatted.endswith("\n") and not formatted.startswith("\n")
    return formatted


@pytest.mark.parametrize("text", FRAGMENTS)
def test_fragments(text: str) -> None:
    check(text)


def test_algorithm1_is_canonical() -> None:
    assert format_source(FRAGMENTS[0]) == FRAGMENTS[0]


@given(programs())
@settings(max_examples=150, deadline=None)
def test_random_programs(text: str) -> None:
    check(text)


CASES = [
    ("x:=a+b*c", "x := a + b * c"),
    ("x := a·b ⊙ c", "x := a * b ⊙ c"),
    ("x := W^T  δ", "x := Wᵀ δ"),
    ("x := W^T  y", "x := W^T y"),
    ("x := <a,b>/n", "x := <a, b> / n"),
    ("x := <α,b>/n", "x := ⟨α, b⟩ / n"),
    ("x := φ′(u)−1", "x := φ'(u) - 1"),
    ("x := 1 / √n+2/n", "x := 1/√n + 2/n"),
    ("x := (a-1)^2/2", "x := (a - 1)^2 / 2"),
    ("x := aᵀ b/n", "x := aᵀ b / n"),
    ("x := s[t - 1]+c[i,j + 1]", "x := s[t-1] + c[i, j+1]"),
    ("x := f( a ,b;c )", "x := f(a, b; c)"),
    ("x := W (a+b)", "x := W (a + b)"),
    ("x := W(a+b)", "x := W(a + b)"),
    ("x := if a≤b then- 1 else c", "x := if a <= b then -1 else c"),
    ("x := sum( t in 1 .. T - 1:y[ t ] )", "x := sum(t in 1..T-1: y[t])"),
    ("x := h₁ + ϕ(u²)", "x := h₁ + ϕ(u²)"),
    ("NONLIN⁺ : x := a", "NONLIN+: x := a"),
    ("network f( ξ[1 .. T]:d )", "network f(ξ[1..T] : d)"),
    ("matrix U:(n,3)~N(0,1 / 3)", "matrix U : (n, 3) ~ N(0, 1/3)"),
    ("φ (u)=2u", "φ(u) = 2 u"),
    ("x := sqrt n y", "x := sqrt n y"),
    ("x := sqrt ν y", "x := √ν y"),
    ("x := [ [1,2],[ 3 ] , ]", "x := [[1, 2], [3]]"),
]


@pytest.mark.parametrize(("text", "canonical"), CASES)
def test_spacing_and_spelling(text: str, canonical: str) -> None:
    assert check(text) == canonical + "\n"


def test_comments_keep_their_block() -> None:
    text = "for t in 1..2:  \n # first\n x[t] := a # trailing\n # last\n# after\ny := b\n"
    formatted = "for t in 1..2:\n    # first\n    x[t] := a  # trailing\n    # last\n# after\ny := b\n"
    assert check(text) == formatted


def test_comments_within_brackets_move_above() -> None:
    assert check("x := f(a, # one\n  b) # two\n") == "# one\nx := f(a, b)  # two\n"


def test_labels_and_trailing_comments_are_aligned() -> None:
    text = "MATMUL: h := W x # a\nNONLIN+: y := c h # b\n\nMOMENT: z := mean(y)\n"
    assert check(text) == "MATMUL:  h := W x  # a\nNONLIN+: y := c h  # b\n\nMOMENT: z := mean(y)\n"


def test_long_lines_break_within_brackets() -> None:
    rows = ", ".join(["[0.125, 0.25, 0.5]"] * 12)
    formatted = check(f"data X : (12, 3) = [{rows}]\n")
    assert max(map(len, formatted.splitlines())) <= 100
    assert all(line.lstrip().startswith(("data", "[")) for line in formatted.splitlines())


def test_line_ends_and_byte_order_mark() -> None:
    assert format_source("\ufefffor t in 1..2:\r\n  x[t] := y\r\n") == "for t in 1..2:\n    x[t] := y\n"


def test_faulty_text_is_refused() -> None:
    with pytest.raises(NetsorError):
        format_source("x = y\n")

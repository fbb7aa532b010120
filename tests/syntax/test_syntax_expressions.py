"""Precedence, spellings, names and numbers; a tree's text parses back to the tree."""

import pytest
from hypothesis import given, settings
from syntax_trees import expressions
from unparse import unparse

from netsor.diagnostics import NetsorError, Source
from netsor.syntax import ast, parse_expression


def tree(text: str) -> ast.Expr:
    return parse_expression(Source("t", text))


SAME = [
    # unary minus is looser than powers and juxtaposition, tighter than products
    ("-u^2", "-(u^2)"),
    ("-W x", "-(W x)"),
    ("-a * b", "(-a) * b"),
    ("a - -b", "a - (-b)"),
    ("a * -b", "a * (-b)"),
    ("-χ θ dh", "-((χ) ((θ) (dh)))"),
    # juxtaposition and @ fold from the right, tighter than * and /
    ("2 Wᵀ W x", "2 ((Wᵀ) (W) x)"),
    ("W @ V @ x", "W @ (V @ x)"),
    ("c W @ x", "(c) (W @ x)"),
    ("W x - W y", "(W x) - (W y)"),
    ("xᵀ y / n", "(xᵀ y) / n"),
    ("h dgᵀ v / n", "((h) ((dgᵀ) (v))) / n"),
    ("θ xᵀ y / n", "((θ) ((xᵀ) (y))) / n"),
    ("xᵀ W y / n", "((xᵀ) (W y)) / n"),
    ("2 x * y", "(2 x) * y"),
    # powers fold from the right, a root is tighter
    ("a^b^c", "a^(b^c)"),
    ("√a^b", "(√a)^b"),
    ("a^-b^c", "a^(-(b^c))"),
    ("√2 x", "(√2) x"),
    ("√n (a)", "(√n) (a)"),
    # products and sums from the left
    ("a / b * c", "(a / b) * c"),
    ("a / b / c", "(a / b) / c"),
    ("a - b + c", "(a - b) + c"),
    ("a + b * c", "a + (b * c)"),
    # postfix
    ("W[1]ᵀ x", "(W[1])ᵀ x"),
    ("φ'(h) ⊙ v", "(φ'(h)) * v"),
    ("x^Tᵀ", "(x^T)ᵀ"),
    ("X[i][k]", "X[i, k]"),
    # a conditional takes all that follows
    ("if a < b then c else d + e", "if a < b then c else (d + e)"),
    ("if a < b or c < d and e < f then 1 else 2", "if a < b or (c < d and e < f) then 1 else 2"),
    ("if not a < b and c < d then 1 else 2", "if (not a < b) and c < d then 1 else 2"),
    # one meaning, several spellings
    ("a ⊙ b", "a * b"),
    ("a · b", "a * b"),
    ("a ⋅ b", "a * b"),
    ("a − b", "a - b"),
    ("Wᵀ x", "W^T x"),
    ("W⊤ x", "W ^ T x"),
    ("⟨x, y⟩", "<x, y>"),
    ("φ′(u)", "φ'(u)"),
    ("φ″(u)", "φ''(u)"),
    ("φ′′(u)", "φ''(u)"),
    ("x²", "x^2"),
    ("x¹²", "x^12"),
    ("x⁻¹", "x^-1"),
    ("√n", "sqrt n"),
    ("Σ(t in 1..T: x[t])", "sum(t in 1..T: x[t])"),
    ("∑(t in 1..T: x[t])", "sum(t in 1..T: x[t])"),
    ("if a ≥ b then 1 else 2", "if a >= b then 1 else 2"),
    ("if a ≤ b then 1 else 2", "if a <= b then 1 else 2"),
    ("if a ≠ b then 1 else 2", "if a != b then 1 else 2"),
    ("h₁", "h1"),
    ("ϕ(u)", "φ(u)"),
    ("ϵ", "ε"),
    ("µ", "μ"),
    ("ñ", "n\u0303"),
    # numbers end where they end
    ("1e-5x", "1e-5 x"),
    ("2x", "2 x"),
    ("2(x + y)", "2 (x + y)"),
    ("(a)(b)", "(a) (b)"),
    ("sum(t in 1..T: t)", "sum(t in (1)..(T): t)"),
    # brackets may stand apart from the name, and over several lines
    ("f (x)", "f(x)"),
    ("W (x + y)", "W(x + y)"),
    ("f(x,\n   y)", "f(x, y)"),
    ("f(x, # first\n   y)", "f(x, y)"),
    ("[1, 2,]", "[1, 2]"),
]


@pytest.mark.parametrize(("text", "explicit"), SAME)
def test_same_tree(text: str, explicit: str) -> None:
    assert tree(text) == tree(explicit)


DIFFERENT = [
    ("x^T", "x^(T)"),
    ("ℓ", "l"),
    ("√n (x)", "n(x)"),
    ("n (x)", "m (x)"),
    ("f(x)", "f (x) y"),
    ("W y + W z", "W (y + z)"),
    ("x^T_1", "x^T"),
    ("sqrt(x)", "√x"),
]


@pytest.mark.parametrize(("text", "other"), DIFFERENT)
def test_different_trees(text: str, other: str) -> None:
    assert tree(text) != tree(other)


def test_power_within_juxtaposition() -> None:
    found = tree("W x^2")
    assert isinstance(found, ast.Juxtapose) and isinstance(found.right, ast.Binary)


def test_application_is_left_to_the_checker() -> None:
    for text in ("f(x)", "f[1](x)", "f'(x)", "Wᵀ(x)", "ψ''[x, y](x, y; θ)"):
        assert isinstance(tree(text), ast.Apply), text
    for text in ("n (x)", "pi (x)", "2 (x)", "√n (x)", "f(x) (y)", "(f)(x)", "x² (y)"):
        assert isinstance(tree(text), ast.Juxtapose), text


def test_partial_derivatives_name_their_parameters() -> None:
    found = tree("ψ''[x, y](a, b; c)")
    assert isinstance(found, ast.Apply) and isinstance(found.callee, ast.Derivative)
    assert [p.name for p in found.callee.by] == ["x", "y"] and found.callee.order == 2
    assert len(found.args) == 2 and len(found.scalars) == 1


@pytest.mark.parametrize("name", ["h̃", "θ̊", "δh̃₁", "_x", "x_1", "ℓ", "Δf̃", "𝒩", "ᾱ", "x̂₁₂"])
def test_names(name: str) -> None:
    found = tree(name)
    assert isinstance(found, ast.Name) and found.span.text == name


@pytest.mark.parametrize("text", ["1", "0.5", "1e-5", "2E10", "12345678901234567890", "1.5e+300"])
def test_numbers_keep_their_text(text: str) -> None:
    found = tree(text)
    assert (
        isinstance(found, ast.Number)
        and found.value == (int(text) if text.isdigit() else float(text))
        and found.text == text
    )
    assert isinstance(found.value, int) == text.isdigit()


def test_spans_cover_the_text_with_its_brackets() -> None:
    text = "(a + b) * f(x)ᵀ - ⟨u, v⟩ / √n"
    found = tree(text)
    assert found.span.text == text
    seen = {n.span.text for n in ast.walk(found)}
    assert {"(a + b)", "f(x)ᵀ", "⟨u, v⟩ / √n", "√n", "a"} <= seen


@given(expressions())
@settings(max_examples=400, deadline=None)
def test_unparse_then_parse_is_the_identity(expr: ast.Expr) -> None:
    assert tree(unparse(expr)) == expr


@given(expressions())
@settings(max_examples=100, deadline=None)
def test_spans_are_nested(expr: ast.Expr) -> None:
    for node in ast.walk(tree(unparse(expr))):
        for child in ast.children(node):
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end


@pytest.mark.parametrize("text", ["", "   ", "# only", "x\ny", "x := y", "a / b c", "√f(x)", "a <b, c>", "(", "x)"])
def test_faulty_expressions_raise(text: str) -> None:
    with pytest.raises(NetsorError):
        tree(text)

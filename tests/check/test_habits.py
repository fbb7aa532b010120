"""Programs as newcomers type them, in the habits of other languages: one fault each, and its edit is accepted."""

import random
import re
from collections.abc import Iterator

import pytest

from netsor.check import check_source
from netsor.diagnostics import Diagnostic, Source, apply_edits
from netsor.diagnostics.catalogue import lookup
from netsor.diagnostics.render import render

HEAD = "matrix W\nvector g ~ N(0, 1)\nvector v ~ N(0, 1)\n"
X = "\noutput m := mean(x)\n"

# What is typed below HEAD, a piece of the headline, and the line as the edit leaves it.
LINES = [
    # numpy and PyTorch
    ("x := np.tanh(g)", "there are no modules", "x := tanh(g)"),
    ("x := torch.relu(g)", "there are no modules", "x := relu(g)"),
    ("x := F.relu(W(g))", "there are no modules", "x := relu(W(g))"),
    ("x := np.maximum(g, 0)", "there are no modules", "x := max(g, 0)"),
    ("x := W.dot(g)", "a product with a matrix is `W x`", "x := W (g)"),
    ("x := np.matmul(W, g + v)", "a product with a matrix is `W x`", "x := W (g + v)"),
    ("x := W.T @ g", "a transpose is written", "x := Wᵀ @ g"),
    ("x := W.t() @ g", "a transpose is written", "x := Wᵀ @ g"),
    ("x := g.relu()", "calls a method", "x := relu(g)"),
    ("x := (W g).tanh()", "calls a method", "x := tanh(W g)"),
    ("x := g - g.mean(axis=0)", "calls a method", "x := g - mean(g)"),
    ("x := g - g.mean(-1)", "calls a method", "x := g - mean(g)"),
    ("x := g.leaky_relu(0.2)", "calls a method", "x := leaky_relu(g, 0.2)"),
    ("x := (W g).leaky_relu(2)", "calls a method", "x := leaky_relu(W g, 2)"),
    ("x := mean(g, axis=0)", "a vector has one axis", "x := mean(g)"),
    ("x = np.sqrt(2) * np.cos(W.T @ g)**2", "there are no modules", "x := sqrt(2) * cos(Wᵀ @ g)^2"),
    ("x := where(g > 0, g, 0)", "written in words", "x := (if g > 0 then g else 0)"),
    ("x := np.dot(g, v) / n", "an inner product is `⟨x, y⟩`", "x := ⟨g, v⟩ / n"),
    ("x := dot(g, v) / n", "an inner product has brackets of its own", "x := ⟨g, v⟩ / n"),
    ("x := norm(W g)^2 / n", "there is no norm", "x := mean((W g)^2)"),
    ("x := sum(g) / n", "a sum over coordinates grows as n", "x := mean(g)"),
    ("x := std(g)", "a variance over coordinates", "x := √(mean((g - mean(g))^2))"),
    ("x := g + zeros(n)", "is the number 0", "x := g + 0"),
    ("x := ReLU(g)", "`ReLU` is not defined", "x := relu(g)"),
    ("x := GELU(g)", "`GELU` is not defined", "x := gelu(g)"),
    ("x := tahn(g)", "`tahn` is not defined", "x := tanh(g)"),
    ("x := ln(g^2 + 1)", "`ln` is called `log` here", "x := log(g^2 + 1)"),
    ("x := arctan(g)", "`arctan` is called `atan` here", "x := atan(g)"),
    ("x := log10(g^2 + 1)", "natural logarithm", "x := (log(g^2 + 1) / log(10))"),
    ("x := pow(g, 3)", "a power is written with `^`", "x := g^3"),
    ("x := softmax(g)", "a softmax over coordinates", "x := (exp(g) / mean(exp(g)))"),
    ("x := tanh[g]", "applied with round brackets", "x := tanh(g)"),
    ("x := mean[g^2]", "applied with round brackets", "x := mean(g^2)"),
    ("x := Wg", "`Wg` is not defined", "x := W g"),
    # LaTeX and paper
    (r"x := \tanh(g)", "is LaTeX", "x := tanh(g)"),
    (r"x := \frac{1}{2} g", "is LaTeX", "x := (1/2) g"),
    (r"x := \frac{g + v}{\sqrt{2}}", "is LaTeX", "x := ((g + v)/√(2))"),
    (r"x := W^{T} g", "is LaTeX", "x := Wᵀ g"),
    (r"x := W^\top g", "is LaTeX", "x := Wᵀ g"),
    (r"x := \langle g, v \rangle / n", "is LaTeX", "x := ⟨ g, v ⟩ / n"),
    (r"x := g \odot v", "is LaTeX", "x := g ⊙ v"),
    (r"x := g^{2}", "exponent as in LaTeX", "x := g^2"),
    ("x := {g + 1}", "curly brackets", "x := (g + 1)"),
    ("x := |g - 1| + |v|", "an absolute value is `abs(…)`", "x := abs(g - 1) + abs(v)"),
    ("x := ||W g||^2 / n", "its square is an inner product", "x := ⟨W g, W g⟩ / n"),
    ("x := ‖g‖² / n", "its square is an inner product", "x := ⟨g, g⟩ / n"),
    ("x := E[g^2]", "an expectation is written as the mean", "x := mean(g^2)"),
    ("x := 𝔼(g v)", "an expectation is written as the mean", None),
    ("x := e^g", "Euler's number has no name", "x := exp(g)"),
    ("x := ∑ g / n", "divided by n, is a mean", "x := mean(g)"),
    ("x := ½ g", "a fraction is typed with `/`", "x := (1/2) g"),
    ("x := Wᵗ g", "is a letter of the name, not a transpose", "x := Wᵀ g"),
    ("x := <g | v>/n", "are apart by a comma", "x := ⟨g, v⟩/n"),
    ("x := ⟨g|v⟩/n", "are apart by a comma", "x := ⟨g, v⟩/n"),
    ("x := g'v / n", "a prime differentiates a function", "x := gᵀv / n"),
    ("x := W' g", "a prime differentiates a function", "x := Wᵀ g"),
    ("x := “g”", "names stand without quotes", "x := g"),
    # Python, C and the like
    ("x := g if g > 0 else 0", "the condition comes first", "x := if g > 0 then g else 0"),
    ("x := 2 * (g if g > 0 else 0)", "the condition comes first", "x := 2 * (if g > 0 then g else 0)"),
    ("x := g > 0 ? g : 0", "written in words", "x := if g > 0 then g else 0"),
    ("x := if g > 0 && v > 0 then g else 0", "`and` joins two conditions", "x := if g > 0 and v > 0 then g else 0"),
    ("x := if g > 0 || v > 0 then g else 0", "`or` joins two conditions", "x := if g > 0 or v > 0 then g else 0"),
    ("x := g ** 2", "a power is written with `^`", "x := g ^ 2"),
    ("x := g + 3!", "a factorial", "x := g + 6"),
    ("x <- tanh(g)", "a line is given its value with `:=`", "x := tanh(g)"),
    ("x : = tanh(g)", "a line is given its value with `:=`", "x := tanh(g)"),
    ("x ;= tanh(g)", "a line is given its value with `:=`", "x := tanh(g)"),
    ("let x = tanh(g)", "a line begins with the name itself", "x := tanh(g)"),
    # One wrong character
    ("x := tanh(g", "`(` is not closed", "x := tanh(g)"),
    ("x := tanh(W (g + v)", "`(` is not closed", "x := tanh(W (g + v))"),
    ("x := tanh(g))", "`)` closes nothing", "x := tanh(g)"),
    ("x := ⟨g, v) / n", "is closed by `)`", "x := ⟨g, v⟩ / n"),
    ("x ≔ W g", "has no meaning here", "x := W g"),
    ("x := g – 1", "has no meaning here", "x := g - 1"),
    ("x := g × v", "has no meaning here", "x := g * v"),
    ("x := \u200btanh(g)", "zero width space", "x := tanh(g)"),
    ("x := max(g， v)", "fullwidth comma", "x := max(g, v)"),
    ("x := 1_0 g", "is not a number", "x := 10 g"),
    ("x := tanh(g) // the activation", "a comment begins with `#`", "x := tanh(g)  # the activation"),
    ("x := tanh(g) % the activation", "a comment begins with `#`", "x := tanh(g)  # the activation"),
    ("x := tanh(g) -- the activation", "a comment begins with `#`", "x := tanh(g) # the activation"),
    ("x := tanh(g) -- g is known", "a comment begins with `#`", "x := tanh(g) # g is known"),
    ("x := tanh(g) //activation", "a comment begins with `#`", "x := tanh(g)  # activation"),
    ("x := tanh(g) % note: it is bounded", "a comment begins with `#`", "x := tanh(g)  # note: it is bounded"),
    ("x := tanh(g) /* the activation */", "a comment begins with `#`", "x := tanh(g)  # the activation"),
    ("x := g.clamp_min(0)", "calls a method", "x := max(g, 0)"),
    ("x := torch.clamp_max(g, 1)", "known by their places", "x := min(g, 1)"),
    ("x := g.clamp(min=0)", "calls a method", "x := max(g, 0)"),
    ("x := tanh(W g).clamp(-1, max=0.5)", "calls a method", "x := clip(tanh(W g), -1, 0.5)"),
    ("x := torch.clamp(g, max=1/2)", "known by their places", "x := min(g, 1/2)"),
    ("x := np.clip(g, a_min=None, a_max=3)", "known by their places", "x := min(g, 3)"),
    ("x := clip(g, min=0, max=6)", "known by their places", "x := clip(g, 0, 6)"),
]
# Whole programs, and pieces of the headlines of their faults, one for each.
WHOLE = [
    ("W = np.random.randn(n, n) / np.sqrt(n)\nvector v ~ N(0, 1)\nx := W v" + X, ["declared by its law"]),
    ("vector v = N(0, 1)\nx := v" + X, ["a law stands behind `~`"]),
    ("vector v ∈ N(0, 1)\nx := v" + X, ["a law stands behind `~`"]),
    ("matrix W ∈ ℝ^(n×n)\nvector v ~ N(0, 1)\nx := W v" + X, ["no space is named"]),
    ("vector v: n ~ N(0, 1)\nx := v" + X, ["a vector has n coordinates, and no other shape"]),
    ("vector v ~ N(0 1)\nx := v" + X, ["a law is `N(mean, variance)`"]),
    ("vector v ~ N(0; 1)\nx := v" + X, ["a law is `N(mean, variance)`"]),
    ("vector g \\sim \\mathcal{N}(0, 1)\nx := g" + X, ["is LaTeX"]),
    ("vector v, w ~ N(0, I)\nx := v * w" + X, ["an identity matrix has no name here"]),
    ("vector v ~ N(μ=0, σ=1)\nx := v" + X, ["known by their places"]),
    ("vector v ~ N(0)\nx := v" + X, ["a law is `N(mean, variance)`"]),
    ("vector v, w ~ N(0, [1, 0.5; 0.5, 1])\nx := v * w" + X, ["the rows of a matrix are lists"]),
    ("param L : 3\nvector x ~ N(0, L)" + X, ["a constant is given its value with `=`"]),
    ("program my-net\nvector x ~ N(0, 1)" + X, ["a name has no hyphen"]),
    (HEAD + "f(u) = return tanh(u)\nx := f(g)" + X, ["without `return`"]),
    (HEAD + "return mean(g)\n", ["`return` stands at the end of a `def`"]),
    ("matrx W\nvector v ~ N(0, 1)\nx := W v" + X, ["`matrx` begins no statement"]),
    ("Vector v ~ N(0, 1)\nx := v" + X, ["`Vector` begins no statement"]),
    (HEAD + "x := g\nOutput m := mean(x)\n", ["`Output` begins no statement"]),
    (HEAD + "print(mean(g))\n", ["what a program tells is an `output`"]),
    ("import torch\n" + HEAD + "x := g" + X, ["nothing is imported"]),
    (HEAD + "with no_grad():\n    x := W g" + X, ["begins no block"]),
    (HEAD + "φ := tanh\nx := φ(g)" + X, ["a function is defined by its value at a variable"]),
    (HEAD + "φ := lambda u: u^2\nx := φ(g)" + X, ["a function is defined by its value at a variable"]),
    (HEAD + "function φ(u) = tanh(u)\nx := φ(g)" + X, ["a function needs no keyword"]),
    ("data E = [1, 2]\nvector g ~ N(0, 1)\nx := E[2] g" + X, ["data needs a shape"]),
    (
        "data E = [[1, 2, 3], [3, 4, 5]]\nmatrix U : (n, 3) ~ N(0, 1)\nx := U E[2]" + X,
        ["data needs a shape"],
    ),
    ("matrix Ｗ\nvector v ~ N(0, 1)\nx := W v" + X, ["another name only looks like it"]),
    # The first letter of the second х is Cyrillic.
    (HEAD + "\u0445 := W v\noutput m := mean(x)\n", ["another name only looks like it"]),
    (HEAD + "x := t\u0430nh(g)" + X, ["another name only looks like it"]),
]
_BODY = "matrix U : (n, 3)\nvector v ~ N(0, 1)\nx := tanh(U ξ)\n"
_DATA = "data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\nmatrix U : (n, 3)\n"
WHOLE += [
    *(
        (f"network f(ξ {space})\n{_BODY}output f := vᵀ x / √n\n", ["with its dimension behind a colon"])
        for space in ("in 3", "∈ 3", "∈ ℝ^3", "in R^3")
    ),
    (f"network f(ξ \\in \\mathbb{{R}}^{{3}})\n{_BODY}output f := vᵀ x / √n\n", ["is LaTeX"]),
    (f"network f(ξ : 3)\n{_BODY}f := vᵀ x / √n\noutput f\n", ["no limit of `vᵀ x / √n` can be told"]),
    (f"network f(ξ : 3)\n{_BODY}f := vᵀ x / √n\n\ntrain U\noutput f\n", ["no limit of `vᵀ x / √n` can be told"]),
    (f"{_DATA}x := U X[0]" + X, ["`X` has no row 0"]),
    (f"{_DATA}x := X[2,4] U X[1]" + X, ["`X` has no entry 4"]),
    (f"{_DATA}x := U X[-1]" + X, ["`X` has no row -1"]),
]
LOOPS = [
    ("for t in 1..3", "ends with a colon"),
    ("for t in range(3)", "a loop runs over a range"),
    ("for t in range(1, 3):", "a loop runs over a range"),
    ("for t = 1..3:", "a loop is `for t in 1..T:`"),
    ("for t in 1:3:", "a loop runs over a range"),
    ("for t in 1 to 3", "a loop runs over a range"),
    ("for t in 1...3:", "a loop runs over a range"),
    ("for (int t = 1; t <= 3; t++)", "a loop runs over a range"),
]
# What has no counterpart here: one fault in words about it, and no edit that would be wrong.
WITHOUT = [
    (HEAD + "x := g!" + X, "a factorial; the language has none"),
    (HEAD + "x := g % 2" + X, "a remainder; the language has none"),
    (HEAD + "x := ||g||" + X, "there is no norm"),
    (HEAD + "x := g/||g||" + X, "there is no norm"),
    (HEAD + "output (mean(g), mean(v))\n", "an output is one scalar"),
    (HEAD + "output [mean(g), mean(v)]\n", "an output is one scalar"),
    (HEAD + "scalar s ~ N(0, 1)\nx := s g" + X, "a scalar is a constant"),
    (HEAD + "output m := mean(x) where x = tanh(g)\n", "a name gets its value on a line of its own"),
    (HEAD + "if g > 0 then x := g else x := 0" + X, "a line begins with the name"),
    (HEAD + "for t in 1..3:\n    x := W g" + X, "every round of the loop gives `x` a value"),
    (
        HEAD + "for t in 1..3:\n    x[t] := W x[t-1]\noutput m := mean(x[3])\n",
        "in the line that first gives it a value",
    ),
    (HEAD + "for t in 0..n:\n    x[t] := g\noutput m := mean(x[1])\n", "the end of a range must be known"),
    (HEAD + "x := inv(W) g" + X, "touched only by their products"),
    (HEAD + "x := φ(g)" + X, "`φ` is not defined"),
    (HEAD + "x := g[1:3]" + X, "no coordinate has a name"),
    (HEAD + "while 1 < 2:\n    h := W g\n    z := h\nx := W g" + X, "there is no `while`"),
    (HEAD + "if 1 < 2:\n    h := W g\nx := W g" + X, "there are no blocks of conditions"),
    (HEAD + "// a comment\nx := W g" + X, "a comment begins with `#`"),
    (HEAD + "/* a comment */\nx := W g" + X, "a comment begins with `#`"),
    (HEAD + "x := W*Wᵀ*g" + X, "is a product of matrices"),
]


def faults(text: str) -> list[Diagnostic]:
    return list(check_source(Source("p", text)).diagnostics)


def edits(text: str, d: Diagnostic) -> Iterator[str]:
    """The text with the hint of a fault done, at the marked place or for the whole line."""
    assert d.span is not None
    lines = text.split("\n")
    at = d.span.line - 1
    if d.hint == "remove this line":
        below = at + 1
        while below < len(lines) and lines[below].startswith("    "):
            lines[below] = lines[below][4:]
            below += 1
        yield "\n".join(lines[:at] + lines[at + 1 :])
        return
    found = re.match(r"(?:write|did you mean) `(.*?)`(?:\?|,|$| for )", d.hint)
    if found is None and d.edits:
        yield apply_edits(text, d.edits[:1])
        return
    assert found is not None, d.hint
    yield text[: d.span.start] + found.group(1) + text[d.span.end :]
    indent = re.match(" *", lines[at]).group()  # type: ignore[union-attr]
    yield "\n".join([*lines[:at], indent + found.group(1), *lines[at + 1 :]])


def mended(text: str) -> str:
    """The text after the edits of all its faults, which must leave none."""
    for _ in range(6):
        found = faults(text)
        if not found:
            return text
        text = min(edits(text, found[0]), key=lambda t: len(faults(t)))
    raise AssertionError(f"still wrong: {faults(text)[0].message}\n{text}")


@pytest.mark.parametrize(("line", "headline", "better"), LINES, ids=[line for line, *_ in LINES])
def test_a_line_of_another_language(line: str, headline: str, better: str | None) -> None:
    text = HEAD + line + X
    (found,) = faults(text)
    assert headline in found.message
    assert found.span is not None and found.span.line == 4
    if better is not None:
        assert mended(text) == HEAD + better + X


@pytest.mark.parametrize(("text", "headlines"), WHOLE, ids=[h[0] for _, h in WHOLE])
def test_a_program_with_a_habit(text: str, headlines: list[str]) -> None:
    found = faults(text)
    assert len(found) == len(headlines)
    for d, headline in zip(found, headlines, strict=True):
        assert headline in d.message
    mended(text)


@pytest.mark.parametrize(("head", "headline"), LOOPS, ids=[h for h, _ in LOOPS])
def test_a_faulty_head_hides_no_member_of_its_block(head: str, headline: str) -> None:
    text = HEAD + f"s[0] := g\n{head}\n    h[t] := W s[t-1]\n    s[t] := tanh(h[t])\nx := s[3] * h[2]" + X
    (found,) = faults(text)
    assert headline in found.message
    mended(text)
    # What is wrong below the head is told in the same run.
    again = faults(text.replace("tanh(h[t])", "tanh(k[t])"))
    assert [d.code for d in again] == [found.code, "E201"] and again[1].span is not None and again[1].span.line == 7


def test_members_that_a_faulty_line_defines_are_not_missed() -> None:
    found = faults(HEAD + "h[1] := W g\nh[2] := W (|g|) 3 3 )\nx := h[1] * h[2]" + X)
    assert [d.span.line for d in found if d.span] == [5]
    # Those that no faulty line defines are.
    found = faults(HEAD + "h[1] := W g\nk := |g\nx := h[1] * h[2]" + X)
    assert [d.code for d in found] == ["E109", "E406"]


@pytest.mark.parametrize(("text", "headline"), WITHOUT, ids=[h for _, h in WITHOUT])
def test_what_has_no_counterpart(text: str, headline: str) -> None:
    (found,) = faults(text)
    assert headline in found.message
    assert found.hint


def test_names_of_the_program_come_before_what_they_mean_elsewhere() -> None:
    assert faults("matrix E\nvector e ~ N(0, 1)\nx := E e" + X) == []
    assert faults("norm(u) = u^2\nvector g ~ N(0, 1)\nx := norm(g)" + X) == []
    (found,) = faults(HEAD + "output m := mean(ln)\nln := g\n")
    assert found.code == "E206"


def test_long_lines_and_deep_ones_are_read_in_time() -> None:
    for line in ("x := " + "|g| + " * 3000 + "1", "x := " + "{" * 500 + "g" + "}" * 500, "x := " + "np." * 3000 + "g"):
        assert faults(HEAD + line + X)


@pytest.mark.parametrize("seed", range(12))
def test_mutations_are_told_without_a_traceback(seed: int) -> None:
    rng = random.Random(seed)
    texts = [HEAD + line + X for line, *_ in LINES] + [t for t, _ in WHOLE + WITHOUT]
    pieces = [*"()[]{}⟨⟩<>|‖,;:=+-*/^'√ᵀ.#!?%& \n\t\\\"∈∑½", ":=", "if ", "else ", "np.", "\\frac{", "||", "E["]
    for text in texts:
        letters = list(text)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(letters))
            match rng.randint(0, 2):
                case 0:
                    del letters[at : at + rng.randint(1, 6)]
                case 1:
                    letters.insert(at, rng.choice(pieces))
                case _:
                    letters[at:at] = letters[at : at + 15]
        for d in faults("".join(letters)):
            assert lookup(d.code) is not None
            assert render(d, colour=False, width=80)

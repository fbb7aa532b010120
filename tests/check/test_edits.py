"""What a help line offers is data: with an edit made, the fault is gone; prose and edits say the same."""

import random
import re

import pytest
from test_habits import HEAD, LINES, WHOLE, X

from netsor.check import check_source
from netsor.diagnostics import Diagnostic, Source, apply_edits
from netsor.diagnostics.catalogue import all_entries
from netsor.diagnostics.catalogue.words import said

BAD = [e for e in all_entries() if e.stage == "check" and "\n" in e.bad and not e.settings and not e.data]


def found(text: str) -> list[Diagnostic]:
    return list(check_source(Source("p", text)).diagnostics)


def core(text: str) -> object:
    program = check_source(Source("p", text)).program
    assert program is not None
    return program.matrices, program.groups, program.embeddings, program.instructions, program.outputs


def faults_of(text: str) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in found(text)]


@pytest.mark.parametrize("entry", BAD, ids=lambda e: e.code)
def test_edits_of_the_catalogue(entry) -> None:  # noqa: ANN001
    for d in found(entry.bad):
        for edit in d.edits:
            after = apply_edits(entry.bad, [edit])
            codes = [d.code for d in found(after) if d.is_error or d.code == entry.code]
            assert entry.code not in codes, after
            # The value that was not told is then the next thing to tell.
            assert set(codes) <= {"E201", "E202", "E206"}, after


@pytest.mark.parametrize("entry", [e for e in BAD if e.code[1] in "234569"], ids=lambda e: e.code)
def test_the_first_edit_is_what_the_help_line_says(entry) -> None:  # noqa: ANN001
    for d in found(entry.bad):
        if d.edits and d.edits[0].text and "\n" not in d.edits[0].text.strip():
            assert said(d.edits[0]) in d.hint


@pytest.mark.parametrize("entry", [e for e in BAD if e.severity == "warning"], ids=lambda e: e.code)
def test_safe_edits_of_warnings_change_nothing_else(entry) -> None:  # noqa: ANN001
    for d in found(entry.bad):
        for edit in d.edits:
            if edit.safe:
                assert _without_spans(core(apply_edits(entry.bad, [edit]))) == _without_spans(core(entry.bad))


def _without_spans(x: object) -> str:
    return re.sub(r"Span\([^()]*(?:\([^()]*\)[^()]*)*\)", "", repr(x))


# --- mistakes that are made at random -------------------------------------------------------------------------------

PRELUDE = """\
param L = 3
scalar c = 2
scalar ε = 1/√n
matrix W, V
matrix U : (n, 2)
data A : (3, 2) = [[1, 2], [3, 4], [0, 1]]
vector x, y ~ N(0, 1)
vector g[1..3] ~ N(0, 1)
φ(u) = tanh(u) + u^2
ψ(a, b; θ) = θ a b
def scaled(z):
    s := mean(z^2)
    return z / √(s + 1)
"""
# Each is the only fault of its line.
FAULTY = [
    "z := {v} {v}", "z := {m} * {v}", "z := {v} * {m}", "z := {v} {m}", "z := {v}ᵀ {m}", "z := A[{i}] U",
    "z := {v}({v})", "z := {f} {v}", "z := {f}[{v}]", "output {f}({v})", "output {v} / n", "output {v}ᵀ * {v}",
    "output {v}ᵀ * {v} / n", "z := {m} {v}ᵀ", "z := {v}ᵀ", "output ⟨{v}, {v}⟩", "output {v} @ {v} / n",
    "z := c @ {v}", "z := ψ'({v}, {v}; c)", "z := ψ'[q]({v}, {v}; c)", "z := tanh'[u]({v})", "z := {m}' {v}",
    "z := g", "z := g[{big}]", "z := tanh(g)", "z := g[{i}, 1]", "z := g[{i}/4]", "z := {v} A", "output A",
    "output {f}(A[{i}])", "z := A[1] A[2]", "z := {v}[{i}]", "z := U A", "z := ({m} {m}) {v}", "z := {f}(zz{i})",
    "z := {v} + zz{i}", "z := ({m} {v}) ({v} + c)", "x := {f}({v})", "x[{i}] := {f}({v})", "scalar x = 2",
    "for t in 1..1{i}:\n    z := {f}({v})", "for t in 1..2:\n    q[t] := {f}(q[t-1])", "z := {f}(q)\nq := {f}({v})",
    "h(u, u) = u", "scalar k = mean({v})", "scalar k = √n", "matrix M ~ N(0, {i})", "matrix M ~ N(1, 1/n)",
    "matrix M ~ N(0, -{i}/n)", "matrix M : (n, 3) ~ N(0, 1/n)", "matrix M : ({i}, n)", "vector w",
    "vector w ~ N(0, -{i})", "vector w, u ~ N(0, [[1, 0.{i}], [0.4, 1]])", "data B : (3, {i}) = [1, 2]",
    "MOMENT: z := {f}({v})", "NONLIN: z := {m} {f}({v})", "MATMUL: z := {f}({v})", "NONLIN: z := ψ({v}) = x * y * c",
    "z := ψ(x, y) = {f}(x)", "z := ψ(x; c, ε) = {f}(x) * ε", "z := if 1 > {i} then {v} else {f}({v})",
    "z := c ({v} + 1)^2", "z := U([1, {i}])", "train {m}", "output {v}", "z := ln({v}^2 + 1)", "z := {v}^t {v}",
    "output var({v})", "output dot({v}, {v}) / n", "z := pow({v}, {i})", "z := c^T {v}", "output [mean({v}), c]",
]  # fmt: skip


PIECES = {
    "v": ["x", "y", "g[1]", "g[2]", "(x+y)"],
    "m": ["W", "V", "Wᵀ"],
    "f": ["tanh", "relu", "φ", "scaled", "exp"],
}


def program(seed: int) -> tuple[str, str]:
    rng = random.Random(seed)
    line = re.sub(r"{([vmf])}", lambda m: rng.choice(PIECES[m[1]]), FAULTY[seed % len(FAULTY)])
    line = line.replace("{i}", str(rng.randint(1, 3))).replace("{big}", str(rng.randint(4, 9)))
    return PRELUDE + line + "\noutput last := mean(x * y)\n", line


@pytest.mark.parametrize("seed", range(2 * len(FAULTY)))
def test_edits_of_mistakes_made_at_random(seed: int) -> None:
    text, line = program(seed)
    first, *more = found(text)
    assert not more, (line, [d.message for d in more])
    assert first.span is not None
    for edit in first.edits:
        after = apply_edits(text, [edit])
        left = found(after)
        assert all((d.code, d.message) != (first.code, first.message) for d in left), after
        assert not any(d.code[1] == "1" for d in left), (after, [d.message for d in left])


@pytest.mark.parametrize("line", [line for line, *_ in LINES])
def test_safe_edits_of_habits_leave_no_fault(line: str) -> None:
    text = HEAD + line + X
    safe = [edit for d in found(text) for edit in d.edits if edit.safe]
    if safe:
        after = apply_edits(text, safe)
        assert len(found(after)) < len(found(text)), after


@pytest.mark.parametrize("text", [text for text, _ in WHOLE])
def test_edits_of_whole_programs_mend_their_fault(text: str) -> None:
    before = faults_of(text)
    for d in found(text):
        for edit in d.edits:
            assert faults_of(apply_edits(text, [edit])) != before

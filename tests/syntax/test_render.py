"""Diagnostics as text: marks under what they mean, at every width; and as JSON."""

import json
import subprocess
import sys

import pytest

from netsor.diagnostics import Diagnostic, Edit, Label, Source, Span, apply_edits
from netsor.diagnostics.columns import text_width
from netsor.diagnostics.render import render, to_json

TEXT = "vector v ~ N(0, 1)\nx := h̃ 漢字 ∘ z\n\tw := v\nlong := " + "a + " * 60 + "b\nlast line"
SOURCE = Source("demo.netsor", TEXT)


def span(part: str, occurrence: int = 0) -> Span:
    at = -1
    for _ in range(occurrence + 1):
        at = TEXT.index(part, at + 1)
    return Span(SOURCE, at, at + len(part))


def test_the_whole_form() -> None:
    found = Diagnostic(
        "E201", "`v` is declared twice", span("v", 2), label="again", labels=(Label(span("v ~"), "first here"),),
        notes=("each name is given once",), hint="call it `u`",
    )  # fmt: skip
    assert render(found) == (
        "error[E201]: `v` is declared twice\n"
        " --> demo.netsor:3:7\n"
        "  |\n"
        "1 | vector v ~ N(0, 1)\n"
        "  |        --- first here\n"
        "2 | x := h̃ 漢字 ∘ z\n"
        "3 |     w := v\n"
        "  |          ^ again\n"
        "  |\n"
        "  = each name is given once\n"
        "  = help: call it `u`\n"
    )


def test_marks_stand_under_wide_and_combining_characters() -> None:
    lines = render(Diagnostic("E101", "odd", span("∘"))).splitlines()
    source, marks = lines[3], lines[4]
    assert text_width(source[: source.index("∘")]) == marks.index("^")


def test_several_labels_on_a_line() -> None:
    source = Source("t", "w := v u\n")
    at = [Span(source, i, i + 1) for i in (5, 7, 0)]
    found = Diagnostic("E301", "two vectors", at[0], label="a vector", labels=(Label(at[1], "too"), Label(at[2], "w")))
    assert render(found).splitlines()[3:-1] == [
        "1 | w := v u",
        "  | -    ^ - too",
        "  | |    |",
        "  | |    a vector",
        "  | |",
        "  | w",
    ]


def test_a_span_over_several_lines() -> None:
    source = Source("t", "x := f(a,\n  b,\n  c,\n  d)\n")
    text = render(Diagnostic("E301", "no", Span(source, 5, len(source.text) - 1), label="all of this"))
    assert text.splitlines()[3:-1] == [
        "1 | x := f(a,",
        "  |      ^^^^",
        "...",
        "4 |   d)",
        "  |   ^^ all of this",
    ]


def test_places_in_two_files() -> None:
    other = Source("other.netsor", "matrix W\n")
    text = render(Diagnostic("E201", "twice", span("v"), labels=(Label(Span(other, 7, 8), "there"),)))
    assert " --> demo.netsor:1:1" in text and " ::: other.netsor:1:8" in text


@pytest.mark.parametrize("width", [1, 40, 60, 100])
@pytest.mark.parametrize("occurrence", [0, 20, 59])
def test_lines_keep_to_the_width(width: int, occurrence: int) -> None:
    at = TEXT.index("long") + 8 + 4 * occurrence
    place = Span(SOURCE, at, at + 1)
    found = Diagnostic("E120", "a fault " * 20, place, label="here", notes=("why " * 50,), hint="do " * 50)
    lines = render(found, width=width).splitlines()
    assert all(text_width(line) <= max(width, 40) for line in lines)
    source = next(line for line in lines if line.startswith("4 | "))
    marks = lines[lines.index(source) + 1]
    assert source[marks.index("^")] == "a"


def test_control_characters_are_shown_not_sent() -> None:
    source = Source("t", "x := \x1b[31m\0\u202e y\r\n")
    text = render(Diagnostic("E101", "control", Span(source, 5, 6)))
    assert "\x1b" not in text and "\0" not in text and "\u202e" not in text and "\r" not in text


def test_ends_of_text_and_no_place() -> None:
    end = Span(SOURCE, len(TEXT), len(TEXT))
    assert "last line\n  |          ^ more" in render(Diagnostic("E119", "more", end, label="more"))
    assert "^" in render(Diagnostic("E133", "empty", Span(Source("", ""), 0, 0)))
    assert render(Diagnostic("E001", "gone", hint="look")) == "error[E001]: gone\n  = help: look\n"


def test_colour_is_only_a_decoration() -> None:
    import re

    found = Diagnostic("E201", "twice [bold] :smile:", span("v ~"), label="x", notes=("[red]",), hint="h")
    coloured = render(found, colour=True)
    assert "\x1b[1;31m" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == render(found).splitlines()


def test_plain_text_needs_no_rich() -> None:
    code = (
        "import sys; from netsor.diagnostics import *; from netsor.diagnostics.render import render;"
        "render(Diagnostic('E001', 'm')); print('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_json() -> None:
    mended = Edit(span("w :="), "u :=", safe=True)
    found = to_json(
        Diagnostic(
            "W901",
            "maybe",
            span("漢字"),
            "warning",
            "odd",
            (Label(span("v ~"), "first here"),),
            ("a note",),
            edits=(mended,),
        )
    )
    assert json.loads(json.dumps(found)) == {
        "code": "W901", "severity": "warning", "message": "maybe", "file": "demo.netsor", "line": 2, "column": 9,
        "end_line": 2, "end_column": 11, "label": "odd",
        "labels": [
            {"file": "demo.netsor", "line": 1, "column": 8, "end_line": 1, "end_column": 11, "text": "first here"}
        ],
        "notes": ["a note"], "hint": None,
        "edits": [
                {"file": "demo.netsor", "line": 3, "column": 2, "end_line": 3, "end_column": 6, "text": "u :=",
                 "safe": True}
            ],
    }  # fmt: skip
    assert to_json(Diagnostic("E001", "gone"))["line"] is None


def test_edits_are_applied_together() -> None:
    source = Source("t", "abcdef")

    def edit(start: int, end: int, text: str) -> Edit:
        return Edit(Span(source, start, end), text)

    assert apply_edits(source.text, []) == "abcdef"
    assert apply_edits(source.text, [edit(4, 6, "E"), edit(0, 1, "AA"), edit(2, 2, "+")]) == "AAb+cdE"
    assert apply_edits(source.text, [edit(1, 3, ""), edit(2, 4, "no"), edit(1, 3, "no"), edit(3, 4, "D")]) == "aDef"
    assert apply_edits(source.text, [edit(2, 2, "+"), edit(2, 2, "no"), edit(2, 3, "C")]) == "ab+Cdef"


def test_columns_are_those_of_rich() -> None:
    # netsor check starts without rich, so that it has a function of its own.
    from rich.cells import cell_len

    for text in (
        "h̃₁ := Wᵀ φ(g̃) / √n", "Ẑ^{Wz̃} ~ N(0, 1)", "χ̊ → E[φ'(Z^h)²]", "жук ψ⁺ ⟨ξ, ξ̃⟩ ∂", "数 = 関数",
        "−1/3 · 10⁻⁷ ≤ ∞",
    ):  # fmt: skip
        assert text_width(text) == cell_len(text)

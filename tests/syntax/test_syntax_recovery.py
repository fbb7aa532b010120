"""Faults: all of a file in one run, none because of another, and hints that would be accepted."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_programs import FRAGMENTS

from netsor.diagnostics import Diagnostic, NetsorError, Source
from netsor.diagnostics.catalogue import all_entries, lookup
from netsor.diagnostics.render import render, to_json
from netsor.syntax import parse, parse_expression
from netsor.syntax.format import format_source


def faults(text: str) -> list[Diagnostic]:
    try:
        parse(Source("t", text))
    except NetsorError as error:
        return list(error.diagnostics)
    return []


def codes(text: str) -> list[tuple[str, int]]:
    return [(d.code, d.span.line if d.span else 0) for d in faults(text)]


SEVERAL = [
    ("x = a\ny := \nz := b\nw := √f(x)\n", [("E108", 1), ("E119", 2), ("E114", 4)]),
    ("x := (a\ny := b\nz = c\n", [("E105", 1), ("E108", 3)]),
    ("x := f(a\nvector v\nz = c\n", [("E105", 1), ("E108", 3)]),
    ("x := a)\ny := b]\n", [("E106", 1), ("E106", 2)]),
    ("for t in 1..3\n    x[t] := y\n    z = w\nu = v\n", [("E110", 1), ("E108", 3), ("E108", 4)]),
    ("for t in T:\n    x[t] := y\n", [("E117", 1)]),
    ("def f(2):\n    y := u\n    return y\n", [("E126", 1)]),
    ("def f(u):\n    y = u\n    return y\n", [("E108", 2)]),
    ("def f(u):\n    return u +\n", [("E119", 2)]),
    ("def f(u):\n    for t in 1..2:\n        return u\n", [("E116", 3)]),
    ("def f(u):\n    return u\n    y := u\n    z := u\n", [("E116", 3)]),
    ("for t in 1..2:\n\tx := y\n\tz := y\noutput x\n", [("E102", 2)]),
    ("a := b\n  c := d\n  e := f\ng := h\n", [("E103", 2)]),
    ("for t in 1..2:\n    a := b\n      c := d\n    e := f\ng := h\n", [("E103", 3)]),
    ("for t in 1..2:\n    a := b\n  c := d\n  e := f\ng := h\n", [("E103", 3)]),
    ("  a := b\n  c := d\ne := f\n", [("E103", 1)]),
    ("for t in 1..2:\nfor s in 1..2:\n", [("E104", 1), ("E104", 2)]),
    ("x := ½ ∞ a ¿ b\ny := a × b\n", [("E101", 1), ("E101", 1), ("E101", 1), ("E101", 2)]),
    ("x := a ** b)\n", [("E109", 1)]),
    ("program a\nprogram b\nvector v\nnetwork c(ξ : 1)\n", [("E118", 2), ("E118", 4)]),
    ("return x\nreturn y\n", [("E116", 1), ("E116", 2)]),
    ("", [("E133", 1)]),
    ("# nothing\n\n", [("E133", 1)]),
    ("\0\0\0", [("E101", 1)]),
    ("x := y \\\n  + z\nu = v\n", [("E101", 1), ("E108", 3)]),
    ("x := y +\n    z\nu = v\n", [("E119", 1), ("E108", 3)]),
    ("x := y\n    + z\nu = v\n", [("E125", 2), ("E108", 3)]),
    ("for t in 1..2:\n    x[t] :=\n        y\n    z := w\n", [("E119", 2)]),
]


@pytest.mark.parametrize(("text", "expected"), SEVERAL)
def test_all_faults_and_no_others(text: str, expected: list[tuple[str, int]]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = φ(g)", "x := φ(g)"),
        ("scalar a := 3", "scalar a = 3"),
        ("x := √f(x) + 1", "x := √(f(x)) + 1"),
        ("for t in 1..T", "for t in 1..T:"),
        ("for t in range(1, T):", "for t in 1..T:"),
        ("x := if a > b then c", "x := if a > b then c else 0"),
        ("x := if a < b < c then 1 else 2", "x := if a < b and b < c then 1 else 2"),
        ("x := 1 + if a > b then c else d", "x := 1 + (if a > b then c else d)"),
        ("x := a > b", "x := if a > b then 1 else 0"),
        ("x := 2 <u, v> / n", "x := 2 ⟨u, v⟩ / n"),
        ("x := φ(g)''", "x := φ''(g)"),
        ("x := Wᵀ[1] y", "x := W[1]ᵀ y"),
        ("x := leaky_relu(u, slope = 0.2)", "x := leaky_relu(u, 0.2)"),
        ("x := sum(t = 1..T: x)", "x := sum(t in 1..T: x)"),
        ("W ~ N(0, 1/n)", "matrix W ~ N(0, 1/n)"),
        ("vector a b ~ N(0, 1)", "vector a, b ~ N(0, 1)"),
        ("MATMUL h := W x", "MATMUL: h := W x"),
        ("pi := 3", "pi_ := 3"),
        ("W x", "y := W x"),
        ("let x := 3", "x := 3"),
        ("data X = [1]", "data X : 1 = [1]"),
        ("x := a @ -b", "x := a @ (-b)"),
    ],
)
def test_the_hint_is_the_line_as_it_would_be_accepted(text: str, line: str) -> None:
    (found,) = [d for d in faults(text) if d.code != "E104"]
    assert found.hint == f"write `{line}`"
    assert {c for c, _ in codes(line)} <= {"E104"}


def test_hints_of_the_catalogue_are_accepted() -> None:
    for entry in all_entries():
        if not entry.code.startswith("E1"):
            continue
        (found,) = faults(entry.bad)
        whole = re.fullmatch(r"write `(.*)`", found.hint)
        assert found.span is not None
        if whole and ":=" in whole.group(1) and "…" not in whole.group(1):
            lines = entry.bad.split("\n")
            lines[found.span.line - 1] = whole.group(1)
            assert faults("\n".join(lines)) == [], entry.code


FORBIDDEN = re.compile(
    r"\b(APPLY_L|LPAR|RPAR|INDEX_L|LIST_L|BY_L|RSQB|ANGLE_[LR]|DEFINE|TILDE|RESERVED|NUMBER|TRANSPOSE|SQRT|DOTS|COLON|"
    r"COMMA|SEMI|CMP|POW|AT|DIV|TIMES|END|EQ|token|Token|terminal|LALR|parser)\b|\$END|Error\b"
)


def well_formed(found: list[Diagnostic]) -> None:
    for d in found:
        assert lookup(d.code), d.code
        for text in (d.message, d.label, d.hint, *d.notes):
            plain = re.sub(r"`[^`]*`", "", text)
            assert not FORBIDDEN.search(plain), text
        assert "E1" in render(d, width=60) and to_json(d)["line"]
        assert render(d, colour=False, width=80).isprintable() or "\n" in render(d)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_random_bytes(data: bytes) -> None:
    well_formed(faults(data.decode("utf-8", errors="replace")))


@given(st.text(alphabet="xWn1 .:=()[]⟨⟩<>,;'ᵀ√^+-*/@~#\n\t\r²₁forinifthenelsed…", max_size=80))
@settings(max_examples=300, deadline=None)
def test_random_text_of_the_alphabet(text: str) -> None:
    well_formed(faults(text))
    try:
        parse_expression(Source("t", text))
    except NetsorError as error:
        well_formed(list(error.diagnostics))


@pytest.mark.parametrize("seed", range(40))
def test_mutations_of_programs(seed: int) -> None:
    rng = random.Random(seed)
    for text in FRAGMENTS:
        letters = list(text)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(letters))
            match rng.randint(0, 3):
                case 0:
                    del letters[at : at + rng.randint(1, 8)]
                case 1:
                    letters.insert(
                        at, rng.choice(list("()[]⟨<>,;:=+-*/^'√ᵀ~.# \n\t\0x1") + [":=", "..", "for ", "if "])
                    )
                case 2:
                    other = rng.randrange(len(letters))
                    letters[at], letters[other] = letters[other], letters[at]
                case _:
                    letters[at:at] = letters[at : at + 20]
        mutated = "".join(letters)
        found = faults(mutated)
        well_formed(found)
        if not found:
            formatted = format_source(mutated)
            assert parse(Source("t", formatted)) == parse(Source("t", mutated))
            assert format_source(formatted) == formatted


@pytest.mark.parametrize(
    "text",
    [
        "x := " + "(" * 100_000,
        "x := " + "[" * 100_000,
        "x := " + "(" * 50_000 + "a" + ")" * 50_000,
        "x := " + "a[" * 50_000,
        "x := " + " + ".join(["a"] * 20_000),
        "x := " + "-" * 20_000 + "a",
        "x := " + "if a < b then 1 else " * 2_000 + "a",
        "x := if " + "not " * 20_000 + "a < b then 1 else 2",
        "\n".join(" " * i + "for t in 1..2:" for i in range(300)),
    ],
    ids=["round", "square", "closed", "indices", "sum", "signs", "else if", "not", "blocks"],
)
def test_deep_nesting_is_one_diagnostic(text: str) -> None:
    assert [d.code for d in faults(text)] == ["E107"]


@pytest.mark.parametrize("part", ["1" * 99_999, "1." + "1" * 9999, "x" * 100_000, "x" + "²" * 9999, "f" + "'" * 999])
def test_long_tokens_raise_nothing_else(part: str) -> None:
    well_formed(faults(f"x := {part}"))


def test_what_is_not_too_deep() -> None:
    assert faults("x := " + "(" * 199 + "a" + ")" * 199) == []
    assert faults("x := " + " + ".join(["a"] * 400)) == []


def test_many_faults_are_cut() -> None:
    found = faults("x = y\n" * 1000)
    assert len(found) == 100 and "only the first 100" in found[-1].notes[-1]

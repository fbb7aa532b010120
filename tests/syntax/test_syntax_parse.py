"""Statements, blocks and headers; reading files."""

import logging
import re
from pathlib import Path

import lark
import pytest
from syntax_programs import FRAGMENTS, NETWORKS, STATEMENTS

from netsor import resources
from netsor.diagnostics import NetsorError, Source
from netsor.syntax import ast, parse, read_source
from netsor.syntax.build import Builder
from netsor.syntax.format import format_source
from netsor.syntax.grammar import grammar


def tree(text: str) -> ast.File:
    return parse(Source("t", text))


def only(text: str) -> ast.Statement:
    (statement,) = tree(text).statements
    return statement


@pytest.mark.parametrize("text", FRAGMENTS)
def test_fragments_parse(text: str) -> None:
    assert tree(text).statements


def test_the_gallery_parses() -> None:
    for path in resources.gallery():
        parse(read_source(path))


def test_headers() -> None:
    assert tree("vector v\n").header is None
    header = tree("param L = 2\nprogram early\nvector v\n").header
    assert isinstance(header, ast.ProgramHeader) and header.name == "early"
    network = tree(NETWORKS[1]).header
    assert isinstance(network, ast.NetworkHeader)
    assert [(i.name, len(i.ranges)) for i in network.inputs] == [("ξ", 1), ("ζ", 2), ("η", 0)]


def test_matrix_declaration() -> None:
    found = only("matrix A[0..L-1, 2], B : (n, 3) ~ N(0, 1/n)")
    assert isinstance(found, ast.MatrixDecl) and found.law is not None and found.shape is not None
    first, second = found.declarators
    assert first.name == "A" and second == ast.Declarator("B", span=second.span)
    assert isinstance(first.indices[0], ast.Range) and isinstance(first.indices[1], ast.Number)
    assert len(found.shape) == 2


def test_assignment_with_label_and_promise() -> None:
    found = only("NONLIN⁺: x[1] := ψ(a, b; 1/√n) = a + b/√n")
    assert isinstance(found, ast.Assign) and found.label is not None and found.promise is not None
    assert found.label.kind == "NONLIN+" and found.target.name == "x" and len(found.target.indices) == 1
    assert found.promise.placeholder == "ψ" and len(found.promise.vectors) == 2 and len(found.promise.scalars) == 1


def test_outputs() -> None:
    plain, named, member = (only(t) for t in ("output f", "output f := a", "output k[i, j] := a"))
    assert isinstance(plain, ast.Output) and plain.target is None
    assert isinstance(named, ast.Output) and named.target is not None and named.target.name == "f"
    assert isinstance(member, ast.Output) and member.target is not None and len(member.target.indices) == 2


def test_train() -> None:
    found = only("train b * 1, W[1..L], v * √2")
    assert isinstance(found, ast.Train)
    assert [(i.declarator.name, i.multiplier is None) for i in found.items] == [("b", False), ("W", True), ("v", False)]


def test_blocks_nest() -> None:
    loop = next(s for s in tree(STATEMENTS).statements if isinstance(s, ast.For))
    assert [type(s).__name__ for s in loop.body] == ["Assign", "For", "Assign"]
    assert loop.head.text == "for t in 1..T:" and loop.span.text.endswith("tanh(h[t])")
    norm = next(s for s in tree(STATEMENTS).statements if isinstance(s, ast.Def))
    assert [p.name for p in norm.params] == ["x"] and len(norm.body) == 2 and norm.returned.text.startswith("return")


def test_continued_lines() -> None:
    assert tree("x := f(a,\n    b)\n") == tree("x := f(a, b)")
    assert tree("x[1,\n 2] := y\n") == tree("x[1, 2] := y")
    assert tree("matrix W[1..2,\n 1..L] ~ N(0,\n 1/n)\n") == tree("matrix W[1..2, 1..L] ~ N(0, 1/n)")
    assert tree("x := (a\n\n # between\n + b)\n") == tree("x := (a + b)")


def test_line_ends_and_byte_order_mark() -> None:
    plain = "for t in 1..2:\n    x[t] := y\noutput z\n"
    assert tree(plain.replace("\n", "\r\n")) == tree(plain) == tree("\ufeff" + plain)


def test_comments_are_kept() -> None:
    found = [(c.text, c.own_line) for c in tree("# a\nx := y  # b\n  # c").comments]
    assert found == [("# a", True), ("# b", False), ("# c", True)]


def test_every_node_has_a_span_within_its_parent() -> None:
    for text in FRAGMENTS:
        for node in ast.walk(tree(text)):
            for child in ast.children(node):
                assert node.span.start <= child.span.start <= child.span.end <= node.span.end


def test_unicode_names_are_normalised() -> None:
    found = only("δh̃₁ := ϕ(µ)")
    assert isinstance(found, ast.Assign)
    assert found.target.name == "δh̃1" and found.target.span.text == "δh̃₁"
    assert isinstance(found.value, ast.Apply) and found.value.callee == ast.Name("φ", span=found.span)


# --- the grammar ---


@pytest.mark.parametrize(
    ("extra", "expected"), [("", False), ("\n_twice: root root\n!odd: _twice root | root _twice\n", True)]
)
def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture, extra: str, expected: bool) -> None:
    starts = ["text", "line", "expression", *(["odd"] if extra else [])]
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lark.Lark(resources.grammar_text() + extra, parser="lalr", lexer="basic", start=starts, debug=True)
    assert any("onflict" in r.getMessage() for r in caplog.records) == expected


def test_lark_keeps_its_tables_and_a_broken_cache_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = grammar.__wrapped__  # without what this process keeps
    monkeypatch.setenv("NETSOR_CACHE", str(tmp_path))
    made()
    (cached,) = tmp_path.iterdir()
    whole = cached.read_bytes()
    for broken in (b"", b"{}", whole[: len(whole) // 2]):
        cached.write_bytes(broken)
        assert made() is not None
        assert cached.read_bytes()[:64] == whole[:64] and cached.stat().st_size > len(whole) / 2 + 1
    monkeypatch.setenv("NETSOR_CACHE", str(cached / "no folder"))
    assert made() is not None


def test_every_method_of_the_builder_is_a_rule() -> None:
    text = resources.grammar_text()
    rules = set(re.findall(r"^[?!]?([a-z_]+):|-> ([a-z_]+)", text, re.MULTILINE))
    assert {m for m in vars(Builder) if not m.startswith("_")} <= {name for pair in rules for name in pair}


def test_a_point_may_begin_a_number() -> None:
    for text, same in (
        ("x := .5 g", "x := 0.5 g"),
        ("x := -.5e-3 (g + .25)", "x := -0.5e-3 (g + 0.25)"),
        ("x := g^.5", "x := g^0.5"),
        ("vector g[.5..3] ~ N(0, 1)", "vector g[0.5..3] ~ N(0, 1)"),
        ("vector v ~ N(.1, .2)", "vector v ~ N(0.1, 0.2)"),
    ):
        assert tree(text) == tree(same)
        assert format_source(text) == format_source(same)
    (loop,) = tree("for t in 1..3:\n    y[t] := x").statements
    assert isinstance(loop, ast.For)
    assert [loop.range.low, loop.range.high] == [ast.Number(n, span=loop.span) for n in (1, 3)]


@pytest.mark.parametrize("value", ["x.5", "1.5.3", "1.", ".", "x'.5", "f(x).5", ".5."])
def test_what_is_no_number_all_the_same(value: str) -> None:
    with pytest.raises(NetsorError) as caught:
        tree(f"y := {value}")
    assert caught.value.diagnostics[0].code in ("E101", "E127", "E132")


# --- files ---


def code_of(path: Path) -> str:
    with pytest.raises(NetsorError) as caught:
        read_source(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message
    return diagnostic.code


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert code_of(tmp_path / "missing.netsor") == "E001"
    assert code_of(tmp_path / "no" / "folder.netsor") == "E001"
    assert code_of(tmp_path) == "E003"
    assert code_of(Path("a\0b")) == "E002"
    assert code_of(tmp_path / ("x" * 5000)) == "E002"
    latin = tmp_path / "latin.netsor"
    latin.write_bytes("x := y\nä := z\n".encode("latin1"))
    assert code_of(latin) == "E004"
    latin.write_bytes("x := y".encode("utf-16"))
    assert code_of(latin) == "E004"


def test_a_misspelt_file_name_is_offered(tmp_path: Path) -> None:
    (tmp_path / "algorithm1.netsor").write_text("vector v")
    with pytest.raises(NetsorError) as caught:
        read_source(tmp_path / "algoritm1.netsor")
    assert "algorithm1.netsor" in caught.value.diagnostics[0].hint


def test_text_is_read_with_unified_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.netsor"
    file.write_bytes(b"\xef\xbb\xbfx := y\r\nz := x\rw := z\n")
    assert read_source(file).text == "x := y\nz := x\nw := z\n"

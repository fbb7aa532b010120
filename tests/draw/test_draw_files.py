"""The files that `netsor draw` writes, and what it says where it cannot."""

import builtins
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netsor.api import load
from netsor.cli.main import main
from netsor.show.drawing import draw, drawing_svg
from netsor.show.drawing.names import styled

PROGRAMS = Path(__file__).parents[2] / "programs"
ALGORITHM1 = str(PROGRAMS / "algorithm1.netsor")
PROGRAM = load(ALGORITHM1).program


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_svg_is_well_formed_and_self_contained(theme: str) -> None:
    text = drawing_svg(PROGRAM, theme=theme)
    ET.fromstring(text)
    assert not re.search(r"(href|src|url\()", text)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert ("prefers-color-scheme" in text) == (theme == "auto")


def test_svg_tells_what_it_shows_to_those_who_cannot_see_it() -> None:
    text = drawing_svg(PROGRAM)
    assert "<title>Drawing of algorithm1</title>" in text
    assert "5 G-vars, 5 X-vars and 4 scalars" in text
    assert "<title>G-var, MATMUL: h := W z</title>" in text


def test_every_class_that_is_used_has_a_rule() -> None:
    text = drawing_svg(load(PROGRAMS / "mlp_backprop.netsor").program, folding="lanes")
    used = set(re.findall(r'class="([^"]+)"', text))
    assert all(f".{c} " in text or f".{c}," in text for c in used)


def test_matrices_are_told_apart_by_dash_as_well_as_by_colour() -> None:
    text = drawing_svg(load(PROGRAMS / "attention.netsor").program)
    looks = set(re.findall(r'class="(ns-m\d)"[^>]*stroke-dasharray="([^"]+)"', text))
    assert len(looks) == 6
    assert len({dash for _, dash in looks}) == 6


SHIPPED = {
    "figure4_attention": "figures/figure4_attention",
    "figure4_layernorm": "figures/figure4_layernorm",
    "figure5_convolution": "figures/figure5_convolution",
    "figure6_backpropagation": "figures/figure6_backpropagation",
    "figure7_algorithm1": "algorithm1",
    "rnn_folded": "rnn",
}


@pytest.mark.parametrize("picture", SHIPPED)
def test_the_pictures_of_the_documents_are_what_is_drawn_now(picture: str) -> None:
    folding = "all" if picture == "rnn_folded" else "auto"
    drawn = drawing_svg(load(PROGRAMS / f"{SHIPPED[picture]}.netsor").program, folding=folding)
    assert drawn == (PROGRAMS.parent / "docs" / "pictures" / f"{picture}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["algorithm1", "layernorm", "figures/figure4_attention"])
def test_letters_take_the_room_that_was_kept_for_them(name: str) -> None:
    # Without this a reader without Times sees names over the edges of their symbols.
    text = drawing_svg(load(PROGRAMS / f"{name}.netsor").program)
    spans = re.findall(r"<(?:tspan|text)[^>]*>[^<]", text)
    assert len(spans) > 20 and all("textLength=" in s or "×" in s for s in spans)


def test_functions_below_the_drawing_have_their_names_as_the_drawing_has() -> None:
    runs = styled("(S[1,1], x_2[3]) = 10⁻¹² S[1,1]² + P₁ tanh(h̃) + a²")
    text = "(S|1,1_, x|2;3_) = 10|−12^ S|1,1_|2^ + P|1_ tanh(h̃) + a|2^"
    marks = {"": "", "sub": "_", "sup": "^"}
    assert "".join(f"{'|' if p.shift else ''}{p.text}{marks[p.shift]}" for p in runs) == text
    assert {p.text.strip() for p in runs if p.italic} == {"S", "x", "P", "h̃", "a"}


def test_the_key_can_be_left_out() -> None:
    assert "MOMENT (mean)" in drawing_svg(PROGRAM)
    assert "MOMENT (mean)" not in drawing_svg(PROGRAM, key=False)


def test_dot_has_all_nodes_and_balanced_braces() -> None:
    text = draw(PROGRAM, "dot").decode()
    assert text.startswith('digraph "algorithm1" {') and text.rstrip().endswith("}")
    assert text.count("[shape=") == 22
    assert 'label="W"' in text


def test_svg_is_written_to_the_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a.svg"
    assert main(["draw", ALGORITHM1, "-o", str(target)]) == 0
    assert main(["draw", ALGORITHM1]) == 0
    assert capsys.readouterr().out == target.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_pictures_of_pixels_and_for_print(form: str, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    target = tmp_path / f"a.{form}"
    assert main(["draw", ALGORITHM1, "-o", str(target)]) == 0
    assert target.read_bytes().startswith(b"\x89PNG" if form == "png" else b"%PDF")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name == "vl_convert":
            raise ImportError(name)
        return usual(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    said = refused(["draw", ALGORITHM1, "-o", str(tmp_path / "a.pdf")], capsys)
    assert "E032" in said and "netsor[draw]" in said
    assert not (tmp_path / "a.pdf").exists()


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["-o", "a.jpg"], "E030", ".svg, .pdf, .png or .dot"),
        (["-o", "a"], "E030", "has no ending"),
        (["-o", "no/such/a.svg"], "E031", "there is no folder `no/such`"),
        (["-o", "a.svg", "--of", "hh"], "E033", "did you mean `h`?"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    options: list[str],
    code: str,
    part: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(["draw", ALGORITHM1, *options], capsys)
    assert f"error[{code}]" in said and part in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.svg").mkdir()
    # The path may be long enough to be broken after.
    assert "is a folder" in " ".join(refused(["draw", ALGORITHM1, "-o", str(tmp_path / "a.svg")], capsys).split())


def test_a_program_with_errors_gets_its_diagnostics_and_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "wrong.netsor"
    source.write_text("y := W x\n", encoding="utf-8")
    target = tmp_path / "a.svg"
    assert "E201" in refused(["draw", str(source), "-o", str(target)], capsys, 1)
    assert not target.exists()

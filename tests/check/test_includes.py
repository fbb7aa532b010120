"""`include`: definitions of other files, where they come from, and what is said of those that cannot be had."""

import json
import os
import random
from pathlib import Path

import pytest

from netsor import load, loads
from netsor.check import Report
from netsor.cli.main import main
from netsor.diagnostics import Diagnostic, NetsorError, Source, apply_edits
from netsor.syntax.format import format_source
from netsor.syntax.includes import project

BLOCKS = 'include "deep.netsor"\nparam s = 2\ndef lin(W, x):\n    return W sq(x)\n'
DEEP = "sq(u) = u^2 * relu(u)\n"
REST = "vector x ~ N(0, 1)\noutput m := mean(x^2)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "sub").mkdir()
    for name, text in (("blocks", BLOCKS), ("deep", DEEP), ("sub/other", DEEP), ("net", f"network f(ξ : 1)\n{DEEP}")):
        (tmp_path / f"{name}.netsor").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(text: str, name: str = "main.netsor") -> Report:
    return loads(text, name=name).check()


def faults(text: str, name: str = "main.netsor") -> list[Diagnostic]:
    return list(checked(text, name).diagnostics)


def test_definitions_and_params_are_those_of_the_file(folder: Path) -> None:
    text = 'include "blocks.netsor"\nmatrix W ~ N(0, s/n)\nvector x ~ N(0, 1)\nh := lin(W, x)\noutput m := mean(h^2)\n'
    (folder / "main.netsor").write_text(text, encoding="utf-8")
    # E (x² relu(x))² = E x⁶ / 2 = 15/2, times s.
    assert load("main.netsor").limit()["m"].value == pytest.approx(15)
    assert load("main.netsor", set={"s": 3}).limit()["m"].value == pytest.approx(22.5)
    listing = load("main.netsor").listing()
    assert "include" not in listing
    assert loads(listing).limit()["m"].value == pytest.approx(15)


def test_a_file_is_brought_in_once_however_often_it_is_included(folder: Path) -> None:
    text = 'include "deep.netsor"\ninclude "blocks.netsor"\ninclude "sub/../deep.netsor"\n'
    assert not faults(text + "vector x ~ N(0, 1)\noutput m := mean(sq(x))\n")


def test_a_file_means_the_same_wherever_it_is_included(folder: Path) -> None:
    # `relu` of the file is the built-in one, also where the program has its own.
    text = 'include "deep.netsor"\nrelu(u) = 1\nvector x ~ N(0, 1)\n'
    text += "output a := mean(sq(x)^2)\noutput b := mean(relu(x))\n"
    found = loads(text, name="main.netsor")
    assert found.limit()["a"].value == pytest.approx(7.5)
    assert found.limit()["b"].value == 1
    assert loads(found.listing()).limit()["a"].value == pytest.approx(7.5)
    # And it does not see the program's names.
    (folder / "open.netsor").write_text("def f(x):\n    return x * hidden\n", encoding="utf-8")
    (d,) = faults('vector hidden ~ N(0, 1)\ninclude "open.netsor"\n' + REST)
    assert (d.code, d.span and d.span.source.name, d.span and d.span.line) == ("E201", "open.netsor", 2)


BAD = {
    'include "blcks.netsor"\n': ("E261", 'include "blocks.netsor"'),
    'include "deep"\n': ("E261", 'include "deep.netsor"'),
    'include "std"\n': ("E261", "include std"),
    'include ""\n': ("E261", "include std"),
    'include "sub"\n': ("E261", None),
    'include "../deep.netsor"\n': ("E261", None),
    'include "/etc/deep.netsor"\n': ("E261", None),
    'include "C:/deep.netsor"\n': ("E261", None),
    'include "sub\\\\other.netsor"\n': ("E261", 'include "sub/other.netsor"'),
    'include "main.netsor"\n': ("E262", ""),
    'include "net.netsor"\n': ("E263", None),
    'include "deep.netsor"\nsq(u) = u\n': ("E264", "sq2"),
    'include "deep.netsor"\nvector sq ~ N(0, 1)\n': ("E264", "sq2"),
    'sq(u) = u\ninclude "deep.netsor"\n': ("E264", "sq2"),
    'include "deep.netsor"\ninclude "sub/other.netsor"\n': ("E264", ""),
    "include deep.netsor\n": ("E132", 'include "deep.netsor"'),
    "import std\n": ("E132", "include std"),
    "for i in 1..2:\n    include std\n    y[i] := x\n": ("E131", "include std"),
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_included_is_told_once_with_place_and_edit(text: str, folder: Path) -> None:
    code, edit = BAD[text]
    whole = "vector x ~ N(0, 1)\n" + text + "output m := mean(x^2)\n"
    (folder / "main.netsor").write_text(whole, encoding="utf-8")
    (d,) = faults(whole)
    assert d.code == code and d.hint
    assert d.span is not None and d.span.source.name == "main.netsor" and 2 <= d.span.line <= 3
    assert bool(d.edits) == (edit is not None)
    if edit is not None:
        assert edit in d.edits[0].text
        assert not faults(apply_edits(whole, d.edits[:1]))


def test_an_absolute_path_inside_the_project_is_offered_as_a_relative_one(folder: Path) -> None:
    (d,) = faults(f'include "{folder}/deep.netsor"\n{REST}', "sub/main.netsor")
    assert d.code == "E261" and [e.text for e in d.edits] == ['include "../deep.netsor"']


def test_files_that_include_each_other(folder: Path) -> None:
    for name, other in (("one", "two"), ("two", "three"), ("three", "one")):
        (folder / f"{name}.netsor").write_text(f'include "{other}.netsor"\n{name}(u) = u\n', encoding="utf-8")
    (d,) = faults('include "one.netsor"\n' + REST)
    assert d.code == "E262" and d.span is not None and d.span.source.name == "three.netsor"
    assert [label.span.source.name for label in d.labels] == ["main.netsor", "one.netsor", "two.netsor"]
    for k in range(60):
        (folder / f"f{k}.netsor").write_text(f'include "f{k + 1}.netsor"\nf{k}(u) = u\n', encoding="utf-8")
    assert [d.code for d in faults('include "f0.netsor"\n' + REST)] == ["E262"]


def _nothing_of(name: str, folder: Path) -> None:
    """A file that cannot be included, at this place in the folder."""
    path = folder / name
    match path.stem:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "outside":
            path.symlink_to("/etc/hosts")
        case "device":
            path.symlink_to("/dev/zero")
        case "huge":
            path.touch()
            os.truncate(path, 10**12)
        case "binary":
            path.write_bytes(bytes(range(256)) * 20)
        case "utf16":
            path.write_bytes("f(u) = u\n".encode("utf-16"))
        case "deep":
            path.write_text(f"f(u) = {'(' * 10**5}u\n")
        case "long":
            path.write_text(f"f(u) = {'+'.join(['u'] * 10**5)}\n")
        case "nul":
            path.write_bytes(b"f(u) = u\0\n")
        case "around":
            path.symlink_to("main.netsor")


HOSTILE = {
    "pipe": "E261", "folder": "E261", "loop": "E261", "outside": "E261", "device": "E261", "huge": "E261",
    "binary": "E261", "utf16": "E261", "deep": "E107", "long": "E107", "nul": "E101", "around": "E262",
}  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and links of files")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_told_at_once(name: str, folder: Path) -> None:
    _nothing_of(f"{name}.netsor", folder)
    text = f'include "{name}.netsor"\n{REST}'
    (folder / "main.netsor").write_text(text, encoding="utf-8")
    assert [d.code for d in faults(text)] == [HOSTILE[name]]
    # Once, and by whatever way it comes in.
    (folder / "way.netsor").write_text(f'include "{name}.netsor"\ng(u) = u\n', encoding="utf-8")
    text = f'include "way.netsor"\ninclude "{name}.netsor"\n{REST}'
    (folder / "main.netsor").write_text(text, encoding="utf-8")
    assert {d.code for d in faults(text)} == {HOSTILE[name]}


@pytest.mark.parametrize("seed", range(3))
def test_any_graph_of_includes_is_read_to_its_end(seed: int, folder: Path) -> None:
    """Cycles, diamonds, chains of any depth, files that miss, and links under other names."""
    rng = random.Random(seed)
    for _ in range(25):
        count = rng.choice([2, 5, 12, 70])
        for k in range(count):
            path = folder / f"f{k}.netsor"
            path.unlink(missing_ok=True)
            if rng.random() < 0.1 and k:
                path.symlink_to(f"f{rng.randrange(k)}.netsor")
                continue
            ways = [k + 1] if rng.random() < 0.7 else rng.choices(range(count + 1), k=rng.randrange(4))
            lines = [f'include "{rng.choice(["", "sub/../", "./"])}f{w}.netsor"' for w in ways]
            path.write_text("\n".join([*lines, f"f{k}(u) = u"]) + "\n", encoding="utf-8")
        text = f'include "f0.netsor"\n{REST}'
        assert {d.code for d in faults(text)} <= {"E261", "E262", "E264"}
        # Formatting reads none of them.
        assert format_source(Source("main.netsor", text)) == text


def test_faults_are_told_in_their_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "faulty.netsor").write_text("f(u) = u\ng(u) = u +\ndef h(W):\n    return W 2\n", encoding="utf-8")
    text = 'include "faulty.netsor"\nvector x ~ N(0, 1)\noutput m := mean(g(x))\n'
    (folder / "main.netsor").write_text(text, encoding="utf-8")
    assert main(["check", "main.netsor", "--format", "json"]) == 1
    (d,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (d["file"], d["line"]) == ("faulty.netsor", 2)
    assert main(["check", "main.netsor", "--format", "sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "faulty.netsor" and place["region"]["startLine"] == 2
    assert main(["check", "main.netsor"]) == 1
    assert "faulty.netsor:2:" in capsys.readouterr().err


def test_a_fault_in_a_definition_names_the_line_that_uses_it(folder: Path) -> None:
    (d,) = faults('include "blocks.netsor"\nvector x ~ N(0, 1)\ny := lin(x, x)\noutput m := mean(x^2)\n')
    assert d.span is not None and (d.span.source.name, d.span.line) == ("blocks.netsor", 4)
    assert [(label.span.source.name, label.span.line) for label in d.labels] == [("main.netsor", 3)]


def test_variables_say_in_which_file_their_line_is(folder: Path) -> None:
    report = checked('include "blocks.netsor"\nmatrix W\nvector x ~ N(0, 1)\ny := lin(W, x)\noutput m := mean(y^2)\n')
    places = {v.name: (v.file, v.line) for v in report.variables}
    assert places["y_1"] == ("blocks.netsor", 4) and places["y"] == ("", 4)


def test_text_without_a_folder(folder: Path) -> None:
    (d,) = loads('include "deep.netsor"\n' + REST).check().diagnostics
    assert d.code == "E261" and "loads(text, name=…)" in d.hint
    assert not loads("include std\n" + REST).check().diagnostics


def test_standard_input_is_where_its_name_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    for name, status in (("sub/x.netsor", 0), ("x.netsor", 1)):
        text = 'include "other.netsor"\n' + REST
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["check", "-", "--stdin-filename", name]) == status


def test_what_is_below_the_include_is_not_known_above(folder: Path) -> None:
    (d,) = faults('vector x ~ N(0, 1)\noutput m := mean(sq(x))\ninclude "deep.netsor"\n')
    assert d.code == "E206" and [label.span.line for label in d.labels] == [3]


def test_params_of_an_included_file_may_be_ranges_of_the_header(folder: Path) -> None:
    (folder / "sizes.netsor").write_text("param T = 3\n", encoding="utf-8")
    text = 'include "sizes.netsor"\nnetwork f(ξ[1..T] : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\n'
    text += "output f := vᵀ tanh(U ξ[T]) / √n\n"
    assert loads(text, name="main.netsor").program.inputs[0].indices == (1, 2, 3)
    assert loads(text, name="main.netsor", set=["T=5"]).program.inputs[0].indices == (1, 2, 3, 4, 5)


def test_the_project(folder: Path) -> None:
    deep = folder / "sub" / "deeper"
    assert project(deep) == folder
    (folder / "sub" / ".git").mkdir()
    assert project(deep) == folder / "sub"


def test_without_a_mark_the_project_is_where_one_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if any((p / m).exists() for p in tmp_path.parents for m in (".git", ".hg", "pyproject.toml")):
        pytest.skip("the temporary folder lies in a project")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    assert project(tmp_path / "a" / "b") == tmp_path / "a"
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert project(tmp_path / "a") == tmp_path / "a"


def test_formatting_leaves_includes_alone_and_reads_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "main.netsor").write_text('include   "nowhere.netsor"# x\ninclude  std\nx  := y\n', encoding="utf-8")
    assert main(["fmt", "--stdout", "main.netsor"]) == 0
    assert capsys.readouterr().out == 'include "nowhere.netsor"  # x\ninclude std\nx := y\n'


def test_errors_of_a_missing_include_are_not_told_again(folder: Path) -> None:
    with pytest.raises(NetsorError) as caught:
        _ = loads('include "no.netsor"\nvector x ~ N(0, 1)\noutput m := mean(unknown(x, y))\n', "m.netsor").program
    assert [d.code for d in caught.value.diagnostics] == ["E261"]


def test_a_name_of_the_library_is_meant_before_what_it_is_elsewhere() -> None:
    head = "vector x ~ N(0, 1)\n{}y := layer_norm(x; 1e-5)\noutput a := mean(y^2)\n"
    with_std = loads(head.format("include std\n")).check().diagnostics[0]
    assert with_std.code == "E201" and with_std.hint == "did you mean `layernorm`?"
    # Without the library the layer is written out, and what stands after the semicolon is no part of its argument.
    (edit,) = loads(head.format("")).check().diagnostics[0].edits
    assert "1e-5" not in edit.text and ";" not in edit.text

"""`netsor check --fix` and `--diff`: safe edits, applied until none is left; what is valid stays what it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netsor
import netsor.api
import netsor.check
from netsor.cli.fixing import fix
from netsor.cli.main import main
from netsor.diagnostics import Diagnostic, Edit, Source, Span
from netsor.resources import gallery

BROKEN = "program p\nvector x ~ N(0, 1)\ny = x ** 2\nfor t in 1..2\n    z[t] ≔ y\nOutput m := mean(z[1])\n"
WHOLE = "program p\nvector x ~ N(0, 1)\ny := x ^ 2\nfor t in 1..2:\n    z[t] := y\noutput m := mean(z[1])\n"
GALLERY = [path.read_text(encoding="utf-8") for path in gallery()]


def check_source(source: Source) -> netsor.check.Report:
    return netsor.api.load_source(source).check()


def test_all_safe_edits_and_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.netsor"
    path.write_text(BROKEN, encoding="utf-8")
    assert main(["check", str(path), "--diff"]) == 1
    assert path.read_text(encoding="utf-8") == BROKEN
    diff = capsys.readouterr().out
    assert "\n-Output m := mean(z[1])\n" in diff and "\n+output m := mean(z[1])\n" in diff
    assert main(["check", str(path), "--fix"]) == 0
    assert path.read_text(encoding="utf-8") == WHOLE
    out = capsys.readouterr().out
    assert f"{path}:6: fixed E125: `O` became `o`" in out and f"{path}:4: fixed E110: `:` was inserted" in out
    assert main(["check", str(path), "--fix", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["fixed"] == []


def test_what_is_not_safe_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.netsor"
    path.write_text("matrx W\nvector x ~ N(0, 1)\ny = W x\n", encoding="utf-8")
    assert main(["check", str(path), "--fix", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [f["code"] for f in found["files"][0]["fixed"]] == ["E108"]
    assert [d["code"] for d in found["diagnostics"]] == ["E125"]
    assert path.read_text(encoding="utf-8") == "matrx W\nvector x ~ N(0, 1)\ny := W x\n"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_and_the_mark_stay(end: str) -> None:
    data = ("\ufeff" + BROKEN.replace("\n", end)).encode()
    assert fix("p", data, check_source).data == ("\ufeff" + WHOLE.replace("\n", end)).encode()


def test_mixed_line_ends_stay_line_by_line() -> None:
    data = b"vector x ~ N(0, 1)\r\ny = x\nz = y\r\noutput m := mean(z)"
    assert fix("p", data, check_source).data == b"vector x ~ N(0, 1)\r\ny := x\nz := y\r\noutput m := mean(z)"


@pytest.mark.parametrize("text", GALLERY[:12])
def test_what_is_valid_is_left_alone(text: str) -> None:
    fixed = fix("p", text.encode(), check_source)
    assert fixed.data.decode() == text and not fixed.done and fixed.report.ok


@pytest.mark.parametrize("new", ["vector z ~ N(0, 1)", "vector x ~ N(0, 2)", "vector x ~ N(0,"])
def test_an_edit_of_a_valid_text_that_changes_its_core_is_refused(new: str) -> None:
    """Whatever a diagnostic claims to be safe."""
    text = "vector x ~ N(0, 1)\noutput m := mean(x * x)\n"

    def claims(source: Source) -> netsor.check.Report:
        report = check_source(source)
        edit = Edit(Span(source, 0, 18), new, safe=True)
        wrong = Diagnostic("W900", "claims to be safe", edit.span, "warning", edits=(edit,))
        return netsor.check.Report(**{**vars(report), "diagnostics": (*report.diagnostics, wrong)})

    assert fix("p", text.encode(), claims).data == text.encode()


SLIPS = ["=", "**", "≔", "×", "−", "ᵀ", "&&", "+", "(", ")", ";", "\t", "\r", ".5", "\u00a0", "for ", "{", "½"]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(GALLERY), st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(SLIPS)), max_size=3))
def test_fixing_ends_and_leaves_no_more_faults_of_syntax(text: str, slips: list[tuple[int, str]]) -> None:
    for at, slip in slips:
        at %= len(text) + 1
        text = text[:at] + slip + text[at:]
    before = check_source(Source("p", text.replace("\r", "\n")))
    fixed = fix("p", text.encode(), check_source)
    if before.ok:
        assert fixed.report.ok and fixed.report.program is not None and before.program is not None
        assert netsor.loads(text).listing() == netsor.loads(fixed.data.decode()).listing()
    again = fix("p", fixed.data, check_source)
    assert again.data == fixed.data and not again.done
    if not fixed.done:
        assert fixed.data == text.encode()


def test_standard_input_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed(monkeypatch, BROKEN)
    assert main(["check", "-", "--fix", "--stdin-filename", "p.netsor"]) == 0
    out, err = capsys.readouterr()
    assert out == WHOLE and "p.netsor:6: fixed" in err


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


@pytest.mark.parametrize("command", [["check"], ["fmt"], ["show"], ["eval"], ["eval", "--json"]])
def test_every_reader_takes_standard_input(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "vector x ~ N(0,1)\noutput m := mean(x * x)\n")
    assert main([*command, "-"]) == 0
    assert "m" in capsys.readouterr().out
    typed(monkeypatch, "vector x ~ N(0,1)\noutput m := mean(x * \n")
    assert main([command[0], "-", "--stdin-filename", "typed.netsor"]) == 1
    assert "typed.netsor:2" in capsys.readouterr().err

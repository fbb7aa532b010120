"""Programs with hardly anything in them, and with functions of n that grow: every command has an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsor.cli.main import main

PROGRAMS = {
    "a vector": "vector x ~ N(0, 1)\n",
    "a matrix": "matrix W\n",
    "a number": "scalar c = 2\noutput c\n",
    "growing parts": "vector x ~ N(0, 1)\noutput a := mean(n/(n+1) * x^2)\n",
    "growing parts that cancel": "vector x ~ N(0, 1)\noutput a := mean((n + 1) * x^2 - n * x^2)\n",
}
COMMANDS = {
    "check": [],
    "show": [],
    "eval": [],
    "derive": ["--all"],
    "draw": [],
    "report": ["--width", "16"],
    "converge": ["--widths", "10", "--seeds", "2", "--jobs", "1"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", PROGRAMS)
def test_every_command_has_an_answer(
    what: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.netsor").write_text(PROGRAMS[what])
    assert main([command, "p.netsor", *COMMANDS[command]]) == 0
    assert "nan" not in capsys.readouterr().out.lower()


def test_a_program_without_instructions_is_an_empty_drawing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.netsor").write_text(PROGRAMS["a vector"])
    for options in (["--fold"], ["--unfold", "--no-key"], ["-o", str(tmp_path / "p.dot")]):
        assert main(["draw", str(tmp_path / "p.netsor"), *options]) == 0
    assert "</svg>" in capsys.readouterr().out

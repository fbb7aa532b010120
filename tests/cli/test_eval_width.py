"""`netsor eval --width`: absurd widths and draws are refused in words about them, before anything is allocated."""

import json
from pathlib import Path

import pytest

from netsor.cli.main import main

PROGRAM = "matrix W\nvector v ~ N(0, 1)\nx := W v\noutput m := mean(x^2)\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "p.netsor").write_text(PROGRAM, encoding="utf-8")
    return str(tmp_path / "p.netsor")


def status(*arguments: str) -> int:
    try:
        return main(list(arguments))
    except SystemExit as e:
        return int(e.code or 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--width", "1e30"), "width 1e30 needs"),
        (("--width", "1e18"), "width 1e18 needs"),
        (("--width", "1e400"), "width 1e400 needs"),
        (("--width", "1e5000"), "`1e5000` is far beyond anything that can be run"),
        (("--width", "0"), "the width is 0"),
        (("--width=-3",), "the width is -3"),
        (("--width", "nan"), "`nan` is not a whole number"),
        (("--width", "inf"), "`inf` is not a whole number"),
        (("--width", "1.5"), "`1.5` is not a whole number"),
        (("--width", "1e-400"), "`1e-400` is not a whole number"),
        (("--width", "100,"), "`` is not a whole number"),
        (("--width", "100..10"), "`100..10` ends before it starts"),
        (("--width", "1..1e400"), "`1..1e400` is far beyond anything that can be run"),
        (("--width", "8,9", "--law", "x"), "`--law` compares with one width, and `--width` names 2"),
        (("--width", "8", "--seeds", "0"), "`0` is not at least 1"),
        (("--seeds", "0"), "`0` is not at least 1"),
        (("--limit", "--seeds=-1"), "`-1` is not at least 1"),
        (("--width", "8", "--seeds", "1e30"), "1e30 draws"),
    ],
)
def test_absurd_numbers(path: str, capsys: pytest.CaptureFixture, options: tuple[str, ...], said: str) -> None:
    assert status("eval", path, *options) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_powers_of_ten_are_the_integers_they_say(path: str, capsys: pytest.CaptureFixture) -> None:
    assert status("eval", path, "--width", "1e2", "--seeds", "1_0", "--json") == 0
    found = json.loads(capsys.readouterr().out)["outputs"]["m"]["finite"]
    assert found["width"] == 100 and found["seeds"] == 10


@pytest.mark.parametrize("line", ["y := log(x)", "y := relu''(x)"])
def test_a_program_without_values_is_at_fault_itself(tmp_path: Path, capsys: pytest.CaptureFixture, line: str) -> None:
    path = tmp_path / "q.netsor"
    path.write_text(f"vector x ~ N(0, 1)\n{line}\noutput m := mean(y)\n", encoding="utf-8")
    assert status("eval", str(path), "--width", "64") == 1
    assert "error[E70" in capsys.readouterr().err


def test_several_widths_are_single_runs_side_by_side(path: str, capsys: pytest.CaptureFixture) -> None:
    assert status("eval", path, "--width", "10,1e2", "--seeds", "3", "--json") == 0
    both = json.loads(capsys.readouterr().out)["outputs"]["m"]["finite"]
    for n, found in zip((10, 100), both, strict=True):
        assert status("eval", path, "--width", str(n), "--seeds", "3", "--json") == 0
        assert found == json.loads(capsys.readouterr().out)["outputs"]["m"]["finite"]
    assert status("eval", path, "--width", "10..100", "--limit") == 0
    text = capsys.readouterr().out
    assert "limit, and widths 10, 32, 100 (1 seed" in " ".join(text.split()) and "width 32" in text


def test_what_is_done_is_told_where_a_later_width_does_not_fit(path: str, capsys: pytest.CaptureFixture) -> None:
    assert status("eval", path, "--width", "10,1e15") == 2
    out, err = capsys.readouterr()
    assert "width 10 " in out and "width 1e15 needs" in " ".join(err.split())

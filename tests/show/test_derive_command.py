"""`netsor derive` and `netsor eval --law` as commands: what they print, and every bad input one line."""

import json
from pathlib import Path

import numpy as np
import pytest

import netsor
from netsor.cli.main import main

PROGRAMS = Path(netsor.__file__).parent.parent / "programs"
ALGORITHM = str(PROGRAMS / "algorithm1.netsor")
REMARK = str(PROGRAMS / "remark_b5.netsor")
NETWORK = str(next((PROGRAMS / "networks").glob("*.netsor")))


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.netsor"
    path.write_text("vector x ~ N(0, 1)\nz := x x\noutput mean(w)\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", ["text", "latex", "md"])
def test_formats(form, capsys):
    assert main(["derive", ALGORITHM, "--format", form]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    start = {"text": "algorithm1: the limit", "latex": "\\documentclass", "md": "## algorithm1"}[form]
    assert out.out.startswith(start)


def test_of_takes_outputs_vectors_and_scalars(capsys):
    for name, piece in [
        ("Δf̃", "Δf̃ → E Z^v"),
        ("h̃", "Z^h̃ = Ẑ^{Wz̃}"),
        ("θ", "θ → θ̊ ="),
        ("g", "(Z^g, Z^g̃)"),
        ("f", "f̊ = 0.3"),
    ]:
        assert main(["derive", ALGORITHM, "--of", name]) == 0
        out = capsys.readouterr().out
        assert piece in out or name == "g" and "Z^g ~ N(0, 1)" in out
        assert ("Z^{δx̃}" in out) is (name == "Δf̃")


def test_numbers_and_settings(capsys):
    assert main(["derive", str(PROGRAMS / "marchenko_pastur.netsor"), "--set", "K=3", "--numbers"]) == 0
    out = capsys.readouterr().out
    assert "m[3] →" in out and "m[4]" not in out and "= 5 " in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["derive", ALGORITHM, "--of", "δx"], 2, "did you mean `δx̃`?"),
        (["derive", ALGORITHM, "--of", "W"], 2, "`W` is not a variable"),
        (["derive", NETWORK], 1, "--inputs"),
        (["derive", "nowhere.netsor"], 2, "nowhere.netsor"),
        (["derive", ALGORITHM, "--format", "pdf"], 2, "cannot be `pdf`"),
        (["eval", ALGORITHM, "--law", "hh"], 2, "did you mean `h`?"),
        (["eval", ALGORITHM, "--law", "θ"], 2, "`θ` is not a vector"),
        (["eval", NETWORK, "--law", "x"], 1, "--inputs"),
        (["eval", ALGORITHM, "--law", "h", "--samples", "10"], 2, "--samples-to"),
        (["eval", ALGORITHM, "--law", "h", "--samples-to", "a.npy"], 2, "how many draws"),
        (["eval", ALGORITHM, "--law", "h", "--samples", "10", "--samples-to", "a.xls"], 2, ".npy"),
        (["eval", ALGORITHM, "--law", "h", "--samples", "10", "--samples-to", "/nowhere/a.npy"], 2, "/nowhere"),
        (["eval", ALGORITHM, "--law", "h", "--plot", "a.svg"], 2, "--width"),
        (["eval", ALGORITHM, "--law", "h", "--samples", "-3", "--json"], 2, "at least 1"),
    ],
)
def test_bad_input(arguments, status, message, capsys):
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err
    assert found == status


def test_a_program_with_errors_gets_its_diagnostics(bad, capsys):
    for command in (["derive", bad], ["eval", bad, "--law", "x"]):
        assert main(command) == 1
        out = capsys.readouterr()
        assert out.out == "" and out.err.count("error[") == 2


def test_law_in_text(capsys):
    assert main(["eval", REMARK, "--law", "x,v"]) == 0
    out = capsys.readouterr().out
    assert "Ẑ of x" in out and "Ż of x" in out and "Ż of v = 0" in out
    assert "Cov(Z^x, Z^v) = 1 ±" in out and "correlation 0.707107" in out
    assert "-3.28995" in out


def test_law_in_json_with_draws_and_a_finite_run(capsys):
    arguments = ["eval", REMARK, "--law", "x,v", "--samples", "5", "--width", "400", "--seeds", "9", "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    x = result["law"]["vectors"]["x"]
    assert x["variance"]["value"] == pytest.approx(2) and x["dot"]["variance"]["value"] == pytest.approx(1)
    assert [len(v) for v in result["samples"].values()] == [5, 5]
    assert result["finite"]["holds"] is True and result["finite"]["seeds"] == 9
    assert sum(result["finite"]["vectors"]["x"]["histogram"]["finite"]) == pytest.approx(1)


@pytest.mark.parametrize("suffix", ["npy", "csv", "json"])
def test_draws_to_a_file(suffix, tmp_path, capsys):
    path = tmp_path / f"draws.{suffix}"
    assert main(["eval", REMARK, "--law", "x,v", "--samples", "50", "--samples-to", str(path)]) == 0
    assert "50 draws are in" in capsys.readouterr().out
    if suffix == "npy":
        found = np.load(path)
    elif suffix == "csv":
        found = np.loadtxt(path, delimiter=",")
    else:
        found = np.array(list(json.loads(path.read_text(encoding="utf-8")).values())).T
    assert found.shape == (50, 2)


def test_a_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "law.png"
    assert main(["eval", REMARK, "--law", "x", "--width", "300", "--plot", str(path)]) == 0
    assert path.stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "quantiles of the coordinates of x" in out and "part 1 of Theorem B.4: no contradiction" in out


def test_a_limit_that_does_not_exist_is_told_below_its_line(tmp_path, capsys):
    path = tmp_path / "a.netsor"
    path.write_text("vector x ~ N(0, 1)\noutput m := mean(exp(x^2))\noutput k := mean(x^2)\n", encoding="utf-8")
    assert main(["derive", str(path)]) == 0
    assert "m → E exp((Z^x)²)" in capsys.readouterr().out
    assert main(["derive", str(path), "--numbers"]) == 1
    out = capsys.readouterr().out
    assert "the limit of `m` does not exist" in out and "k → E (Z^x)² = 1" in out


def test_lines_without_a_number_are_told_on_standard_error(tmp_path, capsys):
    path = tmp_path / "p.netsor"
    head = "vector x, y ~ N(0, 1)\nmatrix W\n"
    path.write_text(f"{head}r := mean(x) / mean(y)\noutput r\noutput b := 2 r\n", encoding="utf-8")
    assert main(["derive", str(path), "--numbers"]) == 1
    err = capsys.readouterr().err
    assert "error[E801]: `r`, `b` have no limit" in err and "E804" not in err
    path.write_text(f"{head}vector c ~ N(1e300, 0)\nh := W c\noutput a := mean(h^2)\n", encoding="utf-8")
    assert main(["derive", str(path), "--numbers"]) == 1
    err = capsys.readouterr().err
    assert "error[E804]: `a` has no number that was found" in err and "E801" not in err

"""The command line: exit statuses, streams, JSON, and every bad input that a call can hold."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from processes import NETSOR, handles_signals, started, waits

from netsor.cli.main import main

GOOD = "program good\nvector x ~ N(0, 1)\nmatrix W\nh := W x\noutput m := mean(h^2)\noutput Δ := mean(tanh(h)^2)\n"
BAD = "vector x ~ N(0, 1)\nz := x x\noutput mean(w)\n"
WARNED = "vector x ~ N(0, 1)\ny := tanh(x)\n"
NO_LIMIT = "vector x ~ N(0, 1)\noutput good := mean(x^2)\noutput bad := mean(exp(x^2))\n"


@pytest.fixture
def write(tmp_path: Path):
    def make(text: str, name: str = "p.netsor") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def strict(text: str):
    """JSON as everyone reads it: one object, no NaN and no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(list(arguments))
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else 1
    out, err = capsys.readouterr()
    assert "Traceback" not in err and "Traceback" not in out
    return status, out, err


def netsor(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*NETSOR, *arguments], capture_output=True, text=True, **options)


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_json(write, capsys) -> None:
    path = write(GOOD)
    status, out, err = call(capsys, "check", path, "--json")
    assert status == 0 and err == ""
    result = strict(out)
    assert list(result) == ["ok", "files"] and result["ok"] is True
    (file,) = result["files"]
    assert list(file) == ["file", "kind", "language", "variables", "assumptions", "diagnostics"]
    assert file["file"] == path and file["kind"] == "program" and file["language"] == "NETSOR"
    kinds = {v["name"]: (v["kind"], v["instruction"], v["line"]) for v in file["variables"]}
    assert kinds["h"] == ("G-var", "MATMUL", 4) and kinds["W"][0] == "matrix" and kinds["m"] == ("scalar", "MOMENT", 5)
    assert all(set(v) == {"name", "kind", "instruction", "line"} for v in file["variables"])
    assert set(file["assumptions"]["B8"]) >= {"holds", "because", "line"} and file["assumptions"]["B8"]["holds"] is True
    assert file["diagnostics"] == []


def test_check_json_of_a_faulty_file(write, capsys) -> None:
    status, out, err = call(capsys, "check", write(BAD), "--json")
    assert status == 1 and "E301" in err and "E201" in err
    result = strict(out)
    assert result["ok"] is False
    assert [d["code"] for d in result["diagnostics"]] == ["E301", "E201"]
    for d in result["diagnostics"]:
        assert set(d) >= {"code", "severity", "message", "line", "column", "end_line", "end_column", "hint"}
    first = result["diagnostics"][0]
    assert (first["line"], first["column"], first["end_line"], first["end_column"]) == (2, 6, 2, 9)


def test_check_of_several_files_reports_all(write, capsys) -> None:
    status, out, err = call(capsys, "check", write(GOOD, "a.netsor"), write(BAD, "b.netsor"), write(WARNED, "c.netsor"))
    assert status == 1
    assert "a.netsor" in out and "E301" in err and "W904" in err


def test_warnings_do_not_fail(write, capsys) -> None:
    status, out, err = call(capsys, "check", write(WARNED), "--json")
    assert status == 0 and "W904" in err
    assert [d["severity"] for d in strict(out)["files"][0]["diagnostics"]] == ["warning"]


def test_require(write, capsys) -> None:
    step = write("vector x ~ N(0, 1)\noutput mean(step(x))\n")
    assert call(capsys, "check", step)[0] == 0
    status, _, err = call(capsys, "check", step, "--require", "B8")
    assert status == 1 and "E950" in err and "step" in err
    assert call(capsys, "check", write(GOOD), "--require", "B8")[0] == 0
    assert call(capsys, "check", step, "--require", "A7")[0] == 2


# --- eval -------------------------------------------------------------------------------------------------------------


def test_eval_json(write, capsys) -> None:
    path = write(GOOD)
    status, out, err = call(capsys, "eval", path, "--json")
    assert status == 0 and err == ""
    result = strict(out)
    assert list(result) == ["program", "outputs"] and result["program"] == "good"
    assert list(result["outputs"]) == ["m", "Δ"]
    assert list(result["outputs"]["m"]) == ["limit"], "keys only for what was asked"
    limit = result["outputs"]["m"]["limit"]
    assert list(limit) == ["value", "error", "method"] and abs(limit["value"] - 1) <= limit["error"] <= 1e-9


def test_eval_json_of_a_run(write, capsys) -> None:
    path = write(GOOD)
    result = strict(call(capsys, "eval", path, "--width", "64", "--seeds", "3", "--json")[1])
    finite = result["outputs"]["m"]["finite"]
    assert list(result["outputs"]["m"]) == ["finite"]
    assert (finite["width"], finite["seeds"], len(finite["values"])) == (64, 3, 3)
    assert finite["mean"] == pytest.approx(sum(finite["values"]) / 3) and finite["stderr"] > 0
    one = strict(call(capsys, "eval", path, "--width", "64", "--json")[1])["outputs"]["m"]["finite"]
    assert one["stderr"] is None and one["values"] == finite["values"][:1]
    both = strict(call(capsys, "eval", path, "--limit", "--width", "64", "--json")[1])["outputs"]["m"]
    assert set(both) == {"limit", "finite"}


def test_a_limit_that_does_not_exist(write, capsys) -> None:
    path = write(NO_LIMIT)
    status, out, err = call(capsys, "eval", path)
    assert status == 1 and "E801" in err and ":3:" in err and "does not exist" in out
    assert not re.search(r"\bnan\b|\binf\b", out, re.I)
    status, out, err = call(capsys, "eval", path, "--json")
    result = strict(out)
    assert status == 1 and result["ok"] is False
    assert result["outputs"]["bad"]["limit"]["value"] is None
    assert result["outputs"]["good"]["limit"]["value"] == pytest.approx(1)
    assert result["diagnostics"][0]["code"] == "E801" and result["diagnostics"][0]["line"] == 3


def test_values_that_are_not_finite_are_null(write, capsys) -> None:
    path = write("vector x ~ N(0, 1)\noutput m := mean(log(x))\n")
    out = call(capsys, "eval", path, "--width", "50", "--seeds", "2", "--json")[1]
    if "outputs" in strict(out):
        assert strict(out)["outputs"]["m"]["finite"]["mean"] is None


def test_a_budget_without_end(write, capsys, tmp_path: Path) -> None:
    """Every command takes `--budget inf`, and E (sin Z)², Z ~ N(0, 1 + ξ²), is (1 − e^{−2(1 + ξ²)})/2."""
    network = write(
        "network g(ξ : 1)\nmatrix U : (n, 1)\nvector b, v ~ N(0, 1)\ntrain U, b, v\noutput f := vᵀ sin(U ξ + b) / √n\n"
    )
    rows = tmp_path / "x.json"
    rows.write_text("[[1.0]]")
    program, inputs, test = write(GOOD, "good.netsor"), ["--inputs", str(rows)], ["--test", str(rows)]
    for call in (
        ["eval", program], ["report", program], ["derive", program, "--numbers"],
        ["converge", program, "--widths", "10,20", "--seeds", "2"], ["ntk", network, *inputs, "--json"],
        ["train", network, *inputs, "--targets", str(rows), "--steps", "1", "--limit"],
        ["predict", network, *inputs, "--targets", str(rows), *test, "--noise", "1", "--json"],
    ):  # fmt: skip
        assert main([*call, "--budget", "inf"]) == 0
        out = capsys.readouterr().out
    k = -np.expm1(-4) / 2
    assert abs(strict(out)["mean"][0][0] - k / (k + 1)) <= 1e-9
    with pytest.raises(SystemExit):
        main(["eval", program, "--budget", "nan"])
    assert "E010" in capsys.readouterr().err


def test_set_and_data(write, capsys, tmp_path: Path) -> None:
    path = write("param s = 2\ndata X : (2,)\nvector x ~ N(0, s)\noutput m := mean(x^2) * X[2]\n")
    numbers = tmp_path / "x.json"
    numbers.write_text("[1, 3]")
    status, out, _ = call(capsys, "eval", path, "--set", "s=5", "--data", f"X={numbers}", "--json")
    assert status == 0 and strict(out)["outputs"]["m"]["limit"]["value"] == pytest.approx(15)
    status, out, _ = call(capsys, "eval", path, "--set", "s=1/4", "--data", f"X={numbers}", "--json")
    assert strict(out)["outputs"]["m"]["limit"]["value"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "content", ["[1, 3", "[[1], [2, 3]]", '["a", 1]', "[1, NaN]", "[1, 1e999]", "[]", "{}", "null", "[1, 2, 3]"]
)
def test_data_that_cannot_be_used(write, capsys, tmp_path: Path, content: str) -> None:
    path = write("data X : (2,)\nvector x ~ N(0, 1)\noutput m := mean(x^2) * X[2]\n")
    numbers = tmp_path / "x.json"
    numbers.write_text(content)
    status, out, err = call(capsys, "eval", path, "--data", f"X={numbers}", "--json")
    assert status in (1, 2) and len(re.findall(r"error\[?", err)) == 1, err
    assert strict(out)["ok"] is False
    assert "X" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eval", "FILE", "--set", "q=3"], "q"),
        (["eval", "FILE", "--set", "s"], "NAME=VALUE"),
        (["eval", "FILE", "--set", "s=abc"], "abc"),
        (["eval", "FILE", "--set", "s=1e999"], "s"),
        (["eval", "FILE", "--set", "s=1/0"], "0"),
        (["eval", "FILE", "--data", "Q=nowhere.npy"], "nowhere"),
        (["eval", "FILE", "--data", "Q"], "NAME=FILE"),
        (["eval", "FILE", "--width", "0"], "width"),
        (["eval", "FILE", "--width", "-3"], "width"),
        (["eval", "FILE", "--width", "1.5"], "1.5"),
        (["eval", "FILE", "--width", "1e12"], "memory"),
        (["eval", "FILE", "--width", "x"], "x"),
        (["eval", "FILE", "--seeds", "0", "--width", "8"], "seed"),
        (["eval", "FILE", "--tol", "-1"], "tol"),
        (["eval", "FILE", "--tol", "nan"], "tol"),
        (["eval", "nowhere.netsor"], "nowhere"),
        (["eval", "."], "folder"),
        (["check"], "FILE"),
        (["nonsense"], "nonsense"),
        ([], "COMMAND"),
        (["explain", "E999"], "E999"),
        (["check", "FILE", "--require", "B9"], "B9"),
        (["eval", "FILE", "--engine", "quantum"], "engine"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_wrong_usage(write, capsys, arguments: list[str], expected: str) -> None:
    path = write("param s = 2\nvector x ~ N(0, s)\nmatrix W\noutput m := mean((W x)^2)\n")
    status, out, err = call(capsys, *[path if a == "FILE" else a for a in arguments])
    assert status == 2 and out == ""
    assert expected in err and err.startswith("error")


def test_not_utf8_and_empty(capsys, tmp_path: Path) -> None:
    path = tmp_path / "p.netsor"
    path.write_bytes("vector x ~ N(0, 1)\n# é\n".encode("latin-1"))
    assert call(capsys, "check", str(path))[0] == 2
    path.write_bytes(b"")
    status, _, err = call(capsys, "check", str(path))
    assert status == 1 and "no statement" in err
    path.write_bytes(b"\xef\xbb\xbfvector x ~ N(0, 1)\r\noutput mean(x^2)\r\n")
    assert call(capsys, "check", str(path))[0] == 0


# --- show, fmt, explain -----------------------------------------------------------------------------------------------


def test_show_is_a_valid_program(write, capsys) -> None:
    path = write(GOOD)
    status, first, _ = call(capsys, "show", path)
    assert status == 0 and "MATMUL: h := W x" in first
    assert call(capsys, "show", write(first, "again.netsor"))[1] == first
    assert call(capsys, "show", write(BAD))[0] == 1


def test_fmt_leaves_the_file_whole_on_a_full_disk(write, capsys, monkeypatch, tmp_path: Path) -> None:
    path = write("vector   x~N(0,1)\noutput mean( x^2 )\n")
    before = Path(path).read_text()
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    status, _, err = call(capsys, "fmt", path)
    assert status == 2 and "error[E031]" in err and "no space left on device" in err
    assert Path(path).read_text() == before and [p.name for p in tmp_path.iterdir()] == ["p.netsor"]


def test_fmt_check(write, capsys) -> None:
    path = write("vector   x~N(0,1)\noutput mean( x^2 )\n")
    assert call(capsys, "fmt", path, "--check")[0] == 1
    assert call(capsys, "fmt", path)[0] == 0
    assert call(capsys, "fmt", path, "--check")[0] == 0


def test_explain(capsys) -> None:
    status, out, _ = call(capsys, "explain", "e301")
    assert status == 0 and "x ⊙ y" in out and "Def. 4.1" in out
    status, out, _ = call(capsys, "explain")
    assert status == 0 and len(out.splitlines()) > 60


# --- processes --------------------------------------------------------------------------------------------------------


def test_a_pipe_that_closes_early(write) -> None:
    lines = "vector x ~ N(0, 1)\n" + "".join(f"y{i} := tanh(x)\n" for i in range(3000)) + "output mean(x^2)\n"
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m netsor.cli.main show {write(lines)} | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "0"


def test_a_full_disk_for_the_output(write) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "netsor.cli.main", "show", write(GOOD)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2 and "the output could not be written: no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_ascii_terminal_shows_names(write) -> None:
    done = netsor("eval", write(GOOD), env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, encoding="utf-8")
    assert done.returncode == 0 and "Δ" in done.stdout


def test_interrupt_ends_cleanly(write) -> None:
    with started([*NETSOR, "eval", write(GOOD), "--width", "1000", "--seeds", "1000000"]) as process:
        assert waits(lambda: handles_signals(process))
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err
    done = re.search(r"interrupted after (\d+) of 1000000 seeds", err)
    if done:  # on a busy machine no seed may be finished yet
        assert f"width 1000 ({done.group(1)} seed" in out, "what was finished is reported as what it is"
    else:
        assert out == ""


def test_ten_thousand_lines(write) -> None:
    lines = "vector x0 ~ N(0, 1)\nmatrix W\n" + "".join(
        f"x{i} := {'tanh' if i % 2 else 'W'}(x{i - 1})\n" for i in range(1, 10_000)
    )
    done = netsor("check", write(lines + "output mean(x9^2)\n"), "--json")
    assert done.returncode == 0 and len(strict(done.stdout)["files"][0]["variables"]) > 10_000


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("check", ()),
        ("eval", ()),
        ("show", ()),
        ("derive", ()),
        ("draw", ()),
        ("report", ()),
        ("converge", ("--widths", "10")),
        ("backward", ()),
        ("ntk", ("--inputs", "X.csv")),
        ("sgd", ("--inputs", "X.csv", "--targets", "y.csv", "--steps", "1")),
        ("train", ("--inputs", "X.csv", "--targets", "y.csv", "--steps", "1")),
    ],
)
def test_faults_of_a_text_are_told_once(command, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.netsor").write_text("network bad(ξ : 2)\nmatrix U : (n, 2)\nx := V ξ\n")
    (tmp_path / "X.csv").write_text("1,0\n0,1\n")
    (tmp_path / "y.csv").write_text("1\n-1\n")
    assert main([command, "bad.netsor", *options]) == 1
    assert capsys.readouterr().err.count("error[E201]") == 1

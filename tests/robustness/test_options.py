"""Options that do nothing are refused, wrong calls with --json print an object, unknown names raise in Python too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netsor.api import load, loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.finite import memory

PROGRAM = "program p\nmatrix W\nvector x ~ N(0, 1)\nh := W tanh(x)\noutput k := mean(h^2)\n"
NETWORK = """network m(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
train U, W, v
x := tanh(U ξ)
output f := vᵀ tanh(W x) / √n
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.netsor").write_text(PROGRAM)
    (tmp_path / "m.netsor").write_text(NETWORK)
    (tmp_path / "X.csv").write_text("1,0.5\n-0.5,1\n")
    (tmp_path / "y.csv").write_text("1\n-1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(arguments: str) -> int:
    try:
        return main(arguments.split())
    except SystemExit as stop:
        return int(stop.code or 0)


TRAIN = "m.netsor --inputs X.csv --targets y.csv --steps 1"
IDLE = [
    "eval p.netsor --samples 5",
    "eval p.netsor --samples-to s.npy",
    "eval p.netsor --plot p.png",
    "eval p.netsor --seeds 3",
    "eval p.netsor --seed 3",
    "eval p.netsor --dtype float32",
    "eval p.netsor --engine lazy",
    "eval p.netsor --device cpu",
    "eval p.netsor --width 10 --tol 1",
    "eval p.netsor --width 10 --budget 1",
    "eval p.netsor --width 10 --explain",
    "eval p.netsor --law h --explain",
    "eval p.netsor --law h --limit",
    "eval p.netsor --law h --seed 3",
    "eval p.netsor --law h --seeds 3",
    "derive p.netsor --tol 1",
    "derive p.netsor --budget 1",
    "draw p.netsor -o p.dot --theme dark",
    "draw p.netsor -o p.dot --no-key",
    "check m.netsor --inputs X.csv",
    "report m.netsor --width 10",
    "report m.netsor --tol 1",
    "report p.netsor --width 0 --seeds 2",
    "ntk m.netsor --inputs X.csv --seeds 2",
    "ntk m.netsor --inputs X.csv --seed 2",
    "ntk m.netsor --inputs X.csv --width 10 --tol 1",
    "ntk m.netsor --inputs X.csv --width 10 --budget 1",
    f"train {TRAIN} --seeds 2",
    f"train {TRAIN} --seed 2",
    f"train {TRAIN} --width 10 --tol 1",
    f"train {TRAIN} --width 10 --budget 1",
    f"sgd {TRAIN} --seed 2",
    "converge p.netsor --widths 10 --resume --overwrite",
    "converge p.netsor --widths 10 --jobs 1 --dask tcp://127.0.0.1:1",
]


@pytest.mark.parametrize("arguments", IDLE)
def test_an_option_that_does_nothing_is_refused(
    arguments: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert call(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "E010" in err and sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        "eval --json --width abc p.netsor",
        "eval --json p.netsor --samples 5",
        "eval --json",
        "eval p.netsor --json --nobody",
        "--json",
        "nobody --json",
        "converge p.netsor --json --widths ten",
        "ntk m.netsor --json --inputs X.csv --width 10 --paths",
        "check nobody.netsor --json",
        "check p.netsor --format json --require A5",
        "eval p.netsor --width 10 --seed 18446744073709551616 --json",
        "eval p.netsor --width 10 --seed -1 --json",
        "train m.netsor --json --inputs X.csv --targets y.csv --steps x",
    ],
)
def test_wrong_usage_is_an_object_too(arguments: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and found["diagnostics"][0]["severity"] == "error"


def test_an_assumption_without_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "p.netsor", "--require", ""]) == 2
    assert main(["check", "p.netsor", "--require", "B8,"]) == 2
    assert "E023" in capsys.readouterr().err


def test_a_limit_that_is_there_is_told_where_the_run_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("eval p.netsor --limit --width 1e15 --json") == 2
    found = json.loads(capsys.readouterr().out)
    # E tanh(x)² for x ~ N(0, 1), by thirty-digit quadrature.
    assert found["outputs"]["k"]["limit"]["value"] == pytest.approx(0.394294490397841174416, rel=1e-12)
    assert found["ok"] is False and [d["code"] for d in found["diagnostics"]] == ["E702"]


def test_a_report_that_told_an_error_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "q.netsor").write_text("vector x ~ N(0, 1)\noutput a := mean(log(x - 100))\n")
    status = call("report q.netsor --width 64 -o q.html")
    assert ("error[" in capsys.readouterr().err) == (status == 1) and status == 1


def test_what_is_unknown_raises(folder: Path) -> None:
    document, program = load("m.netsor"), loads(PROGRAM)
    rows = [[1.0, 0.5]]
    for wrong in (
        lambda: document.ntk(rows, method="path"),
        lambda: document.ntk([["a", "b"]]),
        lambda: document.ntk("X.csv"),
        lambda: document.ntk([[1j, 2]]),
        lambda: document.train(rows, [None], steps=1),
        lambda: document.train(rows, [1], steps=1, f0="guess"),
        lambda: program.limit(outputs=["nobody"]),
        lambda: program.run(10, outputs=["nobody"]),
        lambda: program.run(10, engine="eager"),
        lambda: program.run(10, dtype="float16"),
        lambda: program.run(10, seed=2**64),
        lambda: program.run(10, seed=-1),
        lambda: program.run(10, seed=0.5),
        lambda: program.run(10, seed="0"),
        lambda: loads("param k = 1\noutput k\n", set={"k": 10**400}),
        lambda: loads("param k = 1\noutput k\n", set={"k": 1j}),
        lambda: loads("param k = 1\noutput k\n", set={"k": None}),
    ):
        with pytest.raises(NetsorError):
            wrong()


def test_limits_of_the_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of this process is read from /proc")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + memory.RESERVE + 10**9
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert memory.available() <= 1.1e9
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1000, 1000))
    assert memory.available() == 0


@pytest.mark.parametrize("columns", ["abc", "", "0", "-5", "1", "9" * 5000, "１００", "1e3"])
def test_columns_that_are_no_number(
    columns: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    (folder / "bad.netsor").write_text("vector x ~ N(0, 1)\noutput mean(y)\n")
    assert main(["check", "bad.netsor"]) == 1
    err = capsys.readouterr().err
    assert "E201" in err and "failed at something" not in err


def test_memory_that_ends(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from netsor.api import Document

    def ends(*_: object, **__: object) -> None:
        raise MemoryError

    for name, arguments in (("limit", "eval p.netsor --json"), ("train", f"train {TRAIN} --json")):
        monkeypatch.setattr(Document, name, ends)
        assert call(arguments) == 2
        assert [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]] == ["E702"]


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ("chekc p.netsor", "`check`"),
        ("eval p.netsor --widht 3", "`--width`"),
        ("eval p.netsor --widht=3", "`--width`"),
        ("eval p.netsor --engine lzy", "`lazy`"),
        ("draw p.netsor --themes dark", "`--theme`"),
        ("frobnicate p.netsor", None),
        ("eval p.netsor --frobnicate", None),
    ],
)
def test_a_near_word_is_offered(
    arguments: str, near: str | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "E010" in err and "--help" in err or "choices are" in err
    assert (f"did you mean {near}?" in err) if near else "did you mean" not in err

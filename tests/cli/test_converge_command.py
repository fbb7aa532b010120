"""`netsor converge`: JSON, verdicts, what is kept when it is interrupted, and what it refuses before it starts."""

import json
from pathlib import Path

import pytest

from netsor.cli.main import main
from netsor.cli.options import widths_of

PROGRAM = """program square
matrix W
vector x ~ N(0, 1)
h := W tanh(x)
output k := mean(h^2)
output away := mean(x)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.netsor").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def converge(*options: str) -> int:
    return main(["converge", "p.netsor", "--jobs", "1", *options])


def test_finite_widths_agree_with_the_limit(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert converge("--widths", "1e2..1e4", "--seeds", "30", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["program"] == "square" and found["interrupted"] is False
    k = found["outputs"]["k"]
    # E tanh(x)² for x ~ N(0, 1), by thirty-digit quadrature.
    assert k["limit"]["value"] == pytest.approx(0.394294490397841174416, rel=1e-12)
    assert [row["width"] for row in k["finite"]] == [100, 316, 1000, 3162, 10000]
    assert k["verdict"] == "agrees"
    assert k["spread"]["value"] == pytest.approx(-0.5, abs=0.2)
    assert not list(folder.glob("*.jsonl"))


def test_a_wrong_limit_is_told(folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsor.api import Document

    true = Document.limit

    def shifted(self: Document, *args: object, **options: object) -> object:
        result = true(self, *args, **options)  # type: ignore[arg-type]
        object.__setattr__(result.outputs["k"], "value", result.outputs["k"].value + 0.02)
        return result

    monkeypatch.setattr(Document, "limit", shifted)
    assert converge("--widths", "1000..100000", "--seeds", "30", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outputs"]["k"]["verdict"] == "disagrees"


def test_an_interrupted_study_goes_on(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import netsor.finite.converge as study

    true, calls = study.run_task, []

    def stops(task: study.Task) -> dict:
        calls.append(task.width)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true(task)

    monkeypatch.setattr(study, "run_task", stops)
    assert converge("--widths", "100,200,400,800", "--seeds", "4", "--json") == 130
    assert json.loads(capsys.readouterr().out)["interrupted"] is True
    assert (folder / "p.converge.jsonl").exists()
    assert converge("--widths", "100,200,400,800", "--seeds", "4", "--json", "--resume") == 0
    resumed = json.loads(capsys.readouterr().out)["outputs"]
    # Two widths were finished before the interruption and are not computed again.
    assert len(calls) == 3 + 2
    monkeypatch.setattr(study, "run_task", true)
    assert converge("--widths", "100,200,400,800", "--seeds", "4", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == resumed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--widths", "100", "--plot", "c.gif"), "E025"),
        (("--widths", "100", "--plot", "nowhere/c.svg"), "E02"),
        (("--widths", "100", "--dask", "tcp://127.0.0.1:1"), "E708"),
    ],
)
def test_refusals_come_before_the_work(folder: Path, capsys: pytest.CaptureFixture, options: tuple, said: str) -> None:
    assert main(["converge", "p.netsor", *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--widths", "1e2..1e30"), ("--widths", "10", "--seeds", "1e30")])
def test_what_cannot_be_run_is_refused_before_the_limit_is_taken(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, options: tuple
) -> None:
    from netsor.api import Document

    monkeypatch.setattr(Document, "limit", lambda *_, **__: pytest.fail("the limit was taken"))
    assert converge(*options) == 2
    assert "error[E70" in capsys.readouterr().err and not list(folder.glob("*.jsonl"))


def test_widths() -> None:
    assert widths_of("1e2..1e3") == [100, 316, 1000]
    assert widths_of("100, 50") == [100, 50]
    assert widths_of("64..64") == [64]


def test_a_picture_is_written(folder: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("matplotlib")
    assert converge("--widths", "100..1000", "--seeds", "5", "--plot", "c.svg") == 0
    assert "<svg" in (folder / "c.svg").read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_costs_what_cannot_be_written_alone(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert converge("--widths", "100,200", "--seeds", "4", "--json", "--store", "/dev/full") == 2
    out = capsys.readouterr()
    assert "error[E707]" in out.err and len(json.loads(out.out)["outputs"]["k"]["finite"]) == 2
    # The file that is kept only in case of an interruption.
    (folder / "p.converge.jsonl").symlink_to("/dev/full")
    assert converge("--widths", "100,200", "--seeds", "4", "--json") == 0
    assert "warning[E707]" in capsys.readouterr().err
    pytest.importorskip("matplotlib")
    (folder / "c.svg").symlink_to("/dev/full")
    assert converge("--widths", "100,200", "--seeds", "4", "--json", "--plot", "c.svg") == 2
    out = capsys.readouterr()
    assert "the picture cannot be written to `c.svg`" in out.err and json.loads(out.out)["interrupted"] is False


def test_a_limit_that_was_not_computed_is_not_said_not_to_exist(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """E exp(100 Z) = e^5000 exists and is no floating-point number; E exp(Z²) is infinite."""
    text = "vector x ~ N(0, 1)\noutput far := mean(exp(100 * x))\noutput bad := mean(exp(x^2))\n"
    (folder / "p.netsor").write_text(text, encoding="utf-8")
    assert converge("--widths", "30,60", "--seeds", "3") == 1
    out = capsys.readouterr().out
    assert "far: limit not computed" in out and "bad: limit does not exist" in out
    assert out.count("verdict: no limit known") == 2

"""The store of a study: nobody else's file, no result lost, no two processes at once, no worker without its parent."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from processes import NETSOR, children, ended, started, waits

from netsor.api import loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.finite import converge as module
from netsor.finite.converge import converge, fingerprint
from netsor.finite.store import Store, verify_store

PROGRAM = "program p\nmatrix W\nvector x ~ N(0, 1)\nh := W tanh(x)\noutput k := mean(h^2)\n"
RUN = ["converge", "p.netsor", "--widths", "10", "--seeds", "3", "--jobs", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.netsor").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FOREIGN = {
    "p.netsor": PROGRAM.encode(),
    "numbers.json": b"[1, 2]",
    "objects.jsonl": b'{"study": "x", "width": 10}\n{"study": "y"}\n',
    "picture.png": bytes(range(256)),
    "one.txt": b"{",
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("how", ["--resume", "--overwrite", None])
def test_a_file_that_is_no_store_is_left_alone(
    name: str, how: str | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_bytes(FOREIGN[name])
    if name == "one.txt" and how is not None:
        return  # what a store has of its first line, if it was killed there
    assert main([*RUN, "--store", name, *([how] if how else [])]) == 2
    assert "E711" in capsys.readouterr().err
    assert (folder / name).read_bytes() == FOREIGN[name]


def test_results_are_not_deleted_in_silence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--store", "s.jsonl"]) == 0
    before = (folder / "s.jsonl").read_bytes()
    assert main([*RUN, "--store", "s.jsonl"]) == 2
    assert "--resume" in capsys.readouterr().err and (folder / "s.jsonl").read_bytes() == before
    # Another seed is another study, and both keep their results.
    assert main([*RUN, "--store", "s.jsonl", "--resume", "--seed", "5"]) == 0
    assert (folder / "s.jsonl").read_bytes().startswith(before)
    assert main([*RUN, "--store", "s.jsonl", "--overwrite", "--seed", "5"]) == 0
    (line,) = (folder / "s.jsonl").read_text().splitlines()
    assert json.loads(line)["study"] not in before.decode()
    (folder / "empty.jsonl").write_bytes(b"")  # as `mktemp` makes it
    assert main([*RUN, "--store", "empty.jsonl"]) == 0


def test_the_file_that_nobody_asked_for_keeps_what_others_left(folder: Path) -> None:
    assert main([*RUN, "--store", "p.converge.jsonl"]) == 0
    before = (folder / "p.converge.jsonl").read_bytes()
    assert main(RUN) == 2
    assert main([*RUN, "--resume", "--seed", "5"]) == 0
    assert (folder / "p.converge.jsonl").read_bytes().startswith(before)
    (folder / "p.converge.jsonl").unlink()
    assert main(RUN) == 0 and not (folder / "p.converge.jsonl").exists()


def test_a_folder_that_cannot_be_written_to_prevents_no_study(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert main(RUN) == 0
    assert "warning[E707]" in capsys.readouterr().err
    assert main([*RUN, "--store", "s.jsonl"]) == 2
    assert "error[E707]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: {**line, "values": {"k": line["values"]["k"][:-1]}},
        lambda line: {**line, "values": {"k": [*line["values"]["k"][:-1], None]}},
        lambda line: {**line, "values": {"k": [*line["values"]["k"][:-1], float("nan")]}},
        lambda line: {**line, "values": {"k": [*line["values"]["k"][:-1], "1"]}},
        lambda line: {**line, "values": None},
        lambda line: {**line, "draws": line["draws"][:-1]},
        lambda line: {**line, "draws": [0, 1, "2"]},
        lambda line: {**line, "width": "10"},
        lambda line: {k: v for k, v in line.items() if k != "engine"},
        lambda line: [line],
    ],
)
def test_damaged_lines_are_computed_again_and_told(damage, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--store", "s.jsonl", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    line = json.loads((folder / "s.jsonl").read_text())
    kept = json.dumps({**line, "study": "another"})
    lines = [b'{"study": "half of a l', json.dumps(damage(line)).encode(), b"\xff", b"[" * 100_000, kept.encode()]
    (folder / "s.jsonl").write_bytes(b"\n".join(lines))
    assert main([*RUN, "--store", "s.jsonl", "--json", "--resume"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == whole and "warning[W712]: 4 lines are damaged" in err


def test_two_processes_do_not_write_to_one_store(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with Store(tmp_path / "s.jsonl", "a") as first:
        first.add({"width": 1, "engine": "dense", "draws": [0], "values": {"k": [1.0]}})
        for resume, overwrite in ((True, False), (False, True), (False, False)):
            with pytest.raises(NetsorError, match="E711"):
                Store(tmp_path / "s.jsonl", "b", resume, overwrite)
    with Store(tmp_path / "s.jsonl", "a", resume=True) as second:
        assert second.done(1, "dense", ["k"]) == {0}


def test_a_study_that_fails_leaves_no_empty_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_task", lambda task: (_ for _ in ()).throw(MemoryError))
    assert main(RUN) == 2
    assert [p.name for p in folder.iterdir()] == ["p.netsor"]


def test_a_worker_without_memory_hands_its_task_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import Future

    class Poor:
        def submit(self, *_: object) -> Future:
            done: Future = Future()
            done.set_exception(MemoryError())
            return done

    program = loads(PROGRAM).program
    study = converge(program, {}, [10], 3, executor=Poor())  # type: ignore[arg-type]
    assert [d.code for d in study.warnings] == ["W710"] and study.outputs["k"].seeds == (3,)
    assert fingerprint(program, 0, "float64")


def test_paths_that_are_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "s.jsonl", Path("\0"), tmp_path / ("x" * 300)):
        with pytest.raises(NetsorError, match="E707"):
            verify_store(path, False, False)
            Store(path, "a")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.slow), "SIGKILL"])
def test_workers_end_with_their_parent(name: str, folder: Path) -> None:
    arguments = ["converge", "p.netsor", "--widths", "10,4000", "--seeds", "50", "--engine", "dense", "--jobs", "2"]
    store = folder / "p.converge.jsonl"
    with started([*NETSOR, *arguments]) as process:
        assert waits(lambda: len(children(process.pid)) == 2 and store.exists() and store.stat().st_size)
        workers = children(process.pid)
        process.send_signal(getattr(signal, name))
        # Standard output ends when nobody has it open any more, the workers included.
        out, err = process.communicate(timeout=60)
        assert waits(lambda: all(map(ended, workers)))
    assert "Traceback" not in err
    number = getattr(signal, name)
    assert process.returncode == (-number if name == "SIGKILL" else 128 + number)
    # What was finished is there, and nobody holds it.
    with Store(store, fingerprint(loads(PROGRAM).program, 0, "float64"), resume=True) as kept:
        assert kept.done(10, "dense", ["k"]) and kept.damaged <= 1
    if name != "SIGKILL":
        assert "--resume" in err and "mean" in out

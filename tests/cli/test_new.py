"""`netsor new`: each network checks and has kernels on its data, and nothing is overwritten."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netsor import load
from netsor.cli.main import main
from netsor.cli.new_command import KINDS
from netsor.resources import standard_library
from netsor.syntax.format import format_source


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_each_network_checks_and_has_kernels_on_its_data(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", kind]) == 0
    told = capsys.readouterr().out
    for path in re.findall(r"\S+/\S+\.\w+", told):
        assert Path(path).is_file()
    commands = [shlex.split(line)[1:] for line in told.splitlines() if line.startswith("  netsor ")]
    assert [c[0] for c in commands[:2]] == ["check", "ntk"]
    assert main(commands[0]) == 0
    assert capsys.readouterr().err == ""
    file = Path(commands[1][3])
    rows = json.loads(file.read_text()) if file.suffix == ".json" else np.loadtxt(file, delimiter=",")
    network = load(f"{kind}/{kind}.netsor", set={"P": 3, "L": 2} if kind == "cnn" else {})
    assert np.shape(rows)[1:] == KINDS[kind].shape
    if KINDS[kind].gated:  # limits that take a minute
        assert np.all(network.ntk(rows[:2], width=32, seeds=2).ntk.mean.diagonal() > 0)
    else:
        found = network.ntk([row[:3] for row in rows[:1]] if kind == "cnn" else rows[:1], tol=1e-4)
        assert np.max(found.ntk.error) < 1e-3
        assert np.max(found.nngp.value) > 0


def test_predictions_of_the_multilayer_perceptron(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mlp", "some/where"]) == 0
    commands = [line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  netsor ")]
    assert [c[0] for c in commands] == ["check", "ntk", "predict", "train"]
    for command in commands[2:]:
        assert main(command) == 0


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/y.csv").write_text("mine")
    assert main(["new", "mlp", "mine"]) == 2
    assert "mine/y.csv" in capsys.readouterr().err
    assert [p.name for p in Path("mine").iterdir()] == ["y.csv"] and Path("mine/y.csv").read_text() == "mine"
    Path("file").write_text("")
    assert main(["new", "mlp", "file"]) == 2
    with pytest.raises(SystemExit) as stop:
        main(["new", "mlpp"])
    assert stop.value.code == 2


@pytest.mark.parametrize("name", ["a b", "it's", "-x", "αβ", "$HOME", "*", "a/../b"])
def test_what_is_told_can_be_typed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mlp", "--", name]) == 0
    told = capsys.readouterr().out.splitlines()
    check = next(shlex.split(line) for line in told if line.startswith("  netsor check"))
    assert main(check[1:]) == 0


HOSTILE = ["file", "file/below", "dangling", "loop", "full/below", "/proc/self/none", "/dev/null", "x" * 300, "a\0b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_folders_that_cannot_be(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    Path("full").symlink_to("/dev/full")
    before = sorted(Path().iterdir())
    assert main(["new", "mlp", name]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "error[E0" in err and "E012" not in err and sorted(Path().iterdir()) == before


def test_all_of_its_files_or_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[int] = []

    def full(handle: int) -> None:
        taken.append(handle)
        if len(taken) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["new", "mlp", "mine"]) == 2
    assert "no space left" in capsys.readouterr().err and not list(Path("mine").iterdir())
    assert main(["new", "mlp", "mine"]) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_in_canonical_form(kind: str) -> None:
    text = (standard_library().parent / "new" / f"{kind}.netsor").read_text(encoding="utf-8")
    assert format_source(text) == text


def test_python_m_netsor() -> None:
    done = subprocess.run([sys.executable, "-m", "netsor", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("netsor ")

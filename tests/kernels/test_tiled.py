"""Kernels written to files tile by tile: the same numbers as in memory, however the work is cut and interrupted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest

from netsor.api import loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.finite.executors import cluster, processes
from netsor.kernels.tile_files import locked
from netsor.kernels.tiled import write_kernels

RELU = "network r(ξ : 2)\nmatrix U : (n, 2)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\ntrain U, W, v\n"
RELU += "x := relu(W relu(U ξ))\noutput f := vᵀ x / √n\n"
TWO = "network two(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nvector w ~ N(0, 1)\ntrain U, v\nx := erf(U ξ)\n"
TWO += "output f := vᵀ x / √n\noutput g := wᵀ x / √n + vᵀ x / √n\n"
ROWS = np.random.default_rng(0).standard_normal((11, 2))
# A run that is killed, without any chance to clean up, when it has written three tiles.
KILLED = """
import os, signal, sys
import numpy as np
from netsor.api import load
from netsor.kernels.tiled import write_kernels
count = 0
def progress(share, text):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
write_kernels(load("r.netsor").program, np.load("X.npy"), out="K", tile=3, progress=progress)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "r.netsor").write_text(RELU, encoding="utf-8")
    np.save(tmp_path / "X.npy", ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("tile", [4, 100])
def test_the_same_numbers_as_in_memory(folder, tile):
    network = loads(RELU)
    written = write_kernels(network.program, ROWS, out="K", tile=tile)
    found = network.ntk(ROWS)
    assert (np.load("K.nngp.npy") == found.nngp.value).all() and (np.load("K.ntk.npy") == found.ntk.value).all()
    assert written.error == {"nngp": found.nngp.error.max(), "ntk": found.ntk.error.max()}
    assert not (folder / "K.lock").exists()


def test_several_outputs_and_other_columns(folder):
    two = loads(TWO)
    write_kernels(two.program, ROWS, out="K", tile=4, nngp=True)
    assert (np.load("K.nngp.npy") == two.nngp(ROWS).value).all() and not (folder / "K.ntk.npy").exists()
    write_kernels(two.program, ROWS, ROWS[:3] + 1, out="L", tile=4)
    assert (np.load("L.ntk.npy") == two.ntk(ROWS, ROWS[:3] + 1).ntk.value).all()


def test_the_time_is_told_of_each_network_that_a_process_works_for(folder):
    told = []
    tokens = RELU.replace("ξ : 2", "ξ[1..3] : 2").replace("U ξ", "U ξ[1] + U ξ[3]")
    with processes(1) as pool:  # so that the tiles themselves are computed elsewhere
        write_kernels(loads(tokens).program, np.ones((4, 3, 2)), out="K", before=told.append, executor=pool)
    write_kernels(loads(RELU).program, ROWS, out="L", before=told.append)
    assert [e.rows for e in told] == [4, 11]


def test_killed_and_resumed(folder):
    """No tile is computed twice, and the bytes are those of a run that nothing stopped."""
    network = loads(RELU).program
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True)
    assert done.returncode == -9, done.stderr
    record = np.load("K.tiles.npy")
    assert np.isfinite(record[:3]).all() and np.isnan(record[3:]).all() and len(record) == 10
    assert write_kernels(network, ROWS, out="K", tile=3, resume=True).computed == 7
    write_kernels(network, ROWS, out="whole", tile=3)
    for name in ("nngp", "ntk"):
        assert (folder / f"K.{name}.npy").read_bytes() == (folder / f"whole.{name}.npy").read_bytes()
    again = write_kernels(network, ROWS, out="K", tile=3, resume=True)
    assert again.computed == 0 and list(again.error.values()) == np.load("K.tiles.npy")[..., 0].max(axis=0).tolist()


def test_by_two_processes(folder):
    network = loads(RELU)
    with processes(2) as executor:
        assert write_kernels(network.program, ROWS, out="K", tile=3, executor=executor).computed == 10
    assert (np.load("K.ntk.npy") == network.ntk(ROWS).ntk.value).all()


def test_a_process_that_is_killed(folder):
    """The tiles that are left are computed here, with the same numbers, and that is said."""
    network = loads(RELU)
    killed = []

    def kill(share, what):
        if not killed:
            killed.extend(executor._processes)
            os.kill(killed[0], signal.SIGKILL)
            # Until the executor knows: it then takes no more tasks.
            for process in executor._processes.values():
                process.join()

    with processes(2) as executor:
        written = write_kernels(network.program, ROWS, out="K", tile=1, executor=executor, progress=kill)
    assert killed and [d.code for d in written.diagnostics] == ["W710"] and written.computed == 66
    assert (np.load("K.ntk.npy") == network.ntk(ROWS).ntk.value).all()


def test_a_cluster_one_of_whose_workers_is_stopped(folder):
    distributed = pytest.importorskip("distributed")
    network = loads(RELU)
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**local) as servers:
        stopped = []

        def stop(share, what):
            if not stopped:
                stopped.append(servers.workers[0])
                servers.workers[0].process.process._process.kill()

        with cluster(servers.scheduler_address) as executor:
            written = write_kernels(network.program, ROWS, out="K", tile=1, executor=executor, progress=stop)
    assert stopped and written.computed == 66
    assert (np.load("K.nngp.npy") == network.nngp(ROWS).value).all()


def test_a_fault_in_a_tile_is_told_from_a_process(folder):
    """A network without an NTK: the same message as without processes, and nothing hangs."""
    network = loads(RELU.replace("W relu", "W step")).program
    with processes(2) as executor, pytest.raises(NetsorError) as there:
        write_kernels(network, ROWS, out="K", tile=3, executor=executor)
    with pytest.raises(NetsorError) as here:
        write_kernels(network, ROWS, out="L", tile=3)
    assert str(there.value) == str(here.value)


def test_files_of_something_else(folder):
    network = loads(RELU).program
    write_kernels(network, ROWS, out="K", nngp=True)
    for rows, resume in ((ROWS, False), (ROWS + 1, True), (ROWS[:5], True)):
        with pytest.raises(NetsorError, match="E668"):
            write_kernels(network, rows, out="K", nngp=True, resume=resume)
    with locked(folder / "L"), pytest.raises(NetsorError, match="E669"):
        write_kernels(network, ROWS, out="L")


def test_a_disk_that_is_full(folder, monkeypatch):
    network = loads(RELU).program
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 100))
        with pytest.raises(NetsorError, match="E670"):
            write_kernels(network, ROWS, out="K")

    def full(*arguments: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(NetsorError, match="E670"):
        write_kernels(network, ROWS, out="K")
    assert not list(folder.glob("K.*"))


def test_the_command(folder, capsys):
    line = ["ntk", "r.netsor", "--inputs", "X.npy"]
    assert main([*line, "--out", "K", "--nngp", "--json"]) == 0
    out = capsys.readouterr()
    result = json.loads(out.out)
    assert result["nngp"]["file"] == "K.nngp.npy" and result["inputs"] == 11
    assert "11 × 11 entries" in out.err and "one core" in out.err
    assert main([*line, "--out", "K", "--nngp", "--resume"]) == 0
    assert "K.nngp.npy: the NNGP of 11 inputs" in capsys.readouterr().out
    assert main([*line, "--tile", "5"]) == 2 and "[E010]" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*line, "--out", "L", "--paths"])


def test_tiles_within_a_budget(folder, capsys, monkeypatch):
    """When the time is over whole tiles are there, and another call finds the others as if it had not been."""

    class Clock:
        at = 0.0

        def monotonic(self):
            return self.at

        thread_time = monotonic

    class Late:
        """A bar of progress during which a long time passes."""

        __enter__ = __exit__ = lambda self, *_: self

        def __init__(self, *_):
            pass

        def __call__(self, *_):
            clock.at += 1e6

    clock = Clock()
    monkeypatch.setattr("netsor.deadline.time", clock)
    line = ["ntk", "r.netsor", "--inputs", "X.npy", "--out", "K", "--tile", "4", "--json"]
    with monkeypatch.context() as patched:
        patched.setattr("netsor.cli.ntk_command.Progress", Late)
        assert main([*line, "--budget", "5"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False and said["tiles"] == 1 and said["ntk"]["error"] is None
    assert [d["code"] for d in said["diagnostics"]] == ["E804"] and "5 of the 6 tiles" in said["diagnostics"][0][
        "message"
    ]
    assert main([*line, "--resume", "--budget", "5"]) == 0
    assert json.loads(capsys.readouterr().out)["tiles"] == 5
    assert (np.load("K.ntk.npy") == loads(RELU).ntk(ROWS).ntk.value).all()

"""Commands as a shell starts them: streams that are closed, other locales, no HOME, and signals at any moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from calls import CALLS, FILES
from processes import NETSOR, children, ended, handles_signals, started, waits

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANG", "COLUMNS")}
# What a call finds: redirections, and changes of its environment (None removes a variable).
SHELLS: dict[str, tuple[str, Mapping[str, str | None]]] = {
    "standard output closed": (">&-", {}),
    "standard error closed": ("2>&-", {}),
    "standard input closed": ("<&-", {}),
    "all streams closed": ("<&- >&- 2>&-", {}),
    "the locale C": ("", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "a locale that does not exist": ("", {"LC_ALL": "xx_YY.latin1"}),
    "ASCII": ("", {"PYTHONIOENCODING": "ascii"}),
    "no HOME": ("", {"HOME": None, "XDG_CACHE_HOME": None}),
    "a HOME that is a file": ("", {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}),
    "COLUMNS=abc": ("", {"COLUMNS": "abc"}),
    "a terminal that nobody knows": ("", {"TERM": "nobody", "NO_COLOR": "1"}),
}
EVERY = [[command, *call.split()] for command, calls in CALLS.items() for call in calls[:1]]


def fresh(folder: Path) -> Path:
    """The folder with the files of the calls and nothing else."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fresh(tmp_path)


def call(arguments: list[str], folder: Path, redirections: str = "", changes: Mapping[str, str | None] = {}):
    # Not for the shell, which has words of its own for some of them.
    changed = [part for k, v in changes.items() for part in (["-u", k] if v is None else [f"{k}={v}"])]
    changed.sort(key=lambda part: "=" in part)
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirections}', "bash", "env", *changed, *NETSOR, *arguments],
        cwd=folder, env=CLEAN, capture_output=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def as_usual(arguments: list[str], shell: str, folder: Path) -> None:
    redirections, changes = SHELLS[shell]
    status, out, err = call(arguments, fresh(folder))
    found = call(arguments, fresh(folder), redirections, changes)
    closed = redirections.split()
    assert found == (status, "" if ">&-" in closed else out, "" if "2>&-" in closed else err)


@pytest.mark.parametrize("shell", ["all streams closed", "the locale C", "COLUMNS=abc"])
def test_a_limit_in_any_shell(shell: str, folder: Path) -> None:
    as_usual(["eval", "p.netsor"], shell, folder)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", EVERY, ids=lambda a: a[0])
def test_every_command_in_any_shell(arguments: list[str], folder: Path) -> None:
    for shell in SHELLS:
        as_usual(arguments, shell, folder)


# --- signals at random moments --------------------------------------------------------------------------------------

DEEP = "program p\nmatrix W\nvector x0 ~ N(0, 1)\n" + "".join(
    f"h{k} := W x{k}\nx{k + 1} := gelu(h{k}) + x{k} * sin(h{k})\n" for k in range(12)
)
DEEP += "output k := mean(x12^2)\n"
STRUCK = {
    "eval": ["eval", "deep.netsor", "--budget", "40"],
    "eval at a width": ["eval", "p.netsor", "--width", "3000", "--seeds", "1000", "--engine", "dense"],
    "train": ["train", "m.netsor", "--inputs", "X.csv", "--targets", "y.csv", "--steps", "30", "--width", "2000"],
    "report": ["report", "deep.netsor", "-o", "r.html", "--budget", "20"],
    "converge": ["converge", "p.netsor", "--widths", "10,3000", "--seeds", "200", "--engine", "dense", "--jobs", "2"],
    "derive": ["derive", "deep.netsor", "--numbers", "--budget", "40"],
    "draw": ["draw", "deep.netsor", "-o", "d.svg"],
    "check": ["check", "deep.netsor"],
}


def struck(command: str, number: signal.Signals, seed: int, folder: Path) -> None:
    (folder / "deep.netsor").write_text(DEEP, encoding="utf-8")
    for name in ("r.html", "d.svg"):
        (folder / name).write_text("what was there", encoding="utf-8")
    with started([*NETSOR, *STRUCK[command]], cwd=folder) as process:
        assert waits(lambda: process.poll() is not None or handles_signals(process))
        time.sleep(random.Random(seed).uniform(0, 4))
        workers = children(process.pid) if process.poll() is None else []
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert waits(lambda: all(map(ended, workers)))
    assert "Traceback" not in err, err
    by_signal = -number if number == signal.SIGKILL else 128 + number
    assert process.returncode in (by_signal, 0, 1), (process.returncode, err)
    if process.returncode == 128 + number:
        assert "interrupted" in err
    for name in ("r.html", "d.svg"):
        text = (folder / name).read_text(encoding="utf-8")
        assert text == "what was there" or text.rstrip().endswith(("</html>", "</svg>"))
    if number != signal.SIGKILL:
        assert not [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("command", ["eval at a width", "report"])
def test_a_signal_at_some_moment(command: str, folder: Path) -> None:
    struck(command, signal.SIGHUP, 1, folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.parametrize("command", STRUCK)
def test_signals_at_random_moments(command: str, number: signal.Signals, seed: int, folder: Path) -> None:
    struck(command, number, seed, folder)


# --- too little memory from the start -------------------------------------------------------------------------------


def predicted_within(megabytes: int, folder: Path) -> None:
    """`netsor predict` under a limit ends, in an answer or E702: OpenBLAS must not wait for what it was refused."""
    network = "network g(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\noutput f := vᵀ erf(U ξ) / √n\n"
    (folder / "net.netsor").write_text(network, encoding="utf-8")
    (folder / "d.csv").write_text("a,b,y\n" + "".join(f"{i / 7},{i * i % 5 / 3},{i % 3 - 1}\n" for i in range(30)))
    data = ["--inputs", "d.csv", "--target-column", "y", "--test", "d.csv"]
    arguments = ["predict", "net.netsor", *data, "--noise", ".1"]
    command = ["bash", "-c", f'ulimit -v {megabytes * 1024}; exec "$@"', "bash", *NETSOR, *arguments]
    environment = {k: v for k, v in CLEAN.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0 or "E702" in said, said


@pytest.mark.parametrize("megabytes", [240, 320])
def test_a_limit_that_leaves_little_for_linear_algebra(megabytes: int, folder: Path) -> None:
    predicted_within(megabytes, folder)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", range(100, 800, 10))
def test_any_limit_and_linear_algebra(megabytes: int, folder: Path) -> None:
    predicted_within(megabytes, folder)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [30, 60, 100, 150, 200, 300, 400, 500, 700, 1000])
def test_memory_that_is_limited_from_the_start(megabytes: int, folder: Path) -> None:
    """`ulimit -v`: with what netsor itself takes, an answer or E702; with less, never a fault of ours."""
    large = ["eval", "p.netsor", "--width", "20000", "--engine", "dense"]
    for arguments in (["check", "p.netsor"], ["eval", "p.netsor"], large):
        command = ["bash", "-c", f'ulimit -v {megabytes * 1024}; exec "$@"', "bash", *NETSOR, *arguments]
        done = subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, timeout=120)
        err = done.stderr.decode("utf-8", "replace")
        assert "E012" not in err, err
        if megabytes >= 60 and "OpenBLAS" not in err:
            assert "Traceback" not in err and ("E702" in err or done.returncode == 0 and arguments is not large), err

"""Signals, a full disk and too little memory in the middle of each long command."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import default_signals

import netsor.finite.execute
import netsor.kernels.tables
import netsor.limit.expectations
from netsor.cli import streams
from netsor.cli.main import main

PROGRAM = "program p\nmatrix W\nvector x ~ N(0, 1)\nh := W tanh(x)\noutput k := mean(h^2)\n"
NETWORK = """network m(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
vector v ~ N(0, 1)
train U, v
x := tanh(U ξ)
output f := vᵀ x / √n
"""
TRAIN = ["train", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "1"]
# Each with the part of netsor in which it is struck.
LONG = {
    "eval": (["eval", "p.netsor"], "limit"),
    "eval at a width": (["eval", "p.netsor", "--width", "20", "--seeds", "2"], "finite"),
    "train": ([*TRAIN, "--limit"], "tile"),
    "train at a width": ([*TRAIN, "--width", "20", "--seeds", "2"], "finite"),
    "report": (["report", "p.netsor", "-o", "r.html"], "limit"),
    "report at a width": (["report", "p.netsor", "-o", "r.html", "--width", "20", "--seeds", "2"], "finite"),
    "converge": (["converge", "p.netsor", "--widths", "10,20", "--seeds", "2", "--jobs", "1"], "finite"),
    "derive": (["derive", "p.netsor", "--numbers"], "limit"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "p.netsor": PROGRAM, "m.netsor": NETWORK, "X.json": "[[1, 0.5]]", "y.json": "[1]", "r.html": "what was there",
    }.items():  # fmt: skip
        Path(name).write_text(content, encoding="utf-8")
    yield tmp_path


def strike(monkeypatch: pytest.MonkeyPatch, where: str, blow: Callable[[], Any]) -> list[int]:
    """Have `blow` happen in the first expectation, tile of a kernel, or run at a width; how often it did."""
    struck: list[int] = []
    places: dict[str, tuple[Any, str]] = {
        "limit": (netsor.limit.expectations, "expect"), "tile": (netsor.kernels.tables._Tile, "entries"),
        "finite": (netsor.finite.execute, "run_sweep"),
    }  # fmt: skip
    module, name = places[where]
    whole = getattr(module, name)

    def instead(*arguments: Any, **options: Any) -> Any:
        struck.append(1)
        if len(struck) == 1:
            blow()
        return whole(*arguments, **options)

    monkeypatch.setattr(module, name, instead)
    return struck


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of a command, and afterwards those of the tests."""
    hook = sys.unraisablehook
    with default_signals():
        streams._received.clear()
        streams.handle_signals()
        yield
        streams._received.clear()
    sys.unraisablehook = hook


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("command", LONG)
def test_a_signal_ends_a_command_and_leaves_what_was_there(
    command: str, number: signal.Signals, folder: Path, handlers: None, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments, where = LONG[command]
    struck = strike(monkeypatch, where, lambda: signal.raise_signal(number))
    status = main(arguments)
    assert struck, command
    said = capsys.readouterr().err
    assert status == 128 + number and "interrupted" in said and "Traceback" not in said, (status, said)
    assert Path("r.html").read_text() == "what was there"
    assert not [p for p in folder.iterdir() if p.suffix == ".tmp" or p.name.startswith(".")]


class _Struck:
    """What is hit by a signal while it is deleted, where Python raises nothing."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


class _Watched:
    """What may have weak references."""


def _deleted(kind: str) -> None:
    if kind == "destructor":
        struck: list[object] = [_Struck()]
        del struck[:]
    else:
        struck = [_Watched()]
        kept = weakref.ref(struck[0], lambda _: signal.raise_signal(signal.SIGTERM))
        del struck[:]
        assert kept() is None
    until = time.monotonic() + 20
    while time.monotonic() < until:
        pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("kind", ["destructor", "weak reference"])
def test_a_signal_is_not_lost_where_nothing_can_be_raised(
    kind: str, folder: Path, handlers: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, where = LONG["eval at a width"]
    struck = strike(monkeypatch, where, lambda: _deleted(kind))
    assert main(arguments) == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert struck == [1] and "interrupted" in said and "Traceback" not in said


# An object that does not fit, and a library for which there was no room when it was imported.
REFUSED = [MemoryError(), ImportError("cmath.so: failed to map segment from shared object")]


@pytest.mark.parametrize("fault", REFUSED, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("command", LONG)
def test_too_little_memory_is_told(
    command: str, fault: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blow() -> None:
        raise fault

    arguments, where = LONG[command]
    struck = strike(monkeypatch, where, blow)
    status = main(arguments)
    said = capsys.readouterr().err
    assert struck and status == 2 and "E702" in said and "Traceback" not in said, (status, said)
    assert Path("r.html").read_text() == "what was there"


def test_a_file_that_may_not_grow_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with `ulimit -f`: every write fails with EFBIG, whichever way it is made."""

    def full(handle: int) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["report", "p.netsor", "-o", "r.html", "--width", "0"]) == 2
    assert "`r.html` cannot be written: file too large" in capsys.readouterr().err
    assert Path("r.html").read_text() == "what was there"


def test_no_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent/cache")
    assert main(["eval", "p.netsor"]) == 0

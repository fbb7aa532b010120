"""Processes of tests: each ends with its test, however that ends, and signals do to it what they do at a prompt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NETSOR = (sys.executable, "-m", "netsor.cli.main")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def default_signals() -> Iterator[None]:
    """Signals with the handlers that Python has at a prompt; whoever runs the tests may ignore some of them.

    A process that is started meanwhile has the system's handlers, for ignored signals alone are handed down.
    """
    kept = {n: signal.getsignal(n) for n in _SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        for n, handler in kept.items():
            signal.signal(n, handler)


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes for its output, which is killed with all its children when the block ends."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with default_signals():
        process = subprocess.Popen(command, start_new_session=True, **{**streams, **options})
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def waits(condition: Callable[[], Any], seconds: float = 60) -> bool:
    """Whether a condition comes to hold within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def handles_signals(process: subprocess.Popen[str]) -> bool:
    """Whether netsor runs in a process and has taken over SIGTERM, so that it is no longer Python that starts.

    Where there is no /proc, a process is taken to have started after three seconds.
    """
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        time.sleep(3)
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True

"""A process that has imported netsor and forks for each call, in surroundings that refuse something.

A call costs what it computes and not a start of Python, so that every pair of a command and an option can be tried.
`python server.py` reads a request a line, as JSON, and answers with the exit status; see `Surroundings`.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 120  # after which a call is taken to hang


class Ended(NamedTuple):
    """How a call ended: its status (−number of a signal), and what it wrote."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Surroundings:
    """What a call finds.

    `stdout` is a file, "" for a pipe, or None for a stream that is closed; `limits` are of RLIMIT_…, by name, and
    `memory` is what a call may take beyond what the server has. `mount` are lines of shell that are run once in a name
    space of their own, with the folder of the calls in $DIR.
    """

    name: str
    stdout: str | None = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    memory: int | None = None
    mount: str = ""


def can_mount() -> bool:
    """Whether this user may mount something in a name space of its own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
    )


class Server:
    """The process of `serving`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, surroundings: Surroundings):
        self._process, self._folder, self._surroundings = process, folder, surroundings

    def call(self, arguments: Sequence[str]) -> Ended:
        """A call in the folder."""
        where = self._surroundings
        request = {"arguments": list(arguments), "stdout": where.stdout, "limits": dict(where.limits)}
        request |= {"memory": where.memory, "folder": str(self._folder)}
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Ended(*json.loads(self._process.stdout.readline()))

    def files(self) -> dict[str, bytes]:
        """What lies in the folder as the calls see it, which may be mounted for them alone."""
        seen = Path(f"/proc/{self._process.pid}/root{self._folder}")
        return {p.name: p.read_bytes() for p in seen.iterdir() if p.is_file()}

    def restore(self, files: Mapping[str, str]) -> None:
        """Remove what is not among these files, and write what is missing of them."""
        seen = Path(f"/proc/{self._process.pid}/root{self._folder}")
        for path in seen.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in files:
                path.unlink()
        for name, text in files.items():
            if not (seen / name).exists() or (seen / name).read_text(encoding="utf-8") != text:
                (seen / name).write_text(text, encoding="utf-8")


@contextmanager
def serving(surroundings: Surroundings, folder: Path) -> Iterator[Server]:
    """A server for calls in a folder."""
    command = [sys.executable, __file__]
    if surroundings.mount:
        script = f'set -e; {surroundings.mount}\nexec "$@"'
        command = ["unshare", "-rm", "sh", "-c", script, "sh", *command]
    environment = {**os.environ, "DIR": str(folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        yield Server(process, folder, surroundings)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _carry_out(request: dict[str, Any], out: int, err: int) -> None:
    """The call of a request, in a process of its own that ends here."""
    import resource

    from netsor.cli.main import run

    status = 70
    try:
        os.chdir(request["folder"])
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(request["stdout"], os.O_WRONLY) if request["stdout"] else out, 1)
        os.dup2(err, 2)
        os.closerange(3, 64)
        # As Python starts: a stream that is closed is None.
        sys.stdin, sys.stderr = os.fdopen(0, "r", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8", buffering=1)
        if request["stdout"] is None:
            os.close(1)
            sys.stdout = None  # type: ignore[assignment]
        else:
            sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        for name, most in request["limits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
        if request["memory"] is not None:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (used + request["memory"],) * 2)
        sys.argv = ["netsor", *request["arguments"]]
        try:
            run()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _answer(request: dict[str, Any]) -> Ended:
    """A call in a process of its own, and all that it writes to its streams."""
    (out, to_out), (err, to_err) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        _carry_out(request, to_out, to_err)
    os.close(to_out)
    os.close(to_err)
    said: dict[int, bytes] = {out: b"", err: b""}
    still = [out, err]
    while still:
        for stream in select.select(still, [], [])[0]:
            piece = os.read(stream, 65536)
            said[stream] += piece
            if not piece:
                os.close(stream)
                still.remove(stream)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(status, *(said[stream].decode("utf-8", "replace") for stream in (out, err)))


def _serve() -> None:
    import netsor.api
    import netsor.cli.main  # noqa: F401
    import netsor.finite.converge
    import netsor.kernels
    import netsor.limit
    import netsor.predict
    import netsor.report
    import netsor.show.derivation
    import netsor.show.drawing
    import netsor.train  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve()

"""Executors for the tasks of a study: processes on this machine, or workers of a cluster."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.finite.workers import cores


def _begin_worker(reader: Connection, writer: Connection) -> None:
    """What a worker does first: it leaves Ctrl-C to its parent, and ends when the parent does."""
    # Ctrl-C reaches every process of the terminal: the one that gathers the results decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Other signals that a command handles (netsor.cli.main) end a worker as they end any process.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    writer.close()
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader: Connection) -> None:
    # Nobody writes to this pipe. Its other end is open in the parent alone, so it closes when the parent ends, by
    # whatever signal.
    with suppress(EOFError, OSError):
        reader.recv_bytes()
    os._exit(1)


@contextmanager
def processes(count: int | None = None) -> Iterator[Executor]:
    """A pool of processes of one thread each; as many as there are cores by default.

    The processes end with this one, however it ends, and at once when the block is left by an exception or
    `abandon` is called.
    """
    # Forking needs no guard in the caller's script; it happens before this process has threads of its own at work.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    reader, writer = context.Pipe(duplex=False)
    with Pool(count or cores(), mp_context=context, initializer=_begin_worker, initargs=(reader, writer)) as pool:
        pool.lifeline = writer
        try:
            yield pool
        except BaseException:
            pool.abandon()
            raise
    reader.close()
    writer.close()


class Pool(ProcessPoolExecutor):
    """Processes of this machine that can be stopped in the middle of a task."""

    lifeline: Connection

    def abandon(self) -> None:
        """End the processes without waiting for what they are doing."""
        self.shutdown(wait=False, cancel_futures=True)
        self.lifeline.close()


def _knock(address: str, timeout: float) -> None:
    """Raise OSError or ValueError where nothing listens; a client would retry and log errors for a long time."""
    found = re.fullmatch(r"(?:(\w+)://)?(?:\[([^\]]+)\]|([^:/\s]+)):(\d+)/?", address)
    if found is None:
        raise ValueError("an address has a host and a port, as in tcp://scheduler:8786")
    protocol, six, host, port = found.groups()
    if protocol in (None, "tcp", "tls"):
        socket.create_connection((six or host, int(port)), timeout).close()


@contextmanager
def cluster(address: str, timeout: float = 10.0) -> Iterator[Executor]:
    """The workers of a scheduler of dask.distributed; a task whose worker stops is sent to another one.

    Raises NetsorError (E708) where distributed is not installed or no scheduler answers within `timeout` seconds.
    """
    try:
        # Imported by name, because mypy may run where the optional package is not installed.
        client_of = import_module("distributed").Client
    except ImportError:
        raise NetsorError(
            Diagnostic("E708", "`--dask` needs dask.distributed", hint="pip install 'netsor[dask]'")
        ) from None
    try:
        _knock(address, timeout)
        client = client_of(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        why = getattr(e, "strerror", None) or str(e) or type(e).__name__
        raise NetsorError(
            Diagnostic("E708", f"no scheduler answers at `{address}`", notes=(why.splitlines()[0].lower(),),
                       hint="start one with `dask scheduler` and workers with `dask worker ADDRESS`")
        ) from e  # fmt: skip
    with client:
        yield client.get_executor(pure=False, retries=3)

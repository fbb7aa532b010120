"""Executors for the tasks of a study: processes on this machine, or workers of a cluster."""

from __future__ import annotations

import multiprocessing
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.finite.workers import cores


def _ignore_interrupts() -> None:
    # Ctrl-C is sent to every process of the terminal; only the one that gathers the results should act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def processes(count: int | None = None) -> Iterator[Executor]:
    """A pool of processes of one thread each; by default as many as there are cores."""
    # Unlike spawn, fork needs no `__main__` guard in the caller's script; no other thread of this process runs yet.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    with ProcessPoolExecutor(count or cores(), mp_context=context, initializer=_ignore_interrupts) as pool:
        yield pool


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

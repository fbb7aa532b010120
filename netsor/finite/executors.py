"""Executors for tasks that do not depend on each other: processes on this machine, or workers of a cluster."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import finite
from netsor.finite.workers import cores

T = TypeVar("T")
R = TypeVar("R")


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
        raise NetsorError(finite.needs_distributed()) from None
    try:
        _knock(address, timeout)
        client = client_of(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        why = getattr(e, "strerror", None) or str(e) or type(e).__name__
        raise NetsorError(finite.no_scheduler(address, why.splitlines()[0].lower())) from e
    with client:
        yield client.get_executor(pure=False, retries=3)


# What a task's result raises when a process of the pool was killed or the scheduler is gone.
_LOST = (BrokenExecutor, CancelledError, MemoryError, OSError)


class WorkersLostError(Exception):
    """The workers of an executor are gone; the cause says how."""


def completed(function: Callable[[T], R], tasks: Iterable[T], executor: Executor) -> Iterator[tuple[T, R]]:
    """Each task with `function(task)`, in the order in which the executor finishes them.

    Raises WorkersLostError where the executor can do no more; what was not given until then is not done.
    """
    queue = iter(tasks)
    running: dict[Any, T] = {}
    # A few tasks for each core are queued ahead: no worker is idle, and few tasks are lost by an interruption.
    ahead = 4 * cores() + 16
    while True:
        try:
            for task in islice(queue, max(0, ahead - len(running))):
                running[executor.submit(function, task)] = task
            finished = wait(running, return_when=FIRST_COMPLETED).done
            results = [(running.pop(future), future.result()) for future in finished]
        except _LOST as e:
            raise WorkersLostError from e
        if not results:
            return
        yield from results


def lost_workers(lost: WorkersLostError, left: int, work: str) -> Diagnostic:
    """W710: the workers of `work` are gone, and the tasks that are left are done in this process."""
    error = lost.__cause__
    why = next(iter(str(error).splitlines()), "")
    return finite.lost_workers(work, why, left, isinstance(error, (BrokenExecutor, MemoryError)))


def abandon(executor: Executor) -> None:
    """Stop: the processes of this machine at once; of a cluster what has not begun."""
    if isinstance(executor, Pool):
        executor.abandon()
    else:
        executor.shutdown(wait=False, cancel_futures=True)

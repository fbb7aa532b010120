"""Where the tasks of a study run: this machine's cores, or a cluster's."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.finite.workers import cores


def _ignore_interrupts() -> None:
    # Ctrl-C reaches every process of the terminal: the one that gathers the results decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def processes(count: int | None = None) -> Iterator[Executor]:
    """So many processes of one thread each; as many as there are cores by default."""
    # Forking needs no guard in the caller's script; it happens before this process has threads of its own at work.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    with ProcessPoolExecutor(count or cores(), mp_context=context, initializer=_ignore_interrupts) as pool:
        yield pool


@contextmanager
def cluster(address: str, timeout: float = 10.0) -> Iterator[Executor]:
    """The workers behind a scheduler of dask.distributed; a task whose worker stops is given to another.

    Raises NetsorError (E708) where distributed is not installed or no scheduler answers.
    """
    try:
        # By name: the extra need not be installed where this is read by a type checker.
        client_of = import_module("distributed").Client
    except ImportError:
        raise NetsorError(
            Diagnostic("E708", "`--dask` needs dask.distributed", hint="pip install 'netsor[dask]'")
        ) from None
    try:
        client = client_of(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        raise NetsorError(
            Diagnostic("E708", f"no scheduler answers at `{address}`", notes=(str(e).splitlines()[0],),
                       hint="start one with `dask scheduler` and workers with `dask worker ADDRESS`")
        ) from e  # fmt: skip
    with client:
        yield client.get_executor(pure=False, retries=3)

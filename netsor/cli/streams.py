"""Standard streams and signals, whatever state the caller left them in."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from netsor.deadline import resume, stop
from netsor.diagnostics import NetsorError

# The signals that asked this process to end.
_received: list[int] = []
_FINISHING = b"interrupted: what is known will be told in a moment; once more ends at once\n"
# Seconds in which an interrupted limit has to be through.
_PATIENCE = 8.0
# Seconds after which a signal is raised again that was lost.
_LATER = 0.01


class Asked(KeyboardInterrupt):
    """A signal asked this process to end.

    A KeyboardInterrupt itself, where it comes while a string is executed, as those are that make a data class, would
    have Python end the process by SIGINT, though it was caught.
    """


def handle_signals() -> None:
    """SIGTERM and SIGHUP stop the command as Ctrl-C does; the second one ends it at once."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` has it ignored, and that is to stay.
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)
    if hasattr(signal, "setitimer"):
        sys.unraisablehook = _lost


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _received.append(number)
    raise Asked


def _lost(found: sys.UnraisableHookArgs) -> None:
    """Where Python can raise nothing, as while an object is deleted, a signal is raised a little later."""
    if not issubclass(found.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(found)
        return
    signal.signal(signal.SIGALRM, _again)
    signal.setitimer(signal.ITIMER_REAL, _LATER)


def _again(number: int, frame: FrameType | None) -> NoReturn:
    raise Asked


class Interruptible:
    """Within this block a signal lets limits end with what is known of them, see `netsor.deadline`.

    A second signal ends the command at once, and so does the first where nothing asks for the time, or where what does
    is not through in some seconds. Then, and where nothing is known (E804), the block ends by KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                # What the caller has ignored or handles itself stays as it is.
                if number is not None and signal.getsignal(number) in (signal.default_int_handler, _end):
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        self._restore()
        if not stop():
            before(number, frame)
        self.interrupted = True
        with suppress(OSError):
            # Not by print: the signal may have come in the middle of one.
            os.write(2, _FINISHING)
        if number != signal.SIGINT:
            _received.append(number)
        if hasattr(signal, "setitimer"):
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _again)
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if self.interrupted and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._restore()
        resume()
        if self.interrupted and isinstance(fault, NetsorError) and all(d.code == "E804" for d in fault.diagnostics):
            raise Asked from None


def interrupted_status() -> int:
    """The exit status of a process that was interrupted: 128 and the number of the signal, 2 for Ctrl-C."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def open_streams() -> None:
    """Streams that take text as UTF-8, whatever the locale says; those that the caller closed lead nowhere."""
    for number, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is closed, so no file of ours can get it by chance.
            os.open(os.devnull, mode)
            setattr(sys, name, os.fdopen(number, "r" if mode == os.O_RDONLY else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def tell(text: str) -> None:
    """A line on standard error; where nobody takes it, the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        nowhere(sys.stderr)


def finish() -> str:
    """Write out what is left for standard output; why it could not be written, or nothing."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe has seen enough; nothing is wrong, and nothing more can be printed.
        nowhere(sys.stdout)
    except OSError as fault:
        nowhere(sys.stdout)
        return (fault.strerror or str(fault)).lower()
    return ""


def nowhere(stream: Any) -> None:
    """Lead a stream to nowhere, so that the end of the process does not try to write once more."""
    with suppress(OSError, ValueError, AttributeError):
        target = os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, stream.fileno())
        os.close(target)

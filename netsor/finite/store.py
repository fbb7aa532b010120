"""The store of a study: every finished task as one line of JSON in a file, read again when the study is resumed."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any, Self

import numpy as np

from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import finite

_KEYS = {"study", "width", "draws", "engine", "values"}
# How every line of a store begins.
_START = b'{"study": "'


class Store:
    """Finished tasks, in memory and, if there is a path, as lines of JSON in a file.

    The file is locked until `close`, so that two processes never write to it at once. `damaged` counts its lines that
    are not results, and `others` those of other studies.

    Raises NetsorError: E707 where the file cannot be used, E711 where it is not a store, is in use, or has results
    and neither `resume` nor `overwrite` says what to do with them.
    """

    def __init__(self, path: Path | str | None, key: str, resume: bool = False, overwrite: bool = False):
        self._path = Path(path) if path is not None else None
        self._key = key
        self._values: dict[tuple[int, str], dict[int, dict[str, float]]] = {}
        self._file: IO[bytes] | None = None
        self.fault: Diagnostic | None = None
        self.damaged = 0
        self.others = 0
        self._strange = False
        if self._path is None:
            return
        try:
            self._file = _locked(self._path)
            if not _is_regular(self._path):
                return
            lines = _lines(self._path, self._file.read(), resume, overwrite)
            if overwrite:
                self._file.truncate(0)
        except (OSError, ValueError) as e:
            self.close()
            raise NetsorError(_refused(self._path, e)) from e
        except NetsorError:
            self.close()
            raise
        for line in lines if resume else ():
            self._read(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def remove(self) -> None:
        """Delete the file, unless it has results of other studies or lines that no study wrote."""
        if self._path is not None and not self.others and not self._strange:
            with suppress(OSError):
                self._path.unlink()

    def remove_empty(self) -> None:
        """Delete the file if nothing is in it."""
        if self._path is not None:
            with suppress(OSError):
                if _is_regular(self._path) and self._path.stat().st_size == 0:
                    self._path.unlink()

    def _read(self, text: bytes) -> None:
        line = _parsed(text)
        if not _is_result(line):
            # The last line of a run that was killed may be half a line; what it held is computed again.
            self.damaged += 1
            self._strange = self._strange or not text.startswith(_START)
        elif line["study"] == self._key:
            self._remember(line)
        else:
            self.others += 1

    def _remember(self, line: dict[str, Any]) -> None:
        rows = self._values.setdefault((line["width"], line["engine"]), {})
        for i, draw in enumerate(line["draws"]):
            rows.setdefault(draw, {}).update({name: v[i] for name, v in line["values"].items()})

    def add(self, line: dict[str, Any]) -> None:
        """Keep a finished task."""
        self._remember(line)
        if self._file is None or self._path is None or self.fault:
            return
        try:
            # After half a line, as left by a full disk or a kill, the next begins on a line of its own.
            start = b"" if self._ends_line() else b"\n"
            text = json.dumps({"study": self._key, **line}, ensure_ascii=False) + "\n"
            self._file.write(start + text.encode())
            self._file.flush()
            if _is_regular(self._path):
                os.fsync(self._file.fileno())
        except OSError as e:
            # The study goes on in memory: its end should not lose what a full disk could not take.
            self.fault = _refused(self._path, e)

    def _ends_line(self) -> bool:
        assert self._file is not None
        if not self._file.seekable() or self._file.seek(0, os.SEEK_END) == 0:
            return True
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"

    def done(self, width: int, engine: str, names: Sequence[str]) -> set[int]:
        """The draws that have all of `names`."""
        rows = self._values.get((width, engine), {})
        return {draw for draw, row in rows.items() if all(name in row for name in names)}

    def values(self, width: int, engine: str, names: Sequence[str], seeds: int) -> dict[str, np.ndarray[Any, Any]]:
        """For each output its values in the order of the draws: those of the first `seeds` draws that are finished."""
        rows = self._values.get((width, engine), {})
        draws = sorted(d for d in self.done(width, engine, names) if d < seeds)
        return {name: np.array([rows[d][name] for d in draws]) for name in names}

    def warning(self) -> Diagnostic | None:
        """What is to be told of lines that were not understood."""
        if not self.damaged:
            return None
        lines = "1 line is" if self.damaged == 1 else f"{self.damaged} lines are"
        return finite.damaged_lines(lines, self._path)


def verify_store(path: Path, resume: bool, overwrite: bool) -> None:
    """Raises as `Store` does, and leaves the file as it is; for what is to be known before anything long begins."""
    try:
        if not path.exists():
            if not path.resolve().parent.is_dir():
                raise FileNotFoundError(2, os.strerror(2))
            if not os.access(path.resolve().parent, os.W_OK):
                raise PermissionError(13, os.strerror(13))
        elif _is_regular(path):
            _lines(path, path.read_bytes(), resume, overwrite)
    except (OSError, ValueError) as e:
        raise NetsorError(_refused(path, e)) from e


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _locked(path: Path) -> IO[bytes]:
    """The file, open for reading and for writing at its end, and locked."""
    while True:
        # Without a buffer: what a full disk refused is not tried again when the file is closed.
        file = path.open("ab+" if not path.exists() or _is_regular(path) else "wb", buffering=0)
        locks = _locks()
        try:
            if locks is not None:
                locks.flock(file.fileno(), locks.LOCK_EX | locks.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise _in_use(path) from None
        except OSError:  # a file system without locks
            pass
        # Between opening and locking, whoever had the file may have deleted it.
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                if file.seekable():
                    file.seek(0)
                return file
        file.close()


def _locks() -> ModuleType | None:
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def _lines(path: Path, content: bytes, resume: bool, overwrite: bool) -> list[bytes]:
    """The lines of a store that may be used in this way."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    if lines and not any(map(_is_ours, lines)) and not (len(lines) == 1 and _is_half(lines[0])):
        raise NetsorError(finite.not_a_store(path))
    if lines and not resume and not overwrite:
        raise NetsorError(finite.store_with_results(path, len(lines)))
    return lines


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_ours(line: bytes) -> bool:
    """Whether a line is a result, or was one before it was damaged."""
    found = _parsed(line)
    return isinstance(found, dict) and len(_KEYS & found.keys()) > len(_KEYS) // 2


def _is_half(line: bytes) -> bool:
    """Whether this is what a process that was killed leaves of its first line."""
    return _parsed(line) is None and (line.startswith(_START) or _START.startswith(line))


def _is_result(line: Any) -> bool:
    """Whether a line of JSON holds what `Store.add` writes."""
    if not isinstance(line, dict) or not isinstance(line.get("study"), str) or not isinstance(line.get("engine"), str):
        return False
    draws, values = line.get("draws"), line.get("values")
    if not _is_count(line.get("width")) or not isinstance(draws, list) or not all(map(_is_count, draws)):
        return False
    return isinstance(values, dict) and all(
        isinstance(v, list) and len(v) == len(draws) and all(map(_is_value, v)) for v in values.values()
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_value(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _in_use(path: Path) -> NetsorError:
    return NetsorError(finite.store_in_use(path))


def _refused(path: Path, e: Exception) -> Diagnostic:
    why = (getattr(e, "strerror", None) or "the name is not one that a file can have").lower()
    return finite.not_kept(path, why)

"""The store of a study: every finished task as one line of JSON in a file, read again when the study is resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netsor.diagnostics import Diagnostic, NetsorError


class Store:
    """Finished tasks, in memory and, if there is a path, as lines of JSON in a file."""

    def __init__(self, path: Path | str | None, key: str, resume: bool):
        self._path = Path(path) if path is not None else None
        self._key = key
        self._values: dict[tuple[int, str], dict[int, dict[str, float]]] = {}
        self.fault: Diagnostic | None = None
        if self._path is None:
            return
        try:
            if resume and self._path.exists():
                for line in self._path.read_text(encoding="utf-8").splitlines():
                    self._read(line)
            else:
                self._path.write_text("", encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise NetsorError(self._fault(e)) from e

    def _read(self, text: str) -> None:
        try:
            line = json.loads(text)
            if line["study"] == self._key:
                self._remember(line)
        except (ValueError, KeyError, TypeError):
            # The last line may be incomplete where a run was killed; its task is then run again.
            return

    def _remember(self, line: dict[str, Any]) -> None:
        rows = self._values.setdefault((line["width"], line["engine"]), {})
        for i, draw in enumerate(line["draws"]):
            rows.setdefault(draw, {}).update({name: v[i] for name, v in line["values"].items()})

    def add(self, line: dict[str, Any]) -> None:
        """Keep a finished task."""
        self._remember(line)
        if self._path is None or self.fault:
            return
        try:
            with self._path.open("a", encoding="utf-8") as f:
                # A full disk or a kill may have left an incomplete last line, after which a new line must begin.
                f.write("\n" if f.tell() and not self._ends_line() else "")
                f.write(json.dumps({"study": self._key, **line}, ensure_ascii=False) + "\n")
                f.flush()
                os.fsync(f.fileno())
        except OSError as e:
            # The study continues in memory, so that a full disk does not lose its result.
            self.fault = self._fault(e)

    def _ends_line(self) -> bool:
        assert self._path is not None
        with self._path.open("rb") as f:
            f.seek(-1, os.SEEK_END)
            return f.read(1) == b"\n"

    def done(self, width: int, engine: str, names: Sequence[str]) -> set[int]:
        """The draws for which the values of all `names` are stored."""
        rows = self._values.get((width, engine), {})
        return {draw for draw, row in rows.items() if all(name in row for name in names)}

    def values(self, width: int, engine: str, names: Sequence[str], seeds: int) -> dict[str, np.ndarray[Any, Any]]:
        """For each output its values, in the order of the draws, for the stored ones of the first `seeds` draws."""
        rows = self._values.get((width, engine), {})
        draws = sorted(d for d in self.done(width, engine, names) if d < seeds)
        return {name: np.array([rows[d][name] for d in draws]) for name in names}

    def _fault(self, e: Exception) -> Diagnostic:
        why = (e.strerror or "").lower() if isinstance(e, OSError) else "it is not UTF-8"
        return Diagnostic(
            "E707",
            f"results cannot be kept in `{self._path}`: {why}",
            notes=("what was finished before is in the file, and stays there",),
            hint="choose another file, or make room",
        )
